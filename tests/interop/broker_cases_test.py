"""What every provider must agree on, the same cases on the page in Chromium and on the Node program."""
import base64
import hashlib
import io
import json
import shutil
import subprocess
import time
import zipfile

import pytest
from broker import Broker, assemble, compile_c, until, web
from broker_test import CASES, HELLO, LOOP, TRAP, cases
from chromium import Chromium

NEW_HELLO = HELLO.replace("wasi_unstable", "wasi_snapshot_preview1")


@pytest.fixture(scope="module", params=["node", "chromium"])
def broker(request, tmp_path_factory):
    running = Broker(tmp_path_factory.mktemp("cases"), "--metrics", "--static-files", web(), "--quic-listen", "none")
    folder, browser = running.folder, None
    for name, text in (("hello", HELLO), ("new-hello", NEW_HELLO), ("trap", TRAP), ("loop", LOOP)):
        running.upload(assemble(folder, text, name), name)
    running.upload(compile_c(folder, CASES, "cases"), "cases")
    try:
        if request.param == "node":
            running.provider("node", 2)
        else:
            if not shutil.which("chromium"):
                pytest.skip("chromium is not installed")
            browser = Chromium()
            browser.go(running.url + "/#autoconnect=yes&workers=2")
        until(lambda: running.metric('wasimoff_available_workers{type="providers"}') == 2, 30)
        yield running
    finally:
        if browser:
            browser.close()
        assert running.stop() == 0


