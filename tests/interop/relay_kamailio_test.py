"""Kamailio's rtpengine module drives the relay, while sipp calls sipp through both with media each way."""
import tempfile
import types

import pytest
from exchange import wait_for
from kamailio import run_kamailio
from relaying import Relay
from running import free_port
from sipp import Sipp, scenarios

CONFIG = """\
debug=2
log_stderror=yes
children=2
tcp_children=1
disable_tcp=yes
auto_aliases=no
listen=udp:127.0.0.2:{port}
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "siputils.so"
loadmodule "textops.so"
loadmodule "rtpengine.so"
modparam("rtpengine", "rtpengine_sock", "udp:127.0.0.1:{ng}")
request_route {
    if (has_totag()) {
        loose_route();
        if (is_method("INVITE")) {
            rtpengine_offer("{flags}");
            t_on_reply("MEDIA");
        }
        if (is_method("BYE")) rtpengine_delete();
        t_relay();
        exit;
    }
    if (is_method("CANCEL")) {
        t_relay();
        exit;
    }
    record_route();
    rtpengine_offer("{flags}");
    t_on_reply("MEDIA");
    $du = "sip:127.0.0.1:{called}";
    t_relay();
}
onreply_route[MEDIA] {
    if (has_body("application/sdp")) rtpengine_answer("{flags}");
}
"""


@pytest.mark.parametrize("flags,address", [
    ("replace-origin replace-session-connection", "127.0.0.1"),
    ("trust-address replace-origin ICE=remove RTP/AVP rtcp-mux-demux", "127.0.0.1"),
    ("SIP-source-address rtcp-mux-offer symmetric", "10.20.30.40"),  # phones behind a NAT: their address leads nowhere
])
def test_calls_through_kamailio_have_media_both_ways(flags, address, tmp_path):
    voice = tmp_path / "voice.ul"
    voice.write_bytes(bytes(range(256)) * 250)
    scenario = tmp_path / "relayed_call.xml"  # sipp does not fill in the names of files
    scenario.write_text((scenarios / "relayed_call.xml").read_text().replace("[voice]", str(voice)))
    port, called = free_port("127.0.0.2"), free_port()
    with tempfile.TemporaryDirectory(prefix="kamailio-") as folder, Relay(options=["--log-level=7"]) as relay:
        process, output = run_kamailio(folder, CONFIG, port=port, called=called, ng=relay.port, flags=flags)
        proxy = types.SimpleNamespace(server=f"127.0.0.2:{port}")
        try:
            wait_for(lambda: relay.ng.call("statistics")["statistics"]["controlstatistics"]["ping"]["count"] > 1, what="Kamailio's ping")
            media = free_port()
            callee = Sipp(types.SimpleNamespace(server=f"127.0.0.2:{port}"), "relayed_answer.xml", port=called, calls=3,
                          options=["-mp", str(media - media % 2), "-rtp_echo"], media_address=address)
            caller = Sipp(proxy, scenario, extension="callee", calls=3, media_address=address, options=["-r", "2"])
            seen = {}

            def look():
                for call in relay.ng.call("list")["calls"]:
                    seen[call] = relay.ng.call("query", call_id=call)
                return caller.process.poll() is not None
            wait_for(look, timeout=20, what="the end of the calls")
            caller.finish()
            callee.finish()
            assert len(seen) == 3, output()[-2000:]
            for call in seen.values():
                assert len(call["tags"]) == 2
                counts = {tag: party["medias"][0]["streams"][0]["stats"]["packets"] for tag, party in call["tags"].items()}
                assert all(100 <= count <= 250 for count in counts.values()), counts  # four seconds have 200
                assert max(counts.values()) - min(counts.values()) <= 12, counts
            statistics = relay.ng.call("statistics")["statistics"]["controlstatistics"]
            assert statistics["offer"] == dict(statistics["offer"], count=6, errors=0)
            assert statistics["answer"]["errors"] == 0 and statistics["delete"]["count"] == 3
        finally:
            process.terminate()
            process.wait(10)
