"""Our DTLS with OpenSSL's and GnuTLS's programs: both ends must derive the same SRTP keys."""
import os
import pathlib
import re
import subprocess
import time

import pytest
from exchange import program
from running import free_port

peer_program = pathlib.Path(program).parent / "tests" / "peers" / "dtls_peer"
LABEL = "EXTRACTOR-dtls_srtp"
# suite -> its name in OpenSSL, sizes of key and salt
SUITES = {
    "AEAD_AES_128_GCM": ("SRTP_AEAD_AES_128_GCM", 16, 12),
    "AEAD_AES_256_GCM": ("SRTP_AEAD_AES_256_GCM", 32, 12),
    "AES_CM_128_HMAC_SHA1_80": ("SRTP_AES128_CM_SHA1_80", 16, 14),
    "AES_CM_128_HMAC_SHA1_32": ("SRTP_AES128_CM_SHA1_32", 16, 14),
}
HASHES = ["sha1", "sha224", "sha256", "sha384", "sha512"]


class Process:
    """A program whose lines are read one by one, until one matches."""

    def __init__(self, *command, stdin=subprocess.PIPE):
        self.process = subprocess.Popen([str(part) for part in command], stdin=stdin, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.output = ""

    def until(self, pattern, seconds=15):
        deadline = time.monotonic() + seconds
        while True:
            self.output += (self.process.stdout.read() or b"").decode(errors="replace")
            if found := re.search(pattern, self.output, re.MULTILINE):
                return found
            assert time.monotonic() < deadline, f"'{pattern}' did not come within {seconds} s:\n{self.output}"
            time.sleep(0.01)

    def say(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def ended(self, seconds=15):
        status = self.process.wait(seconds)
        self.output += (self.process.stdout.read() or b"").decode(errors="replace")
        return status

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        if self.process.stdin:
            self.process.stdin.close()


@pytest.fixture
def begin():
    begun = []

    def begin(*command):
        begun.append(Process(*command))
        return begun[-1]

    yield begin
    for process in begun:
        process.stop()


@pytest.fixture(scope="module", params=["ec", "rsa"])
def certificate(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if request.param == "ec" else ["-newkey", "rsa:2048"]
    subprocess.run(["openssl", "req", "-x509", *kind, "-nodes", "-days", "2", "-subj", "/CN=peer", "-keyout",
                    folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


def fingerprint(certificate, algorithm="sha256"):
    shown = subprocess.run(["openssl", "x509", "-in", certificate[0], "-noout", "-fingerprint", "-" + algorithm],
                           check=True, capture_output=True, text=True).stdout
    return f"{algorithm.replace('sha', 'sha-')} {shown.split('=')[1].strip()}"


def keys_of(material, suite, ours_is_client):
    """(local, remote) of our end, cut from the block of RFC 5764 section 4.2."""
    _, key, salt = SUITES[suite]
    material = material.lower()
    assert len(material) >= 4 * (key + salt), material
    parts, at = [], 0
    for size in (key, key, salt, salt):
        parts.append(material[at:at + 2 * size])
        at += 2 * size
    client, server = parts[0] + parts[2], parts[1] + parts[3]
    return (client, server) if ours_is_client else (server, client)


def connected(ours, suite):
    return ours.until(rf"^connected {suite} (\w+) (\w+)$").groups()


def openssl(role, port, certificate, *options):
    where = ["-connect", f"127.0.0.1:{port}"] if role == "s_client" else ["-accept", f"127.0.0.1:{port}", "-Verify", "1"]
    return ["openssl", role, "-dtls1_2", *where, "-cert", certificate[0], "-key", certificate[1], "-keymatexport", LABEL,
            "-keymatexportlen", "88", *options]


@pytest.mark.parametrize("suite", SUITES)
def test_our_server_and_openssls_client_have_the_same_keys(begin, certificate, suite):
    port = free_port()
    ours = begin(peer_program, "server", port, fingerprint(certificate))
    ours.until("^listening$")
    theirs = begin(*openssl("s_client", port, certificate, "-use_srtp", SUITES[suite][0]))
    keys = connected(ours, suite)
    material = theirs.until(r"Keying material: (\w+)").group(1)
    assert keys == keys_of(material, suite, ours_is_client=False)
    theirs.say("some words\n")
    ours.until("^received some words$")
    theirs.until("^some words")  # sent back
    theirs.say("Q\n")
    ours.until("^closed$")
    assert ours.ended() == 0


@pytest.mark.parametrize("suite", SUITES)
def test_our_client_and_openssls_server_have_the_same_keys(begin, certificate, suite):
    port = free_port()
    theirs = begin(*openssl("s_server", port, certificate, "-use_srtp", SUITES[suite][0]))
    theirs.until("ACCEPT")
    ours = begin(peer_program, "client", port, fingerprint(certificate))
    keys = connected(ours, suite)
    material = theirs.until(r"Keying material: (\w+)").group(1)
    assert keys == keys_of(material, suite, ours_is_client=True)
    theirs.until("^hello")
    theirs.say("and hello\n")
    ours.until("^received and hello$")
    assert ours.ended() == 0


def test_the_server_chooses_by_its_own_order(begin, certificate):
    port = free_port()
    ours = begin(peer_program, "server", port, fingerprint(certificate))
    ours.until("^listening$")
    offered = ":".join(SUITES[suite][0] for suite in ("AES_CM_128_HMAC_SHA1_32", "AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80"))
    begin(*openssl("s_client", port, certificate, "-use_srtp", offered))
    connected(ours, "AES_CM_128_HMAC_SHA1_80")


@pytest.mark.parametrize("algorithm", HASHES)
def test_every_hash_of_the_fingerprint_is_understood(begin, certificate, algorithm):
    port = free_port()
    ours = begin(peer_program, "server", port, fingerprint(certificate, algorithm))
    ours.until("^listening$")
    begin(*openssl("s_client", port, certificate, "-use_srtp", "SRTP_AES128_CM_SHA1_80"))
    connected(ours, "AES_CM_128_HMAC_SHA1_80")


def test_our_own_fingerprint_is_that_of_the_certificate_we_show(begin, certificate, tmp_path):
    port = free_port()
    ours = begin(peer_program, "server", port, fingerprint(certificate))
    said = ours.until("^fingerprint (sha-256 .*)$").group(1)
    ours.until("^listening$")
    theirs = begin(*openssl("s_client", port, certificate))
    shown = theirs.until("(?s)-----BEGIN CERTIFICATE-----.*-----END CERTIFICATE-----").group(0)
    (tmp_path / "shown.pem").write_text(shown + "\n")
    assert fingerprint([tmp_path / "shown.pem"]) == said


def test_a_peer_without_a_certificate_is_refused(begin, certificate):
    port = free_port()
    ours = begin(peer_program, "server", port, fingerprint(certificate))
    ours.until("^listening$")
    begin("openssl", "s_client", "-dtls1_2", "-connect", f"127.0.0.1:{port}")
    assert "did not return a certificate" in ours.until("^failed (.*)$").group(1)
    assert ours.ended() == 1


def test_a_peer_with_another_certificate_is_refused(begin, certificate):
    port = free_port()
    announced = "sha-256 " + ":".join(["00"] * 32)
    ours = begin(peer_program, "server", port, announced)
    ours.until("^listening$")
    theirs = begin(*openssl("s_client", port, certificate))
    assert "not the announced one" in ours.until("^failed (.*)$").group(1)
    theirs.until("alert bad certificate")


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_flight_in_many_small_datagrams_is_put_together(begin, certificate, side):
    port = free_port()
    ours = begin(peer_program, "server", port, fingerprint(certificate), 256 if side == "ours" else 1200, "rsa")
    ours.until("^listening$")
    begin(*openssl("s_client", port, certificate, "-use_srtp", "SRTP_AES128_CM_SHA1_80",
                   *(["-mtu", "256"] if side == "theirs" else [])))
    connected(ours, "AES_CM_128_HMAC_SHA1_80")


def test_a_peer_that_wants_no_srtp_is_connected_without_keys(begin, certificate):
    port = free_port()
    ours = begin(peer_program, "server", port, fingerprint(certificate))
    ours.until("^listening$")
    begin(*openssl("s_client", port, certificate))
    ours.until("^connected none$")


def test_dtls_1_0_is_refused(begin, certificate):
    port = free_port()
    ours = begin(peer_program, "server", port, fingerprint(certificate))
    ours.until("^listening$")
    begin("openssl", "s_client", "-dtls1", "-cipher", "DEFAULT:@SECLEVEL=0", "-connect", f"127.0.0.1:{port}", "-cert",
          certificate[0], "-key", certificate[1])
    assert "unsupported protocol" in ours.until("^failed (.*)$").group(1)


def test_our_client_answers_the_cookie_of_gnutls(begin, certificate):
    port = free_port()
    theirs = begin("stdbuf", "-oL", "gnutls-serv", "--udp", "--echo", "--port", port, "--x509certfile", certificate[0],
                   "--x509keyfile", certificate[1], "--require-client-cert", "--srtp-profiles",
                   "SRTP_AES128_CM_HMAC_SHA1_80")
    theirs.until("Waiting for connection")
    ours = begin(peer_program, "client", port, fingerprint(certificate))
    theirs.until("Sending hello verify request")
    connected(ours, "AES_CM_128_HMAC_SHA1_80")
    ours.until("^received hello$")
    assert ours.ended() == 0


def test_our_server_and_the_client_of_gnutls_have_the_same_keys(begin, certificate):
    suite, port = "AES_CM_128_HMAC_SHA1_80", free_port()
    ours = begin(peer_program, "server", port, fingerprint(certificate))
    ours.until("^listening$")
    theirs = begin("gnutls-cli", "--udp", "--insecure", "--port", port, "--x509certfile", certificate[0], "--x509keyfile",
                   certificate[1], "--srtp-profiles", "SRTP_AES128_CM_HMAC_SHA1_80", "--keymatexport", LABEL,
                   "--keymatexportsize", "60", "127.0.0.1")
    keys = connected(ours, suite)
    material = theirs.until(r"Key material: (\w+)").group(1)
    assert keys == keys_of(material, suite, ours_is_client=False)
    theirs.say("some words\n")
    ours.until("^received some words$")
    theirs.until("some words$")
