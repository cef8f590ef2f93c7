"""Dial's p and P: the caller says a name, and whoever is called hears it and decides."""
import shutil
import subprocess
import time

import pytest
from exchange import wait_for
from house import global_value, registered_agents
from sound import compare

OBJECTS = """
[phone](!)
type = endpoint
context = phones
disallow = all
allow = ulaw
[plain](!)
type = aor
max_contacts = 1
remove_existing = yes
""" + "".join(f"\n[{name}](phone)\naors = {name}\ncallerid = {name} <{number}>\n[{name}](plain)\n" for name, number in
              (("ann", 101), ("ben", 102), ("cleo", 103)))

EXTENSIONS = """\
[phones]
exten => 300,1,Dial(PJSIP/ben,20,pn(1))
 same => n,Set(GLOBAL(SCREENED)=${DIALSTATUS})
 same => n,Hangup()
exten => 301,1,Dial(PJSIP/ben,20,P(line)n(1))
 same => n,Set(GLOBAL(DECIDED)=${DIALSTATUS})
 same => n,Hangup()
"""


@pytest.fixture(scope="module")
def exchange(start, speech):
    running = start({"objects": OBJECTS, "extensions.conf": EXTENSIONS})
    sounds = running.state / "sounds" / "en"
    sounds.mkdir(parents=True, exist_ok=True)
    for name in ("priv-recordintro", "screen-callee-options", "priv-callee-options"):
        shutil.copy(speech["a"], sounds / f"{name}.wav")
    for name in ("priv-callpending", "beep"):
        subprocess.run(["sox", speech["a"], sounds / f"{name}.wav", "trim", "0", "0.3"], check=True)
    return running


@pytest.fixture
def phones(exchange):
    with registered_agents(exchange) as make:
        yield make("ann", "ben", "cleo")


def announce(caller, number, name):
    """A call whose caller does not hear the wish out, says its name, and ends it with #."""
    call = caller.invite(number)
    call.answered()
    time.sleep(0.3)
    call.rtp.press("#")
    time.sleep(0.7)
    say(call, name)
    time.sleep(2.5)
    call.rtp.press("#")
    return call


def say(call, wav):
    call.rtp.sending = False
    time.sleep(0.05)
    call.rtp.send(*call.rtp.remote, wav)


def asked(phone, name, path):
    """The leg to whoever is called, once it has heard the name; it rings as soon as that is said."""
    leg = phone.wait_invite(timeout=1.5)
    leg.answer()
    time.sleep(3)
    assert compare(name, leg.rtp.heard_file(path))["matched_percent"] > 50, "the name was not heard"
    return leg


def test_who_takes_the_call_is_joined_and_not_before(exchange, phones, speech, tmp_path):
    ann, ben, _ = phones
    call = announce(ann, "300", speech["b"])
    leg = asked(ben, speech["b"], tmp_path / "name.wav")
    leg.rtp.press("1")
    time.sleep(0.3)
    since = time.monotonic()
    say(leg, speech["b"])
    time.sleep(3)
    assert compare(speech["b"], call.rtp.heard_file(tmp_path / "talk.wav", since))["matched_percent"] > 50
    call.bye()
    leg.ended()


def test_who_does_not_want_the_call_says_how(exchange, phones, speech, tmp_path):
    _, ben, cleo = phones
    call = announce(cleo, "300", speech["b"])
    leg = asked(ben, speech["b"], tmp_path / "name.wav")
    leg.rtp.press("3")
    leg.ended()
    call.ended()
    assert global_value(exchange, "SCREENED") == "TORTURE"


def test_a_private_line_remembers_its_decision(exchange, phones, speech, tmp_path):
    ann, ben, _ = phones
    call = announce(ann, "301", speech["b"])
    leg = asked(ben, speech["b"], tmp_path / "name.wav")
    leg.rtp.press("4")
    leg.ended()
    call.ended()
    assert global_value(exchange, "DECIDED") == "DONTCALL"
    again = ann.invite("301")
    again.acknowledge_failure(again.expect(lambda m: m.status is not None and m.status >= 300))
    ben.expect_none("INVITE")


def test_the_asking_ends_when_the_caller_leaves(exchange, phones, speech, tmp_path):
    _, ben, cleo = phones
    call = announce(cleo, "300", speech["b"])
    leg = asked(ben, speech["b"], tmp_path / "name.wav")
    call.bye()
    leg.ended(timeout=1)
    wait_for(lambda: "0 active channels" in exchange.ask("core show channels"), timeout=2, what="the asking to end")
