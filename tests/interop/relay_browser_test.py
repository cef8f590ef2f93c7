"""The relay between Chromium and a phone that knows RTP only: each hears the other's tone."""
import base64
import re
import shutil
import signal
import subprocess
import time
import urllib.request

import pytest
from chromium import Chromium
from exchange import program, wait_for
from relaying import End, Refused, Relay, sections
from running import free_port
from talking import browser, hear_each_other, hears, Page, PHONES, Talker  # noqa: F401

pytestmark = pytest.mark.skipif(not shutil.which("chromium"), reason="needs Chromium")

TO_BROWSER = {"flags": ["WebRTC"]}
TO_PHONE = {"transport_protocol": "RTP/AVP", "ICE": "remove", "rtcp_mux": ["demux"]}


@pytest.fixture(scope="module")
def relay():
    with Relay(ports=1000) as running:
        yield running


@pytest.fixture
def page(browser):  # noqa: F811
    one = Page(browser, 1000)
    yield one
    one.close()


@pytest.fixture
def phone():
    with Talker(440) as one:
        yield one


def browser_calls(relay, page, phone, call, **options):
    offered = relay.ng.call("offer", call_id=call, from_tag="page", sdp=page.offer(), **TO_PHONE, **options)["sdp"]
    answered = relay.ng.call("answer", call_id=call, from_tag="page", to_tag="phone", sdp=phone.sdp(formats=str(phone.payload_type)), **TO_BROWSER)["sdp"]
    page.take(answered)
    phone.at = sections(offered)[0].at
    return offered, answered


def phone_calls(relay, phone, page, call, **options):
    offered = relay.ng.call("offer", call_id=call, from_tag="phone", sdp=phone.sdp(formats=str(phone.payload_type)), **TO_BROWSER, **options)["sdp"]
    answered = relay.ng.call("answer", call_id=call, from_tag="phone", to_tag="page", sdp=page.answer(offered), **TO_PHONE)["sdp"]
    phone.at = sections(answered)[0].at
    return offered, answered


def media(relay, call, tag):
    return relay.ng.call("query", call_id=call)["tags"][tag]["medias"][0]


@pytest.mark.parametrize("payload_type", [0, 8])
@pytest.mark.parametrize("calls", [browser_calls, phone_calls])
def test_chromium_and_a_phone_hear_each_other(calls, payload_type, relay, page, phone):
    phone.payload_type = payload_type
    parties = (page, phone) if calls is browser_calls else (phone, page)
    call = f"chromium-{calls.__name__}-{payload_type}"
    calls(relay, *parties, call)
    page.up()
    hear_each_other(page, phone)
    told = media(relay, call, "page")
    assert told["ICE state"] == "completed" and told["DTLS state"] == "connected" and told["mode"] == "srtp"
    wait_for(lambda: page.figures()["inbound-rtp"]["packetsReceived"] > 10, what="Chromium's packets")
    figures = page.figures()
    assert figures["inbound-rtp"]["packetsLost"] == 0
    assert figures["transport"]["dtlsState"] == "connected" and figures["transport"]["iceState"] in ("connected", "completed")


def test_two_pages_hear_each_other(relay, browser, page):  # noqa: F811
    other = Page(browser, 700)
    try:
        offered = relay.ng.call("offer", call_id="pages", from_tag="page", sdp=page.offer(), **TO_BROWSER)["sdp"]
        answered = relay.ng.call("answer", call_id="pages", from_tag="page", to_tag="other", sdp=other.answer(offered), **TO_BROWSER)["sdp"]
        page.take(answered)
        page.up()
        other.up()
        hear_each_other(page, other)
        assert sections(offered)[0].attribute("fingerprint") == sections(answered)[0].attribute("fingerprint")
    finally:
        other.close()


