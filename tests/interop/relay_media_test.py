"""What a proxy can do with the media of a call: block it, silence it, play into it, listen in, join calls."""
import math
import struct
import time
import wave

import pytest
from relaying import a, b  # noqa: F401
from relaying import Call, End, Refused, Relay, sections
from relay_srtp_test import STANDARD, Secure, line_of


@pytest.fixture(scope="module")
def relay():
    with Relay(ports=1000) as running:
        yield running


@pytest.fixture
def call(relay, a, b):
    return Call(relay, a, b)


@pytest.fixture(scope="module")
def tone(tmp_path_factory):
    """Half a second of 440 Hz."""
    path = tmp_path_factory.mktemp("tone") / "tone.wav"
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        out.writeframes(b"".join(struct.pack("<h", int(8000 * math.sin(2 * math.pi * 440 * n / 8000))) for n in range(4000)))
    return str(path)


def there(end, at, other, payload_type=0, payload=b"\x11" * 160):
    """What the other end gets of a packet of that type; None when nothing."""
    other.drain()
    packet = end.packet(payload, payload_type)
    end.send(at.at, packet)
    got = other.receive(timeout=0.15)[0]
    return got and (got == packet, got[1] & 0x7f, got[12:])


EVENT = b"\x05\x0a\x00\xa0"


def test_dtmf_is_blocked_for_one_party_and_for_all(relay, call, a, b):
    def events():
        return (there(a, call.at_a[0], b, 101, EVENT) is not None, there(b, call.at_b[0], a, 101, EVENT) is not None)
    assert events() == (True, True)
    relay.ng.call("block DTMF", call_id=call.id, from_tag="from", flags=["directional"])
    assert events() == (False, True)
    assert there(a, call.at_a[0], b)[0]  # speech goes on
    relay.ng.call("block DTMF", call_id=call.id)
    assert events() == (False, False)
    relay.ng.call("unblock DTMF", call_id=call.id)
    assert events() == (False, True)  # what was asked for the one party stays
    relay.ng.call("unblock DTMF", call_id=call.id, all="all")
    assert events() == (True, True)


def test_media_is_blocked_and_unblocked(relay, call, a, b):
    relay.ng.call("block media", call_id=call.id, from_tag="to", flags=["directional"])
    assert there(a, call.at_a[0], b) and not there(b, call.at_b[0], a)
    relay.ng.call("unblock media", call_id=call.id, from_tag="to", flags=["directional"])
    assert there(b, call.at_b[0], a)
    relay.ng.call("block media", call_id=call.id)
    assert not there(a, call.at_a[0], b) and not there(b, call.at_b[0], a)


def test_a_party_is_named_by_label_or_address(relay, a, b):
    call = Call(relay, a, b, offer={"label": "caller"})
    relay.ng.call("block media", call_id=call.id, label="caller")
    assert not there(a, call.at_a[0], b) and there(b, call.at_b[0], a)
    with pytest.raises(Refused, match="label"):
        relay.ng.call("block media", call_id=call.id, label="nobody")
    with pytest.raises(Refused, match="address"):
        relay.ng.call("block media", call_id=call.id, address="192.0.2.1")


def test_silence_takes_the_place_of_speech(relay, call, a, b):
    relay.ng.call("silence media", call_id=call.id, from_tag="from", flags=["directional"])
    same, kind, payload = there(a, call.at_a[0], b, 0)
    assert not same and payload == b"\xff" * 160 and kind == 0
    assert there(a, call.at_a[0], b, 8)[2] == b"\xd5" * 160
    assert there(b, call.at_b[0], a)[0]
    relay.ng.call("unsilence media", call_id=call.id, from_tag="from", flags=["directional"])
    assert there(a, call.at_a[0], b)[0]


@pytest.fixture
def listening_in(relay, call):
    """A third party that hears the first one."""
    with End() as end:
        offer = relay.ng.call("subscribe request", call_id=call.id, from_tag="from", flags=["directional"])
        relay.ng.call("subscribe answer", call_id=call.id, to_tag=offer["to-tag"], sdp=end.sdp(lines=["a=recvonly"]))
        end.tag = offer["to-tag"]
        yield end


def heard_by(a, call, b, third, payload_type=0):
    """What both hear of one packet: "speech", "silence" or None."""
    b.drain(), third.drain()
    packet = a.packet(b"\x11" * 160, payload_type)
    a.send(call.at_a[0].at, packet)
    got = [end.receive(timeout=0.15)[0] for end in (b, third)]
    return tuple(one and {b"\x11": "speech", b"\xff": "silence"}[one[12:13]] for one in got)


