"""The broker over TLS and HTTP/2: gRPC by connect-node, Node's client, curl, and frames made by hand."""
import base64
import json
import socket as sockets
import ssl
import struct
import time
import urllib.error
import urllib.request

import pytest
from broker import Broker, Lines, assemble, certificate, compile_c, peers, run, until
from broker_test import CASES, HELLO, LOOP, call, node_version


class SecureBroker(Broker):
    def __init__(self, folder, *options):
        folder.mkdir(parents=True, exist_ok=True)
        self.pem, key = certificate(folder)
        self.trust = ssl.create_default_context(cafile=self.pem)
        super().__init__(folder, "--cert", self.pem, "--key", key, "--metrics", *options)

    def request(self, path, body=None, method=None, headers=None):
        request = urllib.request.Request(self.url + path, data=body, method=method, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=60, context=self.trust) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def address(self):
        host, port = self.url.removeprefix("https://").split(":")
        return host, int(port)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    running = SecureBroker(tmp_path_factory.mktemp("broker"), "--max-file", "16")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NODE_EXTRA_CA_CERTS", str(running.pem))
        for name, text in (("hello", HELLO), ("loop", LOOP)):
            running.upload(assemble(running.folder, text, name), name)
        running.upload(compile_c(running.folder, CASES, "cases"), "cases")
        running.provider("node", 2)
    yield running
    assert running.stop() == 0


@pytest.fixture
def client(broker):
    lines = Lines(["node", peers() / "http2.mjs", broker.url, broker.pem])
    assert lines.next() == {"session": "h2"}
    yield lines
    lines.close()


def ask(client, **request):
    client.say(json.dumps(request))


def task(*args, **more):
    return base64.b64encode(json.dumps({"params": {"binary": {"ref": args[0]}, "args": args}, **more}).encode()).decode()


RUN = {"method": "POST", "path": "/api/client/wasimoff.v1.Tasks/RunWasip1", "headers": {"content-type": "application/json"}}


@pytest.mark.skipif(node_version() < 20, reason="@connectrpc/connect-node 2 needs Node 20")
def test_grpc_uploads_runs_and_sees_the_codes(broker):
    blob = base64.b64encode((broker.folder / "hello.wasm").read_bytes()).decode()
    upload = {"upload": {"media": "application/wasm", "ref": "by-grpc", "blob": blob}}
    assert call(broker, "grpc", "upload", upload)["ok"]["ref"].startswith("sha256:")
    answer = call(broker, "grpc", "runWasip1", {"params": {"binary": {"ref": "by-grpc"}, "args": ["x"]}})
    assert base64.b64decode(answer["ok"]["ok"]["stdout"]) == b"hello\n"
    assert call(broker, "grpc", "runWasip1", {"params": {"binary": {"ref": "nöwhere"}}}) == {
        "code": "NotFound", "message": "binary: file not found: nöwhere"}
    assert call(broker, "grpc", "runWasip1", {"params": {"binary": {"ref": "loop"}}}, "500")["code"] == "DeadlineExceeded"


def test_grpc_on_the_wire(broker, client):
    message = bytes([0x1a, 9, 0x0a, 7, 0x0a, 5]) + b"hello"  # params { binary { ref: "hello" } }
    grpc = {**RUN, "headers": {"content-type": "application/grpc", "te": "trailers"}}
    ask(client, id=1, body=base64.b64encode(b"\0" + struct.pack(">I", len(message)) + message).decode(), **grpc)
    answer = client.next()
    body = base64.b64decode(answer["body"])
    assert answer["status"] == 200 and answer["headers"]["content-type"] == "application/grpc+proto"
    assert body[0] == 0 and struct.unpack(">I", body[1:5])[0] == len(body) - 5 and b"hello\n" in body
    assert answer["trailers"]["grpc-status"] == "0"
    # Without an answer the trailers are all there is.
    ask(client, id=2, body=base64.b64encode(b"\0\0\0\0\x05abc").decode(), **grpc)
    answer = client.next()
    assert (answer["status"], answer["headers"]["grpc-status"], answer["body"]) == (200, "3", "")
    # HTTP/1.1 cannot carry it.
    assert broker.request(RUN["path"], b"\0\0\0\0\0", headers={"Content-Type": "application/grpc"})[0] == 415


def test_several_at_once_are_answered_as_they_end(client):
    ask(client, id="endless", body=task("loop"), cancel=3000, **RUN)
    for i in range(20):
        ask(client, id=i, body=task("cases", "args", str(i)), **RUN)
    answers = [client.next() for _ in range(20)]
    assert sorted(answer["id"] for answer in answers) == list(range(20))
    for answer in answers:
        assert answer["status"] == 200
        stdout = json.loads(base64.b64decode(answer["body"]))["ok"]["stdout"]
        assert base64.b64decode(stdout).decode() == f"[cases][args][{answer['id']}]"
    assert client.next()["error"] == 8


