"""The relay between phones and browsers: ICE, DTLS-SRTP and bundles; the other end is aiortc."""
import asyncio
import os
import re
import struct

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc_peer import LIMIT, Picture, Tone
from relaying import a, b  # noqa: F401
from relaying import End, Refused, Relay, sections

WEBRTC = {"transport_protocol": "UDP/TLS/RTP/SAVPF", "ICE": "force", "flags": ["generate-mid", "rtcp-mux-require", "no-rtcp-attribute"]}  # aiortc reads a=rtcp with an address only
PLAIN = {"transport_protocol": "RTP/AVP", "ICE": "remove", "rtcp_mux": ["demux"]}


@pytest.fixture(scope="module")
def relay():
    with Relay(ports=1000) as running:
        yield running


class Browser:
    """An aiortc peer that sends sound (and a picture) and counts the frames that come."""

    def __init__(self, picture=False):
        self.peer, self.came, self.readers = RTCPeerConnection(), {"audio": 0, "video": 0}, []
        self.tracks = [Tone(), Picture()] if picture else [Tone()]
        self.connected = asyncio.Event()

        @self.peer.on("track")
        def took(track):
            self.readers.append(asyncio.ensure_future(self._read(track)))

        @self.peer.on("connectionstatechange")
        def changed():
            if self.peer.connectionState in ("connected", "failed", "closed"):
                self.connected.set()

    async def _read(self, track):
        while True:
            await track.recv()
            self.came[track.kind] += 1

    async def offer(self):
        for track in self.tracks:
            if track not in [sender.track for sender in self.peer.getSenders()]:
                self.peer.addTrack(track)
        await self.peer.setLocalDescription(await self.peer.createOffer())
        return self.peer.localDescription.sdp

    async def answer(self, sdp):
        await self.peer.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        for track in self.tracks:
            if track not in [sender.track for sender in self.peer.getSenders()]:
                self.peer.addTrack(track)
        await self.peer.setLocalDescription(await self.peer.createAnswer())
        return self.peer.localDescription.sdp

    async def take(self, sdp):
        await self.peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def up(self):
        await asyncio.wait_for(self.connected.wait(), LIMIT)
        assert self.peer.connectionState == "connected"

    async def close(self):
        for reader in self.readers:
            reader.cancel()
        await self.peer.close()


async def hears_both(browser, phone, at, payload_type=0, frames=20):
    """The browser hears what the phone sends to `at`, and the phone what the browser sends."""
    before, heard, other = browser.came["audio"], 0, 0
    phone.drain()
    for _ in range(400):
        phone.send(at, phone.packet(payload_type=payload_type))
        data, _from = await asyncio.to_thread(phone.receive, False, 0.02)
        if data and data[1] & 0x7f == payload_type:
            heard += 1
        elif data:
            other += 1
        if heard >= frames and browser.came["audio"] >= before + frames:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"{heard} packets to the phone, {other} others; {browser.came['audio'] - before} frames to the browser")


def media(relay, call, tag):
    return relay.ng.call("query", call_id=call)["tags"][tag]["medias"]


count = 0


def fresh_id():
    global count
    count += 1
    return f"web-{count}-{os.getpid()}"


async def phone_calls(relay, phone, browser, offer=WEBRTC, answer=PLAIN):
    """A phone's offer, answered by the browser."""
    call = fresh_id()
    offered = relay.ng.call("offer", call_id=call, from_tag="phone", sdp=phone.sdp(formats="0"), **offer)["sdp"]
    answered = relay.ng.call("answer", call_id=call, from_tag="phone", to_tag="browser", sdp=await browser.answer(offered), **answer)["sdp"]
    return call, offered, answered


async def browser_calls(relay, browser, phone, formats="0", offer=PLAIN, answer=None):
    call = fresh_id()
    offered = relay.ng.call("offer", call_id=call, from_tag="browser", sdp=await browser.offer(), **offer)["sdp"]
    answered = relay.ng.call("answer", call_id=call, from_tag="browser", to_tag="phone", sdp=phone.sdp(formats=formats), flags=["no-rtcp-attribute"],
                             **(answer or {}))["sdp"]
    await browser.take(answered)
    return call, offered, answered


def running(scenario):
    asyncio.run(scenario)


