"""RTCP of the relay's own (`generate RTCP`), and figures of streams that nobody reports about (`measure-rtp`)."""
import shutil
import struct
import subprocess
import time
import urllib.request

import pytest
from aiortc.rtp import RtcpByePacket, RtcpPacket, RtcpPsfbPacket, RtcpRrPacket, RtcpSdesPacket, RtcpSrPacket
from exchange import wait_for
from relaying import a, b  # noqa: F401
from relaying import Call, Relay, sections
from running import free_port
from srtp_keys import line_of, Secure, STANDARD

NTP = 0xB44DB70520000000
MIDDLE = NTP >> 16 & 0xffffffff
GENERATE = {"flags": ["generate RTCP"]}


@pytest.fixture(scope="module")
def relay():
    with Relay(options=["--rtcp-interval=200"], ports=1000) as running:
        yield running


def speak(end, at, count, lose=0, seal=bytes, space=0.01):
    """So many packets; of `lose` one goes nowhere. Returns how many went."""
    went = 0
    for number in range(count):
        packet = end.packet()
        if lose and number % lose == 5:
            continue
        end.send(at, seal(packet))
        went += 1
        time.sleep(space)
    return went


def reports(end, unseal=bytes):
    """What has come as RTCP so far, as aiortc reads it: a list of compounds."""
    heard = []
    while True:
        data = end.receive(rtcp=True, timeout=0.01)[0]
        if data is None:
            return heard
        heard.append(RtcpPacket.parse(unseal(data)))


def collect(end, wanted, unseal=bytes, timeout=5):
    """Compounds up to the first that `wanted` takes, and that one alone."""
    heard = []

    def look():
        heard.extend(reports(end, unseal))
        return next((one for one in heard if wanted(one)), None)
    wait_for(look, timeout=timeout, what="a report of the relay's")
    return heard, look()


def block_about(compound, ssrc):
    return next((block for part in compound if isinstance(part, (RtcpSrPacket, RtcpRrPacket)) for block in part.reports
                 if block.ssrc == ssrc), None)


def sender_report(end):
    return struct.pack("!BBHIQIII", 0x80, 200, 6, end.ssrc, NTP, end.stamp, 1, 160) + end.report()[28:]


def test_each_side_gets_reports_of_the_relay_and_none_of_the_other(relay, a, b):  # noqa: F811
    call = Call(relay, a, b, offer=GENERATE)
    for party in call.query()["tags"].values():
        assert "generate RTCP" in party["medias"][0]["flags"]
    started = time.time()
    went = speak(a, call.at_a[0].at, 60, lose=10)
    a.send(call.at_a[0].rtcp_at, sender_report(a), rtcp=True)
    asked = time.monotonic()
    b.send(call.at_b[0].rtcp_at, b.report(), rtcp=True)

    # The callee has sent nothing: it is told what the caller's stream has come to, and reported nothing about.
    heard, last = collect(b, lambda one: isinstance(one[0], RtcpSrPacket) and one[0].sender_info.packet_count == went)
    for compound in heard:
        assert [type(part) for part in compound] == [RtcpSrPacket, RtcpSdesPacket], "the caller's own came through"
        assert compound[0].ssrc == a.ssrc and not compound[0].reports
        name, text = compound[1].chunks[0].items[0]
        assert compound[1].chunks[0].ssrc == a.ssrc and name == 1 and len(text) >= 8 and text != b"a@b"
    info = last[0].sender_info
    assert info.octet_count == went * 160
    assert started - 1 < info.ntp_timestamp / 2**32 - 2208988800 < time.time() + 1
    # The timestamp goes on from the last packet by the time that has passed since.
    assert 0 <= (info.rtp_timestamp - a.stamp) & 0xffffffff < 8000 * 3

    # The caller has sent, and learns what came of it, and when its report did.
    heard, last = collect(a, lambda one: (block := block_about(one, a.ssrc)) and block.lsr)
    block = block_about(last, a.ssrc)
    assert isinstance(last[0], RtcpRrPacket) and last[0].ssrc not in (a.ssrc, b.ssrc)
    assert block.packets_lost == 6 and block.lsr == MIDDLE and block.highest_sequence & 0xffff == a.sequence & 0xffff
    assert 0 <= block.dlsr / 65536 <= time.monotonic() - asked + 0.05
    assert all(one[0].ssrc == last[0].ssrc and isinstance(one[1], RtcpSdesPacket) for one in heard)
    assert max(block_about(one, a.ssrc).fraction_lost for one in heard if block_about(one, a.ssrc)) >= 15  # 256 / 10 and less
    call.delete()


