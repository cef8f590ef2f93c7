"""Publishing, subscribing and offers of the relay's own, with browsers (aiortc), with ICE, and in other codecs."""
import asyncio
import os

import pytest
from relay_webrtc_test import Browser, running
from relaying import End, Relay, a, b, sections  # noqa: F401

BROWSER = {"transport_protocol": "UDP/TLS/RTP/SAVPF", "ICE": "force", "flags": ["generate-mid", "rtcp-mux-require", "no-rtcp-attribute"]}


@pytest.fixture(scope="module")
def relay():
    with Relay(ports=1000) as running_relay:
        yield running_relay


def fresh():
    return os.urandom(6).hex()


async def hears(end, payload_type=None, count=10):
    seen = 0
    for _ in range(300):
        data, _from = await asyncio.to_thread(end.receive, False, 0.05)
        seen += bool(data) and (payload_type is None or data[1] & 0x7f == payload_type)
        if seen == count:
            return
    raise AssertionError(f"{seen} packets")


def test_a_browser_publishes_and_a_phone_subscribes(relay, a):
    async def scenario():
        call, browser = fresh(), Browser()
        try:
            published = relay.ng.call("publish", call_id=call, from_tag="pub", sdp=await browser.offer(), flags=["no-rtcp-attribute"])
            section = sections(published["sdp"])[0]
            assert section.protocol == "UDP/TLS/RTP/SAVPF" and "a=recvonly" in section.lines and len(section.formats) == 1
            assert section.attribute("setup") in ("active", "passive") and section.attribute("fingerprint") and section.attributes("candidate")
            await browser.take(published["sdp"])
            await browser.up()
            offer = relay.ng.call("subscribe request", call_id=call, from_tag="pub", flags=["directional"])
            there = sections(offer["sdp"])[0]
            assert there.protocol == "RTP/AVP" and "fingerprint" not in offer["sdp"]
            kind = there.formats[0]
            relay.ng.call("subscribe answer", call_id=call, to_tag=offer["to-tag"], sdp=a.sdp(kind, lines=[f"a=rtpmap:{kind} opus/48000/2", "a=recvonly"]))
            await hears(a, int(kind))
        finally:
            await browser.close()
    running(scenario())


def test_a_phone_publishes_and_a_browser_subscribes(relay, a):
    async def scenario():
        call, browser = fresh(), Browser()
        browser.tracks = []
        try:
            published = relay.ng.call("publish", call_id=call, from_tag="pub", sdp=a.sdp("0", lines=["a=sendonly"]))
            at = sections(published["sdp"])[0].at
            offer = relay.ng.call("subscribe request", call_id=call, from_tag="pub", **BROWSER)
            section = sections(offer["sdp"])[0]
            assert section.mux and section.attribute("setup") == "actpass" and section.attribute("mid") and "a=sendonly" in section.lines
            relay.ng.call("subscribe answer", call_id=call, to_tag=offer["to-tag"], sdp=await browser.answer(offer["sdp"]))
            await browser.up()
            for _ in range(300):
                a.send(at, a.packet())
                await asyncio.sleep(0.01)
                if browser.came["audio"] >= 10:
                    return
            raise AssertionError(f"{browser.came} frames")
        finally:
            await browser.close()
    running(scenario())


def test_the_relay_offers_to_a_browser_by_itself_and_joins_it_with_a_phone(relay, a):
    async def scenario():
        call, browser = fresh(), Browser()
        try:
            made = relay.ng.call("create", call_id=call, from_tag="browser", **BROWSER)
            assert sections(made["sdp"])[0].formats == ["0", "8"]
            relay.ng.call("create answer", call_id=call, from_tag="browser", sdp=await browser.answer(made["sdp"]))
            await browser.up()
            phone = relay.ng.call("create", call_id=call, from_tag="phone")
            relay.ng.call("create answer", call_id=call, from_tag="phone", sdp=a.sdp("0 8"))
            relay.ng.call("connect", call_id=call, from_tag="browser", to_tag="phone")
            at = sections(phone["sdp"])[0].at
            for _ in range(400):
                a.send(at, a.packet())
                await asyncio.sleep(0.01)
                if browser.came["audio"] >= 10:
                    break
            assert browser.came["audio"] >= 10
            await hears(a)
        finally:
            await browser.close()
    running(scenario())


