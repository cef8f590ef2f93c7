"""Classic services with a real web server, program and phones: CURL, SHELL, call files, FollowMe, AudioSocket."""
import http.server
import os
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest
from agent import Agent
from exchange import wait_for
from house import global_value, hang_up_all
from sound import compare, loudness

OBJECTS = """
[phone](!)
type = endpoint
context = house
disallow = all
allow = ulaw

[desk](!)
type = aor
max_contacts = 2
""" + "".join(f"""
[{name}](phone)
aors = {name}
auth = {name}
[{name}](desk)
[{name}]
type = auth
username = {name}
password = secret
""" for name in ("ann", "ben", "eve"))

EXTENSIONS = """\
[house]
exten => 700,1,Answer()
 same => n,Set(GLOBAL(GOT)=${CURL(http://127.0.0.1:{web}/hello?who=${CALLERID(num)})})
 same => n,Set(GLOBAL(POSTED)=${CURL(http://127.0.0.1:{web}/form,a=1&b=2)})
 same => n,Set(GLOBAL(CHECKED)=[${CURL(https://127.0.0.1:{secure}/hello)}])
 same => n,Set(CURLOPT(ssl_verifypeer)=0)
 same => n,Set(GLOBAL(TRUSTED)=[${CURL(https://127.0.0.1:{secure}/hello)}])
 same => n,Set(GLOBAL(SHELLED)=${SHELL(printf ok)})
 same => n,Hangup()
exten => 701,1,FollowMe(eve,a)
 same => n,Set(GLOBAL(FOLLOWED)=not found)
 same => n,Hangup()
exten => 702,1,FollowMe(eve,dnN)
 same => n,Set(GLOBAL(FOLLOWED)=nobody)
 same => n,Answer()
 same => n,Hangup()
exten => 703,1,Answer()
 same => n,AudioSocket(40325ec2-5efd-4bd3-805f-53576e581d13,127.0.0.1:{program})
 same => n,Set(GLOBAL(SOCKET)=went on)
 same => n,Hangup()
exten => 704,1,Answer()
 same => n,Directory(people,found,e)
 same => n,Set(GLOBAL(DIRECTORY)=${DIRECTORY_RESULT})
 same => n,Hangup()
exten => 900,1,Set(GLOBAL(CALLED)=${CALLERID(num)} ${colour})
 same => n,Answer()
 same => n,Wait(1)
 same => n,Hangup()
exten => eve1,1,Dial(PJSIP/ben,20)
exten => eve2,1,Dial(PJSIP/eve,20)
[found]
exten => _10XX,1,Set(GLOBAL(DIRECTORY)=${DIRECTORY_RESULT} ${EXTEN})
 same => n,Hangup()
"""

FOLLOW_ME = """\
[eve]
context = house
number => eve1,2
number => eve2,20
featuredigittimeout = 3000
options_prompt = {sounds}/question
norecording_prompt = {sounds}/question
call_from_prompt = {sounds}/from
"""


class Web(http.server.BaseHTTPRequestHandler):
    def reply(self, text):
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        self.reply(f"GET {self.path}\n".encode())

    def do_POST(self):
        self.reply(b"POST " + self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *_):
        pass


def serve(context=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def exchange(start, tmp_path_factory, speech):
    folder = tmp_path_factory.mktemp("services")
    certificate = folder / "own.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(certificate), "-out", str(folder / "crt")],
                   check=True, capture_output=True)
    certificate.write_text(certificate.read_text() + (folder / "crt").read_text())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    plain, secure = serve(), serve(context)
    program = socket.create_server(("127.0.0.1", 0))
    shutil.copy(speech["a"], folder / "question.wav")
    shutil.copy(speech["b"], folder / "from.wav")
    running = start({"objects": OBJECTS, "extensions.conf": EXTENSIONS, "followme.conf": FOLLOW_ME,
                     "voicemail.conf": "[people]\n1001 => 1,Ann Archer\n1002 => 1,Ben Archer\n1003 => 1,Cat Brown\n"
                                       "1004 => 1,Dan Archibald,,,hidefromdir=yes\n"},
                    web=plain.server_address[1], secure=secure.server_address[1], sounds=folder,
                    program=program.getsockname()[1])
    running.program = program
    yield running
    plain.shutdown()
    secure.shutdown()


@pytest.fixture
def phones(exchange):
    phones = [Agent(exchange, name, "secret") for name in ("ann", "ben", "eve")]
    for phone in phones:
        phone.register()
    yield phones
    hang_up_all(exchange, phones)
    for phone in phones:
        phone.register("*", expires=0)
        phone.close()


def test_curl_asks_real_servers_and_checks_their_certificates(exchange, phones):
    ann = phones[0]
    call = ann.invite("700")
    call.answered()
    call.ended(timeout=10)
    assert global_value(exchange, "GOT") == "GET /hello?who=ann"
    assert global_value(exchange, "POSTED") == "POST a=1&b=2"
    assert global_value(exchange, "CHECKED") == "[]", "a certificate of nobody was believed"
    assert global_value(exchange, "TRUSTED") == "[GET /hello]"
    assert global_value(exchange, "SHELLED") == "ok"


def put_call_file(exchange, name, text, at=None):
    outgoing = exchange.state / "outgoing"
    fresh = exchange.state / name
    fresh.write_text(text)
    if at:
        os.utime(fresh, (at, at))
    fresh.rename(outgoing / name)
    return outgoing / name


