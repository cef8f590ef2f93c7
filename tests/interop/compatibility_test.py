"""What phones and dialplans of an existing installation have come to rely on, beside the language itself."""
import re
import time

import pytest
from agent import Agent, sdp
from exchange import wait_for
from house import global_value

MODES = ("rfc4733", "inband", "info", "auto", "auto_info", "none")

EXTENSIONS = """\
[calls]
exten => _1XX,1,Dial(PJSIP/${CUT(HINT(${EXTEN}@hints),/,2)},10,tT)
exten => i,1,Set(GLOBAL(STARTED)=i ${INVALID_EXTEN})
 same => n,Answer()
exten => s,1,Set(GLOBAL(STARTED)=s)
 same => n,Hangup(17)
exten => 200,1,Answer()
 same => n,Read(digits,,3,,1,5)
 same => n,Set(GLOBAL(DIGITS)=${READSTATUS}:${digits})
exten => 201,1,Set(__TRANSFER_CONTEXT=elsewhere)
 same => n,Dial(PJSIP/bob,10,tT)
exten => 202,1,Set(GLOBAL(VARIABLES)=${VARIABLE_EXISTS(EXTEN)}${VARIABLE_EXISTS(CHANNEL)}${VARIABLE_EXISTS(x)})
 same => n,Set(x=)
 same => n,Set(GLOBAL(VARIABLES)=${GLOBAL(VARIABLES)}${VARIABLE_EXISTS(x)})
 same => n,Set(word=abc)
 same => n,Set(number=41)
 same => n,Set(GLOBAL(COUNTED)=<${INC(word)}><${INC(number)}><${DEC(nothing)}>${word})
 same => n,Set(GLOBAL(CHOICES)=$[0|7]$[3|7]$["" | 5]$[0&6]$[4&0])
 same => n,Set(GLOBAL(MATCHED)=$["abc" : "b"]$["abc" =~ "b"]<$["abc" =~ "(x)"]>$["abc" = "abc"])
 same => n,Set(GLOBAL(OPTION)=${PJSIP_ENDPOINT(bob,dtmf_mode)}/${PJSIP_ENDPOINT(bob,allow_overlap)}/${PJSIP_ENDPOINT(bob,nonsense)})
 same => n,Hangup(17)
exten => 203,1,Set(shown=here)
 same => n,DumpChan()
 same => n,Log(NOTICE,said by the dialplan: ${shown})
 same => n,Hangup(17)

[hints]

[elsewhere]
exten => 555,1,Set(GLOBAL(TRANSFERRED)=${CONTEXT} ${BLINDTRANSFER:0:10})
 same => n,Answer()
 same => n,Wait(20)
"""

PHONES = {"ann": 101, "bob": 102, "strict": 103, **{f"mode-{mode}": 110 + n for n, mode in enumerate(MODES)}}
OPTIONS = {"strict": "endpoint/allow_overlap = no\n", **{f"mode-{mode}": f"endpoint/dtmf_mode = {mode}\n" for mode in MODES}}

WIZARD = """\
[w](!)
type = wizard
accepts_registrations = yes
accepts_auth = yes
has_hint = yes
hint_context = hints
aor/max_contacts = 5
endpoint/context = calls
endpoint/allow = !all,ulaw,alaw
""" + "".join(f"""
[{name}](w)
hint_exten = {number}
inbound_auth/username = {name}
inbound_auth/password = secret-{name}
{OPTIONS.get(name, "")}""" for name, number in PHONES.items())


@pytest.fixture(scope="module")
def exchange(start):
    return start({"extensions.conf": EXTENSIONS, "pjsip_wizard.conf": WIZARD})


def phone(exchange, name):
    agent = Agent(exchange, name, f"secret-{name}")
    assert agent.register("*", expires=0).status == 200
    assert agent.register().status == 200
    return agent


@pytest.fixture
def pair(exchange):
    with phone(exchange, "ann") as ann, phone(exchange, "bob") as bob:
        yield ann, bob
        exchange.ask("channel request hangup all")
        for agent in (ann, bob):
            agent.settle()
        exchange.wait_idle()


def test_the_200_to_register_lists_every_contact_with_its_time_an_expires_and_the_date(exchange):
    with phone(exchange, "ann") as ann:
        ann.register("<sip:ann@127.0.0.1:7001>;expires=120")
        answer = ann.register("<sip:ann@127.0.0.1:7002>", expires=10)
        assert answer.status == 200
        left = {re.search(r"<([^>]+)>", c)[1]: int(re.search(r"expires=(\d+)", c)[1]) for c in answer.all("contact")}
        assert left.keys() == {ann.contact, "sip:ann@127.0.0.1:7001", "sip:ann@127.0.0.1:7002"}
        assert 118 <= left["sip:ann@127.0.0.1:7001"] <= 120
        assert left["sip:ann@127.0.0.1:7002"] == 60 == int(answer.header("expires"))  # minimum_expiration
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answer.header("date"))


