"""The broker over the wire: curl, Connect and gRPC-Web clients and WebSockets from npm, programs from Debian's clang and
wabt, providers on Node and in Chromium."""
import base64
import gzip
import io
import json
import os
import re
import shutil
import signal
import subprocess
import time
import zipfile

import pytest
from broker import Broker, Lines, assemble, compile_c, envelope, peers, run, socket, until, web
from exchange import program

HELLO = """(module
  (import "wasi_unstable" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1) (data (i32.const 16) "hello\\n")
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 6))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"""
TRAP = '(module (memory (export "memory") 1) (func (export "_start") unreachable))'
LOOP = '(module (memory (export "memory") 1) (func (export "_start") (loop (br 0))))'
CASES = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "args")) for (int i = 0; i < argc; i++) printf("[%s]", argv[i]);
    if (!strcmp(what, "env")) printf("%s", getenv(argv[2]) ? getenv(argv[2]) : "(none)");
    if (!strcmp(what, "exit")) return atoi(argv[2]);
    if (!strcmp(what, "binary")) fwrite("a\0\xff" "b", 1, 4, stdout);
    if (!strcmp(what, "stderr")) { fputs("out", stdout); fputs("err", stderr); }
    if (!strcmp(what, "cat")) { int c; while ((c = getchar()) != EOF) putchar(c); }
    if (!strcmp(what, "long")) for (int i = 0; i < 1 << 20; i++) putchar('x');
    if (!strcmp(what, "grow")) {
        size_t n = 64u << 20; char *p = malloc(n); if (!p) return 9;
        memset(p, 7, n); printf("%d", p[n - 1]);
    }
    if (!strcmp(what, "read")) { FILE *f = fopen(argv[2], "r"); char b[99]; if (!f) return 8;
        printf("%s", fgets(b, 99, f)); }
    if (!strcmp(what, "write")) { FILE *f = fopen(argv[2], "w"); if (!f) return 8; fputs("made", f); fclose(f); }
    return 0;
}
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    running = Broker(tmp_path_factory.mktemp("broker"), "--metrics", "--static-files", web())
    folder = running.folder
    running.upload(assemble(folder, HELLO, "hello"), "hello")
    running.upload(assemble(folder, TRAP, "trap"), "trap")
    running.upload(assemble(folder, LOOP, "loop"), "loop")
    running.upload(compile_c(folder, CASES, "cases"), "cases")
    running.provider("node", 2)
    yield running
    assert running.stop() == 0


def cases(broker, *args, **params):
    status, answer = broker.run(params={"binary": {"ref": "cases"}, "args": ["cases", *args], **params})
    assert status == 200, answer
    assert "ok" in answer, answer
    ok = answer["ok"]
    return ok.get("status"), base64.b64decode(ok.get("stdout", "")), ok


@pytest.mark.parametrize("message,status,code", [
    ({}, 400, "invalid_argument"),
    ({"params": {}}, 400, "invalid_argument"),
    ({"params": {"binary": {}}}, 400, "invalid_argument"),
    ({"params": {"binary": {"ref": "hello", "blob": "AA=="}}}, 400, "invalid_argument"),
    ({"params": {"binary": {"ref": "nowhere"}}}, 404, "not_found"),
    ({"params": {"binary": {"ref": "hello"}}, "qos": {"deadline": "2001-01-01T00:00:00Z"}}, 504, "deadline_exceeded"),
])
def test_what_cannot_run_says_why(broker, message, status, code):
    got, answer = broker.run(**message)
    assert (got, answer["code"]) == (status, code)


def test_a_trace_tells_the_whole_way(broker):
    _, answer = broker.run(info={"reference": "mine", "trace": {"created": "1"}}, params={"binary": {"ref": "hello"}})
    info = answer["info"]
    assert info["reference"] == "mine" and int(info["id"]) > 0
    assert [event["event"] for event in info["trace"]["events"] if event["event"].startswith("Broker")] == [
        "BrokerReceivedClientRequest", "BrokerQueueTask", "BrokerScheduleTask", "BrokerTransmitProviderTask",
        "BrokerReceivedProviderResult", "BrokerTransmitClientResponse"]


# --- plain HTTP

