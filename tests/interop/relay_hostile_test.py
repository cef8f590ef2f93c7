"""Somebody on the way between a party and the relay, and others who know its port, in the middle of a call."""
import os
import re
import select
import shutil
import socket
import struct
import threading

import pytest
from exchange import wait_for
from ng import Ng
from relaying import End, Relay, sections
from srtp_keys import line_of, Secure, STANDARD
from talking import browser, hear_each_other, Page, Talker  # noqa: F401


@pytest.fixture(scope="module")
def relay():
    with Relay(ports=1000) as running:
        yield running


@pytest.fixture
def phone():
    with Talker(440) as one:
        yield one


class Tap:
    """Stands between a party and the relay, hears everything and says what it likes in the party's name."""

    def __init__(self, relay_at):
        self.relay_at, self.party_at, self.ended, self.heard = relay_at, None, False, []
        self.near, self.far = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for one in (self.near, self.far):
            one.bind(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._pass, daemon=True)
        self.thread.start()

    @property
    def port(self):
        return self.near.getsockname()[1]

    def _pass(self):
        while not self.ended:
            for one in select.select([self.near, self.far], [], [], 0.1)[0]:
                data, source = one.recvfrom(4096)
                if one is self.near:
                    self.party_at = source
                    self.heard.append(data)
                    self.far.sendto(data, self.relay_at)
                elif self.party_at:
                    self.near.sendto(data, self.party_at)

    def kept(self, first_bytes, last=30):
        return [one for one in list(self.heard) if one[0] in first_bytes][-last:]

    def say(self, data):
        self.far.sendto(data, self.relay_at)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended = True
        self.thread.join(1)
        self.near.close()
        self.far.close()


STUN, DTLS, RTP = range(4), range(20, 64), range(128, 192)


def check(user, controlling=True):
    """A check with USE-CANDIDATE whose MESSAGE-INTEGRITY is a guess."""
    name = user.encode()
    attributes = struct.pack("!HH", 6, len(name)) + name + b"\0" * (-len(name) % 4) + struct.pack("!HHI", 0x24, 4, 1)
    attributes += struct.pack("!HHQ", 0x802a if controlling else 0x8029, 8, 2 ** 63) + struct.pack("!HH", 0x25, 0)
    attributes += struct.pack("!HH", 8, 20) + os.urandom(20)
    return struct.pack("!HHI", 1, len(attributes), 0x2112a442) + os.urandom(12) + attributes


def damaged(packet):
    at = 12 + (len(packet) - 12) // 2
    return packet[:at] + bytes([packet[at] ^ 1]) + packet[at + 1:]


def garbage():
    for first in range(256):
        for size in (1, 2, 11, 12, 13, 20, 60, 1400):
            yield bytes([first]) + os.urandom(size - 1)


