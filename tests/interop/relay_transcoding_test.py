"""Two ends without a common codec, and the relay that transcodes between them: the codecs of ffmpeg and sox are the
other ends."""
import math
import random
import struct
import subprocess
import time
import wave

import pytest
from coded import Coded, amplitude, ffmpeg, run
from exchange import program, wait_for
from relay_srtp_test import STANDARD, Secure, line_of
from relaying import a, b  # noqa: F401
from relaying import Call, Relay, sections

# How far a tune stands out of what the codecs add: those of a vocal tract are not made for tunes.
CLEAR = {"GSM": 8, "speex": 8, "opus": 15, "G726-32": 20}


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
    start = len(caller.packets)
    key = callee.folder / "key.alaw"
    run("sox", "-n", "-r", "8000", "-e", "a-law", "-t", "raw", key, "synth", "0.3", "sin", "941", "sin", "1209", "remix", "1,2",
        "gain", "-6", "pad", "0.3", "0.6")
    codes = key.read_bytes()
    for at in range(0, len(codes) - 159, 160):
        callee.packet(8, callee.timestamp, codes[at:at + 160])
        callee.timestamp += 160
        time.sleep(0.02)
    wait_for(lambda: caller.digits == ["*"], what="the key")
    events = [p for p in caller.packets[start:] if p[1] == 101]
    assert [p[5][1] >> 7 for p in events][-3:] == [1, 1, 1] and [p[5][1] >> 7 for p in events][-4] == 0
    assert 0.2 * 8000 <= int.from_bytes(events[-1][5][2:4], "big") <= 0.34 * 8000
    assert len({p[3] for p in events}) == 1
    # Until it is known for a key it is heard.
    assert sum(abs(s) > 1000 for s in caller.samples()[-9000:]) < 0.06 * 8000, "the tone is heard beside the key"


def test_what_is_transcoded_is_secured_under_keys_of_each_side(relay, a, b):
    """Both have SRTP and the same suite, which otherwise goes through under their own keys."""
    here, there = Secure(), Secure()

    def answer(offered):
        line = line_of(sections(offered)[0], STANDARD)
        there.tag = line.split()[0]
        there.hear(line)
        return b.sdp(formats="8", protocol="RTP/SAVP", lines=[there.line])
    call = Call(relay, a, b, offer={"codec": {"transcode": ["PCMA"]}}, answer_sdp=answer,
                offer_sdp=a.sdp(formats="0", protocol="RTP/SAVP", lines=[here.line]))
    here.hear(line_of(call.at_a[0], STANDARD))
    assert here.theirs != there.key and there.theirs != here.key
    a.send(call.at_a[0].at, here.sending.protect(a.packet(b"\xff" * 160, 0)))
    data, _ = b.receive()
    assert there.receiving.unprotect(data)[12:] == b"\xd5" * 160 and data[1] & 127 == 8
    b.send(call.at_b[0].at, there.sending.protect(b.packet(b"\xd5" * 160, 8)))
    data, _ = a.receive()
    assert here.receiving.unprotect(data)[12:] == b"\xfe" * 160 and data[1] & 127 == 0
    flags = call.query()["tags"]["from"]["medias"][0]["flags"]
    assert "transcoding" in flags and "passthrough" not in flags
    call.delete()


def test_reports_tell_of_the_stream_that_each_side_gets(relay, a, b):
    def answer(offered):
        return b.sdp(formats="96", lines=["a=rtpmap:96 L16/16000"])
    call = Call(relay, a, b, offer={"codec": {"transcode": ["L16/16000"]}}, offer_sdp=a.sdp(formats="0"), answer_sdp=answer)
    for _ in range(6):  # the first waits for what the resampler wants to see beyond its end
        a.send(call.at_a[0].at, a.packet(b"\xff" * 160, 0))
    got = [b.receive()[0] for _ in range(5)]
    ssrc = got[0][8:12]
    assert len(got[0]) == 12 + 640 and {p[8:12] for p in got} == {ssrc} and int.from_bytes(ssrc, "big") != a.ssrc
    a.send(call.at_a[0].rtcp_at, a.report(), rtcp=True)
    report, _ = b.receive(rtcp=True)
    assert report[4:8] == ssrc and report[32:36] == ssrc, "the report is of another stream"
    stamp, packets, octets = struct.unpack("!III", report[16:28])
    assert (packets, octets) == (5, 3200)
    assert stamp == int.from_bytes(got[-1][4:8], "big")
    # What the callee says of that stream is said of the caller's own.
    block = struct.pack("!IIIIII", int.from_bytes(ssrc, "big"), 0, int.from_bytes(got[-1][2:4], "big"), 320, 0, 0)
    b.send(call.at_b[0].rtcp_at, struct.pack("!BBHI", 0x81, 201, 7, b.ssrc) + block, rtcp=True)
    report, _ = a.receive(rtcp=True)
    about, _, highest, jitter = struct.unpack("!IIII", report[8:24])
    assert about == a.ssrc and highest == a.sequence & 0xffff and jitter == 160
    call.delete()


