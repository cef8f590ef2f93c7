"""Milliseconds from the POST to `connected` in Chromium, for each echo server in turn; as JSON.

    unshare --net /usr/bin/python3 bench/echo_browser.py COUNT SERVER...

Makes itself an interface, as Chromium has no candidates on loopback.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import echo

ADDRESS = "10.79.0.1"
sys.path.insert(0, str(echo.INTEROP))

from chromium import Chromium  # noqa: E402


def lay_network():
    for command in ("ip link set lo up", "ip link add v0 type veth peer name v1", f"ip address add {ADDRESS}/24 dev v0",
                    "ip link set v0 up", "ip link set v1 up"):
        subprocess.run(command.split(), check=True)


def connect_times(name, folder, count):
    server = echo.EchoServer(name, pathlib.Path(folder), ADDRESS)
    # Peers answer the convention's POST and no question about origins.
    browser = Chromium(more=["--disable-web-security"])
    try:
        browser.run((echo.INTEROP / "chromium_echo.js").read_text())
        connect = f"echo.clients.connection({json.dumps(server.url)})"
        browser.run(connect)  # warms both
        return sorted(browser.run(connect)["connected"] for _ in range(count))
    finally:
        browser.close()
        server.stop()


def main():
    count, *names = sys.argv[1:]
    lay_network()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps({name: connect_times(name, folder, int(count)) for name in names}))


main()