def curl(broker, path, *options):
    done = run(["curl", "-s", "-i", *options, broker.url + path])
    assert done.returncode == 0, done.stderr
    head, _, body = done.stdout.partition("\n\n")
    return int(head.split()[1]), head.lower(), body


def test_plain_http_runs_a_program(broker):
    status, head, body = curl(broker, "/api/client/run/cases", "-X", "POST", "-H", "X-Args: args 'one two' \"three\"")
    assert (status, body) == (200, "[cases][args][one two][three]")
    assert "x-wasimoff-provider: node" in head and "x-wasimoff-result: ok" in head and "x-wasimoff-status: 0" in head
    assert curl(broker, "/api/client/run/cases", "-X", "POST", "-H", "X-Args: stderr")[2] == "errout"
    assert curl(broker, "/api/client/run/cases", "-X", "POST", "-H", "X-Args: env A-B", "-H", "X-Env-a-b: v")[2] == "v"
    assert curl(broker, "/api/client/run/cases", "-H", "X-Args: env CONTENT_LENGTH", "-d", "four")[2] == "4"
    assert curl(broker, "/api/client/run/cases", "-H", "X-Args: cat", "-d", "body")[2] == "body"
    status, head, _ = curl(broker, "/api/client/run/cases", "-X", "POST", "-H", "X-Args: exit 3")
    assert status == 200 and "x-wasimoff-status: 3" in head
    status, head, body = curl(broker, "/api/client/run/trap", "-X", "POST")
    assert status == 200 and "x-wasimoff-result: error" in head and "unreachable" in body
    status, head, _ = curl(broker, "/api/client/run/cases", "-X", "POST", "-H", "X-Args: write made",
                           "-H", "X-Artifact: made")
    assert "x-wasimoff-artifacts: uesd" in head  # "PK\3" in base64
    assert curl(broker, "/api/client/run/cases", "-X", "POST", "-H", "X-Args: 'open")[0] == 400
    assert curl(broker, "/api/client/run/cases")[0] == 405
    assert curl(broker, "/api/client/run/nowhere", "-X", "POST")[0] == 500


def test_storage_routes(broker):
    content = (broker.folder / "hello.wasm").read_bytes()
    status, head, body = curl(broker, "/api/storage/upload?name=again", "--data-binary", f"@{broker.folder}/hello.wasm")
    assert status == 200 and re.fullmatch(r"sha256:[0-9a-f]{64}\n", body)
    assert "x-wasimoff-ref: " + body.strip() in head
    ref = body.strip()
    for name in (ref, "again"):
        status, headers, got = broker.request(f"/api/storage/{name}")
        assert (status, got, headers["content-type"], headers["x-wasimoff-ref"]) == (200, content, "application/wasm", ref)
        assert headers["access-control-allow-origin"] == "*"
    assert broker.request("/api/storage/again", headers={"Range": "bytes=0-3"})[::2] == (206, b"\0asm")
    assert broker.request("/api/storage/again", headers={"Range": "bytes=-2"})[2] == content[-2:]
    status, headers, _ = broker.request("/api/storage/again", headers={"Range": f"bytes={len(content)}-"})
    assert (status, headers["content-range"]) == (416, f"bytes */{len(content)}")
    status, headers, got = broker.request("/api/storage/again", method="HEAD")
    assert (status, got, int(headers["content-length"])) == (200, b"", len(content))
    assert broker.request("/api/storage/nothing")[0] == 404
    assert broker.request("/api/storage/upload?name=x", b"neither")[::2] == (415, b"unsupported filetype\n")
    assert broker.request("/api/storage/upload", method="GET")[0] == 404


def test_status_routes_and_the_page(broker):
    assert broker.request("/healthz")[::2] == (200, b"OK\n")
    assert set(json.loads(broker.request("/api/version")[2])) == {"go", "package", "revision"}
    status, headers, page = broker.request("/")
    assert status == 200 and b"<title>Provider" in page and headers["content-type"].startswith("text/html")
    assert broker.request("/page.js")[0] == 200
    for path in ("/../broker.log", "/%2e%2e/broker.log", "/nothing", "/node"):
        assert broker.request(path)[0] == 404
    assert broker.request("/healthz", b"", method="POST")[0] == 404


# --- independent clients