def test_an_offer_from_the_other_side_leaves_the_call_as_it_is(relay, a, b):
    call = Call(relay, a, b, offer={"codec": {"transcode": ["PCMA"]}}, offer_sdp=a.sdp(formats="0"), answer_sdp=b.sdp(formats="8"))
    offer = relay.ng.call("offer", call_id=call.id, from_tag="to", to_tag="from", sdp=b.sdp(formats="8"))["sdp"]
    assert sections(offer)[0].formats == ["8", "0"]
    answer = relay.ng.call("answer", call_id=call.id, from_tag="to", to_tag="from", sdp=a.sdp(formats="0"))["sdp"]
    assert sections(answer)[0].formats == ["8"]
    a.send(sections(offer)[0].at, a.packet(b"\xff" * 160, 0))
    assert b.receive()[0][12:] == b"\xd5" * 160
    b.send(sections(answer)[0].at, b.packet(b"\xd5" * 160, 8))
    assert a.receive()[0][12:] == b"\xfe" * 160  # A-law's least step is 8
    call.delete()


@pytest.mark.parametrize("flags", [{"rtpp_flags": "codec=[transcode=[opus GSM] mask=[PCMU]]"}, {"flags": ["codec-transcode-opus", "codec-transcode-GSM", "codec-mask-PCMU"]},
                                   {"codec": {"transcode": ["opus", "GSM"], "mask": ["PCMU"]}}])
def test_codecs_are_asked_for_in_each_form_of_the_protocol(relay, a, flags):
    offered = relay.ng.call("offer", call_id=f"forms-{time.monotonic_ns()}", from_tag="from", sdp=a.sdp(formats="0 8"), **flags)["sdp"]
    section = sections(offered)[0]
    assert section.formats == ["8", "96", "3"]
    assert section.attributes("rtpmap") == ["8 PCMA/8000", "96 opus/48000/2", "3 GSM/8000"]
    assert section.attributes("fmtp") == ["96 useinbandfec=1"]


def test_garbage_in_any_codec_harms_nobody(relay, a, b):
    for name, number, clock in (("opus", 96, "48000/2"), ("G729", 18, 8000), ("AMR", 97, 8000), ("speex", 98, 16000), ("GSM", 3, 8000),
                                ("G722", 9, 8000), ("G723", 4, 8000)):
        call = Call(relay, a, b, offer={"codec": {"transcode": ["PCMU"]}},
                    offer_sdp=a.sdp(formats=str(number), lines=[f"a=rtpmap:{number} {name}/{clock}"]), answer_sdp=b.sdp(formats="0 101"))
        for size in (0, 1, 2, 3, 7, 33, 160, 1000):
            a.send(call.at_a[0].at, a.packet(random.randbytes(size), number))
        a.send(call.at_a[0].at, a.packet(b"", 101))
        call.delete()
        b.drain()
    assert relay.ng.call("ping")["result"] == "pong"


# Number, rtpmap, fmtp, clock; what makes a file of payloads, as ffmpeg's own decoder reads it; milliseconds of a packet.
VOCAL = {
    "G729": (18, "G729/8000", None, 8000, ["-f", "g729"], lambda p: p, 20),
    "G723": (4, "G723/8000", None, 8000, ["-f", "g723_1"], lambda p: p, 30),
    "AMR": (97, "AMR/8000", "octet-align=1", 8000, ["-f", "amrnb"], lambda p: p[1:], 20),
    "AMR-WB": (98, "AMR-WB/16000", "octet-align=1", 16000, ["-f", "amrwb"], lambda p: p[1:], 20),
}


