"""Applications that need a real program, server or phone: ExternalIVR, Festival; and what is done to a channel's sound."""
import shutil
import socket
import subprocess
import sys
import time

import pytest
from agent import Agent
from exchange import wait_for
from house import global_value, hang_up_all
from running import free_port
from sound import compare, loudness

OBJECTS = """
[phone](!)
type = endpoint
context = house
disallow = all
allow = ulaw
""" + "".join(f"""
[{name}](phone)
aors = {name}
auth = {name}
[{name}]
type = aor
max_contacts = 2
[{name}]
type = auth
username = {name}
password = secret
""" for name in ("ann", "ben"))

EXTENSIONS = """\
[house]
exten => 700,1,Set(COLOUR=red)
 same => n,ExternalIVR({python}({menu},one,two))
 same => n,Set(GLOBAL(WENT_ON)=${COLOUR} ${SIZE})
 same => n,Hangup()
exten => 701,1,ExternalIVR(ivr://127.0.0.1:{server}(three),n)
 same => n,Hangup()
exten => 702,1,ExternalIVR(ivr://127.0.0.1:{server}(three),i)
 same => n,Hangup()
exten => 703,1,ExternalIVR(/bin/true)
 same => n,Set(GLOBAL(AFTER_TRUE)=went on)
exten => 710,1,Answer()
 same => n,Festival(Hello world. This is a test.)
 same => n,Set(GLOBAL(SPOKEN)=yes)
 same => n,Hangup()
exten => 711,1,Answer()
 same => n,Goto(keys,s,1)
exten => 721,1,Answer()
 same => n,Set(VOLUME(RX)=-4)
 same => n,Echo()
exten => 722,1,Answer()
 same => n,Set(VOLUME(TX,p)=1)
 same => n,Set(DENOISE(rx)=off)
 same => n,Set(AGC(rx)=off)
 same => n,Echo()
exten => 723,1,Answer()
 same => n,Set(DENOISE(rx)=on)
 same => n,Set(AGC(rx)=16000)
 same => n,Set(GLOBAL(SOUND)=${DENOISE(rx)} ${AGC(rx)} ${DENOISE(tx)} ${AGC(tx)})
 same => n,Echo()
exten => 730,1,Answer()
 same => n,Set(TALK_DETECT(set)=400)
 same => n,Wait(20)
exten => 731,1,Answer()
 same => n,Set(TALK_DETECT(set)=400)
 same => n,Set(TALK_DETECT(remove)=)
 same => n,Wait(20)
exten => 740,1,Set(FEATUREMAP(disconnect)=77)
 same => n,Set(FEATURE(featuredigittimeout)=1500)
 same => n,Set(GLOBAL(CODES)=${FEATUREMAP(disconnect)} ${FEATUREMAP(blindxfer)} ${FEATURE(featuredigittimeout)} ${FEATURE(inherit)})
 same => n,Dial(PJSIP/ben,20,gHh)
 same => n,Set(GLOBAL(DIALLED)=${DIALSTATUS})
 same => n,Hangup()
exten => 741,1,Set(FEATUREMAP(disconnect)=77)
 same => n,Set(FEATURE(inherit)=yes)
 same => n,Dial(PJSIP/ben,20,gHh)
 same => n,Set(GLOBAL(DIALLED)=${DIALSTATUS} inherited)
 same => n,Hangup()
exten => 750,1,Set(PRESENCE_STATE(CustomPresence:ann)=away,lunch,Back at two, or three)
 same => n,Set(GLOBAL(PRESENCE)=${PRESENCE_STATE(CustomPresence:ann,value)}/${PRESENCE_STATE(CustomPresence:ann,subtype)}/${PRESENCE_STATE(CustomPresence:ann,message)}/${PRESENCE_STATE(CustomPresence:ann,subtype,e)})
 same => n,Set(GLOBAL(ABSENCE)=${PRESENCE_STATE(CustomPresence:nobody,value)})
 same => n,Set(GLOBAL(CONFIG)=${AST_CONFIG(people.conf,ann,colour)} ${AST_CONFIG(people.conf,ann,colour,1)} ${AST_CONFIG(people.conf,ann,colour,-1)})
 same => n,Set(GLOBAL(OUTSIDE)=[${AST_CONFIG(../secret.conf,a,b)}${AST_CONFIG(/etc/passwd,a,b)}])
 same => n,Set(JITTERBUFFER(adaptive)=default)
 same => n,Answer()
 same => n,Hangup()
exten => 760,1,Set(JITTERBUFFER(fixed)=160)
 same => n,Dial(PJSIP/ben)
exten => 761,1,Set(JITTERBUFFER(adaptive)=300,1000,20)
 same => n,Dial(PJSIP/ben)
exten => 762,1,Set(JITTERBUFFER(fixed)=160)
 same => n,Set(JITTERBUFFER(disabled)=)
 same => n,Dial(PJSIP/ben)
exten => 763,1,Set(JITTERBUFFER(fixed)=1001)
 same => n,Set(JITTERBUFFER(elastic)=default)
 same => n,Answer()
 same => n,Wait(5)
exten => 751,1,Set(PRESENCE_STATE(CustomPresence:ben)=dnd,,Not now)
 same => n,Answer()
 same => n,Hangup()
exten => 200,hint,PJSIP/ben,CustomPresence:ben
[keys]
exten => s,1,Festival(This is a rather long sentence that nobody listens to up to its end because it is so long.,any)
 same => n,Set(GLOBAL(KEY)=none)
exten => 5,1,Set(GLOBAL(KEY)=${EXTEN})
 same => n,Hangup()
"""

