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


@pytest.mark.parametrize("accept, chosen", [([], "8"), (["PCMU"], "0"), (["G722", "PCMU"], "0"), (["opus", "GSM"], "8"), (["any"], "97"),
                                            (["EVS"], "97"), (["101", "0"], "0")], ids=str)
def test_of_what_is_published_the_codec_is_taken_that_is_accepted(accept, chosen, relay, a):
    """EVS, which nobody here decodes, only when it is asked for."""
    call = fresh()
    offer = a.sdp("97 101 8 0", lines=["a=rtpmap:97 EVS/16000", "a=sendonly"])
    published = relay.ng.call("publish", call_id=call, from_tag="pub", sdp=offer, codec={"accept": accept})
    assert sections(published["sdp"])[0].formats == [chosen]
    offer = relay.ng.call("subscribe request", call_id=call, from_tag="pub", codec={"transcode": ["PCMU"]})
    # Nothing can be made of EVS.
    assert sections(offer["sdp"])[0].formats == [chosen] + ["0"] * (chosen == "8")


def test_what_is_published_reaches_each_subscriber_in_the_codec_of_its_answer(relay, a, b):
    call = fresh()
    published = relay.ng.call("publish", call_id=call, from_tag="pub", sdp=a.sdp("8 0 101", lines=["a=sendonly"]),
                              codec={"accept": ["PCMU"], "transcode": ["PCMA", "L16/16000", "opus/48000/2/16000"]})
    section = sections(published["sdp"])[0]
    assert section.formats == ["0"]
    with End() as c, End() as d:
        for end, answer, lines in ((b, "8", []), (c, "96", ["a=rtpmap:96 L16/16000"]), (d, "0", [])):
            offer = relay.ng.call("subscribe request", call_id=call, from_tag="pub", flags=["directional"])
            offered = sections(offer["sdp"])[0]
            assert offered.attributes("rtpmap") == ["0 PCMU/8000", "8 PCMA/8000", "96 L16/16000", "97 opus/48000/2"]
            relay.ng.call("subscribe answer", call_id=call, to_tag=offer["to-tag"], sdp=end.sdp(answer, lines=[*lines, "a=recvonly"]))
        for _ in range(5):  # the resampler's first output waits for what is behind
            a.send(section.at, a.packet(b"\xff" * 160, 0))
        for end, kind, payload in ((b, 8, b"\xd5" * 160), (c, 96, bytes(640)), (d, 0, b"\xff" * 160)):
            data = end.receive()[0]
            assert data[1] & 0x7f == kind and data[12:] == payload
        flags = relay.ng.call("query", call_id=call)["tags"]["pub"]["medias"][0]["flags"]
        assert "transcoding" in flags


def test_bit_rate_and_packets_are_those_that_the_publisher_was_asked_for(relay, a, b):
    call = fresh()
    published = relay.ng.call("publish", call_id=call, from_tag="pub", sdp=a.sdp("0", lines=["a=sendonly"]),
                              codec={"transcode": ["opus/48000/2/12000/40/cbr=1"]})
    at = sections(published["sdp"])[0].at
    offer = relay.ng.call("subscribe request", call_id=call, from_tag="pub")
    relay.ng.call("subscribe answer", call_id=call, to_tag=offer["to-tag"],
                  sdp=b.sdp("96", lines=["a=rtpmap:96 opus/48000/2", "a=recvonly"]))
    for _ in range(12):
        a.send(at, a.packet(os.urandom(160), 0))
    first, second = b.receive()[0], b.receive()[0]
    assert int.from_bytes(second[4:8], "big") - int.from_bytes(first[4:8], "big") == 40 * 48
    assert len(first) == len(second) == 12 + 12000 // 8 * 40 // 1000
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
