"""Runs scenarios of sipp, an independent implementation, on either side of a call."""
import pathlib
import subprocess
import tempfile

from running import free_port

scenarios = pathlib.Path(__file__).resolve().parent / "scenarios"


class Sipp:
    """One running sipp. `keys` fill [name] in the scenario; it ends after `calls` calls."""

    def __init__(self, exchange, scenario, user="sipp", password="", extension="600", port=None, calls=1, address="127.0.0.1",
                 options=(), timeout=20, **keys):
        self.scenario, self.port = scenario, port or free_port(address)
        self.folder = tempfile.TemporaryDirectory(prefix="sipp-")
        self.trace = pathlib.Path(self.folder.name) / "messages"
        command = ["sipp", "-sf", scenarios / scenario, "-m", str(calls), "-i", address, "-mi", address, "-p", str(self.port), "-s",
                   extension, "-au", user, "-ap", password, "-key", "user", user, "-nostdin", "-timeout", f"{timeout}s",
                   "-timeout_error", "-trace_msg", "-message_file", self.trace, "-trace_err", "-error_file",
                   pathlib.Path(self.folder.name) / "errors", "-recv_timeout", str(timeout * 1000), *options]
        for name, value in keys.items():
            command += ["-key", name, str(value)]
        command.append(exchange.server)
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, cwd=self.folder.name, errors="replace")
        self.timeout = timeout

    def messages(self):
        return self.trace.read_text(errors="replace") if self.trace.exists() else ""

    def finish(self):
        """Waits for its end; a scenario that did not go as written fails the test with all that was said."""
        try:
            output, _ = self.process.communicate(timeout=self.timeout + 10)
        except subprocess.TimeoutExpired:
            self.stop()
            raise AssertionError(f"sipp {self.scenario} did not end\n{self.messages()[-6000:]}")
        messages = self.messages()
        errors = pathlib.Path(self.folder.name) / "errors"
        failures = errors.read_text(errors="replace") if errors.exists() else ""
        self.folder.cleanup()
        assert self.process.returncode == 0, f"sipp {self.scenario}: {output[-1500:]}\n{failures}\n{messages[-6000:]}"
        return messages

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def run_sipp(exchange, scenario, **options):
    with Sipp(exchange, scenario, **options) as sipp:
        return sipp.finish()
