"""A SIP agent that does exactly what a test tells it, right or wrong: over UDP, TCP or TLS."""
import hashlib
import random
import re
import socket
import ssl
import time

from rtp import Rtp

COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length",
           "c": "content-type", "k": "supported", "e": "content-encoding", "s": "subject", "r": "refer-to",
           "b": "referred-by", "o": "event"}


def token(length=10):
    return "".join(random.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=length))


class Message:
    def __init__(self, data):
        head, _, self.body = data.partition(b"\r\n\r\n")
        self.raw = data
        lines = re.sub(r"\r\n[ \t]+", " ", head.decode("utf-8", "replace")).split("\r\n")
        self.start, self.headers = lines[0], []
        for line in lines[1:]:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            self.headers.append((COMPACT.get(name, name), value.strip()))
        words = self.start.split(" ", 2)
        self.status = int(words[1]) if words[0] == "SIP/2.0" else None
        self.method = words[0] if self.status is None else self.header("cseq").split()[-1]
        self.is_request = self.status is None

    def all(self, name):
        return [value for key, value in self.headers if key == name.lower()]

    def header(self, name, otherwise=None):
        values = self.all(name)
        return values[0] if values else otherwise

    @property
    def call_id(self):
        return self.header("call-id")

    @property
    def cseq(self):
        return int(self.header("cseq").split()[0])

    def tag(self, which):
        found = re.search(r";\s*tag=([^;\s]+)", self.header(which, ""))
        return found.group(1) if found else None

    def contact_uri(self):
        return re.search(r"<([^>]*)>", self.header("contact")).group(1)

    def sdp(self):
        return Sdp(self.body.decode())

    def __repr__(self):
        return f"<{self.start} {self.header('cseq')}>"


class Sdp:
    """What tests look at in a session description of one audio stream."""

    def __init__(self, text):
        self.text, self.lines = text, text.split("\r\n")
        media = next(line for line in self.lines if line.startswith("m=audio")).split()
        self.port, self.formats = int(media[1]), media[3:]
        self.address = next(line for line in self.lines if line.startswith("c=")).split()[-1]
        self.direction = next((line[2:] for line in self.lines
                               if line in ("a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive")), "sendrecv")


def sdp(port, direction="sendrecv", formats="0 8 101", address="127.0.0.1", version=1):
    maps = {"0": "PCMU/8000", "8": "PCMA/8000", "101": "telephone-event/8000", "18": "G729/8000"}
    lines = ["v=0", f"o=- 42 {version} IN IP4 {address}", "s=-", f"c=IN IP4 {address}", "t=0 0",
             f"m=audio {port} RTP/AVP {formats}"]
    lines += [f"a=rtpmap:{f} {maps[f]}" for f in formats.split()]
    lines += ["a=fmtp:101 0-16"] * ("101" in formats.split()) + [f"a={direction}"]
    return "\r\n".join(lines) + "\r\n"


def digest(challenge, method, uri, user, password):
    """The value of an Authorization header for a Digest challenge (RFC 7616, qop auth)."""
    fields = dict(re.findall(r'(\w+)="?([^",]*)"?', challenge.partition(" ")[2]))
    algorithm = fields.get("algorithm", "MD5")
    hash_of = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256,
               "SHA-512-256": lambda data: hashlib.new("sha512_256", data)}[algorithm]

    def h(text):
        return hash_of(text.encode()).hexdigest()

    cnonce = token()
    response = h(":".join([h(f"{user}:{fields['realm']}:{password}"), fields["nonce"], "00000001", cnonce, "auth",
                           h(f"{method}:{uri}")]))
    opaque = f', opaque="{fields["opaque"]}"' if "opaque" in fields else ""
    return (f'Digest username="{user}", realm="{fields["realm"]}", nonce="{fields["nonce"]}", uri="{uri}", '
            f'response="{response}", algorithm={algorithm}, qop=auth, nc=00000001, cnonce="{cnonce}"{opaque}')


class Timeout(AssertionError):
    pass


