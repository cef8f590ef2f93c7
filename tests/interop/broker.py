"""The broker, its providers and its clients, for the tests: real programs from npm and Debian, on loopback."""
import base64
import contextlib
import fcntl
import functools
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.request

import pytest
from exchange import program, root, wait_for

build = pathlib.Path(program).resolve().parent
messages = root / "src" / "wire" / "wasimoff"


def run(command, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300, **options)


@contextlib.contextmanager
def alone(target):
    """Several processes of tests want the same folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.parent / f".{target.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install(source, target):
    """The npm packages of `source` in `target`, outside of the tree; skips where npm cannot get them."""
    for tool in ("npm", "node", "protoc"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    target.mkdir(parents=True, exist_ok=True)
    for path in source.rglob("*"):
        if path.is_file() and not {"node_modules", "dist", "generated"} & set(path.parts):
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if not copy.exists() or copy.read_bytes() != path.read_bytes():
                shutil.copy(path, copy)
    stamp = target / "node_modules" / ".installed"
    wanted = (source / "package-lock.json").read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        done = run(["npm", "ci", "--no-audit", "--no-fund"], cwd=target)
        if done.returncode != 0:
            pytest.skip(f"npm cannot install the peers: {done.stderr.strip()[-300:]}")
        stamp.write_text(wanted)


@functools.cache
def web():
    """The provider's page and the Node provider, built from web/."""
    target = build / "web-source" / "web"
    with alone(target):
        install(root / "web", target)
        copy = build / "web-source" / "src" / "wire" / "wasimoff"
        copy.mkdir(parents=True, exist_ok=True)
        shutil.copy(messages / "wasimoff.proto", copy)
        sources = [path for path in sorted(target.rglob("*"))
                   if path.is_file() and not {"node_modules", "generated"} & set(path.parts)]
        made_of = hashlib.sha256(b"".join(path.read_bytes() for path in [*sources, copy / "wasimoff.proto"])).hexdigest()
        stamp = build / "web-source" / ".built"
        if not (build / "web" / "page.js").exists() or not stamp.exists() or stamp.read_text() != made_of:
            done = run(["node", "build.mjs", build / "web"], cwd=target)
            assert done.returncode == 0, done.stderr
            stamp.write_text(made_of)
    return build / "web"


@functools.cache
def peers():
    """The folder of the clients from npm."""
    target = build / "npm_broker"
    with alone(target):
        install(root / "tests" / "peers" / "npm_broker", target)
        done = run(["protoc", f"--plugin=protoc-gen-es={target}/node_modules/.bin/protoc-gen-es", f"--es_out={target}",
                    "--es_opt=target=js", "-I", messages, "wasimoff.proto"])
        assert done.returncode == 0, done.stderr
    return target


