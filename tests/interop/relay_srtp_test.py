"""SRTP with keys in SDP through the relay; the other end is libsrtp."""
import base64
import struct

import pytest
from relaying import a, b  # noqa: F401
from relaying import Call, End, Refused, Relay, sections
from srtp_keys import line_of, PROFILES, Secure, STANDARD

OTHERS = ["AES_256_CM_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_32", "AES_192_CM_HMAC_SHA1_80", "AES_192_CM_HMAC_SHA1_32",
          "F8_128_HMAC_SHA1_80", "F8_128_HMAC_SHA1_32", "NULL_HMAC_SHA1_80", "NULL_HMAC_SHA1_32"]


@pytest.fixture(scope="module")
def relay():
    with Relay(ports=1000) as running:
        yield running


def plain_to_secure(relay, a, b, suite):
    """A call from a plain caller to a callee with keys; the callee's keys, having heard ours."""
    keys = Secure(suite)

    def answer(offered):
        line = line_of(sections(offered)[0], suite)
        keys.tag = line.split()[0]
        if keys.profile is not None:
            keys.hear(line)
        return b.sdp(protocol="RTP/SAVP", lines=[keys.line])
    call = Call(relay, a, b, offer={"transport_protocol": "RTP/SAVP"}, answer_sdp=answer)
    assert call.at_a[0].protocol == "RTP/AVP" and not call.at_a[0].attributes("crypto")
    return call, keys


def both_ways(call, keys, rounds=3):
    for _ in range(rounds):
        packet = call.a.packet()
        call.a.send(call.at_a[0].at, packet)
        sealed = call.b.receive()[0]
        assert sealed != packet and keys.receiving.unprotect(sealed) == packet
        packet = call.b.packet()
        call.b.send(call.at_b[0].at, keys.sending.protect(packet))
        assert call.a.receive()[0] == packet


@pytest.mark.parametrize("suite", PROFILES)
def test_a_plain_phone_talks_to_a_secure_one_by(suite, relay, a, b):
    call, keys = plain_to_secure(relay, a, b, suite)
    both_ways(call, keys)
    report = a.report()
    a.send(call.at_a[0].rtcp_at, report, rtcp=True)
    assert keys.receiving.unprotect_rtcp(b.receive(rtcp=True)[0]) == report
    b.send(call.at_b[0].rtcp_at, keys.sending.protect_rtcp(b.report()), rtcp=True)
    assert a.receive(rtcp=True)[0] == b.report()
    media = call.query()["tags"]["to"]["medias"][0]
    assert media["mode"] == "srtp" and "SDES" in media["flags"] and media["streams"][0]["crypto suite"] == suite


@pytest.mark.parametrize("suite", OTHERS)
def test_a_suite_that_libsrtp_has_not_leads_back_to_the_same_packet(suite, relay, a, b):
    """Two relays' worth: plain to secure and back to plain, through two calls with these keys."""
    with End() as c, End() as d:
        there = relay.ng.call("offer", call_id=f"there-{suite}", from_tag="f", sdp=a.sdp(), transport_protocol="RTP/SAVP",
                              SDES=[f"only-{suite}"])["sdp"]
        onward = relay.ng.call("offer", call_id=f"on-{suite}", from_tag="f", sdp=there, transport_protocol="RTP/AVP")["sdp"]
        back = relay.ng.call("answer", call_id=f"on-{suite}", from_tag="f", to_tag="t", sdp=d.sdp())["sdp"]
        assert f" {suite} inline:" in back
        home = relay.ng.call("answer", call_id=f"there-{suite}", from_tag="f", to_tag="t", sdp=back)["sdp"]
        for end, other, at in ((a, d, sections(home)[0]), (d, a, sections(onward)[0])):
            for _ in range(3):
                packet = end.packet()
                end.send(at.at, packet)
                assert other.receive()[0] == packet
        assert c is not d


def test_what_is_not_authentic_goes_nowhere_and_teaches_nothing(relay, a, b):
    call, keys = plain_to_secure(relay, a, b, STANDARD)
    both_ways(call, keys)
    with End() as stranger:
        forged = Secure()
        for _ in range(20):
            stranger.send(call.at_b[0].at, forged.sending.protect(stranger.packet()))
        assert a.receive(timeout=0.2)[0] is None
        again = keys.sending.protect(b.packet())
        b.send(call.at_b[0].at, again)
        assert a.receive()[0]
        b.send(call.at_b[0].at, again)  # replayed
        assert a.receive(timeout=0.2)[0] is None
    both_ways(call, keys)


def test_keys_and_rollover_counters_outlive_new_offers(relay, a, b):
    call, keys = plain_to_secure(relay, a, b, STANDARD)
    a.sequence = b.sequence = 65533
    both_ways(call, keys, rounds=6)  # past the end of the sequence numbers
    offer = relay.ng.call("offer", call_id=call.id, from_tag="from", to_tag="to", sdp=a.sdp(lines=["a=sendrecv"]))["sdp"]
    line = line_of(sections(offer)[0], STANDARD)
    assert base64.b64decode(line.split()[2].removeprefix("inline:") + "==")[:30] == keys.theirs
    relay.ng.call("answer", call_id=call.id, from_tag="from", to_tag="to", sdp=b.sdp(protocol="RTP/SAVP", lines=[keys.line]))
    both_ways(call, keys)
    # the secure side offers, on a new port
    with End() as moved:
        moved.sequence, moved.ssrc, moved.stamp = b.sequence, b.ssrc, b.stamp
        back = relay.ng.call("offer", call_id=call.id, from_tag="to", to_tag="from", sdp=moved.sdp(protocol="RTP/SAVP", lines=[keys.line]),
                             transport_protocol="RTP/AVP")["sdp"]
        answer = relay.ng.call("answer", call_id=call.id, from_tag="to", to_tag="from", sdp=a.sdp())["sdp"]
        assert base64.b64decode(line_of(sections(answer)[0], STANDARD).split()[2].removeprefix("inline:") + "==")[:30] == keys.theirs
        call.b, call.at_a, call.at_b = moved, sections(back), sections(answer)
        both_ways(call, keys)