class Agent:
    def __init__(self, exchange, user="nobody", password=None, transport="udp", port=None, address="127.0.0.1", source_port=0):
        self.exchange, self.user, self.password, self.transport = exchange, user, password, transport
        self.server = (exchange.address, port or exchange.port)
        self.inbox, self.seen, self.log, self.rtps, self.buffer = [], set(), [], [], b""
        if transport == "udp":
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind((address, source_port))
        else:
            self.socket = socket.create_connection(self.server, timeout=5)
            if transport == "tls":
                context = ssl.create_default_context()
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                self.socket = context.wrap_socket(self.socket)
        self.address, self.port = self.socket.getsockname()[:2]
        self.via = f"SIP/2.0/{transport.upper()} {self.address}:{self.port}"
        suffix = "" if transport == "udp" else f";transport={transport}"
        self.contact = f"sip:{user}@{self.address}:{self.port}{suffix}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for rtp in self.rtps:
            rtp.close()
        self.socket.close()

    # --- bytes

    def send(self, data):
        data = data if isinstance(data, bytes) else data.encode()
        self.log.append(">>> " + data.decode("utf-8", "replace").split("\r\n")[0])
        if self.transport == "udp":
            self.socket.sendto(data, self.server)
        else:
            self.socket.sendall(data)

    def read(self, timeout):
        """The next message as bytes, or None."""
        deadline = time.monotonic() + timeout
        while True:
            if self.transport != "udp":
                head, separator, rest = self.buffer.lstrip(b"\r\n").partition(b"\r\n\r\n")
                if separator:
                    length = re.search(rb"\r\n(?:content-length|l)\s*:\s*(\d+)", head, re.I)
                    length = int(length.group(1)) if length else 0
                    if len(rest) >= length:
                        self.buffer = rest[length:]
                        return head + separator + rest[:length]
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65536)
            except (socket.timeout, ConnectionRefusedError):
                continue
            if self.transport == "udp":
                return data
            if not data:
                raise ConnectionError("the exchange closed the connection")
            self.buffer += data

    def receive(self, timeout=5.0, repeats=False):
        """The next message that was not seen before (or any, with repeats), or None."""
        deadline = time.monotonic() + timeout
        while (data := self.read(deadline - time.monotonic())) is not None:
            if not data.strip():
                continue
            message = Message(data)
            key = (message.start, message.header("via"), message.header("cseq"), message.call_id, message.tag("to"))
            if key in self.seen and not repeats:
                continue
            self.seen.add(key)
            self.log.append("<<< " + message.start + "  [" + message.header("cseq", "") + "]")
            return message
        return None

    def expect(self, *wanted, timeout=5.0, call_id=None, cseq=None):
        """The first message that is one of `wanted` (a status, a method or a predicate). Others wait in
        the inbox for their own expect()."""

        def fits(message):
            if call_id and message.call_id != call_id or cseq and message.cseq != cseq:
                return False
            return any(w(message) if callable(w) else w in ((message.method,) if message.is_request else (message.status,))
                       for w in wanted)

        for message in self.inbox:
            if fits(message):
                self.inbox.remove(message)
                return message
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            message = self.receive(left)
            if message is None:
                break
            if fits(message):
                return message
            if message.status is not None and message.status >= 300 and any(isinstance(w, int) for w in wanted) and \
                    message.method != "CANCEL" and (call_id is None or message.call_id == call_id) and \
                    (cseq is None or message.cseq == cseq):
                raise Timeout(f"{self.user} wanted {wanted}, got {message.start}\n" + "\n".join(self.log))
            self.inbox.append(message)
        raise Timeout(f"{self.user} waited {timeout} s for {wanted}\n" + "\n".join(self.log))

    def settle(self):
        """Answers whatever requests still come, so that nothing is repeated to somebody who left."""
        while (message := self.receive(0.02)) is not None:
            if message.is_request and message.method != "ACK":
                Call.incoming(self, message, with_media=False).respond(200, "OK")

    def expect_none(self, *wanted, timeout=0.5):
        try:
            message = self.expect(*wanted, timeout=timeout)
        except Timeout:
            return
        raise AssertionError(f"{message.start} was not to come\n" + "\n".join(self.log))

    # --- requests outside of dialogs

    def uri(self, user=None):
        suffix = "" if self.transport == "udp" else f";transport={self.transport}"
        return f"sip:{user + '@' if user else ''}{self.server[0]}:{self.server[1]}{suffix}"

    def build(self, method, uri, call_id, cseq, from_, to, headers=(), body="", branch=None, content_type="application/sdp"):
        lines = [f"{method} {uri} SIP/2.0", f"Via: {self.via};branch={branch or 'z9hG4bK' + token()};rport",
                 "Max-Forwards: 70", f"From: {from_}", f"To: {to}", f"Call-ID: {call_id}", f"CSeq: {cseq} {method}"]
        lines += list(headers)
        if body:
            lines.append(f"Content-Type: {content_type}")
        body = body if isinstance(body, bytes) else body.encode()
        lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def ask(self, method, uri=None, to=None, headers=(), body="", authenticate=True, timeout=5.0, call_id=None, cseq=None,
            from_user=None, content_type="application/sdp"):
        """One request outside of a dialog and its final answer; a challenge is answered once."""
        uri = uri or self.uri()
        me = f"<sip:{from_user or self.user}@{self.server[0]}>"
        call_id, cseq = call_id or token(), cseq or random.randrange(1, 1000)
        extra = []
        while True:
            self.send(self.build(method, uri, call_id, cseq, f"{me};tag={token()}", to or me, [*headers, *extra], body,
                                 content_type=content_type))
            answer = self.expect(lambda m: m.status is not None and m.status >= 200, call_id=call_id, cseq=cseq, timeout=timeout)
            if answer.status not in (401, 407) or not authenticate or extra or self.password is None:
                return answer
            extra = self.credentials(answer, method, uri)
            cseq += 1

    def credentials(self, answer, method, uri):
        name, field = ("Authorization", "www-authenticate") if answer.status == 401 else ("Proxy-Authorization", "proxy-authenticate")
        return [f"{name}: {digest(answer.header(field), method, uri, self.user, self.password)}"]

    def register(self, *contacts, expires=None, headers=(), **options):
        contacts = contacts or (f"<{self.contact}>",)
        lines = [f"Contact: {c}" for c in contacts if c]
        if expires is not None:
            lines.append(f"Expires: {expires}")
        return self.ask("REGISTER", headers=[*lines, *headers], **options)

    # --- calls

    def rtp(self):
        self.rtps.append(Rtp(self.address))
        return self.rtps[-1]

    def invite(self, user, body=None, headers=(), authenticate=True, **options):
        """Sends an INVITE (with the credentials, after the challenge) and returns the Call."""
        call = Call(self, self.uri(user), **options)
        call.rtp = self.rtp()
        call.offer = sdp(call.rtp.port, address=self.address) if body is None else body
        call.invite(call.offer, headers)
        if authenticate and self.password is not None:
            challenge = self.expect(401, 407, call_id=call.call_id)
            call.acknowledge_failure(challenge)
            call.invite(call.offer, [*headers, *self.credentials(challenge, "INVITE", call.target)])
        return call

    def wait_invite(self, timeout=5.0):
        """The next INVITE that comes, as a Call that has not been answered."""
        request = self.expect(lambda m: m.method == "INVITE" and m.is_request and not m.tag("to"), timeout=timeout)
        return Call.incoming(self, request)