class Broker:
    def __init__(self, folder, *options, listen="127.0.0.1:0", environment=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log_path = self.folder / "broker.log"
        self.log = open(self.log_path, "wb")
        self.process = subprocess.Popen(
            [program, "broker", "--listen", listen, *map(str, options)], cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})})
        self.providers = []

        def address():
            assert self.process.poll() is None, self.output()
            return re.search(r"listening on (https?)://(\S+)", self.output())
        found = wait_for(address, what="the broker to listen")
        self.url = f"{found[1]}://{found[2]}"

    def output(self):
        return self.log_path.read_text(errors="replace")

    def request(self, path, body=None, method=None, headers=None):
        """(status, headers, body) whatever the status."""
        request = urllib.request.Request(self.url + path, data=body, method=method, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def upload(self, content, name=""):
        status, _, body = self.request(f"/api/storage/upload?name={name}", content)
        assert status == 200, body
        return body.decode().strip()

    def run(self, method="RunWasip1", **message):
        status, _, body = self.request(f"/api/client/wasimoff.v1.Tasks/{method}", json.dumps(message).encode(),
                                       headers={"Content-Type": "application/json"})
        return status, json.loads(body)

    def metric(self, line):
        _, _, body = self.request("/metrics")
        found = re.search(rf"^{re.escape(line)} (\S+)$", body.decode(), re.MULTILINE)
        return float(found[1]) if found else None

    def provider(self, name="node", workers=1, *options):
        """A Node provider, connected."""
        before = self.metric("wasimoff_connected_providers")
        log = open(self.folder / f"{name}.log", "wb")
        process = subprocess.Popen(
            ["node", str(web() / "node" / "provider.mjs"), "--broker", self.url, "--name", name, "--workers",
             str(workers), *options], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        log.close()
        self.providers.append(process)
        wait_for(lambda: self.metric("wasimoff_connected_providers") > before, what=f"provider {name}")
        return process

    def stop(self):
        for process in self.providers:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
        self.log.close()
        return self.process.returncode


def assemble(folder, text, name="program"):
    """WebAssembly from its text form, with Debian's wabt."""
    if not shutil.which("wat2wasm"):
        pytest.skip("wabt is not installed")
    source, target = pathlib.Path(folder) / f"{name}.wat", pathlib.Path(folder) / f"{name}.wasm"
    source.write_text(text)
    done = run(["wat2wasm", source, "-o", target])
    assert done.returncode == 0, done.stderr
    return target.read_bytes()


def compile_c(folder, text, name="program"):
    """A WASI program from C, with Debian's clang and wasi-libc."""
    if not shutil.which("clang-14") or not pathlib.Path("/usr/lib/wasm32-wasi").exists():
        pytest.skip("clang-14 or wasi-libc is not installed")
    source, target = pathlib.Path(folder) / f"{name}.c", pathlib.Path(folder) / f"{name}.wasm"
    source.write_text(text)
    done = run(["clang-14", "--target=wasm32-wasi", "-O1", source, "-o", target])
    assert done.returncode == 0, done.stderr
    return target.read_bytes()


def certificate(folder, name="127.0.0.1"):
    """One that is its own root, and its key, in PEM."""
    pem, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", f"subjectAltName=IP:{name}", "-out", pem, "-keyout", key],
                   check=True, capture_output=True)
    return pem, key


class Lines:
    """A peer that talks in lines of JSON."""

    def __init__(self, command):
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def next(self):
        line = self.process.stdout.readline()
        assert line, "the peer has ended"
        return json.loads(line)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def close(self):
        self.process.kill()
        self.process.wait()


def socket(broker, path, subprotocol="wasimoff_provider_v1_json"):
    return Lines(["node", peers() / "socket.mjs", broker.url.replace("http", "ws") + path, subprotocol])


def envelope(sequence, name, kind="Request", **payload):
    return json.dumps({"sequence": sequence, "type": kind, "payload": {**payload, "@type": name}})


class Stub:
    """A provider made by hand, over the `ws` of npm: it does what the test says, message by message."""

    def __init__(self, broker, name="stub", slots=1, files=(), path=None):
        self.lines = socket(broker, f"/api/provider/ws?id={name}" if path is None else path)
        assert "open" in self.lines.next()
        self.events = 0
        if slots is not None:
            self.tell("ProviderResources", concurrency=slots)
            self.list(files)

    def tell(self, event, **fields):
        self.lines.say(envelope(self.events, f"wasimoff/wasimoff.v1.Event.{event}", "Event", **fields))
        self.events += 1

    def list(self, files=()):
        self.answer(self.expect("Filesystem.Listing.Request"), "Filesystem.Listing.Response", files=list(files))

    def next(self):
        message = self.lines.next()
        return json.loads(message["text"]) if "text" in message else message

    def expect(self, name, but=("Event.ClusterInfo", "Event.Throughput", "Ping")):
        """The next message, which has this name; events and pings before it are passed over, pings answered."""
        while True:
            message = self.next()
            kind = message.get("payload", {}).get("@type", str(message))
            if kind.endswith(name):
                return message
            assert kind.endswith(but), message
            if kind.endswith("Ping"):
                self.answer(message, "Ping")

    def task(self):
        return self.expect("Task.Wasip1.Request")

    def answer(self, request, name, **fields):
        self.lines.say(envelope(request["sequence"], f"wasimoff/wasimoff.v1.{name}", "Response", **fields))

    def refuse(self, request, text):
        self.lines.say(json.dumps({"sequence": request["sequence"], "type": "Response", "error": text}))

    def done(self, request, stdout=b"", **fields):
        self.answer(request, "Task.Wasip1.Response",
                    **{"ok": {"status": 0, "stdout": base64.b64encode(stdout).decode()}, **fields})

    def close(self):
        self.lines.close()


def until(condition, timeout=15):
    return wait_for(condition, timeout, what="that")

