"""A relay under test, and the two ends of a call through it: real sockets on loopback."""
import contextlib
import pathlib
import random
import re
import socket
import struct
import subprocess
import tempfile
import time

import pytest
from exchange import program, wait_for
from ng import Ng, Refused
from running import free_port


def free_run(count):
    """The first of so many neighbouring UDP ports that nobody has at the moment."""
    while True:
        first = random.randrange(20000, 32000, 2)
        with contextlib.ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind(("127.0.0.1", port))
                return first
            except OSError:
                continue


class Relay:
    """`strowger relay` with those options; `ng` asks it. Ends with its status checked."""

    def __init__(self, options=(), interfaces=("127.0.0.1",), config=None, environment=None, json=False, first=None, ports=200):
        self.folder = tempfile.TemporaryDirectory(prefix="relay-")
        self.port = free_port()
        self.first = first or random.randrange(20000, 32000, 200)  # below those that the kernel hands out
        command = [program, "relay", f"--listen-ng=127.0.0.1:{self.port}", f"--port-min={self.first}",
                   f"--port-max={self.first + ports - 1}", "--num-threads=2"]
        if config is None:
            command += ["--config-file=none"]
        else:
            path = pathlib.Path(self.folder.name) / "relay.conf"
            path.write_text(config)
            command += [f"--config-file={path}"]
        command += [f"--interface={one}" for one in interfaces]
        self.log = pathlib.Path(self.folder.name) / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([*command, *options], stdout=log, stderr=log, env=environment)
        self.ng = Ng("127.0.0.1", self.port, json=json)
        wait_for(self.answers, what="the relay's first pong")

    def answers(self):
        assert self.process.poll() is None, self.output()
        try:
            self.ng.socket.settimeout(0.2)
            return self.ng.call("ping")["result"] == "pong"
        except (TimeoutError, ConnectionRefusedError):
            return False
        finally:
            self.ng.socket.settimeout(5)

    def output(self):
        return self.log.read_text(errors="replace")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        started = time.monotonic()
        status = self.process.wait(10)
        assert time.monotonic() - started < 2, "TERM takes longer than two seconds"
        self.ng.close()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *error):
        status = self.stop()
        if not error[0]:
            assert status == 0, self.output()[-3000:]
        self.folder.cleanup()


