"""A configuration in the PrivateDial shape: templates, appended contexts over several files, the wizard,
computed labels, Gosub with LOCAL. Each expectation is what that suite relies on."""
import time

import pytest
from agent import Agent
from exchange import wait_for
from house import global_value

EXTENSIONS = """\
[general]
static=yes
autofallthrough=yes
[globals]
FIRST=tele
SECOND=${FIRST}phone
#include ext_globals.conf
#include "ext_contexts.conf"

[entry](+)
include => hints
include => mixed
include => service
include => phones

[hints](+)
exten => 190,hint,PJSIP/ann

[mixed]
; a pattern of each kind, and who of them wins
exten => _75.,1,Goto(tell,s-end,1)
exten => _75XX,1,Goto(tell,s-xx,1)
exten => _75NX,1,Goto(tell,s-nx,1)
exten => _75[2-5]X,1,Goto(tell,s-set,1)
exten => _75[13]!,1,Goto(tell,s-bang,1)
exten => 7531,1,Goto(tell,s-literal,1)

[tell]
exten => _s-.,1,Set(GLOBAL(WINNER)=${EXTEN:2})
 same => n,Answer()
 same => n,Hangup()

[service]
exten => 200,1,Set(GLOBAL(SUBSTRINGS)=${SECOND:4}/${SECOND:0:4}/${SECOND:-5}/${SECOND:2:-3}/${SECOND:-5:2}/${SECOND:20})
 same => n,Set(GLOBAL(SUMS)=$[9/2] $[8%3] $[9-3-2] $["3" < "20"] $[3 < 20] $[4&6])
 same => n,Set(GLOBAL(MATCHES)=$["abcdef" : "abc"] $["abcdef" =~ "d(e)f"])
 same => n,Gosub(sub,s,1(one,,"two three"))
 same => n,Set(GLOBAL(AFTER)=${GOSUB_RETVAL}/${ARG1}/${inner}/${ARGC})
 same => n,Set(LOCAL(outside)=nothing)
 same => n,Set(GLOBAL(OUTSIDE)=<${outside}>)
 same => n,Set(list=a&b&c)
 same => n,Set(GLOBAL(SHIFTED)=${SHIFT(list,&)}:${list})
 same => n,Set(GLOBAL(CUTS)=${CUT(list,&,2)}${CUT(list,&,9)})
 same => n,Set(GLOBAL(MATHS)=${MATH(2*5)})
 same => n,Set(GLOBAL(FIELD)=${PJSIP_ENDPOINT(ann,FLAVOUR)}/${PJSIP_ENDPOINT(ann,@hint_exten)}/${PJSIP_ENDPOINT(nobody,context)})
 same => n,Set(GLOBAL(WHERE)=${CONTEXT})
 same => n,Set(before=${PRIORITY})
 same => n,Goto(gap)
 same => n+2(gap),Set(GLOBAL(GAP)=$[${PRIORITY} - ${before}])
 same => n,Answer()
 same => n,Hangup()
; never answered and no cause: 603; after an unknown trunk: 404
exten => 201,1,Hangup()
exten => 202,1,Dial(PJSIP/123@no-such-trunk)
 same => n,Hangup()
; a label that is not there ends the call
exten => 203,1,Answer()
 same => n,Goto(st-${EPOCH})
 same => n,Set(GLOBAL(WRONG)=went on)
exten => h,1,Set(GLOBAL(HUNG)=${CONTEXT}/${EXTEN}/${kept})
exten => 204,1,Set(kept=yes)
 same => n,Answer()
 same => n,Wait(10)
exten => 205,1,Gosub(deep,s,1(seven))

[deep]
exten => s,1,Set(LOCAL(mine)=local)
 same => n,Answer()
 same => n,Wait(10)
exten => h,1,Set(GLOBAL(HUNG)=${CONTEXT}/${ARG1}/${mine})

[phones]
exten => _1XX,1,Gosub(sub-dial,s,1(${EXTEN}))
 same => n,Set(GLOBAL(RESULT)=${GOSUB_RETVAL})
 same => n,Hangup()

[sub]
exten => s,1,Set(LOCAL(inner)=x)
 same => n,Return(${ARGC}|${ARG1}|${ARG2}|${ARG3})

[sub-dial]
exten => s,1,Set(LOCAL(to)=${PJSIP_DIAL_CONTACTS(${CUT(HINT(${ARG1}@hints),/,2)})})
 same => n,GotoIf(${ISNULL(${to})}?st-CHANUNAVAIL)
 same => n(dial-),Dial(${to}${DIAL_TIMEOUT})
 same => n,Goto(st-${DIALSTATUS})
 same => n(st-CHANUNAVAIL),Return(gone)
 same => n(st-BUSY),Return(busy)
 same => n(st-NOANSWER),Return(silent)
 same => n(st-ANSWER),Return(answered)
 same => n(st-CANCEL),Return(cancelled)
"""

