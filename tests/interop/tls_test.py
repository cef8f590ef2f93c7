"""TLS towards others: whose certificates are believed, and what is shown to them (RFC 5922)."""
import socket
import ssl
import subprocess
import threading

import pytest
from agent import Agent, Message
from exchange import wait_for
from running import free_port

OBJECTS = """
[t_tls]
type = transport
protocol = tls
bind = 127.0.0.1:{tls_port}
cert_file = {pki}/own.pem
priv_key_file = {pki}/own.key
password = opensesame
ca_list_file = {pki}/ca.pem
verify_server = yes
method = tlsv1_2
[t_strict]
type = transport
protocol = tls
bind = 127.0.0.1:{strict_port}
cert_file = {pki}/own.pem
priv_key_file = {pki}/own.key
password = opensesame
ca_list_file = {pki}/ca.pem
require_client_cert = yes
[t_asking]
type = transport
protocol = tls
bind = 127.0.0.1:{asking_port}
cert_file = {pki}/own.pem
priv_key_file = {pki}/own.key
password = opensesame
ca_list_file = {pki}/ca.pem
verify_client = yes
[caller]
type = endpoint
context = phones
disallow = all
allow = ulaw
aors = caller
[caller]
type = aor
max_contacts = 1
remove_existing = yes
[far]
type = endpoint
context = phones
transport = t_tls
disallow = all
allow = ulaw
"""

EXTENSIONS = """\
[phones]
exten => 200,1,Dial(PJSIP/far/sip:x@localhost:{far_port}\\;transport=tls,5)
 same => n,Set(GLOBAL(OUTCOME)=${DIALSTATUS})
 same => n,Hangup()
"""


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """A certificate authority with certificates for us (its key encrypted), for localhost and for somebody else, and
    a certificate for localhost that signed itself."""
    folder = tmp_path_factory.mktemp("pki")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    openssl("req", "-x509", *curve, "-nodes", "-days", 2, "-subj", "/CN=Test CA", "-keyout", folder / "ca.key", "-out", folder / "ca.pem")
    for name, host in (("own", "exchange.invalid"), ("good", "localhost"), ("other", "other.invalid"), ("wild", "*.invalid")):
        openssl("req", *curve, "-nodes", "-subj", f"/CN={host}", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.csr")
        (folder / "names").write_text(f"subjectAltName=DNS:{host}\n")
        openssl("x509", "-req", "-in", folder / f"{name}.csr", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-CAcreateserial",
                "-days", 2, "-extfile", folder / "names", "-out", folder / f"{name}.pem")
    openssl("ec", "-in", folder / "own.key", "-aes128", "-passout", "pass:opensesame", "-out", folder / "locked.key")
    (folder / "locked.key").rename(folder / "own.key")
    openssl("req", "-x509", *curve, "-nodes", "-days", 2, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
            "-keyout", folder / "self.key", "-out", folder / "self.pem")
    return folder


@pytest.fixture(scope="module")
def exchange(start, pki):
    return start({"objects": OBJECTS, "extensions.conf": EXTENSIONS}, tls_port=free_port(), strict_port=free_port(), asking_port=free_port(),
                 far_port=free_port(), pki=pki)


class Far:
    """A TLS server that refuses every call with 486, and knows what it was asked and shown."""

    def __init__(self, port, certificate, pki):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pki / f"{certificate}.pem", pki / f"{certificate}.key")
        self.context.load_verify_locations(pki / "ca.pem")
        self.context.verify_mode = ssl.CERT_OPTIONAL
        self.names, self.context.sni_callback = [], lambda _, name, __: self.names.append(name)
        self.requests, self.shown, self.version = [], None, None
        self.listener = socket.create_server(("127.0.0.1", port))
        self.listener.settimeout(0.1)
        self.running = True
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while self.running:
            try:
                plain, _ = self.listener.accept()
            except (socket.timeout, OSError):
                continue
            try:
                with self.context.wrap_socket(plain, server_side=True) as stream:
                    stream.settimeout(3)
                    self.shown, self.version = stream.getpeercert(), stream.version()
                    self.answer(stream)
            except (ssl.SSLError, OSError):
                pass

    def answer(self, stream):
        while data := stream.recv(65536):
            request = Message(data)
            self.requests.append(request.method)
            if request.method != "INVITE":
                continue
            lines = ["SIP/2.0 486 Busy Here", *(f"Via: {v}" for v in request.all("via")), f"From: {request.header('from')}",
                     f"To: {request.header('to')};tag=far", f"Call-ID: {request.call_id}", f"CSeq: {request.header('cseq')}",
                     "Content-Length: 0", "", ""]
            stream.sendall("\r\n".join(lines).encode())

    def close(self):
        self.running = False
        self.thread.join(5)
        self.listener.close()


@pytest.mark.parametrize("certificate, status", [("good", 486), ("self", 503), ("other", 503), ("wild", 503)])
def test_only_the_right_certificate_of_a_known_authority_is_spoken_to(exchange, pki, certificate, status):
    far = Far(exchange.fields["far_port"], certificate, pki)
    try:
        with Agent(exchange, "caller") as caller:
            out = caller.invite("200")
            out.failed(status)
        assert ("INVITE" in far.requests) == (status == 486)
        if status == 486:
            assert far.names == ["localhost"]
            assert far.version == "TLSv1.2"  # `method`
            assert ("commonName", "exchange.invalid") in far.shown["subject"][0]  # our own certificate, of the encrypted key
        else:
            wait_for(lambda: exchange.said("certificate"), what="the log to say why")
    finally:
        far.close()


def connect(exchange, port, pki, certificate=None):
    context = ssl.create_default_context(cafile=pki / "ca.pem")
    context.check_hostname = False
    if certificate:
        context.load_cert_chain(pki / f"{certificate}.pem", pki / f"{certificate}.key")
    stream = context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=3))
    stream.sendall(b"\r\n\r\n")  # a keep-alive, answered by one CRLF
    return stream, stream.recv(10)


def test_a_client_may_come_without_a_certificate_but_not_with_a_false_one(exchange, pki):
    for certificate in (None, "good"):
        stream, answer = connect(exchange, exchange.fields["asking_port"], pki, certificate)
        assert answer == b"\r\n"
        stream.close()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        stream, answer = connect(exchange, exchange.fields["asking_port"], pki, "self")
        assert answer, "closed"
        raise AssertionError("it was let in")


def test_a_client_without_a_certificate_is_refused_where_one_is_required(exchange, pki):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        stream, answer = connect(exchange, exchange.fields["strict_port"], pki)
        assert answer, "closed"
        raise AssertionError("it was let in")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        connect(exchange, exchange.fields["strict_port"], pki, "self")
    stream, answer = connect(exchange, exchange.fields["strict_port"], pki, "good")
    assert answer == b"\r\n"
    stream.close()
