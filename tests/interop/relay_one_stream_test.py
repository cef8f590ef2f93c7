"""What a party hears is one stream while the codecs of a call change: its SSRC, numbers and times go on (RFC 3550 section 5.1)."""
import struct
import threading
import time

import pytest
from relaying import a, b  # noqa: F401
from relaying import Relay, sections
from srtp_keys import line_of, Secure, STANDARD

NUMBERS = {"PCMU": "0", "PCMA": "8", "opus": "96", "L16/16000": "97"}
CLOCKS = {"0": 8000, "8": 8000, "96": 48000, "97": 16000}
MAPS = {"96": ["a=rtpmap:96 opus/48000/2"], "97": ["a=rtpmap:97 L16/16000"]}


@pytest.fixture(scope="module")
def relay():
    with Relay() as running:
        yield running


class Conversation:
    """A caller who speaks PCMU all the time, and a callee who hears it in one codec after the other."""

    def __init__(self, relay, caller, callee, keys=None):
        self.relay, self.a, self.b, self.keys = relay, caller, callee, keys
        self.id, self.begun, self.heard, self.running = f"one-stream-{time.monotonic_ns()}", False, [], True
        self.threads = [threading.Thread(target=self.speak), threading.Thread(target=self.hear)]

    def describe(self, number):
        lines = MAPS.get(number, [])
        if not self.keys:
            return self.b.sdp(formats=number, lines=lines)
        return self.b.sdp(formats=number, protocol="RTP/SAVP", lines=[*lines, self.keys.line])

    def learn(self, section):
        if self.keys:
            line = line_of(section, STANDARD)
            self.keys.tag = line.split()[0]
            self.keys.hear(line)

    def change(self, name, by_callee=False, **fields):
        """The callee hears this codec from now on."""
        number = NUMBERS[name]
        ends = {"from_tag": "to", "to_tag": "from"} if by_callee else {"from_tag": "from", "to_tag": "to" if self.begun else None}
        here, there = {"transport_protocol": "RTP/AVP"}, {"transport_protocol": "RTP/SAVP" if self.keys else "RTP/AVP"}
        if by_callee:
            if fields:  # for what the caller speaks
                fields = {"codec": {"transcode": ["PCMU"]}}
            told = self.relay.ng.call("offer", call_id=self.id, sdp=self.describe(number), **ends, **here, **fields)["sdp"]
            assert "0" in sections(told)[0].formats
            back = self.relay.ng.call("answer", call_id=self.id, sdp=self.a.sdp(formats="0"), **ends, **there)["sdp"]
            assert sections(back)[0].formats[0] == number
            self.learn(sections(back)[0])
        else:
            told = self.relay.ng.call("offer", call_id=self.id, sdp=self.a.sdp(formats="0"), **ends, **there, **fields)["sdp"]
            self.learn(sections(told)[0])
            self.told = sections(told)[0]
            back = self.relay.ng.call("answer", call_id=self.id, sdp=self.describe(number), **{**ends, "to_tag": "to"}, **here)["sdp"]
            self.at = sections(back)[0]
        if not self.begun:
            self.begun = True
            for thread in self.threads:
                thread.start()
        changed = time.monotonic()
        deadline = changed + 3
        while time.monotonic() < deadline and not any(at > changed and kind == int(number) for at, kind, *_ in list(self.heard)):
            time.sleep(0.02)
        time.sleep(0.4)

    def speak(self):
        due = time.monotonic()
        while self.running:
            self.a.send(self.at.at, self.a.packet(b"\x9a\x1a" * 80, 0))
            due += 0.02
            time.sleep(max(0, due - time.monotonic()))

    def hear(self):
        while self.running:
            data, _ = self.b.receive(timeout=0.1)
            if data is None:
                continue
            if self.keys:
                data = self.keys.receiving.unprotect(data)
            kind, sequence, stamp, ssrc = struct.unpack("!xBHII", data[:12])
            self.heard.append((time.monotonic(), kind & 127, sequence, stamp, ssrc, kind >> 7))

    def stop(self):
        self.running = False
        for thread in self.threads:
            if thread.ident:
                thread.join()


def assert_one_stream(heard):
    assert len({one[4] for one in heard}) == 1, "another SSRC"
    for before, after in zip(heard, heard[1:]):
        assert (after[2] - before[2]) & 0xffff == 1, ("a gap in the numbers", before, after)
        forward = (after[3] - before[3]) & 0xffffffff
        clock = CLOCKS[str(after[1])]
        if not after[5]:
            assert CLOCKS[str(before[1])] == clock, ("a change without its marker", before, after)
            assert forward == clock // 50, ("a gap in time", before, after)
        else:  # a change: by the time that passed
            assert 0 < forward < 2 ** 31, ("back in time", before, after)
            passed = (after[0] - before[0]) * clock
            assert abs(forward - passed) < 0.12 * clock, ("not by the time that passed", before, after)


CHANGES = [("opus", {"codec": {"transcode": ["opus"]}}), ("PCMA", {"codec": {"transcode": ["PCMA"]}}), ("PCMU", {}),
           ("L16/16000", {"codec": {"transcode": ["L16/16000"]}}), ("PCMU", {}), ("opus", {"codec": {"transcode": ["opus"]}})]


@pytest.mark.parametrize("who", ["caller", "callee", "both"])
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "secure"])
def test_a_party_hears_one_stream_through_changes_of_codecs(relay, a, b, who, secure):  # noqa: F811
    """The numbers run over on the way, so that SRTP has a rollover counter to keep."""
    a.sequence = 65500
    conversation = Conversation(relay, a, b, keys=Secure() if secure else None)
    try:
        conversation.change("PCMU")
        untouched = list(conversation.heard)
        for at, (codec, fields) in enumerate(CHANGES):
            conversation.change(codec, by_callee=who == "callee" and at > 0 or who == "both" and at % 2 == 1, **fields)
        assert {kind for _, kind, *_ in conversation.heard} == {0, 8, 96, 97}
        assert {one[4] for one in untouched} == {a.ssrc}, "what nobody transcodes is changed"
        assert_one_stream(conversation.heard)
    finally:
        conversation.stop()
    relay.ng.call("delete", call_id=conversation.id, delete_delay=0)


def test_reports_count_one_stream_through_changes_of_codecs(relay, a, b):  # noqa: F811
    conversation = Conversation(relay, a, b)
    try:
        conversation.change("opus", codec={"transcode": ["opus"]})
        conversation.change("PCMU")
        conversation.stop()
        assert_one_stream(conversation.heard)
        a.send(conversation.at.rtcp_at, a.report(), rtcp=True)
        report, _ = b.receive(rtcp=True)
        ssrc, stamp, packets = struct.unpack("!xxxxI8xIIxxxx", report[:28])
        last = conversation.heard[-1]
        assert (ssrc, stamp) == (last[4], last[3])
        assert packets == len(conversation.heard)
        block = struct.pack("!IIIIII", ssrc, 0, last[2], 320, 0, 0)
        b.send(conversation.told.rtcp_at, struct.pack("!BBHI", 0x81, 201, 7, b.ssrc) + block, rtcp=True)
        report, _ = a.receive(rtcp=True)
        about, _, highest, jitter = struct.unpack("!IIII", report[8:24])
        assert (about, highest, jitter) == (a.ssrc, a.sequence & 0xffff, 320)
    finally:
        conversation.stop()
    relay.ng.call("delete", call_id=conversation.id, delete_delay=0)
