"""Comfort noise (RFC 3389) between two ends of which one has it: what is heard of it, and what is told of silence."""
import math
import os
import struct
import subprocess
import time

import pytest
from exchange import program
from relaying import Call, Relay, a, b  # noqa: F401

L16 = "a=rtpmap:96 L16/8000"
LOUD = bytes([0x90]) * 160  # of PCMU: 2876 below zero


@pytest.fixture(scope="module")
def relay():
    with Relay(options=["--silence-detect=0.5", "--cn-payload=40;100", "--cn-payload=127", "--codec-num-threads=1"]) as running:
        yield running


def level(packets):
    """In dBov, of L16."""
    samples = [s for p in packets for s in struct.unpack(f"!{len(p[12:]) // 2}h", p[12:])]
    return 10 * math.log10(sum(s * s for s in samples) / len(samples) / 32768 ** 2)


def number(packet, at, size=4):
    return int.from_bytes(packet[at:at + size], "big")


def speak(end, to, count, payload, payload_type=0):
    for _ in range(count):
        end.send(to, end.packet(payload, payload_type))
        time.sleep(0.02)


def came(end):
    packets = []
    while (packet := end.receive(timeout=0.15)[0]):
        packets.append(packet)
    return packets


def test_comfort_noise_is_heard_by_who_has_none_and_told_to_who_has(relay, a, b):
    call = Call(relay, a, b, offer={"codec": {"transcode": ["L16/8000"]}}, offer_sdp=a.sdp("0 13"), answer_sdp=b.sdp("96", lines=[L16]))
    # What the callee has not, the relay makes.
    assert call.at_a[0].formats == ["0", "13"]
    speak(a, call.at_a[0].at, 5, LOUD)
    a.send(call.at_a[0].at, a.packet(bytes([35]), 13))
    time.sleep(0.4)
    a.stamp += 19 * 160
    speak(a, call.at_a[0].at, 3, LOUD)
    packets = came(b)
    assert {p[1] & 0x7f for p in packets} == {96} and {p[8:12] for p in packets} == {packets[0][8:12]}
    steps = {(number(q, 2, 2) - number(p, 2, 2) & 0xffff, number(q, 4) - number(p, 4) & 0xffffffff) for p, q in zip(packets, packets[1:])}
    assert steps == {(1, 160)}
    noise = [p for p in packets if level([p]) < -30]
    assert 19 <= len(noise) <= 22 and abs(level(noise) + 35) < 1.5, (len(noise), level(noise))
    assert packets.index(noise[-1]) - packets.index(noise[0]) == len(noise) - 1 and packets.index(noise[0]) == 5

    speak(b, call.at_b[0].at, 3, struct.pack("!160h", *[3000, -3000] * 80), 96)
    speak(b, call.at_b[0].at, 15, bytes(320), 96)
    speak(b, call.at_b[0].at, 2, struct.pack("!160h", *[3000, -3000] * 80), 96)
    packets = came(a)
    assert [p[1] & 0x7f for p in packets] == [0, 0, 0, 13, 13, 0, 0]
    assert [p[12:] for p in packets[3:5]] == [bytes([40, 100, 127])] * 2
    times = [number(p, 4) - number(packets[0], 4) & 0xffffffff for p in packets]
    assert times == [160 * step for step in (0, 1, 2, 3, 13, 18, 19)]
    assert [number(p, 2, 2) - number(packets[0], 2, 2) & 0xffff for p in packets] == list(range(7))
    assert packets[5][1] >> 7 == 1
    call.delete()


def test_comfort_noise_is_made_between_two_ends_of_one_codec_when_it_is_asked_for(relay, a, b):
    call = Call(relay, a, b, offer={"codec": {"transcode": ["CN"]}}, offer_sdp=a.sdp("0"), answer_sdp=b.sdp("0 13"))
    assert call.at_b[0].formats == ["0", "13"] and call.at_a[0].formats == ["0"]
    speak(a, call.at_a[0].at, 2, LOUD)
    speak(a, call.at_a[0].at, 4, b"\xff" * 160)
    assert [p[1] & 0x7f for p in came(b)] == [0, 0, 13]
    speak(b, call.at_b[0].at, 2, LOUD)
    b.send(call.at_b[0].at, b.packet(bytes([50]), 13))
    time.sleep(0.25)
    packets = came(a)
    assert len(packets) > 12 and {p[1] & 0x7f for p in packets} == {0}
    assert set(packets[0][12:]) == {0x90} and len(set(packets[5][12:])) > 10  # about 100 of full scale
    call.delete()


def test_between_two_ends_that_have_it_comfort_noise_goes_as_it_is(relay, a, b):
    call = Call(relay, a, b, offer={"codec": {"transcode": ["L16/8000"]}}, offer_sdp=a.sdp("0 13"), answer_sdp=b.sdp("96 13", lines=[L16]))
    assert call.at_b[0].formats == ["0", "96", "13"] and call.at_a[0].formats == ["0", "13"]
    speak(a, call.at_a[0].at, 2, LOUD)
    speak(a, call.at_a[0].at, 1, bytes([47, 90, 200]), 13)
    packets = came(b)
    assert [p[1] & 0x7f for p in packets] == [96, 96, 13] and packets[2][12:] == bytes([47, 90, 200])
    call.delete()


def test_a_pause_without_a_word_is_filled_where_it_is_asked_for(a, b):
    with Relay(options=["--dtx-delay=60", "--dtx-cn-params=45", "--max-dtx=1"]) as relay:
        call = Call(relay, a, b, offer={"codec": {"transcode": ["L16/8000"]}}, offer_sdp=a.sdp("0"), answer_sdp=b.sdp("96", lines=[L16]))
        speak(a, call.at_a[0].at, 3, LOUD)
        time.sleep(1.6)
        packets = came(b)
        noise = packets[3:]
        assert all(level([p]) < -40 for p in noise) and abs(level(noise) + 45) < 1.5
        assert 50 <= len(noise) <= 55, "it is filled for a second"
        call.delete()


def test_garbage_for_comfort_noise_harms_nobody(relay, a, b):
    call = Call(relay, a, b, offer={"codec": {"transcode": ["L16/8000"]}}, offer_sdp=a.sdp("0 13"), answer_sdp=b.sdp("96", lines=[L16]))
    for size in (0, 1, 2, 13, 14, 400, 1200):
        for byte in (b"\0", b"\xff", None):
            a.send(call.at_a[0].at, a.packet(byte * size if byte else os.urandom(size), 13))
    a.send(call.at_a[0].at, a.packet(b"", 13))  # silence
    time.sleep(0.1)
    b.drain()
    speak(a, call.at_a[0].at, 2, LOUD)
    assert any(level([p]) > -25 for p in came(b))
    call.delete()


@pytest.mark.parametrize("option", ["--silence-detect=101", "--silence-detect=nan", "--cn-payload=128", "--cn-payload=3;255", "--dtx-delay=-1",
                                    "--cn-payload=" + ";".join(["1"] * 14), "--max-dtx=3601", "--dtx-cn-params=x"])
def test_what_no_payload_can_say_is_refused(option):
    done = subprocess.run([program, "relay", "--config-file=none", "--interface=127.0.0.1", "--listen-ng=127.0.0.1:9", option], capture_output=True, timeout=10, text=True)
    assert done.returncode == 255 and option[2:].split("=")[0] in done.stderr
