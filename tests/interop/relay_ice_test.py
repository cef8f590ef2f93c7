"""ICE without DTLS through the relay: plain RTP, and SRTP with keys in the description; the other end is aioice with libsrtp."""
import asyncio
import base64
import os

import pytest
from exchange import wait_for
from relaying import End, Relay, a, b, sections  # noqa: F401

aioice = pytest.importorskip("aioice")
pylibsrtp = pytest.importorskip("pylibsrtp")
import aioice.ice  # noqa: E402

LIMIT = 10
SUITE = "AES_CM_128_HMAC_SHA1_80"


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch):
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])


@pytest.fixture(scope="module")
def relay():
    with Relay(interfaces=["127.0.0.1", "many/127.0.0.3!127.0.0.3", "many/127.0.0.4"], ports=1000) as running:
        yield running


class Phone:
    """A phone whose every path is found by ICE."""

    def __init__(self, controlling, components=2):
        self.ice = aioice.Connection(ice_controlling=controlling, components=components)

    async def sdp(self, protocol="RTP/AVP", lines=()):
        if not self.ice.local_candidates:
            await self.ice.gather_candidates()
        first = self.ice.local_candidates[0]
        text = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", f"c=IN IP4 {first.host}", "t=0 0", f"m=audio {first.port} {protocol} 0", *lines,
                f"a=ice-ufrag:{self.ice.local_username}", f"a=ice-pwd:{self.ice.local_password}",
                *(f"a=candidate:{candidate.to_sdp()}" for candidate in self.ice.local_candidates)]
        return "\r\n".join(text) + "\r\n"

    async def connect(self, section, only=None):
        self.ice.remote_username, self.ice.remote_password = section.attribute("ice-ufrag"), section.attribute("ice-pwd")
        for line in section.attributes("candidate"):
            candidate = aioice.Candidate.from_sdp(line)
            if only is None or candidate.host == only:
                await self.ice.add_remote_candidate(candidate)
        await self.ice.add_remote_candidate(None)
        await asyncio.wait_for(self.ice.connect(), LIMIT)

    async def receive(self):
        return await asyncio.wait_for(self.ice.recvfrom(), 2)


async def both_hear(phone, end, at, seal=lambda packet: packet, unseal=lambda data: data):
    """What the phone sends over its path the end hears, and the other way round."""
    for _ in range(3):
        packet = end.packet()
        end.send(at, packet)
        data, component = await phone.receive()
        assert unseal(data) == packet and component == 1
        packet = end.packet(b"\x2a" * 160)  # anybody's numbers
        await phone.ice.sendto(seal(packet), 1)
        data, _source = await asyncio.to_thread(end.receive)
        assert data == packet


def medias(relay, call, tag):
    return relay.ng.call("query", call_id=call)["tags"][tag]["medias"][0]


def fresh():
    return os.urandom(6).hex()


def test_a_phone_with_ice_and_plain_rtp_calls_one_without(relay, b):
    async def scenario():
        call, phone = fresh(), Phone(controlling=True)
        offered = relay.ng.call("offer", call_id=call, from_tag="from", sdp=await phone.sdp(), ICE="remove")["sdp"]
        assert "ice-ufrag" not in offered and "candidate" not in offered
        answered = relay.ng.call("answer", call_id=call, from_tag="from", to_tag="to", sdp=b.sdp("0"))["sdp"]
        section = sections(answered)[0]
        assert section.protocol == "RTP/AVP" and "fingerprint" not in answered and "setup" not in answered
        candidates = [line.split() for line in section.attributes("candidate")]
        assert [(c[1], c[3], int(c[5])) for c in candidates] == [
            ("1", str(2130706431), section.port), ("2", str(2130706430), section.port + 1)]
        await phone.connect(section)
        await both_hear(phone, b, sections(offered)[0].at)
        report = b.report()
        b.send(sections(offered)[0].rtcp_at, report, rtcp=True)
        assert await phone.receive() == (report, 2)
        await phone.ice.sendto(report, 2)
        assert (await asyncio.to_thread(b.receive, True))[0] == report
        media = medias(relay, call, "from")
        assert {"ICE"} <= set(media["flags"]) and media["ICE state"] == "completed" and "DTLS-SRTP" not in media["flags"]
        await phone.ice.close()
    asyncio.run(scenario())


def test_what_no_check_has_announced_is_not_heard(relay, b):
    async def scenario():
        call, phone = fresh(), Phone(controlling=True)
        offered = relay.ng.call("offer", call_id=call, from_tag="from", sdp=await phone.sdp(), ICE="remove")["sdp"]
        section = sections(relay.ng.call("answer", call_id=call, from_tag="from", to_tag="to", sdp=b.sdp("0"))["sdp"])[0]
        await phone.connect(section)
        await both_hear(phone, b, sections(offered)[0].at)
        with End() as stranger:
            for _ in range(20):
                stranger.send(section.at, stranger.packet())
        assert b.receive(timeout=0.2)[0] is None
        await phone.ice.close()
    asyncio.run(scenario())