def call(broker, transport, method, message, *timeout):
    done = run(["node", "call.mjs", broker.url, transport, method, json.dumps(message), *timeout], cwd=peers())
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def node_version():
    if not shutil.which("node"):
        return 0
    return int(subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.lstrip("v").split(".")[0])


@pytest.mark.skipif(node_version() < 20, reason="@connectrpc/connect-node 2 needs Node 20")
@pytest.mark.parametrize("transport", ["connect-json", "connect-proto", "grpc-web"])
def test_connect_node_uploads_runs_and_sees_the_codes(broker, transport):
    blob = base64.b64encode((broker.folder / "hello.wasm").read_bytes()).decode()
    upload = {"upload": {"media": "application/wasm; x=y", "ref": "by-" + transport, "blob": blob}}
    assert call(broker, transport, "upload", upload)["ok"]["ref"].startswith("sha256:")
    task = {"params": {"binary": {"ref": "by-" + transport}, "args": ["x"]}}
    assert base64.b64decode(call(broker, transport, "runWasip1", task)["ok"]["ok"]["stdout"]) == b"hello\n"
    assert call(broker, transport, "runWasip1", {"params": {"binary": {"ref": "nowhere"}}}) == {
        "code": "NotFound", "message": "binary: file not found: nowhere"}
    upload["upload"]["media"] = "text/plain"
    assert call(broker, transport, "upload", upload)["code"] == "InvalidArgument"
    assert call(broker, transport, "runWasip1", {"params": {"binary": {"ref": "loop"}}}, "500")["code"] == "DeadlineExceeded"


def test_http_of_connect(broker):
    path = "/api/client/wasimoff.v1.Tasks/"
    status, headers, _ = broker.request(path + "RunWasip1")
    assert (status, headers["allow"]) == (405, "POST")
    assert broker.request(path + "RunEverything", b"{}", headers={"Content-Type": "application/json"})[0] == 404
    assert broker.request(path + "RunWasip1", b"{}", headers={"Content-Type": "text/plain"})[0] == 415
    task = json.dumps({"params": {"binary": {"ref": "hello"}}, "unheard": [1]}).encode()
    json_type = {"Content-Type": "application/json; charset=utf-8"}
    assert broker.request(path + "RunWasip1", gzip.compress(task), headers={**json_type, "Content-Encoding": "gzip"})[0] == 200
    status, _, body = broker.request(path + "RunWasip1", task, headers={**json_type, "Content-Encoding": "br"})
    assert (status, json.loads(body)["code"]) == (501, "unimplemented")
    status, _, body = broker.request(path + "RunWasip1", b"{" * 10000, headers=json_type)
    assert (status, json.loads(body)["code"]) == (400, "invalid_argument")


# --- sockets

def test_a_client_socket_answers_each_request_and_survives_the_unknown(broker):
    client = socket(broker, "/api/client/ws")
    assert client.next() == {"open": "wasimoff_provider_v1_json"}
    client.say(envelope(0, "wasimoff.v1.Nonsense"))
    answer = json.loads(client.next()["text"])
    assert answer["sequence"] == "0" and "Nonsense" in answer["error"] and answer["type"] == "Response"
    client.say(envelope("5", "any.where/wasimoff.v1.Task.Wasip1.Request"))
    assert "params" in json.loads(client.next()["text"])["error"]
    client.say(envelope("6", "type.googleapis.com/wasimoff.v1.Task.Wasip1.Request", params={"binary": {"ref": "hello"}}))
    answer = json.loads(client.next()["text"])
    assert answer["sequence"] == "6" and answer["payload"]["@type"] == "wasimoff/wasimoff.v1.Task.Wasip1.Response"
    assert base64.b64decode(answer["payload"]["ok"]["stdout"]) == b"hello\n"
    client.say(envelope(7, "wasimoff.v1.Task.Wasip1.Request", params={"binary": {"ref": "loop"}}))
    until(lambda: broker.metric("wasimoff_tasks_dispatching") == 1)
    client.close()
    until(lambda: broker.metric("wasimoff_tasks_dispatching") == 0)


@pytest.mark.parametrize("line,code", [("{}", 1011), ("nonsense", 1011), ("binary AAAA", 1003),
                                       ('{"type":"Request"}', 1011), pytest.param("[" * 5000, 1011, id="5000 brackets")])
