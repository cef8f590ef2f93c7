"""Starts `strowger pbx` for the demo and the tests, and asks it things over its command line."""
import json
import os
import pathlib
import signal
import subprocess
import time

root = pathlib.Path(__file__).resolve().parent.parent
program = os.environ.get("STROWGER", str(root / "build" / "strowger"))


def end(process, patience=10):
    """Ends a process the polite way, or, when it does not listen, the other; its exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


class Exchange:
    def __init__(self, config, state, bind=None, options=(), prefix=()):
        self.state = pathlib.Path(state)
        self.state.mkdir(parents=True, exist_ok=True)
        self.log_path = self.state / "log"
        self.log = open(self.log_path, "wb")
        command = [*prefix, program, "pbx", "--config", str(config), "--state", str(self.state)]
        if bind:
            command += ["--bind", bind]
        self.process = subprocess.Popen([*command, *options], stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=subprocess.STDOUT)
        self.wait_until_ready()

    def wait_until_ready(self, timeout=20):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"strowger ended with {self.process.returncode}:\n{self.output()}")
            if (self.state / "pbx.ctl").exists() and self.ask("core show uptime", check=False) is not None:
                return
            time.sleep(0.02)
        raise RuntimeError(f"strowger did not become ready:\n{self.output()}")

    def ask(self, command, check=True):
        done = subprocess.run([program, "--state", str(self.state), "-rx", command], capture_output=True, text=True,
                              timeout=30)
        if done.returncode != 0:
            if check:
                raise RuntimeError(f"'{command}' failed: {done.stdout}{done.stderr}")
            return None
        return done.stdout

    def ask_json(self, command):
        return json.loads(self.ask(command))

    def output(self):
        self.log.flush()
        return self.log_path.read_text(errors="replace")

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        """Ends it the polite way; returns the exit status."""
        status = end(self.process)
        self.log.close()
        return status


def wait_for(condition, timeout=10, interval=0.05, what="condition"):
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout} s for {what}")
        time.sleep(interval)