@pytest.mark.parametrize("mux", [True, False])
def test_a_phone_is_offered_candidates_where_ice_is_forced(mux, relay, a):
    async def scenario():
        call, phone = fresh(), Phone(controlling=False, components=1 if mux else 2)
        offered = relay.ng.call("offer", call_id=call, from_tag="from", sdp=a.sdp("0"), ICE="force", rtcp_mux=["offer"])["sdp"]
        section = sections(offered)[0]
        assert [line.split()[1] for line in section.attributes("candidate")] == ["1", "2"]
        answered = relay.ng.call("answer", call_id=call, from_tag="from", to_tag="to",
                                 sdp=await phone.sdp(lines=["a=rtcp-mux"] if mux else []))["sdp"]
        assert "candidate" not in answered  # who has not offered it gets none
        await phone.connect(section)
        await both_hear(phone, a, sections(answered)[0].at)
        report = a.report()
        a.send(sections(answered)[0].rtcp_at, report, rtcp=True)
        assert await phone.receive() == (report, 1 if mux else 2)
        await phone.ice.close()
    asyncio.run(scenario())


def test_where_candidates_are_refused_media_goes_as_if_there_were_none(relay, a, b):
    call = fresh()
    offered = sections(relay.ng.call("offer", call_id=call, from_tag="from", sdp=a.sdp("0"), ICE="force")["sdp"])[0]
    answered = sections(relay.ng.call("answer", call_id=call, from_tag="from", to_tag="to", sdp=b.sdp("0"))["sdp"])[0]
    for one, at, other in ((a, answered.at, b), (b, offered.at, a)):
        packet = one.packet()
        one.send(at, packet)
        assert other.receive()[0] == packet
    assert "ICE state" not in medias(relay, call, "to")


def crypto(key):
    return f"a=crypto:1 {SUITE} inline:{base64.b64encode(key).decode()}"


