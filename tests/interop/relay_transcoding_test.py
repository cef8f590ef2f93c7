"""Two ends without a common codec, and the relay that transcodes between them: the codecs of ffmpeg and sox are the
other ends."""
import time

import pytest
from coded import CODECS, Coded
from exchange import wait_for
from relaying import Relay, sections

# How far a tune stands out of what the codecs add: those of a vocal tract are not made for tunes.
CLEAR = {"GSM": 8, "speex": 8, "opus": 15, "G726-32": 20}
SPOKEN = {name: f"{rtpmap.split('/')[0]}/{rtpmap.split('/')[1]}" for name, (_, rtpmap, *_) in CODECS.items()}


@pytest.fixture(scope="module")
def relay():
    with Relay() as running:
        yield running


@pytest.fixture
def party(tmp_path):
    """party(codec, hertz) -> a stream of that codec that plays that tune."""
    made = []

    def party(codec, hertz):
        folder = tmp_path / f"{codec}-{hertz}"
        folder.mkdir()
        made.append(Coded(codec, hertz, folder))
        return made[-1]

    yield party
    for stream in made:
        stream.close()


def connect(relay, caller, callee, fields, events=(None, None), answer_fields=None):
    """Offer and answer through the relay; who called speaks with the number that the answer has. Gives both descriptions."""
    connect.count += 1
    call = f"coded-{connect.count}-{time.monotonic_ns()}"
    offered = relay.ng.call("offer", call_id=call, from_tag="from", sdp=caller.description(events=events[0]), **fields)["sdp"]
    section = sections(offered)[0]
    number = next(line.split()[0] for line in section.attributes("rtpmap") if line.split()[1].lower() == callee.rtpmap.lower())
    callee.payload_type = int(number)
    answered = relay.ng.call("answer", call_id=call, from_tag="from", to_tag="to", sdp=callee.description(events=events[1]),
                             **(answer_fields or {}))["sdp"]
    caller.send(*sections(answered)[0].at)
    callee.send(*section.at)
    return call, section, sections(answered)[0]


connect.count = 0


