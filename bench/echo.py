"""The echo server and its peers under the same load client, which is ours."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

from servers import Processes, free_port, program, root

NPM = root / "build" / "npm"
INTEROP = root / "tests" / "interop"


class EchoServer(Processes):
    """`name` is strowger, aiortc, werift or node-datachannel."""

    def __init__(self, name, folder, address="127.0.0.1"):
        self.name, self.port, self.address = name, free_port(), address
        self.url = f"http://{address}:{self.port}/offer"
        self.log = open(folder / f"{name}.log", "wb")
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        start_new_session=True)
        super().__init__(self.process.pid)
        self.wait_until_ready()

    def command(self):
        address, port = self.address, str(self.port)
        if self.name == "strowger":
            return [program, "echo", "server", "--host", address, "--port", port, "--max-sessions-per-source", "1024"]
        if self.name == "aiortc":
            return ["/usr/bin/python3", INTEROP / "echo_peer.py", "aiortc", "server", address, port]
        shutil.copy(root / "tests" / "peers" / "npm" / "echo_peer.mjs", NPM / "echo_peer.mjs")
        return ["node", NPM / "echo_peer.mjs", self.name, "server", address, port]

    def wait_until_ready(self):
        deadline = time.monotonic() + 20
        while True:
            try:
                urllib.request.urlopen(f"http://{self.address}:{self.port}/healthz", timeout=1).read()
                return
            except urllib.error.HTTPError:
                return
            except OSError as error:
                if "refused" not in str(error):
                    return  # it listens, and knows no GET
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{self.name} does not start") from None
                time.sleep(0.05)

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.log.close()


def available():
    """The peers that are here."""
    found = []
    if subprocess.run(["/usr/bin/python3", "-c", "import aiortc"], capture_output=True).returncode == 0:
        found.append("aiortc")
    return found + [name for name in ("werift", "node-datachannel") if (NPM / "node_modules" / name).exists()]


def load(server, *options):
    done = subprocess.run([program, "echo", "load", server.url, *map(str, options)], capture_output=True, text=True,
                          timeout=180)
    if not done.stdout:
        raise RuntimeError(f"{server.name}: {done.stderr}")
    return json.loads(done.stdout)


def answer_times(folder, count=100):
    """Milliseconds from the last byte of a browser's offer to the first byte of the answer, sorted."""
    sdp = (root / "tests" / "data" / "offers" / "chromium.sdp").read_text()
    body = json.dumps({"type": "offer", "sdp": sdp}).encode()
    request = b"POST /offer HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    server, times = EchoServer("strowger", pathlib.Path(folder)), []
    try:
        for _ in range(count):
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.sendall(request[:-1])
                time.sleep(0.005)
                began = time.perf_counter()
                connection.sendall(request[-1:])
                answer = connection.recv(65536)
                times.append((time.perf_counter() - began) * 1000)
                if b" 200 " not in answer[:20]:
                    raise RuntimeError(f"the answer was {answer[:200]!r}")
        return sorted(times)
    finally:
        server.stop()


def sessions_of_sound(server, count, seconds):
    """(CPU in ms a session and second, KiB a session, figures): measured while they run."""
    before = server.memory()
    running = subprocess.Popen([program, "echo", "load", server.url, "--sessions", str(count), "--seconds", str(seconds + 3),
                                "--at-once", "4"], stdout=subprocess.PIPE, text=True)
    time.sleep(2 + count * 0.02)  # until all are connected
    cpu, began = server.cpu(), time.monotonic()
    time.sleep(seconds)
    cpu = (server.cpu() - cpu) / (time.monotonic() - began) / count * 1000
    memory = (server.memory() - before) / count * 1024
    figures = json.loads(running.communicate(timeout=120)[0])
    return cpu, memory, figures


def figures(name, folder, quick):
    """{what: value} of one server, started anew."""
    seconds = 2 if quick else 5
    server = EchoServer(name, pathlib.Path(folder))
    try:
        load(server, "--sessions", 3, "--silent", "--at-once", 1, "--seconds", 0)  # warms it
        connect = load(server, "--sessions", 10 if quick else 30, "--silent", "--at-once", 1, "--seconds", 0)
        trip = load(server, "--sessions", 1, "--seconds", seconds, "--message-size", 16)
        bulk = load(server, "--sessions", 1, "--seconds", seconds, "--message-size", 16384, "--in-flight", 64)
        count = {"strowger": 100, "aiortc": 20}.get(name, 50)
        cpu, memory, sound = sessions_of_sound(server, count, seconds)
        return {"connect": connect["connect_ms_p50"], "trip": trip["message_ms_p50"], "bulk": bulk["message_mb_per_s"],
                "cpu": cpu, "memory": memory, "lost": sound["packets_lost"], "count": count}
    finally:
        server.stop()


def browser_times(count):
    """{server: milliseconds, sorted} of Chromium's way from its offer to connected; nothing where there is none."""
    if not shutil.which("chromium") or os.geteuid() != 0:
        return {}
    servers = [name for name in ("strowger", *available()) if name != "node-datachannel"]
    done = subprocess.run(["unshare", "--net", "/usr/bin/python3", root / "bench" / "echo_browser.py", str(count), *servers],
                          capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-1000:])
    return json.loads(done.stdout)


def thousand(folder, quick):
    server = EchoServer("strowger", pathlib.Path(folder))
    try:
        before = server.cpu()
        began = time.monotonic()
        seen = load(server, "--sessions", 1000, "--seconds", 5 if quick else 15)
        return seen, (server.cpu() - before) / (time.monotonic() - began)
    finally:
        server.stop()
