"""Our own provider page over WebTransport, in Chromium: the way it takes, renewal of certificates, falling back."""
import json
import shutil
import signal
import ssl
import subprocess
import time

import pytest
from broker import Broker, assemble, compile_c, run, until, web
from broker_test import CASES, HELLO, cases
from chromium import Chromium

pytestmark = pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")


def start(folder, *options, quic="localhost:0", listen="127.0.0.1:0"):
    return Broker(folder, "--metrics", "--static-files", web(), "--quic-listen", quic, *options, listen=listen)


def page(broker, browser, fragment=""):
    browser.go(broker.url.replace("127.0.0.1", "localhost") + "/#autoconnect=yes&workers=2" + fragment)
    until(lambda: broker.metric('wasimoff_available_workers{type="providers"}') == 2, 30)


def sessions(broker):
    return broker.metric("wasimoff_webtransport_sessions")


def config(broker):
    return json.loads(broker.request("/api/broker/v1/config")[2])


def pair(folder, name, days):
    """A certificate with its key, as openssl makes them."""
    made = run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", days,
                "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / f"{name}.key",
                "-out", folder / f"{name}.pem"])
    assert made.returncode == 0, made.stderr
    der = ssl.PEM_cert_to_DER_cert((folder / f"{name}.pem").read_text())
    return folder / f"{name}.pem", folder / f"{name}.key", __import__("hashlib").sha256(der).hexdigest()


def test_the_page_takes_webtransport_and_runs_what_it_runs_elsewhere(tmp_path):
    broker = start(tmp_path)
    browser = Chromium(quic=True)
    try:
        broker.upload(compile_c(tmp_path, CASES, "cases"), "cases")
        page(broker, browser)
        assert sessions(broker) == 1
        assert cases(broker, "args", "over QUIC")[1] == b"[cases][args][over QUIC]"
        assert cases(broker, "exit", "3")[0] == 3
        assert len(cases(broker, "long")[1]) == 1 << 20
        big = bytes(range(256)) * 8192  # 2 MiB there and back
        assert cases(broker, "cat", stdin=__import__("base64").b64encode(big).decode())[1] == big
    finally:
        browser.close()
        assert broker.stop() == 0


def test_a_task_runs_through_a_renewal_and_the_page_comes_back_after_a_restart(tmp_path):
    broker = start(tmp_path, "--quic-lifetime", "14")
    browser = Chromium(quic=True)
    try:
        broker.upload(compile_c(tmp_path, CASES, "cases"), "cases")
        first = config(broker)
        page(broker, browser)
        until(lambda: len(config(broker)["certhashes"]) == 2, 10)      # after half of its life
        second = config(broker)["certhashes"][1]
        assert config(broker)["certhash"] == first["certhash"] and cases(broker, "exit", "4")[0] == 4
        until(lambda: config(broker)["certhash"] == second, 10)        # after six sevenths
        assert sessions(broker) == 1 and cases(broker, "exit", "5")[0] == 5
        listen, port = broker.url.split("//")[1], first["transport"].split(":")[2].split("/")[0]
        assert broker.stop() == 0
        broker = start(tmp_path / "again", quic=f"localhost:{port}", listen=listen)
        until(lambda: broker.metric('wasimoff_available_workers{type="providers"}') == 2, 30)
        assert sessions(broker) == 1
        broker.upload(compile_c(tmp_path, CASES, "cases"), "cases")
        assert cases(broker, "exit", "6")[0] == 6
    finally:
        browser.close()
        assert broker.stop() == 0


def test_without_webtransport_the_page_takes_the_websocket(tmp_path):
    broker = start(tmp_path, quic="none")
    browser = Chromium(quic=True)
    try:
        page(broker, browser)
        assert sessions(broker) == 0 and broker.metric("wasimoff_connected_providers") == 1
    finally:
        browser.close()
        assert broker.stop() == 0