def test_unreadable_messages_end_the_socket_alone(broker, line, code):
    for path in ("/api/client/ws", "/api/provider/ws?id=odd"):
        peer = socket(broker, path)
        peer.next()
        peer.say(line)
        message = peer.next()
        while "closed" not in message:
            message = peer.next()
        assert message["closed"] == code
    assert broker.request("/healthz")[0] == 200


def test_many_that_join_at_once_are_told_of_the_others_once(broker):
    """Else a thousand would be told a million times."""
    def joining(number):
        peer = socket(broker, f"/api/provider/ws?id=crowd-{number}")
        assert "open" in peer.next()
        listing = json.loads(peer.next()["text"])
        assert listing["payload"]["@type"].endswith("Filesystem.Listing.Request")
        peer.say(envelope(listing["sequence"], "wasimoff.v1.Filesystem.Listing.Response", "Response", files=[]))
        return peer

    def news(peer):
        message = json.loads(peer.next()["text"])
        while message["payload"]["@type"].endswith(("Event.Throughput", "Ping")):  # of the tests before
            message = json.loads(peer.next()["text"])
        assert message["payload"]["@type"].endswith("Event.ClusterInfo"), message
        return message["payload"]["providers"]

    first = joining(0)
    alone, began = news(first), time.monotonic()
    others = [joining(number) for number in range(1, 8)]
    told = [news(first)]
    while told[-1] < alone + 7:
        told.append(news(first))
    assert len(told) <= time.monotonic() - began + 2, told  # once a second, while processes of Node start
    for peer in [first, *others]:
        peer.close()


def test_without_a_common_subprotocol_the_socket_closes_with_1002(broker):
    peer = Lines(["node", peers() / "socket.mjs", broker.url.replace("http", "ws") + "/api/provider/ws"])
    assert peer.next() == {"open": ""}
    assert peer.next()["closed"] == 1002


