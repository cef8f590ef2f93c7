"""Every command line, option and flag of the relay that no other test looks at, by what it does to descriptions and packets."""
import os
import re
import socket
import subprocess
import time

import pytest
from exchange import program, wait_for
from ng import encode
from exchange import wait_for
from relaying import Call, End, Ng, Refused, Relay, a, b, free_run, sections  # noqa: F401
from running import free_port


@pytest.fixture(scope="module")
def cli_port():
    return free_port()


@pytest.fixture(scope="module")
def relay(cli_port):
    with Relay(options=[f"--listen-cli=127.0.0.1:{cli_port}"], interfaces=["127.0.0.1", "pub/127.0.0.2!192.0.2.7"], ports=1000) as running:
        yield running


def ctl(port, line):
    """One line of the command line, as rtpengine-ctl sends it."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as stream:
        stream.sendall(line.encode() + b"\n")
        stream.shutdown(socket.SHUT_WR)
        got = b""
        while piece := stream.recv(65536):
            got += piece
    return got.decode()


def sent_and_heard(sender, at, listener, count=3):
    """How many of so many packets the listener gets."""
    listener.drain()
    heard = 0
    for _ in range(count):
        sender.send(at, sender.packet())
        heard += listener.receive(timeout=0.3)[0] is not None
    return heard


# --- spellings

SPELLINGS = [
    {"codec": {"strip": ["PCMA"]}}, {"CODEC": {"Strip": ["pcma"]}}, {"flags": ["codec-strip-PCMA"]}, {"flags": ["codec_strip_PCMA"]},
    {"flags": ["codec strip PCMA"]}, {"rtpp_flags": "codec-strip-PCMA"}, {"rtpp-flags": "codec=[strip=[PCMA]]"}, {"flags": ["codec-strip=PCMA"]},
    {"codec": {"ignore": ["PCMA/8000"]}}, {"codec": {"strip": "PCMA"}},
]


@pytest.mark.parametrize("fields", SPELLINGS, ids=str)
def test_a_codec_is_stripped_however_it_is_spelt(fields, relay, a):
    offer = relay.ng.ask({"command": "offer", "call-id": f"spelt-{SPELLINGS.index(fields)}", "from-tag": "f", "sdp": a.sdp("0 8 101"), **fields})
    assert sections(offer["sdp"])[0].formats == ["0", "101"]


@pytest.mark.parametrize("fields", [
    {"rtcp-mux": ["require"]}, {"RTCP mux": "require"}, {"rtcp_mux": ["Require"]}, {"flags": ["rtcp-mux-require"]}, {"flags": ["RTCP_mux_require"]},
    {"flags": ["rtcp mux require"]}, {"rtpp_flags": "rtcp-mux=[require]"}, {"rtpp_flags": "rtcp-mux-require"}, {"rtpp flags": "rtcp-mux=require"},
], ids=str)
def test_rtcp_mux_is_required_however_it_is_spelt(fields, relay, a):
    offer = relay.ng.ask({"command": "offer", "call-id": f"mux-{fields}", "from-tag": "f", "sdp": a.sdp(), **fields})
    section = sections(offer["sdp"])[0]
    assert section.mux and section.rtcp == section.port


@pytest.mark.parametrize("word", ["off", "no", "none", "disable", "disabled", "OFF"])
def test_words_for_off_mean_the_same(word, relay, a):
    offer = relay.ng.ask({"command": "offer", "call-id": f"off-{word}", "from-tag": "f", "sdp": a.sdp(), "transport-protocol": "RTP/SAVP",
                          "SDES": [word]})
    assert "a=crypto" not in offer["sdp"]


def test_numbers_may_be_strings_and_strings_numbers(relay, a):
    offer = relay.ng.ask({"command": "offer", "call-id": 4711, "from-tag": 12, "sdp": a.sdp(), "ptime": "40", "limit": "3"})
    assert "a=ptime:40" in offer["sdp"]
    assert relay.ng.call("query", call_id="4711")["tags"].keys() >= {"12"}


def test_escapes_in_one_string_of_flags(relay, a):
    offer = relay.ng.ask({"command": "offer", "call-id": "escapes", "from-tag": "f", "sdp": a.sdp(),
                          "rtpp_flags": "sdp-attr=[audio=[add=[fmtp:96..mode--1 foo:bar]]] replace-origin ICE=remove"})
    assert "a=fmtp:96 mode=1\r\n" in offer["sdp"] and "a=foo:bar\r\n" in offer["sdp"]


@pytest.mark.parametrize("command", ["block DTMF", "block-dtmf", "Block_DTMF", "BLOCK dtmf"])
def test_commands_are_taken_however_they_are_spelt(command, relay, a, b):
    call = Call(relay, a, b)
    relay.ng.ask({"command": command, "call-id": call.id})
    b.drain()
    a.send(call.at_a[0].at, a.packet(b"\x05\x0a\x00\xa0", 101))
    assert b.receive(timeout=0.2)[0] is None


# --- what is between the relay and its proxies

def test_a_reply_is_kept_for_who_asked_and_nobody_else(relay, a):
    first, second = (Ng("127.0.0.1", relay.port) for _ in range(2))
    offer = b"twice-4711 " + encode({"command": "offer", "call-id": "twice", "from-tag": "f", "sdp": a.sdp()})
    reply = first.exchange(offer)
    relay.ng.call("delete", call_id="twice", from_tag="f", delete_delay=0)
    assert first.exchange(offer) == reply
    with pytest.raises(Refused, match="Unknown call-id"):
        relay.ng.call("query", call_id="twice")
    assert second.exchange(offer) != reply, "another proxy's cookie happens to be the same"
    relay.ng.call("delete", call_id="twice", from_tag="f", delete_delay=0)
    first.close(), second.close()


@pytest.mark.parametrize("fields, reason", [
    ({"command": "frobnicate"}, "Unrecognized command"),
    ({"command": "answer", "call-id": "x", "from-tag": "f", "to-tag": "t"}, "No SDP body in message"),
    ({"command": "answer", "call-id": "nobody", "from-tag": "f", "to-tag": "t", "sdp": "v=0"}, "Unknown call-id"),
    ({"command": "delete"}, "No call-id in message"),
    ({"command": "query", "call-id": "nobody"}, "Unknown call-id"),
    ({"command": "play DTMF", "call-id": "ERRORS", "from-tag": "from", "code": "17"}, "Out of range 'code' specified"),
    ({"command": "subscribe answer", "call-id": "ERRORS", "to-tag": "nobody", "sdp": "v=0"}, "To-tag not found"),
    ({"command": "unsubscribe", "call-id": "ERRORS", "to-tag": "nobody"}, "To-tag not found"),
    ({"command": "connect", "call-id": "ERRORS", "from-tag": "from", "to-tag": "nobody"}, "To-tag not found"),
    ({"command": "offer", "call-id": "bad", "from-tag": "f", "sdp": "v=0\r\nnonsense"}, "Failed to parse SDP"),
], ids=lambda value: value if isinstance(value, str) else value["command"])
def test_errors_are_worded_as_scripts_expect(fields, reason, relay, a, b):
    if fields.get("call-id") == "ERRORS":
        fields = {**fields, "call-id": Call(relay, a, b).id}
    reply = relay.ng.ask(fields)
    assert reply["result"] == "error" and reply["error-reason"].startswith(reason), reply
    assert set(reply) == {"result", "error-reason"}


def test_keys_are_for_those_who_have_speech(relay, a, b):
    call = Call(relay, a, b, offer_sdp=a.sdp("0"), answer_sdp=b.sdp("0").replace("m=audio", "m=image").replace("RTP/AVP 0", "udptl t38"))
    with pytest.raises(Refused, match="Monologue has no media capable of DTMF injection"):
        relay.ng.call("play DTMF", call_id=call.id, from_tag="from", code="1")


# --- where packets go

@pytest.mark.parametrize("echo, of_a, of_b", [
    ("forward", "a", None), ("backwards", None, "b"), ("both", "a", "b"), ("blackhole", None, None), ("off", "b", "a")])
def test_media_echo(echo, of_a, of_b, relay, a, b):
    call = Call(relay, a, b, offer={"media_echo": echo})
    ends = {"a": a, "b": b}
    for sender, at, heard_by in ((a, call.at_a[0], of_a), (b, call.at_b[0], of_b)):
        for name, end in ends.items():
            end.drain()
        packet = sender.packet()
        sender.send(at.at, packet)
        for name, end in ends.items():
            assert (end.receive(timeout=0.2)[0] == packet) == (name == heard_by), (echo, name)


def test_traffic_is_dropped_and_goes_on(relay, a, b):
    call = Call(relay, a, b, offer={"drop_traffic": "start"})
    assert sent_and_heard(a, call.at_a[0].at, b) == 0 and sent_and_heard(b, call.at_b[0].at, a) == 0
    relay.ng.call("offer", call_id=call.id, from_tag="from", to_tag="to", sdp=a.sdp(), flags=["drop-traffic-stop"])
    relay.ng.call("answer", call_id=call.id, from_tag="from", to_tag="to", sdp=b.sdp())
    assert sent_and_heard(a, call.at_a[0].at, b) == 3


def test_with_nat_wait_a_party_hears_nothing_until_it_has_spoken(relay, a, b):
    call = Call(relay, a, b, offer={"flags": ["NAT-wait"]})
    assert sent_and_heard(b, call.at_b[0].at, a) == 0
    assert sent_and_heard(a, call.at_a[0].at, b) == 3
    assert sent_and_heard(b, call.at_b[0].at, a) == 3


def test_with_pierce_nat_an_empty_datagram_opens_the_way(relay, a, b):
    Call(relay, a, b, offer={"flags": ["pierce NAT"]})
    data, source = a.receive()
    assert data == b"" and source is not None
    assert a.receive(rtcp=True)[0] == b""
    assert b.receive(timeout=0.1) == (None, None)


def test_an_offer_without_port_latching_gets_another_port_though_a_template_latches(a, b):
    with Relay(config="[rtpengine]\ntemplates = t\n[t]\ndefault = port-latching\n") as latching:
        call = Call(latching, a, b)
        with End() as moved:
            kept = latching.ng.call("offer", call_id=call.id, from_tag="from", to_tag="to", sdp=moved.sdp())["sdp"]
            assert sections(kept)[0].port == call.at_b[0].port
        with End() as moved:
            other = latching.ng.call("offer", call_id=call.id, from_tag="from", to_tag="to", sdp=moved.sdp(), flags=["no port latching"])["sdp"]
            assert sections(other)[0].port != call.at_b[0].port


# --- query

def test_query_tells_of_media_and_streams_by_flags(relay, a, b):
    call = Call(relay, a, b, offer={"flags": ["loop-protect", "asymmetric", "strict source"], "label": "one"},
                offer_sdp=a.sdp(lines=[f"a=rtcp:{a.port + 1}"]))
    call.pass_both_ways()
    seen = call.query()
    assert {"created", "created_us", "created_ts", "last signal", "SSRC", "tags", "totals"} <= set(seen)
    assert set(seen["totals"]) == {"RTP", "RTCP"}
    one, other = seen["tags"]["from"], seen["tags"]["to"]
    assert one["label"] == "one" and one["in dialogue with"] == "to" and one["subscribers"] == [{"tag": "to", "type": "offer/answer"}]
    media = one["medias"][0]
    assert media["index"] == 1 and media["type"] == "audio" and media["protocol"] == "RTP/AVP" and media["codec"] == "PCMU"
    assert {"initialized", "send", "recv", "asymmetric", "loop check"} <= set(media["flags"])
    assert "asymmetric" not in other["medias"][0]["flags"]
    rtp, rtcp = media["streams"]
    assert {"RTP", "filled", "strict source"} <= set(rtp["flags"]) and "fallback RTCP" not in rtcp["flags"]
    assert "fallback RTCP" in other["medias"][0]["streams"][1]["flags"]
    assert rtp["family"] == "IPv4" and rtp["local port"] + 1 == rtcp["local port"]
    assert rtp["stats"] == {"packets": 3, "bytes": 3 * 172, "errors": 0}


# --- DTLS

@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    files = {name: folder / f"{name}.pem" for name in ("key", "cert")}
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=x",
                    "-keyout", files["key"], "-out", files["cert"]], check=True, capture_output=True)
    text = subprocess.run(["openssl", "x509", "-in", files["cert"], "-noout", "-fingerprint", "-sha256"], check=True, capture_output=True, text=True).stdout
    return files["key"], files["cert"], text.split("=")[1].strip()


def handshake(certificate, at):
    """A whole DTLS handshake of OpenSSL's own client; the profile that it agreed on."""
    key, cert, _ = certificate
    client = subprocess.Popen(["openssl", "s_client", "-dtls1_2", "-connect", f"{at[0]}:{at[1]}", "-cert", cert, "-key", key, "-use_srtp",
                               "SRTP_AES128_CM_SHA1_80"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        client.wait(1.0)
    except subprocess.TimeoutExpired:
        client.kill()  # and says nothing, as a phone that has crashed
    found = re.search(rb"SRTP Extension negotiated, profile=(\S+)", client.stdout.read())
    return found and found[1].decode()


def dtls_offer(a, certificate, tls_id):
    return a.sdp("0", "UDP/TLS/RTP/SAVP", lines=["a=setup:active", f"a=fingerprint:sha-256 {certificate[2]}", "a=rtcp-mux",
                                                 *([f"a=tls-id:{tls_id}"] if tls_id else [])])


def test_a_new_tls_id_is_a_new_handshake_and_the_same_is_none(relay, a, b, certificate):
    first, second = "abcdefghijklmnopqrst", "01234567890123456789"
    fields = {"transport_protocol": "RTP/AVP"}

    def negotiate(tls_id):
        relay.ng.call("offer", call_id="tls-id", from_tag="from", to_tag="to", sdp=dtls_offer(a, certificate, tls_id), **fields)
        return sections(relay.ng.call("answer", call_id="tls-id", from_tag="from", to_tag="to", sdp=b.sdp("0"))["sdp"])[0]

    def state():
        return relay.ng.call("query", call_id="tls-id")["tags"]["from"]["medias"][0]

    one = negotiate(first)
    assert one.attribute("setup") == "passive" and re.fullmatch(r"[A-Za-z0-9+/_-]{20,255}", one.attribute("tls-id"))
    assert handshake(certificate, one.at) == "SRTP_AES128_CM_SHA1_80"
    assert state()["DTLS state"] == "connected"
    assert "DTLS fingerprint verified" in state()["streams"][0]["flags"] and "AES_CM_128_HMAC_SHA1_80" == state()["streams"][0]["crypto suite"]
    again = negotiate(first)
    assert again.attribute("tls-id") == one.attribute("tls-id") and state()["DTLS state"] == "connected"
    other = negotiate(second)
    assert other.attribute("tls-id") != one.attribute("tls-id") and other.port == one.port
    wait_for(lambda: state()["DTLS state"] == "handshake", what="the new handshake")
    assert handshake(certificate, other.at) == "SRTP_AES128_CM_SHA1_80"
    assert state()["DTLS state"] == "connected"


def test_no_tls_id_where_none_is_wanted(relay, a):
    fields = {"transport_protocol": "UDP/TLS/RTP/SAVPF"}
    assert "a=tls-id:" in relay.ng.call("offer", call_id="tls-1", from_tag="f", sdp=a.sdp(), **fields)["sdp"]
    assert "a=tls-id" not in relay.ng.call("offer", call_id="tls-2", from_tag="f", sdp=a.sdp(), flags=["no tls id"], **fields)["sdp"]


@pytest.mark.parametrize("fields, trickles", [({"ICE": "force"}, False), ({"ICE": "force", "flags": ["trickle ICE"]}, True),
                                             ({"ICE": ["force", "trickle"]}, True), ({"flags": ["WebRTC"]}, True)], ids=str)
def test_more_candidates_are_spoken_of_only_with_trickle(fields, trickles, relay, a):
    offer = relay.ng.call("offer", call_id=f"trickle-{fields}", from_tag="f", sdp=a.sdp(), transport_protocol="UDP/TLS/RTP/SAVPF", **fields)["sdp"]
    assert ("a=ice-options:trickle" in offer) == trickles and ("a=end-of-candidates" in offer) == trickles
    assert "a=candidate:" in offer


# --- interfaces

def test_ports_that_are_excluded_are_never_used(a, b):
    first = free_run(12)
    config = (f"[rtpengine]\ninterfaces-config = if\n[if-one]\naddress = 127.0.0.1\nname = default\nport-min = {first}\nport-max = {first + 11}\n"
              f"exclude-ports = {first + 2};{first + 7}\n")
    with Relay(config=config, interfaces=[]) as excluding:
        used = set()
        for _ in range(6):
            call = Call(excluding, a, b)
            used |= {call.at_a[0].port, call.at_b[0].port}
            call.delete()
            time.sleep(0.05)
        calls = [Call(excluding, a, b) for _ in range(2)]
        used |= {port for call in calls for port in (call.at_a[0].port, call.at_b[0].port)}
        assert used <= {first, first + 4, first + 8, first + 10} and len(used) == 4
        with pytest.raises(Refused, match="Ran out of ports"):
            Call(excluding, a, b)


def test_two_sections_share_an_address_and_part_of_their_ports(a, b):
    first = free_run(8)
    config = (f"[rtpengine]\ninterfaces-config = if\n[if-1]\naddress = 127.0.0.1\nname = in\nport-min = {first}\nport-max = {first + 7}\n"
              f"[if-2]\naddress = 127.0.0.1\nname = out\nadvertised = 192.0.2.9\nport-min = {first + 4}\nport-max = {first + 7}\n")
    with Relay(config=config, interfaces=[]) as shared:
        for _ in range(10):  # what the one keeps open for its next call, the other gets when it needs it
            call = Call(shared, a, b, offer={"direction": ["in", "out"]})
            assert call.at_b[0].address == "192.0.2.9" and call.at_b[0].port in (first + 4, first + 6)
            sent_and_heard(a, call.at_a[0].at, b, 1)
            call.delete()
        calls = [Call(shared, a, b, offer={"direction": ["in", "in"]}) for _ in range(2)]
        ports = {port for call in calls for port in (call.at_a[0].port, call.at_b[0].port)}
        assert len(ports) == 4
        with pytest.raises(Refused, match="Ran out of ports"):
            Call(shared, a, b, offer={"direction": ["out", "out"]})


# --- the command line

LINES = {
    "list numsessions": "Current sessions own: ", "list sessions": "callid: ", "list sessions all": "callid: ", "list sessions own": "callid: ",
    "list sessions foreign": "No sessions.", "list totals": "Total managed sessions", "list counters": "Total relayed packets",
    "list maxopenfiles": "maxopenfiles=", "list maxsessions": "maxsessions=-1", "list maxcpu": "maxcpu=0", "list maxload": "maxload=0",
    "list maxbw": "maxbw=0", "list timeout": "timeout=60", "list silenttimeout": "silenttimeout=3600", "list offertimeout": "offertimeout=3600",
    "list finaltimeout": "finaltimeout=0", "list deletedelay": "deletedelay=30", "list controltos": "controltos=0", "list loglevels": "all: 6",
    "list loglevel": "loglevel=6", "list interfaces": "127.0.0.2", "list jsonstats": '"currentstatistics"', "list transcoders": "No transcoders.",
    "get timeout": "timeout=60", "usage": "list numsessions", "terminate nobody": "Call Id not found (nobody)", "terminate foreign": "0 sessions",
    "params start": "timeout = 60", "params current": "timeout = 60", "params diff": "Nothing has changed", "params sideways": "Unknown or incomplete",
    "list nonsense": "Unknown or incomplete", "debug nobody on": "Call Id not found", "call nobody info": "Call Id not found",
    "call nobody delay 20": "Call Id not found", "media list files": "none are kept", "media evict caches": "none are kept",
}


@pytest.mark.parametrize("line", LINES)
def test_the_command_line_answers(line, relay, cli_port, a, b):
    Call(relay, a, b)
    assert LINES[line] in ctl(cli_port, line)
    assert LINES[line] in relay.ng.call("cli", body=line)["response"]


@pytest.mark.parametrize("name, value", [("timeout", 77), ("silenttimeout", 78), ("offertimeout", 79), ("finaltimeout", 80000), ("deletedelay", 5),
                                         ("maxsessions", 500), ("maxcpu", 99.5), ("maxload", 500), ("maxbw", 123456789), ("loglevel", 5)])
def test_settings_change_and_come_back(name, value, relay, cli_port):
    before = ctl(cli_port, f"list {name}").strip().split("=")[1]
    assert ctl(cli_port, f"set {name} {value}").startswith(f"Success setting {name} to {value}")
    assert ctl(cli_port, f"list {name}").strip() == f"{name}={value}"
    assert f"{name}: {before} => {value}" in ctl(cli_port, "params diff")
    assert f"{name}: {before} => {value}" in ctl(cli_port, "params revert")
    assert ctl(cli_port, f"list {name}").strip() == f"{name}={before}"
    assert "Fail" in ctl(cli_port, f"set {name} nonsense") and "diff" not in ctl(cli_port, "params diff")


def test_one_call_is_debugged(relay, cli_port, a, b):
    call, other = Call(relay, a, b), Call(relay, a, b)
    assert "Enabled debugging" in ctl(cli_port, f"debug {call.id} on")
    call.query(), other.query()
    wait_for(lambda: f"7:call-id{len(call.id)}:{call.id}" in relay.output(), what="the whole message in the log")
    assert f"7:call-id{len(other.id)}:{other.id}" not in relay.output()
    assert "Disabled debugging" in ctl(cli_port, f"call {call.id} debug off")
    size = len(relay.output())
    call.query()
    assert "asked" not in relay.output()[size:]


def test_a_call_and_a_party_of_it_are_told_of(relay, cli_port, a, b):
    call = Call(relay, a, b)
    call.pass_both_ways()
    assert '"in dialogue with":"to"' in ctl(cli_port, f"call {call.id} info")
    told = ctl(cli_port, f"call {call.id} tag from info")
    assert f"port {call.at_a[0].port}" in told and f"127.0.0.1:{a.port}" in told and "3 packets in, 3 out" in told
    assert "Tag not found" in ctl(cli_port, f"call {call.id} tag nobody info")
    assert "successfully terminated" in ctl(cli_port, f"call {call.id} terminate")
    with pytest.raises(Refused, match="Unknown call-id"):
        call.query()


# --- options

# As the sheet of options has them: name, a value that is none of the defaults.
OPTIONS = {
    "table": "3", "timeout": "61", "silent-timeout": "3601", "final-timeout": "7200", "offer-timeout": "3602", "delete-delay": "31",
    "num-threads": "1", "media-num-threads": "2", "http-threads": "2", "codec-num-threads": "1", "tos": "184", "control-tos": "16",
    "control-pmtu": "want", "log-level": "5", "log-level-core": "5", "log-level-ice": "7", "log-facility": "local1", "log-facility-cdr": "local2",
    "log-facility-rtcp": "local3", "log-facility-dtmf": "local4", "log-format": "parsable", "max-log-line-length": "1000", "max-sessions": "4000",
    "max-load": "500", "max-cpu": "1000", "max-bandwidth": "1000000000", "redis": "127.0.0.1:1/5", "redis-write": "127.0.0.1:1/5",
    "redis-expires": "86401", "redis-num-threads": "5", "redis-allowed-errors": "1", "redis-disable-time": "11", "redis-cmd-timeout": "1",
    "redis-connect-timeout": "1001", "redis-format": "JSON", "subscribe-keyspace": "5", "b2b-url": "http://127.0.0.1:1/RPC2", "xmlrpc-format": "1",
    "recording-dir": "RECORDINGS", "recording-method": "all", "recording-format": "eth", "iptables-chain": "x", "endpoint-learning": "heuristic",
    "jitter-buffer": "3", "dtls-cert-cipher": "RSA", "dtls-rsa-key-size": "2048", "dtls-mtu": "1300", "dtls-signature": "SHA-384",
    "dtls-ciphers": "DEFAULT", "software-id": "x", "graphite": "127.0.0.1:1", "graphite-interval": "5", "graphite-prefix": "p", "graphite-timeout": "5",
    "homer": "127.0.0.1:1", "homer-id": "2002", "homer-protocol": "tcp", "mqtt-host": "127.0.0.1", "mqtt-port": "1884", "mqtt-keepalive": "31",
    "mqtt-publish-interval": "5001", "mos": "LQ", "rtcp-interval": "5001", "socket-cpu-affinity": "1", "scheduling": "none", "priority": "1",
    "idle-scheduling": "none", "idle-priority": "1", "thread-stack": "2049", "poller-size": "129", "max-recv-iters": "51", "io-uring-buffers": "1",
    "timer-accuracy": "501", "kernel-player": "1", "kernel-player-media": "129", "nftables-chain": "x", "nftables-base-chain": "none",
    "nftables-family": "ip", "mysql-host": "127.0.0.1", "mysql-port": "1", "mysql-user": "u", "mysql-pass": "p", "mysql-query": "q",
    "dtmf-digit-delay": "2501", "ng-client-timeout": "51", "ng-client-retries": "6",
}
SWITCHES = ["log-stderr", "foreground", "split-logs", "no-redis-required", "active-switchover", "record-both", "sip-source", "dtls-passive",
            "reject-invalid-sdp", "measure-rtp", "poller-per-thread", "io-uring"]


def starts_and_relays(a, b, **how):
    with Relay(**how) as running:
        Call(running, a, b).pass_both_ways()
        return running.output()


def options_in(folder):
    (folder / "recordings").mkdir()
    return {name: value.replace("RECORDINGS", str(folder / "recordings")) for name, value in OPTIONS.items()}


def test_every_option_is_taken_on_the_command_line(a, b, tmp_path):
    options = [f"--{name}={value}" for name, value in options_in(tmp_path).items()] + [f"--{name}" for name in SWITCHES]
    assert "nonsense" not in starts_and_relays(a, b, options=options)


def test_every_option_is_taken_from_the_file(a, b, tmp_path):
    lines = [f"{name} = {value}" for name, value in options_in(tmp_path).items()] + [f"{name} = true" for name in SWITCHES]
    output = starts_and_relays(a, b, config="[rtpengine]\n" + "\n".join(lines) + "\n")
    assert "relay.conf:" not in output  # an option that nobody knows is told with its line


def test_every_option_is_taken_from_the_environment_and_the_file_comes_after_it(a, b, tmp_path):
    def variable(name):
        return "RTPENGINE_" + name.upper().replace("-", "_")
    port = free_port()
    environment = dict(os.environ, **{variable(name): value for name, value in options_in(tmp_path).items()},
                       **{variable(name): "true" for name in SWITCHES}, RTPENGINE_LISTEN_CLI=f"127.0.0.1:{port}")
    with Relay(environment=environment, config="[rtpengine]\ntimeout = 99\nfinal-timeout = 9999\n") as running:
        Call(running, a, b).pass_both_ways()
        for name, value in (("timeout", "61"), ("finaltimeout", "7200"), ("maxsessions", "4000"), ("deletedelay", "31"), ("controltos", "16")):
            assert ctl(port, f"list {name}").strip() == f"{name}={value}"


@pytest.mark.parametrize("letters", [["-t", "-1"], ["-o", "61"], ["-s", "3601"], ["-a", "1"], ["-d31"], ["-T", "184"], ["-L", "5"], ["-E"], ["-f"],
                                     ["-r", "127.0.0.1/1"], ["-w", "127.0.0.1/1"], ["-k", "1"], ["-q"], ["-b", "http://127.0.0.1:1/"], ["-x", "2"],
                                     ["-G", "5"], ["-u", "127.0.0.1:1"], ["-l", "127.0.0.1:1"]], ids=" ".join)
def test_short_options_are_taken(letters, a, b):
    starts_and_relays(a, b, options=letters)


@pytest.mark.parametrize("words, message", [(["--frobnicate"], "Unknown option --frobnicate"), (["--timeout"], "Missing argument"),
                                            (["--timeout=soon"], "timeout"), (["--tos=nonsense"], "tos")])
def test_what_is_no_option_ends_the_relay_with_255(words, message):
    ended = subprocess.run([program, "relay", "--config-file=none", "--interface=127.0.0.1", f"--listen-ng=127.0.0.1:{free_port()}", *words],
                           capture_output=True, text=True, timeout=10)
    assert ended.returncode == 255 and message in ended.stderr


def test_codecs_and_version_are_told():
    codecs = subprocess.run([program, "relay", "--codecs"], capture_output=True, text=True, timeout=10).stdout
    for name in ("PCMA", "PCMU", "G722", "opus", "telephone-event", "AMR-WB"):
        assert re.search(rf"(?m)^\s*{re.escape(name)}\b", codecs), codecs
    assert subprocess.run([program, "relay", "--version"], capture_output=True, text=True, timeout=10).stdout.startswith("Version: ")


def test_a_list_in_the_file_has_semicolons_and_comments_are_whole_lines(a, b):
    first = free_port()
    config = (f"[rtpengine]\n# a single one:\n# interface = 192.0.2.1\ninterface = in/127.0.0.1;out/127.0.0.2!192.0.2.7\n"
              f"listen-cli = 127.0.0.1:{first}\n; listen-cli = 192.0.2.1:1\ntemplates = t\n[t]\noffer = transport-protocol=RTP/SAVP "
              "SDES=[order:AES_CM_128_HMAC_SHA1_80;AES_192_CM_HMAC_SHA1_80]\n")
    with Relay(config=config, interfaces=[]) as running:
        offer = running.ng.call("offer", call_id="list", from_tag="f", sdp=a.sdp(), direction=["in", "out"])["sdp"]
        assert sections(offer)[0].address == "192.0.2.7"
        assert [line.split()[1] for line in sections(offer)[0].attributes("crypto")][:2] == ["AES_CM_128_HMAC_SHA1_80", "AES_192_CM_HMAC_SHA1_80"]
        assert "127.0.0.2" in ctl(first, "list interfaces")