@pytest.mark.parametrize("who, number, status", [
    ("ann", "999", 404), ("ann", "20", 484), ("ann", "1", 484), ("strict", "20", 404), ("strict", "1", 404), ("strict", "999", 404)])
def test_a_number_without_a_match_starts_no_dialplan_and_not_even_i(exchange, who, number, status):
    exchange.ask("dialplan set global STARTED no")
    with phone(exchange, who) as agent:
        agent.invite(number).failed(status)
    assert global_value(exchange, "STARTED") == "no"


def test_a_uri_without_a_user_means_s(exchange, pair):
    exchange.ask("dialplan set global STARTED no")
    pair[0].invite("").failed(486)
    assert global_value(exchange, "STARTED") == "s"


def test_telephone_event_is_101_at_8000_with_the_keys_0_to_16(pair):
    ann, bob = pair
    out = ann.invite("102")
    back = bob.wait_invite()
    offer = back.request.sdp()
    assert offer.formats == ["0", "8", "101"]
    assert {"a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16"} <= set(offer.lines)
    back.answer()
    answer = out.answered().sdp()
    assert {"a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16"} <= set(answer.lines)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["application/dtmf-relay", "application/dtmf"])
def test_digits_by_info_are_taken_whatever_the_endpoint_is_said_to_do(exchange, mode, kind):
    exchange.ask("dialplan set global DIGITS none")
    with phone(exchange, f"mode-{mode}") as agent:
        call = agent.invite("200")
        call.answered()
        time.sleep(0.1)
        for digit in "4*7":
            body = f"Signal={digit}\r\nDuration=100\r\n" if kind.endswith("relay") else digit
            assert call.ask("INFO", body=body, content_type=kind).status == 200
        wait_for(lambda: global_value(exchange, "DIGITS") != "none", 6, what="the digits")
        assert global_value(exchange, "DIGITS") == "OK:4*7"
        agent.settle()


def test_a_blind_transfer_is_accepted_reported_and_left_by_the_transferors_bye(exchange, pair):
    ann, bob = pair
    exchange.ask("dialplan set global TRANSFERRED no")
    out = ann.invite("201")
    back = bob.wait_invite()
    back.answer()
    out.answered()
    answer = back.ask("REFER", headers=[f"Refer-To: <sip:555@{exchange.server}>"])
    assert answer.status == 202
    reports = [back.accept("NOTIFY")]
    assert reports[0].body.startswith(b"SIP/2.0 100") and "active" in reports[0].header("subscription-state")
    while "terminated" not in reports[-1].header("subscription-state"):
        reports.append(back.accept("NOTIFY"))
    assert reports[-1].body.startswith(b"SIP/2.0 200")
    assert all(report.header("content-type").startswith("message/sipfrag") for report in reports)
    bye = back.ask("BYE")  # which ours may have crossed
    assert bye.status in (200, 481)
    bob.settle()
    # TRANSFER_CONTEXT, where bob himself can call nobody
    wait_for(lambda: global_value(exchange, "TRANSFERRED") == "elsewhere PJSIP/bob-", 3,
             what=f"the transfer, {global_value(exchange, 'TRANSFERRED')}")
    ann.expect_none("BYE")
    out.bye()


def test_the_language_keeps_its_small_habits(exchange, pair):
    pair[0].invite("202").failed(486)
    assert global_value(exchange, "VARIABLES") == "0001"  # built-in ones are not reported; an empty one is
    assert global_value(exchange, "COUNTED") == "<><42><>abc"
    assert global_value(exchange, "CHOICES") == "73500"
    assert global_value(exchange, "MATCHED") == "01<>1"
    assert global_value(exchange, "OPTION") == "rfc4733/yes/"


def test_the_dialplan_writes_into_the_log(exchange, pair):
    pair[0].invite("203").failed(486)
    line = next(line for line in exchange.output().splitlines() if "uniqueid=" in line)
    assert "PJSIP/ann-" in line and "shown=here" in line and "at calls,203,2" in line, line
    assert exchange.said("said by the dialplan: here")


def test_an_offer_without_what_the_endpoint_allows_is_488_and_else_the_offerers_order_is_kept(pair):
    ann, _ = pair
    ann.invite("200", body=sdp(4000, formats="18")).failed(488)
    call = ann.invite("200", body=sdp(4000, formats="18 8 0 101"))
    assert call.answered().sdp().formats[0] == "8"
    call.bye()