def test_origins_and_user_agents_are_looked_at(broker):
    upgrade = ["-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13",
               "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "--max-time", "2"]
    assert curl(broker, "/api/provider/ws", *upgrade, "-H", "Origin: http://evil.example")[0] == 403
    assert curl(broker, "/api/provider/ws", *upgrade, "-A", "")[0] == 400
    assert curl(broker, "/api/provider/ws")[0] == 426


def test_a_provider_that_goes_silent_is_dropped_and_its_task_runs_elsewhere(tmp_path):
    broker = Broker(tmp_path, "--metrics", "--ping-timeout", "2")
    try:
        broker.upload(compile_c(tmp_path, CASES, "cases"), "cases")
        frozen = broker.provider("frozen", 1)
        frozen.send_signal(signal.SIGSTOP)
        client = subprocess.Popen(["curl", "-s", "-X", "POST", "-H", "X-Args: args on", broker.url + "/api/client/run/cases"],
                                  stdout=subprocess.PIPE, text=True)
        until(lambda: broker.metric("wasimoff_tasks_dispatching") == 1)
        broker.provider("alive", 1)
        assert client.communicate(timeout=15)[0] == "[cases][args][on]"
        assert "provider frozen is evicted" in broker.output()
    finally:
        assert broker.stop() == 0


def test_a_provider_that_is_killed_loses_no_task(tmp_path):
    broker = Broker(tmp_path, "--metrics")
    try:
        broker.upload(assemble(tmp_path, LOOP, "loop"), "loop")
        broker.upload(assemble(tmp_path, HELLO, "hello"), "hello")
        first = broker.provider("first", 1)
        client = subprocess.Popen(["curl", "-s", "-X", "POST", "-H", "Content-Type: application/json", "-H", "Connect-Timeout-Ms: 4000",
                                   "-d", '{"params":{"binary":{"ref":"loop"}}}',
                                   broker.url + "/api/client/wasimoff.v1.Tasks/RunWasip1"], stdout=subprocess.PIPE, text=True)
        until(lambda: broker.metric("wasimoff_tasks_dispatching") == 1)
        first.kill()
        until(lambda: broker.metric("wasimoff_tasks_queued") == 1)
        broker.provider("second", 1)
        until(lambda: broker.metric("wasimoff_tasks_dispatching") == 1)
        assert json.loads(client.communicate(timeout=15)[0])["code"] == "deadline_exceeded"
        assert broker.run(params={"binary": {"ref": "hello"}})[0] == 200
    finally:
        assert broker.stop() == 0


# --- the command line

def task(broker, *words, **options):
    return subprocess.run([program, "task", "--broker", broker.url, *map(str, words)], capture_output=True, timeout=60, **options)


def test_the_command_line_runs_uploads_lists_and_cancels(broker, tmp_path):
    assert task(broker, "upload", broker.folder / "cases.wasm", "by-hand").stdout.startswith(b"sha256:")
    done = task(broker, "run", "by-hand", "args", "--flag", "two words")
    assert (done.returncode, done.stdout) == (0, b"[by-hand][args][--flag][two words]")
    assert task(broker, "run", broker.folder / "cases.wasm", "exit", "3").returncode == 3
    assert task(broker, "run", "--stdin", "by-hand", "cat", input=b"a\0b").stdout == b"a\0b"
    assert task(broker, "run", "--env", "K=v", "by-hand", "env", "K").stdout == b"v"
    assert task(broker, "run", "--artifact", "made", "--artifacts-to", tmp_path / "out.zip", "by-hand", "write", "made").returncode == 0
    assert zipfile.ZipFile(tmp_path / "out.zip").read("made") == b"made"
    assert json.loads(task(broker, "--json", "run", "by-hand", "exit", "4").stdout)["ok"]["status"] == 4
    refused = task(broker, "run", "nowhere")
    assert refused.returncode == 1 and b"file not found: nowhere" in refused.stderr
    client = subprocess.Popen([program, "task", "--broker", broker.url, "run", "loop"], stderr=subprocess.PIPE)
    until(lambda: broker.metric("wasimoff_tasks_dispatching") == 1)
    listed = json.loads(task(broker, "--json", "list").stdout)["tasks"]
    assert len(listed) == 1 and listed[0]["provider"] == "node"
    assert task(broker, "cancel", int(listed[0]["id"]) + 1000).returncode == 1
    assert task(broker, "cancel", listed[0]["id"]).returncode == 0
    assert b"cancelled on request" in client.communicate(timeout=15)[1]
    assert client.returncode == 1
    until(lambda: json.loads(task(broker, "--json", "list").stdout)["tasks"] == [])
    assert task(broker, "run", "by-hand", "exit", "0").returncode == 0


# --- who may do what

TOKENS = """\
[runner]
secret = runner-secret-0123456789
roles = run
queue = 1
[uploader]
secret = uploader-secret-0123456789
roles = upload,run
[other]
secret = other-secret-0123456789
roles = upload
[helper]
secret = helper-secret-0123456789
roles = provide
"""


def test_tokens_have_roles_quotas_and_aliases_of_their_own(tmp_path):
    (tmp_path / "tokens.ini").write_text(TOKENS)
    broker = Broker(tmp_path, "--tokens", tmp_path / "tokens.ini", "--metrics")
    try:
        hello = assemble(tmp_path, HELLO, "hello")
        bearer = {name: {"Authorization": f"Bearer {name}-secret-0123456789"} for name in ("runner", "uploader", "other", "helper")}
        upload = "/api/storage/upload?name=hello"
        assert broker.request(upload, hello)[0] == 401
        assert broker.request(upload, hello, headers={"Authorization": "Bearer wrong"})[0] == 401
        assert broker.request(upload, hello, headers=bearer["runner"])[0] == 403
        assert broker.request(upload, hello, headers=bearer["uploader"])[0] == 200
        assert broker.request(upload, hello, headers=bearer["other"])[0] == 403
        run_path = "/api/client/wasimoff.v1.Tasks/RunWasip1"
        as_json = {"Content-Type": "application/json", "Connect-Timeout-Ms": "3000"}
        task = b'{"params":{"binary":{"ref":"hello"}}}'
        status, _, body = broker.request(run_path, task, headers=as_json)
        assert (status, json.loads(body)["code"]) == (401, "unauthenticated")
        status, _, body = broker.request(run_path, task, headers={**as_json, **bearer["helper"]})
        assert (status, json.loads(body)["code"]) == (403, "permission_denied")
        peer = socket(broker, "/api/provider/ws?id=x&token=runner-secret-0123456789")
        assert peer.next() == {"refused": 403}
        waiting = subprocess.Popen(["curl", "-s", "-X", "POST", "-H", "Authorization: Bearer runner-secret-0123456789",
                                    broker.url + "/api/client/run/hello"], stdout=subprocess.PIPE, text=True)
        until(lambda: broker.metric("wasimoff_tasks_queued") == 1)
        status, _, body = broker.request(run_path, task, headers={**as_json, **bearer["runner"]})
        assert (status, json.loads(body)["code"]) == (429, "resource_exhausted")
        broker.provider("helper", 1, "--token", "helper-secret-0123456789")
        assert waiting.communicate(timeout=15)[0] == "hello\n"
    finally:
        assert broker.stop() == 0


def test_without_tokens_it_serves_its_own_machine_and_says_so(tmp_path):
    broker = Broker(tmp_path, "--trusted-proxies", "127.0.0.0/8")
    try:
        assert "no tokens: open to every program on this machine" in broker.output()
        assert broker.request("/api/client/run/x", b"", headers={"X-Real-IP": "192.0.2.1"})[0] == 403
        assert broker.request("/api/client/run/x", b"")[0] == 500  # let in, and there is no such program
    finally:
        assert broker.stop() == 0


def test_files_and_aliases_survive_a_restart_in_a_directory(tmp_path):
    (tmp_path / "config.env").write_text(f'WASIMOFF_FILESTORAGE="dirfs://{tmp_path}/files"\n')
    content = assemble(tmp_path, HELLO, "hello")
    broker = Broker(tmp_path)
    ref = broker.upload(content, "hello")
    assert broker.stop() == 0
    assert (tmp_path / "files" / "blob" / ref).read_bytes() == content
    broker = Broker(tmp_path, environment={"WASIMOFF_METRICS": "true"})
    try:
        assert broker.request("/api/storage/hello")[2] == content
        assert broker.request("/metrics")[0] == 200
    finally:
        assert broker.stop() == 0


def test_a_body_beyond_the_limit_is_refused(tmp_path):
    broker = Broker(tmp_path, "--max-file", 1)
    try:
        assert curl(broker, "/api/storage/upload", "-H", "Expect:", "--data-binary", "@/dev/null")[0] == 415
        (tmp_path / "big").write_bytes(b"\0asm" + bytes(2 << 20))
        assert curl(broker, "/api/storage/upload", "--data-binary", f"@{tmp_path}/big")[0] == 413
        assert curl(broker, "/api/storage/upload", "-H", "Expect:", "-H", "Transfer-Encoding: chunked", "--data-binary", f"@{tmp_path}/big")[0] == 413
    finally:
        assert broker.stop() == 0


# --- Chromium

@pytest.mark.skipif(node_version() < 20, reason="playwright-core needs Node 20")
def test_the_page_in_chromium_runs_tasks(tmp_path):
    if not os.path.exists("/usr/bin/chromium"):
        pytest.skip("chromium is not installed")
    broker = Broker(tmp_path, "--metrics", "--static-files", web())
    page = subprocess.Popen(["node", str(peers() / "browser.mjs"), broker.url + "/#autoconnect=yes&workers=2"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        broker.upload(compile_c(tmp_path, CASES, "cases"), "cases")
        broker.upload(assemble(tmp_path, LOOP, "loop"), "loop")
        until(lambda: broker.metric('wasimoff_available_workers{type="providers"}') == 2, 60)
        assert cases(broker, "args", "in a browser")[1] == b"[cases][args][in a browser]"
        assert cases(broker, "exit", "3")[0] == 3
        assert cases(broker, "grow")[1] == b"7"
        status, answer = broker.run(params={"binary": {"ref": "loop"}}, qos={"deadline": time.strftime(
            "%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))})
        assert answer["code"] == "deadline_exceeded"
        assert cases(broker, "cat", stdin="aGk=")[1] == b"hi"
        output, _ = page.communicate("", timeout=30)
        assert re.search(r"\d tasks", output)
    finally:
        page.kill()
        page.wait()
        assert broker.stop() == 0
