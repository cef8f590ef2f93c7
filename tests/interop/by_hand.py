"""WebSocket (RFC 6455) and protobuf byte by byte, so that no library of ours or of others stands between a test and the wire."""
import base64
import os
import socket
import struct
import urllib.parse

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
REQUEST, RESPONSE, EVENT = 1, 2, 3
PROTOBUF, JSON = "wasimoff_provider_v1_protobuf", "wasimoff_provider_v1_json"


def varint(number):
    out = b""
    number &= (1 << 64) - 1
    while number > 0x7f:
        out += bytes([number & 0x7f | 0x80])
        number >>= 7
    return out + bytes([number])


def pack(*fields):
    """A message of (number, value): numbers become varints, text and bytes what has a length."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            value = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def unpack(data):
    """{number: [values]}."""
    fields, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value
    while at < len(data):
        key = number()
        if key & 7 == 0:
            value = number()
        elif key & 7 == 2:
            size = number()
            value = data[at:at + size]
            assert len(value) == size, "a field is cut off"
            at += size
        else:
            assert key & 7 == 5, f"wire type {key & 7}"
            value = struct.unpack("<f", data[at:at + 4])[0]
            at += 4
        fields.setdefault(key >> 3, []).append(value)
    return fields


def envelope(sequence, kind, name, payload=b"", prefix="wasimoff/"):
    return pack((1, sequence), (2, kind), (4, pack((1, prefix + "wasimoff.v1." + name), (2, payload))))


class Envelope:
    def __init__(self, data):
        fields = unpack(data)
        self.sequence, self.kind = fields.get(1, [None])[0], fields[2][0]
        self.error = fields[3][0].decode() if 3 in fields else None
        self.url = self.name = self.payload = None
        if 4 in fields:
            any_ = unpack(fields[4][0])
            self.url, self.payload = any_[1][0].decode(), unpack(any_.get(2, [b""])[0])
            self.name = self.url.rsplit("/", 1)[1].removeprefix("wasimoff.v1.")


class Socket:
    """A WebSocket of a client; `offer` are its subprotocols in order."""

    def __init__(self, broker, path, offer=(PROTOBUF,), headers=()):
        where = urllib.parse.urlsplit(broker.url)
        self.host = where.netloc
        self.socket = socket.create_connection((where.hostname, where.port), timeout=20)
        lines = [f"GET {path} HTTP/1.1", f"Host: {where.netloc}", "User-Agent: by hand", "Connection: Upgrade", "Upgrade: websocket",
                 "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode(), *headers]
        if offer:
            lines.append("Sec-WebSocket-Protocol: " + ", ".join(offer))
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        first, *fields = head.decode().split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value.strip() for name, value in (field.split(":", 1) for field in fields)}
        self.events = 0

    def _more(self):
        part = self.socket.recv(65536)
        assert part, "the connection ended"
        self.buffer += part

    def _take(self, size):
        while len(self.buffer) < size:
            self._more()
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def send(self, opcode, payload):
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size) if size < 65536 else b"\xff" + struct.pack(">Q", size)
        mask = os.urandom(4)
        masked = (int.from_bytes(payload, "big") ^ int.from_bytes((mask * (size // 4 + 1))[:size], "big")).to_bytes(size, "big") if size else b""
        self.socket.sendall(bytes([0x80 | opcode]) + length + mask + masked)

    def receive(self):
        """(opcode, payload) of the next message."""
        whole, kind = b"", None
        while True:
            first, second = self._take(2)
            assert first & 0x70 == 0, "compressed, though nobody agreed on it"
            assert second < 0x80, "a server does not mask"
            size = second
            if size == 126:
                size = struct.unpack(">H", self._take(2))[0]
            elif size == 127:
                size = struct.unpack(">Q", self._take(8))[0]
            payload, opcode = self._take(size), first & 15
            if opcode == PING:
                self.send(PONG, payload)
                continue
            kind, whole = kind or opcode, whole + payload
            if first & 0x80:
                return kind, whole

    def closed(self):
        """(code, reason) with which the other side closes; what it says before is passed over."""
        while True:
            opcode, payload = self.receive()
            if opcode == CLOSE:
                return struct.unpack(">H", payload[:2])[0], payload[2:].decode()

    def tell(self, name, payload=b""):
        self.send(BINARY, envelope(self.events, EVENT, name, payload))
        self.events += 1

    def next(self, but=()):
        """The next envelope whose name is not among `but`; pings that are passed over are answered."""
        while True:
            opcode, payload = self.receive()
            assert opcode == BINARY, (opcode, payload)
            message = Envelope(payload)
            if message.name not in but:
                return message
            if message.name == "Ping":
                self.answer(message, "Ping")

    def task(self):
        return self.next(but=("Event.ClusterInfo", "Event.Throughput", "Ping"))

    def answer(self, request, name, payload=b""):
        self.send(BINARY, envelope(request.sequence, RESPONSE, name, payload))

    def provide(self, slots=1):
        """The first words of a provider."""
        self.tell("Event.ProviderResources", pack((1, slots)))
        listing = self.next()
        assert listing.name == "Filesystem.Listing.Request" and listing.kind == REQUEST, listing.name
        self.answer(listing, "Filesystem.Listing.Response")
        return self

    def close(self):
        self.socket.close()