def hostile_to_dtls(tap, user):
    """Everything that is said to a leg with ICE and DTLS without knowing its secrets."""
    media, records, checks = tap.kept(RTP), [one for one in tap.heard if one[0] in DTLS], tap.kept(STUN, 5)
    assert len(media) >= 20 and records and checks
    yield from media + [damaged(one) for one in media] + [one[:size] for one in media[:5] for size in range(1, 60)]
    header = media[-1][:2] + struct.pack("!H", int.from_bytes(media[-1][2:4], "big") + 1 & 0xffff) + media[-1][4:12]
    yield from [header + os.urandom(170), header + b"\xd5" * 160]  # the next one, unprotected
    yield from [check(user, controlling) for controlling in (True, False) for _ in range(20)]
    yield from records + [damaged(one) for one in records]
    yield b"\x15\xfe\xfd" + struct.pack("!HHIH", 0, 0, 99, 2) + b"\1\0"  # close_notify in the clear
    yield b"\x15\xfe\xfd" + struct.pack("!HHIH", 0, 0, 100, 2) + b"\2\x28"  # handshake_failure
    yield from garbage()


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs Chromium")
@pytest.mark.parametrize("calls", ["page", "phone"])
def test_a_call_with_chromium_outlives_everything_that_is_said_in_its_name(calls, relay, browser, phone):  # noqa: F811
    page, call = Page(browser, 1000), f"tapped-{calls}"
    to_page, to_phone = {"flags": ["WebRTC"]}, {"transport_protocol": "RTP/AVP", "ICE": "remove", "rtcp_mux": ["demux"]}

    def hidden(sdp):  # so that its packets come through the tap alone
        return "\r\n".join(line for line in sdp.split("\r\n") if not line.startswith("a=candidate"))

    def tapped(sdp, tap):
        return re.sub(rf"(a=candidate:.* ){tap.relay_at[1]} typ", rf"\g<1>{tap.port} typ", sdp)
    try:
        if calls == "page":
            offered = relay.ng.call("offer", call_id=call, from_tag="page", sdp=hidden(page.offer()), **to_phone)["sdp"]
            told = relay.ng.call("answer", call_id=call, from_tag="page", to_tag="phone", sdp=phone.sdp(formats="0"), **to_page)["sdp"]
            phone.at = sections(offered)[0].at
        else:
            told = relay.ng.call("offer", call_id=call, from_tag="phone", sdp=phone.sdp(formats="0"), **to_page)["sdp"]
        with Tap(sections(told)[0].at) as tap, End() as stranger:
            if calls == "page":
                page.take(tapped(told, tap))
            else:
                answer = hidden(page.answer(tapped(told, tap)))
                phone.at = sections(relay.ng.call("answer", call_id=call, from_tag="phone", to_tag="page", sdp=answer, **to_phone)["sdp"])[0].at
            page.up()
            hear_each_other(page, phone)
            wait_for(lambda: len(tap.kept(RTP)) == 30, what="packets to say again")
            theirs = sections(page.do("peer.localDescription.sdp"))[0].attribute("ice-ufrag")

            def section():
                return relay.ng.call("query", call_id=call)["tags"]["page"]["medias"][0]
            before = section()
            assert before["streams"][0]["endpoint"]["port"] == tap.far.getsockname()[1]
            user = f"{sections(told)[0].attribute('ice-ufrag')}:{theirs}"
            replayed_checks = tap.kept(STUN, 5)
            for number, datagram in enumerate(hostile_to_dtls(tap, user)):
                tap.say(datagram)
                stranger.send(tap.relay_at, datagram)
                if number % 50 == 0:
                    stranger.receive(timeout=0.01)  # lets the relay keep up
            for datagram in replayed_checks * 10:  # as authentic as they were, from elsewhere
                stranger.send(tap.relay_at, datagram)
            hear_each_other(page, phone)
            after = section()
            assert after["streams"][0]["endpoint"] == before["streams"][0]["endpoint"], "it has learnt from a stranger"
            assert (after["DTLS state"], after["ICE state"]) == ("connected", before["ICE state"])
            assert after["streams"][0]["stats"]["errors"] > before["streams"][0]["stats"]["errors"] + 100
            assert phone.doubles() == 0, "a replayed packet went through"
            stranger.drain()
            came = [stranger.receive(timeout=0.05)[0] for _ in range(6)]
            assert not any(one and one[0] in RTP for one in came), "the stranger is sent media"
    finally:
        page.close()


def test_a_call_with_keys_in_sdp_outlives_it_too(relay, phone):
    keys = Secure()
    with Talker(1000) as secure, End() as stranger:
        offered = relay.ng.call("offer", call_id="keyed", from_tag="phone", sdp=phone.sdp(formats="0"), transport_protocol="RTP/SAVP")["sdp"]
        at = sections(offered)[0]
        line = line_of(at, STANDARD)
        keys.tag = line.split()[0]
        secure.keys = keys.hear(line)
        with Tap(at.at) as tap:
            answer = secure.sdp(formats="0", protocol="RTP/SAVP", lines=[keys.line], port=tap.far.getsockname()[1])
            answered = relay.ng.call("answer", call_id="keyed", from_tag="phone", to_tag="secure", sdp=answer)["sdp"]
            phone.at, secure.at = sections(answered)[0].at, ("127.0.0.1", tap.port)
            hear_each_other(phone, secure)
            wait_for(lambda: len(tap.kept(RTP)) == 30, what="packets to say again")

            def stream():
                return relay.ng.call("query", call_id="keyed")["tags"]["secure"]["medias"][0]["streams"][0]
            before = stream()
            media = tap.kept(RTP)
            hostile = media + [damaged(one) for one in media] + [one[:size] for one in media[:5] for size in range(1, 60)] + list(garbage())
            for number, datagram in enumerate(hostile):
                tap.say(datagram)
                stranger.send(at.at, datagram)
                if number % 50 == 0:
                    stranger.receive(timeout=0.01)
            hear_each_other(phone, secure)
            after = stream()
            assert after["endpoint"] == before["endpoint"] and after["endpoint"]["port"] == tap.far.getsockname()[1]
            assert after["stats"]["errors"] > before["stats"]["errors"] + 100
            assert phone.doubles() == 0 and stranger.receive(timeout=0.2)[0] is None


def test_control_stays_answered_meanwhile(relay):
    with End() as stranger:
        for datagram in garbage():
            stranger.send(("127.0.0.1", relay.port), datagram)
    assert Ng("127.0.0.1", relay.port).call("ping")["result"] == "pong"
