"""`strowger health URL`: the health check of containers, which have no curl."""
import subprocess
import urllib.request

from exchange import program
from running import free_port


def health(url):
    return subprocess.run([program, "health", url], capture_output=True, text=True, timeout=20)


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