# Plays, waits for a key, asks for everything, and goes away.
MENU = '''\
import sys
log = open(sys.argv[-1] if sys.argv[-1].startswith("/") else __file__ + ".log", "w", buffering=1)
def say(line):
    print(line, flush=True)
def hear():
    line = sys.stdin.readline().rstrip("\\n")
    log.write(line + "\\n")
    return line
print("to the log", file=sys.stderr, flush=True)
say("P")
hear()
say("S,nothing-of-this-name")
hear()
say("O,autoclear")
say("S,{sounds}/long")
say("A,{sounds}/short")
while not hear().startswith("5,"):
    pass
for _ in range(3):
    hear()
say("S,{sounds}/short")
while not hear().startswith("F,"):
    pass
say("G,COLOUR,NOTHING")
hear()
say("V,SIZE=big,COLOUR=blue")
say("L,nearly done")
say("E,done")
hear()
'''

FESTIVAL = """\
(set! server_port {port})
(set! server_access_list '("localhost" "127.0.0.1" "[^.]*"))
"""


@pytest.fixture(scope="module")
def festival(tmp_path_factory):
    if not shutil.which("festival"):
        pytest.skip("festival is not installed")
    folder, port = tmp_path_factory.mktemp("festival"), free_port()
    (folder / "server.scm").write_text(FESTIVAL.replace("{port}", str(port)))
    server = subprocess.Popen(["festival", "--server", "server.scm"], cwd=folder,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def listens():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_for(listens, timeout=20, what="festival to listen")
    yield port
    server.kill()
    server.wait()


@pytest.fixture(scope="module")
def exchange(start, tmp_path_factory, speech, festival):
    folder = tmp_path_factory.mktemp("applications")
    shutil.copy(speech["a"], folder / "long.wav")
    subprocess.run(["sox", speech["b"], folder / "short.wav", "trim", "0", "1"], check=True)
    menu = folder / "menu.py"
    menu.write_text(MENU.replace("{sounds}", str(folder)))
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(5)
    running = start({"objects": OBJECTS, "extensions.conf": EXTENSIONS,
                     "festival.conf": "[general]\nhost = 127.0.0.1\nport = {festival}\nusecache = yes\ncachedir = {cache}\n",
                     "people.conf": "[ann]\ncolour = red\ncolour = blue\ncolour = green\n"},
                    python=sys.executable, menu=menu, server=server.getsockname()[1], festival=festival, cache=folder)
    running.server_socket, running.menu, running.sounds = server, menu, folder
    yield running
    server.close()


@pytest.fixture
def phones(exchange):
    phones = [Agent(exchange, name, "secret") for name in ("ann", "ben")]
    for phone in phones:
        phone.register()
    yield phones
    hang_up_all(exchange, phones)
    for phone in phones:
        phone.register("*", expires=0)
        phone.close()


def test_a_program_leads_the_caller_through_its_menu(exchange, phones, speech, tmp_path):
    call = phones[0].invite("700")
    call.answered()
    time.sleep(2)
    heard = call.rtp.heard_file(tmp_path / "heard.wav")
    assert compare(exchange.sounds / "long.wav", heard)["matched_percent"] > 25, "the first sound was not heard"
    call.rtp.press("5")
    call.ended(timeout=10)
    assert global_value(exchange, "WENT_ON") == "blue big"
    lines = exchange.menu.with_name("menu.py.log").read_text().splitlines()
    events = [line.split(",", 2) for line in lines]
    assert all(abs(int(event[1]) - time.time()) < 60 for event in events)
    assert [(event[0], *event[2:]) for event in events] == [
        ("P", f"{sys.executable},{exchange.menu},one,two"), ("Z", "nothing-of-this-name"), ("5",), ("T",),
        ("D", f"{exchange.sounds}/long"), ("D", f"{exchange.sounds}/short"), ("F", f"{exchange.sounds}/short"),
        ("G", "COLOUR=red,NOTHING="), ("E",)]
    assert "to the log" in exchange.output() and "nearly done" in exchange.output()


class Lines:
    def __init__(self, connection):
        connection.settimeout(5)
        self.connection, self.file = connection, connection.makefile("rw", newline="\n")

    def say(self, line):
        self.file.write(line + "\n")
        self.file.flush()

    def hear(self):
        return self.file.readline().rstrip("\n").split(",", 2)


def test_a_server_answers_the_call_when_it_likes_and_is_told_of_its_end(exchange, phones):
    call = phones[0].invite("701")
    connection, _ = exchange.server_socket.accept()
    lines = Lines(connection)
    lines.say("P")
    assert lines.hear()[2] == f"ivr://127.0.0.1:{connection.getsockname()[1]},three"
    lines.say("T")
    call.answered()
    lines.say("Q,what")
    assert lines.hear()[0] == "Z"
    call.bye()
    assert lines.hear()[0] == "H"
    assert lines.file.readline() == ""


def test_a_server_may_end_the_call_itself_when_it_asked_to_be_informed(exchange, phones):
    call = phones[0].invite("702")
    lines = Lines(exchange.server_socket.accept()[0])
    call.answered()
    call.bye()
    event = lines.hear()
    assert (event[0], event[2]) == ("I", "HANGUP")
    lines.say("P")
    assert lines.hear()[0] == "P", "it was not listened to after the hangup"
    lines.say("H,bye")
    assert lines.file.readline() == ""
    call = phones[0].invite("702")
    lines = Lines(exchange.server_socket.accept()[0])
    call.answered()
    lines.say("H,now")
    call.ended(timeout=5)


def test_a_program_that_goes_away_ends_the_call(exchange, phones):
    call = phones[0].invite("703")
    call.answered()
    call.ended(timeout=5)
    assert global_value(exchange, "AFTER_TRUE") is None


def spoken_by(port, text):
    """What the server answers to somebody who is not the exchange."""
    data = b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as server:
        server.sendall(f"(tts_textasterisk \"{text}\" 'file)(quit)\n".encode())
        while part := server.recv(1 << 16):
            data += part
    assert data.startswith(b"WV\n")
    return data[3:data.index(b"ft_StUfF_key")]


def test_festival_speaks(exchange, phones, festival, tmp_path):
    expected = tmp_path / "expected.wav"
    expected.write_bytes(spoken_by(festival, "Hello world. This is a test."))
    for cached in (False, True):
        call = phones[0].invite("710")
        call.answered()
        call.ended(timeout=30)
        assert global_value(exchange, "SPOKEN") == "yes"
        heard = compare(expected, call.rtp.heard_file(tmp_path / f"heard{cached}.wav"))
        assert heard["similarity"] > 0.9, f"cached: {cached}"
    assert len([path for path in exchange.sounds.glob("*.wav") if len(path.stem) == 64]) == 1


def test_a_key_ends_what_festival_says_and_goes_to_its_extension(exchange, phones):
    call = phones[0].invite("711")
    call.answered()
    wait_for(lambda: loudness(call.rtp.heard()) > 100, timeout=15, what="festival to speak")
    call.rtp.press("5")
    call.ended(timeout=5)
    assert global_value(exchange, "KEY") == "5"


def test_volume_makes_the_caller_quieter_by_its_factor(exchange, phones, speech, tmp_path):
    call = phones[0].invite("721")
    call.answered(wav=speech["a"])
    time.sleep(4.2)
    got = compare(speech["a"], call.rtp.heard_file(tmp_path / "quiet.wav"))
    call.bye()
    assert got["similarity"] > 0.9
    assert got["level_db"] == pytest.approx(-12.04, abs=0.7)


@pytest.mark.parametrize("number, even", [("760", True), ("761", True), ("762", False)])
def test_what_comes_in_bursts_and_disorder_goes_on_evenly_with_a_jitter_buffer(exchange, phones, number, even):
    ann, ben = phones
    call = ann.invite(number)
    called = ben.wait_invite()
    called.answer()
    call.answered()
    call.rtp.sending = False
    time.sleep(0.3)
    begin = time.monotonic()
    first = call.rtp.timestamp
    for burst in range(40):  # five packets each 100 ms, the third before the second
        for place in (0, 2, 1, 3, 4):
            call.rtp.sequence = 5000 + burst * 5 + place
            call.rtp.packet(0, first + (burst * 5 + place) * 160, bytes([place]) * 160)
        time.sleep(max(0, begin + (burst + 1) * 0.1 - time.monotonic()))
    time.sleep(0.4)
    got = [p for p in called.rtp.voice_packets(since=begin) if p[5][0] < 5]
    assert len(got) == 200
    gaps = sorted(after[0] - before[0] for before, after in zip(got[10:], got[11:]))
    stamps = [p[3] for p in got]
    if even:
        assert stamps == sorted(stamps) and gaps[len(gaps) * 9 // 10] < 0.035 and gaps[len(gaps) // 10] > 0.008
    else:
        assert gaps[-30] > 0.07
    call.bye()
    called.ended()


def test_a_jitter_buffer_that_cannot_be_is_said_in_the_log(exchange, phones):
    call = phones[0].invite("763")
    call.answered()
    call.bye()
    log = exchange.log_path.read_text()
    assert "at most 1000 ms" in log and "JITTERBUFFER(elastic): expected fixed, adaptive or disabled" in log


def test_the_keys_of_volume_make_it_louder_and_quieter(exchange, phones, speech):
    call = phones[0].invite("722")
    call.answered(wav=speech["a"])

    def heard():
        begin = time.monotonic()
        time.sleep(4)  # all that is said, once
        return loudness(call.rtp.heard(since=begin))

    call.rtp.press("*")
    time.sleep(0.5)
    call.rtp.sending = False
    time.sleep(0.1)
    call.rtp.send(*call.rtp.remote, wav=speech["a"])
    quiet = heard()
    call.rtp.press("#")
    time.sleep(0.5)
    call.rtp.sending = False
    time.sleep(0.1)
    call.rtp.send(*call.rtp.remote, wav=speech["a"])
    normal = heard()
    call.bye()
    assert 1.5 < normal / quiet < 2.6


def test_noise_and_level_are_looked_after(exchange, phones, speech, tmp_path):
    soft = tmp_path / "soft.wav"
    subprocess.run(["sox", "-v", "0.1", speech["a"], soft], check=True)
    call = phones[0].invite("723")
    call.answered(wav=soft)
    time.sleep(4.2)
    heard = call.rtp.heard()
    call.bye()
    assert global_value(exchange, "SOUND") == "on 16000 off 0"
    with_wave = subprocess.run(["sox", str(soft), "-n", "stat"], capture_output=True, text=True).stderr
    rms = float(next(line.split()[-1] for line in with_wave.splitlines() if "RMS     amplitude" in line)) * 32768
    assert loudness(heard) > 1.5 * rms, "soft speech was not made louder"


def test_talk_is_detected_for_as_long_as_it_is_wanted(exchange, phones, speech):
    call = phones[0].invite("730")
    call.answered(wav=speech["a"])
    time.sleep(2)
    call.rtp.sending = False
    time.sleep(1.2)
    call.bye()
    other = phones[0].invite("731")
    other.answered(wav=speech["a"])
    time.sleep(2)
    other.bye()
    lines = [line for line in exchange.output().splitlines() if "ChannelTalking" in line]
    starts = [line for line in lines if "ChannelTalkingStart" in line]
    stops = [line for line in lines if "ChannelTalkingStop" in line]
    assert starts and stops, "nothing was told"
    first = starts[0].split("PJSIP/")[1].split()[0]
    assert all(first in line for line in lines), "the channel that took it back was told of"


def dial_and_press(exchange, phones, number, who, digits):
    ann, ben = phones
    call = ann.invite(number)
    leg = ben.wait_invite()
    leg.ring()
    leg.answer()
    call.answered()
    time.sleep(0.5)
    (call if who == "ann" else leg).rtp.press(digits)
    return call, leg


def test_a_channel_may_have_codes_of_its_own(exchange, phones):
    call, leg = dial_and_press(exchange, phones, "740", "ann", "77")
    leg.ended(timeout=5)
    call.ended(timeout=5)
    assert global_value(exchange, "CODES") == "77 # 1500 0"
    assert global_value(exchange, "DIALLED") == "ANSWER"


def test_codes_go_on_to_the_called_party_only_when_they_are_inherited(exchange, phones):
    call, leg = dial_and_press(exchange, phones, "740", "ben", "77")
    phones[1].expect_none("BYE", timeout=2.0)
    leg.rtp.press("*")
    leg.ended(timeout=5)
    call.ended(timeout=5)
    call, leg = dial_and_press(exchange, phones, "741", "ben", "77")
    leg.ended(timeout=5)
    call.ended(timeout=5)
    assert global_value(exchange, "DIALLED") == "ANSWER inherited"


def test_presence_and_configuration_files_are_read(exchange, phones):
    call = phones[0].invite("750")
    call.answered()
    call.ended(timeout=5)
    assert global_value(exchange, "PRESENCE") == "away/lunch/Back at two, or three/bHVuY2g="
    assert global_value(exchange, "ABSENCE") == "not_set"
    assert global_value(exchange, "CONFIG") == "red blue green"
    assert global_value(exchange, "OUTSIDE") == "[]"


def test_who_subscribes_to_presence_sees_what_people_say(exchange, phones):
    ann, ben = phones
    assert ben.ask("SUBSCRIBE", ben.uri("200"), headers=[
        "Event: presence", "Expires: 60", "Accept: application/pidf+xml", f"Contact: <{ben.contact}>"]).status == 200

    def told():
        request = ben.expect(lambda m: m.is_request and m.method == "NOTIFY")
        ben.send("\r\n".join(["SIP/2.0 200 OK", *(f"{name}: {value}" for name in ("Via", "From", "To", "Call-ID", "CSeq")
                                                 for value in request.all(name)), "Content-Length: 0", "", ""]))
        return request.body.decode()

    assert "dm:note" not in told()
    call = ann.invite("751")
    call.answered()
    call.ended(timeout=5)
    person = told().split("<dm:person")[1]
    assert "<rpid:busy/>" in person and "<dm:note>Not now</dm:note>" in person
