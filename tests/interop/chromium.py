"""Chromium without a window, driven through its DevTools protocol over a pipe."""
import base64
import json
import os
import shutil
import subprocess
import tempfile
import threading

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--autoplay-policy=no-user-gesture-required", "--disable-dev-shm-usage", "--mute-audio"]
LIMIT = 60


class Chromium:
    """One browser with one page. `mdns`: hides addresses behind .local names, as it does by default; `quic`: WebTransport
    works; `more`: flags."""

    def __init__(self, mdns=False, prefix=(), quic=False, more=()):
        self.folder = tempfile.mkdtemp(prefix="strowger-chromium-")
        flags = FLAGS + list(more) + ([] if mdns else ["--disable-features=WebRtcHideLocalIpsWithMdns"])
        flags = [flag for flag in flags if not quic or flag != "--disable-quic"]
        to_read, self.to_write = os.pipe()
        self.from_read, from_write = os.pipe()
        command = [*prefix, "bash", "-c", f'exec chromium "$@" 3<&{to_read} 4>&{from_write}', "bash",  # dash knows no descriptors above 9
                   "--remote-debugging-pipe", f"--user-data-dir={self.folder}", *flags, "about:blank"]
        self.process = subprocess.Popen(command, pass_fds=(to_read, from_write), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(from_write)
        self.number, self.answers, self.arrived = 0, {}, threading.Condition()
        self.closed = False
        threading.Thread(target=self._read, daemon=True).start()
        self.session = None
        target = self.tell("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.tell("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.tell("Page.enable")

    def _read(self):
        with os.fdopen(self.from_read, "rb") as pipe:
            rest = b""
            while part := pipe.read1(65536):
                *messages, rest = (rest + part).split(b"\0")
                for message in map(json.loads, messages):
                    if "id" in message:
                        with self.arrived:
                            self.answers[message["id"]] = message
                            self.arrived.notify_all()
        with self.arrived:
            self.closed = True
            self.arrived.notify_all()

    def tell(self, method, **parameters):
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_write, json.dumps(message).encode() + b"\0")
        with self.arrived:
            came = self.arrived.wait_for(lambda: number in self.answers or self.closed, LIMIT)
        assert came and not self.closed, f"Chromium does not answer {method}"
        answer = self.answers.pop(number)
        assert "error" not in answer, f"{method}: {answer}"
        return answer["result"]

    def go(self, url):
        self.tell("Page.navigate", url=url)
        self.run("new Promise(done => document.readyState === 'complete' ? done() : addEventListener('load', done))")

    def run(self, script):
        """The value of an expression; promises are waited for."""
        done = self.tell("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        if "exceptionDetails" in done:
            raise AssertionError(done["exceptionDetails"]["exception"].get("description", done))
        return done["result"].get("value")

    def click(self, selector):
        """With the mouse, in the middle of the element."""
        x, y = self.run(f"(r => [r.x + r.width / 2, r.y + r.height / 2])"
                        f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())")
        for kind in ("mousePressed", "mouseReleased"):
            self.tell("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def picture(self, path):
        path.write_bytes(base64.b64decode(self.tell("Page.captureScreenshot", format="png")["data"]))

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.to_write)
        shutil.rmtree(self.folder, ignore_errors=True)
