"""What each flag does to a description on its way through the relay, as a table; and the order of its lines."""
import pytest
from relaying import Call, End, Refused, Relay, sections

AUDIO = ["a=rtpmap:96 opus/48000/2", "a=fmtp:96 useinbandfec=1", "a=rtcp-fb:96 nack"]


@pytest.fixture(scope="module")
def relay():
    with Relay(interfaces=["127.0.0.1", "pub/127.0.0.2!192.0.2.7", "rr:1/127.0.0.3", "rr:2/127.0.0.4", "six/::1", "other=pub"], ports=1000) as running:
        yield running


@pytest.fixture(scope="module")
def a():
    with End() as end:
        yield end


@pytest.fixture(scope="module")
def b():
    with End() as end:
        yield end


def test_lines_stand_in_their_order_and_what_is_unknown_passes(relay, a, b):
    video = f"m=video {a.port + 100} RTP/AVP 97\r\na=mid:v\r\na=rtpmap:97 H264/90000\r\na=recvonly\r\n"
    fax = f"m=image {a.port + 200} udptl t38\r\na=T38FaxVersion:0\r\n"
    offer = a.sdp("8 96 101", session=["a=foo:bar", "a=group:BUNDLE a v", "a=sendrecv"], lines=[
        "i=hello", "b=AS:64", "a=ptime:20", "a=silenceSupp:off - - - -", "a=extmap:1 urn:x", "a=mid:a", *AUDIO,
        "a=candidate:1 1 UDP 1 10.0.0.1 9 typ host", "a=ice-ufrag:abcd", "a=maxptime:30"],
        more=video + fax + "m=application 0 TCP/BFCP *\r\n")
    call = Call(relay, a, b, offer_sdp=offer, answer_sdp=b.sdp(
        "8", more=video.replace(f" {a.port + 100} ", " 0 ") + fax + "m=application 0 TCP/BFCP *\r\n"))
    port = call.at_b[0].port
    text = call.offered.split("\r\n")
    assert text[:6] == ["v=0", f"o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=foo:bar", f"m=audio {port} RTP/AVP 8 96 101"]
    assert text[6:26] == [
        "i=hello", "c=IN IP4 127.0.0.1", "b=AS:64", "a=mid:a", "a=rtpmap:8 PCMA/8000", "a=rtpmap:96 opus/48000/2",
        "a=fmtp:96 useinbandfec=1", "a=rtcp-fb:96 nack", "a=rtpmap:101 telephone-event/8000", "a=extmap:1 urn:x",
        "a=silenceSupp:off - - - -", "a=maxptime:30", "a=sendrecv", f"a=rtcp:{port + 1}", "a=ptime:20",
        f"m=video {call.at_b[1].port} RTP/AVP 97", "c=IN IP4 127.0.0.1", "a=mid:v", "a=rtpmap:97 H264/90000", "a=recvonly"]
    assert text[-5:] == [f"m=image {call.at_b[2].port} udptl t38", "c=IN IP4 127.0.0.1", "a=T38FaxVersion:0", "m=application 0 TCP/BFCP *", ""]
    assert [s.port for s in call.at_a][1::2] == [0, 0] and len(call.at_a) == 4


def test_lines_may_end_in_a_line_feed_alone(relay, a):
    offer = relay.ng.call("offer", call_id="lf", from_tag="f", sdp=a.sdp().replace("\r\n", "\n"))["sdp"]
    assert sections(offer)[0].port


