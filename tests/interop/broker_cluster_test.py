"""Several brokers over a Redis of Debian's, with Node providers: what one cannot run another does; brokers that die or
freeze, and Redis that goes away, lose nothing and report nothing twice."""
import base64
import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import time

import pytest
from broker import Broker, assemble, certificate, compile_c, until, web

HELLO = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1) (data (i32.const 16) "hello\\n")
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 6))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"""
TRAP = '(module (memory (export "memory") 1) (func (export "_start") unreachable))'
SLOW = r"""
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
int main(int argc, char **argv) {
    struct timespec begun, now;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    do clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - begun.tv_sec) * 1e3 + (now.tv_nsec - begun.tv_nsec) / 1e6 < atof(argv[1]));
    printf("%s", argv[2]);
    return 0;
}
"""


class Redis:
    """On a port of its own, with what it knows written down as it comes."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port
        folder.mkdir(parents=True, exist_ok=True)
        self.url = f"redis://127.0.0.1:{port}"
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--bind", "127.0.0.1", *self.listen(), "--dir", str(self.folder), "--save", "",
             "--appendonly", "yes", "--appendfsync", "always", "--logfile", str(self.folder / "redis.log")])
        until(lambda: self.cli("PING") == "PONG")

    def listen(self):
        return ["--port", str(self.port)]

    secrecy = ()  # what redis-cli needs for it

    def cli(self, *words):
        done = subprocess.run(["redis-cli", "-p", str(self.port), *self.secrecy, *words], capture_output=True, text=True, timeout=10)
        return done.stdout.strip()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def forget(self):
        for path in self.folder.glob("appendonlydir/*"):
            path.unlink()


class SecureRedis(Redis):
    """Over TLS alone, with a certificate for 127.0.0.1 that is its own root."""

    def __init__(self, folder, port):
        folder.mkdir(parents=True)
        self.certificate, self.key = certificate(folder)
        self.secrecy = ("--tls", "--cacert", str(self.certificate))
        super().__init__(folder, port)
        self.url = f"rediss://127.0.0.1:{port}"

    def listen(self):
        return ["--port", "0", "--tls-port", str(self.port), "--tls-cert-file", str(self.certificate),
                "--tls-key-file", str(self.key), "--tls-ca-cert-file", str(self.certificate), "--tls-auth-clients", "no"]


def free_port():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def redis(tmp_path):
    if not shutil.which("redis-server") or not shutil.which("redis-cli"):
        pytest.skip("redis-server is not installed")
    running = Redis(tmp_path / "redis", free_port())
    yield running
    running.kill()


class Brokers(list):
    def add(self, redis, *options):
        broker = Broker(self.folder / f"broker{len(self)}", "--metrics", "--redis", redis.url, "--static-files", web(), *options)
        self.append(broker)
        until(lambda: "shares the queue" in broker.output())
        return broker


@pytest.fixture
def brokers(tmp_path):
    started = Brokers()
    started.folder = tmp_path
    yield started
    for broker in started:
        broker.process.send_signal(signal.SIGCONT)
        broker.stop()


def output(answer):
    assert "ok" in answer, answer
    return base64.b64decode(answer["ok"].get("stdout", "")).decode()


def slow(broker, milliseconds, text, **more):
    return broker.run(params={"binary": {"ref": "slow"}, "args": ["slow", str(milliseconds), text]}, **more)


def dispatched(broker, count):
    until(lambda: broker.metric("wasimoff_tasks_dispatching") == count)


def pair(redis, brokers):
    """One with clients and one with providers."""
    here, there = brokers.add(redis), brokers.add(redis)
    here.upload(compile_c(here.folder, SLOW, "slow"), "slow")
    there.provider("there", 2)
    return here, there


