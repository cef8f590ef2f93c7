"""Tasks that nobody waits for, batches, results that are kept, second copies of late tasks, quotas of bytes: over the wire,
with curl as the reader of server-sent events and Node providers."""
import base64
import concurrent.futures
import json
import shutil
import signal
import subprocess
import time

import pytest
from broker import Broker, compile_c, until, web
from broker_cluster_test import SLOW, Redis, free_port

AT_ONCE = {"Content-Type": "application/json"}


def started(folder, *options, name="broker"):
    broker = Broker(folder / name, "--metrics", "--static-files", web(), *options)
    broker.upload(compile_c(folder, SLOW, "slow"), "slow")
    return broker


@pytest.fixture(params=["alone", "with Redis"])
def broker(request, tmp_path):
    options, redis = [], None
    if request.param != "alone":
        if not shutil.which("redis-server"):
            pytest.skip("redis-server is not installed")
        redis = Redis(tmp_path / "redis", free_port())
        options = ["--redis", redis.url]
    running = started(tmp_path, *options)
    if redis:
        until(lambda: "shares the queue" in running.output())
    running.redis = redis
    yield running
    assert running.stop() == 0
    if redis:
        redis.kill()


def task(milliseconds=1, text="x", **more):
    return {"params": {"binary": {"ref": "slow"}, "args": ["slow", str(milliseconds), text]}, **more}


def post(broker, path, message, **headers):
    status, head, body = broker.request(path, json.dumps(message).encode(), headers={**AT_ONCE, **headers})
    return status, json.loads(body)


def submit(broker, *args, **more):
    status, answer = post(broker, "/api/client/submit/RunWasip1", task(*args, **more))
    assert status == 202, answer
    return answer["id"]


def look(broker, id):
    status, _, body = broker.request(f"/api/tasks/{id}")
    return status, json.loads(body)


def ended(broker, id):
    until(lambda: look(broker, id)[1].get("state") == "done")
    return look(broker, id)[1]


def stdout(answer):
    return base64.b64decode(answer["ok"].get("stdout", "")).decode()


def test_a_task_is_submitted_and_asked_about(broker):
    id = submit(broker, 300, "later", info={"reference": "mine"})
    assert look(broker, id) == (200, {"id": id, "state": "waiting"})
    broker.provider("node", 1)
    until(lambda: look(broker, id)[1]["state"] == "running")
    answer = ended(broker, id)
    assert stdout(answer["response"]) == "later"
    assert answer["response"]["info"] | {"requester": ""} == {
        "id": id, "reference": "mine", "provider": "node", "requester": ""}
    assert ended(broker, id) == answer, "whoever asks again gets the same"
    assert look(broker, "nothing")[0] == 404


def test_what_cannot_be_submitted_says_why_at_once_and_what_fails_later_says_it_then(broker):
    assert post(broker, "/api/client/submit/RunWasip1", {})[1]["code"] == "invalid_argument"
    assert post(broker, "/api/client/submit/RunWasip1", {"params": {"binary": {"ref": "no"}}})[1]["code"] == "not_found"
    id = submit(broker, qos={"deadline": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))})
    assert ended(broker, id)["error"]["code"] == "deadline_exceeded"


def test_server_sent_events_tell_the_states_and_the_result(broker):
    broker.provider("node", 1)
    id = submit(broker, 700, "told")
    done = subprocess.run(["curl", "-sN", f"{broker.url}/api/events/tasks/{id}"], capture_output=True, text=True, timeout=30)
    events = [dict(line.split(": ", 1) for line in block.splitlines()) for block in done.stdout.strip().split("\n\n")]
    assert [event["event"] for event in events] == ["state", "done"]
    assert json.loads(events[0]["data"])["state"] in ("waiting", "running")
    assert stdout(json.loads(events[1]["data"])["response"]) == "told"
    # Who comes late hears it all the same, and what does not exist is an error.
    for path, event in ((id, "event: done"), ("nothing", "event: error")):
        done = subprocess.run(["curl", "-sN", f"{broker.url}/api/events/tasks/{path}"], capture_output=True, text=True, timeout=30)
        assert done.stdout.startswith(event)


def test_a_submitted_task_can_be_cancelled(broker):
    broker.provider("node", 1)
    id = submit(broker, 60000)
    until(lambda: look(broker, id)[1]["state"] == "running")
    assert broker.request(f"/api/tasks/{id}", method="DELETE")[0] == 200
    assert ended(broker, id)["error"]["code"] == "canceled"
    until(lambda: broker.metric("wasimoff_tasks_dispatching") == 0)
    assert broker.request(f"/api/tasks/{id}", method="DELETE")[0] == 404
    assert stdout(ended(broker, submit(broker, 1, "next"))["response"]) == "next"


def test_the_broker_that_took_a_task_dies_and_another_gives_the_result_once(tmp_path):
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed")
    redis = Redis(tmp_path / "redis", free_port())
    first = started(tmp_path, "--redis", redis.url, name="first")
    second = Broker(tmp_path / "second", "--metrics", "--redis", redis.url, "--static-files", web())
    try:
        for broker in (first, second):
            until(lambda: "shares the queue" in broker.output())
        first.provider("node", 2)
        ids = [submit(first, 2000, str(i)) for i in range(4)]
        until(lambda: first.metric("wasimoff_tasks_dispatching") == 2)
        listener = subprocess.Popen(["curl", "-sN", f"{second.url}/api/events/tasks/{ids[0]}"], stdout=subprocess.PIPE, text=True)
        first.process.kill()
        first.process.wait()
        second.provider("other", 2)
        until(lambda: all(look(second, id)[1].get("state") == "done" for id in ids), timeout=40)
        assert [stdout(look(second, id)[1]["response"]) for id in ids] == ["0", "1", "2", "3"]
        assert listener.communicate(timeout=20)[0].count("event: done") == 1
    finally:
        first.stop()
        second.stop()
        redis.kill()


