"""Speech that waits in the relay: a jitter buffer (`jitter-buffer`), and a fixed delay (`delay-buffer`)."""
import struct
import subprocess
import threading
import time

import pytest
from exchange import program
from relaying import a, b  # noqa: F401
from relaying import Call, Relay, sections
from running import free_port
from srtp_keys import line_of, Secure, STANDARD


@pytest.fixture(scope="module")
def relay():
    with Relay(options=["--jitter-buffer=5"], ports=1000) as running:
        yield running


@pytest.fixture(scope="module")
def plain():
    with Relay(ports=1000) as running:
        yield running


def through(end, at, other, order, space=0.02, uneven=0.0, unseal=bytes, seal=bytes, until=0.6):
    """Packets that were spoken `space` apart and leave in that order, every other one later by `uneven`. What came: (packet,
    seconds since the first was sent), and what was sent, by the order in which it was spoken."""
    packets = [end.packet(bytes([number % 251]) * 160) for number in range(len(order))]
    arrived = []
    begin = time.monotonic() + 0.05

    def hear():
        other.rtp.settimeout(until)
        try:
            while True:
                data = other.rtp.recv(4096)
                arrived.append((unseal(data), time.monotonic() - begin))
        except TimeoutError:
            pass
    ear = threading.Thread(target=hear)
    ear.start()
    for place, number in enumerate(order):
        time.sleep(max(0, begin + place * space + (place % 2) * uneven - time.monotonic()))
        end.send(at, seal(packets[number]))
    ear.join()
    return arrived, packets


def numbers(packets):
    return [struct.unpack("!H", packet[2:4])[0] for packet in packets]


def swapped(count, every=6):
    order = list(range(count))
    for at in range(10, count - 2, every):
        order[at], order[at + 1] = order[at + 1], order[at]
    return order


def gaps(arrived, after):
    times = [at for _, at in arrived][after:]
    return [later - earlier for earlier, later in zip(times, times[1:])]


def test_what_comes_out_of_order_goes_on_in_order(relay, a, b):  # noqa: F811
    call = Call(relay, a, b)
    assert "jitter buffer" in call.query()["tags"]["from"]["medias"][0]["flags"]
    order = swapped(80)
    assert order != sorted(order)
    arrived, packets = through(a, call.at_a[0].at, b, order)
    assert [packet for packet, _ in arrived] == packets
    call.delete()


def test_without_it_everything_goes_as_it_comes(plain, a, b):  # noqa: F811
    call = Call(plain, a, b)
    assert "jitter buffer" not in call.query()["tags"]["from"]["medias"][0]["flags"]
    order = swapped(40)
    arrived, packets = through(a, call.at_a[0].at, b, order)
    assert [packet for packet, _ in arrived] == [packets[number] for number in order]
    call.delete()


