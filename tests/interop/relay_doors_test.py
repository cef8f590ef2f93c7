"""The relay's other front doors: TCP, HTTP, WebSocket, the command line, metrics; and who may come in."""
import json
import re
import signal
import socket
import ssl
import subprocess
import urllib.error
import urllib.request

import pytest
from exchange import program, wait_for
from ng import Refused, decode, encode
from relaying import Call, End, Relay, a, b, sections  # noqa: F401
from running import free_port


@pytest.fixture(scope="module")
def doors():
    return {name: free_port() for name in ("tcp", "http", "cli")}


@pytest.fixture(scope="module")
def relay(doors):
    options = [f"--listen-tcp-ng=127.0.0.1:{doors['tcp']}", f"--listen-http=127.0.0.1:{doors['http']}",
               f"--listen-cli=127.0.0.1:{doors['cli']}"]
    with Relay(options=options, ports=1000) as running:
        yield running


@pytest.fixture
def call(relay):
    with End() as a, End() as b:
        one = Call(relay, a, b)
        yield one


def ctl(doors, *words):
    return subprocess.run([program, "relay", "ctl", "--address", f"127.0.0.1:{doors['cli']}", *words], capture_output=True, text=True)


def http(doors, path, body=None, kind="application/x-rtpengine-ng"):
    request = urllib.request.Request(f"http://127.0.0.1:{doors['http']}{path}", data=body, headers={"Content-Type": kind} if body else {})
    with urllib.request.urlopen(request, timeout=5) as reply:
        return reply.read().decode()


def test_messages_come_back_to_back_over_tcp_and_in_pieces(relay, doors):
    with socket.create_connection(("127.0.0.1", doors["tcp"]), timeout=5) as stream:
        stream.sendall(b"t1 d7:command4:pinget2 {\"command\": \"ping\"}t3 d7:comm")
        stream.sendall(b"and4:pinge")
        got = b""
        while b"t3 " not in got or not got.endswith(b"e"):
            got += stream.recv(4096)
    assert got == b"t1 d6:result4:ponge" + b"t2 {\"result\":\"pong\"}" + b"t3 d6:result4:ponge"


def test_http_takes_messages_with_and_without_cookie(relay, doors):
    with End() as a:
        offer = encode({"command": "offer", "call-id": "http-1", "from-tag": "f", "sdp": a.sdp()})
        first = http(doors, "/ng", b"cookie-h " + offer)
        assert first.startswith("cookie-h d") and sections(decode(first[9:].encode())["sdp"])[0].port
    assert json.loads(http(doors, "/ng-plain", b'{"command": "ping"}', "application/json")) == {"result": "pong"}
    assert http(doors, "/ping") == "pong\n"


def websocket(port, protocol, message):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as stream:
        return websocket_on(stream, protocol, message)


def websocket_on(stream, protocol, message):
    """One text message there and one back, as RFC 6455 frames them."""
    stream.sendall(f"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                   f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n".encode())
    got = b""
    while b"\r\n\r\n" not in got:
        got += stream.recv(4096)
    head, rest = got.split(b"\r\n\r\n", 1)
    assert b" 101 " in head and b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head and protocol.encode() in head
    data, mask = message.encode(), b"abcd"
    stream.sendall(bytes([0x81, 0x80 | len(data)]) + mask + bytes(c ^ mask[n % 4] for n, c in enumerate(data)))
    while len(rest) < 2:
        rest += stream.recv(4096)
    size, start = rest[1], 2
    if size == 126:
        size, start = int.from_bytes(rest[2:4], "big"), 4
    while len(rest) < start + size:
        rest += stream.recv(4096)
    return rest[start:start + size].decode()


def test_websockets_speak_by_their_subprotocol(relay, doors):
    assert websocket(doors["http"], "ng.rtpengine.com", "w1 {\"command\":\"ping\"}") == "w1 {\"result\":\"pong\"}"
    assert websocket(doors["http"], "ng-plain.rtpengine.com", "d7:command4:pinge") == "d6:result4:ponge"
    assert websocket(doors["http"], "echo.rtpengine.com", "hello") == "hello"
    assert "Current sessions own" in websocket(doors["http"], "cli.rtpengine.com", "list numsessions")


