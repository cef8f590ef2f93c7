"""Our echo server and client beside every stack that is here, in a network of their own; prints the matrix.

Test 0 is a connection, 1 a text on a channel, 2 media that comes back. A cell that a peer cannot pass says why.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading

import pytest
from exchange import program

here = pathlib.Path(__file__).resolve().parent
npm = pathlib.Path(program).resolve().parent / "npm"
ADDRESS = "10.79.0.1"
SPACE = f"strowger-test-echo-{os.getpid()}"
ENTER = ["nsenter", f"--net=/run/netns/{SPACE}"]
LIMIT = 60

STACKS = ["aiortc", "werift", "node-datachannel", "chromium", "chromium-mdns"]
# What no server of that stack can do, as it hears what it sends decoded and encoded again.
LIMITS = {
    ("aiortc", "server", 2): "decodes and encodes what it sends back",
    ("chromium", "server", 2): "decodes and encodes what it sends back",
    ("chromium-mdns", "server", 2): "decodes and encodes what it sends back",
}
CELLS = [(stack, role, test) for stack in STACKS for role in ("client", "server") for test in (0, 1, 2)]

results = {}


def run(*command, check=True, **options):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, check=check, **options)


def missing(stack):
    """Why the stack cannot be run here; nothing if it can."""
    if stack.startswith("chromium"):
        return None if shutil.which("chromium") else "chromium is not installed"
    if stack == "aiortc":
        return None if run("/usr/bin/python3", "-c", "import aiortc", check=False).returncode == 0 else "no aiortc"
    if not shutil.which("node"):
        return "node is not installed"
    return None if (npm / "node_modules" / stack).exists() else f"{stack} is not in {npm.name} (tests/peers/npm/install)"


def peer(stack, *arguments):
    if stack in ("werift", "node-datachannel"):
        # Where Node looks for modules beside the script.
        script = npm / "echo_peer.mjs"
        shutil.copy(here.parent / "peers" / "npm" / "echo_peer.mjs", script)
        return ["node", str(script), stack, *arguments]
    return ["/usr/bin/python3", str(here / "echo_peer.py"), stack, *arguments]


@pytest.fixture(scope="module")
def network():
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    if run("ip", "netns", "add", SPACE, check=False).returncode:
        pytest.skip("this kernel or container allows no network namespaces")
    try:
        run(*ENTER, "ip", "link", "set", "lo", "up")
        run(*ENTER, "ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1")  # an address that is not loopback
        run(*ENTER, "ip", "address", "add", f"{ADDRESS}/24", "dev", "v0")
        for device in ("v0", "v1"):
            run(*ENTER, "ip", "link", "set", device, "up")
        yield
    finally:
        run("ip", "netns", "delete", SPACE, check=False)


def ready(process, word):
    """Reads until the line that begins with it."""
    for line in process.stdout:
        if word in line:
            return
    raise AssertionError("it ended before it was ready")


def started(command, word, **streams):
    process = subprocess.Popen([*ENTER, *command], text=True, start_new_session=True, **streams)
    ready(process, word)
    return process


def ended(process):
    os.killpg(process.pid, signal.SIGTERM)
    try:
        return process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


@pytest.fixture(scope="module")
def our_server(network):
    process = subprocess.Popen([*ENTER, program, "echo", "server", "--port", "8080", "--log-level", "verbose"],
                               stderr=subprocess.PIPE, text=True, start_new_session=True)
    process.stdout = process.stderr
    ready(process, "takes offers")
    said = []
    threading.Thread(target=lambda: said.extend(process.stderr), daemon=True).start()
    yield f"http://{ADDRESS}:8080/offer"
    assert ended(process) == 0, "".join(said[-50:])


@pytest.fixture(scope="module")
def their_servers(network):
    running = {}

    def url(stack):
        if stack not in running:
            port = 8100 + len(running)
            running[stack] = port, started(peer(stack, "server", ADDRESS, str(port)), "ready", stdout=subprocess.PIPE)
        return f"http://{ADDRESS}:{running[stack][0]}/offer"

    yield url
    for _, process in running.values():
        ended(process)


def outcome(stack, role, test, our_server, their_servers):
    if role == "client":
        done = run(*ENTER, *peer(stack, "client", our_server, str(test)), check=False, timeout=LIMIT)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])
    done = run(*ENTER, program, "echo", "client", "-s", their_servers(stack), "-t", test, "--media-time", 2, check=False,
               timeout=LIMIT)
    assert done.returncode == 0, done.stdout + done.stderr
    return {"connected": float(done.stdout.split("connected after ")[1].split(" ms")[0])}


@pytest.mark.parametrize("stack,role,test", CELLS, ids=lambda value: str(value))
def test_a_cell_of_the_matrix(stack, role, test, our_server, their_servers):
    cell = stack, role, test
    why = missing(stack) or LIMITS.get(cell)
    results[cell] = "skipped"
    if why:
        pytest.skip(why)
    results[cell] = "FAILED"
    seen = outcome(stack, role, test, our_server, their_servers)
    results[cell] = f"{seen['connected']:.0f} ms" if "connected" in seen else "passed"


def test_chromium_that_posts_before_it_has_gathered_connects(our_server):
    """Its offer has no candidates at all: the server finds it by its checks."""
    if why := missing("chromium"):
        pytest.skip(why)
    script = ("import sys; sys.path.insert(0, sys.argv[1])\n"
              "from chromium import Chromium; import pathlib\n"
              "browser = Chromium()\n"
              "try:\n"
              "    browser.go(sys.argv[2].rsplit('/', 1)[0] + '/healthz')\n"
              "    browser.run(pathlib.Path(sys.argv[1], 'chromium_echo.js').read_text())\n"
              "    print(browser.run(f'echo.clients.connection({sys.argv[2]!r}, false)'))\n"
              "finally:\n    browser.close()\n")
    done = run(*ENTER, "/usr/bin/python3", "-c", script, here, our_server, check=False, timeout=LIMIT)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module", autouse=True)
def matrix(request):
    yield
    lines = [f"{'':18}" + "".join(f"{role + ' ' + str(test):>12}" for role in ("client", "server") for test in (0, 1, 2))]
    for stack in STACKS:
        cells = [results.get((stack, role, test), "-") for role in ("client", "server") for test in (0, 1, 2)]
        lines.append(f"{stack:18}" + "".join(f"{cell:>12}" for cell in cells))
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print("\n\npeers of the echo server (as client) and of the echo client (as server):", *lines, sep="\n",
              file=sys.stderr)