class Call:
    """One dialog, from either side."""

    def __init__(self, agent, target, call_id=None, headers=()):
        self.agent, self.target = agent, target
        self.call_id, self.cseq, self.branch = call_id or token(), 100, None
        self.local = f'"{agent.user}" <sip:{agent.user}@{agent.server[0]}>;tag={token()}'
        self.remote = f"<{target}>"
        self.routes, self.request, self.rtp, self.offer, self.version = [], None, None, None, 1
        self.last_remote_cseq = 0

    @classmethod
    def incoming(cls, agent, request, with_media=True):
        call = cls(agent, request.contact_uri() if request.header("contact") else "", call_id=request.call_id)
        call.local, call.remote = f"{request.header('to')};tag={token()}", request.header("from")
        call.routes, call.request = request.all("record-route"), request
        call.rtp = agent.rtp() if with_media else None
        return call

    # --- what the calling side does

    def invite(self, body, headers=()):
        self.cseq += 1
        self.branch = "z9hG4bK" + token()
        self.invite_cseq = self.cseq
        self.agent.send(self.agent.build("INVITE", self.target, self.call_id, self.cseq, self.local, self.remote,
                                         [f"Contact: <{self.agent.contact}>", *self.route_lines(), *headers], body, self.branch))

    def route_lines(self):
        return [f"Route: {route}" for route in self.routes]

    def expect(self, *wanted, timeout=5.0):
        return self.agent.expect(*wanted, timeout=timeout, call_id=self.call_id)

    def acknowledge_failure(self, answer):
        self.agent.send(self.agent.build("ACK", self.target, self.call_id, answer.cseq, self.local, answer.header("to"),
                                         branch=self.branch))

    def answered(self, timeout=5.0, wav=None, ack_body="", ack=True):
        """Waits for the 200 of the INVITE, acknowledges it, and starts the media."""
        answer = self.expect(lambda m: m.status == 200 and m.method == "INVITE" and m.cseq == self.invite_cseq,
                             lambda m: m.status is not None and m.status >= 300, timeout=timeout)
        assert answer.status == 200, f"{answer.start}\n" + "\n".join(self.agent.log)
        self.remote, self.target = answer.header("to"), answer.contact_uri()
        self.routes = list(reversed(answer.all("record-route")))
        if ack:
            self.ack(ack_body)
        if answer.body and self.rtp:
            description = answer.sdp()
            self.rtp.send(description.address, description.port, wav)
        return answer

    def ack(self, body=""):
        self.agent.send(self.agent.build("ACK", self.target, self.call_id, self.invite_cseq, self.local, self.remote,
                                         [f"Contact: <{self.agent.contact}>", *self.route_lines()], body))

    def failed(self, status, timeout=8.0):
        """Waits for that final refusal of the INVITE and acknowledges it."""
        answer = self.expect(lambda m: m.status is not None and m.status >= 200 and m.method == "INVITE" and
                             m.cseq == self.invite_cseq, timeout=timeout)
        assert answer.status == status, f"wanted {status}, got {answer.start}\n" + "\n".join(self.agent.log)
        self.acknowledge_failure(answer)
        return answer

    def cancel(self):
        self.agent.send(self.agent.build("CANCEL", self.target, self.call_id, self.invite_cseq, self.local,
                                         self.remote, branch=self.branch))
        return self.agent.expect(lambda m: m.status is not None and m.method == "CANCEL", call_id=self.call_id)

    def adopt(self, answer):
        """Takes the early dialog of a provisional answer."""
        self.remote = answer.header("to")
        if answer.header("contact"):
            self.target = answer.contact_uri()
        return answer

    # --- what the called side does

    def respond(self, status, reason="", headers=(), body="", request=None):
        request = request or self.request
        lines = [f"SIP/2.0 {status} {reason or 'Answer'}"] + [f"Via: {v}" for v in request.all("via")]
        lines += [f"Record-Route: {r}" for r in request.all("record-route")]
        to = request.header("to") if request.tag("to") or status == 100 else self.local
        lines += [f"From: {request.header('from')}", f"To: {to}", f"Call-ID: {request.call_id}", f"CSeq: {request.header('cseq')}",
                  *([] if any(h.startswith("Contact:") for h in headers) else [f"Contact: <{self.agent.contact}>"]), *headers]
        if body:
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body)}")
        self.agent.send("\r\n".join(lines) + "\r\n\r\n" + body)

    def ring(self):
        self.respond(180, "Ringing")

    def answer(self, wav=None, wait_ack=True, headers=()):
        """200 with SDP; waits for the ACK and starts the media. Returns the ACK."""
        self.respond(200, "OK", headers, sdp(self.rtp.port, formats="0 101", address=self.agent.address))
        if not wait_ack:
            return None
        ack = self.agent.expect("ACK", call_id=self.call_id)
        offer = self.request.sdp() if self.request.body else ack.sdp()
        self.rtp.send(offer.address, offer.port, wav)
        return ack

    # --- what both do inside of the dialog

    def ask(self, method, headers=(), body="", content_type="application/sdp", timeout=5.0):
        """A request inside of the dialog, and its final answer."""
        self.cseq += 1
        number = self.cseq
        self.agent.send(self.agent.build(method, self.target, self.call_id, number, self.local, self.remote,
                                         [f"Contact: <{self.agent.contact}>", *self.route_lines(), *headers], body,
                                         content_type=content_type))
        return self.agent.expect(lambda m: m.status is not None and m.status >= 200 and m.method == method, call_id=self.call_id,
                                 cseq=number, timeout=timeout)

    def reinvite(self, direction="sendrecv", body=None, timeout=5.0, headers=()):
        """A re-INVITE with its ACK; returns the final answer."""
        self.version += 1
        if body is None:
            body = sdp(self.rtp.port, direction, "0 101", self.agent.address, self.version)
        self.invite(body, headers)
        answer = self.expect(lambda m: m.status is not None and m.status >= 200 and m.method == "INVITE" and
                             m.cseq == self.invite_cseq, timeout=timeout)
        if answer.status < 300:
            self.ack()
        else:
            self.acknowledge_failure(answer)
        return answer

    def bye(self):
        answer = self.ask("BYE")
        assert answer.status == 200, answer.start
        return answer

    def ended(self, timeout=5.0):
        """Waits for the other side's BYE and answers it."""
        request = self.agent.expect(lambda m: m.is_request and m.method == "BYE", call_id=self.call_id, timeout=timeout)
        self.respond(200, "OK", request=request)
        return request

    def accept(self, method, status=200, headers=(), body="", timeout=5.0):
        """Waits for a request inside of the dialog and answers it."""
        request = self.agent.expect(lambda m: m.is_request and m.method == method, call_id=self.call_id, timeout=timeout)
        self.respond(status, "Answer", headers, body, request=request)
        return request
