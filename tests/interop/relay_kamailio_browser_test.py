"""Kamailio between Chromium, which speaks SIP over WebSocket, and sipp; its rtpengine module drives the relay."""
import json
import pathlib
import re
import shutil
import tempfile
import types

import pytest
from exchange import wait_for
from kamailio import run_kamailio
from relaying import Relay, sections
from running import free_port
from sipp import Sipp
from talking import browser, hear_each_other, Page, Talker  # noqa: F401

modules = pathlib.Path("/usr/lib/x86_64-linux-gnu/kamailio/modules/websocket.so")
pytestmark = pytest.mark.skipif(not shutil.which("chromium") or not modules.exists(), reason="needs Chromium and Kamailio's WebSocket")

CONFIG = """\
debug=2
log_stderror=yes
children=2
tcp_children=2
tcp_accept_no_cl=yes
auto_aliases=no
listen=udp:127.0.0.2:{port}
listen=tcp:127.0.0.2:{port}
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "siputils.so"
loadmodule "textops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "xhttp.so"
loadmodule "websocket.so"
loadmodule "nathelper.so"
loadmodule "rtpengine.so"
modparam("rtpengine", "rtpengine_sock", "udp:127.0.0.1:{ng}")
modparam("nathelper|registrar", "received_avp", "$avp(RECEIVED)")
event_route[xhttp:request] {
    if ($hdr(Upgrade) =~ "websocket" && ws_handle_handshake()) exit;
    xhttp_reply("404", "Not Found", "", "");
}
route[OFFER] {
    if ($proto == "ws") rtpengine_offer("{phone}");
    else rtpengine_offer("{page}");
    t_on_reply("MEDIA");
}
request_route {
    if (is_method("REGISTER")) {
        fix_nated_register();
        save("location");
        exit;
    }
    if ($proto == "ws") add_contact_alias();
    if (has_totag()) {
        loose_route();
        handle_ruri_alias();
        if (is_method("INVITE")) route(OFFER);
        if (is_method("BYE")) rtpengine_delete();
        t_relay();
        exit;
    }
    record_route();
    route(OFFER);
    if ($proto == "ws") $du = "sip:127.0.0.1:{called}";
    else if (!lookup("location")) {
        sl_send_reply("404", "Not here");
        exit;
    }
    t_relay();
}
onreply_route[MEDIA] {
    if ($proto == "ws") add_contact_alias();
    if (!has_body("application/sdp")) exit;
    if ($proto == "ws") rtpengine_answer("{phone}");
    else rtpengine_answer("{page}");
}
"""
PHONE = "trust-address replace-origin replace-session-connection RTP/AVP ICE=remove rtcp-mux-demux"


class Line:
    """The page's telephone on the proxy's WebSocket."""

    def __init__(self, page, url):
        self.page = page
        page.browser.run((pathlib.Path(__file__).parent / "browser_sip.js").read_text() + "; 0")
        page.browser.run(f"globalThis.line = new sip.Line({json.dumps(url)}, 'page', phones.of('{page.name}')); line.open()")

    def do(self, what):
        value = self.page.browser.run(f"line.{what}")
        assert self.page.browser.run("line.error") == ""
        return value


def told(sipp):
    """Where media goes by the last description that sipp got."""
    came = [part for part in re.split(r"-{40,}.*\n", sipp.messages()) if re.match(r"UDP message received", part) and "m=audio" in part]
    return sections("v=0\r\n" + came[-1].replace("\r", "").split("v=0\n", 1)[1].replace("\n", "\r\n"))[0] if came else None


@pytest.fixture
def phone():
    with Talker(440) as one:
        yield one


@pytest.fixture(params=["trust-address replace-origin replace-session-connection WebRTC",
                        "trust-address replace-origin replace-session-connection UDP/TLS/RTP/SAVPF ICE=force SDES-off "
                        "rtcp-mux-require generate-mid no-rtcp-attribute"], ids=["WebRTC", "flag-by-flag"])
def proxy(request):
    port, called = free_port("127.0.0.2"), free_port()
    with tempfile.TemporaryDirectory(prefix="kamailio-") as folder, Relay() as relay:
        process, output = run_kamailio(folder, CONFIG, port=port, called=called, ng=relay.port, page=request.param, phone=PHONE)
        try:
            wait_for(lambda: relay.ng.call("statistics")["statistics"]["controlstatistics"]["ping"]["count"] > 1, what="Kamailio's ping")
            yield types.SimpleNamespace(server=f"127.0.0.2:{port}", called=called, relay=relay, output=output)
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def line(proxy, browser):  # noqa: F811
    page = Page(browser, 1000)
    yield Line(page, f"ws://{proxy.server}")
    page.close()


def no_errors(proxy, offers):
    uses = proxy.relay.ng.call("statistics")["statistics"]["controlstatistics"]
    assert uses["offer"] == dict(uses["offer"], count=offers, errors=0)
    assert uses["answer"]["errors"] == 0 and uses["delete"]["count"] == 1


def test_a_page_calls_a_phone_through_kamailio(proxy, line, phone):
    with Sipp(proxy, "answer_with_media.xml", port=proxy.called, tone_port=phone.port) as sipp:
        line.do(f"call('sip:phone@{proxy.server}', '{proxy.server}')")
        phone.at = told(sipp).at
        line.page.up()
        hear_each_other(line.page, phone)
        line.do("again({iceRestart: true})")
        hear_each_other(line.page, phone)
        line.do("hang_up()")
        sipp.finish()
    no_errors(proxy, offers=2)


def test_a_phone_calls_a_page_through_kamailio(proxy, line, phone):
    assert line.do(f"register('{proxy.server}')") == 200
    with Sipp(proxy, "call_with_media.xml", extension="page", tone_port=phone.port) as sipp:
        wait_for(lambda: told(sipp), what="the answer")
        phone.at = told(sipp).at
        line.page.up()
        hear_each_other(line.page, phone)
        wait_for(lambda: sipp.messages().count("m=audio") == 4, what="the second offer and its answer")
        hear_each_other(line.page, phone)
        line.do("hang_up()")
        sipp.finish()
    no_errors(proxy, offers=2)