def test_what_comes_unevenly_goes_on_evenly(relay, a, b):  # noqa: F811
    """Every other packet 15 ms late: gaps of 35 and 5 ms become 20 again, once the buffer knows."""
    call = Call(relay, a, b)
    arrived, packets = through(a, call.at_a[0].at, b, list(range(150)), uneven=0.015)
    assert len(arrived) == len(packets)
    spread = sorted(abs(gap - 0.02) for gap in gaps(arrived, 30))
    assert spread[len(spread) * 8 // 10] < 0.004, spread
    call.delete()


def test_nothing_waits_longer_than_so_many_packets(relay, a, b):  # noqa: F811
    call = Call(relay, a, b)
    arrived, _ = through(a, call.at_a[0].at, b, list(range(60)), uneven=0.015)
    waited = [at - number * 0.02 for number, (_, at) in enumerate(arrived)]
    assert max(waited) < 0.100 + 0.03, max(waited)
    call.delete()


def test_what_comes_too_late_is_left_out_and_counted(relay, a, b):  # noqa: F811
    call = Call(relay, a, b)
    order = [number for number in range(40) if number != 10] + [10]
    arrived, packets = through(a, call.at_a[0].at, b, order)
    assert [packet for packet, _ in arrived] == packets[:10] + packets[11:]
    assert call.query()["tags"]["from"]["medias"][0]["streams"][0]["stats"]["errors"] == 1
    call.delete()


def test_a_call_may_do_without(relay, a, b):  # noqa: F811
    call = Call(relay, a, b, offer={"flags": ["no jitter buffer"]})
    order = swapped(30)
    arrived, packets = through(a, call.at_a[0].at, b, order)
    assert [packet for packet, _ in arrived] == [packets[number] for number in order]
    call.delete()


def test_what_was_encrypted_is_held_and_encrypted_again(relay, a, b):  # noqa: F811
    keys = Secure(STANDARD)

    def answer(offered):
        line = line_of(sections(offered)[0], STANDARD)
        keys.tag = line.split()[0]
        keys.hear(line)
        return b.sdp(protocol="RTP/SAVP", lines=[keys.line])
    call = Call(relay, a, b, offer={"transport_protocol": "RTP/SAVP"}, answer_sdp=answer)
    arrived, packets = through(a, call.at_a[0].at, b, swapped(40), unseal=keys.receiving.unprotect)
    assert [packet for packet, _ in arrived] == packets
    call.delete()


def test_what_is_transcoded_was_put_in_order(relay, a, b):  # noqa: F811
    call = Call(relay, a, b, offer={"codec": {"mask": ["PCMU", "PCMA"], "transcode": ["G722"]}}, answer_sdp=b.sdp(formats="9"))
    arrived, packets = through(a, call.at_a[0].at, b, swapped(80))
    came = numbers(packet for packet, _ in arrived)
    assert len(came) >= len(packets) - 2 and all(later == earlier + 1 & 0xffff for earlier, later in zip(came, came[1:]))
    stamps = [struct.unpack("!I", packet[4:8])[0] for packet, _ in arrived]
    assert {later - earlier & 0xffffffff for earlier, later in zip(stamps, stamps[1:])} == {160}
    call.delete()


@pytest.mark.parametrize("wanted", [100, 300])
def test_a_party_may_be_heard_later_by_so_much(wanted, plain, a, b):  # noqa: F811
    call = Call(plain, a, b, offer={"delay-buffer": wanted})
    arrived, packets = through(a, call.at_a[0].at, b, list(range(60)))
    assert [packet for packet, _ in arrived] == packets
    waited = sorted(at - number * 0.02 for number, (_, at) in enumerate(arrived))
    assert wanted / 1000 - 0.005 <= waited[len(waited) // 2] <= wanted / 1000 + 0.03, waited
    # The other one is heard at once.
    arrived, packets = through(b, call.at_b[0].at, a, list(range(20)))
    assert max(at - number * 0.02 for number, (_, at) in enumerate(arrived)) < 0.06
    call.delete()


@pytest.mark.parametrize("who, late", [("tag from-tag delay", "a"), ("tag to-tag delay", "b"), ("delay", "ab")])
def test_the_command_line_changes_the_delay_of_a_call_that_is_up(who, late, plain, a, b):  # noqa: F811
    call = Call(plain, a, b)
    tags = {"from-tag": "from", "to-tag": "to"}

    def tell(value):
        words = " ".join(tags.get(word, word) for word in who.split())
        return plain.ng.call("cli", body=f"call {call.id} {words} {value}")["response"]

    for value in (200, 0):
        assert tell(value).startswith("Success") and tell(value).endswith(f"to {value} ms\n")
        for name, sender, at, listener in (("a", a, call.at_a[0].at, b), ("b", b, call.at_b[0].at, a)):
            arrived, packets = through(sender, at, listener, list(range(20)))
            assert [packet for packet, _ in arrived] == packets
            waited = sorted(when - number * 0.02 for number, (_, when) in enumerate(arrived))[10]
            expected = value / 1000 if name in late else 0
            assert expected - 0.005 <= waited <= expected + 0.06, (name, waited)
    for value in ("1001", "-1", "much", "99999999999999999999"):
        assert tell(value).startswith(f"Fail setting delay to {value}: 0 to 1000")
    assert plain.ng.call("cli", body=f"call {call.id} tag nobody delay 1")["response"] == "Tag not found (nobody).\n"
    assert plain.ng.call("cli", body="call nobody delay 1")["response"] == "Call Id not found (nobody).\n"
    call.delete()


def test_what_is_late_by_so_much_is_in_order_too(plain, a, b):  # noqa: F811
    call = Call(plain, a, b, offer={"delay-buffer": 100})
    arrived, packets = through(a, call.at_a[0].at, b, swapped(60))
    assert [packet for packet, _ in arrived] == packets
    call.delete()


@pytest.mark.parametrize("value", ["51", "many", "-1"])
def test_a_buffer_that_makes_no_sense_is_refused(value):
    ended = subprocess.run([program, "relay", "--config-file=none", "--interface=127.0.0.1", f"--listen-ng=127.0.0.1:{free_port()}",
                            f"--jitter-buffer={value}"], capture_output=True, text=True, timeout=10)
    assert ended.returncode == 255 and "jitter-buffer" in ended.stderr
