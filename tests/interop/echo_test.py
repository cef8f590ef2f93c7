"""The echo server and its client, with aiortc as the other side of both; and what both refuse."""
import asyncio
import json
import os
import pathlib
import socket
import subprocess
import threading
import time

import pytest
from echo_running import EchoServer, client, load
from exchange import program, root, wait_for
from running import free_port

aiortc_peer = pytest.importorskip("aiortc_peer")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = EchoServer(tmp_path_factory.mktemp("echo"))
    yield running
    assert running.stop() == 0, running.output()


@pytest.fixture(scope="module")
def aiortc_server():
    """The URL of one that runs in a thread of its own."""
    port, ready, loop = free_port(), threading.Event(), asyncio.new_event_loop()

    def run():
        asyncio.set_event_loop(loop)
        running = loop.run_until_complete(aiortc_peer.Server().start(port))
        ready.set()
        loop.run_forever()
        loop.run_until_complete(running.stop())

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait(10)
    yield f"http://127.0.0.1:{port}/offer"
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


# ---- aiortc is the client

def test_aiortc_connects(server):
    asyncio.run(aiortc_peer.connection_client(server.url))


def test_every_kind_of_message_comes_back_as_it_was(server):
    messages = ["text", b"\x00\x01binary", "", b"", os.urandom(60000), "ä" * 1000]
    assert asyncio.run(aiortc_peer.channel_client(server.url, messages)) == messages


@pytest.mark.parametrize("parameters", [{"ordered": False}, {"maxRetransmits": 0}, {"maxPacketLifeTime": 500},
                                        {"ordered": False, "maxRetransmits": 2}])
def test_channels_of_every_reliability_echo(server, parameters):
    assert asyncio.run(aiortc_peer.channel_client(server.url, ["one"], **parameters)) == ["one"]


def test_aiortc_sees_and_hears_itself(server):
    came = asyncio.run(aiortc_peer.media_client(server.url, frames=15))
    assert len(came["audio"]) == 15
    samples = came["audio"][-1].to_ndarray()
    assert abs(samples).max() > 1000  # not silence
    picture = came["video"][-1].to_ndarray(format="rgb24")
    assert picture.shape == (120, 160, 3)
    assert 30 < picture.mean() < 200 and picture.std() < 12  # one grey


def test_aiortc_s_sound_alone_comes_back(server):
    came = asyncio.run(aiortc_peer.media_client(server.url, picture=False, frames=20))
    assert len(came["audio"]) == 20


# ---- aiortc is the server

@pytest.mark.parametrize("test", [0, 1])
def test_our_client_passes_with_aiortc(aiortc_server, test):
    status, said = client("-s", aiortc_server, "-t", test)
    assert status == 0, said


# ---- ours is both

@pytest.mark.parametrize("arguments", [["{url}"], ["-s", "{url}", "-t", "0"], ["-t", "1", "-s", "{url}"],
                                       ["-s {url} -t 1"], ["{url}", "-t", "1"], ["{url} -t 0"], ["-s {url}"]],
                         ids=lambda arguments: "|".join(arguments))
def test_every_spelling_of_the_client_works(server, arguments):
    status, said = client(*[argument.replace("{url}", server.url) for argument in arguments])
    assert status == 0 and "connected" in said, said


@pytest.mark.parametrize("host,named", [("::", "localhost"), ("127.0.0.1", "localhost"), ("::", "[::1]"), ("::", "127.0.0.1")])
@pytest.mark.parametrize("test", [0, 1])
def test_a_name_and_addresses_of_both_families_lead_the_client_to_the_server(host, named, test):
    if named == "[::1]" and not pathlib.Path("/proc/net/if_inet6").exists():
        pytest.skip("there is no IPv6 here")
    port = free_port()
    running = subprocess.Popen([program, "echo", "server", "--host", host, "--port", str(port)])
    try:
        status, said = client("-s", f"http://{named}:{port}/offer", "-t", test)
        assert status == 0, said
    finally:
        running.terminate()
        assert running.wait(10) == 0


