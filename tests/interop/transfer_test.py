"""Blind transfers as phones see them: what the one who transfers is told, and when (RFC 3515, 4488, 5589)."""
import shutil
import time

import pytest
from exchange import wait_for
from house import registered_agents
from sound import compare

OBJECTS = """
[phone](!)
type = endpoint
context = phones
disallow = all
allow = ulaw,alaw
""" + "".join(f"""
[{name}](phone)
aors = {name}
callerid = "{name.title()}" <{number}>
{more}
[{name}]
type = aor
max_contacts = 1
remove_existing = yes
""" for name, number, more in [("carol", 103, ""), ("dave", 104, ""), ("erin", 105, ""),
                               ("frank", 106, "refer_blind_progress = no"), ("gina", 107, "allow_transfer = no")])

EXTENSIONS = """\
[phones]
exten => 103,1,Dial(PJSIP/carol,30)
exten => 104,1,Dial(PJSIP/dave,30)
exten => 105,1,Dial(PJSIP/erin,30)
 same => n,Set(GLOBAL(AFTER)=${DIALSTATUS})
 same => n,Goto(s-${DIALSTATUS})
 same => n(s-BUSY),Busy(1)
 same => n(s-CHANUNAVAIL),Hangup()
exten => 106,1,Dial(PJSIP/frank,30)
exten => 107,1,Dial(PJSIP/gina,30)
exten => 204,1,Dial(PJSIP/dave,30,T)
exten => 610,1,Set(GLOBAL(BY)=${SIPREFERTOHDR}/${SIPREFERREDBYHDR}/${BLINDTRANSFER:0:10})
 same => n,Answer()
 same => n,Echo()
"""


