"""The life of a provider, step by step: one made by hand over the `ws` of npm says and hears what a provider may."""
import base64
import concurrent.futures
import time

import pytest
from broker import Broker, Stub, until

PAGE = b"\0asm\1\0\0\0"


@pytest.fixture
def broker(tmp_path):
    running = Broker(tmp_path, "--metrics")
    running.upload(PAGE, "page")
    stubs = []
    running.stub = lambda *words, **options: stubs.append(Stub(running, *words, **options)) or stubs[-1]
    yield running
    for stub in stubs:
        stub.close()
    assert running.stop() == 0


@pytest.fixture
def clients():
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        yield pool


def run(broker, **more):
    return broker.run(params={"binary": {"ref": "page"}, "args": ["page"]}, **more)


def dispatched(broker, count):
    until(lambda: broker.metric("wasimoff_tasks_dispatching") == count)


def test_it_is_known_by_the_name_in_its_address_or_is_anonymous(broker, clients):
    for path, name in (("/api/provider/ws?id=my%20name", "my name"), ("/api/provider/ws", "anonymous")):
        stub = broker.stub(path=path)
        answer = clients.submit(run, broker)
        stub.done(stub.task())
        assert answer.result()[1]["info"]["provider"] == name
        stub.close()
        until(lambda: broker.metric("wasimoff_connected_providers") == 0)


def test_nothing_comes_before_it_has_told_its_files(broker, clients):
    stub = broker.stub(slots=None)
    answer = clients.submit(run, broker)
    stub.tell("ProviderResources", concurrency=1)
    listing = stub.next()
    assert listing["payload"]["@type"] == "wasimoff/wasimoff.v1.Filesystem.Listing.Request" and listing["type"] == "Request"
    until(lambda: broker.metric("wasimoff_tasks_queued") == 1)
    assert broker.metric("wasimoff_connected_providers") == 0
    stub.answer(listing, "Filesystem.Listing.Response", files=[])
    news = stub.next()
    assert news["payload"] == {"@type": "wasimoff/wasimoff.v1.Event.ClusterInfo", "providers": 1}
    stub.done(stub.task())
    assert answer.result()[0] == 200


def test_it_gets_as_many_tasks_as_it_says_at_once_and_later_as_many_as_it_says_then(broker, clients):
    stub = broker.stub(slots=0)
    answers = [clients.submit(run, broker) for _ in range(5)]
    until(lambda: broker.metric("wasimoff_tasks_queued") == 5)
    assert broker.metric("wasimoff_tasks_dispatching") == 0
    stub.tell("ProviderResources", concurrency=2, tasks=7)  # how many it runs it need not say
    tasks = [stub.task(), stub.task()]
    dispatched(broker, 2)
    stub.tell("ProviderResources", concurrency=4)
    tasks += [stub.task(), stub.task()]
    dispatched(broker, 4)
    assert len({task["sequence"] for task in tasks}) == 4
    for task in reversed(tasks):  # in any order
        stub.done(task, stdout=task["payload"]["info"]["id"].encode())
    stub.done(stub.task())
    answers = [answer.result()[1] for answer in answers]
    assert len({answer["info"]["id"] for answer in answers}) == 5
    for answer in answers:
        assert base64.b64decode(answer["ok"].get("stdout", "")).decode() in (answer["info"]["id"], "")


def test_it_is_told_of_others_and_of_the_throughput(broker, clients):
    first = broker.stub("first")
    second = broker.stub("second")

    def providers(stub):
        return stub.expect("Event.ClusterInfo", but=("Throughput", "Ping"))["payload"]["providers"]
    while providers(first) != 2:
        pass
    second.close()
    while providers(first) != 1:
        pass
    answer = clients.submit(run, broker)
    first.done(first.task())
    answer.result()
    told = first.expect("Event.Throughput", but=("ClusterInfo", "Ping"))["payload"]
    assert 0 < told["overall"] <= 1 and "yours" in told or told["overall"] > 0


def test_it_is_pinged_five_seconds_after_its_last_answer(broker):
    stub = broker.stub()
    stub.expect("Event.ClusterInfo")
    began = time.monotonic()
    for _ in range(2):
        ping = stub.expect("Ping", but=("ClusterInfo", "Throughput"))
        assert ping["type"] == "Request"
        assert 4.5 < time.monotonic() - began < 6.5
        stub.answer(ping, "Ping")
        began = time.monotonic()