def test_jitter_is_that_of_the_packets(relay, a, b):  # noqa: F811
    """Every other packet 10 ms late by its timestamp: |D| is 80 units."""
    call = Call(relay, a, b, offer=GENERATE)
    begin = time.monotonic()
    for number in range(100):
        time.sleep(max(0, begin + number * 0.02 + (number % 2) * 0.01 - time.monotonic()))
        a.send(call.at_a[0].at, a.packet())
    _, last = collect(a, lambda one: (block := block_about(one, a.ssrc)) and block.highest_sequence & 0xffff == a.sequence & 0xffff)
    assert 60 <= block_about(last, a.ssrc).jitter <= 110
    call.delete()


def test_reports_come_in_the_interval_and_up_to_a_second_more(a, b):  # noqa: F811
    with Relay(options=["--rtcp-interval=500"]) as running:
        call = Call(running, a, b, offer=GENERATE)
        times = []
        end = time.monotonic() + 8
        while time.monotonic() < end:
            a.send(call.at_a[0].at, a.packet())
            if b.receive(rtcp=True, timeout=0.02)[0]:
                times.append(time.monotonic())
        gaps = [later - earlier for earlier, later in zip(times, times[1:])]
        assert len(gaps) >= 4 and 0.45 <= min(gaps) and max(gaps) < 1.7, gaps


def test_a_secure_side_gets_them_under_its_key(relay, a, b):  # noqa: F811
    keys = Secure(STANDARD)

    def answer(offered):
        line = line_of(sections(offered)[0], STANDARD)
        keys.tag = line.split()[0]
        keys.hear(line)
        return b.sdp(protocol="RTP/SAVP", lines=[keys.line])
    call = Call(relay, a, b, offer={"transport_protocol": "RTP/SAVP", **GENERATE}, answer_sdp=answer)
    went = speak(a, call.at_a[0].at, 20)
    speak(b, call.at_b[0].at, 20, lose=10, seal=keys.sending.protect)
    b.send(call.at_b[0].rtcp_at, keys.sending.protect_rtcp(sender_report(b)), rtcp=True)
    _, last = collect(b, lambda one: (block := block_about(one, b.ssrc)) and block.lsr and isinstance(one[0], RtcpSrPacket),
                      keys.receiving.unprotect_rtcp)
    assert last[0].ssrc == a.ssrc and last[0].sender_info.packet_count == went
    assert block_about(last, b.ssrc).packets_lost == 2 and block_about(last, b.ssrc).lsr == MIDDLE
    # One may come before all have been heard.
    _, last = collect(a, lambda one: isinstance(one[0], RtcpSrPacket) and one[0].sender_info.packet_count >= 18)
    assert last[0].ssrc == b.ssrc and last[0].sender_info.packet_count == 18
    call.delete()


def test_keys_that_both_share_do_not_go_through_where_reports_are_made(relay, a, b):  # noqa: F811
    caller, callee = Secure(STANDARD), Secure(STANDARD)

    def answer(offered):
        line = line_of(sections(offered)[0], STANDARD)
        callee.tag = line.split()[0]
        callee.hear(line)
        return b.sdp(protocol="RTP/SAVP", lines=[callee.line])
    call = Call(relay, a, b, offer=GENERATE, offer_sdp=a.sdp(protocol="RTP/SAVP", lines=[caller.line]), answer_sdp=answer)
    caller.hear(call.at_a[0].attributes("crypto")[0])
    flags = call.query()["tags"]["to"]["medias"][0]["flags"]
    assert "passthrough" not in flags and "generate RTCP" in flags
    speak(a, call.at_a[0].at, 20, seal=caller.sending.protect)
    _, last = collect(b, lambda one: isinstance(one[0], RtcpSrPacket), callee.receiving.unprotect_rtcp)
    assert last[0].ssrc == a.ssrc
    call.delete()


def test_what_is_transcoded_is_reported_as_it_goes(relay, a, b):  # noqa: F811
    call = Call(relay, a, b, offer={"codec": {"mask": ["PCMU", "PCMA"], "transcode": ["G722"]}, **GENERATE},
                answer_sdp=b.sdp(formats="9"))
    went = speak(a, call.at_a[0].at, 50, space=0.02)
    stream = b.receive()[0]
    ssrc = struct.unpack("!I", stream[8:12])[0]
    assert ssrc != a.ssrc and stream[1] & 0x7f == 9
    _, last = collect(b, lambda one: isinstance(one[0], RtcpSrPacket) and one[0].sender_info.packet_count >= went - 2)
    assert last[0].ssrc == ssrc and last[0].sender_info.octet_count == last[0].sender_info.packet_count * 160
    _, last = collect(a, lambda one: block_about(one, a.ssrc))
    assert block_about(last, a.ssrc).packets_lost == 0
    call.delete()


