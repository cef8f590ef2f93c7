"""A WebRTC stack beside ours in a network of its own: as client of our echo server, or as the server.

    echo_peer.py aiortc|chromium|chromium-mdns client URL TEST     status 0: passed; prints what it saw as JSON
    echo_peer.py aiortc|chromium|chromium-mdns server ADDRESS PORT
"""
import asyncio
import http.server
import json
import pathlib
import sys

here = pathlib.Path(__file__).resolve().parent


def aiortc_client(url, test):
    import aiortc_peer
    if test == 0:
        asyncio.run(aiortc_peer.connection_client(url))
        return {}
    if test == 1:
        assert asyncio.run(aiortc_peer.channel_client(url, ["echo", "", b"\x01"])) == ["echo", "", b"\x01"]
        return {}
    came = asyncio.run(aiortc_peer.media_client(url))
    return {kind: len(frames) for kind, frames in came.items()}


async def aiortc_server(address, port):
    import aiortc_peer
    await aiortc_peer.Server().start(port, address)
    print("ready", flush=True)
    await asyncio.sleep(3600)


def open_browser(mdns):
    from chromium import Chromium
    return Chromium(mdns)


def chromium_client(browser, url, test):
    browser.go(url.rsplit("/", 1)[0] + "/healthz")
    browser.run((here / "chromium_echo.js").read_text())
    name = ["connection", "channel", "media"][test]
    seen = browser.run(f"echo.clients.{name}({json.dumps(url)})")
    if test == 2:
        red, green, blue, _ = seen["pixel"]
        assert red < 0x60 and green > 0x90 and blue < 0x80, seen  # the green that was painted
        assert seen["energy"] > 0 and seen["lost"] == 0, seen
    return seen


def chromium_server(browser, address, port):
    browser.run((here / "chromium_echo.js").read_text())

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            offer = self.rfile.read(int(self.headers["Content-Length"])).decode()
            answer = json.dumps(browser.run(f"echo.answer({offer})")).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer((address, port), Handler)
    print("ready", flush=True)
    server.serve_forever()


def main():
    stack, role, *rest = sys.argv[1:]
    if stack == "aiortc":
        if role == "server":
            asyncio.run(aiortc_server(rest[0], int(rest[1])))
        print(json.dumps(aiortc_client(rest[0], int(rest[1]))))
        return
    browser = open_browser(stack == "chromium-mdns")
    try:
        if role == "server":
            chromium_server(browser, rest[0], int(rest[1]))
        print(json.dumps(chromium_client(browser, rest[0], int(rest[1]))))
    finally:
        browser.close()


main()
