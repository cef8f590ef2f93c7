"""The broker's older generation (starless24): its clients with curl, its provider page in Chromium over WebTransport."""
import base64
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

import pytest
from broker import Broker, assemble, compile_c, peers, run, until
from broker_test import CASES, HELLO, TRAP
from chromium import Chromium

here = pathlib.Path(__file__).parent
pytestmark = pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")


def site(folder):
    """The folder that holds the old page."""
    pages = pathlib.Path(folder) / "site"
    pages.mkdir(parents=True, exist_ok=True)
    shutil.copy(here / "starless_page.html", pages / "index.html")
    shutil.copy(peers() / "node_modules/@msgpack/msgpack/dist.umd/msgpack.min.js", pages / "msgpack.js")
    return pages


def start(folder, *options, quic="localhost:0", **more):
    return Broker(folder, "--metrics", "--static-files", site(folder), "--quic-listen", quic, *options, **more)


def curl(broker, path, *options):
    """(status, body)."""
    done = run(["curl", "-sk", "-w", "\n%{http_code}", broker.url + "/api/broker/v1" + path, *options])
    assert done.returncode == 0, done.stderr
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def upload(broker, content, name, more=""):
    path = broker.folder / "upload.bin"
    path.write_bytes(content)
    return curl(broker, f"/upload?name={name}{more}", "--data-binary", f"@{path}")


def submit(broker, **configuration):
    status, body = curl(broker, "/run", "-H", "Content-Type: application/json", "-d", json.dumps(configuration))
    return status, json.loads(body) if status == 200 else body


def result(broker, **configuration):
    status, answer = submit(broker, **configuration)
    assert status == 200, answer
    assert len(answer) == 1 and "result" in answer[0], answer
    return answer[0]["result"]


def providers(broker):
    return broker.metric("wasimoff_connected_providers")


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """A broker and the old page in Chromium, with the programs of the tests."""
    broker = start(tmp_path_factory.mktemp("starless"))
    assert upload(broker, assemble(broker.folder, HELLO, "hello"), "hello.wasm") == (503, "provider list is empty")
    browser = Chromium(quic=True)
    try:
        browser.go(broker.url.replace("127.0.0.1", "localhost") + "/#workers=2&name=browser")
        until(lambda: providers(broker) == 1, 30)
        for name, content in (("trap.wasm", assemble(broker.folder, TRAP, "trap")),
                              ("cases.wasm", compile_c(broker.folder, CASES, "cases"))):
            assert upload(broker, content, name) == (200, f"Upload OK, {len(content)} bytes")
        broker.browser = browser
        yield broker
    finally:
        browser.close()
        assert broker.stop() == 0


def test_health_and_configuration(system):
    assert curl(system, "/healthz") == (200, "OK\n")
    status, headers, body = system.request("/api/broker/v1/config")
    config = json.loads(body)
    assert status == 200 and headers["Access-Control-Allow-Origin"] == "*"
    assert config["transport"].startswith("https://localhost:") and config["transport"].endswith("/transport")
    assert len(bytes.fromhex(config["certhash"])) == 32
    assert config["certhashes"][0] == config["certhash"]


def test_the_page_gets_stored_files_when_it_comes_and_others_when_they_come(system):
    shown = system.browser.run("shown")
    assert shown["calls"][:2] == ["ping", "fs:list"]
    assert set(shown["files"]) >= {"hello.wasm", "trap.wasm", "cases.wasm"}
    assert shown["errors"] == []
    assert system.metric('wasimoff_available_workers{type="providers"}') == 2
    assert system.metric("wasimoff_webtransport_sessions") == 1


def test_a_program_of_the_old_interface_runs_in_the_old_page(system):
    assert result(system, bin="hello.wasm", exec=[{"args": []}]) == {"status": 0, "stdout": "hello\n", "stderr": ""}
    assert result(system, bin="cases.wasm", exec=[{"args": ["args", "", "two words"]}])["stdout"] \
        == "[cases.wasm][args][][two words]"
    assert result(system, bin="cases.wasm", exec=[{"args": ["exit", "3"]}])["status"] == 3
    assert result(system, bin="cases.wasm", exec=[{"args": ["stderr"]}]) == {"status": 0, "stdout": "out", "stderr": "err"}
    assert result(system, bin="cases.wasm", exec=[{"args": ["cat"], "stdin": "grüße"}])["stdout"] == "grüße"