# Fields of the offer, lines of its audio section; what the callee must see in a line each, and must not.
OFFERS = {
    "nothing": ({}, [], ["a=rtcp:{rtcp}", "a=sendrecv", "m=audio {port} RTP/AVP 8 96 101"], ["a=rtcp-mux"]),
    "no rtcp attribute": ({"flags": ["no rtcp attribute"]}, [], [], ["a=rtcp:"]),
    "full rtcp attribute": ({"flags": ["full-rtcp-attribute"]}, [], ["a=rtcp:{rtcp} IN IP4 127.0.0.1"], []),
    "mux passes": ({}, ["a=rtcp-mux"], ["a=rtcp-mux", "a=rtcp:{rtcp}"], []),
    "mux offer": ({"rtcp-mux": ["offer"]}, [], ["a=rtcp-mux", "a=rtcp:{rtcp}"], []),
    "mux offer as a flag": ({"flags": ["rtcp-mux-offer"]}, [], ["a=rtcp-mux", "a=rtcp:{rtcp}"], []),
    "mux require": ({"rtcp-mux": ["require"]}, [], ["a=rtcp-mux", "a=rtcp:{port}"], []),
    "mux demux": ({"rtcp-mux": ["demux"]}, ["a=rtcp-mux"], ["a=rtcp:{rtcp}"], ["a=rtcp-mux"]),
    "transport": ({"transport-protocol": "RTP/AVPF"}, [], ["m=audio {port} RTP/AVPF 8 96 101", "a=rtcp-fb:96 nack"], []),
    "transport as a flag": ({"flags": ["RTP/AVPF"]}, [], ["m=audio {port} RTP/AVPF 8 96 101"], []),
    "feedback is no business of AVP": ({"transport protocol": "RTP/AVP", "PROTOCOL": "RTP/AVPF"}, [],
                                       ["m=audio {port} RTP/AVP 8 96 101"], ["a=rtcp-fb"]),
    "strip": ({"codec": {"strip": ["opus"]}}, [], ["m=audio {port} RTP/AVP 8 101"], ["opus"]),
    "strip by number": ({"codec": {"strip": ["8"]}}, [], ["m=audio {port} RTP/AVP 96 101"], ["PCMA"]),
    "strip as a flag": ({"flags": ["codec-strip-opus"]}, [], ["m=audio {port} RTP/AVP 8 101"], []),
    "strip all but": ({"codec": {"strip": ["all"], "except": ["PCMA"]}}, [], ["m=audio {port} RTP/AVP 8"], []),
    "except": ({"codec": {"except": ["opus/48000"]}}, [], ["m=audio {port} RTP/AVP 96 101"], []),
    "offer sorts": ({"codec": {"offer": ["opus", "PCMA"]}}, [], ["m=audio {port} RTP/AVP 96 8 101"], []),
    "mask": ({"codec": {"mask": ["opus"]}}, [], ["m=audio {port} RTP/AVP 8 101"], []),
    "nothing left restores all": ({"codec": {"strip": ["opus", "PCMA"]}}, [], ["m=audio {port} RTP/AVP 8 96 101"], []),
    "allow no codec media": ({"codec": {"strip": ["opus", "PCMA"]}, "flags": ["allow no codec media"]}, [],
                             ["m=audio {port} RTP/AVP 101"], []),
    "ptime": ({"ptime": 40}, ["a=ptime:20"], ["a=ptime:40"], ["a=ptime:20"]),
    "strip extmap": ({"flags": ["strip-extmap"]}, ["a=extmap:1 urn:x"], [], ["a=extmap"]),
    "strip one extmap": ({"extmap": {"strip": ["urn:x"]}}, ["a=extmap:1 urn:x", "a=extmap:2 urn:y"], ["a=extmap:2 urn:y"], ["urn:x"]),
    "sdp-attr add": ({"sdp-attr": {"audio": {"add": ["foo:bar"]}}}, [], ["a=foo:bar"], []),
    "sdp-attr remove": ({"sdp-attr": {"audio": {"remove": ["ptime:20"]}}}, ["a=ptime:20"], [], ["a=ptime"]),
    "sdp-attr substitute": ({"sdp-attr": {"audio": {"substitute": [["sendrecv", "sendonly"]]}}}, [], ["a=sendonly"], ["a=sendrecv"]),
    "sdp-attr adds no line of its own": ({"sdp-attr": {"audio": {"add": ["foo\r\nm=video 9 RTP/AVP 1"]}}}, [], ["a=foo"], ["m=video"]),
    "media address": ({"media-address": "192.0.2.99"}, [], ["c=IN IP4 192.0.2.99"], []),
    "direction": ({"direction": ["default", "pub"]}, [], ["c=IN IP4 192.0.2.7"], []),
    "to-interface": ({"to-interface": "pub"}, [], ["c=IN IP4 192.0.2.7"], []),
    "alias": ({"direction": ["default", "other"]}, [], ["c=IN IP4 192.0.2.7"], []),
    "address family": ({"address family": "IP6", "to-interface": "six"}, [], ["c=IN IP6 ::1"], []),
    "held by address": ({}, "0.0.0.0", ["c=IN IP4 0.0.0.0", "a=sendonly"], []),
    "zero address": ({"replace": ["zero-address"]}, "0.0.0.0", ["c=IN IP4 127.0.0.1", "a=sendonly"], []),
    "original sendrecv": ({"flags": ["original-sendrecv"]}, "0.0.0.0", [], ["a=sendonly"]),
    "replace origin": ({"replace": ["origin"], "direction": ["default", "pub"]}, [], ["o=- 1 1 IN IP4 192.0.2.7"], []),
    "rtpp_flags": ({"rtpp_flags": "replace-origin codec=[strip=[opus]] rtcp-mux=[offer require] direction=default direction=pub"}, [],
                   ["m=audio {port} RTP/AVP 8 101", "a=rtcp:{port}"], []),
    "rtpp-flags with escapes": ({"rtpp-flags": "sdp-attr=[audio=[add=[x--y..z foo]]] full-rtcp-attribute"}, [],
                                ["a=rtcp:{rtcp} IN IP4 127.0.0.1", "a=foo"], []),
    "sdes": ({"transport-protocol": "RTP/SAVP"}, [], ["a=crypto:1 AEAD_AES_256_GCM inline:", "a=crypto:12 NULL_HMAC_SHA1_32 inline:"], []),
    "sdes no": ({"transport-protocol": "RTP/SAVP", "SDES": ["no-AEAD_AES_256_GCM"]}, [], ["a=crypto:1 AEAD_AES_128_GCM"], ["AES_256_GCM"]),
    "sdes only": ({"transport-protocol": "RTP/SAVP", "flags": ["SDES-only-AES_CM_128_HMAC_SHA1_80"]}, [],
                  ["a=crypto:1 AES_CM_128_HMAC_SHA1_80"], ["a=crypto:2"]),
    "sdes order": ({"transport-protocol": "RTP/SAVP", "SDES": ["order:AES_CM_128_HMAC_SHA1_80;AES_192_CM_HMAC_SHA1_80"]}, [],
                   ["a=crypto:1 AES_CM_128_HMAC_SHA1_80", "a=crypto:2 AES_192_CM_HMAC_SHA1_80", "a=crypto:3 AEAD_AES_256_GCM"], []),
    "sdes session parameters": ({"transport-protocol": "RTP/SAVP", "SDES": ["only-AES_CM_128_HMAC_SHA1_80", "unencrypted_srtcp"]}, [],
                                ["UNENCRYPTED_SRTCP"], []),
    "sdes lifetime": ({"transport-protocol": "RTP/SAVP", "SDES": ["lifetime"]}, [], ["|2^31"], []),
    "sdes pad": ({"transport-protocol": "RTP/SAVP", "SDES": ["pad", "only-AEAD_AES_128_GCM"]}, [], ["=="], []),
    "osrtp": ({"transport-protocol": "RTP/AVP", "OSRTP": ["offer"]}, [], ["m=audio {port} RTP/AVP 8 96 101", "a=crypto:1 "], []),
    "unknown flags do nothing": ({"flags": ["frobnicate", "ICE-sideways"], "frobnicate": "x"}, [], ["m=audio {port} RTP/AVP 8 96 101"], []),
}


