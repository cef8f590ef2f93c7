"""Short tasks are sent ahead to workers that are busy: nothing is lost, run twice, held up or mixed up by it."""
import base64
import concurrent.futures
import functools
import http.server
import json
import shutil
import threading
import time

import pytest
from broker import Broker, Stub, assemble, compile_c, until, web
from broker_test import LOOP
from chromium import Chromium

# `WORD MS [BYTES]`: computes for so long, then says the word, and as many bytes after it.
WORK = r"""
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}
int main(int count, char** words) {
    double end = now() + atof(words[2]);
    while (now() < end) {}
    fputs(words[1], stdout);
    for (int i = count > 3 ? atoi(words[3]) : 0; i > 0; --i) putchar('a' + i % 26);
    return words[1][0] % 7;
}
"""


class Unshared(http.server.SimpleHTTPRequestHandler):
    """Another server's page, which may not share memory with its workers."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module", params=["node", "page", "page of another server"])
def broker(request, tmp_path_factory):
    elsewhere = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Unshared, directory=str(web())))
    threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
    theirs = f"http://127.0.0.1:{elsewhere.server_port}"
    running = Broker(tmp_path_factory.mktemp("ahead"), "--metrics", "--static-files", web(), "--quic-listen", "none", "--queue", "20000",
                     "--allowed-origins", theirs.removeprefix("http://"), "--open", "--trusted-proxies", "127.0.0.0/8")
    running.upload(compile_c(running.folder, WORK, "work"), "work")
    running.upload(assemble(running.folder, LOOP, "loop"), "loop")
    running.shares = request.param != "page of another server"
    browser = None
    try:
        if request.param == "node":
            running.provider("node", 2)
        else:
            if not shutil.which("chromium"):
                pytest.skip("chromium is not installed")
            browser = Chromium()
            fragment = "/#autoconnect=yes&workers=2&transport="
            if running.shares:
                browser.go(running.url + fragment + "websocket")
            else:
                browser.go(theirs + fragment + running.url)
            assert browser.run("self.crossOriginIsolated") == running.shares
        until(lambda: running.metric('wasimoff_available_workers{type="providers"}') == 2, 30)
        yield running
    finally:
        if browser:
            browser.close()
        elsewhere.shutdown()
        assert running.stop() == 0


def task(word, milliseconds, size=0, ref="work"):
    return {"params": {"binary": {"ref": ref}, "args": ["work", word, str(milliseconds), str(size)]}}


def many(broker, tasks, who="127.0.0.1"):
    status, _, body = broker.request("/api/client/wasimoff.v1.Tasks/RunWasip1", json.dumps({"tasks": tasks}).encode(),
                                     headers={"Content-Type": "application/json", "X-Real-IP": who})
    assert status == 200, body
    return json.loads(body)["tasks"]


def said(answer):
    return base64.b64decode(answer["ok"].get("stdout", "")).decode()


@pytest.fixture
def used_to_short_ones(broker):
    many(broker, [task("warm", 2)] * 100)
    time.sleep(0.3)  # it says so then
    many(broker, [task("warm", 2)] * 100)


@pytest.fixture
def clients():
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        yield pool


def test_each_result_is_its_own_tasks(broker, used_to_short_ones, clients):
    answers = clients.submit(many, broker, [task(f"{i % 7}-{i}", 2) for i in range(1200)])
    most = 0
    while not answers.done():
        most = max(most, broker.metric("wasimoff_tasks_dispatching") or 0)
    for i, answer in enumerate(answers.result()):
        assert said(answer) == f"{i % 7}-{i}" and answer["ok"].get("status", 0) == ord(str(i % 7)) % 7
    assert most > 10 if broker.shares else most <= 4  # two workers, and one ahead, or two


def test_results_larger_than_what_is_shared(broker, used_to_short_ones):
    sizes = [0, 200_000, 0, 300_000, 90_000, 0] * 5
    answers = many(broker, [task(f"{i}", 1, size) for i, size in enumerate(sizes)])
    for i, (answer, size) in enumerate(zip(answers, sizes)):
        assert said(answer) == f"{i}" + "".join(chr(ord("a") + n % 26) for n in range(size, 0, -1))


def test_a_long_one_does_not_hold_up_those_behind_it(broker, used_to_short_ones, clients):
    before = clients.submit(many, broker, [task("a", 2)] * 300)
    long = clients.submit(many, broker, [task("long", 4000)])
    time.sleep(0.3)
    after = clients.submit(many, broker, [task("b", 2)] * 300)
    assert all(said(answer) == "a" for answer in before.result())
    assert all(said(answer) == "b" for answer in after.result())
    assert not long.done()
    assert said(long.result()[0]) == "long"


def test_a_single_one_of_somebody_else_goes_before_them(broker, used_to_short_ones, clients):
    others = clients.submit(many, broker, [task("theirs", 2)] * 2000)
    until(lambda: (broker.metric("wasimoff_tasks_queued") or 0) > 1000)
    assert said(many(broker, [task("mine", 2)], who="192.0.2.2")[0]) == "mine"
    assert not others.done()
    assert all(said(answer) == "theirs" for answer in others.result())


def test_one_that_never_ends_takes_none_along_when_it_is_ended(broker, used_to_short_ones, clients):
    before = clients.submit(many, broker, [task("a", 2)] * 200)
    loop = clients.submit(broker.request, "/api/client/wasimoff.v1.Tasks/RunWasip1", json.dumps(task("", 0, ref="loop")).encode(),
                          headers={"Content-Type": "application/json", "Connect-Timeout-Ms": "600"})
    after = clients.submit(many, broker, [task("b", 2)] * 400)
    assert all(said(answer) == "a" for answer in before.result())
    assert all(said(answer) == "b" for answer in after.result())
    assert loop.result()[0] == 504
    assert said(many(broker, [task("c", 2)])[0]) == "c"


def test_cancelled_by_id_wherever_they_are(broker, used_to_short_ones, clients):
    one = json.dumps(task("x", 15)).encode()
    answers = [clients.submit(broker.request, "/api/client/wasimoff.v1.Tasks/RunWasip1", one, headers={"Content-Type": "application/json"})
               for _ in range(36)]
    until(lambda: broker.metric("wasimoff_tasks_dispatching"))
    ids = [known["id"] for known in json.loads(broker.request("/api/tasks")[2])["tasks"]][:12]
    taken = sum(broker.request(f"/api/tasks/{known}", method="DELETE")[0] < 300 for known in ids)
    assert taken > 0
    answers = [answer.result() for answer in answers]
    done = [json.loads(body) for status, _, body in answers if status == 200]
    assert len(done) == len(answers) - taken and all(said(answer) == "x" for answer in done)
    until(lambda: broker.metric("wasimoff_tasks_dispatching") == 0)


def test_a_provider_dies_with_what_was_sent_ahead_and_another_runs_it(tmp_path, clients):
    broker = Broker(tmp_path, "--metrics", "--quic-listen", "none", "--queue", "20000")
    try:
        broker.upload(compile_c(tmp_path, WORK, "work"), "work")
        dying = broker.provider("dying", 1)
        many(broker, [task("warm", 2)] * 100)
        broker.provider("other", 1)
        answers = clients.submit(many, broker, [task(f"{i}", 2) for i in range(1500)])
        until(lambda: (broker.metric("wasimoff_tasks_dispatching") or 0) > 10)
        dying.kill()
        for i, answer in enumerate(answers.result()):
            assert said(answer) == f"{i}"
        assert broker.metric("wasimoff_connected_providers") == 1
    finally:
        assert broker.stop() == 0


def test_a_provider_of_another_make_may_want_tasks_ahead_too(tmp_path, clients):
    broker = Broker(tmp_path, "--metrics", "--quic-listen", "none")
    stub = Stub(broker)
    try:
        broker.upload(b"\0asm\1\0\0\0", "work")
        stub.tell("ProviderResources", concurrency=1, ahead=2)
        answers = [clients.submit(broker.run, **task("x", 0)) for _ in range(5)]
        until(lambda: broker.metric("wasimoff_tasks_queued") == 2)
        for _ in answers:
            stub.done(stub.task(), b"x")
        assert all(said(answer.result()[1]) == "x" for answer in answers)
        stub.tell("ProviderResources", concurrency=1, ahead=4_000_000_000)  # as far as it has a bound, and it is well
        answers = [clients.submit(broker.run, **task("y", 0)) for _ in range(20)]
        until(lambda: broker.metric("wasimoff_tasks_queued") == 3)
        for _ in answers:
            stub.done(stub.task(), b"y")
        assert all(said(answer.result()[1]) == "y" for answer in answers)
    finally:
        stub.close()
        assert broker.stop() == 0