def test_variables_of_all_and_of_one(system):
    status, answer = submit(system, bin="cases.wasm", envs=["ALL=a"], exec=[
        {"args": ["env", "ALL"]}, {"args": ["env", "ONE"], "envs": ["ONE=1"]}, {"args": ["env", "ONE"]}])
    assert status == 200
    assert [item["result"]["stdout"] for item in answer] == ["a", "1", "(none)"]


def test_files_are_loaded_and_one_comes_back(system):
    assert upload(system, b"line of text\n", "some.txt")[0] == 200
    assert result(system, bin="cases.wasm", exec=[{"args": ["read", "some.txt"], "loadfs": ["some.txt"]}])["stdout"] \
        == "line of text\n"
    back = result(system, bin="cases.wasm", exec=[{"args": ["write", "made.txt"], "datafile": "made.txt"}])
    assert base64.b64decode(back["datafile"]) == b"made"


def test_a_file_of_new_content_under_an_old_name_is_the_new_one(system):
    for content in ("first\n", "second\n"):
        assert upload(system, content.encode(), "changing.txt")[0] == 200
        assert result(system, bin="cases.wasm",
                      exec=[{"args": ["read", "changing.txt"], "loadfs": ["changing.txt"]}])["stdout"] == content


@pytest.mark.parametrize("no", ["n", "no", "false"])
def test_a_file_not_to_be_kept_is_there_until_the_end_only(system, no):
    assert upload(system, b"passing\n", f"passing-{no}.txt", f"&persist={no}")[0] == 200
    assert result(system, bin="cases.wasm", exec=[
        {"args": ["read", f"passing-{no}.txt"], "loadfs": [f"passing-{no}.txt"]}])["stdout"] == "passing\n"
    assert system.request(f"/api/storage/passing-{no}.txt")[0] == 404


def test_a_trace_has_times_in_microseconds_and_labels_of_broker_and_provider(system):
    before = time.time() * 1e6
    trace = result(system, bin="hello.wasm", exec=[{"args": []}], trace=True)["trace"]
    labels = [point["label"] for point in trace]
    assert "worker: begun" in labels and "BrokerQueueTask" in labels
    assert all(before - 1e6 < point["time"] < before + 60e6 for point in trace)


def test_a_trap_is_an_error_of_its_task_alone(system):
    status, answer = submit(system, bin="trap.wasm", exec=[{"args": []}])
    assert (status, answer) == (200, [{"error": "RuntimeError: unreachable"}])


@pytest.mark.parametrize("configuration, text", [
    ({"exec": [{"args": []}]}, "'bin' is needed"),
    ({"bin": "hello.wasm"}, "'exec' needs at least one item"),
    ({"bin": "hello.wasm", "exec": []}, "'exec' needs at least one item"),
    ({"bin": "hello.wasm", "exec": [{}]}, "needs 'args' or 'envs'"),
    ({"bin": "hello.wasm", "exec": [{"args": []}] * 2, "trace": True}, "exactly one item"),
    ({"bin": "hello.wasm", "exec": [{"args": [1]}]}, "something else than texts"),
    ({"bin": "hello.wasm", "exec": [{"args": [], "stdin": 1}]}, "'stdin' is no text"),
])
def test_a_wrong_configuration_is_400_and_says_why(system, configuration, text):
    status, body = submit(system, **configuration)
    assert status == 400 and text in body


def test_other_wrong_requests(system):
    assert curl(system, "/run", "-d", '{"bin":"hello.wasm","exec":[{"args":[]}]}')[0] == 400  # a form's type
    assert curl(system, "/run", "-H", "Content-Type: application/json", "-d", "{")[0] == 400
    assert curl(system, "/upload", "-d", "x")[0] == 400
    status, answer = submit(system, bin="absent.wasm", exec=[{"args": []}])
    assert status == 200 and "file not found: absent.wasm" in answer[0]["error"]
    status, answer = submit(system, bin="hello.wasm", exec=[{"args": [], "loadfs": ["absent.txt"]}, {"args": []}])
    assert "file not found: absent.txt" in answer[0]["error"] and answer[1]["result"]["stdout"] == "hello\n"