def test_a_phone_calls_a_browser(relay, a):
    async def scenario():
        browser = Browser()
        call, offered, answered = await phone_calls(relay, a, browser)
        try:
            section = sections(offered)[0]
            assert section.protocol == "UDP/TLS/RTP/SAVPF" and section.mux and section.attribute("mid")
            assert section.attribute("setup") == "actpass" and section.attribute("fingerprint").startswith("sha-256 ")
            assert section.attribute("ice-ufrag") and section.attribute("ice-pwd") and not section.attributes("crypto")
            assert re.match(r"\S+ 1 udp \d+ 127\.0\.0\.1 %d typ host" % section.port, section.attribute("candidate"), re.I)
            at_phone = sections(answered)[0]
            assert at_phone.protocol == "RTP/AVP" and not at_phone.attribute("fingerprint") and not at_phone.attribute("ice-ufrag")
            await browser.up()
            await hears_both(browser, a, at_phone.at)
            told = media(relay, call, "browser")[0]
            assert told["ICE state"] == "completed" and told["DTLS state"] == "connected" and told["mode"] == "srtp"
            assert {"ICE", "DTLS-SRTP", "ICE controlling", "rtcp-mux"} <= set(told["flags"])
        finally:
            await browser.close()
    running(scenario())


def test_a_browser_calls_a_phone(relay, a):
    async def scenario():
        browser = Browser()
        call, offered, answered = await browser_calls(relay, browser, a)
        try:
            at_phone, at_browser = sections(offered)[0], sections(answered)[0]
            assert at_phone.protocol == "RTP/AVP" and not at_phone.attribute("fingerprint") and not at_phone.attributes("candidate")
            assert at_browser.protocol == "UDP/TLS/RTP/SAVPF" and at_browser.attribute("setup") == "active"
            await browser.up()
            await hears_both(browser, a, at_phone.at)
            assert "DTLS role active" in media(relay, call, "browser")[0]["flags"]
        finally:
            await browser.close()
    running(scenario())


def test_a_browser_calls_a_browser(relay):
    async def scenario():
        one, other = Browser(), Browser()
        call = fresh_id()
        offered = relay.ng.call("offer", call_id=call, from_tag="one", sdp=await one.offer(), flags=["no-rtcp-attribute"])["sdp"]
        answered = relay.ng.call("answer", call_id=call, from_tag="one", to_tag="other", sdp=await other.answer(offered), flags=["no-rtcp-attribute"])["sdp"]
        await one.take(answered)
        try:
            await one.up()
            await other.up()
            for _ in range(100):
                if min(one.came["audio"], other.came["audio"]) >= 20:
                    break
                await asyncio.sleep(0.1)
            assert min(one.came["audio"], other.came["audio"]) >= 20
        finally:
            await one.close()
            await other.close()
    running(scenario())


@pytest.mark.parametrize("role", ["active", "passive"])
def test_the_relay_takes_the_dtls_role_that_is_asked_for(role, relay, a):
    async def scenario():
        browser = Browser()
        _, offered, answered = await browser_calls(relay, browser, a, answer={"DTLS": role})
        try:
            assert sections(answered)[0].attribute("setup") == role
            await browser.up()
            await hears_both(browser, a, sections(offered)[0].at)
        finally:
            await browser.close()
    running(scenario())


def test_new_offers_keep_keys_and_counters(relay, a):
    """Hold and resume by the phone; the sequence numbers run over meanwhile."""
    async def scenario():
        browser = Browser()
        a.sequence = 65500
        call, offered, answered = await phone_calls(relay, a, browser)
        try:
            await browser.up()
            at = sections(answered)[0].at
            await hears_both(browser, a, at, frames=60)
            for line in ("a=sendonly", "a=sendrecv"):
                again = relay.ng.call("offer", call_id=call, from_tag="phone", to_tag="browser", sdp=a.sdp(formats="0", lines=[line]), **WEBRTC)["sdp"]
                for name in ("ice-ufrag", "ice-pwd", "fingerprint"):
                    assert sections(again)[0].attribute(name) == sections(offered)[0].attribute(name)
                assert line in again and sections(again)[0].port == sections(offered)[0].port
                relay.ng.call("answer", call_id=call, from_tag="phone", to_tag="browser", sdp=await browser.answer(again), **PLAIN)
            await hears_both(browser, a, at)
        finally:
            await browser.close()
    running(scenario())