@pytest.mark.parametrize("answer, heard", [("0", (0, 0xff)), ("8", (8, 0xd5))], ids=["as it is sent", "in another codec"])
def test_a_subscriber_gets_what_it_takes(answer, heard, relay, a, b):
    call = fresh()
    at = sections(relay.ng.call("publish", call_id=call, from_tag="pub", sdp=a.sdp("0", lines=["a=sendonly"]))["sdp"])[0].at
    offer = relay.ng.call("subscribe request", call_id=call, from_tag="pub", codec={"transcode": ["PCMA", "opus"]})
    section = sections(offer["sdp"])[0]
    assert section.formats[:2] == ["0", "8"] and section.attributes("rtpmap")[2].split()[1] == "opus/48000/2"
    relay.ng.call("subscribe answer", call_id=call, to_tag=offer["to-tag"], sdp=b.sdp(answer, lines=["a=recvonly"]))
    for _ in range(3):
        a.send(at, a.packet(b"\xff" * 160))
        data = b.receive()[0]
    assert data[1] & 0x7f == heard[0] and set(data[12:]) == {heard[1]}


@pytest.mark.parametrize("flags, answer, lines, heard, size", [
    ([], "8", [], 0, 172), (["allow transcoding"], "8", [], 8, 172), (["allow transcoding"], "0 8", [], 0, 172),
    (["allow transcoding"], "96", ["a=rtpmap:96 opus/48000/2"], 96, None)], ids=["not allowed", "in PCMA", "as it is", "in Opus"])
def test_a_subscriber_may_take_what_it_was_not_offered(flags, answer, lines, heard, size, relay, a, b):
    call = fresh()
    at = sections(relay.ng.call("publish", call_id=call, from_tag="pub", sdp=a.sdp("0", lines=["a=sendonly"]))["sdp"])[0].at
    offer = relay.ng.call("subscribe request", call_id=call, from_tag="pub")
    assert sections(offer["sdp"])[0].formats == ["0"]
    relay.ng.call("subscribe answer", call_id=call, to_tag=offer["to-tag"], sdp=b.sdp(answer, lines=[*lines, "a=recvonly"]), flags=flags)
    for _ in range(5):
        a.send(at, a.packet(b"\xff" * 160))
        data = b.receive()[0]
        assert data[1] & 0x7f == heard and len(data) == size if size else len(data) < 172


@pytest.mark.parametrize("command", [None, "request", "answer"])
def test_rtcp_of_a_listener_goes_to_whom_it_hears_if_asked_to(command, relay, a, b):
    """RTCP mirror. What the publisher says goes to all listeners in any case, and media of a listener to nobody."""
    call, flags = fresh(), ["RTCP-mirror"]
    published = relay.ng.call("publish", call_id=call, from_tag="pub", sdp=a.sdp("0", lines=["a=sendonly"]))
    publisher_at = sections(published["sdp"])[0]
    with End() as c:
        places = []
        for listener, mirrors in ((b, True), (c, False)):
            offer = relay.ng.call("subscribe request", call_id=call, from_tag="pub", flags=flags if mirrors and command == "request" else [])
            relay.ng.call("subscribe answer", call_id=call, to_tag=offer["to-tag"], sdp=listener.sdp("0", lines=["a=recvonly"]),
                          flags=flags if mirrors and command == "answer" else [])
            places.append(sections(offer["sdp"])[0])
        for _ in range(5):
            a.send(publisher_at.at, a.packet())
            assert b.receive()[0] and c.receive()[0]
        a.send(publisher_at.rtcp_at, a.report(), rtcp=True)
        assert [end.receive(rtcp=True)[0] for end in (b, c)] == [a.report()] * 2
        b.send(places[0].at, b.packet())
        b.send(places[0].rtcp_at, b.report(), rtcp=True)
        c.send(places[1].rtcp_at, c.report(), rtcp=True)
        heard = a.receive(rtcp=True, timeout=1 if command else 0.3)
        assert heard == ((b.report(), publisher_at.rtcp_at) if command else (None, None))
        assert a.receive(rtcp=True, timeout=0.3) == (None, None), "what one did not ask to be mirrored was"
        assert a.receive(timeout=0.1) == (None, None), "media of a listener went to the publisher"
        assert [end.receive(rtcp=True, timeout=0.1)[0] for end in (b, c)] == [None, None], "a listener heard another"