@pytest.mark.parametrize("codec", VOCAL)
def test_what_becomes_a_vocal_codec_is_heard_by_another_decoder_and_comes_back(relay, party, a, codec):
    """ffmpeg decodes what the relay has encoded; then it is sent back, for the relay to decode."""
    number, rtpmap, fmtp, clock, reader, frames, packet_ms = VOCAL[codec]
    caller = party("PCMU", 500)
    call = f"vocal-{time.monotonic_ns()}"
    offered = relay.ng.call("offer", call_id=call, from_tag="from", sdp=caller.description(), codec={"transcode": [codec]})["sdp"]
    section = sections(offered)[0]
    assert any(line.endswith(" " + rtpmap) for line in section.attributes("rtpmap"))
    theirs = next(line.split()[0] for line in section.attributes("rtpmap") if line.endswith(" " + rtpmap))
    lines = [f"a=rtpmap:{number} {rtpmap}", *([f"a=fmtp:{number} {fmtp}"] if fmtp else [])]
    answered = relay.ng.call("answer", call_id=call, from_tag="from", to_tag="to", sdp=a.sdp(formats=str(number), lines=lines))["sdp"]
    caller.send(*sections(answered)[0].at)
    payloads, stamps = [], []
    while len(payloads) < 125:
        data, _ = a.receive()
        assert data and data[1] & 127 == number
        payloads.append(data[12:])
        stamps.append(int.from_bytes(data[4:8], "big"))
    caller.sending = False
    assert {y - x for x, y in zip(stamps, stamps[1:])} == {clock * packet_ms // 1000}
    kept, heard = caller.folder / "vocal", caller.folder / "vocal.wav"
    kept.write_bytes(b"".join(frames(p) for p in payloads))
    ffmpeg(*reader, "-i", kept, "-ar", "8000", "-c:a", "pcm_s16le", heard)
    with wave.open(str(heard)) as file:
        samples = struct.unpack(f"<{file.getnframes()}h", file.readframes(file.getnframes()))
    assert len(samples) == 125 * 8 * packet_ms
    part = samples[8000:12000]
    came = amplitude(part, 8000, 500)
    # ffmpeg's own decoder of AMR is up to 8 dB softer with lone tones than that of 3GPP, which decodes them below.
    assert abs(20 * math.log10(came / 4096)) < {"G729": 1.5, "G723": 1}.get(codec, 9)
    assert came * came / 2 > 4 * (sum(s * s for s in part) / len(part) - came * came / 2)

    caller.packets.clear()
    due = time.monotonic()
    for payload in payloads:
        a.stamp += clock * packet_ms // 1000 - 160
        a.send(section.at, a.packet(payload, int(theirs)))
        due += packet_ms / 1000
        time.sleep(max(0, due - time.monotonic()))
    time.sleep(0.2)
    assert_whole(caller)
    level, clear = caller.level(500)
    assert abs(level) < 1.5 and clear > 8, (level, clear)


def test_what_ffmpeg_has_encoded_in_g723_is_heard(relay, party, a, tmp_path):
    """ffmpeg's frames, two in a packet, become G.711."""
    caller = party("PCMU", 500)
    call = f"g723-{time.monotonic_ns()}"
    offered = relay.ng.call("offer", call_id=call, from_tag="from", sdp=caller.description(), codec={"transcode": ["G723"]})["sdp"]
    relay.ng.call("answer", call_id=call, from_tag="from", to_tag="to", sdp=a.sdp(formats="4"))
    ffmpeg("-f", "lavfi", "-i", "sine=frequency=600:duration=4:sample_rate=8000", "-ac", "1", "-c:a", "g723_1", "-b:a", 6300, "-f", "g723_1",
           tmp_path / "tune.g723")
    data = (tmp_path / "tune.g723").read_bytes()
    assert len(data) % 24 == 0
    due = time.monotonic()
    for at in range(0, len(data) - 24, 48):
        a.stamp += 480 - 160
        a.send(sections(offered)[0].at, a.packet(data[at:at + 48], 4))
        due += 0.06
        time.sleep(max(0, due - time.monotonic()))
    time.sleep(0.2)
    assert_whole(caller)
    level, clear = caller.level(600)
    assert abs(level) < 1 and clear > 8, (level, clear)
    relay.ng.call("delete", call_id=call, from_tag="from", delete_delay=0)


def test_codecs_that_are_there_are_listed():
    listed = subprocess.run([program, "relay", "--codecs"], capture_output=True, text=True, timeout=10, check=True).stdout
    assert "G723: fully supported" in listed and "iLBC: supported for decoding only" in listed