@pytest.fixture(scope="module")
def exchange(start, speech, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    shutil.copy(speech["b"], folder / "told.wav")
    return start({"objects": OBJECTS, "extensions.conf": EXTENSIONS,
                  "features.conf": "[general]\nxfersound = {sounds}/told\n[featuremap]\natxfer = *9\n"}, sounds=folder)


@pytest.fixture
def phones(exchange):
    with registered_agents(exchange) as make:
        yield make


def connect(caller, callee, number="104"):
    out = caller.invite(number)
    back = callee.wait_invite()
    back.ring()
    back.answer()
    out.answered()
    return out, back


def refer(call, exchange, number, headers=()):
    answer = call.ask("REFER", headers=[f"Refer-To: <sip:{number}@{exchange.server}>", *headers])
    assert answer.status == 202
    return answer


def report(call, timeout=5.0):
    """The next NOTIFY: its status, and whether it is the last."""
    request = call.accept("NOTIFY", timeout=timeout)
    assert request.header("event").split(";")[0] == "refer"
    assert request.header("content-type").startswith("message/sipfrag")
    words = request.body.decode().split(" ", 2)
    assert words[0] == "SIP/2.0"
    return int(words[1]), request.header("subscription-state").startswith("terminated")


def test_the_transferor_hears_of_ringing_and_of_the_answer_when_they_happen(exchange, phones):
    carol, dave, erin = phones("carol", "dave", "erin")
    out, back = connect(carol, dave)
    refer(back, exchange, 105)
    assert report(back) == (100, False)
    third = erin.wait_invite()
    dave.expect_none("NOTIFY", timeout=0.4)
    third.ring()
    assert report(back) == (180, False)
    dave.expect_none("NOTIFY", "BYE", timeout=0.4)
    third.answer()
    assert report(back) == (200, True)
    back.bye()
    third.bye()
    out.ended()


@pytest.mark.parametrize("status, reason, told", [(486, "Busy Here", 486), (603, "Decline", 403), (404, "Not Found", 404)])
def test_the_transferor_hears_of_the_failure(exchange, phones, status, reason, told):
    carol, dave, erin = phones("carol", "dave", "erin")
    out, back = connect(carol, dave)
    refer(back, exchange, 105)
    assert report(back) == (100, False)
    third = erin.wait_invite()
    third.respond(status, reason)
    assert report(back) == (told, True)
    back.bye()
    out.ended()


def test_a_transferor_that_has_hung_up_is_told_all_the_same(exchange, phones):
    """The subscription outlives the call that it was made in (RFC 5057)."""
    carol, dave, erin = phones("carol", "dave", "erin")
    out, back = connect(carol, dave)
    refer(back, exchange, 105)
    assert report(back) == (100, False)
    third = erin.wait_invite()
    back.bye()
    third.ring()
    assert report(back) == (180, False)
    third.answer()
    assert report(back) == (200, True)
    assert exchange.channels() == 2
    third.bye()
    out.ended()


def test_a_transferor_that_waits_for_the_answer_is_not_hung_up_before(exchange, phones):
    carol, dave, erin = phones("carol", "dave", "erin")
    out, back = connect(carol, dave)
    refer(back, exchange, 105)
    assert report(back) == (100, False)
    third = erin.wait_invite()
    third.ring()
    assert report(back) == (180, False)
    dave.expect_none("BYE", timeout=5)
    third.answer()
    assert report(back) == (200, True)
    # It never hangs up by itself: then we do.
    back.ended(timeout=6)
    third.bye()
    out.ended()


def test_a_phone_that_wants_no_reports_gets_none(exchange, phones):
    carol, dave, erin = phones("carol", "dave", "erin")
    out, back = connect(carol, dave)
    answer = refer(back, exchange, 105, ["Supported: norefersub", "Refer-Sub: false"])
    assert answer.header("refer-sub") == "false"
    third = erin.wait_invite()
    third.answer()
    dave.expect_none("NOTIFY", timeout=0.5)
    back.bye()
    third.bye()
    out.ended()


def test_without_progress_the_transfer_is_done_when_it_has_begun(exchange, phones):
    carol, frank, erin = phones("carol", "frank", "erin")
    out, back = connect(carol, frank, "106")
    refer(back, exchange, 105)
    assert report(back) == (100, False)
    assert report(back) == (200, True)
    third = erin.wait_invite()
    third.answer()
    back.bye()
    third.bye()
    out.ended()


def test_a_transfer_to_an_application_has_come_to_an_answer(exchange, phones):
    carol, dave = phones("carol", "dave")
    out, back = connect(carol, dave)
    refer(back, exchange, 610, ["Referred-By: <sip:dave@x.invalid>"])
    assert report(back) == (100, False)
    assert report(back) == (200, True)
    told = exchange.ask("dialplan show globals")
    assert f"BY=<sip:610@{exchange.server}>/<sip:dave@x.invalid>/PJSIP/dave" in told.replace(" ", "")
    back.bye()
    out.bye()


def test_a_phone_may_end_the_subscription_of_its_refer(exchange, phones):
    carol, dave, erin = phones("carol", "dave", "erin")
    out, back = connect(carol, dave)
    refer(back, exchange, 105)
    assert report(back) == (100, False)
    third = erin.wait_invite()
    assert back.ask("SUBSCRIBE", headers=["Event: refer", "Expires: 0"]).status == 200
    assert report(back) == (100, True)
    third.answer()
    dave.expect_none("NOTIFY", timeout=0.4)
    assert back.ask("SUBSCRIBE", headers=["Event: refer", "Expires: 60"]).status == 481
    back.bye()
    third.bye()
    out.ended()


def test_who_may_not_transfer_is_refused_and_talks_on(exchange, phones):
    carol, gina = phones("carol", "gina")
    out, back = connect(carol, gina, "107")
    assert back.ask("REFER", headers=[f"Refer-To: <sip:105@{exchange.server}>"]).status == 603
    out.bye()
    back.ended()


def test_a_refer_outside_of_a_call_is_declined(exchange, phones):
    (carol,) = phones("carol")
    answer = carol.ask("REFER", uri=carol.uri("104"), headers=[f"Refer-To: <sip:105@{exchange.server}>", f"Contact: <{carol.contact}>"])
    assert answer.status == 603


def test_who_is_transferred_to_hears_the_sound_of_it_and_then_talks(exchange, phones, speech, tmp_path):
    carol, dave, erin = phones("carol", "dave", "erin")
    out, back = connect(carol, dave, "204")
    out.rtp.press("*9")
    time.sleep(1)
    out.rtp.press("105")
    third = erin.wait_invite(timeout=8)
    third.answer()
    time.sleep(0.5)
    left = time.monotonic()
    out.bye()
    time.sleep(4.5)
    heard = third.rtp.heard_file(tmp_path / "told.wav", since=left)
    assert compare(speech["b"], heard)["similarity"] > 0.9
    since = time.monotonic()
    wait_for(lambda: third.rtp.voice_packets(since) and back.rtp.voice_packets(since), what="the two to hear each other")
    third.bye()
    back.ended()