@pytest.mark.parametrize("name", OFFERS)
def test_an_offer_with(name, relay, a):
    fields, lines, wanted, unwanted = OFFERS[name]
    fields = dict(fields)
    address = lines if isinstance(lines, str) else None
    lines = [] if address else lines
    description = a.sdp("8 96 101", protocol=fields.pop("PROTOCOL", "RTP/AVP"), address=address, lines=[*AUDIO, *lines])
    offer = relay.ng.ask({"command": "offer", "call-id": f"table-{name}", "from-tag": "f", "sdp": description, **fields})
    assert offer["result"] == "ok", offer
    section = sections(offer["sdp"])[0]
    text = offer["sdp"].split("\r\n")
    for line in wanted:
        line = line.format(port=section.port, rtcp=section.port + 1)
        assert any(one == line or (line in one and line not in ("a=rtcp-mux",) and not line.startswith("m=")) for one in text), (line, offer["sdp"])
    for word in unwanted:
        assert word not in offer["sdp"], offer["sdp"]


# rtcp-mux: what the caller offers, flags of the offer, what the callee answers; whether caller and callee end muxed.
MUX = {
    "both": (True, {}, True, True, True),
    "the callee does not": (True, {}, False, False, False),
    "demux": (True, {"rtcp_mux": ["demux"]}, False, True, False),
    "accept": (True, {"rtcp_mux": ["accept"]}, False, True, False),
    "reject": (True, {"rtcp_mux": ["reject"]}, True, False, True),
    "offered by us": (False, {"rtcp_mux": ["offer"]}, True, False, True),
    "required": (False, {"rtcp_mux": ["require"]}, True, False, True),
}