def test_many_tasks_in_one_request_come_back_in_their_order(system):
    status, answer = submit(system, bin="cases.wasm", exec=[{"args": ["args", str(i)]} for i in range(200)])
    assert status == 200
    assert [item["result"]["stdout"] for item in answer] == [f"[cases.wasm][args][{i}]" for i in range(200)]


def test_the_pool_may_change(system):
    system.browser.run("resize(5)")
    until(lambda: system.metric('wasimoff_available_workers{type="providers"}') == 5)
    system.browser.run("resize(2)")
    until(lambda: system.metric('wasimoff_available_workers{type="providers"}') == 2)


def test_a_client_of_today_runs_on_the_old_page(system):
    status, answer = system.run(params={"binary": {"ref": "cases.wasm"}, "args": ["cases.wasm", "binary"]})
    assert status == 200 and base64.b64decode(answer["ok"]["stdout"]) == b"a\0\xffb"
    status, answer = system.run(params={"binary": {"ref": "cases.wasm"}, "args": ["x", "cat"],
                                        "stdin": base64.b64encode(b"\xff\0").decode()})
    assert base64.b64decode(answer["ok"]["stdout"]) == b"\xff\0"
    status, answer = system.run(params={"binary": {"ref": "trap.wasm"}})
    assert status == 200 and answer["error"] == "RuntimeError: unreachable"
    status, answer = system.run(params={
        "binary": {"blob": base64.b64encode(assemble(system.folder, HELLO, "hello")).decode()}})
    assert base64.b64decode(answer["ok"]["stdout"]) == b"hello\n"


def test_what_the_old_page_cannot_do_says_so(system):
    status, answer = system.run("RunPyodide", params={"script": "1"}, qos={"immediate": True})
    assert status != 200 and "runs no Python" in answer["message"]


def test_a_task_of_the_old_interface_runs_on_a_provider_of_today(tmp_path):
    broker = start(tmp_path)
    try:
        broker.provider("node", 2)
        assert upload(broker, compile_c(tmp_path, CASES, "cases"), "cases.wasm")[0] == 200
        assert upload(broker, b"line of text\n", "some.txt")[0] == 200
        assert result(broker, bin="cases.wasm", exec=[{"args": ["read", "/some.txt"], "loadfs": ["some.txt"]}])["stdout"] \
            == "line of text\n"
        back = result(broker, bin="cases.wasm", exec=[
            {"args": ["write", "/made.txt"], "loadfs": ["some.txt"], "datafile": "made.txt"}])
        assert base64.b64decode(back["datafile"]) == b"made"
        assert result(broker, bin="cases.wasm", exec=[{"args": ["args", "x"]}])["stdout"] == "[cases.wasm][args][x]"
    finally:
        assert broker.stop() == 0


def test_without_providers_nothing_runs(tmp_path):
    broker = start(tmp_path)
    try:
        assert submit(broker, bin="hello.wasm", exec=[{"args": []}]) == (503, "provider store is empty")
    finally:
        assert broker.stop() == 0


@pytest.mark.parametrize("listen, host", [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "[::1]"), (":0", "localhost"), (":0", "127.0.0.1")])
def test_both_families_of_addresses(tmp_path, listen, host):
    broker = start(tmp_path, quic=listen)
    browser = Chromium(quic=True)
    try:
        port = json.loads(broker.request("/api/broker/v1/config")[2])["transport"].split(":")[2].split("/")[0]
        browser.go(f"{broker.url}/#transport=https://{host}:{port}/transport")
        until(lambda: providers(broker) == 1, 30)
        assert upload(broker, assemble(tmp_path, HELLO, "hello"), "hello.wasm")[0] == 200
        assert result(broker, bin="hello.wasm", exec=[{"args": []}])["stdout"] == "hello\n"
    finally:
        browser.close()
        assert broker.stop() == 0


def test_a_page_that_vanishes_is_gone_after_the_idle_time(tmp_path):
    broker = start(tmp_path)
    browser = Chromium(quic=True)
    try:
        browser.go(broker.url)
        until(lambda: providers(broker) == 1, 30)
        time.sleep(6)  # longer than the idle time: the keep-alive holds it
        assert providers(broker) == 1
        tree = subprocess.run(["ps", "-o", "pid=", "--ppid", str(browser.process.pid)], capture_output=True, text=True)
        stopped = [int(pid) for pid in tree.stdout.split()] + [browser.process.pid]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        begun = time.time()
        until(lambda: providers(broker) == 0, 15)
        assert 3 < time.time() - begun < 9
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    finally:
        browser.close()
        assert broker.stop() == 0


