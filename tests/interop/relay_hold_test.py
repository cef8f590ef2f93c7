"""Music on hold of the relay's own: a file that a party brought is heard by the other while the party holds."""
import time
import wave

import pytest
from relaying import Call, Relay, a, b, sections  # noqa: F401


@pytest.fixture(scope="module")
def relay():
    with Relay(options=["--moh-max-repeats=2"]) as running:
        yield running


@pytest.fixture
def music(tmp_path):
    """A second of a sound that never is zero."""
    path = tmp_path / "music.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\x00\x20\x00\xe0" * 4000)
    return str(path)


def heard(end, seconds):
    packets, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        data = end.receive(timeout=0.05)[0]
        if data:
            packets.append(data)
    return packets


def again(relay, call, one, other, direction, answered=None, fields=None):
    """An offer of the party `one` with that direction; gives what the other is told, and then what this one is."""
    tags = {"from_tag": "from", "to_tag": "to"} if one is call.a else {"from_tag": "to", "to_tag": "from"}
    offered = relay.ng.call("offer", call_id=call.id, sdp=one.sdp("0", lines=[f"a={direction}"]), **tags, **(fields or {}))["sdp"]
    told = next(line[2:] for line in sections(offered)[0].lines if line in ("a=sendonly", "a=sendrecv", "a=inactive", "a=recvonly"))
    reply = answered or {"sendonly": "recvonly", "sendrecv": "sendrecv", "inactive": "inactive"}[told]
    answer = relay.ng.call("answer", call_id=call.id, sdp=other.sdp("0", lines=[f"a={reply}"]), **tags)["sdp"]
    back = next(line[2:] for line in sections(answer)[0].lines if line in ("a=sendonly", "a=sendrecv", "a=inactive", "a=recvonly"))
    return told, back


@pytest.mark.parametrize("direction, mode, told, back", [("sendonly", None, "sendonly", "recvonly"), ("inactive", None, "sendonly", "inactive"),
                                                         ("inactive", "sendrecv", "sendrecv", "inactive"), ("sendonly", "sendrecv", "sendrecv", "recvonly")])
def test_who_is_held_hears_the_file_until_it_is_held_no_more(direction, mode, told, back, relay, a, b, music):
    moh = {"file": music, **({"mode": mode} if mode else {})}
    call = Call(relay, a, b, offer={"moh": moh}, offer_sdp=a.sdp("0"), answer_sdp=b.sdp("0"))
    a.send(call.at_a[0].at, a.packet(b"\x90" * 160))
    assert b.receive()[0]
    assert again(relay, call, a, b, direction) == (told, back)
    packets = heard(b, 0.5)
    assert 20 <= len(packets) <= 27 and all(len(set(p[12:])) == 2 for p in packets), "that is not the file"
    assert {p[8:12] for p in packets} == {a.ssrc.to_bytes(4, "big")}, "it is not in the stream that the party has"
    # Said again, it goes on.
    assert again(relay, call, a, b, direction)[0] == told
    assert len(heard(b, 0.3)) > 10
    assert again(relay, call, a, b, "sendrecv") == ("sendrecv", "sendrecv")
    time.sleep(0.05)
    b.drain()
    assert not heard(b, 0.2)
    a.send(call.at_a[0].at, a.packet(b"\x90" * 160))
    assert set(b.receive()[0][12:]) == {0x90}
    call.delete()


def test_it_is_played_as_often_as_it_may_be(relay, a, b, music):
    call = Call(relay, a, b, offer_sdp=a.sdp("0"), answer_sdp=b.sdp("0"), answer={"rtpp_flags": f"moh=[file={music}]"})
    again(relay, call, b, a, "sendonly")
    assert 95 <= len(heard(a, 2.6)) <= 101
    call.delete()


def test_without_a_file_nobody_hears_anything(relay, a, b, tmp_path):
    for offer in ({}, {"moh": {"file": str(tmp_path / "none.wav")}}, {"moh": {"mode": "sendrecv", "blob": "x"}}, {"moh": "x"}):
        call = Call(relay, a, b, offer=offer, offer_sdp=a.sdp("0"), answer_sdp=b.sdp("0"))
        again(relay, call, a, b, "sendonly")
        assert not heard(b, 0.2)
        call.delete()
    assert "no music on hold" in relay.output()


def test_who_does_not_hold_is_told_nothing_else(relay, a, b, music):
    call = Call(relay, a, b, offer={"moh": {"file": music}}, offer_sdp=a.sdp("0"), answer_sdp=b.sdp("0"))
    assert again(relay, call, b, a, "sendonly") == ("sendonly", "recvonly")  # the other has no file
    assert not heard(a, 0.2)
    call.delete()
