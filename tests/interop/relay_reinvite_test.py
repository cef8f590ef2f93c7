"""New offers in a call that is up: whoever makes them, whatever they change, both parties hear each other afterwards.

Each test is one call through the relay between two kinds of party, in which one of them does everything that a party
may do in the middle of a call, one step after the other. After each step both directions are listened to anew."""
import itertools
import os
import shutil
import time

import pytest
from exchange import wait_for
from relaying import Relay, sections
from srtp_keys import line_of, Secure, STANDARD
from talking import browser, hear_each_other, hears, hears_nothing, Page, Talker  # noqa: F401

REVERSED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


@pytest.fixture(scope="module")
def relay():
    with Relay(ports=1000) as running:
        yield running


class Plain:
    """A phone with RTP, and what it does in offers and answers."""
    towards = {"transport_protocol": "RTP/AVP", "ICE": "remove", "rtcp_mux": ["demux"]}
    protocol, crypto = "RTP/AVP", ()

    def __init__(self, hertz):
        self.mouth, self.direction, self.address = Talker(hertz), "sendrecv", None

    def describe(self, formats):
        return self.mouth.sdp(formats=formats, protocol=self.protocol, lines=[*self.crypto, f"a={self.direction}"], address=self.address)

    def offer(self, direction="sendrecv", codec=None, **_):
        self.direction = direction
        return self.describe(str(self.mouth.payload_type if codec is None else codec))

    def answer(self, sdp):
        section = sections(sdp)[0]
        said = next((line[2:] for line in section.lines if line[2:] in REVERSED), "sendrecv")
        self.direction = REVERSED[said]
        self._hear(section)
        return self.describe(str(self.mouth.payload_type))

    def take(self, sdp):
        self._hear(sections(sdp)[0])

    def _hear(self, section):
        self.mouth.payload_type = next(int(one) for one in section.formats if one in ("0", "8"))
        self.mouth.at = section.at
        self.mouth.quiet = not self.direction.startswith("send")

    def up(self):
        pass

    def close(self):
        self.mouth.close()


class Keyed(Plain):
    """One with SRTP and its keys in the description."""
    towards = {"transport_protocol": "RTP/SAVP", "ICE": "remove", "rtcp_mux": ["demux"]}
    protocol = "RTP/SAVP"

    def __init__(self, hertz):
        super().__init__(hertz)
        self.keys = Secure()

    @property
    def crypto(self):
        return [self.keys.line]

    def rekey(self):
        tag, self.keys = self.keys.tag, Secure()
        self.keys.tag = tag

    def _hear(self, section):
        line = line_of(section, STANDARD)
        self.keys.tag = line.split()[0]
        self.keys.hear(line)
        self.mouth.keys = self.keys
        super()._hear(section)


class Browser:
    """A page of Chromium."""
    towards = {"flags": ["WebRTC"]}

    def __init__(self, hertz, chromium):
        self.chromium, self.mouth = chromium, Page(chromium, hertz)

    def offer(self, direction="sendrecv", codec=None, restart=False):
        if codec is not None:
            self.mouth.prefer({0: "PCMU", 8: "PCMA"}[codec])
        return self.mouth.offer(direction=direction, iceRestart=restart)

    def answer(self, sdp):
        return self.mouth.answer(sdp, direction="sendrecv")  # as far as the offer allows

    def take(self, sdp):
        self.mouth.take(sdp)

    def reload(self):
        before, self.mouth = self.mouth, Page(self.chromium, self.mouth.hertz)
        before.close()

    def up(self):
        self.mouth.up()

    def close(self):
        self.mouth.close()


class Dialogue:
    """A call between two of these."""
    count = itertools.count(1)

    def __init__(self, relay, caller, callee):
        self.relay, self.id, self.tags = relay, f"again-{next(self.count)}-{os.getpid()}", {caller: "caller", callee: "callee"}
        self.parties, self.begun = (caller, callee), False
        self.negotiate(caller)
        caller.up()
        callee.up()
        hear_each_other(caller.mouth, callee.mouth)

    def other(self, party):
        return self.parties[party is self.parties[0]]

    def negotiate(self, offerer, before_answer=lambda: None, **how):
        answerer = self.other(offerer)
        here, there = self.tags[offerer], self.tags[answerer]
        told = self.relay.ng.call("offer", call_id=self.id, from_tag=here, to_tag=there if self.begun else None,
                                  sdp=offerer.offer(**how), **answerer.towards)["sdp"]
        before_answer()
        back = self.relay.ng.call("answer", call_id=self.id, from_tag=here, to_tag=there, sdp=answerer.answer(told),
                                  **offerer.towards)["sdp"]
        offerer.take(back)
        self.begun = True
        return told, back

    def listen(self):
        hear_each_other(*(party.mouth for party in self.parties))


def hold_and_resume(call, mover):
    held = call.other(mover)
    call.negotiate(mover, direction="sendonly")
    hears(held.mouth, mover.mouth)
    hears_nothing(mover.mouth)
    call.negotiate(mover)
    call.listen()


def silence_and_resume(call, mover):
    call.negotiate(mover, direction="inactive")
    hears_nothing(mover.mouth)
    hears_nothing(call.other(mover).mouth)
    call.negotiate(mover)
    call.listen()