def test_a_broker_that_ends_tells_its_pages(tmp_path):
    broker = start(tmp_path)
    browser = Chromium(quic=True)
    try:
        browser.go(broker.url)
        until(lambda: providers(broker) == 1, 30)
        broker.stop()
        until(lambda: browser.run("shown.state") != "connected", 2)  # well within the idle time
    finally:
        browser.close()
        broker.stop()


def initial(destination, version=1, length=1200):
    """The header of an Initial packet, and noise."""
    head = bytes([0xc3]) + version.to_bytes(4, "big") + bytes([len(destination)]) + destination + bytes([8]) + os.urandom(8) + b"\0"
    rest = length - len(head) - 2
    return head + (0x4000 | rest).to_bytes(2, "big") + os.urandom(rest)


def door(broker, family=socket.AF_INET):
    port = int(json.loads(broker.request("/api/broker/v1/config")[2])["transport"].split(":")[2].split("/")[0])
    client = socket.socket(family, socket.SOCK_DGRAM)
    client.settimeout(2)
    client.connect(("::1" if family == socket.AF_INET6 else "127.0.0.1", port))
    return client


def test_an_unknown_version_is_answered_with_the_known_one(system):
    with door(system) as client:
        packet = initial(b"12345678", version=0x1a2a3a4a)
        client.send(packet)
        answer = client.recv(2000)
        assert answer[0] & 0x80 and answer[1:5] == b"\0\0\0\0"       # RFC 9000 section 17.2.1
        assert answer[5:14] == bytes([8]) + packet[15:23]            # our source id comes back as its destination
        assert answer[14:23] == bytes([8]) + b"12345678" and answer[23:] == b"\0\0\0\1"
        client.send(packet[:1199])                                   # too short to begin anything
        with pytest.raises(TimeoutError):
            client.recv(2000)


def test_garbage_and_floods_hurt_nobody(system):
    with door(system) as client, door(system, socket.AF_INET6) as other:
        for size in (0, 1, 5, 20, 60, 1200, 1400):
            for first in (0x00, 0x40, 0x80, 0xc0, 0xff):
                for one in (client, other):
                    one.send(bytes([first]) + os.urandom(size))
        for _ in range(3000):
            client.send(initial(os.urandom(8)))
        client.settimeout(0.2)
        retries = 0
        try:
            while True:
                answer = client.recv(2000)
                retries += answer[0] & 0xf0 == 0xf0  # RFC 9000 section 17.2.5
        except TimeoutError:
            pass
        assert retries > 0
    assert system.metric("wasimoff_quic_retries") > 0
    assert system.metric("wasimoff_quic_connections") < 1000
    assert result(system, bin="hello.wasm", exec=[{"args": []}])["stdout"] == "hello\n"
    until(lambda: system.metric("wasimoff_quic_connections") == 1, 15)


def test_sessions_to_elsewhere_and_of_strange_pages_are_refused(tmp_path):
    other = start(tmp_path / "other", quic="none")
    broker = start(tmp_path)
    browser = Chromium(quic=True)
    attempt = """(async (url, hash) => { const t = new WebTransport(url, { serverCertificateHashes: [{ algorithm: "sha-256",
        value: Uint8Array.from(hash.match(/../g), (p) => parseInt(p, 16)) }] });
        try { await t.ready; return "in"; } catch (error) { return "out"; } })"""
    try:
        config = json.loads(broker.request("/api/broker/v1/config")[2])
        assert other.request("/api/broker/v1/config")[0] == 503
        browser.go(broker.url)
        assert browser.run(f"{attempt}({json.dumps(config['transport'])}, '{config['certhash']}')") == "in"
        elsewhere = config["transport"].replace("/transport", "/elsewhere")
        assert browser.run(f"{attempt}({json.dumps(elsewhere)}, '{config['certhash']}')") == "out"
        assert browser.run(f"{attempt}({json.dumps(config['transport'])}, '{'00' * 32}')") == "out"
        browser.go(broker.url.replace("127.0.0.1", "strange.localhost"))
        assert browser.run(f"{attempt}({json.dumps(config['transport'])}, '{config['certhash']}')") == "out"
    finally:
        browser.close()
        assert other.stop() == 0
        assert broker.stop() == 0
