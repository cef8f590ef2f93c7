"""What settings of an endpoint do in calls: who is told that the other one is somebody else now, the record button,
early media of several forks, and lamps that blink while the phone is in use."""
import re
import time

import pytest
from agent import Call, sdp, token
from exchange import wait_for
from house import global_value, registered_agents

PHONES = {"carol": (103, "trust_id_inbound = yes\ntrust_id_outbound = yes\nsend_pai = yes"),
          "dave": (104, "trust_id_inbound = yes"),
          "doubted": (105, ""),
          "fixed": (106, "trust_id_inbound = yes\ntrust_connected_line = no"),
          "updated": (107, "send_pai = yes\nconnected_line_method = update"),
          "silent": (108, "send_pai = yes\nsend_connected_line = no"),
          "button": (109, "one_touch_recording = yes"),
          "first": (110, "follow_early_media_fork = no"),
          "blinking": (111, "notify_early_inuse_ringing = yes")}

OBJECTS = """
[phone](!)
type = endpoint
context = phones
disallow = all
allow = ulaw,alaw
[bare](!)
type = aor
max_contacts = 1
remove_existing = yes
""" + "".join(f"\n[{name}](phone)\naors = {name}\ncallerid = \"{name.title()}\" <{number}>\n{more}\n[{name}](bare)\n"
              for name, (number, more) in PHONES.items())

EXTENSIONS = "[phones]\n" + "".join(f"""
exten => {number},hint,PJSIP/{name}
exten => {number},1,Set(GLOBAL(OTHER)=)
 same => n,Dial(PJSIP/{name},30,g)
 same => n,Set(GLOBAL(OTHER)=${{CONNECTEDLINE(num)}})
 same => n,Set(GLOBAL(RECORDED)=${{TOUCH_MIXMONITOR_OUTPUT}})
 same => n,Hangup()
""" for name, (number, _) in PHONES.items())

ERIN = 'P-Asserted-Identity: "Erin" <sip:555@127.0.0.1>'
UPDATES = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE, INFO"


@pytest.fixture(scope="module")
def exchange(start):
    return start({"objects": OBJECTS, "extensions.conf": EXTENSIONS})


@pytest.fixture
def phones(exchange):
    with registered_agents(exchange) as make:
        yield make


def connect(caller, callee, number, caller_allows=(), callee_allows=()):
    out = caller.invite(str(number), headers=caller_allows)
    back = callee.wait_invite()
    back.ring()
    back.answer(headers=callee_allows)
    out.answered()
    return out, back


def asserted(message):
    found = re.match(r'"([^"]*)" <sip:(\w+)@', message.header("p-asserted-identity", ""))
    return found.groups() if found else None


# --- connected line

def test_a_phone_is_told_by_update_when_the_other_one_is_somebody_else(exchange, phones):
    carol, dave = phones("carol", "dave")
    out, back = connect(carol, dave, 104, caller_allows=[UPDATES])
    assert back.ask("UPDATE", headers=[ERIN]).status == 200
    told = out.accept("UPDATE")
    assert asserted(told) == ("Erin", "555")
    assert not told.body, "an UPDATE that only says who is there needs no offer"
    back.bye()
    out.ended()
    wait_for(lambda: global_value(exchange, "OTHER") == "555", what="CONNECTEDLINE(num)")


def test_a_phone_without_update_is_told_by_a_new_invite_and_hears_on(exchange, phones):
    carol, dave = phones("carol", "dave")
    out, back = connect(carol, dave, 104)
    answer = back.reinvite(headers=[ERIN])
    assert answer.status == 200
    told = out.accept("INVITE", headers=[], body=sdp(out.rtp.port, formats="0 101"))
    assert asserted(told) == ("Erin", "555")
    assert told.sdp().direction == "sendrecv"
    carol.expect("ACK", call_id=out.call_id)
    since = time.monotonic() + 0.2
    wait_for(lambda: out.rtp.voice_packets(since) and back.rtp.voice_packets(since), what="sound both ways")
    assert back.ask("BYE").status == 200


def test_the_called_phone_is_told_of_a_new_caller(exchange, phones):
    carol, updated = phones("carol", "updated")
    out, back = connect(carol, updated, 107)
    assert out.reinvite(headers=[ERIN]).status == 200
    told = back.accept("UPDATE")  # connected_line_method = update, although it has not said that it can
    assert asserted(told) == ("Erin", "555")
    # The same again is no news.
    assert out.reinvite(headers=[ERIN]).status == 200
    updated.expect_none("UPDATE", "INVITE", timeout=0.4)


@pytest.mark.parametrize("caller, callee, why", [("doubted", "carol", "trust_id_inbound = no"),
                                                 ("fixed", "carol", "trust_connected_line = no"),
                                                 ("carol", "silent", "send_connected_line = no"),
                                                 ("carol", "dave", "neither send_pai nor send_rpid")])
