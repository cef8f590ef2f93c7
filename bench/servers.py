"""The servers that bench/run measures: the exchange and its peer, each in a folder of its own."""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

here = pathlib.Path(__file__).resolve().parent
root = here.parent
sys.path.insert(0, str(root / "tools"))
program = pathlib.Path(os.environ.get("STROWGER", root / "build" / "bench" / "strowger"))
os.environ["STROWGER"] = str(program)
from exchange import Exchange, end  # noqa: E402

PASSWORD = "secret"
# Below the range that the kernel hands out by itself, where the load generator's own ports are.
RTP_PORTS = (12000, 31999)


def free_port():
    """One that is free for UDP and TCP at this moment."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")


class Processes:
    """CPU and memory of a process with its threads and children."""

    def __init__(self, pid):
        self.pid = pid

    def pids(self):
        found, waiting = [], [self.pid]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
        return found

    def cpu(self):
        """Seconds, by the scheduler's own nanosecond account."""
        total = 0
        for pid in self.pids():
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def memory(self, what="Pss"):
        """MiB in RAM; what several processes share counts once. "Pss_Anon": without the pages of files."""
        kib = 0
        for pid in self.pids():
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith(what + ":"):
                    kib += int(line.split()[1])
        return kib / 1024


def users(count):
    return [f"user{i:05}" for i in range(count)]


def configuration(folder, accounts):
    """The configuration that ships, with more accounts and a range of RTP ports that suits the load."""
    shutil.copytree(root / "etc", folder)
    (folder / "rtp.conf").write_text(f"[general]\nrtpstart = {RTP_PORTS[0]}\nrtpend = {RTP_PORTS[1]}\n")
    (folder / "pjsip_wizard.d").mkdir()
    lines = ["[w_bench](!,w_term_io)", "aor/qualify_frequency = 0", ""]
    for i, name in enumerate(users(accounts)):
        lines += [f"[{name}](w_bench)", f"hint_exten = 9{i:05}", f"inbound_auth/username = {name}",
                  f"inbound_auth/password = {PASSWORD}", ""]
    lines += ["[called](w_bench)", "hint_exten = 501", "inbound_auth/username = called",
              f"inbound_auth/password = {PASSWORD}", ""]
    (folder / "pjsip_wizard.d" / "bench.conf").write_text("\n".join(lines))
    return folder


class Strowger(Processes):
    name = "strowger"

    def __init__(self, folder, accounts=1000, options=()):
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.exchange = Exchange(configuration(folder / "etc", accounts), folder / "state",
                                 f"127.0.0.1:{self.port}", options)
        super().__init__(self.exchange.process.pid)

    def called(self):
        return "501"

    def stop(self):
        self.exchange.stop()


class Kamailio(Processes):
    name = "kamailio"

    def __init__(self, folder, accounts=1000):
        del accounts  # it has one password for all
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        config = folder / "kamailio.cfg"
        config.write_text((here / "kamailio.cfg").read_text().replace("LISTEN", f"127.0.0.1:{self.port}"))
        self.log = open(folder / "log", "wb")
        self.process = subprocess.Popen(
            ["kamailio", "-f", str(config), "-DD", "-E", "-m", "256", "-M", "8", "-w", str(folder), "-Y", str(folder)],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True)
        super().__init__(self.process.pid)
        deadline = time.monotonic() + 10
        while not answers(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"kamailio does not start: {(folder / 'log').read_text(errors='replace')}")

    def called(self):
        return "called"

    def stop(self):
        end(self.process)
        # One that is told to end while it still starts leaves its workers behind.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.log.close()


def answers(port, timeout=0.1):
    """Whether a SIP server answers OPTIONS there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        probe.connect(("127.0.0.1", port))
        probe.settimeout(timeout)
        own = probe.getsockname()[1]
        try:
            probe.send(f"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{own};branch=z9hG4bK{own}{time.time_ns()}\r\n"
                       f"From: <sip:probe@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: {time.time_ns()}@bench\r\n"
                       "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n".encode())
            return probe.recv(4096).startswith(b"SIP/2.0")
        except OSError:
            time.sleep(0.005)
            return False
