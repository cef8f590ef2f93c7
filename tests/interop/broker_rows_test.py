"""What the broker keeps of its routes, its scheduler and its configuration, row by row: curl and sockets by hand."""
import base64
import concurrent.futures
import gzip
import hashlib
import json
import re
import signal
import socket
import struct
import subprocess
import time
import zipfile

import pytest
from broker import Broker, Stub, run, until
from by_hand import PROTOBUF, Socket, pack, unpack
from exchange import program
from webtransport_test import pair

PAGE = b"\0asm\1\0\0\0"
CALLS = "/api/client/wasimoff.v1.Tasks/"
JSON = {"Content-Type": "application/json"}
TASK = json.dumps({"params": {"binary": {"ref": "page"}}}).encode()


@pytest.fixture
def start(tmp_path):
    running, stubs = [], []

    def start(*options, **more):
        broker = Broker(tmp_path / f"broker{len(running)}", "--metrics", *options, **more)
        running.append(broker)
        broker.ref = broker.upload(PAGE, "page") if "--tokens" not in options and broker.url.startswith("http:") else None
        broker.stub = lambda *words, **options: stubs.append(Stub(broker, *words, **options)) or stubs[-1]
        return broker
    yield start
    for stub in stubs:
        stub.close()
    for broker in running:
        assert broker.process.poll() is not None or broker.stop() == 0


@pytest.fixture
def clients():
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        yield pool


def task(broker, **more):
    return broker.run(params={"binary": {"ref": "page"}, "args": ["page"]}, **more)


def waiting(broker, count):
    until(lambda: broker.metric("wasimoff_tasks_queued") == count)


# --- routes

def test_metrics_and_debugging_are_served_only_where_they_are_wanted(tmp_path):
    broker = Broker(tmp_path)
    try:
        assert broker.request("/metrics")[0] == 404 and broker.request("/debug/pprof/")[0] == 404
    finally:
        assert broker.stop() == 0


def test_a_method_that_a_path_does_not_have_ends_at_the_files_as_404(start):
    broker = start()
    for method, path in (("POST", "/api/version"), ("DELETE", "/metrics"), ("PUT", "/api/storage/upload"), ("POST", "/api/storage/page"),
                         ("POST", "/"), ("GET", "/api/unheard"), ("GET", "/api/client/")):
        assert broker.request(path, b"" if method != "GET" else None, method=method)[0] == 404, (method, path)


def test_the_type_of_a_file_is_seen_in_its_bytes_and_its_name_is_their_digest(start, tmp_path):
    broker = start()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("f", "content")
    packed = (tmp_path / "a.zip").read_bytes()
    for content, said, media in ((packed, "application/wasm", "application/zip"), (PAGE, "text/html", "application/wasm")):
        status, headers, body = broker.request("/api/storage/upload?name=of%20mine", content, headers={"Content-Type": said})
        assert (status, body) == (200, f"sha256:{hashlib.sha256(content).hexdigest()}\n".encode())
        assert headers["content-type"].startswith("text/plain") and headers["x-wasimoff-ref"] == body.decode().strip()
        status, headers, got = broker.request("/api/storage/of%20mine")
        assert (status, got, headers["content-type"]) == (200, content, media), "the last upload of a name wins"
    assert broker.request("/api/storage/upload", b"\0as")[0] == 415 and broker.request("/api/storage/upload", b"")[0] == 415