def fragment(page, candidates):
    """As a gateway makes one of what a page trickles (RFC 8840)."""
    section = sections(page.do("peer.localDescription.sdp"))[0]
    return "\r\n".join([f"a=ice-ufrag:{section.attribute('ice-ufrag')}", f"a=ice-pwd:{section.attribute('ice-pwd')}", "m=audio 9 UDP/TLS/RTP/SAVPF 0",
                        f"a=mid:{section.attribute('mid')}", *(f"a={one}" for one in candidates), "a=end-of-candidates"]) + "\r\n"


def without_candidates(sdp):
    return "\r\n".join(line for line in sdp.split("\r\n") if "candidate" not in line)


@pytest.mark.parametrize("calls", ["page", "phone"])
def test_candidates_that_come_later_open_the_path(calls, relay, page, phone):
    """Neither side has any at first, so that nothing but those that the page trickles leads anywhere."""
    call, fields = f"trickled-{calls}", {"from_tag": calls, "to_tag": "phone" if calls == "page" else "page"}
    if calls == "page":
        offer = without_candidates(page.offer(wait=False))
        assert "a=ice-options:trickle" in offer
        offered = relay.ng.call("offer", call_id=call, from_tag="page", sdp=offer, **TO_PHONE)["sdp"]
        answered = relay.ng.call("answer", call_id=call, sdp=phone.sdp(formats="0"), **fields, **TO_BROWSER)["sdp"]
        page.take(without_candidates(answered))
        phone.at = sections(offered)[0].at
    else:
        offered = relay.ng.call("offer", call_id=call, from_tag="phone", sdp=phone.sdp(formats="0"), **TO_BROWSER)["sdp"]
        answer = without_candidates(page.answer(without_candidates(offered), wait=False))
        phone.at = sections(relay.ng.call("answer", call_id=call, sdp=answer, **fields, **TO_PHONE)["sdp"])[0].at
    page.do("local(true)")
    time.sleep(0.3)
    assert media(relay, call, "page")["ICE state"] == "checking" and page.figures()["state"] in ("new", "connecting")
    stale = fragment(page, page.do("candidates")).replace("a=ice-ufrag:", "a=ice-ufrag:other")
    for sdp in (stale, fragment(page, page.do("candidates"))):
        assert "candidate:" in sdp and media(relay, call, "page")["ICE state"] == "checking"
        reply = relay.ng.call("offer" if calls == "page" else "answer", call_id=call, sdp=sdp, flags=["fragment"], **fields)
        assert "sdp" not in reply
        time.sleep(0.2)
    page.up()
    hear_each_other(page, phone)


def test_candidates_that_come_before_the_answer_count_with_it(relay, page, phone):
    offer = without_candidates(page.offer(wait=False))
    relay.ng.call("offer", call_id="early", from_tag="page", sdp=offer, **TO_PHONE)
    with End() as early:
        line = f"candidate:8 1 udp 2130706431 127.0.0.1 {early.port} typ host"
        relay.ng.call("offer", call_id="early", from_tag="page", sdp=fragment(page, [line]), flags=["fragment"])
        assert early.receive(timeout=0.2)[0] is None
        relay.ng.call("answer", call_id="early", from_tag="page", to_tag="phone", sdp=phone.sdp(formats="0"), **TO_BROWSER)
        check, _from = early.receive()
        user = sections(page.do("peer.localDescription.sdp"))[0].attribute("ice-ufrag").encode()
        assert check and check[:2] == b"\0\1" and user + b":" in check


def test_a_page_that_hides_its_addresses_is_heard(relay, phone):
    """Chromium as it comes tells names in .local (RFC 8828) in place of addresses; its own checks tell them."""
    hidden = Chromium(mdns=True)
    try:
        hidden.run(PHONES)
        for calls in (browser_calls, phone_calls):
            page = Page(hidden, 1000)
            parties = (page, phone) if calls is browser_calls else (phone, page)
            calls(relay, *parties, f"hidden-{calls.__name__}")
            assert ".local " in page.do("peer.localDescription.sdp")
            page.up()
            hear_each_other(page, phone)
            page.close()
    finally:
        hidden.close()