def test_the_command_line_lists_sets_and_terminates(relay, doors, call):
    assert re.search(r"Current sessions own: [1-9]", ctl(doors, "list", "numsessions").stdout)
    assert call.id in ctl(doors, "list", "sessions").stdout
    assert '"totals"' in ctl(doors, "call", call.id, "info").stdout
    assert ctl(doors, "list", "timeout").stdout == "timeout=60\n"
    assert "Success setting timeout to 61" in ctl(doors, "set", "timeout", "61").stdout
    assert ctl(doors, "list", "timeout").stdout == "timeout=61\n"
    assert "Fail" in ctl(doors, "set", "timeout", "soon").stdout
    assert "default" in ctl(doors, "list", "interfaces").stdout
    assert json.loads(ctl(doors, "list", "jsonstats").stdout)["totalstatistics"]["managedsessions"] >= 1
    assert "Total managed sessions" in ctl(doors, "list", "totals").stdout
    assert "terminate CALLID" in ctl(doors, "usage").stdout
    assert "successfully" in ctl(doors, "terminate", call.id).stdout
    assert call.id not in ctl(doors, "list", "sessions").stdout
    refused = ctl(doors, "frobnicate")
    assert refused.returncode == 1 and "Unknown" in refused.stdout
    assert call.id not in http(doors, "/cli/list+sessions")


def test_https_and_wss_are_the_same_doors_with_a_certificate_that_hup_reads_again(tmp_path):
    def made(name):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                        "-addext", "subjectAltName=DNS:localhost", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"],
                       check=True, capture_output=True)

    made("first")
    port = free_port()
    trusted = ssl.create_default_context(cafile=tmp_path / "cert.pem")

    def subject():
        untrusted = ssl._create_unverified_context()
        with socket.create_connection(("127.0.0.1", port), timeout=5) as plain, untrusted.wrap_socket(plain) as secure:
            return subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-subject"], input=secure.getpeercert(True),
                                  capture_output=True, check=True).stdout.decode()

    with Relay(options=[f"--listen-https=127.0.0.1:{port}", f"--https-cert={tmp_path}/cert.pem", f"--https-key={tmp_path}/key.pem"]) as relay:
        request = urllib.request.Request(f"https://localhost:{port}/ng", data=b"cookie d7:command4:pinge")
        with urllib.request.urlopen(request, timeout=5, context=trusted) as reply:
            assert reply.read() == b"cookie d6:result4:ponge"
        with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
            with trusted.wrap_socket(plain, server_hostname="localhost") as secure:
                assert websocket_on(secure, "ng.rtpengine.com", "w1 {\"command\":\"ping\"}") == "w1 {\"result\":\"pong\"}"
        assert "CN = first" in subject()
        made("second")
        relay.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "CN = second" in subject(), what="the new certificate")
        (tmp_path / "cert.pem").write_text("nothing of the kind")
        relay.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "https-cert stays as it was" in relay.output(), what="word of the unfit certificate")
        assert "CN = second" in subject()


def refusal(relay, end):
    """Why the relay takes no further call; nothing when it does."""
    try:
        relay.ng.call("offer", call_id="further", from_tag="x", sdp=end.sdp())
    except Refused as refused:
        return str(refused)
    relay.ng.call("delete", call_id="further", from_tag="x", delete_delay=0)
    return ""


@pytest.mark.parametrize("limit,reason", [("load=0.0001", "Load limit reached: "), ("cpu=0.0001", "CPU limit reached: ")])
def test_a_machine_with_enough_to_do_is_given_no_new_call(limit, reason):
    with Relay(options=[f"--max-{limit}"]) as relay, End() as a:
        wait_for(lambda: reason in refusal(relay, a), what=reason)
        told = relay.ng.ask({"command": "offer", "call-id": "further", "from-tag": "x", "sdp": a.sdp(), "supports": ["load limit"]})
        assert told["result"] == "load limit"
        assert re.search(r"Total rejected sessions[^0-9]*[2-9]", relay.ng.call("cli", body="list totals")["response"])


def test_beyond_the_limit_of_bandwidth_calls_go_on_and_new_ones_wait_for_less(a, b):
    with Relay(options=["--max-bandwidth=1000"]) as relay:
        call = Call(relay, a, b)

        def refused():
            call.pass_both_ways()
            return "Bandwidth limit reached: " in refusal(relay, a)

        wait_for(refused, what="the limit of bandwidth")
        call.pass_both_ways()
        wait_for(lambda: not refusal(relay, a), what="room again")