def resumed_by_the_other(call, mover):
    call.negotiate(mover, direction="inactive")
    hears_nothing(mover.mouth)
    call.negotiate(call.other(mover))
    call.listen()


def hold_as_in_old_times(call, mover):
    """RFC 2543: the address is 0.0.0.0."""
    mover.address = "0.0.0.0"
    call.negotiate(mover)
    mover.address = None
    hears_nothing(mover.mouth)
    call.negotiate(mover)
    call.listen()


def codec_change(call, mover):
    mouths = [party.mouth for party in call.parties if isinstance(party, Plain)]
    for codec in (8, 0):
        call.negotiate(mover, codec=codec)
        call.listen()
        assert all(mouth.payload_type == codec and mouth.heard[-1][1] == codec for mouth in mouths)


def unchanged(call, mover):
    """As a session timer does (RFC 4028)."""
    told, back = call.negotiate(mover)
    call.listen()
    again = call.negotiate(mover)
    call.listen()
    for before, after in zip((told, back), again):
        assert sections(before)[0].at == sections(after)[0].at
        assert sections(before)[0].attribute("ice-ufrag") == sections(after)[0].attribute("ice-ufrag")


def source_change(call, mover):
    mover.mouth.new_source()  # without a word
    call.listen()
    mover.mouth.new_source()
    call.negotiate(mover)
    call.listen()


def move(call, mover):
    mover.mouth.move()
    call.negotiate(mover)
    call.listen()


def move_in_the_answer(call, mover):
    call.negotiate(call.other(mover), before_answer=mover.mouth.move)
    call.listen()


def move_with_another_source(call, mover):
    mover.mouth.move()
    mover.mouth.new_source()
    call.negotiate(mover)
    call.listen()


def new_keys(call, mover):
    mover.rekey()
    call.negotiate(mover)
    call.listen()
    call.negotiate(call.other(mover), before_answer=mover.rekey)
    call.listen()


def ice_restart(call, mover):
    def moves():
        return mover.mouth.figures()["transport"]["selectedCandidatePairChanges"]
    before = moves()
    _, back = call.negotiate(mover, restart=True)
    call.listen()
    assert sections(mover.mouth.do("peer.remoteDescription.sdp"))[0].attribute("ice-ufrag") == sections(back)[0].attribute("ice-ufrag")
    wait_for(lambda: moves() > before, what="the path of the restart")
    call.listen()
    assert mover.mouth.figures()["transport"]["dtlsState"] == "connected"
    before = moves()
    call.negotiate(mover, restart=True, direction="sendonly")
    wait_for(lambda: moves() > before, what="the path of the second restart")
    hears(call.other(mover).mouth, mover.mouth)
    call.negotiate(mover, restart=True)
    call.listen()


def restarts_without_a_pause(call, mover):
    """Each before the one before it has found a path, sooner or later on its way there."""
    for pauses in ((0, 0), (0.02, 0, 0.05), (0.1, 0.03)):
        for pause in pauses:
            call.negotiate(mover, restart=True)
            time.sleep(pause)
        call.negotiate(mover, restart=True)
        call.listen()


def reload(call, mover):
    """The page is loaded anew and takes up the call: another certificate, other keys, other ports."""
    mover.reload()
    call.negotiate(mover)
    mover.up()
    call.listen()


def reload_in_the_answer(call, mover):
    call.negotiate(call.other(mover), before_answer=mover.reload)
    mover.up()
    call.listen()


EVERYBODY = [unchanged, hold_and_resume, silence_and_resume, resumed_by_the_other, codec_change]
STEPS = {
    Plain: [*EVERYBODY, hold_as_in_old_times, source_change, move, move_in_the_answer, move_with_another_source],
    Keyed: [*EVERYBODY, source_change, move, new_keys, move_in_the_answer, move_with_another_source],
    Browser: [*EVERYBODY, ice_restart, restarts_without_a_pause, reload, reload_in_the_answer],
}
needs_chromium = pytest.mark.skipif(not shutil.which("chromium"), reason="needs Chromium")


def cases():
    for caller, callee in ((Plain, Plain), (Keyed, Plain), (Plain, Keyed), (Browser, Plain), (Plain, Browser), (Browser, Keyed)):
        for at, who in enumerate(("caller", "callee")):
            yield pytest.param(caller, callee, at, id=f"{caller.__name__}-{callee.__name__}-{who}".lower(),
                               marks=[needs_chromium] if Browser in (caller, callee) else [])


@pytest.mark.parametrize("caller,callee,mover", cases())
def test_what_changes_in_a_call_leaves_nobody_deaf(caller, callee, mover, relay, request):
    def party(kind, hertz):
        return kind(hertz, request.getfixturevalue("browser")) if kind is Browser else kind(hertz)
    parties = []
    try:
        parties.append(party(caller, 440))
        parties.append(party(callee, 1000))
        call = Dialogue(relay, *parties)
        for step in STEPS[(caller, callee)[mover]]:
            try:
                step(call, parties[mover])
            except Exception as error:
                raise AssertionError(f"{step.__name__}: {error}") from error
        relay.ng.call("delete", call_id=call.id, delete_delay=0)
    finally:
        for one in parties:
            one.close()
