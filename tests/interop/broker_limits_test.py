"""What one may do before others suffer: quotas of tokens, room for files, connections; and files that were tampered with."""
import base64
import concurrent.futures
import json
import signal
import socket
import subprocess
import threading
import time

import pytest
from broker import Broker, Stub, assemble, until, web
from broker_test import HELLO
from by_hand import BINARY, REQUEST, Socket, envelope, pack

PAGE = b"\0asm\1\0\0\0"
RUN = "/api/client/wasimoff.v1.Tasks/RunWasip1"
JSON = {"Content-Type": "application/json"}
TASK = b'{"params":{"binary":{"ref":"page"}}}'
TOKENS = """[alice]
secret = alice-alice-alice-alice
roles = run, upload
{settings}
[bob]
secret = bob-bob-bob-bob-bob-bob
roles = run, upload
[root]
secret = root-root-root-root-root
roles = admin
"""
SECRETS = {"alice": "alice-alice-alice-alice", "bob": "bob-bob-bob-bob-bob-bob", "root": "root-root-root-root-root"}


def bearer(name):
    return {"Authorization": f"Bearer {SECRETS[name]}"}


@pytest.fixture
def start(tmp_path):
    running, stubs = [], []

    def start(*options, alice=None):
        if alice is not None:
            (tmp_path / "tokens.ini").write_text(TOKENS.format(settings=alice))
            options += ("--tokens", tmp_path / "tokens.ini")
        broker = Broker(tmp_path / f"broker{len(running)}", "--metrics", *options)
        running.append(broker)
        path = "/api/provider/ws?id=stub" + ("" if alice is None else "&token=" + SECRETS["root"])
        broker.stub = lambda slots: stubs.append(Stub(broker, slots=slots, path=path)) or stubs[-1]
        if alice is not None:
            assert broker.request("/api/storage/upload?name=page", PAGE, headers=bearer("root"))[0] == 200
        return broker
    yield start
    for stub in stubs:
        stub.close()
    for broker in running:
        assert broker.stop() == 0


@pytest.fixture
def clients():
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        yield pool


def task(broker, name):
    status, _, body = broker.request(RUN, TASK, headers={**JSON, **bearer(name)})
    return status, json.loads(body)


# --- tokens

def test_the_rate_of_a_token_holds_and_is_its_own(start, clients):
    broker = start(alice="rate = 2")
    stub = broker.stub(16)

    def serve():
        while True:
            try:
                stub.done(stub.task())
            except (AssertionError, OSError, ValueError):
                return
    threading.Thread(target=serve, daemon=True).start()
    began, allowed, refused = time.monotonic(), 0, 0
    while time.monotonic() - began < 3:
        status, told = task(broker, "alice")
        allowed += status == 200
        if status != 200:
            refused += 1
            assert (status, told["code"]) == (429, "resource_exhausted") and "too many tasks a second" in told["message"]
        assert task(broker, "bob")[0] == 200
    assert 6 <= allowed <= 2 + 2 * (time.monotonic() - began) + 1 and refused > 0


def test_the_concurrency_of_a_token_holds_and_leaves_slots_to_others(start, clients):
    broker = start(alice="concurrency = 2")
    stub = broker.stub(8)
    hers = [clients.submit(task, broker, "alice") for _ in range(4)]
    requests = [stub.task(), stub.task()]
    until(lambda: broker.metric("wasimoff_tasks_queued") == 2)
    his = clients.submit(task, broker, "bob")
    stub.done(stub.task())
    assert his.result()[0] == 200 and broker.metric("wasimoff_tasks_dispatching") == 2
    for request in requests:
        stub.done(request)
    for _ in range(2):
        stub.done(stub.task())
    assert [answer.result()[0] for answer in hers] == [200] * 4