@pytest.mark.parametrize("calls,where", [(browser_calls, "backward"), (phone_calls, "forward"), (phone_calls, "both")])
def test_a_lite_relay_leaves_the_checks_to_the_page(calls, where, relay, page, phone):
    call, parties = f"lite-{calls.__name__}-{where}", (page, phone) if calls is browser_calls else (phone, page)
    offered, answered = calls(relay, *parties, call, ICE_lite=where)
    to_page, to_phone = (answered, offered) if calls is browser_calls else (offered, answered)
    assert "\r\na=ice-lite\r\n" in to_page and "ice-lite" not in to_phone
    page.up()
    hear_each_other(page, phone)
    told = media(relay, call, "page")
    assert told["ICE state"] in ("connected", "completed") and "ICE controlling" not in told["flags"]
    wait_for(lambda: media(relay, call, "page")["ICE state"] == "completed", what="Chromium's nomination")
    assert page.figures()["transport"]["iceRole"] == "controlling"


def test_a_page_that_is_gone_is_sent_nothing_and_may_come_back(relay, phone):
    """RFC 7675: 30 s after its last answer. The same for a lite relay, which makes no checks and goes by what it hears."""
    with Talker(700) as friend:
        doomed, ears = Chromium(), {"full": phone, "lite": friend}
        doomed.run(PHONES)
        for kind, ear in ears.items():
            page = Page(doomed, 1000)
            phone_calls(relay, ear, page, f"gone-{kind}", **({"ICE_lite": "forward"} if kind == "lite" else {}))
            page.up()
            hears(ear, page)
            wait_for(lambda: media(relay, f"gone-{kind}", "page")["ICE state"] == "completed", what="a selected path")
        doomed.process.kill()
        begun = time.monotonic()
        doomed.close()

        def states():
            return {kind: media(relay, f"gone-{kind}", "page")["ICE state"] for kind in ears}
        time.sleep(20)
        assert states() == {"full": "completed", "lite": "completed"}, "given up too early"
        wait_for(lambda: set(states().values()) == {"failed"}, timeout=20, what="the end of consent")
        assert 24 <= time.monotonic() - begun <= 36
        sent = {kind: media(relay, f"gone-{kind}", "page")["streams"][0]["stats_out"]["packets"] for kind in ears}
        time.sleep(0.5)
        assert sent == {kind: media(relay, f"gone-{kind}", "page")["streams"][0]["stats_out"]["packets"] for kind in ears}
        assert relay.output().count("consent") == 2, relay.output()
        back = Chromium()
        try:
            back.run(PHONES)
            for kind, ear in ears.items():
                page = Page(back, 1600)
                offered = relay.ng.call("offer", call_id=f"gone-{kind}", from_tag="page", to_tag="phone", sdp=page.offer(), **TO_PHONE)["sdp"]
                page.take(relay.ng.call("answer", call_id=f"gone-{kind}", from_tag="page", to_tag="phone", sdp=ear.sdp(formats="0"), **TO_BROWSER)["sdp"])
                ear.at = sections(offered)[0].at
                page.up()
                hear_each_other(page, ear)
        finally:
            back.close()


