"""What shows where a running broker spends its time, and the load that it makes for itself."""
import shutil
import subprocess
import time

import pytest
from broker import Broker, Stub, assemble, until
from broker_test import HELLO
from exchange import program

TOKENS = "[boss]\nsecret = boss-secret-boss-secret\nroles = admin\n[user]\nsecret = user-secret-user-secret\nroles = run\n"


@pytest.fixture
def start(tmp_path):
    begun = []

    def begin(*options, environment=None):
        begun.append(Broker(tmp_path / "broker", "--metrics", "--quic-listen", "none", *options, environment=environment))
        return begun[-1]
    yield begin
    for broker in begun:
        assert broker.stop() == 0


def test_there_is_nothing_unless_it_is_wanted(start):
    assert start().request("/debug/pprof/")[0] == 404


def test_for_admins_alone(start, tmp_path):
    (tmp_path / "tokens").write_text(TOKENS)
    broker = start("--tokens", tmp_path / "tokens", environment={"WASIMOFF_DEBUG": "true"})
    for path in ("", "heap", "cmdline", "profile?seconds=1"):
        assert broker.request("/debug/pprof/" + path)[0] == 401
        assert broker.request("/debug/pprof/" + path, headers={"Authorization": "Bearer user-secret-user-secret"})[0] == 403
        assert broker.request("/debug/pprof/" + path, headers={"Authorization": "Bearer boss-secret-boss-secret"})[0] == 200


def test_the_index_the_heap_and_the_command(start):
    broker = start("--debug")
    assert b"profile" in broker.request("/debug/pprof/")[2]
    assert b"<malloc version" in broker.request("/debug/pprof/heap")[2]
    assert broker.request("/debug/pprof/cmdline")[2] == b"strowger broker\n"


@pytest.mark.parametrize("seconds", ["0", "61", "-1", "x"])
def test_a_profile_has_a_length(start, seconds):
    status, _, body = start("--debug").request(f"/debug/pprof/profile?seconds={seconds}")
    assert status == 400 and b"1 to 60" in body


def test_pprof_reads_the_profile_of_a_busy_broker(start, tmp_path):
    if not shutil.which("google-pprof"):
        pytest.skip("google-pprof is not installed")
    broker = start("--debug")
    until(lambda: broker.request("/healthz")[0] == 200)
    busy = subprocess.Popen(["sh", "-c", f"while :; do curl -s -o /dev/null {broker.url}/metrics {broker.url}/api/tasks; done"])
    try:
        other = subprocess.Popen(["sh", "-c", f"sleep 0.5; curl -s {broker.url}/debug/pprof/profile?seconds=1"], stdout=subprocess.PIPE)
        began = time.monotonic()
        status, _, profile = broker.request("/debug/pprof/profile?seconds=3")
        assert status == 200 and 2.9 < time.monotonic() - began < 10
        assert b"another profile is being taken" in other.communicate(timeout=10)[0]
    finally:
        busy.kill()
    (tmp_path / "cpu.prof").write_bytes(profile)
    told = subprocess.run(["google-pprof", "--text", program, tmp_path / "cpu.prof"], capture_output=True, text=True, timeout=300)
    assert "Total:" in told.stdout and int(told.stdout.split("Total:")[1].split()[0]) >= 1, told.stderr
    # One after the other is no matter, and it goes on as before.
    assert broker.request("/debug/pprof/profile?seconds=1")[0] == 200
    assert broker.request("/healthz")[0] == 200


def test_who_leaves_while_a_profile_is_taken_does_no_harm(start):
    broker = start("--debug")
    subprocess.run(["curl", "-s", "-m", "0.5", f"{broker.url}/debug/pprof/profile?seconds=30"], capture_output=True)
    until(lambda: broker.request("/debug/pprof/profile?seconds=1")[0] == 200)


def test_its_own_load_begins_with_the_program_and_never_ends(start, tmp_path):
    broker = start(environment={"WASIMOFF_BENCHMODE": "3"})
    time.sleep(1.2)
    assert broker.metric("wasimoff_tasks_queued") == 0
    broker.upload(assemble(tmp_path, HELLO, "tsp"), "tsp.wasm")
    until(lambda: broker.metric("wasimoff_tasks_queued") == 3)
    stub = Stub(broker, slots=2)
    try:
        for _ in range(10):
            task = stub.task()
            assert task["payload"]["params"]["args"] == ["tsp", "rand", "10"]
            stub.done(task)
        until(lambda: broker.metric("wasimoff_tasks_queued") + broker.metric("wasimoff_tasks_dispatching") == 3)
    finally:
        stub.close()


def test_its_own_load_is_done_by_a_real_provider(start, tmp_path):
    broker = start("--benchmode", "4")
    broker.upload(assemble(tmp_path, HELLO, "tsp"), "tsp.wasm")
    broker.provider("node", 2)
    until(lambda: (broker.metric('wasimoff_tasks_completed_count{status="ok",target="provider"}') or 0) > 50)
