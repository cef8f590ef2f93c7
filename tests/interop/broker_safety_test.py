"""What went wrong with the broker that this one replaces, each shown absent."""
import base64
import concurrent.futures
import json
import subprocess
import threading
import time

import pytest
from broker import Broker, Stub, assemble, socket, until
from broker_test import HELLO, LOOP

PAGE = b"\0asm\1\0\0\0"
RUN = "/api/client/wasimoff.v1.Tasks/RunWasip1"


@pytest.fixture
def start(tmp_path):
    running = []

    def start(*options):
        running.append(Broker(tmp_path, "--metrics", *options))
        running[-1].upload(PAGE, "page")
        return running[-1]
    yield start
    for broker in running:
        assert broker.stop() == 0


def run(broker, **more):
    return broker.run(params={"binary": {"ref": "page"}}, **more)


def stdout(answer):
    return base64.b64decode(answer["ok"].get("stdout", ""))


def serve(stub, text, pause=0):
    """Answers all tasks with that, until its connection ends."""
    def loop():
        try:
            while True:
                task = stub.task()
                time.sleep(pause)
                stub.done(task, stdout=text)
        except (AssertionError, OSError, ValueError):
            return
    threading.Thread(target=loop, daemon=True).start()


def test_a_provider_that_makes_results_up_is_outvoted_and_sent_away(start):
    broker = start("--agreement", "2")
    stubs = [Stub(broker, name) for name in ("liar", "one", "two")]
    for stub, text in zip(stubs, (b"666", b"42", b"42")):
        serve(stub, text, 0 if text == b"666" else 0.05)  # quick, and so preferred
    for number in range(60):
        status, answer = broker.run(params={"binary": {"ref": "page"}, "args": [str(number)]}, qos={"deterministic": True})
        assert status == 200 and stdout(answer) == b"42", answer
        if broker.metric("wasimoff_results_outvoted") == 3:
            break
    until(lambda: broker.metric("wasimoff_connected_providers") == 2)
    assert "provider liar is evicted: outvoted 3 times" in broker.output()
    for stub in stubs:
        stub.close()


def test_providers_that_all_say_something_else_are_believed_by_nobody(start):
    broker = start("--agreement", "2")
    stubs = [Stub(broker, str(number)) for number in range(3)]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(run, broker, qos={"deterministic": True})
        for number, stub in enumerate(stubs):
            pool.submit(lambda stub=stub, number=number: stub.done(stub.task(), stdout=b"%d" % number))
        status, told = answer.result()
    assert (status, told["code"]) == (409, "aborted") and "no 2 of 3 providers" in told["message"]
    for stub in stubs:
        stub.close()


def test_who_does_not_say_that_a_task_is_deterministic_is_believed_at_once(start):
    broker = start("--agreement", "2")
    stub = Stub(broker)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(run, broker)
        stub.done(stub.task(), stdout=b"mine")
        assert stdout(answer.result()[1]) == b"mine"
    stub.close()


@pytest.mark.parametrize("path", ["/api/client/ws", "/api/provider/ws"])
@pytest.mark.parametrize("message", [
    {"type": "Request", "payload": {"@type": "wasimoff.v1.Task.Wasip1.Request"}},  # without a sequence
    {"sequence": "1", "type": "Request", "payload": {"@type": "wasimoff.v1.Task.Wasip1.Request"}},  # and without parameters
    {"sequence": "1", "type": "Request", "payload": {"@type": "wasimoff.v1.Task.Pyodide.Request", "params": {}}},
    {"sequence": "1", "type": "Request"},
    {"sequence": "1", "type": "Response"},
    {"type": "Event", "payload": {"@type": "wasimoff.v1.Event.ProviderResources"}},
    {"type": 9, "sequence": -1},
])
def test_what_lacks_its_fields_stops_nothing(start, path, message):
    broker = start()
    peer = socket(broker, path)
    peer.next()
    peer.say(json.dumps(message))
    assert broker.request("/healthz")[0] == 200
    stub = Stub(broker)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        if path == "/api/provider/ws":  # were it given the task, it would not answer
            peer.close()
        answer = pool.submit(run, broker)
        stub.done(stub.task())
        assert answer.result()[0] == 200
    peer.close()
    stub.close()


