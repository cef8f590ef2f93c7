"""How the streams of a call fare, as the parties say in RTCP: in `query` and `delete`, in the statistics and the metrics."""
import json
import shutil
import struct
import time
import urllib.request

import pytest
from exchange import wait_for
from relay_reinvite_test import Browser, Dialogue, Plain
from relaying import a, b  # noqa: F401
from relaying import Call, Relay
from running import free_port
from talking import browser  # noqa: F401

NTP = 0xB44DB70520000000
MIDDLE = NTP >> 16 & 0xffffffff


def sender_report(end):
    return struct.pack("!BBHIQIII", 0x80, 200, 6, end.ssrc, NTP, end.stamp, 1, 160)


def receiver_report(end, about, fraction=0, lost=0, jitter=0, last=0, delay=0.0):
    return struct.pack("!BBHIIIIIII", 0x81, 201, 7, end.ssrc, about, fraction << 24 | lost, 7, jitter, last, round(delay * 65536))


def judge(call, a, b):  # noqa: F811
    """The caller speaks, the callee says what it heard: a report with a time, and one without."""
    a.send(call.at_a[0].at, a.packet())
    assert b.receive()[0]
    a.send(call.at_a[0].rtcp_at, sender_report(a), rtcp=True)
    assert b.receive(rtcp=True)[0][4:8] == struct.pack("!I", a.ssrc)
    time.sleep(0.3)  # 250 of these it says that it waited
    b.send(call.at_b[0].rtcp_at, receiver_report(b, a.ssrc, lost=3, last=MIDDLE, delay=0.25), rtcp=True)
    assert a.receive(rtcp=True)[0]
    b.send(call.at_b[0].rtcp_at, receiver_report(b, a.ssrc, fraction=64, lost=9, jitter=160), rtcp=True)
    assert a.receive(rtcp=True)[0]
    b.send(call.at_b[0].rtcp_at, receiver_report(b, 0x1BAD, fraction=255), rtcp=True)
    assert a.receive(rtcp=True)[0]


def test_what_parties_report_is_told_by_query_and_delete(a, b):  # noqa: F811
    http = free_port()
    with Relay(options=["--mos=LQ", f"--listen-http=127.0.0.1:{http}"]) as relay:
        call = Call(relay, a, b)
        judge(call, a, b)
        told = call.query()
        assert set(told["SSRC"]) == {str(a.ssrc)}
        quality = told["SSRC"][str(a.ssrc)]
        assert quality["cumulative loss"] == 9
        # G.107 of PCMU: R = 93.2 without loss, 45.8 with a quarter lost.
        average, lowest, highest = quality["average MOS"], quality["lowest MOS"], quality["highest MOS"]
        assert (lowest["MOS"], highest["MOS"], average["MOS"], average["samples"]) == (24, 44, 34, 2)
        assert (lowest["packet loss"], highest["packet loss"], lowest["jitter"], average["jitter"]) == (25, 0, 20, 10)
        assert 40_000 < average["round-trip time"] < 150_000 and highest["round-trip time leg"] == average["round-trip time leg"]
        assert abs(lowest["reported at"] - time.time()) < 5
        at_callee = told["tags"]["to"]["medias"][0]["egress SSRCs"]
        assert [one["SSRC"] for one in at_callee] == [a.ssrc] and at_callee[0]["average MOS"] == average
        assert call.delete()["SSRC"] == told["SSRC"]
        page = urllib.request.urlopen(f"http://127.0.0.1:{http}/metrics").read().decode()
        figures = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
        assert abs(float(figures["rtpengine_mos_total"]) - 6.765) < 0.01 and figures["rtpengine_mos_samples_total"] == "2"
        assert float(figures["rtpengine_jitter_total"]) == 20 and float(figures["rtpengine_packetloss_total"]) == 25
        assert figures["rtpengine_rtt_dsct_samples_total"] == "1"
        statistics = json.loads(relay.ng.call("cli", body="list jsonstats")["response"])
        assert abs(float(statistics["mos"]["mos_average"]) - 3.38) < 0.01
        assert float(statistics["voip_metrics"]["packetloss_average"]) == 12.5


@pytest.mark.parametrize("where", ["full", "global", "inline", "none"])
def test_where_quality_is_told_is_an_option(where, a, b):  # noqa: F811
    with Relay(options=[f"--ssrc-reporting={where}"]) as relay:
        call = Call(relay, a, b)
        judge(call, a, b)
        told = call.query()
        assert bool(told["SSRC"]) == (where in ("full", "global"))
        assert bool(told["tags"]["to"]["medias"][0]["egress SSRCs"]) == (where in ("full", "inline"))


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs Chromium")
def test_chromium_reports_what_a_lossy_line_loses(browser):  # noqa: F811
    """Of ten packets of the phone one gets lost on the way to the relay, and Chromium says so."""
    parties = []
    with Relay() as relay:
        try:
            parties += [Browser(440, browser), Plain(1000)]
            page, phone = parties
            call = Dialogue(relay, page, phone)
            whole = phone.mouth.packet

            def lossy(*words):
                if phone.mouth.sequence % 10 == 0:
                    phone.mouth.sequence += 1
                return whole(*words)
            phone.mouth.packet = lossy

            def quality():
                return relay.ng.call("query", call_id=call.id)["SSRC"].get(str(phone.mouth.ssrc), {})
            wait_for(lambda: quality().get("lowest MOS", {}).get("packet loss", 0) >= 7, timeout=30, what="Chromium's report of the loss")
            lowest = quality()["lowest MOS"]
            assert 7 <= lowest["packet loss"] <= 13
            # PCMU with 7 to 13 of 100 lost: 95 * 7 / 32.1 to 95 * 13 / 38.1 off 93.2.
            assert 30 <= lowest["MOS"] <= 38, lowest
            assert quality()["cumulative loss"] > 0
        finally:
            for one in parties:
                one.close()