def test_nobody_is_told_who_may_not_say_so_or_not_hear_it(exchange, phones, caller, callee, why):
    one, other = phones(caller, callee)
    out, back = connect(one, other, PHONES[callee][0], callee_allows=[UPDATES])
    before = exchange.ask("core show channels verbose") if why.startswith("trust") else None
    assert out.reinvite(headers=[ERIN]).status == 200
    other.expect_none("UPDATE", "INVITE", timeout=0.5)
    assert before is None or "555" not in exchange.ask("core show channels verbose"), why
    out.bye()
    back.ended()


# --- the record button

def test_the_record_button_starts_and_ends_a_recording(exchange, phones, speech):
    button, dave = phones("button", "dave")
    out = button.invite("104")
    back = dave.wait_invite()
    back.answer(wav=speech["b"])
    out.answered(wav=speech["a"])
    assert out.ask("INFO", headers=["Record: on"]).status == 200
    monitor = wait_for(lambda: list(exchange.state.parent.rglob("auto-*.wav")), what="a recording")[0]
    time.sleep(1.5)
    assert out.ask("INFO", headers=["Record: off"]).status == 200
    time.sleep(0.5)
    size = monitor.stat().st_size
    assert size > 8000 * 2, f"{size} bytes of 1.5 seconds"
    time.sleep(0.5)
    assert monitor.stat().st_size == size, "it goes on after Record: off"
    back.bye()
    out.ended()
    wait_for(lambda: (global_value(exchange, "RECORDED") or "").endswith(monitor.name), what="TOUCH_MIXMONITOR_OUTPUT")
    monitor.unlink()


def test_who_has_no_record_button_is_refused(exchange, phones):
    button, dave = phones("button", "dave")
    out, back = connect(button, dave, 104)
    assert back.ask("INFO", headers=["Record: on"]).status == 403
    assert not list(exchange.state.parent.rglob("auto-*.wav"))


# --- early media of several forks

def fork(call):
    """Another phone behind the same proxy: the same dialog with another To tag, and media of its own."""
    other = Call.incoming(call.agent, call.request)
    other.local = f"{call.request.header('to')};tag={token()}"
    return other


@pytest.mark.parametrize("callee, follows", [("dave", True), ("first", False)])
def test_early_media_goes_to_the_newest_fork_or_stays_with_the_first(exchange, phones, speech, callee, follows):
    carol, called = phones("carol", callee)
    out = carol.invite(str(PHONES[callee][0]))
    one = called.wait_invite()
    other = fork(one)
    offer = one.request.sdp()
    for leg, voice in ((one, speech["a"]), (other, speech["b"])):
        leg.respond(183, "Session Progress", body=sdp(leg.rtp.port, formats="0"))
        if leg is one:
            progress = out.expect(183).sdp()
            out.rtp.send(progress.address, progress.port)
        time.sleep(0.4)
        leg.rtp.send(offer.address, offer.port, voice)
    time.sleep(0.6)
    since = time.monotonic()
    time.sleep(0.5)
    heard, not_heard = (other, one) if follows else (one, other)
    # Which of the two our voice goes to shows whose description counts.
    assert heard.rtp.voice_packets(since) and not not_heard.rtp.voice_packets(since)
    # Whoever answers is heard, whatever came before it.
    not_heard.answer()
    out.answered()
    since = time.monotonic() + 0.2
    wait_for(lambda: not_heard.rtp.voice_packets(since), what="the voice at who answered")
    not_heard.bye()
    out.ended()


# --- lamps

def watch(agent, number):
    """A subscription to the dialogs of a number; returns it and the first state."""
    call = Call(agent, agent.uri(str(number)))
    answer = call.ask("SUBSCRIBE", headers=["Event: dialog", "Expires: 60", "Accept: application/dialog-info+xml"])
    assert answer.status == 200
    call.remote, call.target = answer.header("to"), answer.contact_uri()
    return call


def lamp(call):
    note = call.accept("NOTIFY")
    states = re.findall(r"<state>(\w+)</state>", note.body.decode())
    return states[0] if states else "none"


@pytest.mark.parametrize("watcher, shown", [("dave", "confirmed"), ("blinking", "early")])
def test_a_phone_in_use_that_rings_blinks_only_where_that_is_wanted(exchange, phones, watcher, shown):
    carol, watching, doubted, fixed = phones("carol", watcher, "doubted", "fixed")
    out, back = connect(doubted, carol, 103)
    lamps = watch(watching, 103)
    assert lamp(lamps) == "confirmed"
    second = fixed.invite("103")
    ringing = carol.wait_invite()
    ringing.ring()
    second.expect(180)
    if shown == "early":
        assert lamp(lamps) == "early"
    else:
        watching.expect_none(lambda m: m.method == "NOTIFY" and b"<state>early</state>" in m.body, timeout=0.6)
    second.cancel()
    second.failed(487)
    ringing.respond(200, request=carol.expect("CANCEL"))
    ringing.respond(487)
    back.bye()
    out.ended()
