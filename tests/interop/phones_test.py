"""The demo's call with baresip, an independent soft phone, both ways and hung up from both ends."""
import time

import pytest
from exchange import wait_for
from phone import Phone
from running import free_port
from sound import compare


@pytest.fixture(scope="module")
def exchange(start):
    return start({}, shipped=True)


@pytest.fixture
def phones(exchange, speech, tmp_path):
    begun = []

    def begin(name, voice, account="", **options):
        begun.append(Phone(tmp_path / name, name, free_port(), exchange.server, f"change-me-{name}", speech[voice], account,
                           rtp="61000-61100", **options))
        return begun[-1]

    yield begin
    for phone in begun:
        phone.stop()


def recordings(*phones):
    return [wait_for(phone.heard, what=f"what {phone.name} heard") for phone in phones]


@pytest.mark.parametrize("caller, callee, number, transport", [("alice", "bob", "102", "udp"), ("bob", "alice", "101", "tcp")])
def test_two_phones_talk(exchange, phones, speech, caller, callee, number, transport):
    first = phones(caller, "a", transport=transport)
    second = phones(callee, "b", ";answermode=auto", transport=transport)
    exchange.wait_registered(caller, callee)
    first.command("dial", number)
    exchange.wait_call("up")
    time.sleep(4.3)
    (first if caller == "alice" else second).command("hangup")
    trace = exchange.wait_call("ended")
    there, here = recordings(second, first)
    first.stop()
    second.stop()
    assert compare(speech["a"], there)["similarity"] > 0.95
    assert compare(speech["b"], here)["similarity"] > 0.95
    assert trace["cause"] == 16
    assert len(trace["media"]) == 2 and all(m["lost"] == 0 and m["mos"] > 4.2 for m in trace["media"])


CAMERA = """\
module fakevideo.so
module vp8.so
video_source fakevideo,nil
video_display fakevideo,nil
video_size 176x144
video_bitrate 200000
video_fps 10
"""


def test_two_phones_see_each_other(start, speech, tmp_path):
    exchange = start({"pjsip_wizard.d/video.conf": "[alice](+)\nendpoint/allow = vp8\n[bob](+)\nendpoint/allow = vp8\n"}, shipped=True)
    phones = [Phone(tmp_path / name, name, free_port(), exchange.server, f"change-me-{name}", speech["a"],
                    ";video_codecs=VP8;answermode=auto", rtp="61200-61300", more=CAMERA) for name in ("alice", "bob")]
    try:
        exchange.wait_registered("alice", "bob")
        phones[0].command("dial", "102")
        exchange.wait_call("up")
        # The decoder complains of whatever it gets before a whole picture; then it must be content.
        for phone in phones:
            wait_for(lambda: "Set video decoder: VP8" in phone.output(), what=f"{phone.name} to see VP8")
            wait_for(lambda: "incoming rtp for 'video' established" in phone.output(), what=f"pictures at {phone.name}")
        time.sleep(1.5)
        before = [phone.output().count("decode error") for phone in phones]
        time.sleep(1.5)
        assert [phone.output().count("decode error") for phone in phones] == before
        phones[0].command("hangup")
        exchange.wait_call("ended")
    finally:
        for phone in phones:
            phone.stop()


def test_a_phone_that_rings_is_cancelled(exchange, phones):
    first, second = phones("alice", "a"), phones("bob", "b")
    exchange.wait_registered("alice", "bob")
    first.command("dial", "102")
    wait_for(lambda: any(m["text"].startswith("180") for m in exchange.call().get("messages", [])), what="ringing")
    first.command("hangup")
    trace = exchange.wait_call("ended")
    texts = [m["text"] for m in trace["messages"]]
    assert any(t.startswith("487") for t in texts) and "CANCEL" in texts, texts
    exchange.wait_idle()


def test_a_phone_that_declines_is_busy(exchange, phones):
    first, second = phones("alice", "a"), phones("bob", "b")
    exchange.wait_registered("alice", "bob")
    first.command("dial", "102")
    wait_for(lambda: any(m["text"].startswith("180") for m in exchange.call().get("messages", [])), what="ringing")
    second.command("hangup")
    trace = exchange.wait_call("ended", timeout=15)
    assert trace["messages"][-2]["text"].startswith("486"), [m["text"] for m in trace["messages"]]
