"""`strowger health URL`: the health check of containers, which have no curl."""
import subprocess
import time
import urllib.request

from exchange import program
from relaying import Relay
from running import free_port


def health(*arguments):
    return subprocess.run([program, "health", *arguments], capture_output=True, text=True, timeout=20)


def test_it_says_whether_the_exchange_is_well(start):
    port = free_port()
    exchange = start({}, shipped=True, options=("--http", f"127.0.0.1:{port}"))
    well = health(f"http://localhost:{port}/healthz")
    assert (well.returncode, well.stdout) == (0, "200 ok\n"), well
    elsewhere = health(f"http://localhost:{port}/nothing")
    assert elsewhere.returncode == 1 and elsewhere.stdout.startswith("404 "), elsewhere
    assert b"strowger_uptime_seconds" in urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read()
    exchange.stop()
    gone = health(f"http://localhost:{port}/healthz")
    assert gone.returncode == 1 and "refused" in gone.stderr, gone


def test_it_pings_a_relay_by_the_protocol_of_its_proxies():
    with Relay() as relay:
        well = health(f"ng://127.0.0.1:{relay.port}")
    assert (well.returncode, well.stdout) == (0, "pong\n"), well
    gone = health(f"ng://127.0.0.1:{free_port()}")
    assert gone.returncode == 1 and "no answer" in gone.stderr, gone
    assert health("ng://nobody").returncode == 2


def test_a_certificate_that_names_somebody_else_is_taken_when_told_so(tmp_path):
    port, pair = free_port(), [tmp_path / "crt.pem", tmp_path / "key.pem"]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                    "-subj", "/CN=elsewhere", "-out", pair[0], "-keyout", pair[1]], check=True, capture_output=True)
    broker = subprocess.Popen([program, "broker", "--listen", f"127.0.0.1:{port}", "--cert", pair[0], "--key", pair[1]],
                              stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 5
        while health("--any-certificate", f"https://127.0.0.1:{port}/healthz").returncode:
            assert time.monotonic() < deadline
        refused = health(f"https://127.0.0.1:{port}/healthz")
        assert refused.returncode == 1 and "certificate" in refused.stderr, refused
    finally:
        broker.terminate()
        broker.wait()