def archive(**files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    return packed.getvalue()


def stdout(broker, *args, **params):
    return cases(broker, *args, **params)[1]


def in_base64(content):
    return base64.b64encode(content).decode()


def artifacts(ok):
    return zipfile.ZipFile(io.BytesIO(base64.b64decode(ok["artifacts"]["blob"])))


def still_well(broker):
    """Both workers, one after the other or together."""
    for _ in range(4):
        assert cases(broker, "exit", "0")[0] == 0


@pytest.mark.parametrize("status", [0, 1, 3, 127, 255])
def test_exit_codes(broker, status):
    got, _, ok = cases(broker, "exit", str(status))
    assert got == status and "status" in ok


def test_binary_output_with_nul_bytes(broker):
    assert stdout(broker, "binary") == b"a\0\xffb"


def test_output_and_errors_are_apart(broker):
    _, out, ok = cases(broker, "stderr")
    assert (out, base64.b64decode(ok["stderr"])) == (b"out", b"err")


def test_arguments(broker):
    assert stdout(broker, "args", "", "two words", "\u00fc") == "[cases][args][][two words][\u00fc]".encode()


@pytest.mark.parametrize("params", [{}, {"args": []}])
def test_without_arguments(broker, params):
    status, answer = broker.run(params={"binary": {"ref": "cases"}, **params})
    assert status == 200 and answer["ok"]["status"] == 0, answer


def test_input(broker):
    everything = bytes(range(256)) * 257
    assert stdout(broker, "cat", stdin=in_base64(everything)) == everything
    assert stdout(broker, "cat", stdin="") == b""
    assert stdout(broker, "cat") == b""


def test_environment(broker):
    envs = ["KEY=value", "EMPTY=", "TWO=a=b"]
    for name, value in (("KEY", b"value"), ("EMPTY", b""), ("TWO", b"a=b"), ("ABSENT", b"(none)")):
        assert stdout(broker, "env", name, envs=envs) == value


def test_files_of_a_rootfs_sent_along_or_stored(broker):
    packed = archive(**{"dir/in.txt": "from the zip", "../../outside.txt": "out"})
    broker.upload(packed, "rootfs.zip")
    ref = "sha256:" + hashlib.sha256(packed).hexdigest()
    for rootfs in ({"blob": in_base64(packed)}, {"ref": "rootfs.zip"}, {"ref": ref}):
        assert stdout(broker, "read", "/dir/in.txt", rootfs=rootfs) == b"from the zip"
    assert cases(broker, "read", "/absent", rootfs={"ref": ref})[0] == 8


def test_a_rootfs_is_each_tasks_own(broker):
    rootfs = {"blob": in_base64(archive(f="before"))}
    assert cases(broker, "write", "/f", rootfs=rootfs)[0] == 0
    assert stdout(broker, "read", "/f", rootfs=rootfs) == b"before"


def test_artifacts(broker):
    rootfs = {"blob": in_base64(archive(f="kept"))}
    for path in ("made.txt", "/made.txt"):
        status, _, ok = cases(broker, "write", "/made.txt", rootfs=rootfs, artifacts=[path, "f", "missing"])
        assert status == 0
        with artifacts(ok) as got:
            assert got.read("made.txt") == b"made" and got.read("f") == b"kept"
            assert "missing/" in got.namelist(), "what does not exist is an empty directory"
    for wanted in ({}, {"artifacts": []}):
        assert "artifacts" not in cases(broker, "args", **wanted)[2]


def test_a_trap_is_a_result_and_not_a_failed_call(broker):
    status, answer = broker.run(params={"binary": {"ref": "trap"}, "args": ["trap"]})
    assert status == 200 and answer["error"] == "RuntimeError: unreachable" and "ok" not in answer
    assert answer["info"]["provider"] and answer["info"]["id"].isdigit()
    still_well(broker)


def test_an_endless_loop_ends_with_its_deadline_and_the_worker_is_free_again(broker):
    started = time.monotonic()
    status, _, body = broker.request("/api/client/wasimoff.v1.Tasks/RunWasip1", b'{"params":{"binary":{"ref":"loop"}}}',
                                     headers={"Content-Type": "application/json", "Connect-Timeout-Ms": "700"})
    assert status == 504 and json.loads(body)["code"] == "deadline_exceeded"
    assert 0.5 < time.monotonic() - started < 5
    still_well(broker)


def test_who_goes_away_takes_an_endless_loop_along(broker):
    client = subprocess.Popen(["curl", "-s", "-X", "POST", broker.url + "/api/client/run/loop"], stdout=subprocess.DEVNULL)
    until(lambda: broker.metric("wasimoff_tasks_dispatching") == 1)
    client.kill()
    client.wait()
    until(lambda: broker.metric("wasimoff_tasks_dispatching") == 0)
    still_well(broker)


def test_an_endless_loop_is_cancelled_by_its_id(broker):
    client = subprocess.Popen(["curl", "-s", "-X", "POST", broker.url + "/api/client/run/loop"], stdout=subprocess.PIPE, text=True)
    until(lambda: broker.metric("wasimoff_tasks_dispatching") == 1)
    (one,) = json.loads(broker.request("/api/tasks")[2])["tasks"]
    assert broker.request(f"/api/tasks/{one['id']}", method="DELETE")[0] < 300
    assert "cancelled" in client.communicate(timeout=15)[0]
    until(lambda: broker.metric("wasimoff_tasks_dispatching") == 0)
    still_well(broker)


def test_a_module_that_does_not_compile_is_not_tried_again(broker):
    before = broker.metric('wasimoff_task_retries_count{attempt="1"}')
    status, answer = broker.run(params={"binary": {"blob": in_base64(b"\0asm\1\0\0\0garbage")}})
    assert (status, answer["code"]) == (400, "failed_precondition") and "CompileError" in answer["message"]
    assert broker.metric('wasimoff_task_retries_count{attempt="1"}') == before
    still_well(broker)


def test_unknown_refs_and_aliases_and_both_at_once(broker):
    for ref in ("nowhere", "sha256:" + "0" * 64):
        assert broker.run(params={"binary": {"ref": ref}}) == (404, {"code": "not_found", "message": f"binary: file not found: {ref}"})
        status, answer = broker.run(params={"binary": {"ref": "hello"}, "rootfs": {"ref": ref}})
        assert (status, answer["code"]) == (404, "not_found")
    status, answer = broker.run(params={"binary": {"ref": "hello", "blob": "AA=="}})
    assert (status, answer["code"]) == (400, "invalid_argument")


def test_64_mib_of_memory(broker):
    for _ in range(3):
        assert stdout(broker, "grow") == b"7"


def test_1_mib_of_output(broker):
    assert stdout(broker, "long") == b"x" * (1 << 20)


@pytest.mark.parametrize("program", ["hello", "new-hello"])
def test_old_and_new_names_of_the_interface(broker, program):
    status, answer = broker.run(params={"binary": {"ref": program}, "args": [program]})
    assert status == 200 and base64.b64decode(answer["ok"]["stdout"]) == b"hello\n"


def test_a_program_sent_along(broker):
    blob = in_base64((broker.folder / "hello.wasm").read_bytes())
    for _ in range(2):
        status, answer = broker.run(params={"binary": {"blob": blob}, "args": ["x"]})
        assert status == 200 and base64.b64decode(answer["ok"]["stdout"]) == b"hello\n"


def test_a_trace_has_the_steps_only_when_it_is_wanted(broker):
    _, answer = broker.run(info={"trace": {}}, params={"binary": {"ref": "hello"}})
    names = [event["event"] for event in answer["info"]["trace"]["events"]]
    assert [name for name in names if name.startswith("Broker")] == [
        "BrokerReceivedClientRequest", "BrokerQueueTask", "BrokerScheduleTask", "BrokerTransmitProviderTask",
        "BrokerReceivedProviderResult", "BrokerTransmitClientResponse"]
    assert "trace" not in broker.run(params={"binary": {"ref": "hello"}})[1]["info"]