def test_the_queue_of_a_token_holds_and_others_may_still_wait(start, clients):
    broker = start(alice="queue = 2")
    answers = [clients.submit(task, broker, "alice") for _ in range(2)]
    until(lambda: broker.metric("wasimoff_tasks_queued") == 2)
    status, told = task(broker, "alice")
    assert (status, told["code"]) == (429, "resource_exhausted") and told["message"].startswith("429: Queue Full")
    answers.append(clients.submit(task, broker, "bob"))
    until(lambda: broker.metric("wasimoff_tasks_queued") == 3)
    stub = broker.stub(1)
    for _ in answers:
        stub.done(stub.task())
    assert [answer.result()[0] for answer in answers] == [200] * 3


def test_nobody_swaps_a_program_under_a_name_of_somebody_else(start):
    broker = start(alice="")
    other = PAGE + b"\0\2\1x"
    assert broker.request("/api/storage/upload?name=mine", PAGE, headers=bearer("alice"))[0] == 200
    upload = {"upload": {"ref": "mine", "media": "application/wasm", "blob": base64.b64encode(other).decode()}}
    assert broker.request("/api/storage/upload?name=mine", other, headers=bearer("bob"))[0] == 403
    assert broker.request("/api/broker/v1/upload?name=mine", other, headers=bearer("bob"))[0] == 403
    status, _, body = broker.request("/api/client/wasimoff.v1.Tasks/Upload", json.dumps(upload).encode(), headers={**JSON, **bearer("bob")})
    assert (status, json.loads(body)["code"]) == (403, "permission_denied")
    peer = Socket(broker, "/api/client/ws?token=" + SECRETS["bob"])
    peer.send(BINARY, envelope(1, REQUEST, "Filesystem.Upload.Request", pack((1, pack((1, "mine"), (2, "application/wasm"), (3, other))))))
    assert "somebody else's alias" in peer.next().error
    peer.close()
    assert broker.request("/api/storage/mine")[2] == PAGE
    for who in ("alice", "root"):
        assert broker.request("/api/storage/upload?name=mine", other, headers=bearer(who))[0] == 200
    assert broker.request("/api/storage/mine")[2] == other


def test_tokens_are_read_again_on_hup_and_stay_where_the_file_is_wrong(start, tmp_path):
    broker = start(alice="")
    tokens = tmp_path / "tokens.ini"

    def hup():
        broker.process.send_signal(signal.SIGHUP)

    def let_in(name):
        return broker.request("/api/tasks", headers=bearer(name))[0] == 200
    assert let_in("alice") and let_in("bob")
    tokens.write_text(tokens.read_text().replace("[bob]", "[bob]\nnonsense = 1"))
    hup()
    until(lambda: "tokens stay as they were" in broker.output())
    assert let_in("alice") and let_in("bob")
    tokens.write_text(f"[alice]\nsecret = {SECRETS['alice']}\nroles = run\n")
    hup()
    until(lambda: not let_in("bob"))
    assert let_in("alice")


# --- connections

@pytest.mark.parametrize("option,path", [("--max-providers", "/api/provider/ws"), ("--max-clients", "/api/client/ws")])
def test_no_more_connections_than_are_allowed(start, option, path):
    broker = start(option, 2)
    peers = [Socket(broker, path) for _ in range(2)]
    extra = Socket(broker, path)
    assert extra.closed()[0] == 1013  # try again later
    extra.close()
    peers[0].close()

    def let_in():
        peer = Socket(broker, path)
        peer.socket.settimeout(0.5)
        try:
            peer.closed()
        except TimeoutError:
            return True
        finally:
            peer.close()
    until(let_in)
    peers[1].close()


def test_one_socket_has_4096_requests_at_once_and_no_more(start):
    broker = start("--queue", "10000")
    broker.upload(PAGE, "page")
    peer = Socket(broker, "/api/client/ws")
    request = pack((3, pack((1, pack((1, "page"))))))
    for number in range(4100):
        peer.send(BINARY, envelope(number, REQUEST, "Task.Wasip1.Request", request))
    for number in range(4096, 4100):
        answer = peer.next()
        assert (answer.sequence, answer.error) == (number, "429: too many requests on this socket")
    assert broker.metric("wasimoff_tasks_queued") == 4096
    peer.close()
    until(lambda: broker.metric("wasimoff_tasks_queued") == 0)