def test_two_secure_phones_share_their_keys_and_the_relay_has_none(relay, a, b):
    caller, callee = Secure(tag=3), Secure()

    def answer(offered):
        first = sections(offered)[0].attributes("crypto")[0]
        assert first.split()[0] == "3" and callee.hear(first).theirs == caller.key
        callee.tag = 3
        return b.sdp(protocol="RTP/SAVP", lines=[callee.line])
    call = Call(relay, a, b, offer_sdp=a.sdp(protocol="RTP/SAVP", lines=[caller.line]), answer_sdp=answer)
    assert caller.hear(call.at_a[0].attributes("crypto")[0]).theirs == callee.key
    for one, other, mine, theirs, at in ((a, b, caller, callee, call.at_a[0]), (b, a, callee, caller, call.at_b[0])):
        for _ in range(3):
            packet = one.packet()
            sealed = mine.sending.protect(packet)
            one.send(at.at, sealed)
            got = other.receive()[0]
            assert got == sealed and theirs.receiving.unprotect(got) == packet
    media = call.query()["tags"]["from"]["medias"][0]
    assert media["mode"] == "forward" and "passthrough" in media["flags"]


def test_recrypt_gives_each_side_keys_of_its_own(relay, a, b):
    caller, callee = Secure(), Secure()

    def answer(offered):
        line = line_of(sections(offered)[0], STANDARD)
        assert callee.hear(line).theirs != caller.key
        callee.tag = line.split()[0]
        return b.sdp(protocol="RTP/SAVP", lines=[callee.line])
    call = Call(relay, a, b, offer={"flags": ["recrypt"]}, answer={"flags": ["recrypt"]},
                offer_sdp=a.sdp(protocol="RTP/SAVP", lines=[caller.line]), answer_sdp=answer)
    assert caller.hear(call.at_a[0].attributes("crypto")[0]).theirs != callee.key
    packet = a.packet()
    a.send(call.at_a[0].at, caller.sending.protect(packet))
    assert callee.receiving.unprotect(b.receive()[0]) == packet


def test_a_callee_that_takes_another_suite_gets_it(relay, a, b):
    caller, callee = Secure(STANDARD), Secure("AEAD_AES_128_GCM")

    def answer(offered):
        line = line_of(sections(offered)[0], "AEAD_AES_128_GCM")
        callee.hear(line)
        callee.tag = line.split()[0]
        return b.sdp(protocol="RTP/SAVP", lines=[callee.line])
    call = Call(relay, a, b, offer_sdp=a.sdp(protocol="RTP/SAVP", lines=[caller.line]), answer_sdp=answer)
    caller.hear(call.at_a[0].attributes("crypto")[0])
    for one, other, mine, theirs, at in ((a, b, caller, callee, call.at_a[0]), (b, a, callee, caller, call.at_b[0])):
        packet = one.packet()
        one.send(at.at, mine.sending.protect(packet))
        assert theirs.receiving.unprotect(other.receive()[0]) == packet


def test_a_secure_caller_reaches_a_plain_callee(relay, a, b):
    caller = Secure()
    call = Call(relay, a, b, offer={"transport_protocol": "RTP/AVP"}, offer_sdp=a.sdp(protocol="RTP/SAVP", lines=[
        "a=crypto:7 MADE_UP_SUITE inline:AAAA", caller.line]))
    assert call.at_b[0].protocol == "RTP/AVP" and not call.at_b[0].attributes("crypto")
    caller.hear(call.at_a[0].attributes("crypto")[0])
    packet = b.packet()
    b.send(call.at_b[0].at, packet)
    assert caller.receiving.unprotect(a.receive()[0]) == packet


def test_an_answer_without_a_key_is_refused(relay, a, b):
    with pytest.raises(Refused, match="no key for any suite"):
        Call(relay, a, b, offer={"transport_protocol": "RTP/SAVP"}, answer_sdp=b.sdp(protocol="RTP/SAVP"))


def test_feedback_stays_on_the_side_that_knows_it(relay, a, b):
    call = Call(relay, a, b, offer={"transport_protocol": "RTP/AVP"}, offer_sdp=a.sdp(protocol="RTP/AVPF"))
    nack = struct.pack("!BBHIII", 0x81, 205, 3, a.ssrc, b.ssrc, 0x10000)
    a.send(call.at_a[0].rtcp_at, a.report() + nack, rtcp=True)
    assert b.receive(rtcp=True)[0] == a.report()
    b.send(call.at_b[0].rtcp_at, b.report() + nack, rtcp=True)
    assert a.receive(rtcp=True)[0] == b.report() + nack