def test_a_call_file_has_a_phone_called_at_its_time_and_connected_with_the_dialplan(exchange, phones):
    ben = phones[1]
    path = put_call_file(exchange, "wake.call",
                         "Channel: PJSIP/ben\nContext: house\nExtension: 900\nCallerid: \"Wake up\" <555>\n"
                         "Set: colour=red\n", at=time.time() + 2)
    ben.expect_none("INVITE", timeout=1.0)
    call = ben.wait_invite(timeout=5)
    assert '"Wake up" <sip:555@' in call.request.header("from")
    call.ring()
    call.answer()
    wait_for(lambda: global_value(exchange, "CALLED") == "555 red", what="the dialplan to run")
    wait_for(lambda: not path.exists(), what="the call file to go")
    call.ended(timeout=5)


def test_follow_me_finds_somebody_at_the_second_number_who_takes_the_call(exchange, phones, speech, tmp_path):
    ann, ben, eve = phones
    call = ann.invite("701")
    call.answered(wav=speech["b"])
    first = ben.wait_invite(timeout=25)
    first.ring()
    first.accept("CANCEL", timeout=6)
    first.respond(487, "Request Terminated")
    second = eve.wait_invite()
    second.ring()
    second.answer(wav=speech["a"])
    time.sleep(1.5)
    assert loudness(second.rtp.heard()) > 100, "eve was not asked"
    second.rtp.press("1")
    time.sleep(1)
    second.rtp.sending = False  # so that the file begins at its beginning
    time.sleep(0.1)
    talking = time.monotonic()
    second.rtp.send(*second.rtp.remote, wav=speech["a"])
    time.sleep(4.5)
    heard = call.rtp.heard_file(tmp_path / "heard.wav", since=talking)
    assert compare(speech["a"], heard)["similarity"] > 0.9
    second.bye()
    call.ended(timeout=5)


def test_follow_me_goes_on_when_the_call_is_declined(exchange, phones, speech):
    ann, ben, eve = phones
    call = ann.invite("702")
    first = ben.wait_invite()
    first.respond(486, "Busy Here")
    second = eve.wait_invite()
    second.ring()
    second.answer()
    time.sleep(1)
    second.rtp.press("2")
    second.ended(timeout=5)
    wait_for(lambda: global_value(exchange, "FOLLOWED") == "nobody", what="the dialplan to go on")
    call.answered()


def read_frame(connection):
    def exactly(count):
        data = b""
        while len(data) < count:
            part = connection.recv(count - len(data))
            if not part:
                raise ConnectionError("closed")
            data += part
        return data

    kind, length = struct.unpack("!BH", exactly(3))
    return kind, exactly(length)


def test_a_program_hears_the_caller_and_is_heard_by_it(exchange, phones, speech, tmp_path):
    """The program sends back what it hears, a little later, so that a busy machine makes no gaps."""
    ann = phones[0]
    call = ann.invite("703")
    call.answered(wav=speech["a"])
    exchange.program.settimeout(5)
    connection, _ = exchange.program.accept()
    connection.settimeout(5)
    assert read_frame(connection) == (1, bytes.fromhex("40325ec25efd4bd3805f53576e581d13"))
    digits, until, held = [], time.monotonic() + 4.5, []
    while time.monotonic() < until:
        kind, payload = read_frame(connection)
        if kind == 0x10:
            frame = struct.pack("!BH", kind, len(payload)) + payload
            if held is not None:
                held.append(frame)
                if len(held) < 12:
                    continue
                frame, held = b"".join(held), None
            connection.sendall(frame)
        if kind == 0x03:
            digits.append(payload.decode())
    assert compare(speech["a"], call.rtp.heard_file(tmp_path / "back.wav"))["similarity"] > 0.9
    call.rtp.press("7")
    while "7" not in digits:
        kind, payload = read_frame(connection)
        if kind == 0x03:
            digits.append(payload.decode())
    connection.sendall(b"\0\0\0")
    call.ended(timeout=5)
    assert global_value(exchange, "SOCKET") == "went on"
    connection.close()


def test_people_are_found_by_the_letters_of_their_names_and_named_by_themselves(exchange, phones, speech, tmp_path):
    own = exchange.state / "voicemail" / "people" / "1002"
    own.mkdir(parents=True)
    shutil.copy(speech["b"], own / "greet.wav")
    call = phones[0].invite("704")
    call.answered()
    time.sleep(0.5)
    call.rtp.press("272")  # ARC
    time.sleep(3)  # Ann Archer is spelled
    spelled = time.monotonic()
    call.rtp.press("*")
    time.sleep(3.8)
    heard = call.rtp.heard_file(tmp_path / "name.wav", since=spelled + 0.3)
    assert compare(speech["b"], heard)["similarity"] > 0.85, "Ben Archer did not say his name himself"
    call.rtp.press("1")
    call.ended(timeout=5)
    assert global_value(exchange, "DIRECTORY") == "SELECTED 1002"


def test_nobody_is_found_who_is_not_there(exchange, phones):
    call = phones[0].invite("704")
    call.answered()
    for _ in range(3):
        time.sleep(0.5)
        call.rtp.press("999")
        time.sleep(4)  # "no directory entries match your search"
    call.ended(timeout=10)
    assert global_value(exchange, "DIRECTORY") == "TIMEOUT"