def test_what_is_transcoded_is_counted_and_named(relay, doors, a, b):
    assert "No transcoders" in ctl(doors, "list", "transcoders").stdout
    call = Call(relay, a, b, offer={"codec": {"transcode": ["PCMA"]}}, offer_sdp=a.sdp(formats="0"), answer_sdp=b.sdp(formats="8"))
    listed = ctl(doors, "list", "transcoders").stdout
    assert "PCMU/8000 -> PCMA/8000: 1 transcoders" in listed and "PCMA/8000 -> PCMU/8000: 1 transcoders" in listed
    assert "rtpengine_transcoded_media 2" in http(doors, "/metrics")
    assert json.loads(ctl(doors, "list", "jsonstats").stdout)["currentstatistics"]["transcodedmedia"] == 2
    assert "Current transcoded media: 2" in ctl(doors, "list", "numsessions").stdout
    call.delete()
    assert "No transcoders" in ctl(doors, "list", "transcoders").stdout


def test_cli_over_ng(relay, call):
    assert call.id in relay.ng.call("cli", body="list sessions all")["response"]


def test_metrics_have_the_names_that_dashboards_know(relay, doors, call):
    call.pass_both_ways()
    page = http(doors, "/metrics")
    values = dict(line.rsplit(" ", 1) for line in page.splitlines() if line and not line.startswith("#"))
    assert int(values['rtpengine_sessions{type="own"}']) >= 1
    assert int(values["rtpengine_packets_total"]) >= 6 and int(values["rtpengine_bytes_total"]) >= 6 * 172
    assert int(values['rtpengine_requests_total{request="offer"}']) >= 1
    used = int(values['rtpengine_ports_used{name="default",address="127.0.0.1"}'])
    free = int(values['rtpengine_ports_free{name="default",address="127.0.0.1"}'])
    assert used >= 4 and used + free == 1000
    for name in ("uptime_seconds", "sessions_total", "errors_total", "request_seconds_total"):
        assert any(key.startswith(f"rtpengine_{name}") for key in values)


def test_only_allowed_addresses_may_ask():
    tcp, web = free_port(), free_port()
    with Relay(options=["--control-allow=127.0.0.1/32", f"--listen-tcp-ng=127.0.0.1:{tcp}", f"--listen-http=127.0.0.1:{web}"]) as relay:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.5", 0))
            stranger.settimeout(0.3)
            stranger.sendto(b"c d7:command4:pinge", ("127.0.0.1", relay.port))
            with pytest.raises(socket.timeout):
                stranger.recv(100)
        with socket.create_connection(("127.0.0.1", tcp), timeout=2, source_address=("127.0.0.5", 0)) as stream:
            assert stream.recv(100) == b""
        with socket.create_connection(("127.0.0.1", web), timeout=2, source_address=("127.0.0.5", 0)) as stream:
            stream.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"403" in stream.recv(100)
        assert "refused: the address is not in control-allow" in relay.output()
        assert relay.ng.call("ping")["result"] == "pong"


@pytest.mark.parametrize("options,says", [
    (["--frobnicate"], "Unknown option --frobnicate"), (["--port-min=many"], "port-min: 'many'"), (["--interface=nowhere.invalid"], "no address")])
def test_options_that_cannot_be_understood_end_it_with_a_message(options, says):
    done = subprocess.run([program, "relay", "--config-file=none", "--interface=127.0.0.1", "--listen-ng=127.0.0.1:1", *options],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and says in done.stderr
    if "invalid" not in options[0]:
        assert done.returncode == 255


def test_version_and_help_and_codecs():
    for option, says in (("--version", "Version: "), ("--help", "--listen-ng"), ("--codecs", "PCMU")):
        done = subprocess.run([program, "relay", option], capture_output=True, text=True, timeout=10)
        assert done.returncode == 0 and says in done.stdout


def test_under_the_names_of_what_it_stands_in_for_it_is_that(doors, tmp_path):
    for name in ("rtpengine", "rtpengine-ctl"):
        (tmp_path / name).symlink_to(program)
    shown = subprocess.run([tmp_path / "rtpengine", "--version"], capture_output=True, text=True)
    assert shown.stdout.startswith("Version: ")
    asked = subprocess.run([tmp_path / "rtpengine-ctl", "-ip", f"127.0.0.1:{doors['cli']}", "list", "timeout"], capture_output=True, text=True)
    assert asked.stdout.startswith("timeout="), asked