def test_an_http_error_is_not_tried_again(server):
    before = time.monotonic()
    status, said = client("-s", server.base + "/nothing")
    assert status == 1 and "404" in said
    assert time.monotonic() - before < 3


def test_help_says_what_becomes_of_local_names():
    status, said = client("--help")
    assert status == 0 and ".local" in said


@pytest.mark.parametrize("script,argument,status", [
    ("client.sh", "-s {url} -t 0", 0), ("client-datachannel.sh", "{url}", 0), ("client.sh", "-s http://127.0.0.1:1/", 1),
    ("client.sh", "--nonsense", 1)])
def test_the_scripts_of_the_container_have_the_status_of_the_client(server, script, argument, status):
    environment = dict(os.environ, PATH=f"{pathlib.Path(program).resolve().parent}:{os.environ['PATH']}")
    done = subprocess.run([root / "docker" / "echo" / script, argument.replace("{url}", server.url)], env=environment,
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == status, done.stderr


def test_every_packet_comes_back_unchanged(server):
    status, said = client(server.url, "-t", 2, "--max-loss", 0)
    assert status == 0, said
    assert " 0 lost" in said and " 0 changed, 0 out of order, 0 twice" in said


def test_a_hundred_sessions_lose_nothing(server):
    status, figures = load(server.url, "--sessions", 100, "--seconds", 3)
    assert status == 0, figures
    assert figures["connected"] == 100 and figures["packets_lost"] == 0 and figures["changed"] == 0
    assert figures["packets_sent"] >= 100 * 3 * 45


def test_messages_of_every_size_come_back_under_pressure(server):
    for size, in_flight in ((9, 100), (1200, 200), (16384, 64), (262144, 16)):
        status, figures = load(server.url, "--sessions", 2, "--seconds", 1, "--message-size", size,
                               "--in-flight", in_flight)
        assert status == 0, figures
        assert figures["messages"] > in_flight and figures["changed"] == 0


def test_sessions_end_with_their_client(server):
    assert client(server.url)[0] == 0
    wait_for(lambda: server.sessions() == 0, what="the session to end")


# ---- the client's verdict

def test_nobody_there_is_a_failure():
    begun = time.monotonic()
    status, said = client(f"http://127.0.0.1:{free_port()}/offer", timeout=15)
    assert status == 1 and "refused" in said.lower()
    assert 4 < time.monotonic() - begun < 10


def test_a_server_that_still_starts_is_waited_for(tmp_path):
    port = free_port()
    running = subprocess.Popen([program, "echo", "client", f"http://127.0.0.1:{port}/offer"])
    time.sleep(1)
    late = subprocess.Popen([program, "echo", "server", "--host", "127.0.0.1", "--port", str(port)],
                            stderr=subprocess.DEVNULL)
    try:
        assert running.wait(10) == 0
    finally:
        late.terminate()
        assert late.wait(10) == 0


@pytest.mark.parametrize("arguments", [["--what"], ["-t", "7"], ["not a url"], ["ftp://127.0.0.1/offer"]])
def test_wrong_usage_is_status_1(arguments):
    assert client(*arguments)[0] == 1


def answering(text):
    """A server that gives this answer to whatever is posted."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listening.accept()
        connection.recv(65536)
        connection.sendall(text.encode())
        connection.close()

    threading.Thread(target=serve, daemon=True).start()
    return listening, f"http://127.0.0.1:{listening.getsockname()[1]}/offer"


@pytest.mark.parametrize("text", [
    "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n" + '{"type":"answer","sdp":"v=0" }',
    "not even HTTP\r\n\r\n",
])
def test_a_server_that_makes_no_sense_is_a_failure(text):
    listening, url = answering(text)
    with listening:
        assert client(url, timeout=15)[0] == 1


# ---- what the server refuses

def offer_of_ours(kind="0"):
    """What our own client posts."""
    listening = socket.create_server(("127.0.0.1", 0))
    running = subprocess.Popen([program, "echo", "client", f"http://127.0.0.1:{listening.getsockname()[1]}/offer",
                                "-t", kind], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with listening:
        connection, _ = listening.accept()
        text = b""
        while b"\r\n\r\n" not in text or len(text.split(b"\r\n\r\n", 1)[1]) < int(
                text.lower().split(b"content-length: ")[1].split(b"\r\n")[0]):
            text += connection.recv(65536)
        connection.close()
    running.kill()
    running.wait()
    return json.loads(text.split(b"\r\n\r\n", 1)[1])["sdp"]


@pytest.fixture(scope="module")
def our_offer():
    return offer_of_ours()


@pytest.mark.parametrize("body", [
    "", "{", "[]", "null", "17", '"offer"', "{}", '{"type":"offer"}', '{"type":"answer","sdp":"v=0"}',
    '{"type":"offer","sdp":17}', '{"type":"offer","sdp":""}', '{"type":"offer","sdp":"v=0\\r\\n"}',
    '{"type":"offer","sdp":"\\u0000\\ud83d"}', "\x00" * 100, "[" * 100000,
])
def test_what_is_no_offer_gets_400(server, body):
    status, text, headers = server.request("POST", "/offer", body)
    assert status == 400 and json.loads(text)["error"]
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert server.sessions() == 0


@pytest.mark.parametrize("kind", [None, "application/json", "application/json; charset=UTF-8", "text/plain"])
def test_an_offer_is_taken_whatever_its_content_type_and_further_members(server, our_offer, kind):
    body = json.dumps({"toJSON": {}, "sdp": our_offer, "extra": [1], "type": "offer"}).encode()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        lines = ["POST /offer HTTP/1.1", f"Host: 127.0.0.1:{server.port}", f"Content-Length: {len(body)}", "Connection: close"]
        lines += [f"Content-Type: {kind}"] if kind else []
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        reply = b"".join(iter(lambda: connection.recv(65536), b""))
    head, said = reply.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200") and b"content-type: application/json" in head.lower()
    answer = json.loads(said)
    assert answer["type"] == "answer"
    assert "a=end-of-candidates" in answer["sdp"] and "typ host" in answer["sdp"] and "a=setup:passive" in answer["sdp"]


@pytest.mark.parametrize("old,new", [
    ("a=fingerprint", "a=f"), ("a=ice-pwd", "a=p"), ("a=ice-ufrag:", "a=ice-ufrag:!"), ("a=setup:actpass", "a=setup:holdconn"),
    ("a=rtcp-mux", "a=x"), ("UDP/TLS/RTP/SAVPF", "RTP/AVP"), ("m=audio 9", "m=audio 0"), ("opus/48000/2", "red/48000/2"),
    ("sha-256", "md5"),
])
def test_an_offer_that_cannot_be_served_gets_400_or_a_refused_section(server, our_offer, old, new):
    assert old in our_offer
    answer = server.offer(our_offer.replace(old, new))
    if answer != 400:
        assert "\r\nm=audio 0 " in answer or "PCMU" in answer


def test_a_body_over_the_limit_gets_413(server):
    status, _, _ = server.request("POST", "/offer", "x" * (256 * 1024 + 1))
    assert status == 413


def until_closed(connection):
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_header_over_the_limit_gets_431(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * (16 << 10) + b"\r\n\r\n")
        assert until_closed(connection).startswith(b"HTTP/1.1 431")


def test_who_is_slow_with_a_request_is_not_waited_for(server):
    """Five seconds for the header, and as many between requests; ten for the body."""
    def closes_after(*pieces):
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=15)
        connection.sendall(b"".join(pieces))
        return connection

    began = time.monotonic()
    waiting = {
        "header": closes_after(b"POST /offer HTTP/1.1\r\nHost:"),
        "body": closes_after(b"POST /offer HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"),
        "next": closes_after(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"),
    }
    said, took = {}, {}
    for what in ("header", "next", "body"):
        with waiting[what] as connection:
            said[what], took[what] = until_closed(connection), time.monotonic() - began
    assert said["header"].startswith(b"HTTP/1.1 408") and 4.5 < took["header"] < 7
    assert said["next"].startswith(b"HTTP/1.1 200") and 4.5 < took["next"] < 7
    assert said["body"].startswith(b"HTTP/1.1 408") and 9.5 < took["body"] < 12


def test_connections_have_a_bound_and_closing_one_makes_room(tmp_path):
    limited = EchoServer(tmp_path)
    held = []
    try:
        def answered():
            with socket.create_connection(("127.0.0.1", limited.port), timeout=2) as connection:
                try:
                    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    return until_closed(connection).startswith(b"HTTP/1.1 200")
                except ConnectionError:
                    return False

        wait_for(answered, what="the first answer")
        while len(held) < 256:
            held.append(socket.create_connection(("127.0.0.1", limited.port), timeout=2))
        assert not answered()
        held.pop().close()
        wait_for(answered, timeout=2, what="room again")
    finally:
        for connection in held:
            connection.close()
        assert limited.stop() == 0


def test_an_offer_has_as_many_sections_as_it_may_and_no_more(server, our_offer):
    head, *sections = our_offer.split("m=")
    audio = "m=" + next(one for one in sections if one.startswith("audio"))

    def offer(count):
        grouped = " ".join(str(number) for number in range(count))
        session = "\r\n".join(f"a=group:BUNDLE {grouped}" if line.startswith("a=group:") else line for line in head.split("\r\n"))
        mid = next(line for line in audio.split("\r\n") if line.startswith("a=mid:"))
        return session + "".join(audio.replace(mid, f"a=mid:{number}") for number in range(count))

    answer = server.offer(offer(32))
    assert answer.count("\r\nm=audio") == 32 and answer.count("\r\na=mid:") == 32
    assert server.offer(offer(33)) == 400


def test_other_paths_and_methods_are_refused(server):
    assert server.get("/nothing")[0] == 404
    assert server.request("GET", "/offer")[0] == 405
    status, _, headers = server.request("OPTIONS", "/offer")
    assert status == 204 and headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in headers["Access-Control-Allow-Methods"]


def test_the_page_is_there(server):
    for path in ("/", "/index.html"):
        status, body, headers = server.get(path)
        assert status == 200 and "<html" in body and headers["Content-Type"].startswith("text/html")


def test_sessions_have_a_bound_and_the_next_gets_503(tmp_path, our_offer):
    limited = EchoServer(tmp_path, "--max-sessions", "3")
    try:
        answers = [limited.offer(our_offer) for _ in range(4)]
        assert [answer == 503 for answer in answers] == [False, False, False, True]
    finally:
        assert limited.stop() == 0


def test_one_address_has_a_bound_of_its_own(tmp_path, our_offer):
    limited = EchoServer(tmp_path, "--max-sessions-per-source", "2")
    try:
        assert [limited.offer(our_offer) == 503 for _ in range(3)] == [False, False, True]
    finally:
        assert limited.stop() == 0


def test_an_abandoned_offer_is_forgotten(tmp_path, our_offer):
    """After 15 s without a check; 1000 of them leave nothing behind."""
    running = EchoServer(tmp_path, "--max-sessions-per-source", "2000", "--max-sessions", "2000")
    try:
        for _ in range(1000):
            assert running.offer(our_offer).startswith("v=0")
        assert running.sessions() == 1000
        wait_for(lambda: running.sessions() == 0, timeout=25, what="them to be forgotten")
        assert running.metrics()['strowger_echo_ended_total{reason="too_late"}'] == 1000
    finally:
        assert running.stop() == 0


def resident(process):
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def test_junk_leaves_no_session_and_no_memory(server, our_offer):
    """10,000 offers with something wrong in them, each somewhere else."""
    before, connection = None, None
    for number in range(10000):
        at = number * 7919 % len(our_offer)
        body = json.dumps({"type": "offer", "sdp": our_offer[:at]})
        if connection is None:
            connection = socket.create_connection(("127.0.0.1", server.port))
        connection.sendall(f"POST /offer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        answer = b""
        while b"\r\n\r\n" not in answer or len(answer.split(b"\r\n\r\n", 1)[1]) < int(
                answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0]):
            answer += connection.recv(65536)
        if b"connection: close" in answer.lower():
            connection = None
        if number == 2000:
            before = resident(server.process)
    assert resident(server.process) < before + 4096  # KiB
    wait_for(lambda: server.sessions() == 0, timeout=25, what="what was taken for an offer to be forgotten")