@pytest.mark.parametrize("name", MUX)
def test_rtcp_mux_and_its_packets_when(name, relay):
    theirs, fields, answers, caller, callee = MUX[name]
    mux = ["a=rtcp-mux"]
    with End() as a, End() as b:
        call = Call(relay, a, b, offer=fields, offer_sdp=a.sdp(lines=mux if theirs else []),
                    answer_sdp=b.sdp(lines=mux if answers else []))
        assert call.at_a[0].mux == caller
        call.pass_both_ways()
        report = a.report()
        a.send(call.at_a[0].at if caller else call.at_a[0].rtcp_at, report, rtcp=not caller)
        data, source = b.receive(rtcp=not callee)
        assert data == report
        assert source[1] == call.at_b[0].port + (0 if callee else 1)


@pytest.mark.parametrize("direction", ["sendrecv", "sendonly", "recvonly", "inactive"])
def test_directions_pass(direction, relay, a, b):
    call = Call(relay, a, b, offer_sdp=a.sdp(lines=[f"a={direction}"]))
    assert f"a={direction}" in call.at_b[0].lines


def test_names_of_a_round_robin_take_turns(relay, a):
    seen = [sections(relay.ng.call("offer", call_id=f"rr-{n}", from_tag="f", sdp=a.sdp(), direction=["default", "rr"])["sdp"])[0].address
            for n in range(4)]
    assert sorted(seen) == ["127.0.0.3", "127.0.0.3", "127.0.0.4", "127.0.0.4"] and seen[0] != seen[1]


def test_the_interface_of_an_offer_holds_for_its_answer(relay, a, b):
    call = Call(relay, a, b, offer={"direction": ["pub", "default"]})
    assert call.at_a[0].address == "192.0.2.7" and call.at_b[0].address == "127.0.0.1"


def test_ipv4_and_ipv6_are_bridged(relay, a):
    with End("::1") as six:
        call = Call(relay, a, six, offer={"address_family": "IP6", "to_interface": "six"})
        assert call.at_b[0].address == "::1" and call.at_a[0].address == "127.0.0.1"
        call.pass_both_ways()


def test_a_description_that_was_here_already_comes_back_untouched(relay, a):
    once = relay.ng.call("offer", call_id="loop-1", from_tag="f", sdp=a.sdp(), flags=["loop-protect"])["sdp"]
    mark = next(line for line in once.split("\r\n") if line.startswith("a=rtpengine:"))
    assert len(mark) == len("a=rtpengine:") + 12
    again = relay.ng.call("offer", call_id="loop-2", from_tag="g", sdp=once, flags=["loop-protect"])["sdp"]
    assert again == once


