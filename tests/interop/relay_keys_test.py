"""Keys that are blocked by something in their place, and keys that come later than they were pressed."""
import math
import struct
import time

import pytest
from coded import amplitude
from relaying import Call, Relay, a, b  # noqa: F401

LOUD = bytes([0x90]) * 160


@pytest.fixture(scope="module")
def relay():
    with Relay(options=["--codec-num-threads=1"]) as running:
        yield running


@pytest.fixture
def call(relay, a, b):
    call = Call(relay, a, b, offer_sdp=a.sdp("0 101"), answer_sdp=b.sdp("0 101"))
    yield call
    call.delete()


def speak(end, to, count):
    for _ in range(count):
        end.send(to, end.packet(LOUD))
        time.sleep(0.02)


def press(end, to, key, packets=6):
    """Presses for so many packets of 20 ms, and three that end it."""
    start = end.stamp + 160
    for step in [*range(1, packets), *[packets | 0x80] * 3]:
        end.sequence += 1
        header = struct.pack("!BBHII", 0x80, 101 | (step == 1) << 7, end.sequence & 0xffff, start & 0xffffffff, end.ssrc)
        end.send(to, header + bytes([key, 10 | step & 0x80]) + ((step & 0x7f) * 160).to_bytes(2, "big"))
        time.sleep(0.02 if step < 0x80 else 0)
    end.stamp += packets * 160


def came(end, timeout=0.2):
    packets = []
    while (packet := end.receive(timeout=timeout)[0]):
        packets.append(packet)
    return packets


def keys(packets):
    """(key, end, duration, timestamp) of each event."""
    return [(p[12], p[13] >> 7, int.from_bytes(p[14:16], "big"), p[4:8]) for p in packets if p[1] & 0x7f == 101]


def assert_one_stream(packets):
    assert {p[8:12] for p in packets} == {packets[0][8:12]}
    numbers = [int.from_bytes(p[2:4], "big") for p in packets]
    assert {y - x & 0xffff for x, y in zip(numbers, numbers[1:])} == {1}


def samples(packets):
    """Linear, of PCMU."""
    def linear(code):
        code ^= 0xff
        value = ((code & 15) * 8 + 132 << (code >> 4 & 7)) - 132
        return -value if code & 0x80 else value
    return [linear(code) for p in packets if p[1] & 0x7f == 0 for code in p[12:]]


@pytest.mark.parametrize("fields, told", [({"DTMF-security": "zero"}, {0}), ({"DTMF-security": "DTMF", "digit": "#"}, {11}),
                                          ({"DTMF-security": "random"}, set(range(10))), ({"DTMF-security": "off"}, {5})], ids=lambda f: str(f)[:30])
def test_a_key_is_told_as_another(fields, told, call, relay, a, b):
    speak(a, call.at_a[0].at, 2)
    relay.ng.call("block DTMF", call_id=call.id, **fields)
    press(a, call.at_a[0].at, 5)
    speak(a, call.at_a[0].at, 2)
    packets = came(b)
    events = keys(packets)
    assert len(events) == 8 and len({e[0] for e in events}) == 1 and events[0][0] in told
    assert [e[1] for e in events] == [0] * 5 + [1] * 3 and [e[2] for e in events][-3:] == [960] * 3 and len({e[3] for e in events}) == 1
    assert_one_stream(packets)
    assert [p[12:] for p in packets if p[1] & 0x7f == 0] == [LOUD] * 4


def test_random_keys_are_not_all_the_same(call, relay, a, b):
    relay.ng.call("block DTMF", call_id=call.id, **{"DTMF-security": "random"})
    for _ in range(8):
        press(a, call.at_a[0].at, 5, packets=2)
    assert len({e[0] for e in keys(came(b))}) > 1


@pytest.mark.parametrize("fields, hertz", [({"DTMF-security": "silence"}, None), ({"DTMF-security": "tone"}, 400),
                                           ({"DTMF-security": "tone", "frequency": 1000, "volume": -16}, 1000)], ids=["silence", "a tone", "another tone"])
def test_a_sound_is_heard_in_place_of_a_key(fields, hertz, call, relay, a, b):
    relay.ng.call("block DTMF", call_id=call.id, **fields)
    speak(a, call.at_a[0].at, 2)
    press(a, call.at_a[0].at, 5)
    speak(a, call.at_a[0].at, 2)
    packets = came(b)
    assert not keys(packets)
    assert_one_stream(packets)
    heard = samples(packets)
    assert len(packets) == 2 + 6 + 2 and len(heard) == 10 * 160
    if hertz:
        # 3.14 dBm0 is full scale.
        level = 20 * math.log10(amplitude(heard[400:1200], 8000, hertz) / 32768) + 3.14
        assert abs(level - fields.get("volume", -10)) < 1
    else:
        assert not any(heard[320:1280])
    assert amplitude(heard[400:1200], 8000, 770) < 300
    relay.ng.call("unblock DTMF", call_id=call.id)
    press(a, call.at_a[0].at, 5)
    assert {e[0] for e in keys(came(b))} == {5}