def test_one_that_has_thousands_waiting_does_not_keep_others_from_their_turn(start, tmp_path):
    broker = start("--trusted-proxies", "127.0.0.0/8", "--queue", "5000", "--open")
    stub = Stub(broker)
    order = []
    with concurrent.futures.ThreadPoolExecutor() as pool:
        headers = {"Content-Type": "application/json"}
        (tmp_path / "many.json").write_text(json.dumps({"tasks": [{"params": {"binary": {"ref": "page"}}}] * 1000}))
        many = subprocess.Popen(["curl", "-s", "-o", "/dev/null", "-H", "Content-Type: application/json", "-H", "X-Real-IP: 192.0.2.1",
                                 "-d", f"@{tmp_path}/many.json", broker.url + RUN])
        first = stub.task()
        until(lambda: broker.metric("wasimoff_tasks_queued") == 999)
        one = pool.submit(broker.request, RUN, b'{"params":{"binary":{"ref":"page"}},"info":{"reference":"mine"}}',
                          headers={**headers, "X-Real-IP": "192.0.2.2"})
        until(lambda: broker.metric("wasimoff_tasks_queued") == 1000)
        stub.done(first)
        while not one.done():
            task = stub.task()
            order.append(task["payload"]["info"].get("reference"))
            stub.done(task)
            if order[-1] == "mine":
                break
        assert one.result()[0] == 200
        assert order.index("mine") <= 1, order
        many.kill()
        many.wait()
        until(lambda: broker.metric("wasimoff_tasks_queued") == 0)
        stub.close()


def test_without_providers_a_task_ends_with_its_deadline_or_at_once(start):
    broker = start()
    began = time.monotonic()
    status, _, body = broker.request(RUN, b'{"params":{"binary":{"ref":"page"}}}',
                                     headers={"Content-Type": "application/json", "Connect-Timeout-Ms": "500"})
    assert (status, json.loads(body)["code"]) == (504, "deadline_exceeded")
    assert 0.4 < time.monotonic() - began < 3
    status, told = run(broker, qos={"immediate": True})
    assert (status, told["code"]) == (429, "resource_exhausted")


def test_a_task_without_a_deadline_has_one(start, tmp_path):
    broker = start("--longest-task", "1")
    stub = Stub(broker)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(run, broker)
        stub.task()
        status, told = answer.result()
    assert (status, told["code"]) == (504, "deadline_exceeded")
    stub.expect("Task.Cancel")
    stub.close()


def test_addresses_that_anybody_can_write_are_not_believed(start):
    broker = start("--trusted-proxies", "192.0.2.0/24")  # not this machine
    stub = Stub(broker)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(broker.request, "/api/client/run/page", b"", headers={"X-Forwarded-For": "192.0.2.1", "X-Real-IP": "192.0.2.1"})
        task = stub.task()
        assert task["payload"]["info"]["requester"] == "127.0.0.1"
        stub.done(task)
        assert answer.result()[0] == 200
    stub.close()


def test_a_file_that_is_not_what_its_name_says_is_not_served(start, tmp_path):
    broker = start("--storage", tmp_path / "files")
    ref = broker.upload(assemble(tmp_path, LOOP, "loop"), "loop")
    assert broker.stop() == 0
    blobs = [path for path in (tmp_path / "files").rglob("*") if path.is_file() and ref.split(":")[1] in path.name]
    assert len(blobs) == 1
    blobs[0].write_bytes(assemble(tmp_path, HELLO, "hello"))  # somebody changes it behind the broker's back
    broker = start("--storage", tmp_path / "files")
    status, _, body = broker.request(f"/api/storage/{ref}")
    assert status == 500 and body == ref.encode() + b" cannot be read\n"
    assert f"{blobs[0]}: the content is not what its name says" in broker.output()  # the log's reader may know the path


def test_no_client_hears_where_files_lie_on_our_disk(start, tmp_path):
    broker = start("--storage", tmp_path / "files")
    ref = broker.upload(assemble(tmp_path, LOOP, "loop"), "loop")
    assert broker.stop() == 0
    broker = start("--storage", tmp_path / "files")  # which has read none of them yet
    (tmp_path / "files" / "blob").rename(tmp_path / "away")
    (tmp_path / "files" / "blob").write_text("no directory")
    other = assemble(tmp_path, HELLO, "hello")
    blob = base64.b64encode(other).decode()
    heard = [broker.request("/api/storage/upload?name=x", other), broker.request("/api/storage/loop"),
             broker.request(f"/api/storage/{ref}"), broker.request("/api/broker/v1/upload?name=y", other),
             broker.request("/api/client/wasimoff.v1.Tasks/Upload", json.dumps({"upload": {"media": "application/wasm", "blob": blob}}).encode(),
                            headers={"Content-Type": "application/json"})]
    assert [status for status, _, _ in heard] == [500] * 5
    for _, _, body in heard:
        assert b"cannot be" in body and b"/" not in body and b"files" not in body, body
    assert json.loads(heard[-1][2])["code"] == "internal"
    assert str(tmp_path / "files" / "blob") in broker.output()


def test_a_provider_is_told_little_while_little_happens(start):
    broker = start()
    stub = Stub(broker)
    heard = []
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answers = [pool.submit(run, broker) for _ in range(5)]
        began = time.monotonic()
        while not all(answer.done() for answer in answers) or time.monotonic() - began < 3:
            message = stub.next()
            if message["type"] == "Event":
                heard.append(message["payload"]["@type"].rsplit(".", 1)[1])
            elif message["payload"]["@type"].endswith("Ping"):
                break
            else:
                stub.done(message)
    assert len(heard) <= 2 * (time.monotonic() - began) + 2, heard
    stub.close()