@pytest.mark.parametrize("verb, effect", [("block media", None), ("silence media", "silence")])
def test_one_flow_is_stopped_and_the_others_go_on(verb, effect, relay, call, a, b, listening_in):
    def tell(command, **more):
        relay.ng.call(command, call_id=call.id, from_tag="from", flags=["directional"], **more)
    undo = "un" + verb
    assert heard_by(a, call, b, listening_in) == ("speech", "speech")
    tell(verb, to_tag="to")
    assert heard_by(a, call, b, listening_in) == (effect, "speech")
    assert there(b, call.at_b[0], a)[0]
    tell(verb, to_tag=listening_in.tag)
    assert heard_by(a, call, b, listening_in) == (effect, effect)
    relay.ng.call(undo, call_id=call.id)
    assert heard_by(a, call, b, listening_in) == (effect, effect)  # what was asked for one flow stays
    tell(undo, to_tag="to")
    assert heard_by(a, call, b, listening_in) == ("speech", effect)
    relay.ng.call(undo, call_id=call.id, all="all")
    assert heard_by(a, call, b, listening_in) == ("speech", "speech")
    tell(verb, all="offer-answer")
    assert heard_by(a, call, b, listening_in) == (effect, "speech")
    tell(undo, all="flows")
    relay.ng.call(verb, call_id=call.id, all="except-offer-answer")
    assert heard_by(a, call, b, listening_in) == ("speech", effect)
    # An offer and answer that come again change nothing of it.
    relay.ng.call("offer", call_id=call.id, from_tag="from", sdp=a.sdp())
    relay.ng.call("answer", call_id=call.id, from_tag="from", to_tag="to", sdp=b.sdp())
    assert heard_by(a, call, b, listening_in) == ("speech", effect)
    for wrong, text in (({"to_tag": "nobody"}, "To-tag"), ({"to_label": "nobody"}, "label"), ({"to_tag": "from"}, "flows")):
        with pytest.raises(Refused, match=text):
            tell(verb, **wrong)


def parse(packet):
    flags, kind, sequence, stamp, ssrc = struct.unpack("!BBHII", packet[:12])
    return kind & 0x7f, sequence, stamp, ssrc, kind >> 7


def test_a_file_plays_in_the_stream_that_the_party_has(relay, call, a, b, tone):
    for _ in range(3):
        a.send(call.at_a[0].at, a.packet())
        last = parse(b.receive()[0])
    reply = relay.ng.call("play media", call_id=call.id, from_tag="to", file=tone)
    assert reply["duration"] == 500
    got, started = [], time.monotonic()
    while len(got) < 25:
        packet = b.receive()[0]
        assert packet, f"only {len(got)} packets of the file came"
        got.append(packet)
    assert 0.4 < time.monotonic() - started < 0.8
    heads = [parse(one) for one in got]
    assert {head[3] for head in heads} == {last[3]} and {head[0] for head in heads} == {0}
    assert [head[1] for head in heads] == [(last[1] + 1 + n) & 0xffff for n in range(25)]
    assert [heads[n + 1][2] - heads[n][2] for n in range(24)] == [160] * 24
    assert len(set(got[10][12:])) > 20  # sound
    time.sleep(0.04)  # the last 20 ms are being said
    # and the other party is heard again, in the same stream
    a.send(call.at_a[0].at, a.packet())
    after = parse(b.receive()[0])
    assert after[3] == last[3] and after[1] == (heads[-1][1] + 1) & 0xffff
    assert a.receive(timeout=0.1)[0] is None  # it was played to one party


def test_what_plays_can_be_stopped_and_repeated(relay, call, a, b, tone):
    relay.ng.call("play media", call_id=call.id, from_tag="to", file=tone, repeat_times=10)
    for _ in range(40):
        assert b.receive()[0]
    position = relay.ng.call("stop media", call_id=call.id, from_tag="to")["last-frame-pos"]
    assert 780 <= position <= 900
    time.sleep(0.05)
    b.drain()
    assert b.receive(timeout=0.1)[0] is None
    with pytest.raises(Refused, match="Cannot play"):
        relay.ng.call("play media", call_id=call.id, from_tag="to", file="/nowhere/at/all.wav")


def test_keys_are_pressed_for_a_party(relay, call, a, b):
    relay.ng.call("play DTMF", call_id=call.id, from_tag="from", code="5", duration=100)
    got = []
    while packet := b.receive(timeout=0.3)[0]:
        got.append((parse(packet), packet[12:]))
    assert {head[0] for head, _ in got} == {101} and {payload[0] for _, payload in got} == {5}
    assert got[0][0][4] == 1 and len({head[2] for head, _ in got}) == 1  # marker; one timestamp
    ends = [payload for _, payload in got if payload[1] & 0x80]
    assert len(ends) == 3 and struct.unpack("!H", ends[0][2:])[0] == 800
    assert a.receive(timeout=0.05)[0] is None
    for code, reason in (("17", "Out of range"), ("x", "Out of range")):
        with pytest.raises(Refused, match=reason):
            relay.ng.call("play DTMF", call_id=call.id, from_tag="from", code=code)


def test_keys_become_sound_for_a_party_without_telephone_events(relay, a, b):
    call = Call(relay, a, b, answer_sdp=b.sdp("8"))
    relay.ng.call("play DTMF", call_id=call.id, from_tag="from", digit="#", duration=100)
    packets = []
    while packet := b.receive(timeout=0.3)[0]:
        packets.append(packet)
    assert 5 <= len(packets) <= 12 and parse(packets[0])[0] == 8 and len(set(packets[1][12:])) > 10