def test_of_one_party_alone_keys_are_told_as_others(call, relay, a, b):
    relay.ng.call("block DTMF", call_id=call.id, from_tag="from", flags=["directional"], **{"DTMF-security": "zero"})
    press(a, call.at_a[0].at, 5)
    press(b, call.at_b[0].at, 5)
    assert {e[0] for e in keys(came(b))} == {0} and {e[0] for e in keys(came(a))} == {5}
    relay.ng.call("block DTMF", call_id=call.id, from_tag="from", flags=["directional"])
    press(a, call.at_a[0].at, 5)
    assert not came(b)


@pytest.mark.parametrize("security, expected", [("zero", (941, 1336)), ("silence", None)])
def test_tones_of_who_has_no_events_are_replaced_as_well(security, expected, relay, a, b):
    call = Call(relay, a, b, offer_sdp=a.sdp("96", lines=["a=rtpmap:96 L16/8000"]), answer_sdp=b.sdp("96", lines=["a=rtpmap:96 L16/8000"]),
                offer={"flags": ["block DTMF"], "DTMF-security": security})
    turn = 2 * math.pi / 8000
    tone = [round(6000 * (math.sin(turn * 770 * i) + math.sin(turn * 1336 * i))) for i in range(2400)]
    for at in range(0, len(tone), 160):
        a.send(call.at_a[0].at, a.packet(struct.pack("!160h", *tone[at:at + 160]), 96))
        time.sleep(0.01)
    for _ in range(10):
        a.send(call.at_a[0].at, a.packet(bytes(320), 96))
    heard = [s for p in came(b) for s in struct.unpack("!160h", p[12:])]
    # 40 ms are heard until it is known for a key.
    middle = heard[800:2000]
    assert len(middle) == 1200 and amplitude(middle, 8000, 770) < 200
    if expected:
        assert min(amplitude(middle, 8000, hertz) for hertz in expected) > 1500
    else:
        assert not any(middle)
    call.delete()


@pytest.mark.parametrize("security, told", [(None, 5), ("zero", 0)])
def test_keys_come_later_when_they_are_delayed(security, told, relay, a, b):
    call = Call(relay, a, b, offer_sdp=a.sdp("0 101"), answer_sdp=b.sdp("0 101"), offer={"DTMF-delay": 500})
    if security:
        relay.ng.call("block DTMF", call_id=call.id, **{"DTMF-security": security})
    began = time.monotonic()
    press(a, call.at_a[0].at, 5)
    speak(a, call.at_a[0].at, 5)  # is heard at once
    for _ in range(5):
        assert b.receive(timeout=0.1)[0][12:] == LOUD
    assert time.monotonic() - began < 0.45
    first, _ = b.receive(timeout=1)
    assert 0.45 < time.monotonic() - began < 0.7
    packets = [first, *came(b)]
    events = keys(packets)
    assert len(events) == len(packets) == 8 and {e[0] for e in events} == {told} and first[1] >> 7 == 1
    assert [e[2] for e in events] == [160 * step for step in (1, 2, 3, 4, 5, 6, 6, 6)] and [e[1] for e in events][-4:] == [0, 1, 1, 1]
    assert_one_stream(packets)
    # The other party's are not; blocked they are as well.
    press(b, call.at_b[0].at, 7, packets=2)
    assert {e[0] for e in keys(came(a, 0.1))} == {0 if security else 7}
    call.delete()


def test_delayed_keys_are_dropped_where_they_are_blocked(relay, a, b):
    call = Call(relay, a, b, offer_sdp=a.sdp("0 101"), answer_sdp=b.sdp("0 101"), offer={"DTMF-delay": 100, "flags": ["block DTMF"]})
    press(a, call.at_a[0].at, 5)
    assert not came(b, 0.5)
    call.delete()


def test_where_nothing_can_stand_in_its_place_a_key_is_dropped(relay, a, b):
    """In a codec that nobody here knows."""
    call = Call(relay, a, b, offer_sdp=a.sdp("97 101", lines=["a=rtpmap:97 EVS/16000"]), answer_sdp=b.sdp("97 101", lines=["a=rtpmap:97 EVS/16000"]),
                offer={"flags": ["block DTMF"], "DTMF-security": "tone"})
    press(a, call.at_a[0].at, 5)
    a.send(call.at_a[0].at, a.packet(b"evs", 97))
    assert [p[12:] for p in came(b)] == [b"evs"]
    call.delete()