def test_feedback_goes_on_after_a_report_without_blocks(relay, a, b):  # noqa: F811
    call = Call(relay, a, b, offer=GENERATE, offer_sdp=a.sdp(protocol="RTP/AVPF"), answer_sdp=b.sdp(protocol="RTP/AVPF"))
    picture_loss = struct.pack("!BBHII", 0x81, 206, 2, a.ssrc, b.ssrc)
    a.send(call.at_a[0].rtcp_at, sender_report(a) + picture_loss, rtcp=True)
    _, last = collect(b, lambda one: isinstance(one[-1], RtcpPsfbPacket))
    assert [type(part) for part in last] == [RtcpRrPacket, RtcpPsfbPacket] and not last[0].reports
    assert (last[0].ssrc, last[1].ssrc, last[1].media_ssrc) == (a.ssrc, a.ssrc, b.ssrc)
    call.delete()


def goodbyes(compounds):
    return [set(part.sources) for one in compounds for part in one if isinstance(part, RtcpByePacket)]


def test_when_the_call_ends_the_relay_takes_leave(relay, a, b):  # noqa: F811
    call = Call(relay, a, b, offer=GENERATE)
    speak(a, call.at_a[0].at, 20)
    b.send(call.at_b[0].rtcp_at, b.report(), rtcp=True)
    heard, last = collect(a, lambda one: isinstance(one[0], RtcpRrPacket))
    receiver = last[0].ssrc
    speak(a, call.at_a[0].at, 5)
    assert not goodbyes(heard + reports(b))
    call.delete()
    # The callee has heard the caller's stream, and the caller reports of ours; the callee perhaps, too.
    heard, last = collect(b, lambda one: goodbyes([one]), timeout=2)
    assert [type(part) for part in last][:3] == [RtcpSrPacket, RtcpSdesPacket, RtcpByePacket]
    assert last[0].ssrc == a.ssrc and goodbyes([last])[0] == {a.ssrc} and last[0].sender_info.packet_count == 25
    _, last = collect(a, lambda one: goodbyes([one]), timeout=2)
    assert [type(part) for part in last] == [RtcpRrPacket, RtcpSdesPacket, RtcpByePacket]
    assert goodbyes([last]) == [{receiver}]


def test_leave_is_taken_under_the_partys_key_and_once(relay, a, b):  # noqa: F811
    there = Secure(STANDARD)

    def answer(offered):
        line = line_of(sections(offered)[0], STANDARD)
        there.tag = line.split()[0]
        there.hear(line)
        return b.sdp(formats="0", protocol="RTP/SAVP", lines=[there.line])
    call = Call(relay, a, b, offer={**GENERATE, "transport_protocol": "RTP/SAVP"}, offer_sdp=a.sdp(formats="0"), answer_sdp=answer)
    speak(a, call.at_a[0].at, 10)
    b.drain()
    call.delete()
    heard, last = collect(b, lambda one: goodbyes([one]), unseal=there.receiving.unprotect_rtcp, timeout=2)
    time.sleep(0.2)
    assert goodbyes(heard + reports(b, there.receiving.unprotect_rtcp)) == [{a.ssrc}]


def test_where_the_parties_report_themselves_the_relay_takes_no_leave(relay, a, b):  # noqa: F811
    call = Call(relay, a, b)
    speak(a, call.at_a[0].at, 5)
    call.delete()
    time.sleep(0.3)
    assert not reports(a) and not reports(b)


def test_the_flag_is_taken_back(relay, a, b):  # noqa: F811
    call = Call(relay, a, b, offer=GENERATE, answer={"generate_RTCP": "off"})
    assert "generate RTCP" not in call.query()["tags"]["to"]["medias"][0]["flags"]
    speak(a, call.at_a[0].at, 5)
    a.send(call.at_a[0].rtcp_at, a.report(), rtcp=True)
    assert b.receive(rtcp=True)[0] == a.report()
    assert b.receive(rtcp=True, timeout=2)[0] is None
    call.delete()