def test_a_task_runs_at_a_provider_of_another_broker(redis, brokers):
    here, there = pair(redis, brokers)
    here.upload(assemble(here.folder, HELLO, "hello"), "hello")
    there.upload(assemble(here.folder, TRAP, "trap"), "trap")
    status, answer = here.run(info={"reference": "mine"}, params={"binary": {"ref": "hello"}, "args": ["hello"]})
    assert status == 200 and output(answer) == "hello\n"
    assert answer["info"]["provider"] == "there" and answer["info"]["reference"] == "mine"
    # A file of either is known to both, a trap is a result, and what fails there fails here with the same words.
    status, answer = here.run(params={"binary": {"ref": "trap"}})
    assert status == 200 and "unreachable" in answer["error"]
    blob = base64.b64encode(b"\0asm\1\0\0\0garbage").decode()
    status, answer = here.run(params={"binary": {"blob": blob}})
    assert (status, answer["code"]) == (400, "failed_precondition")
    status, answer = here.run(params={"binary": {"ref": "nowhere"}})
    assert (status, answer["code"]) == (404, "not_found")
    _, headers, body = there.request("/api/storage/hello")
    assert body == (here.folder / "hello.wasm").read_bytes() and headers["X-Wasimoff-Ref"].startswith("sha256:")


def test_its_own_providers_come_first(redis, brokers):
    here, there = pair(redis, brokers)
    here.provider("here", 1)
    for _ in range(5):
        assert slow(here, 1, "x")[1]["info"]["provider"] == "here"
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda i: slow(here, 500, str(i))[1], range(3)))
    assert sorted(output(a) for a in answers) == ["0", "1", "2"]
    assert {a["info"]["provider"] for a in answers} == {"here", "there"}


def test_a_client_that_goes_away_takes_its_task_from_the_other_broker(redis, brokers):
    here, there = pair(redis, brokers)
    client = subprocess.Popen(["curl", "-s", "-X", "POST", "-H", "X-Args: 60000 x", here.url + "/api/client/run/slow"],
                              stdout=subprocess.DEVNULL)
    dispatched(there, 1)
    client.kill()
    client.wait()
    dispatched(there, 0)
    status, answer = slow(here, 60000, "x", qos={"deadline": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))})
    assert (status, answer["code"]) == (504, "deadline_exceeded")
    dispatched(there, 0)
    assert output(slow(here, 1, "still")[1]) == "still"


@pytest.mark.parametrize("how", ["killed", "frozen", "ended"])
def test_a_broker_that_dies_with_tasks_loses_none(redis, brokers, how):
    here, there = pair(redis, brokers)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(slow, here, 1500, str(i)) for i in range(4)]
        dispatched(there, 2)
        begun = time.monotonic()
        there.process.send_signal({"killed": signal.SIGKILL, "frozen": signal.SIGSTOP, "ended": signal.SIGTERM}[how])
        other = brokers.add(redis)
        other.provider("other", 2)
        answers = [future.result() for future in answers]
        took = time.monotonic() - begun
    assert [status for status, _ in answers] == [200] * 4
    assert [output(answer) for _, answer in answers] == ["0", "1", "2", "3"]
    assert {answer["info"]["provider"] for _, answer in answers} == {"other"}
    # One that ends in order gives back what it has; of the others the lease of 10 s has to run out.
    assert took < 20 if how != "ended" else took < 9
    if how == "frozen":
        # What it finishes now is nobody's any more.
        there.process.send_signal(signal.SIGCONT)
        time.sleep(2)
        assert here.process.poll() is None
        assert sum(output(slow(here, 1, "after")[1]) == "after" for _ in range(5)) == 5
    assert here.metric('wasimoff_tasks_completed_count{status="ok",target="provider"}') == (9 if how == "frozen" else 4)


def test_a_frozen_provider_of_another_broker_is_replaced(redis, brokers):
    here, there = pair(redis, brokers)
    there.stop()
    there = brokers.add(redis, "--ping-timeout", "2")
    frozen = there.provider("frozen", 1)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(slow, here, 1000, "once")
        dispatched(there, 1)
        frozen.send_signal(signal.SIGSTOP)
        there.provider("second", 1)
        status, answer = answer.result()
    assert status == 200 and output(answer) == "once" and answer["info"]["provider"] == "second"


