"""A bad network between a WebRTC client and an echo server: datagrams are lost, delayed, overtaken and doubled, and a
NAT in between forgets. What is posted goes on to the server; the answer names this network instead of it."""
import heapq
import http.server
import json
import random
import re
import selectors
import socket
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass


@dataclass
class Weather:
    """Each way. Delays spread over `jitter`, and so datagrams overtake each other."""
    loss: float = 0
    duplication: float = 0
    delay: float = 0
    jitter: float = 0


class Nat:
    """The way of one session: what a client's address sends leaves from a port of ours that stands for it."""

    def __init__(self, server, weather, seed):
        self.server, self.weather, self.random = server, weather, random.Random(seed)
        self.front = self.bind()
        self.backs, self.clients = {}, {}  # client's address -> socket; socket -> client's address
        self.selector, self.lock, self.on = selectors.DefaultSelector(), threading.Lock(), True
        self.selector.register(self.front, selectors.EVENT_READ)
        self.under_way, self.count = [], 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    @staticmethod
    def bind():
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(("127.0.0.1", 0))
        made.setblocking(False)
        return made

    @property
    def port(self):
        return self.front.getsockname()[1]

    def rebind(self):
        """From now on all comes from other ports, and what is sent to the old ones reaches nobody."""
        with self.lock:
            for back in self.backs.values():
                self.selector.unregister(back)
                back.close()
            self.backs, self.clients = {}, {}

    def back_of(self, client):
        if client not in self.backs:
            back = self.backs[client] = self.bind()
            self.clients[back] = client
            self.selector.register(back, selectors.EVENT_READ)
        return self.backs[client]

    def receive(self, at):
        while True:
            try:
                datagram, source = at.recvfrom(65536)
            except OSError:
                return
            if at is self.front:
                self.submit(self.back_of(source), datagram, self.server)
            else:
                self.submit(self.front, datagram, self.clients[at])

    def submit(self, by, datagram, to):
        weather = self.weather
        copies = 1 + (self.random.random() < weather.duplication)
        for _ in range(copies):
            if self.random.random() < weather.loss:
                continue
            due = time.monotonic() + weather.delay + self.random.random() * weather.jitter
            self.count += 1
            heapq.heappush(self.under_way, (due, self.count, by, datagram, to))

    def deliver(self):
        while self.under_way and self.under_way[0][0] <= time.monotonic():
            _, _, by, datagram, to = heapq.heappop(self.under_way)
            try:
                by.sendto(datagram, to)
            except OSError:
                pass  # one of before the change of ports

    def run(self):
        while self.on:
            wait = self.under_way[0][0] - time.monotonic() if self.under_way else 0.02
            ready = self.selector.select(min(max(wait, 0), 0.02))
            with self.lock:
                for key, _ in ready:
                    if key.fileobj.fileno() >= 0:
                        self.receive(key.fileobj)
                self.deliver()

    def stop(self):
        self.on = False
        self.thread.join(5)
        for each in [self.front, *self.backs.values()]:
            each.close()


class ImpairedNetwork:
    """`url` is the server's, seen through it. One Nat for each offer, in `nats`."""

    def __init__(self, server_url, weather, seed=1):
        self.server_url, self.weather, self.seed, self.nats = server_url, weather, seed, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = outer.pass_on(json.loads(body))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/offer"
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()

    def pass_on(self, offer):
        """(status, body): the client's own addresses go, so that only ours lead to it."""
        offer["sdp"] = re.sub(r"a=candidate:[^\r\n]*\r?\n", "", offer["sdp"])
        request = urllib.request.Request(self.server_url, json.dumps(offer).encode(),
                                         {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                answer = json.loads(reply.read())
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        found = re.search(r"a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host", answer["sdp"], re.IGNORECASE)
        nat = Nat((found[1], int(found[2])), self.weather, self.seed + len(self.nats))
        self.nats.append(nat)
        answer["sdp"] = re.sub(r"(a=candidate:\S+ 1 udp \d+) \S+ \d+ typ host", rf"\1 127.0.0.1 {nat.port} typ host",
                               answer["sdp"], flags=re.IGNORECASE)
        return 200, json.dumps(answer).encode()

    def rebind(self):
        for nat in self.nats:
            nat.rebind()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()
        for nat in self.nats:
            nat.stop()
