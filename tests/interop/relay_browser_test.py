"""The relay between Chromium and a phone that knows RTP only: each hears the other's tone."""
import shutil

import pytest
from relaying import Relay, sections
from talking import browser, hear_each_other, Page, Talker  # noqa: F401

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
    figures = page.figures()
    assert figures["inbound-rtp"]["packetsReceived"] > 10 and figures["inbound-rtp"]["packetsLost"] == 0
    assert figures["transport"]["dtlsState"] == "connected" and figures["transport"]["iceState"] in ("connected", "completed")
