"""Our own providers, the page in Chromium and the one for Node, behind the broker."""
import base64
import json
import pathlib
import re
import statistics
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "interop"))
from chromium import Chromium  # noqa: E402
from servers import program  # noqa: E402

WORKERS = 2
UNDER_WAY = 16 * WORKERS  # tasks of the client that waits for them
# A program that does nothing, and one that computes: as many rounds as take about 5 ms.
EMPTY = '(module (memory (export "memory") 1) (func (export "_start")))'
ROUNDS = """(module (memory (export "memory") 1) (func (export "_start") (local $i i32) (local $x i32)
  (local.set $i (i32.const {rounds}))
  (loop $again
    (local.set $x (i32.rotl (i32.mul (i32.add (local.get $x) (local.get $i)) (i32.const 747796405)) (i32.const 7)))
    (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
  (i32.store (i32.const 0) (local.get $x))))"""


def upload(broker, file):
    request = urllib.request.Request(f"http://127.0.0.1:{broker.port}/api/storage/upload?name={file.name}",
                                     data=file.read_bytes(), method="POST")
    return re.search(r"sha256:[0-9a-f]{64}", urllib.request.urlopen(request, timeout=5).read().decode())[0]


def call(broker):
    return f"http://127.0.0.1:{broker.port}/api/client/wasimoff.v1.Tasks/RunWasip1"


def takes(broker, ref):
    """Milliseconds from a task's submission to its result."""
    body = json.dumps({"params": {"binary": {"ref": ref}}}).encode()
    request = urllib.request.Request(call(broker), data=body, headers={"Content-Type": "application/json", "X-Real-IP": "192.0.2.2"})
    began = time.monotonic()
    urllib.request.urlopen(request, timeout=30).read()
    return (time.monotonic() - began) * 1000


def takes_behind(broker, count, ref, folder):
    """The same while `count` tasks of somebody else's wait."""
    (folder / "many.json").write_text(json.dumps({"tasks": [{"params": {"binary": {"ref": ref}}}] * count}))
    many = subprocess.Popen(["curl", "-s", "-o", "/dev/null", "-H", "Content-Type: application/json", "-H", "X-Real-IP: 192.0.2.1",
                             "-d", f"@{folder}/many.json", call(broker)])
    try:
        time.sleep(1.5)
        return takes(broker, ref)
    finally:
        many.kill()
        many.wait()
        time.sleep(0.5)


def assembled(folder, name, text):
    (folder / f"{name}.wat").write_text(text)
    subprocess.run(["wat2wasm", folder / f"{name}.wat", "-o", folder / f"{name}.wasm"], check=True)
    return folder / f"{name}.wasm"


PURE = """new Promise((resolve) => {
    const code = `onmessage = ({ data: [bytes, seconds] }) => {
        const module = new WebAssembly.Module(bytes), run = () => new WebAssembly.Instance(module, {}).exports._start();
        for (let i = 0; i < 20; ++i) run();
        let count = 0, now = performance.now();
        const began = now;
        for (; now - began < seconds * 1000; now = performance.now(), ++count) run();
        postMessage(count / (now - began) * 1000);
    }`;
    const bytes = Uint8Array.from(atob("%s"), (letter) => letter.charCodeAt(0));
    let rate = 0, left = %d;
    for (let i = left; i > 0; --i) {
        const worker = new Worker(URL.createObjectURL(new Blob([code])));
        worker.onmessage = ({ data }) => {
            rate += data;
            worker.terminate();
            if (--left === 0) resolve(rate);
        };
        worker.postMessage([bytes, %g]);
    }
})"""


def pure_in(page, file, seconds):
    """The same as `pure` in workers of a page: its compiler is not Node's."""
    return page.run(PURE % (base64.b64encode(file.read_bytes()).decode(), WORKERS, seconds))


def pure(file, seconds):
    """Runs a second of a program on so many threads with nothing around it."""
    done = subprocess.run(["node", pathlib.Path(__file__).with_name("compute.mjs"), file, str(WORKERS), str(seconds)],
                          capture_output=True, text=True, check=True)
    return float(done.stdout)


def computing(start, folder, kind, seconds, web):
    """Tasks a second through our own provider with two workers: that do nothing; that compute, and what is possible; and by
    how much ten thousand tasks of one delay a task of another."""
    rounds = 1_000_000
    per_round = WORKERS / pure(assembled(folder, "some", ROUNDS.format(rounds=rounds)), 1) / rounds
    work = assembled(folder, "work", ROUNDS.format(rounds=int(0.005 / per_round)))
    broker = start(folder, "--static-files", web, "--queue", "20000", "--open", "--trusted-proxies", "127.0.0.0/8")
    provider = None
    try:
        if kind == "page":
            provider = Chromium()
            provider.go(f"http://127.0.0.1:{broker.port}/#autoconnect=yes&workers={WORKERS}&transport=websocket")
        else:
            provider = subprocess.Popen(["node", web / "node" / "provider.mjs", "--broker", f"http://127.0.0.1:{broker.port}",
                                         "--workers", str(WORKERS)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        empty = upload(broker, assembled(folder, "empty", EMPTY))
        broker.until_metric(f'wasimoff_available_workers{{type="providers"}} {WORKERS}')
        trivial = broker.load(seconds, providers=0, slots=UNDER_WAY, ref=empty)
        ref = upload(broker, work)
        limit = pure_in(provider, work, seconds) if kind == "page" else pure(work, seconds)
        busy = broker.load(seconds, providers=0, slots=UNDER_WAY, ref=ref)
        alone = statistics.median(takes(broker, ref) for _ in range(9))
        behind = statistics.median(takes_behind(broker, 10000, ref, folder) for _ in range(9))
        return trivial["tasks"] / trivial["seconds"], busy["tasks"] / busy["seconds"], limit, behind - alone
    finally:
        if kind == "page" and provider:
            provider.close()
        elif provider:
            provider.kill()
            provider.wait()
        broker.stop()


def measure(broker, folder, seconds, row, say):
    """`broker` starts one: broker(folder, option...)."""
    beside = [folder / "web" for folder in (program.parent.parent, program.parent)]
    web = next((folder for folder in beside if (folder / "page.js").exists()), None)
    if not web:
        say("    no provider here: `make web` builds the page and the one for Node")
        return
    for kind, name in (("page", "our page in Chromium"), ("node", "our Node provider")):
        trivial, busy, limit, delay = computing(broker, folder, kind, seconds, web)
        row(f"{name}, two workers, tasks of nothing", "/s", trivial, goal=">= 3000/s", met=trivial >= 3000)
        row(f"{name}, tasks of 5 ms", "/s", busy, goal=f">= 90 % of {limit:.0f}", met=busy >= 0.9 * limit)
        one = WORKERS / limit * 1000
        row(f"{name}, delay of a task by 10,000 of another's", "ms", delay, goal=f"<= {one:.1f} ms, one task", met=delay <= one)