FILES = {
    "extensions.conf": EXTENSIONS,
    "ext_globals.conf": "; yours\nDIAL_TIMEOUT =,1\n",
    "ext_contexts.conf": "[entry]\n[hints]\n",
    "pjsip_wizard.conf": """\
;---------------- a ruler, and no block comment
;-- a block
[nobody](no_such_template)
--;
[w_term](!)
type = wizard
accepts_registrations = yes
accepts_auth = yes
has_hint = yes
hint_context = hints
aor/max_contacts = 2
aor/remove_existing = yes
endpoint/allow = !all,ulaw,alaw
endpoint/context = nowhere
endpoint/rewrite_contact = yes
endpoint/set_var = FLAVOUR=plain
#include pjsip_users.conf
""",
    "pjsip_users.conf": """\
[w_io](!,w_term)
endpoint/context = entry
[ann](w_io)
hint_exten = 101
inbound_auth/username = ann
inbound_auth/password = a\\;b
endpoint/set_var = FLAVOUR=sweet
[john.doe](w_io)
hint_exten = 102
inbound_auth/username = john.doe
inbound_auth/password = secret
[cut-off](w_term)
hint_exten = 103
inbound_auth/username = cut-off
inbound_auth/password = secret
""",
}


@pytest.fixture(scope="module")
def exchange(start):
    return start(dict(FILES))


@pytest.fixture
def ann(exchange):
    with Agent(exchange, "ann", "a;b") as ann:
        assert ann.register().status == 200
        yield ann
        exchange.ask("channel request hangup all")
        ann.settle()


@pytest.mark.parametrize("number, winner", [("7531", "literal"), ("7512", "bang"), ("7521", "set"), ("7561", "nx"), ("7501", "xx"),
                                            ("750123", "end")])
def test_the_best_pattern_wins(exchange, ann, number, winner):
    call = ann.invite(number)
    call.answered()
    call.ended()
    assert global_value(exchange, "WINNER") == winner


EXPECTED = {
    "SUBSTRINGS": "phone/tele/phone/leph/ph/",
    "SUMS": "4.5 2 4 0 1 4",
    "MATCHES": "3 e",
    "AFTER": '3|one||"two three"///',
    "OUTSIDE": "<>",
    "SHIFTED": "a:b&c",
    "CUTS": "c",
    "MATHS": "10.000000",
    "FIELD": "sweet/101/",
    "WHERE": "entry",
    "GAP": "4",
}


def test_the_language_does_what_the_suite_relies_on(exchange, ann):
    call = ann.invite("200")
    call.answered()
    call.ended()
    got = {name: global_value(exchange, name) for name in EXPECTED}
    assert got == EXPECTED


def test_an_extension_that_is_only_a_hint_does_not_hide_the_pattern_behind_it(exchange, ann):
    with Agent(exchange, "john.doe", "secret") as john:
        john.register()
        out = ann.invite("102")
        back = john.wait_invite()
        back.answer()
        out.answered()
        assert '"' not in back.request.header("to")
        back.bye()
        out.ended()


@pytest.mark.parametrize("answer, result", [(486, "busy"), (None, "silent")])
def test_a_computed_label_tells_what_became_of_the_call(exchange, ann, answer, result):
    with Agent(exchange, "john.doe", "secret") as john:
        john.register("*", expires=0)
        john.register()
        out = ann.invite("102")
        back = john.wait_invite()
        if answer:
            back.respond(answer)
            john.expect("ACK", call_id=back.call_id)
        else:
            back.ring()
            back.accept("CANCEL", timeout=3)
            back.respond(487)
        out.acknowledge_failure(out.expect(lambda m: m.status is not None and m.status >= 300, timeout=5))
        wait_for(lambda: global_value(exchange, "RESULT") == result, 2, what=f"{result}, is {global_value(exchange, 'RESULT')}")


def test_an_unregistered_phone_is_gone(exchange, ann):
    out = ann.invite("103")
    out.acknowledge_failure(out.expect(lambda m: m.status is not None and m.status >= 300))
    assert global_value(exchange, "RESULT") == "gone"


@pytest.mark.parametrize("number, status", [("201", 603), ("202", 404), ("20", 484), ("999", 404)])
def test_calls_that_are_never_answered(ann, number, status):
    ann.invite(number).failed(status)


def test_goto_a_missing_label_ends_the_call(exchange, ann):
    call = ann.invite("203")
    call.answered()
    call.ended()
    assert global_value(exchange, "WRONG") is None


@pytest.mark.parametrize("number, left", [("204", "entry/h/yes"), ("205", "deep/seven/local")])
def test_h_runs_where_the_call_was_with_its_frames(exchange, ann, number, left):
    call = ann.invite(number)
    call.answered()
    time.sleep(0.2)
    call.bye()
    wait_for(lambda: global_value(exchange, "HUNG") == left, 3, what=f"{left}, is {global_value(exchange, 'HUNG')}")


def test_a_context_that_is_empty_reaches_nobody(exchange):
    with Agent(exchange, "cut-off", "secret") as phone:
        phone.invite("101").failed(404)


def test_wizard_objects_go_by_their_names(exchange):
    text = exchange.ask("pjsip show endpoint john.doe")
    assert "john.doe-iauth" in text and "entry" in text
    hints = exchange.ask("core show hints")
    assert "PJSIP/john.doe" in hints and "102" in hints


def test_the_registered_contact_is_where_the_request_came_from(exchange):
    with Agent(exchange, "ann", "a;b") as ann:
        answer = ann.register("<sip:ann@192.0.2.7:5099;ob>")
        assert f"<sip:ann@127.0.0.1:{ann.port};ob>" in " ".join(answer.all("contact"))
        answer = ann.register("<sip:ann@192.0.2.7:5099;transport=udp>")
        assert f"<sip:ann@127.0.0.1:{ann.port};transport=udp>" in " ".join(answer.all("contact"))
        ann.register("*", expires=0)