def test_who_takes_a_request_back_ends_its_task(broker, client):
    ask(client, id=1, body=task("loop"), cancel=700, **RUN)
    until(lambda: broker.metric("wasimoff_tasks_dispatching") == 1)
    assert client.next()["error"] == 8
    until(lambda: broker.metric("wasimoff_tasks_dispatching") == 0)


def test_large_bodies_pass_both_ways_and_too_large_ones_do_not(broker, client):
    content = (broker.folder / "hello.wasm").read_bytes() + b"\0\x83\x80\xc0\x05\x01x" + bytes(range(256)) * 40_000
    ask(client, id=1, method="POST", path="/api/storage/upload?name=large", body=base64.b64encode(content).decode())
    assert client.next()["status"] == 200
    ask(client, id=2, path="/api/storage/large")
    assert base64.b64decode(client.next()["body"]) == content
    ask(client, id=3, path="/api/storage/large", method="HEAD")
    answer = client.next()
    assert (answer["status"], answer["body"], answer["headers"]["content-length"]) == (200, "", str(len(content)))
    ask(client, id=4, method="POST", path="/api/storage/upload", body=base64.b64encode(bytes(17 << 20)).decode())
    assert client.next()["status"] == 413
    ask(client, id=5, path="/healthz")
    assert base64.b64decode(client.next()["body"]) == b"OK\n"


def test_what_needs_http1_says_so_and_long_headers_are_refused(client):
    ask(client, id=1, body=task("hello"), **{**RUN, "path": "/api/client/live/RunWasip1"})
    assert client.next()["error"] == 13  # HTTP_1_1_REQUIRED
    ask(client, id=2, path="/api/client/ws")
    assert client.next()["error"] == 13
    ask(client, id=3, path="/healthz", headers={"x-long": "x" * 40_000})
    assert "error" in client.next()
    ask(client, id=4, path="/nothing")
    assert client.next()["status"] == 404


def test_curl_takes_either_version(broker):
    for option, version in (("--http2", "2"), ("--http1.1", "1.1")):
        done = run(["curl", "-s", "--cacert", broker.pem, option, "-w", " %{http_version}", broker.url + "/healthz"])
        assert done.stdout == f"OK\n {version}"


# --- frames made by hand (RFC 9113 section 4.1)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def dial(broker):
    context = ssl.create_default_context(cafile=broker.pem)
    context.set_alpn_protocols(["h2"])
    connection = context.wrap_socket(sockets.create_connection(broker.address(), timeout=10), server_hostname="127.0.0.1")
    assert connection.selected_alpn_protocol() == "h2"
    return connection


def read_all(connection):
    """Until the other side closes."""
    got = b""
    try:
        while part := connection.recv(65536):
            got += part
    except (ConnectionResetError, ssl.SSLError):
        pass
    return got


# :method GET, :scheme https, :path /, of HPACK's static table; :authority x.
GET = b"\x82\x87\x84\x41\x01x"


@pytest.mark.parametrize("garbage", [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + bytes(100),
    PREFACE + b"\xff" * 200,
    PREFACE + frame(4, 0, 0) + frame(0, 0, 0, b"data of no stream"),
    PREFACE + frame(4, 0, 0) + frame(1, 5, 2, GET),  # an even stream is the server's
    PREFACE + frame(4, 0, 0) + frame(1, 5, 1, b"\xff" * 50),  # no HPACK
    PREFACE + frame(4, 0, 0) + frame(1, 1, 1, GET) + b"".join(frame(9, 0, 1, b"\0" * 16000) for _ in range(20)),
], ids=["http1", "noise", "data", "even", "hpack", "continuation"])
def test_what_is_no_http2_ends_its_connection_alone(broker, garbage):
    with dial(broker) as connection:
        connection.sendall(garbage)
        assert b"200" not in read_all(connection)[60:]
    assert broker.request("/healthz")[0] == 200


def test_floods_of_requests_taken_back_and_of_pings_end_with_their_connection(broker):
    for flood in (lambda i: frame(1, 5, 2 * i + 1, GET) + frame(3, 0, 2 * i + 1, b"\0\0\0\x08"),
                  lambda i: frame(6, 0, 0, bytes(8)), lambda i: frame(4, 0, 0)):
        with dial(broker) as connection:
            connection.sendall(PREFACE + frame(4, 0, 0))
            try:
                for block in range(300):
                    connection.sendall(b"".join(flood(1000 * block + i) for i in range(1000)))
            except (ConnectionResetError, BrokenPipeError, TimeoutError, ssl.SSLError):
                continue  # it was closed, or is not read from any more
        assert broker.request("/healthz")[0] == 200
    began = time.monotonic()
    assert broker.request("/healthz")[0] == 200 and time.monotonic() - began < 2