def session(key, inbound):
    policy = pylibsrtp.Policy(key=key, ssrc_type=pylibsrtp.Policy.SSRC_ANY_INBOUND if inbound else pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
    return pylibsrtp.Session(policy=policy)


def test_keys_of_the_description_go_with_candidates(relay, a):
    """What SIP phones with ICE speak: RTP/SAVP."""
    async def scenario():
        call, phone, key = fresh(), Phone(controlling=False), os.urandom(30)
        offered = relay.ng.call("offer", call_id=call, from_tag="from", sdp=a.sdp("0"), ICE="force", transport_protocol="RTP/SAVP",
                                SDES=[f"only-{SUITE}"])["sdp"]
        section = sections(offered)[0]
        assert section.protocol == "RTP/SAVP" and section.attributes("candidate") and "fingerprint" not in offered
        theirs = base64.b64decode(section.attribute("crypto").split("inline:")[1].split("|")[0] + "==")
        answered = relay.ng.call("answer", call_id=call, from_tag="from", to_tag="to",
                                 sdp=await phone.sdp("RTP/SAVP", [crypto(key)]))["sdp"]
        await phone.connect(section)
        seal, unseal = session(key, False), session(theirs, True)
        await both_hear(phone, a, sections(answered)[0].at, seal.protect, unseal.unprotect)
        assert {"ICE", "SDES"} <= set(medias(relay, call, "to")["flags"])
        await phone.ice.close()
    asyncio.run(scenario())


def test_ice_restarts_without_dtls(relay, b):
    async def scenario():
        call, phone = fresh(), Phone(controlling=True)
        offered = relay.ng.call("offer", call_id=call, from_tag="from", to_tag="to", sdp=await phone.sdp(), ICE="remove")["sdp"]
        before = sections(relay.ng.call("answer", call_id=call, from_tag="from", to_tag="to", sdp=b.sdp("0"))["sdp"])[0]
        await phone.connect(before)
        await both_hear(phone, b, sections(offered)[0].at)
        await phone.ice.close()
        again = Phone(controlling=True)  # other credentials, other ports: as from another network
        relay.ng.call("offer", call_id=call, from_tag="from", to_tag="to", sdp=await again.sdp(), ICE="remove", flags=["port latching"])
        after = sections(relay.ng.call("answer", call_id=call, from_tag="from", to_tag="to", sdp=b.sdp("0"))["sdp"])[0]
        assert after.port == before.port and after.attribute("ice-ufrag") != before.attribute("ice-ufrag")
        await again.connect(after)
        await both_hear(again, b, sections(offered)[0].at)
        await again.ice.close()
    asyncio.run(scenario())


ADDRESSES = ["127.0.0.3", "127.0.0.4"]


@pytest.fixture
def heard_from(monkeypatch):
    """Addresses that phones got media from."""
    heard, received = set(), aioice.ice.StunProtocol.datagram_received

    def note(self, data, source):
        if data[0] >> 6 == 2:
            heard.add(source[0])
        received(self, data, source)
    monkeypatch.setattr(aioice.ice.StunProtocol, "datagram_received", note)
    return heard


def hosts(section):
    """(host, component, priority, port) of each candidate."""
    return [(c[4], c[1], int(c[3]), int(c[5])) for c in (line.split() for line in section.attributes("candidate"))]


@pytest.mark.parametrize("lite", [True, False])
@pytest.mark.parametrize("mux", [True, False])
@pytest.mark.parametrize("address", ADDRESSES)
def test_every_address_of_an_interface_is_a_candidate(address, mux, lite, relay, a, heard_from):
    async def scenario():
        call, phone = fresh(), Phone(controlling=lite, components=1 if mux else 2)
        offered = relay.ng.call("offer", call_id=call, from_tag="from", sdp=a.sdp("0"), ICE="force", direction=["default", "many"],
                                ICE_lite="forward" if lite else "off", rtcp_mux=["require" if mux else "offer"])["sdp"]
        section = sections(offered)[0]
        found = hosts(section)
        assert section.address == ADDRESSES[0] and section.port == found[0][3]
        components = ["1"] if mux else ["1", "2"]
        assert [(host, component, priority) for host, component, priority, _port in found] == [
            (host, c, 2130706431 - 256 * place + 1 - int(c)) for place, host in enumerate(ADDRESSES) for c in components]
        assert all(port % 2 == int(component) - 1 for _host, component, _priority, port in found)
        answered = relay.ng.call("answer", call_id=call, from_tag="from", to_tag="to",
                                 sdp=await phone.sdp(lines=["a=rtcp-mux"] if mux else []))["sdp"]
        await phone.connect(section, only=address)
        await both_hear(phone, a, sections(answered)[0].at)
        report = a.report()
        a.send(sections(answered)[0].rtcp_at, report, rtcp=True)
        assert await phone.receive() == (report, int(components[-1]))
        await phone.ice.sendto(report, int(components[-1]))
        assert (await asyncio.to_thread(a.receive, True))[0] == report
        if lite:
            assert heard_from == {address}
        else:  # it has checked from the other one as well, and either may have been nominated
            assert heard_from and heard_from <= set(ADDRESSES)
        await phone.ice.close()
    asyncio.run(scenario())


def test_a_caller_is_answered_with_every_address_and_ports_come_back(b):
    def used():
        listed = relay.ng.call("statistics")["statistics"]["interfaces"]
        return {one["address"]: one["ports"]["used"] for one in listed}

    async def scenario():
        call, phone = fresh(), Phone(controlling=True)
        assert set(used().values()) == {0}
        offered = relay.ng.call("offer", call_id=call, from_tag="from", sdp=await phone.sdp(), ICE="remove", ICE_lite="backward",
                                direction=["many", "default"])["sdp"]
        section = sections(relay.ng.call("answer", call_id=call, from_tag="from", to_tag="to", sdp=b.sdp("0"))["sdp"])[0]
        assert [host for host, *_ in hosts(section)] == [ADDRESSES[0]] * 2 + [ADDRESSES[1]] * 2
        await phone.connect(section, only=ADDRESSES[1])
        await both_hear(phone, b, sections(offered)[0].at)
        await phone.ice.close()
        again = Phone(controlling=True)  # a restart of ICE
        relay.ng.call("offer", call_id=call, from_tag="from", to_tag="to", sdp=await again.sdp(), ICE="remove", flags=["port latching"])
        after = sections(relay.ng.call("answer", call_id=call, from_tag="from", to_tag="to", sdp=b.sdp("0"))["sdp"])[0]
        assert hosts(after) == hosts(section)
        assert used() == {"127.0.0.1": 2, **dict.fromkeys(ADDRESSES, 2)}
        await again.connect(after, only=ADDRESSES[1])
        await both_hear(again, b, sections(offered)[0].at)
        await again.ice.close()
        relay.ng.call("delete", call_id=call, delete_delay=0)
    with Relay(interfaces=["127.0.0.1", "many/127.0.0.3", "many/127.0.0.4"]) as relay:
        asyncio.run(scenario())
        wait_for(lambda: set(used().values()) == {0}, what="the ports to come back")


def test_an_address_that_the_request_names_is_the_only_candidate(relay, a):
    offered = relay.ng.call("offer", call_id=fresh(), from_tag="from", sdp=a.sdp("0"), ICE="force", direction=["default", "many"],
                            media_address="203.0.113.9")["sdp"]
    assert [host for host, *_ in hosts(sections(offered)[0])] == ["203.0.113.9"] * 2


def test_ports_of_further_addresses_can_be_saved(a):
    with Relay(["--save-interface-ports"], interfaces=["127.0.0.1", "many/127.0.0.3", "many/127.0.0.4"]) as saving:
        offered = saving.ng.call("offer", call_id=fresh(), from_tag="from", sdp=a.sdp("0"), ICE="force", direction=["default", "many"])["sdp"]
        assert [host for host, *_ in hosts(sections(offered)[0])] == ["127.0.0.3"] * 2