def test_a_batch_in_the_form_of_the_old_examples(broker):
    broker.provider("node", 2)
    status, answer = post(broker, "/api/client/wasimoff.v1.Tasks/RunWasip1", {
        "parent": {"binary": {"ref": "slow"}, "envs": ["A=b"]},
        "tasks": [{"args": ["slow", "1", "one"]}, {"params": {"args": ["slow", "1", "two"]}},
                  {"args": ["slow", "1", "three"], "binary": {"ref": "nowhere"}}]})
    assert status == 200
    assert [stdout(each) for each in answer["tasks"][:2]] == ["one", "two"]
    assert "not found" in answer["tasks"][2]["error"] and len(answer["tasks"]) == 3
    assert post(broker, "/api/client/wasimoff.v1.Tasks/RunWasip1", {"parent": {"binary": {}}, "tasks": 5})[0] == 400
    # What every task inherits counts as often as it is inherited.
    blob = base64.b64encode(bytes(1 << 20)).decode()
    status, answer = post(broker, "/api/client/wasimoff.v1.Tasks/RunWasip1", {
        "parent": {"binary": {"blob": blob}}, "tasks": [{}] * 200})
    assert status == 400 and "refs" in answer["message"]


def test_who_leaves_a_batch_takes_its_tasks_along(broker):
    broker.provider("node", 2)
    client = subprocess.Popen(["curl", "-s", "-H", "Content-Type: application/json", "-d", json.dumps(
        {"parent": {"binary": {"ref": "slow"}}, "tasks": [{"args": ["slow", "60000", "x"]}] * 5}),
        broker.url + "/api/client/wasimoff.v1.Tasks/RunWasip1"], stdout=subprocess.DEVNULL)
    until(lambda: broker.metric("wasimoff_tasks_dispatching") >= 2)
    client.kill()
    client.wait()
    until(lambda: broker.metric("wasimoff_tasks_dispatching") == 0 and broker.metric("wasimoff_tasks_queued") == 0)


def test_the_result_of_a_deterministic_task_is_kept_for_the_same_parameters(tmp_path):
    broker = started(tmp_path)
    try:
        provider = broker.provider("node", 1)
        first = broker.run(**task(1, "same", qos={"deterministic": True}))[1]
        provider.send_signal(signal.SIGSTOP)  # nobody could run it now
        again = broker.run(**task(1, "same", qos={"deterministic": True}))[1]
        assert again["ok"] == first["ok"] and again["info"]["id"] != first["info"]["id"]
        assert again["info"]["provider"] == "node"
        assert broker.metric("wasimoff_tasks_kept") == 1
        provider.send_signal(signal.SIGCONT)
        assert stdout(broker.run(**task(1, "other", qos={"deterministic": True}))[1]) == "other"
        broker.run(**task(1, "same"))
        assert broker.metric("wasimoff_tasks_kept") == 1, "who does not say so gets it anew"
        body = None
        for _ in range(2):
            _, _, body = broker.request("/api/client/run/slow", b"", headers={"X-Args": "1 plain", "X-Deterministic": "1"})
        assert body == b"plain" and broker.metric("wasimoff_tasks_kept") == 2
    finally:
        broker.stop()


def test_a_late_task_is_begun_a_second_time_and_answered_once(tmp_path):
    broker = started(tmp_path, "--second-copy", "3", "--ping-timeout", "60")
    try:
        one, two = broker.provider("one", 1), broker.provider("two", 1)
        for i in range(6):
            assert stdout(broker.run(**task(50, str(i)))[1]) == str(i)
        one.send_signal(signal.SIGSTOP)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            begun = time.monotonic()
            # One goes to each; the frozen one holds what it gets, and the other does it too.
            answers = list(pool.map(lambda i: broker.run(**task(50, str(i)))[1], range(2)))
            assert [stdout(answer) for answer in answers] == ["0", "1"]
            assert {answer["info"]["provider"] for answer in answers} == {"two"}
            assert time.monotonic() - begun < 10
        one.send_signal(signal.SIGCONT)
        until(lambda: broker.metric("wasimoff_tasks_dispatching") == 0)
        assert broker.metric("wasimoff_second_copies") >= 1
        assert broker.metric('wasimoff_tasks_completed_count{status="ok",target="provider"}') == 8
    finally:
        one.send_signal(signal.SIGCONT)
        broker.stop()


def test_a_token_stores_no_more_than_it_may(tmp_path):
    (tmp_path / "tokens").write_text("""[alice]
secret = alice-alice-alice-alice
roles = upload
stored = 1
""")
    broker = Broker(tmp_path / "broker", "--tokens", tmp_path / "tokens", "--storage", tmp_path / "store")
    as_alice = {"Authorization": "Bearer alice-alice-alice-alice"}

    def upload(letter, name=""):
        content = b"\0asm\1\0\0\0" + letter * (600 << 10)
        return broker.request(f"/api/storage/upload?name={name}", content, headers=as_alice)[0]
    try:
        assert upload(b"a", "a") == 200
        assert upload(b"b") == 413
        assert upload(b"a", "another") == 200, "what is stored already costs nothing"
    finally:
        broker.stop()
    broker = Broker(tmp_path / "again", "--tokens", tmp_path / "tokens", "--storage", tmp_path / "store")
    try:
        assert upload(b"b") == 413, "a restart changes nothing"
    finally:
        broker.stop()
