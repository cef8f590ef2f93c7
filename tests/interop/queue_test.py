"""A call centre: callers wait with music, hear their place, are answered by agents or sent on by the dialplan."""
import shutil
import time

import pytest
from agent import Agent
from exchange import wait_for
from house import global_value, hang_up_all
from sound import compare, loudness, write_ulaw

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
exten => 503,1,Answer()
 same => n,Queue(pair,n)
 same => n,Set(GLOBAL(LEFT)=${QUEUESTATUS})
 same => n,Hangup()
exten => 504,1,Answer()
 same => n,Queue(pair,F(house^after^1))
exten => after,1,Set(GLOBAL(AFTER)=${CALLERID(num)})
 same => n,Playback({sounds}/first)
 same => n,Hangup()
exten => 505,1,Answer()
 same => n,Queue(pair,${MORE})
exten => 506,1,Answer()
 same => n,Queue(pair,B(house^caller^1(one^two))b(house^agent^1(three))I)
exten => caller,1,Set(GLOBAL(BEFORE_CALLER)=${ARG1}${ARG2}${CHANNEL(name):6:3})
 same => n,Return()
exten => agent,1,Set(PJSIP_HEADER(add,X-Queue)=${ARG1})
 same => n,Return()
exten => 507,1,Answer()
 same => n,Queue(pausing,,,,3)
 same => n,Hangup()
exten => 508,1,Answer()
 same => n,Queue(reminding)
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
[pair]
strategy = ringall
timeout = 4
retry = 1
musicclass = still
member => PJSIP/eve
member => PJSIP/joe
[pausing]
timeout = 1
retry = 5
autopause = all
member => PJSIP/eve
[beside]
member => PJSIP/eve
member => PJSIP/joe
[reminding]
musicclass = still
periodic-announce = {sounds}/first,{sounds}/second
periodic-announce-frequency = 4
periodic-announce-startdelay = 1
member => PJSIP/joe
"""


def begin(start, folder, speech):
    sounds = folder / "sounds"
    (sounds / "jingle").mkdir(parents=True)
    (sounds / "digits").mkdir()
    shutil.copy(speech["a"], sounds / "first.wav")
    shutil.copy(speech["b"], sounds / "second.wav")
    shutil.copy(speech["b"], sounds / "jingle" / "tune.wav")
    (sounds / "still").mkdir()
    write_ulaw(sounds / "still" / "nothing.wav", b"\xff" * 8000)
    return start({
        "objects": OBJECTS, "extensions.conf": EXTENSIONS, "queues.conf": QUEUES,
        "musiconhold.conf": "[jingle]\nmode=files\ndirectory={sounds}/jingle\n"
                            "[still]\nmode=files\ndirectory={sounds}/still\n"}, sounds=sounds)


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


def both(eve, joe):
    """Both are called, and have said so: only then an INVITE can be cancelled (RFC 3261 section 9.1)."""
    calls = eve.wait_invite(), joe.wait_invite()
    for call in calls:
        call.respond(100, "Trying")
    return calls


def refuse_cancel(ringing):
    cancel = ringing.accept("CANCEL", timeout=6)
    ringing.respond(487, "Request Terminated")
    return cancel


def test_with_n_the_dialplan_goes_on_after_the_first_round(exchange, phones):
    ann, _, eve, joe = phones
    call = ann.invite("503")
    call.answered()
    ringing = eve.wait_invite(), joe.wait_invite()
    for phone in ringing:
        phone.ring()
    for phone in ringing:
        refuse_cancel(phone)
    call.ended(timeout=2)
    assert global_value(exchange, "LEFT") == "TIMEOUT"


def test_with_F_the_agent_goes_on_when_the_caller_has_left(exchange, phones, speech, tmp_path):
    ann, _, eve, joe = phones
    call = ann.invite("504")
    call.answered()
    agent, other = both(eve, joe)
    other.ring()
    agent.answer()
    refuse_cancel(other)
    time.sleep(0.3)
    left = time.monotonic()
    call.bye()
    time.sleep(4)
    assert compare(speech["a"], agent.rtp.heard_file(tmp_path / "after.wav", since=left))["similarity"] > 0.9
    agent.ended()
    assert global_value(exchange, "AFTER")


@pytest.mark.parametrize("option, rings", [("", False), ("R", True)])
def test_with_R_the_caller_hears_ringing_as_soon_as_a_phone_rings(exchange, phones, option, rings):
    ann, _, eve, joe = phones
    exchange.ask(f"dialplan set global MORE {option}" if option else "dialplan set global MORE x")
    call = ann.invite("505")
    call.answered()
    agent, other = both(eve, joe)
    time.sleep(0.6)
    assert loudness(call.rtp.heard()) < 10, "ringing although no phone does"
    began = time.monotonic()
    agent.ring()
    time.sleep(1)
    assert (loudness(call.rtp.heard(since=began)) > 100) == rings
    agent.answer()
    refuse_cancel(other)
    time.sleep(0.5)
    answered = time.monotonic()
    time.sleep(0.5)
    assert loudness(call.rtp.heard(since=answered)) < 10, "it rings on after the answer"


@pytest.mark.parametrize("option", ["", "C"])
def test_only_with_C_phones_are_told_that_another_one_has_answered(exchange, phones, option):
    ann, _, eve, joe = phones
    exchange.ask(f"dialplan set global MORE {option or 'x'}")
    ann.invite("505").answered()
    agent, other = both(eve, joe)
    other.ring()
    agent.answer()
    reasons = refuse_cancel(other).all("reason")
    assert any("cause=26" in reason or "cause=200" in reason for reason in reasons) == (option == "C"), reasons


def test_subroutines_run_for_the_caller_and_for_each_agent_before_they_ring(exchange, phones):
    ann, _, eve, joe = phones
    call = ann.invite("506")
    call.answered()
    agent, other = both(eve, joe)
    assert agent.request.header("x-queue") == other.request.header("x-queue") == "three"
    assert global_value(exchange, "BEFORE_CALLER") == "onetwoann"
    agent.answer()
    refuse_cancel(other)
    call.bye()
    agent.ended()


def test_an_agent_who_does_not_answer_is_paused_in_all_queues(exchange, phones):
    ann, _, eve, _ = phones
    call = ann.invite("507")
    call.answered()
    ringing = eve.wait_invite()
    ringing.ring()
    refuse_cancel(ringing)
    call.ended(timeout=5)
    for queue in ("pausing", "beside"):
        lines = [line for line in exchange.ask(f"queue show {queue}").splitlines() if "PJSIP/eve" in line]
        assert "paused:Auto-Pause" in lines[0], queue
    assert "paused" not in next(line for line in exchange.ask("queue show beside").splitlines() if "PJSIP/joe" in line)
    exchange.ask("queue unpause member PJSIP/eve")
    assert "paused" not in exchange.ask("queue show pausing")


def test_callers_hear_the_reminders_in_turn(exchange, phones, speech, tmp_path):
    ann = phones[0]
    exchange.ask("queue pause member PJSIP/joe queue reminding")  # while a phone rings nothing is said
    call = ann.invite("508")
    call.answered()
    began = time.monotonic()
    time.sleep(10)
    voices = [call.rtp.heard_file(tmp_path / f"{n}.wav", since=began + at) for n, at in enumerate((0, 4.6))]
    loud = [packet for packet in call.rtp.voice_packets() if loudness(packet[5]) > 100]
    assert 0.8 < loud[0][0] - began < 1.6, "the first does not come after its delay"
    assert compare(speech["a"], voices[0])["similarity"] > 0.9
    assert compare(speech["b"], voices[1])["similarity"] > 0.9