class End:
    """One party: an RTP and an RTCP socket, an SDP that says so, packets out and in."""

    def __init__(self, address="127.0.0.1"):
        self.address, self.family = address, socket.AF_INET6 if ":" in address else socket.AF_INET
        while True:
            self.rtp, self.rtcp = self.open(0), None
            self.port = self.rtp.getsockname()[1]
            if self.port % 2 == 0:
                try:
                    self.rtcp = self.open(self.port + 1)
                    break
                except OSError:
                    pass
            self.rtp.close()
        self.ssrc, self.sequence, self.stamp = random.getrandbits(32), random.getrandbits(15), random.getrandbits(31)

    def open(self, port):
        one = socket.socket(self.family, socket.SOCK_DGRAM)
        one.bind((self.address, port))
        one.settimeout(1)
        return one

    def sdp(self, formats="0 8 101", protocol="RTP/AVP", lines=(), kind="audio", address=None, port=None, session=(),
            more=""):
        version = "IP6" if ":" in (address or self.address) else "IP4"
        text = [
            "v=0", f"o=- 1 1 IN {version} {self.address}", "s=-", f"c=IN {version} {address or self.address}", "t=0 0", *session,
            f"m={kind} {self.port if port is None else port} {protocol} {formats}",
            *(["a=rtpmap:101 telephone-event/8000"] if "101" in formats.split() else []), *lines]
        return "\r\n".join(text) + "\r\n" + more

    def packet(self, payload=b"\xd5" * 160, payload_type=0):
        self.sequence += 1
        self.stamp += 160
        return struct.pack("!BBHII", 0x80, payload_type, self.sequence & 0xffff, self.stamp & 0xffffffff, self.ssrc) + payload

    def report(self):
        """A sender report without blocks, and the name that goes with it."""
        report = struct.pack("!BBHIQIII", 0x80, 200, 6, self.ssrc, 1 << 60, self.stamp & 0xffffffff, 1, 160)
        return report + struct.pack("!BBHIBB6s", 0x81, 202, 3, self.ssrc, 1, 4, b"a@b\0\0\0")[:16]

    def send(self, to, data, rtcp=False):
        (self.rtcp if rtcp else self.rtp).sendto(data, to)

    def receive(self, rtcp=False, timeout=1.0):
        one = self.rtcp if rtcp else self.rtp
        one.settimeout(timeout)
        try:
            return one.recvfrom(4096)
        except (TimeoutError, socket.timeout):
            return None, None

    def drain(self):
        for one in (self.rtp, self.rtcp):
            one.setblocking(False)
            try:
                while True:
                    one.recv(4096)
            except BlockingIOError:
                pass

    def close(self):
        self.rtp.close()
        self.rtcp.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Section:
    """A media section of a description: `port`, `address`, `rtcp` port, attribute lines."""

    def __init__(self, text, session_address):
        lines = text.split("\r\n")
        self.kind, self.port, self.protocol, *self.formats = lines[0].split()
        self.port = int(self.port.split("/")[0])
        self.lines = [line for line in lines[1:] if line]
        connections = [line.split()[2] for line in self.lines if line.startswith("c=")]
        self.address = connections[0] if connections else session_address
        rtcp = self.attribute("rtcp")
        self.rtcp = int(rtcp.split()[0]) if rtcp else self.port + 1
        self.mux = "a=rtcp-mux" in self.lines

    def attribute(self, name):
        return next((line.split(":", 1)[1] for line in self.lines if line.startswith(f"a={name}:")), None)

    def attributes(self, name):
        return [line.split(":", 1)[1] for line in self.lines if line.startswith(f"a={name}:")]

    @property
    def at(self):
        return self.address, self.port

    @property
    def rtcp_at(self):
        return self.address, self.port if self.mux else self.rtcp


def sections(sdp):
    assert "\n" not in sdp.replace("\r\n", ""), "a line that does not end in CRLF"
    head, *parts = re.split(r"(?m)^m=", sdp)
    session = re.search(r"(?m)^c=IN IP\d (\S+)\r$", head)
    return [Section(part, session and session[1]) for part in parts]


class Call:
    """An offer and its answer through the relay; `a` and `b` are the ends, `to_a`/`to_b` where each is to send."""

    count = 0

    def __init__(self, relay, a, b, offer=None, answer=None, offer_sdp=None, answer_sdp=None):
        Call.count += 1
        self.relay, self.a, self.b, self.id = relay, a, b, f"call-{Call.count}-{random.getrandbits(32):x}"
        self.offered = relay.ng.call("offer", call_id=self.id, from_tag="from", sdp=offer_sdp or a.sdp(), **(offer or {}))["sdp"]
        if callable(answer_sdp):
            answer_sdp = answer_sdp(self.offered)
        self.answered = relay.ng.call("answer", call_id=self.id, from_tag="from", to_tag="to", sdp=answer_sdp or b.sdp(),
                                      **(answer or {}))["sdp"]
        self.at_b, self.at_a = sections(self.offered), sections(self.answered)

    def pass_both_ways(self, at_a=None, at_b=None):
        """RTP goes there and back, byte for byte, and leaves from where the other end sends to."""
        at_a, at_b = at_a or self.at_a[0], at_b or self.at_b[0]
        for one, here, other, there in ((self.a, at_a, self.b, at_b), (self.b, at_b, self.a, at_a)):
            for _ in range(3):
                packet = one.packet()
                one.send(here.at, packet)
                data, source = other.receive()
                assert data == packet, "the packet did not come through as it was"
                assert source[:2] == there.at

    def query(self):
        return self.relay.ng.call("query", call_id=self.id)

    def delete(self, **fields):
        return self.relay.ng.call("delete", call_id=self.id, from_tag="from", to_tag="to", delete_delay=0, **fields)


__all__ = ["Call", "End", "Ng", "Refused", "Relay", "sections"]


@pytest.fixture
def a():
    with End() as end:
        yield end


@pytest.fixture
def b():
    with End() as end:
        yield end