# --- room for files

def file(number, size=400 << 10):
    return PAGE + bytes([number]) * size


@pytest.mark.parametrize("where", ["memory", "directory"])
def test_unused_files_that_nothing_names_go_when_room_is_short(start, tmp_path, where):
    broker = start(*(("--max-memory", 1) if where == "memory" else ("--max-stored", 1, "--storage", tmp_path / "files")))

    def there(ref):
        return broker.request(f"/api/storage/{ref}", headers={"Range": "bytes=0-0"})[0] == 206
    first, second = broker.upload(file(1)), broker.upload(file(2))
    assert there(second) and there(first)  # the first was used last
    third = broker.upload(file(3))
    assert not there(second) and there(first) and there(third)
    named = broker.upload(file(4), "named")
    for number in range(5, 30):
        latest = broker.upload(file(number))
        assert broker.metric("wasimoff_stored_bytes") <= 1 << 20
        assert there(latest) and there("named")
    if where == "directory":
        assert {path.name for path in (tmp_path / "files" / "blob").iterdir()} == {named, latest}
    broker.upload(file(30), "also-named")
    status, _, body = broker.request("/api/storage/upload", file(31))
    assert status == 413 and b"storage is full" in body
    assert there("named") and there("also-named")
    broker.upload(PAGE, "named")  # what it meant before has no name now
    assert broker.request("/api/storage/upload", file(31))[0] == 200 and not there(named)


def test_files_sent_along_and_rootfs_of_tasks_are_not_stored(start, clients):
    broker = start("--max-memory", 1)
    stub = broker.stub(1)
    before = broker.metric("wasimoff_stored_bytes")
    blob = base64.b64encode(file(1)).decode()
    for _ in range(4):
        answer = clients.submit(broker.run, params={"binary": {"blob": blob}, "rootfs": {"blob": "UEsDBA=="}})
        stub.done(stub.task())
        assert answer.result()[0] == 200
    assert broker.metric("wasimoff_stored_bytes") == before


# --- tampering

class Tamperer:
    """Between a provider and the broker: changes what files hold as they pass, as long as it is told to."""

    def __init__(self, broker, before, after):
        host, port = broker.url.split("/")[2].split(":")
        self.to, self.before, self.after, self.active, self.changed = (host, int(port)), before, after, True, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        try:
            while True:
                inside, _ = self.listener.accept()
                outside = socket.create_connection(self.to)
                threading.Thread(target=self.pump, args=(inside, outside, False), daemon=True).start()
                threading.Thread(target=self.pump, args=(outside, inside, True), daemon=True).start()
        except OSError:
            return

    def pump(self, source, target, change):
        try:
            while part := source.recv(65536):
                if change and self.active and self.before in part:
                    self.changed += 1
                    part = part.replace(self.before, self.after)
                target.sendall(part)
        except OSError:
            pass
        finally:
            target.close()


def test_a_provider_runs_no_file_that_is_not_what_its_name_says_and_does_not_keep_it(start, tmp_path):
    broker = start("--attempts", "2")
    broker.upload(assemble(tmp_path, HELLO, "hello"), "hello")
    between = Tamperer(broker, b"hello\n", b"jello\n")
    log = open(tmp_path / "provider.log", "wb")
    provider = subprocess.Popen(["node", str(web() / "node" / "provider.mjs"), "--broker", between.url, "--name", "node", "--workers", "1"],
                                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    broker.providers.append(provider)
    log.close()
    until(lambda: broker.metric("wasimoff_connected_providers") == 1)
    status, told = broker.run(params={"binary": {"ref": "hello"}}, qos={"immediate": True})
    assert status != 200 and "came with other content" in told["message"], told
    assert between.changed > 0
    between.active = False
    status, told = broker.run(params={"binary": {"ref": "hello"}})
    assert status == 200 and base64.b64decode(told["ok"]["stdout"]) == b"hello\n"
    between.listener.close()