@pytest.mark.parametrize("body", [b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n", b"Content-Length: 100\r\n\r\n\0asm"])
def test_a_body_that_cannot_be_read_stores_nothing(start, body):
    broker = start()
    before = broker.metric("wasimoff_stored_bytes")
    host, port = broker.url.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=10) as peer:
        peer.sendall(b"POST /api/storage/upload?name=broken HTTP/1.1\r\nHost: x\r\n" + body)
        peer.shutdown(socket.SHUT_WR)
        answer = b""
        while part := peer.recv(65536):
            answer += part
    assert not answer or re.match(rb"HTTP/1.1 4\d\d", answer), answer
    assert broker.request("/api/storage/broken")[0] == 404 and broker.metric("wasimoff_stored_bytes") == before


@pytest.mark.parametrize("field,status,part,text", [
    ("bytes=0-0", 206, slice(0, 1), "bytes 0-0/{}"), ("bytes=5-", 206, slice(5, None), "bytes 5-{last}/{}"),
    ("bytes=-3", 206, slice(-3, None), "bytes {first}-{last}/{}"), ("bytes=2-99999", 206, slice(2, None), "bytes 2-{last}/{}"),
    ("bytes=-99999", 206, slice(None), "bytes 0-{last}/{}"), ("bytes=99999-", 416, slice(0, 0), "bytes */{}"),
    ("bytes=-0", 416, slice(0, 0), "bytes */{}"), ("bytes=4-2", 200, slice(None), None), ("lines=0-1", 200, slice(None), None),
    ("bytes=a-b", 200, slice(None), None), ("bytes=18446744073709551616-", 200, slice(None), None)])
def test_parts_of_files(ranged, field, status, part, text):
    """RFC 9110 section 14: what cannot be understood is ignored, what does not lie in the file is 416."""
    broker, content = ranged
    got, headers, body = broker.request("/api/storage/long", headers={"Range": field})
    size = len(content)
    assert (got, body) == (status, content[part])
    assert headers["content-range"] == (text and text.format(size, first=size - 3, last=size - 1))
    assert headers["accept-ranges"] == "bytes"


@pytest.fixture(scope="module")
def ranged(tmp_path_factory):
    broker, content = Broker(tmp_path_factory.mktemp("ranged")), PAGE + bytes(range(200))
    broker.upload(content, "long")
    yield broker, content
    assert broker.stop() == 0


# --- Connect and gRPC-Web, by their bytes

def test_connect_in_protobuf_and_packed_answers(start, clients):
    broker = start()
    stub = broker.stub()
    message = pack((3, pack((1, pack((1, "page"))))))
    for kind in ("application/proto", "application/proto; charset=utf-8", "APPLICATION/PROTO"):
        answer = clients.submit(broker.request, CALLS + "RunWasip1", message, headers={
            "Content-Type": kind, "Accept-Encoding": "gzip", "Connect-Protocol-Version": "1"})
        stub.done(stub.task(), stdout=b"x" * 10000)
        status, headers, body = answer.result()
        assert (status, headers["content-type"], headers["content-encoding"]) == (200, "application/proto", "gzip")
        assert unpack(unpack(gzip.decompress(body))[3][0])[2] == [b"x" * 10000]
    answer = clients.submit(broker.request, CALLS + "RunWasip1", message, headers={"Content-Type": "application/proto"})
    stub.done(stub.task(), stdout=b"x" * 10000)
    status, headers, body = answer.result()
    assert headers["content-encoding"] is None and unpack(unpack(body)[3][0])[2] == [b"x" * 10000]


def test_errors_of_connect_are_json_in_whatever_the_call_came(start):
    broker = start()
    status, headers, body = broker.request(CALLS + "RunWasip1", pack((3, pack((1, pack((1, "nowhere")))))),
                                           headers={"Content-Type": "application/proto"})
    assert (status, headers["content-type"]) == (404, "application/json")
    assert json.loads(body) == {"code": "not_found", "message": "binary: file not found: nowhere"}
    for bad in (gzip.compress(TASK)[:-9], b"no gzip"):
        status, _, body = broker.request(CALLS + "RunWasip1", bad, headers={**JSON, "Content-Encoding": "gzip"})
        assert (status, json.loads(body)["code"]) == (400, "invalid_argument")
    for timeout in ("x", "-1", "12345678901"):
        assert broker.request(CALLS + "RunWasip1", TASK, headers={**JSON, "Connect-Timeout-Ms": timeout})[0] == 400
    status, _, body = broker.request(CALLS + "Upload", b'{"upload":{"media":"application/wasm"}}', headers={**JSON, "Content-Encoding": "zstd"})
    assert (status, json.loads(body)["code"]) == (501, "unimplemented")


def test_a_bomb_in_gzip_is_no_more_than_the_limit(start):
    broker = start("--max-file", 1)
    bomb = gzip.compress(bytes(64 << 20))
    assert len(bomb) < 1 << 17
    status, _, body = broker.request(CALLS + "RunWasip1", bomb, headers={**JSON, "Content-Encoding": "gzip"})
    assert (status, json.loads(body)["code"]) == (400, "invalid_argument")


def frames(body):
    """[(flag, bytes)] of gRPC-Web."""
    found = []
    while body:
        flag, size = struct.unpack(">BI", body[:5])
        found.append((flag, body[5:5 + size]))
        body = body[5 + size:]
    return found


def test_grpc_web_has_frames_and_trailers(start, clients):
    broker = start()
    stub = broker.stub()
    kind = {"Content-Type": "application/grpc-web+proto", "X-Grpc-Web": "1"}

    def call(ref):
        message = pack((3, pack((1, pack((1, ref))))))
        return broker.request(CALLS + "RunWasip1", struct.pack(">BI", 0, len(message)) + message, headers=kind)
    answer = clients.submit(call, "page")
    stub.done(stub.task(), stdout=b"out")
    status, headers, body = answer.result()
    assert (status, headers["content-type"]) == (200, "application/grpc-web+proto")
    (flag, message), (last, trailers) = frames(body)
    assert flag == 0 and unpack(unpack(message)[3][0])[2] == [b"out"]
    assert last == 0x80 and re.search(rb"grpc-status: ?0\r\n", trailers)
    status, _, body = call("nowhere")
    (last, trailers), = frames(body)
    assert status == 200 and last == 0x80 and re.search(rb"grpc-status: ?5\r\n", trailers)  # not found
    for bad in (b"", b"\0\0\0", struct.pack(">BI", 0, 100) + b"x", struct.pack(">BI", 0, 0xffffffff)):
        (last, trailers), = frames(broker.request(CALLS + "RunWasip1", bad, headers=kind)[2])
        assert re.search(rb"grpc-status: ?3\r\n", trailers)


# --- plain HTTP

def test_plain_http_makes_a_task_of_its_headers(start, clients):
    """The names of headers count in any case, the first value of a variable, every artifact."""
    broker = start()
    stub = broker.stub()
    rootfs = broker.upload(b"PK\3\4root", "root.zip")
    host, port = broker.url.split("/")[2].split(":")
    for program in ("page", broker.ref):
        with socket.create_connection((host, int(port)), timeout=20) as peer:
            peer.sendall((f"POST /api/client/run/{program} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Type: text/x-mine\r\n"
                          "x-ARGS: one 'two three' \"fo\\\"ur\" fi\\ ve\r\nx-env-my-name: first\r\nX-Env-My-Name: second\r\nX-ENV-b: =\r\n"
                          "x-rootfs-REF: root.zip\r\nX-Artifact: a\r\nx-artifact: b/c\r\nConnection: close\r\n\r\nin\n").encode())
            request = stub.task()
            params = request["payload"]["params"]
            assert params["binary"] == {"ref": broker.ref} and params["rootfs"] == {"ref": rootfs}
            assert params["args"] == [program, "one", "two three", 'fo"ur', "fi ve"]
            assert sorted(params["envs"]) == ["B==", "CONTENT_LENGTH=3", "CONTENT_TYPE=text/x-mine", "MY-NAME=first"]
            assert params["artifacts"] == ["a", "b/c"] and base64.b64decode(params["stdin"]) == b"in\n"
            stub.done(request, ok={"status": 5, "stdout": base64.b64encode(b"out").decode(), "stderr": base64.b64encode(b"err").decode(),
                                   "artifacts": {"blob": "UEsDBA=="}})
            answer = b""
            while part := peer.recv(65536):
                answer += part
        head, _, body = answer.partition(b"\r\n\r\n")
        head = head.decode().lower()
        assert head.startswith("http/1.1 200") and body == b"errout"
        for field in ("x-wasimoff-provider: stub", "x-wasimoff-result: ok", "x-wasimoff-status: 5", "x-wasimoff-artifacts: uesdba=="):
            assert field in head


# --- the scheduler

def test_ids_are_counted_from_one_and_those_who_wait_go_in_their_order(start, clients):
    broker = start()
    answers = []
    for number in range(1, 6):
        answers.append(clients.submit(task, broker, info={"reference": str(number)}))
        waiting(broker, number)
    stub = broker.stub()
    for number in range(1, 6):
        request = stub.task()
        assert request["payload"]["info"]["id"] == request["payload"]["info"]["reference"] == str(number)
        stub.done(request)
    assert [answer.result()[1]["info"]["id"] for answer in answers] == ["1", "2", "3", "4", "5"]


def test_who_has_priority_goes_first(start, clients):
    broker = start()
    clients.submit(task, broker, info={"reference": "first"})
    waiting(broker, 1)
    clients.submit(task, broker, info={"reference": "second"})
    waiting(broker, 2)
    clients.submit(task, broker, info={"reference": "hurry"}, qos={"priority": True})
    waiting(broker, 3)
    stub, order = broker.stub(), []
    for _ in range(3):
        request = stub.task()
        order.append(request["payload"]["info"]["reference"])
        stub.done(request)
    assert order == ["hurry", "first", "second"]


def test_a_full_queue_says_so_at_once(start, clients):
    broker = start("--queue", "2")
    answers = [clients.submit(task, broker) for _ in range(2)]
    waiting(broker, 2)
    status, told = task(broker)
    assert (status, told) == (429, {"code": "resource_exhausted", "message": "429: Queue Full"})
    status, _, body = broker.request("/api/client/run/page", b"")
    assert status == 500 and b"429: Queue Full" in body
    stub = broker.stub()
    for _ in answers:
        stub.done(stub.task())
    assert [answer.result()[0] for answer in answers] == [200, 200]
    answer = clients.submit(task, broker)
    stub.done(stub.task())
    assert answer.result()[0] == 200


def test_an_immediate_task_does_not_wait_behind_a_busy_provider(start, clients):
    broker = start()
    stub = broker.stub()
    first = clients.submit(task, broker)
    request = stub.task()
    status, told = task(broker, qos={"immediate": True})
    assert (status, told["code"]) == (429, "resource_exhausted")
    stub.done(request)
    assert first.result()[0] == 200
    second = clients.submit(task, broker, qos={"immediate": True})
    request = stub.task()
    assert request["payload"]["qos"]["immediate"] is True
    stub.done(request)
    assert second.result()[0] == 200


def test_a_failing_call_is_tried_as_often_as_is_allowed_with_growing_pauses(start, clients):
    broker = start("--attempts", "5")
    stubs = [broker.stub(f"s{number}") for number in range(5)]
    came = []

    def refuse(stub, number):
        request = stub.task()
        came.append(time.monotonic())
        stub.refuse(request, f"trouble {number}")  # each time another one, or it were hopeless
        return request
    for number, stub in enumerate(stubs):
        clients.submit(refuse, stub, number)
    status, told = task(broker)
    assert (status, told["code"]) == (503, "unavailable") and "trouble" in told["message"]
    assert len(came) == 5
    pauses = [after - before for before, after in zip(came, came[1:])]
    assert pauses[0] >= 0.009 and pauses[-1] > pauses[0] and sum(pauses) < 5
    assert [broker.metric(f'wasimoff_task_retries_count{{attempt="{number}"}}') for number in range(1, 6)] == [1, 1, 1, 1, 0]


def test_exactly_one_of_ref_and_blob_and_a_blob_is_sent_along(start, clients):
    broker = start()
    stub = broker.stub()
    blob = base64.b64encode(PAGE).decode()
    for file in ({}, {"ref": "page", "blob": blob}, {"media": "application/wasm"}):
        status, told = broker.run(params={"binary": file})
        assert (status, told["code"]) == (400, "invalid_argument")
        assert broker.run(params={"binary": {"ref": "page"}, "rootfs": file})[0] == 400
    for ref in ("sha256:" + "0" * 64, "sha256:x", "", "Page"):
        assert broker.run(params={"binary": {"ref": ref}})[0] in (400, 404)
        assert broker.run(params={"binary": {"ref": "page"}, "rootfs": {"ref": ref}})[0] in (400, 404)
    answer = clients.submit(broker.run, params={"binary": {"blob": blob}})
    request = stub.task()
    assert request["payload"]["params"]["binary"]["blob"] == blob
    stub.done(request)
    assert answer.result()[0] == 200


# --- configuration

def test_the_environment_wins_over_files_and_options_over_both(tmp_path):
    (tmp_path / ".env").write_text("WASIMOFF_METRICS=true\nWASIMOFF_MAX_FILE=1\n")
    (tmp_path / "config.env").write_text("# a comment\nWASIMOFF_QUEUE=1\n")
    broker = Broker(tmp_path, "--max-file", "2", environment={"WASIMOFF_MAX_FILE": "3"})
    try:
        assert broker.request("/metrics")[0] == 200
        assert broker.request("/api/storage/upload", PAGE + bytes((1 << 20) + 9))[0] == 200
        assert broker.request("/api/storage/upload", PAGE + bytes((2 << 20) + 9))[0] == 413
    finally:
        assert broker.stop() == 0


def test_help_lists_every_option_with_its_variable():
    told = subprocess.run([program, "broker", "--help"], capture_output=True, text=True, timeout=20).stdout
    for name in ("HTTP_LISTEN", "HTTP_CERT", "HTTP_KEY", "ALLOWED_ORIGINS", "STATIC_FILES", "FILESTORAGE", "METRICS", "QUIC_LISTEN",
                 "QUIC_CERT", "QUIC_KEY", "HTTPS", "TRANSPORT_URL"):
        assert f"WASIMOFF_{name}" in told


def test_origins_are_patterns_and_the_own_host_always_passes(start):
    broker = start("--allowed-origins", "*.example.org,exact.example:8443")
    own = broker.url.split("/")[2]
    for origin, status in ((f"http://{own}", 101), ("https://a.example.org", 101), ("https://a.b.EXAMPLE.org", 101),
                           ("https://exact.example:8443", 101), ("https://exact.example", 403), ("https://example.org.evil", 403),
                           ("https://example.org", 403), ("null", 403), (f"http://{own}.evil", 403)):
        peer = Socket(broker, "/api/provider/ws", headers=(f"Origin: {origin}",))
        assert peer.status == status, origin
        peer.close()
    assert Socket(broker, "/api/provider/ws").provide().headers["sec-websocket-protocol"] == PROTOBUF


def test_a_trusted_proxy_is_believed_x_real_ip_first(start, clients):
    broker = start("--trusted-proxies", "127.0.0.0/8", "--open")
    stub = broker.stub()
    for headers, requester in (({"X-Real-IP": "192.0.2.1", "X-Forwarded-For": "192.0.2.2"}, "192.0.2.1"),
                               ({"X-Forwarded-For": "198.51.100.9, 192.0.2.3"}, "192.0.2.3"), ({"X-Real-IP": "garbage"}, "127.0.0.1"), ({}, "127.0.0.1")):
        answer = clients.submit(broker.request, "/api/client/run/page", b"", headers=headers)
        request = stub.task()
        assert request["payload"]["info"]["requester"] == requester
        stub.done(request)
        assert answer.result()[0] == 200


def test_certificate_and_key_are_both_or_none(tmp_path):
    pem, key, _ = pair(tmp_path, "one", 10)
    for options in (("--cert", pem), ("--key", key)):
        done = run([program, "broker", "--listen", "127.0.0.1:0", *options], cwd=tmp_path)
        assert done.returncode != 0 and "certificate needs its key" in done.stderr + done.stdout


def test_hup_reads_the_certificate_again_and_keeps_the_old_pair_where_it_cannot(start, tmp_path):
    first, second = pair(tmp_path, "first", 10), pair(tmp_path, "second", 10)
    pem, key = tmp_path / "pem", tmp_path / "key"

    def use(chosen):
        pem.write_bytes(chosen[0].read_bytes())
        key.write_bytes(chosen[1].read_bytes())
    use(first)
    broker = start("--cert", pem, "--key", key)
    assert broker.url.startswith("https://")

    def hup(said):
        before = broker.output().count(said)
        broker.process.send_signal(signal.SIGHUP)
        until(lambda: broker.output().count(said) > before)

    def served(ca):
        url = broker.url.replace("127.0.0.1", "localhost") + "/healthz"
        return run(["curl", "-s", "--cacert", ca[0], "--resolve", url.split("/")[2] + ":127.0.0.1", url]).stdout == "OK\n"
    assert served(first) and not served(second)
    use(second)
    hup("certificate and key were read again")
    assert served(second) and not served(first)
    pem.write_text("no certificate")
    hup("certificate stays as it was")
    assert served(second)
    use((first[0], second[1]))  # a key that belongs to another one
    hup("certificate stays as it was")
    assert served(second)
    pem.unlink()
    hup("certificate stays as it was")
    assert served(second)
    use(first)
    hup("certificate and key were read again")
    assert served(first)
