"""The older generation row by row: what comes to its page and in which form, what a page may do wrong, the variables."""
import base64
import json
import re
import shutil

import pytest
from broker import Broker, assemble, compile_c, run, until
from broker_test import CASES, HELLO
from chromium import Chromium
from starless_test import curl, providers, result, site, start, submit, upload
from webtransport_test import pair

needs_chromium = pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """A broker with two files before the page comes."""
    broker = start(tmp_path_factory.mktemp("starless"))
    hello, cases = assemble(broker.folder, HELLO, "hello"), compile_c(broker.folder, CASES, "cases")
    broker.sizes = {"hello.wasm": len(hello), "cases.wasm": len(cases)}
    assert upload(broker, hello, "hello.wasm")[0] == 503 and upload(broker, cases, "cases.wasm")[0] == 503
    browser = Chromium(quic=True)
    try:
        browser.go(broker.url.replace("127.0.0.1", "localhost") + "/#workers=2&name=browser")
        until(lambda: providers(broker) == 1, 30)
        broker.browser = browser
        yield broker
        assert browser.run("shown.errors") == []
    finally:
        browser.close()
        assert broker.stop() == 0


@needs_chromium
def test_first_a_ping_then_the_list_then_each_file_is_asked_for_before_it_is_sent(system):
    calls = system.browser.run("shown.calls")
    assert calls[:2] == ["ping", "fs:list"] and calls[2:6] == ["fs:probe", "fs:upload"] * 2
    assert system.browser.run("shown.files") == system.sizes
    assert system.browser.run("shown.forms.ping") == "ping" and system.browser.run("shown.forms['fs:list']") is None


@needs_chromium
def test_calls_are_counted_from_zero(system):
    assert result(system, bin="hello.wasm", exec=[{"args": []}])["stdout"] == "hello\n"
    sequences = system.browser.run("shown.sequences")
    assert sequences == list(range(len(sequences))) and len(sequences) >= 7


@needs_chromium
def test_lengths_have_at_most_32_bits_and_times_64(system):
    assert upload(system, b"three", "form.txt")[0] == 200
    described = {"filename": "form.txt", "hash": "32 bytes", "length": 5, "epoch": "64 bits"}
    assert system.browser.run("shown.forms['fs:probe']") == described
    assert system.browser.run("shown.forms['fs:upload']") == {**described, "bytes": "5 bytes"}


@needs_chromium
def test_what_a_page_has_is_not_sent_again(system):
    assert upload(system, b"once", "once.txt")[0] == 200
    before = system.browser.run("shown.calls.length")
    assert upload(system, b"once", "once.txt")[0] == 200
    assert "fs:upload" not in system.browser.run(f"shown.calls.slice({before})")


@needs_chromium
def test_a_run_has_its_id_and_what_was_asked_for(system):
    assert upload(system, b"text\n", "in.txt")[0] == 200
    status, answer = submit(system, bin="cases.wasm", envs=["A=1"], exec=[
        {"args": ["exit", "0"]}, {"args": ["read", "in.txt"], "envs": ["B=2"], "stdin": "typed", "loadfs": ["in.txt"], "datafile": "in.txt"}])
    assert status == 200 and answer[1]["result"]["stdout"] == "text\n"
    assert base64.b64decode(answer[1]["result"]["datafile"]) == b"text\n" and "datafile" not in answer[0]["result"]
    one, two = sorted(system.browser.run("shown.runs.slice(-2)"), key=lambda run: run["id"])  # they may come in either order
    ids = [re.fullmatch(r"([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})/(\d{4})", run.pop("id")) for run in (one, two)]
    assert ids[0][1] == ids[1][1] and [name[2] for name in ids] == ["0000", "0001"]
    assert one == {"binary": "cases.wasm", "args": ["exit", "0"], "envs": ["A=1"]}
    assert two == {"binary": "cases.wasm", "args": ["read", "in.txt"], "envs": ["A=1", "B=2"], "stdin": "typed", "loadfs": ["in.txt"],
                   "datafile": "in.txt"}
    assert system.run(params={"binary": {"ref": "hello.wasm"}}, info={"reference": "mine"})[1]["info"]["reference"] == "mine"
    assert re.fullmatch(r"[0-9a-f-]{36}/0000", system.browser.run("shown.runs.at(-1).id")), "a task of today's clients has a name as well"