def test_what_is_published_goes_to_those_who_subscribe(relay, a, b):
    published = relay.ng.call("publish", sdp=a.sdp("8 0"))
    answer = sections(published["sdp"])[0]
    assert "a=recvonly" in answer.lines and answer.formats == ["8"]
    with End() as second:
        for listener in (b, second):
            offer = relay.ng.call("subscribe request", call_id=published["call-id"], from_tags=[published["from-tag"]])
            section = sections(offer["sdp"])[0]
            assert "a=sendonly" in section.lines and offer["from-tag"] == published["from-tag"]
            relay.ng.call("subscribe answer", call_id=published["call-id"], to_tag=offer["to-tag"], sdp=listener.sdp("8", lines=["a=recvonly"]))
            listener.tag, listener.at = offer["to-tag"], section.at
        packet = a.packet(payload_type=8)
        a.send(answer.at, packet)
        for listener in (b, second):
            data, source = listener.receive()
            assert data == packet and source == listener.at
        relay.ng.call("unsubscribe", call_id=published["call-id"], to_tag=second.tag)
        packet = a.packet(payload_type=8)
        a.send(answer.at, packet)
        assert b.receive()[0] == packet and second.receive(timeout=0.1)[0] is None


def test_a_recorder_hears_both_parties_of_a_call_each_in_its_section(relay, call, a, b):
    with End() as one, End() as two:
        offer = relay.ng.call("subscribe request", call_id=call.id, flags=["all"])
        parts = sections(offer["sdp"])
        assert [p.kind for p in parts] == ["audio", "audio"] and offer["from-tags"] == ["from", "to"]
        relay.ng.call("subscribe answer", call_id=call.id, to_tag=offer["to-tag"],
                      sdp=one.sdp("0", more=f"m=audio {two.port} RTP/AVP 0\r\n"))
        call.pass_both_ways()
        assert [parse(one.receive()[0])[3] for _ in range(3)] == [a.ssrc] * 3
        assert [parse(two.receive()[0])[3] for _ in range(3)] == [b.ssrc] * 3


def test_a_secure_subscriber_gets_what_a_plain_call_says(relay, call, a, b):
    with End() as listener:
        offer = relay.ng.call("subscribe request", call_id=call.id, from_tags=["from"], transport_protocol="RTP/SAVP")
        line = line_of(sections(offer["sdp"])[0], STANDARD)
        keys = Secure(tag=line.split()[0]).hear(line)
        relay.ng.call("subscribe answer", call_id=call.id, to_tag=offer["to-tag"], sdp=listener.sdp("0", protocol="RTP/SAVP", lines=[keys.line]))
        packet = a.packet()
        a.send(call.at_a[0].at, packet)
        assert keys.receiving.unprotect(listener.receive()[0]) == packet and b.receive()[0] == packet


def test_parties_that_the_relay_invites_are_connected(relay, a, b):
    created = relay.ng.call("create")
    section = sections(created["sdp"])[0]
    assert section.formats == ["0", "8"] and section.protocol == "RTP/AVP" and "a=sendrecv" in section.lines
    relay.ng.call("create answer", call_id=created["call-id"], from_tag=created["from-tag"], sdp=a.sdp("0"))
    other = relay.ng.call("create", call_id=created["call-id"])
    relay.ng.call("create answer", call_id=created["call-id"], from_tag=other["from-tag"], sdp=b.sdp("0"))
    relay.ng.call("connect", call_id=created["call-id"], from_tag=created["from-tag"], to_tag=other["from-tag"])
    for one, there_, at in ((a, b, section), (b, a, sections(other["sdp"])[0])):
        packet = one.packet()
        one.send(at.at, packet)
        assert there_.receive()[0] == packet


@pytest.mark.parametrize("n", range(4))  # wherever the two calls live, on one media thread or two
def test_two_calls_become_one(relay, a, b, n):
    with End() as c, End() as d:
        first, second = Call(relay, a, b), Call(relay, c, d)
        relay.ng.call("delete", call_id=first.id, from_tag="from", to_tag="nobody")
        renamed = relay.ng.call("offer", call_id=f"{second.id}-x", from_tag="from2", sdp=c.sdp())["sdp"]
        back = relay.ng.call("answer", call_id=f"{second.id}-x", from_tag="from2", to_tag="to2", sdp=d.sdp())["sdp"]
        relay.ng.call("connect", call_id=first.id, from_tag="from", to_call_id=f"{second.id}-x", to_tag="to2")
        for one, other, at in ((a, d, first.at_a[0]), (d, a, sections(renamed)[0])):
            packet = one.packet()
            one.send(at.at, packet)
            assert other.receive()[0] == packet
        c.send(sections(back)[0].at, c.packet())
        assert d.receive(timeout=0.1)[0] is None
        with pytest.raises(Refused):
            relay.ng.call("query", call_id=f"{second.id}-x")