def test_the_version_of_a_description_rises_when_it_changes(relay, a, b):
    def version(sdp):
        return int(sdp.split("\r\n")[1].split()[2])
    flags = {"replace": ["SDP version"]}
    call = Call(relay, a, b, offer=flags, answer=flags)
    first = version(call.offered)
    same = relay.ng.call("offer", call_id=call.id, from_tag="from", to_tag="to", sdp=a.sdp(), **flags)["sdp"]
    other = relay.ng.call("offer", call_id=call.id, from_tag="from", to_tag="to", sdp=a.sdp(lines=["a=sendonly"]), **flags)["sdp"]
    assert version(same) == first and version(other) == first + 1


def test_user_and_session_name_stay_as_they_were_first(relay, a, b):
    flags = {"replace": ["username", "session name"]}
    call = Call(relay, a, b, offer=flags, offer_sdp=a.sdp().replace("o=- ", "o=alice ").replace("s=-", "s=first"))
    again = relay.ng.call("offer", call_id=call.id, from_tag="from", to_tag="to", sdp=a.sdp().replace("s=-", "s=then"), **flags)["sdp"]
    assert "o=alice 1 1" in again and "s=first\r\n" in again


def test_a_kind_of_media_is_kept_from_the_callee_and_refused_to_the_caller(relay, a, b):
    with End() as c:
        video = f"m=video {c.port} RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n"
        call = Call(relay, a, b, offer={"sdp_media_remove": ["video"]}, offer_sdp=a.sdp(more=video))
        assert [s.kind for s in call.at_b] == ["audio"]
        assert [(s.kind, s.port) for s in call.at_a] == [("audio", call.at_a[0].port), ("video", 0)]
        call.pass_both_ways()


def test_sections_of_any_kind_carry_what_is_sent_on_them(relay, a, b):
    """A second RTP section, and fax over UDP, which is no RTP at all."""
    with End() as video_a, End() as video_b, End() as fax_a, End() as fax_b:
        def more(video, fax):
            return f"m=video {video.port} RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\nm=image {fax.port} udptl t38\r\n"
        call = Call(relay, a, b, offer_sdp=a.sdp(more=more(video_a, fax_a)), answer_sdp=b.sdp(more=more(video_b, fax_b)))
        call.pass_both_ways()
        for end, there, at in ((video_a, video_b, call.at_a[1]), (video_b, video_a, call.at_b[1])):
            packet = end.packet(b"x" * 1300, 97)
            end.send(at.at, packet)
            assert there.receive()[0] == packet
        for end, there, at in ((fax_a, fax_b, call.at_a[2]), (fax_b, fax_a, call.at_b[2])):
            end.send(at.at, b"\x00\x01\x06fax")
            assert there.receive()[0] == b"\x00\x01\x06fax"


def test_media_comes_from_where_the_signalling_came_with_sip_source_address(relay, a, b):
    call = Call(relay, a, b, offer={"received_from": ["IP4", "127.0.0.1"], "flags": ["SIP source address"]},
                offer_sdp=a.sdp(address="10.9.9.9"))
    packet = b.packet()
    b.send(call.at_b[0].at, packet)
    assert a.receive()[0] == packet


def test_dtls_goes_through_between_two_that_speak_it_and_ends_here_only_with_a_certificate_to_expect(relay, a, b):
    secure = ["a=setup:actpass", "a=fingerprint:sha-256 AA:BB", "a=tls-id:abc"]
    call = Call(relay, a, b, offer_sdp=a.sdp(protocol="UDP/TLS/RTP/SAVP", lines=secure),
                answer_sdp=b.sdp(protocol="UDP/TLS/RTP/SAVP", lines=["a=setup:active", "a=fingerprint:sha-256 CC:DD"]))
    assert "a=fingerprint:sha-256 AA:BB" in call.at_b[0].lines and "a=setup:active" in call.at_a[0].lines
    hello = b"\x16\xfe\xff\0\0\0\0\0\0\0\0\0\x03abc"
    a.send(call.at_a[0].at, hello)
    assert b.receive()[0] == hello
    with pytest.raises(Refused, match="expected a=fingerprint"):
        relay.ng.call("offer", call_id="dtls-2", from_tag="f", sdp=a.sdp(protocol="UDP/TLS/RTP/SAVP", lines=secure), transport_protocol="RTP/AVP")