@pytest.mark.parametrize("remembers", [True, False])
def test_redis_restarts_and_every_task_ends_once(redis, brokers, remembers):
    here, there = pair(redis, brokers)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(slow, here, 700, str(i)) for i in range(8)]
        dispatched(there, 2)
        redis.kill()
        if not remembers:
            redis.forget()
        time.sleep(1.5)  # tasks end meanwhile, and nobody can be told
        assert all(broker.request("/healthz")[0] == 200 for broker in (here, there))
        redis.start()
        answers = [future.result() for future in answers]
    assert [status for status, _ in answers] == [200] * 8
    assert [output(answer) for _, answer in answers] == [str(i) for i in range(8)]
    assert here.metric('wasimoff_tasks_completed_count{status="ok",target="provider"}') == 8
    # The files are known again, too, even to one that starts now.
    third = brokers.add(redis)
    until(lambda: third.request("/api/storage/slow")[0] == 200)
    assert output(slow(third, 1, "third")[1]) == "third"


def test_without_redis_each_broker_works_alone_and_deadlines_hold(redis, brokers):
    here, there = pair(redis, brokers)
    assert output(slow(here, 1, "together")[1]) == "together"  # the file is there from now on
    redis.kill()
    until(lambda: "works alone" in here.output())
    until(lambda: "works alone" in there.output())
    assert output(slow(there, 1, "alone")[1]) == "alone"
    begun = time.monotonic()
    status, _, body = here.request("/api/client/wasimoff.v1.Tasks/RunWasip1", json.dumps(
        {"params": {"binary": {"ref": "slow"}, "args": ["slow", "1", "x"]}}).encode(),
        headers={"Content-Type": "application/json", "Connect-Timeout-Ms": "1500"})
    assert (status, json.loads(body)["code"]) == (504, "deadline_exceeded") and time.monotonic() - begun < 4
    there.upload(assemble(there.folder, HELLO, "late"), "late")
    redis.start()
    until(lambda: here.request("/api/storage/late")[0] == 200)


def test_over_tls_a_redis_that_cannot_prove_who_it_is_is_not_used(tmp_path, brokers):
    redis = SecureRedis(tmp_path / "redis", free_port())
    try:
        here, there = (brokers.add(redis, "--redis-ca", redis.certificate) for _ in range(2))
        here.upload(compile_c(here.folder, SLOW, "slow"), "slow")
        there.provider("there", 1)
        assert output(slow(here, 1, "secret")[1]) == "secret"
        redis.kill()
        until(lambda: "works alone" in here.output())
        redis.start()
        until(lambda: here.output().count("shares the queue") == 2)
        assert output(slow(here, 1, "again")[1]) == "again"
        (tmp_path / "other").mkdir()
        other, _ = certificate(tmp_path / "other")
        for options in ((), ("--redis-ca", other)):
            deceived = Broker(tmp_path / "deceived", "--redis", redis.url, *options)
            try:
                until(lambda: "certificate" in deceived.output())
                assert "shares the queue" not in deceived.output()
            finally:
                deceived.stop()
    finally:
        redis.kill()


def test_many_tasks_through_two_brokers_all_end_once(redis, brokers):
    here, there = pair(redis, brokers)
    here.provider("here", 1)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda i: slow((here, there)[i % 2], 3, str(i))[1], range(300)))
    assert [output(answer) for answer in answers] == [str(i) for i in range(300)]
    until(lambda: redis.cli("ZCARD", "{strowger:broker}:tasks") == "0")
    # A result that was fetched is not kept.
    assert redis.cli("ZCARD", "{strowger:broker}:results") == "0"
    assert redis.cli("GET", "{strowger:broker}:results:bytes") in ("0", "")