def test_metrics_tell_how_ice_and_dtls_fare(page, phone, browser):  # noqa: F811
    port = free_port()
    with Relay(options=[f"--listen-http=127.0.0.1:{port}"]) as relay:
        def figure(name):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
                return int(re.search(rf"(?m)^rtpengine_{re.escape(name)} (\d+)$", reply.read().decode())[1])
        assert figure('ice_paths{state="completed"}') == figure("dtls_handshakes_total") == 0
        phone_calls(relay, phone, page, "good")
        page.up()
        hear_each_other(page, phone)
        assert figure('ice_paths{state="completed"}') == figure('dtls_paths{state="connected"}') == figure("dtls_handshakes_total") == 1
        impostor = Page(browser, 700)
        with Talker(1600) as other:
            offered = relay.ng.call("offer", call_id="bad", from_tag="phone", sdp=other.sdp(formats="0"), **TO_BROWSER)["sdp"]
            answer = re.sub(r"(a=fingerprint:sha-256 )\S+", r"\g<1>" + ":".join(["00"] * 32), impostor.answer(offered))
            relay.ng.call("answer", call_id="bad", from_tag="phone", to_tag="page", sdp=answer, **TO_PHONE)
            wait_for(lambda: figure("dtls_handshakes_failed_total") == 1, what="the handshake's failure")
            wait_for(lambda: figure('dtls_paths{state="ended"}') == 1, what="the end of it")
            assert media(relay, "bad", "page")["DTLS state"] == "ended"
            impostor.close()
        for call in ("good", "bad"):
            relay.ng.call("delete", call_id=call, delete_delay=0)
        assert figure('ice_paths{state="completed"}') == figure('dtls_paths{state="ended"}') == 0
        assert figure("dtls_handshakes_total") == figure("dtls_handshakes_failed_total") == 1
        assert figure("ice_consent_lost_total") == figure("ice_failed_total") == 0


def test_the_certificate_is_made_as_the_options_say(page, phone):
    options = ["--dtls-cert-cipher=RSA", "--dtls-rsa-key-size=3072", "--dtls-signature=SHA-384", "--dtls-ciphers=ECDHE-RSA-CHACHA20-POLY1305"]
    with Relay(options=options) as relay:
        phone_calls(relay, phone, page, "certified")
        page.up()
        hear_each_other(page, phone)
        transport = page.figures()["transport"]
        assert transport["dtlsCipher"] == "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
        shown = base64.b64decode(page.do("certificate()"))
        text = subprocess.run(["openssl", "x509", "-inform", "der", "-noout", "-text"], input=shown, capture_output=True).stdout.decode()
        assert "Public-Key: (3072 bit)" in text and "Signature Algorithm: sha384WithRSAEncryption" in text


@pytest.mark.parametrize("option", ["dtls-rsa-key-size=1024", "dtls-signature=MD5", "dtls-ciphers=ENIGMA"])
def test_a_certificate_that_nobody_would_take_is_refused_at_the_start(option):
    told = subprocess.run([program, "relay", "--config-file=none", "--interface=127.0.0.1", "--listen-ng=127.0.0.1:1", f"--{option}"],
                          capture_output=True, text=True, timeout=10)
    assert told.returncode == 255 and option.split("=")[0] in told.stderr and option.split("=")[1] in told.stderr


def test_what_a_reload_applies_and_what_it_does_not(phone, page, tmp_path):
    config = "[rtpengine]\ntimeout = 60\n"
    with Relay(config=config) as relay:
        phone_calls(relay, phone, page, "goes-on")
        page.up()
        with pytest.raises(Refused, match="recording-dir"):
            relay.ng.call("start recording", call_id="goes-on")
        more = f"recording-dir = {tmp_path}\nrecording-format = eth\ndtls-cert-cipher = RSA\ndtls-ciphers = ECDHE-RSA-AES256-GCM-SHA384\ncontrol-tos = 8\n"
        (relay.log.parent / "relay.conf").write_text(config + more)
        relay.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "reloaded" in relay.output(), what="the reload")
        for what in ("the kind of certificate", "dtls-ciphers", "control-tos"):
            assert f"{what} changes only with a restart" in relay.output()
        assert "recording" not in relay.output().split("reloaded")[0].split("changes only")[-1]
        relay.ng.call("start recording", call_id="goes-on")
        hear_each_other(page, phone)
        relay.ng.call("delete", call_id="goes-on", delete_delay=0)
        capture = wait_for(lambda: list(tmp_path.glob("pcaps/*.pcap")), what="the capture")[0]
        wait_for(lambda: list(tmp_path.glob("metadata/*.txt")), what="its text")
        head = capture.read_bytes()[:24]
        assert int.from_bytes(head[20:24], "little") == 1  # LINKTYPE_ETHERNET
        assert capture.stat().st_size > 20 * 200