@pytest.mark.skipif(not shutil.which("tshark"), reason="needs tshark")
def test_tshark_finds_nothing_amiss(relay, a, b, tmp_path):  # noqa: F811
    call = Call(relay, a, b, offer=GENERATE)
    speak(a, call.at_a[0].at, 20, lose=10)
    speak(b, call.at_b[0].at, 20)
    wait_for(lambda: a.receive(rtcp=True, timeout=0.1)[0], what="a first report")
    data = a.receive(rtcp=True, timeout=3)[0]
    assert data
    udp = struct.pack("!HHHH", 5005, 5005, 8 + len(data), 0) + data
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, b"\x7f\0\0\1", b"\x7f\0\0\1") + udp
    capture = tmp_path / "rtcp.pcap"
    capture.write_bytes(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101) + struct.pack("<IIII", 0, 0, len(ip), len(ip)) + ip)
    told = subprocess.run(["tshark", "-r", capture, "-d", "udp.port==5005,rtcp", "-T", "fields", "-e", "rtcp.pt", "-e", "rtcp.senderssrc",
                           "-e", "rtcp.length_check", "-e", "_ws.malformed", "-e", "rtcp.sender.packetcount"],
                          capture_output=True, text=True, timeout=60, check=True).stdout.strip("\n").split("\t")
    assert told == ["200,202", f"0x{b.ssrc:08x}", "1", "", "20"] or told == ["200,202", f"0x{b.ssrc:08x}", "True", "", "20"], told
    call.delete()


def measured(relay, call, end):
    return call.query()["SSRC"].get(str(end.ssrc))


def test_what_nobody_reports_about_is_measured(a, b):  # noqa: F811
    http = free_port()
    with Relay(options=["--measure-rtp", "--rtcp-interval=100", "--mos=LQ", f"--listen-http=127.0.0.1:{http}"]) as running:
        call = Call(running, a, b)
        assert not call.query()["SSRC"]
        speak(a, call.at_a[0].at, 200, lose=10)
        wait_for(lambda: measured(running, call, a), what="figures of the caller's stream")
        wait_for(lambda: measured(running, call, a)["cumulative loss"] == 20, what="all that was lost")
        told = call.query()
        quality = told["SSRC"][str(a.ssrc)]
        assert set(told["SSRC"]) == {str(a.ssrc)}
        # G.107 of PCMU with a tenth lost: R = 93.2 - 95 * 10 / 35.1 = 66.1, MOS 3.4.
        assert 8 <= quality["average MOS"]["packet loss"] <= 12 and 32 <= quality["average MOS"]["MOS"] <= 36, quality
        assert quality["average MOS"]["round-trip time"] == 0
        at_caller = told["tags"]["from"]["medias"][0]["ingress SSRCs"]
        assert at_caller[0]["SSRC"] == a.ssrc and at_caller[0]["average MOS"] == quality["average MOS"]
        assert "generate RTCP" not in told["tags"]["from"]["medias"][0]["flags"]
        assert a.receive(rtcp=True, timeout=0.1)[0] is None and b.receive(rtcp=True, timeout=0.1)[0] is None

        def figures():
            page = urllib.request.urlopen(f"http://127.0.0.1:{http}/metrics").read().decode()
            return dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
        samples = quality["average MOS"]["samples"]
        assert int(figures()["rtpengine_mos_samples_total"]) == samples
        assert 8 <= float(figures()["rtpengine_packetloss_total"]) / samples <= 12

        # Once the listener says how it hears the stream, that counts.
        b.send(call.at_b[0].rtcp_at, struct.pack("!BBHIIIIIII", 0x81, 201, 7, b.ssrc, a.ssrc, 128 << 24 | 77, 7, 0, 0, 0), rtcp=True)
        assert a.receive(rtcp=True)[0]
        quality = measured(running, call, a)
        assert quality["cumulative loss"] == 77 and quality["average MOS"]["packet loss"] == 50 and quality["average MOS"]["samples"] == 1
        call.delete()
        assert figures()["rtpengine_mos_samples_total"] == "1"


def test_without_the_option_nothing_is_measured(relay, a, b):  # noqa: F811
    call = Call(relay, a, b)
    speak(a, call.at_a[0].at, 100, lose=10)
    time.sleep(1.3)
    assert not call.query()["SSRC"]
    call.delete()


@pytest.mark.parametrize("value", ["0", "99", "soon", "3600001", "-5"])
def test_an_interval_that_makes_no_sense_is_refused(value):
    from exchange import program
    ended = subprocess.run([program, "relay", "--config-file=none", "--interface=127.0.0.1", f"--listen-ng=127.0.0.1:{free_port()}",
                            f"--rtcp-interval={value}"], capture_output=True, text=True, timeout=10)
    assert ended.returncode == 255 and "rtcp-interval" in ended.stderr