def assert_whole(stream, packet_ms=20):
    """Numbers one by one, timestamps by the length of a packet, one source."""
    packets = stream.voice_packets()
    assert stream.lost() == 0
    assert {p[4] for p in packets} == {packets[0][4]}
    assert {(b[3] - a[3]) & 0xffffffff for a, b in zip(packets, packets[1:])} == {stream.clock * packet_ms // 1000}


def assert_heard(stream, hertz, other, within=1.0):
    level, clear = stream.level(hertz)
    assert abs(level) < within, f"{other.name} to {stream.name}: {hertz} Hz came {level:.1f} dB off"
    assert clear > min(CLEAR.get(stream.name, 25), CLEAR.get(other.name, 25)), f"{other.name} to {stream.name}: {hertz} Hz is {clear:.1f} dB above the rest"


@pytest.mark.parametrize("codec, other", [("PCMU", "PCMA"), ("PCMU", "opus"), ("opus", "PCMA"), ("PCMA", "G722"), ("GSM", "PCMU"),
                                          ("opus", "G722"), ("PCMU", "G726-32"), ("L16", "PCMA")])
def test_two_ends_without_a_common_codec_hear_each_other(relay, party, codec, other):
    caller, callee = party(codec, 700), party(other, 500)
    _, offered, answered = connect(relay, caller, callee, {"codec": {"transcode": [callee.rtpmap]}})
    assert offered.formats[0] == str(caller.payload_type) and answered.formats == [str(caller.payload_type)]
    time.sleep(3.5)
    for stream in (caller, callee):
        stream.sending = False
        assert_whole(stream)
    assert_heard(callee, 700, caller)
    assert_heard(caller, 500, callee)


@pytest.mark.parametrize("codec", ["PCMU", "G722", "opus"])
def test_packets_are_as_long_as_each_side_is_told(relay, party, codec):
    caller, callee = party(codec, 700), party(codec, 500)
    _, offered, answered = connect(relay, caller, callee, {"ptime": 40, "ptime-reverse": 10})
    assert offered.attribute("ptime") == "40" and answered.attribute("ptime") == "10"
    time.sleep(3.5)
    for stream, length in ((caller, 10), (callee, 40)):
        stream.sending = False
        assert_whole(stream, length)
    if codec != "opus":  # what decodes it here wants packets of 20 ms
        assert_heard(callee, 700, caller)
        assert_heard(caller, 500, callee)


def test_keys_change_their_clock(relay, party):
    caller, callee = party("opus", 700), party("PCMU", 500)
    call, offered, answered = connect(relay, caller, callee, {"codec": {"transcode": ["PCMU"]}}, events=(48000, 8000))
    event = next(line.split()[0] for line in offered.attributes("rtpmap") if line.endswith(" telephone-event/8000"))
    assert answered.formats == ["96", "101"] and event != "101"
    time.sleep(0.5)
    caller.press("4#")
    callee.press("7", payload_type=int(event))
    wait_for(lambda: callee.digits == ["4", "#"] and caller.digits == ["7"], what="the keys")
    for stream, clock in ((callee, 8000), (caller, 48000)):
        events = [p for p in stream.packets if p[1] == 101]
        durations = [int.from_bytes(p[5][2:4], "big") for p in events if p[3] == events[0][3]]
        # The other end pressed for five packets of 20 ms, by 160 units of its own clock each.
        assert durations[-3:] == [durations[-1]] * 3 and len({p[3] for p in events[:3]}) == 1
        assert durations[-1] == (800 * 8000 // 48000 if clock == 8000 else 800 * 6)


def tones(samples, rate, low, high):
    """The loudest tenth of a second of these two together."""
    from coded import amplitude
    step = rate // 20
    return max((min(amplitude(samples[i:i + step], rate, low), amplitude(samples[i:i + step], rate, high))
                for i in range(0, len(samples) - step, step // 2)), default=0)


def test_keys_are_heard_by_who_has_none_and_tones_become_keys(relay, party):
    caller, callee = party("PCMU", 700), party("PCMA", None)
    _, offered, answered = connect(relay, caller, callee, {"codec": {"transcode": ["PCMA"]}, "flags": ["always transcode"]},
                                   events=(8000, None))
    assert answered.formats == ["0", "101"]
    time.sleep(0.6)
    caller.sending = False
    time.sleep(0.1)
    start = caller.timestamp
    for step in range(1, 13):  # 240 ms of the key 5: 770 and 1336 Hz
        caller.packet(101, start, bytes([5, 10]) + (step * 160).to_bytes(2, "big"), marker=step == 1)
        time.sleep(0.02)
    for _ in range(3):
        caller.packet(101, start, bytes([5, 0x8A]) + (12 * 160).to_bytes(2, "big"))
    caller.timestamp += 13 * 160
    time.sleep(0.2)
    caller.send(*caller.remote)
    time.sleep(0.6)
    caller.sending = False
    # -10 dBm0 of a full scale of 3.14: 0.22 of 32767 together, 4 and 2 dB less each.
    heard = tones(callee.samples(), 8000, 770, 1336)
    assert 3000 < heard < 6500, heard
    assert tones(callee.samples(), 8000, 852, 1477) < 1000
    assert callee.lost() == 0

    # And back: the callee has no events, so its tones are heard.
    import math
    from sound import alaw_of_samples
    start = len(caller.packets)
    for number in range(60):
        key = 15 <= number < 30
        samples = [int(6000 * (math.sin(2 * math.pi * 941 * i / 8000) + math.sin(2 * math.pi * 1209 * i / 8000))) if key else 0
                   for i in range(number * 160, number * 160 + 160)]
        callee.packet(8, callee.timestamp, alaw_of_samples(samples))
        callee.timestamp += 160
        time.sleep(0.02)
    wait_for(lambda: caller.digits == ["*"], what="the key")
    events = [p for p in caller.packets[start:] if p[1] == 101]
    assert [p[5][1] >> 7 for p in events][-3:] == [1, 1, 1] and [p[5][1] >> 7 for p in events][-4] == 0
    assert 0.2 * 8000 <= int.from_bytes(events[-1][5][2:4], "big") <= 0.34 * 8000
    assert len({p[3] for p in events}) == 1
    assert tones(caller.samples()[-9000:], 8000, 941, 1209) < 1500, "the tone is heard beside the key"
