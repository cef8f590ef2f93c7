"""A call centre: callers wait with music, hear their place, are answered by agents or sent on by the dialplan."""
import shutil
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
allow = ulaw,alaw

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
""" for name in ("ann", "ben", "eve", "joe"))

EXTENSIONS = """\
[house]
exten => 500,1,Answer()
 same => n,Queue(support,c,,,${WAIT})
 same => n,Set(GLOBAL(LEFT)=${QUEUESTATUS} ${ABANDONED})
 same => n,Playback(beep)
 same => n,Hangup()
exten => 501,1,Answer()
 same => n,Queue(patient,,,,4)
 same => n,Set(GLOBAL(LEFT)=${QUEUESTATUS} ${ABANDONED})
 same => n,Hangup()
exten => 502,1,Answer()
 same => n,Queue(told)
exten => *1,1,Answer()
 same => n,AddQueueMember(support,PJSIP/${CALLERID(num)},1,,Agent ${CALLERID(num)})
 same => n,Set(GLOBAL(ADDED)=${AQMSTATUS})
 same => n,Hangup()
"""

QUEUES = """\
[general]
persistentmembers = yes
[support]
strategy = rrmemory
timeout = 5
retry = 1
ringinuse = no
musicclass = jingle
member => PJSIP/eve,0,Eve Adams
[patient]
musicclass = jingle
member => PJSIP/joe
[told]
musicclass = silence
announce-frequency = 30
min-announce-frequency = 1
queue-youarenext = {sounds}/first
queue-thereare =
queue-callswaiting = {sounds}/second
queue-thankyou =
"""


def begin(start, folder, speech):
    sounds = folder / "sounds"
    (sounds / "jingle").mkdir(parents=True)
    (sounds / "digits").mkdir()
    shutil.copy(speech["a"], sounds / "first.wav")
    shutil.copy(speech["b"], sounds / "second.wav")
    shutil.copy(speech["b"], sounds / "jingle" / "tune.wav")
    return start({
        "objects": OBJECTS, "extensions.conf": EXTENSIONS, "queues.conf": QUEUES,
        "musiconhold.conf": "[jingle]\nmode=files\ndirectory={sounds}/jingle\n"}, sounds=sounds)


@pytest.fixture(scope="module")
def exchange(start, tmp_path_factory, speech):
    return begin(start, tmp_path_factory.mktemp("queue"), speech)


@pytest.fixture
def phones(exchange):
    """ann, ben call; eve, joe are agents."""
    phones = [Agent(exchange, name, "secret") for name in ("ann", "ben", "eve", "joe")]
    for phone in phones:
        phone.register()
    yield phones
    hang_up_all(exchange, phones)
    for phone in phones:
        phone.register("*", expires=0)
        phone.close()


def queue_log(exchange):
    path = exchange.state / "queue_log"
    return [line.split("|") for line in path.read_text().splitlines()] if path.exists() else []


def test_a_caller_waits_with_music_and_then_talks_to_the_agent(exchange, phones, speech, tmp_path):
    ann, _, eve, _ = phones
    call = ann.invite("500")
    call.answered(wav=speech["a"])
    ringing = eve.wait_invite()
    ringing.ring()
    time.sleep(1.5)
    assert loudness(call.rtp.heard()) > 100, "no music while the agent's phone rings"
    shown = exchange.ask("queue show support")
    assert "1. PJSIP/ann-" in shown and "Eve Adams" in shown and "(Ringing)" in shown
    answered = time.monotonic()
    ringing.answer(wav=speech["b"])
    time.sleep(4)
    heard = call.rtp.heard_file(tmp_path / "heard.wav", since=answered + 0.1)
    assert compare(speech["b"], heard)["similarity"] > 0.9
    ringing.bye()
    call.ended(timeout=5)
    wait_for(lambda: global_value(exchange, "LEFT") == "CONTINUE", what="the dialplan to go on")
    events = [line[4] for line in queue_log(exchange)]
    assert events[:3] == ["QUEUESTART", "ENTERQUEUE", "CONNECT"] and events[-1] == "COMPLETEAGENT"
    assert queue_log(exchange)[-1][3] == "Eve Adams"
    assert "has taken 1 calls" in exchange.ask("queue show support")


def test_the_time_of_a_caller_runs_out_and_the_dialplan_goes_on(exchange, phones):
    ann, _, _, joe = phones
    began = time.monotonic()
    call = ann.invite("501")
    call.answered()
    ringing = joe.wait_invite()
    ringing.ring()
    ringing.accept("CANCEL", timeout=6)
    ringing.respond(487, "Request Terminated")
    call.ended(timeout=5)
    assert 3.5 < time.monotonic() - began < 6
    wait_for(lambda: global_value(exchange, "LEFT") == "TIMEOUT TRUE", what="QUEUESTATUS")


def test_callers_hear_their_place_in_line(exchange, phones, speech, tmp_path):
    ann, ben, _, _ = phones
    first = ann.invite("502")
    first.answered()
    wait_for(lambda: "1. PJSIP/ann-" in exchange.ask("queue show told"), what="ann to wait")
    second = ben.invite("502")
    second.answered()
    time.sleep(4.5)
    assert compare(speech["a"], first.rtp.heard_file(tmp_path / "first.wav"))["similarity"] > 0.9
    # "There are", "two", "calls waiting": the number is not the house's own, the rest is.
    assert compare(speech["b"], second.rtp.heard_file(tmp_path / "second.wav"))["matched_percent"] > 60
    first.bye()
    moved = time.monotonic()
    time.sleep(5)
    heard = second.rtp.heard_file(tmp_path / "moved.wav", since=moved)
    assert compare(speech["a"], heard)["similarity"] > 0.9, "ben was not told that he is next"


def test_agents_log_in_by_a_number_and_are_still_there_after_a_restart(exchange, phones):
    joe = phones[3]
    call = joe.invite("*1")
    call.answered()
    call.ended(timeout=5)
    assert global_value(exchange, "ADDED") == "ADDED"
    exchange.ask("queue pause member PJSIP/joe queue support reason lunch")
    line = next(line for line in exchange.ask("queue show support").splitlines() if "PJSIP/joe" in line)
    assert "Agent joe" in line and "penalty 1" in line and "(dynamic)" in line and "paused:lunch" in line
    exchange.reload()
    time.sleep(0.5)
    assert "Agent joe" in exchange.ask("queue show support")
    exchange.stop()
    exchange.start()
    line = next(line for line in exchange.ask("queue show support").splitlines() if "PJSIP/joe" in line)
    assert "Agent joe" in line and "penalty 1" in line and "paused:lunch" in line
    exchange.ask("queue remove member PJSIP/joe from support")
    assert "PJSIP/joe" not in exchange.ask("queue show support")