def test_the_phone_moves_and_the_browser_does_not_notice(relay, a):
    async def scenario():
        browser = Browser()
        call, offered, answered = await phone_calls(relay, a, browser)
        try:
            await browser.up()
            await hears_both(browser, a, sections(answered)[0].at)
            with End() as moved:  # another address, and another SSRC
                again = relay.ng.call("offer", call_id=call, from_tag="phone", to_tag="browser", sdp=moved.sdp(formats="0"), **WEBRTC)["sdp"]
                assert sections(again)[0].port == sections(offered)[0].port
                back = relay.ng.call("answer", call_id=call, from_tag="phone", to_tag="browser", sdp=await browser.answer(again), **PLAIN)["sdp"]
                moved.ssrc, moved.sequence, moved.stamp = a.ssrc, a.sequence, a.stamp
                await hears_both(browser, moved, sections(back)[0].at)
        finally:
            await browser.close()
    running(scenario())


def test_what_strangers_send_to_a_browsers_port_goes_nowhere(relay, a):
    async def scenario():
        browser = Browser()
        call, offered, answered = await phone_calls(relay, a, browser)
        try:
            await browser.up()
            at = sections(answered)[0].at
            await hears_both(browser, a, at)
            port = sections(offered)[0].at
            with End() as stranger:
                ufrag = sections(offered)[0].attribute("ice-ufrag")
                name = f"{ufrag}:evil".encode()
                name += b"\0" * (-len(name) % 4)
                attributes = struct.pack("!HH", 6, len(f"{ufrag}:evil")) + name + struct.pack("!HHI", 0x24, 4, 1) + struct.pack("!HHQ", 0x802a, 8, 7) \
                    + struct.pack("!HH", 0x25, 0) + struct.pack("!HH", 8, 20) + os.urandom(20)
                for _ in range(50):
                    stranger.send(port, stranger.packet(payload_type=0))
                    stranger.send(port, struct.pack("!HHI", 1, len(attributes), 0x2112a442) + os.urandom(12) + attributes)
                    stranger.send(port, b"\x16\xfe\xfd" + os.urandom(60))
                    stranger.send(port, os.urandom(100))
                before = media(relay, call, "browser")[0]["streams"][0]
                await hears_both(browser, a, at)
                after = media(relay, call, "browser")[0]
                assert after["streams"][0]["endpoint"] == before["endpoint"] and after["streams"][0]["endpoint"]["port"] != stranger.port
                assert after["streams"][0]["stats"]["errors"] >= 50 and after["DTLS state"] == "connected"
        finally:
            await browser.close()
    running(scenario())


def test_sound_and_picture_of_a_bundle_are_told_apart(relay, a):
    """A browser's bundle is answered as one; the phone has a port for each."""
    async def scenario():
        browser = Browser(picture=True)
        call = fresh_id()
        offered = relay.ng.call("offer", call_id=call, from_tag="browser", sdp=await browser.offer(), bundle=["accept"], **PLAIN)["sdp"]
        assert "a=group:BUNDLE" not in offered
        sound, picture = sections(offered)
        with End() as screen:
            formats = picture.formats[0]
            video = f"m=video {screen.port} RTP/AVP {formats}\r\na=rtpmap:{formats} VP8/90000\r\n"
            answered = relay.ng.call("answer", call_id=call, from_tag="browser", to_tag="phone", sdp=a.sdp(formats="0", more=video), flags=["no-rtcp-attribute"])["sdp"]
            assert re.search(r"a=group:BUNDLE \S+ \S+\r", answered) and len({one.port for one in sections(answered)}) == 1
            await browser.take(answered)
            try:
                await browser.up()
                await hears_both(browser, a, sound.at)
                seen = 0
                for _ in range(50):
                    data, _from = await asyncio.to_thread(screen.receive, False, 0.2)
                    if data:
                        assert data[1] & 0x7f == int(formats)
                        screen.send(picture.at, data)
                        seen += 1
                    if browser.came["video"] >= 3:
                        break
                assert seen >= 3 and browser.came["video"] >= 3
                assert "bundled" in media(relay, call, "browser")[1]["flags"]
            finally:
                await browser.close()
    running(scenario())


def test_what_cannot_be_published_leaves_no_call_behind(relay):
    with pytest.raises(Refused):
        relay.ng.call("publish", call_id="unpublished", from_tag="x", sdp="v=0\r\nnonsense")
    assert "unpublished" not in relay.ng.call("list")["calls"]