def test_where_udp_does_not_get_through_the_page_takes_the_websocket(tmp_path):
    broker = start(tmp_path, "--transport-url", "https://localhost:1/transport")
    browser = Chromium(quic=True)
    try:
        page(broker, browser)
        assert sessions(broker) == 0
    finally:
        browser.close()
        assert broker.stop() == 0


def test_the_fragment_chooses(tmp_path):
    broker = start(tmp_path)
    browser = Chromium(quic=True)
    try:
        page(broker, browser, "&transport=websocket")
        assert sessions(broker) == 0
        told = config(broker)
        browser.go("about:blank")
        until(lambda: broker.metric("wasimoff_connected_providers") == 0, 15)
        page(broker, browser, f"&transport={told['transport']}&certhash={'00' * 32},{told['certhash']}")
        assert sessions(broker) == 1
    finally:
        browser.close()
        assert broker.stop() == 0


def test_a_token_opens_the_session_and_nothing_else_does(tmp_path):
    tokens = tmp_path / "tokens.conf"
    tokens.write_text("[page]\nsecret = a-secret-of-the-page\nroles = provide\n[root]\nsecret = a-secret-of-the-root\nroles = admin\n")
    broker = start(tmp_path, "--tokens", tokens)
    browser = Chromium(quic=True)
    try:
        browser.go(broker.url + "/#autoconnect=yes&transport=webtransport&token=a-secret-of-somebody")
        time.sleep(3)
        assert sessions(broker) == 0
        browser.go("about:blank")
        page(broker, browser, "&token=a-secret-of-the-page")
        assert sessions(broker) == 1
    finally:
        browser.close()
        assert broker.stop() == 0


def test_files_of_a_certificate_are_read_again_on_hup(tmp_path):
    first, second = pair(tmp_path, "first", 10), pair(tmp_path, "second", 10)
    served, key = tmp_path / "served.pem", tmp_path / "served.key"
    shutil.copy(first[0], served)
    shutil.copy(first[1], key)
    broker = start(tmp_path, "--quic-cert", served, "--quic-key", key)
    browser = Chromium(quic=True)
    try:
        assert set(config(broker)) == {"transport"}  # whoever has a certificate of his own gives out no hash
        chosen = f"&transport={config(broker)['transport']}&certhash="
        page(broker, browser, chosen + first[2])
        shutil.copy(second[0], served)
        shutil.copy(second[1], key)
        broker.process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert sessions(broker) == 1  # it keeps what it began with
        browser.go("about:blank")
        until(lambda: broker.metric("wasimoff_connected_providers") == 0, 15)
        page(broker, browser, chosen + second[2])
        assert sessions(broker) == 1
        served.write_text("no certificate")
        broker.process.send_signal(signal.SIGHUP)
        until(lambda: "certificate stays as it was" in broker.output())
        assert sessions(broker) == 1
    finally:
        browser.close()
        assert broker.stop() == 0


def test_https_serves_the_same_pair_on_the_http_port(tmp_path):
    pem, key, _ = pair(tmp_path, "both", 10)
    broker = start(tmp_path, "--https", "--quic-cert", pem, "--quic-key", key)
    try:
        assert broker.url.startswith("https://")
        done = run(["curl", "-s", "--cacert", pem, broker.url.replace("127.0.0.1", "localhost") + "/api/broker/v1/healthz"])
        assert done.stdout == "OK\n"
    finally:
        assert broker.stop() == 0


@pytest.mark.parametrize("options, text", [
    (["--https"], "needs --quic-cert"),
    (["--quic-cert", "x.pem"], "needs its key"),
    (["--quic-cert", "absent.pem", "--quic-key", "absent.key"], "absent.pem"),
    (["--quic-listen", "nowhere"], "is not HOST:PORT"),
])
def test_what_cannot_be_is_said_at_the_start(tmp_path, options, text):
    from exchange import program
    done = subprocess.run([program, "broker", "--listen", "127.0.0.1:0", *options], cwd=tmp_path, capture_output=True,
                          text=True, timeout=20)
    assert done.returncode != 0 and text in done.stderr