@needs_chromium
@pytest.mark.parametrize("wrong,text", [("() => false", None), ("() => { throw new Error('no room'); }", "no room"), ("() => 'yes'", None)])
def test_a_file_that_a_page_does_not_take_is_500_with_a_map(system, wrong, text):
    system.browser.run(f"globalThis.good = methods['fs:upload']; methods['fs:upload'] = {wrong}; 0")
    try:
        name = f"refused-{abs(hash(wrong))}.txt"
        status, body = upload(system, name.encode(), name)
        outcome = json.loads(body)
        assert status == 500 and len(outcome) == 1
        ((address, said),) = outcome.items()
        assert address.startswith(("127.0.0.1:", "[::1]:")) and said != "OK" and (text is None or text in said)
        assert system.request(f"/api/storage/{name}")[2] == name.encode(), "it is kept all the same"
    finally:
        system.browser.run("methods['fs:upload'] = good; 0")
    assert result(system, bin="cases.wasm", exec=[{"args": ["read", name], "loadfs": [name]}])["stdout"] == name


@needs_chromium
@pytest.mark.parametrize("wrong", ["() => null", "() => 7", "() => ({})", "() => ({ exitcode: 'none', stdout: 5 })", "() => [1, 2, 3]"])
def test_a_result_that_is_none_is_an_error_of_its_task_and_the_page_may_stay(system, wrong):
    system.browser.run(f"globalThis.good = methods.run; methods.run = {wrong}; 0")
    try:
        status, answer = submit(system, bin="hello.wasm", exec=[{"args": []}])
        assert status == 200 and set(answer[0]) <= {"error", "result"} and len(answer) == 1
        assert wrong == "() => ({})" or "error" in answer[0], answer
    finally:
        system.browser.run("methods.run = good; 0")
    assert system.request("/healthz")[0] == 200
    if system.browser.run("shown.state") == "connected":
        assert result(system, bin="hello.wasm", exec=[{"args": []}])["stdout"] == "hello\n"


@needs_chromium
def test_what_a_page_says_of_itself_is_not_believed_beyond_bounds(system):
    system.browser.run("say('unheard', {a: [1, {b: null}]})")
    for pool, slots in ((0, 0), (3, 3), (2, 2)):
        system.browser.run(f"resize({pool})")
        until(lambda: system.metric('wasimoff_available_workers{type="providers"}') == slots)
    system.browser.run("resize(1e9)")
    until(lambda: system.metric('wasimoff_available_workers{type="providers"}') != 2)
    assert system.metric('wasimoff_available_workers{type="providers"}') <= 4096
    system.browser.run("resize(2)")
    until(lambda: system.metric('wasimoff_available_workers{type="providers"}') == 2)
    assert result(system, bin="hello.wasm", exec=[{"args": []}])["stdout"] == "hello\n"


def test_its_variables_do_what_they_did(tmp_path):
    pem, key, _ = pair(tmp_path, "own", 10)
    pages = site(tmp_path)
    broker = Broker(tmp_path / "broker", environment={
        "WASIMOFF_QUIC_LISTEN": "127.0.0.1:0", "WASIMOFF_QUIC_CERT": str(pem), "WASIMOFF_QUIC_KEY": str(key), "WASIMOFF_HTTPS": "true",
        "WASIMOFF_TRANSPORT_URL": "https://public.example/transport", "WASIMOFF_STATIC_FILES": str(pages)})
    try:
        assert broker.url.startswith("https://")
        assert json.loads(curl(broker, "/config")[1]) == {"transport": "https://public.example/transport"}
        assert curl(broker, "/healthz") == (200, "OK\n")
        assert "starless24 provider" in run(["curl", "-sk", broker.url + "/"]).stdout
    finally:
        assert broker.stop() == 0


def test_the_shell_client_of_old_with_what_it_sends(tmp_path):
    """upload FILE [NAME], exec and run: curl with its types, as that script has them."""
    broker = Broker(tmp_path / "broker", "--quic-listen", "none")
    try:
        (tmp_path / "any").write_bytes(b"neither module nor archive")
        assert curl(broker, "/upload?name=any", "--data-binary", f"@{tmp_path}/any") == (503, "provider list is empty")
        assert broker.request("/api/storage/any")[2] == b"neither module nor archive"
        for kind, status in (("application/json", 503), ("application/json; charset=utf-8", 503), ("text/plain", 400)):
            got, body = curl(broker, "/run", "-H", f"Content-Type: {kind}", "-d", '{"bin":"any","exec":[{"args":["x"]}]}')
            assert got == status, (kind, body)
        for method in ("GET", "PUT", "DELETE"):
            assert curl(broker, "/upload?name=x", "-X", method)[0] in (404, 405) and curl(broker, "/run", "-X", method)[0] in (404, 405)
    finally:
        assert broker.stop() == 0