def test_a_task_says_whose_it_is_and_the_answer_too_even_where_the_provider_does_not(broker, clients):
    stub = broker.stub("mine")
    answer = clients.submit(run, broker, info={"reference": "my own"})
    task = stub.task()
    info = task["payload"]["info"]
    assert info["id"].isdigit() and info["provider"] == "mine" and info["reference"] == "my own" and "requester" in info
    assert task["payload"]["params"]["binary"]["ref"].startswith("sha256:")
    stub.done(task, info={"id": "99", "provider": "somebody else", "reference": "not this"})
    assert answer.result()[1]["info"] == info
    answer = clients.submit(broker.run, "RunPyodide", params={"script": "1"})
    task = stub.expect("Task.Pyodide.Request")
    stub.answer(task, "Task.Pyodide.Response", ok={"version": "0.27.2"})  # without info, as the reference's page
    told = answer.result()[1]
    assert told["ok"] == {"version": "0.27.2"} and told["info"] == task["payload"]["info"]


def test_a_task_goes_to_a_provider_without_its_file_and_rather_to_one_that_has_it(broker, clients):
    ref = broker.request("/api/storage/page", method="HEAD")[1]["x-wasimoff-ref"]
    without = broker.stub("without", slots=2)
    answer = clients.submit(run, broker)
    without.done(without.task())
    assert answer.result()[1]["info"]["provider"] == "without"
    has = broker.stub("has", slots=2)
    has.tell("FileSystemUpdate", added=[ref])
    has.lines.say('{"sequence":"77","type":"Request","payload":{"@type":"Ping"}}')
    while "error" not in has.next():  # by then the event has been read
        pass
    for _ in range(5):
        answer = clients.submit(run, broker)
        has.done(has.task())
        assert answer.result()[1]["info"]["provider"] == "has"


def test_a_task_whose_client_goes_is_cancelled_and_its_slot_free_once_it_ends(broker, clients):
    stub = broker.stub()
    body = b'{"params":{"binary":{"ref":"page"}}}'
    answer = clients.submit(broker.request, "/api/client/wasimoff.v1.Tasks/RunWasip1", body,
                            headers={"Content-Type": "application/json", "Connect-Timeout-Ms": "300"})
    task = stub.task()
    assert answer.result()[0] == 504
    cancel = stub.expect("Task.Cancel")
    assert cancel["type"] == "Request" and cancel["payload"]["id"] == task["payload"]["info"]["id"] and cancel["payload"]["reason"]
    waiting = clients.submit(run, broker)
    until(lambda: broker.metric("wasimoff_tasks_queued") == 1)
    stub.answer(cancel, "Task.Cancel", **{key: cancel["payload"][key] for key in ("id", "reason")})
    stub.answer(task, "Task.Wasip1.Response", error="cancelled")
    stub.done(stub.task(), stdout=b"next")
    assert base64.b64decode(waiting.result()[1]["ok"]["stdout"]) == b"next"


def test_a_failed_call_goes_elsewhere_and_a_failed_program_is_a_result(broker, clients):
    broken, sound = broker.stub("broken"), None
    answer = clients.submit(run, broker)
    task = broken.task()
    sound = broker.stub("sound")
    broken.refuse(task, "file not found in storage")
    sound.done(sound.task(), stdout=b"well")
    assert answer.result()[1]["info"]["provider"] == "sound"
    broken.close()
    answer = clients.submit(run, broker)
    sound.answer(sound.task(), "Task.Wasip1.Response", error="RuntimeError: unreachable")
    status, told = answer.result()
    assert status == 200 and told["error"] == "RuntimeError: unreachable"


def test_an_answer_to_nothing_is_dropped_and_so_is_a_second_one(broker, clients):
    stub = broker.stub()
    stub.answer({"sequence": "4711"}, "Task.Wasip1.Response", ok={"status": 3})
    answer = clients.submit(run, broker)
    task = stub.task()
    stub.done(task, stdout=b"first")
    stub.done(task, stdout=b"second")
    assert base64.b64decode(answer.result()[1]["ok"]["stdout"]) == b"first"
    answer = clients.submit(run, broker)
    stub.done(stub.task(), stdout=b"still here")
    assert base64.b64decode(answer.result()[1]["ok"]["stdout"]) == b"still here"


def test_what_it_asks_for_is_refused_and_it_stays(broker, clients):
    stub = broker.stub()
    for name in ("Task.Wasip1.Request", "Filesystem.Upload.Request", "Nonsense"):
        stub.lines.say('{"sequence":"5","type":"Request","payload":{"@type":"wasimoff.v1.%s"}}' % name)
        while "error" not in (refusal := stub.next()):
            pass
        assert refusal["sequence"] == "5" and refusal["type"] == "Response"
    answer = clients.submit(run, broker)
    stub.done(stub.task())
    assert answer.result()[0] == 200


def test_whoever_leaves_with_a_task_gets_no_second_chance_with_it(broker, clients):
    first, second = broker.stub("first"), None
    answer = clients.submit(run, broker)
    first.task()
    first.close()
    second = broker.stub("second")
    second.done(second.task(), stdout=b"done")
    assert answer.result()[1]["info"]["provider"] == "second"
