"""The NG protocol from the other side: what a SIP proxy does to a relay, byte for byte."""
import json
import os
import socket


def encode(value):
    if isinstance(value, bool):
        value = int(value)
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, (list, tuple)):
        return b"l" + b"".join(map(encode, value)) + b"e"
    return b"d" + b"".join(encode(key) + encode(value[key]) for key in value) + b"e"


def decode(data):
    value, rest = _decode(data)
    assert not rest, f"{len(rest)} bytes after the document"
    return value


def _decode(data):
    head = data[:1]
    if head == b"i":
        number, rest = data[1:].split(b"e", 1)
        return int(number), rest
    if head in (b"l", b"d"):
        values, rest = [], data[1:]
        while rest[:1] != b"e":
            value, rest = _decode(rest)
            values.append(value)
        rest = rest[1:]
        if head == b"l":
            return values, rest
        return dict(zip(values[::2], values[1::2])), rest
    size, rest = data.split(b":", 1)
    return rest[:int(size)].decode("utf-8", "surrogateescape"), rest[int(size):]


class Refused(Exception):
    """The relay answered with an error; the text is its reason."""


class Ng:
    """One control connection over UDP. `call(command, **fields)` gives the reply as a dictionary."""

    def __init__(self, address, port, json=False, source="127.0.0.1"):
        self.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        if ":" not in address:
            self.socket.bind((source, 0))
        self.socket.connect((address, port))
        self.socket.settimeout(5)
        self.json = json

    def exchange(self, datagram):
        self.socket.send(datagram)
        return self.socket.recv(65536)

    def ask(self, fields):
        cookie = os.urandom(6).hex().encode()
        document = json.dumps(fields).encode() if self.json else encode(fields)
        reply = self.exchange(cookie + b" " + document)
        got, _, body = reply.partition(b" ")
        assert got == cookie, f"reply to {got}, not to {cookie}"
        return json.loads(body) if self.json else decode(body)

    def call(self, command, **fields):
        """Keys are spelt with underscores for the hyphens and spaces that they have."""
        message = {"command": command}
        for key, value in fields.items():
            if value is not None:
                message[key.replace("__", " ").replace("_", "-")] = value
        reply = self.ask(message)
        if reply.get("result") == "error":
            raise Refused(reply["error-reason"])
        return reply

    def close(self):
        self.socket.close()
