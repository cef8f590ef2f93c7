"""An echo server under test, and our client as a program."""
import json
import subprocess
import time
import urllib.error
import urllib.request

from exchange import end, program
from running import free_port


class EchoServer:
    def __init__(self, folder, *options):
        self.port = free_port()
        self.log_path = folder / f"echo-{self.port}.log"
        self.log = open(self.log_path, "wb")
        self.process = subprocess.Popen(
            [program, "echo", "server", "--host", "127.0.0.1", "--port", str(self.port), "--log-level", "verbose",
             *options], stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        self.base = f"http://127.0.0.1:{self.port}"
        self.url = self.base + "/offer"
        deadline = time.monotonic() + 20
        while True:
            try:
                assert self.get("/healthz")[1] == "ok\n"
                return
            except OSError:
                assert self.process.poll() is None, self.output()
                assert time.monotonic() < deadline, self.output()
                time.sleep(0.02)

    def request(self, method, path, body=None, headers=None):
        """(status, body, headers)"""
        request = urllib.request.Request(self.base + path, method=method, headers=headers or {},
                                         data=body.encode() if isinstance(body, str) else body)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), error.headers

    def get(self, path):
        return self.request("GET", path)

    def offer(self, sdp):
        """The answer's text; the status when there is none."""
        status, body, _ = self.request("POST", "/offer", json.dumps({"type": "offer", "sdp": sdp}))
        return json.loads(body)["sdp"] if status == 200 else status

    def metrics(self):
        """{'name{labels}': value} of our own."""
        lines = [line for line in self.get("/metrics")[1].splitlines() if line.startswith("strowger_echo")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    def sessions(self):
        return self.metrics()["strowger_echo_sessions"]

    def output(self):
        self.log.flush()
        return self.log_path.read_text(errors="replace")

    def stop(self):
        status = end(self.process)
        self.log.close()
        return status


def client(*arguments, timeout=30):
    """(status, what it said)"""
    done = subprocess.run([program, "echo", "client", *map(str, arguments)], capture_output=True, text=True,
                          timeout=timeout)
    return done.returncode, done.stdout + done.stderr


def load(url, *options, timeout=120):
    """(status, its figures)"""
    done = subprocess.run([program, "echo", "load", url, *map(str, options)], capture_output=True, text=True,
                          timeout=timeout)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)
