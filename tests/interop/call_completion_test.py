"""Call completion: who found somebody busy or gone is called back when that phone is free."""
import pytest
from agent import Agent
from house import global_value, hang_up_all

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
""" for name in ("ann", "ben", "eve"))

EXTENSIONS = """\
[house]
exten => 100,1,Set(CALLCOMPLETION(cc_agent_policy)=generic)
 same => n,Set(CALLCOMPLETION(cc_offer_timer)=2)
 same => n,Dial(PJSIP/ben,1,b(monitored^s^1))
exten => 101,1,Set(CALLCOMPLETION(cc_agent_policy)=generic)
 same => n,Dial(PJSIP/ben,1)
exten => 200,1,Dial(PJSIP/ben,20)
exten => 300,1,Answer()
 same => n,Wait(20)
exten => 310,1,Set(CALLCOMPLETION(cc_recall_timer)=7)
 same => n,Set(CALLCOMPLETION(cc_recall_timer)=0)
 same => n,Set(CALLCOMPLETION(cc_agent_policy)=native)
 same => n,Set(GLOBAL(SETTINGS)=${CALLCOMPLETION(cc_agent_policy)} ${CALLCOMPLETION(cc_recall_timer)} ${CALLCOMPLETION(ccbs_available_timer)} ${CALLCOMPLETION(ccnr_available_timer)} ${CALLCOMPLETION(cc_max_agents)})
 same => n,Answer()
 same => n,Hangup()
exten => 30,1,CallCompletionRequest()
 same => n,Set(GLOBAL(ASKED)=${CC_REQUEST_RESULT} ${CC_REQUEST_REASON})
 same => n,Answer()
 same => n,Hangup()
exten => 31,1,CallCompletionCancel()
 same => n,Set(GLOBAL(CANCELLED)=${CC_CANCEL_RESULT} ${CC_CANCEL_REASON})
 same => n,Answer()
 same => n,Hangup()
[monitored]
exten => s,1,Set(CALLCOMPLETION(cc_monitor_policy)=generic)
 same => n,Return()
"""


@pytest.fixture(scope="module")
def exchange(start):
    return start({"objects": OBJECTS, "extensions.conf": EXTENSIONS})


@pytest.fixture
def phones(exchange):
    phones = [Agent(exchange, name, "secret") for name in ("ann", "ben", "eve")]
    for phone in phones:
        phone.register()
    yield phones
    dial(phones[0], "31")  # nothing is left of it for the next test
    hang_up_all(exchange, phones)
    for phone in phones:
        phone.register("*", expires=0)
        phone.close()


def dial(phone, number):
    call = phone.invite(number)
    call.answered()
    call.ended(timeout=5)


def finds_busy(ann, ben, number="100"):
    call = ann.invite(number)
    ben.wait_invite().respond(486, "Busy Here")
    call.failed(486)


def talk_to(ben, eve):
    call = eve.invite("200")
    leg = ben.wait_invite()
    leg.answer()
    call.answered()
    return call, leg


def is_called_back_and_reaches(ann, ben):
    back = ann.wait_invite()
    assert "sip:100@" in back.request.header("from")
    back.answer()
    leg = ben.wait_invite()
    assert "sip:ann@" in leg.request.header("from")
    leg.answer()
    back.bye()
    leg.ended(timeout=5)


def test_who_found_a_party_busy_is_called_back_when_it_is_free(exchange, phones):
    ann, ben, eve = phones
    call, leg = talk_to(ben, eve)
    finds_busy(ann, ben)
    dial(ann, "30")
    assert global_value(exchange, "ASKED").strip() == "SUCCESS"
    ann.expect_none("INVITE", timeout=1)
    call.bye()
    leg.ended(timeout=5)
    is_called_back_and_reaches(ann, ben)


def test_the_caller_must_be_free_as_well(exchange, phones):
    ann, ben, eve = phones
    call, leg = talk_to(ben, eve)
    finds_busy(ann, ben)
    dial(ann, "30")
    other = ann.invite("300")
    other.answered()
    call.bye()
    leg.ended(timeout=5)
    ann.expect_none("INVITE", timeout=1)
    other.bye()
    is_called_back_and_reaches(ann, ben)


def test_who_got_no_answer_is_called_back_after_the_next_use(exchange, phones):
    ann, ben, _ = phones
    call = ann.invite("100")
    leg = ben.wait_invite()
    leg.ring()
    leg.accept("CANCEL")
    leg.respond(487, "Request Terminated")
    call.acknowledge_failure(call.expect(lambda m: m.status is not None and m.status >= 400))
    dial(ann, "30")
    assert global_value(exchange, "ASKED").strip() == "SUCCESS"
    ann.expect_none("INVITE", timeout=1)
    use = ben.invite("300")
    use.answered()
    ann.expect_none("INVITE", timeout=1)
    use.bye()
    is_called_back_and_reaches(ann, ben)


def test_what_was_taken_back_does_not_happen(exchange, phones):
    ann, ben, eve = phones
    call, leg = talk_to(ben, eve)
    finds_busy(ann, ben)
    dial(ann, "30")
    dial(ann, "31")
    assert global_value(exchange, "CANCELLED").strip() == "SUCCESS"
    call.bye()
    leg.ended(timeout=5)
    ann.expect_none("INVITE", timeout=1)
    dial(ann, "31")
    assert global_value(exchange, "CANCELLED") == "FAIL NO_CORE_INSTANCE"


def test_only_what_both_sides_allow_is_offered_and_not_for_long(exchange, phones):
    ann, ben, _ = phones
    for number in ("101", "200"):
        finds_busy(ann, ben, number)
        dial(ann, "30")
        assert global_value(exchange, "ASKED") == "FAIL NO_CORE_INSTANCE"
    finds_busy(ann, ben)
    ann.expect_none("INVITE", timeout=2.2)  # the offer of 2 s is over
    dial(ann, "30")
    assert global_value(exchange, "ASKED") == "FAIL NO_CORE_INSTANCE"


def test_its_settings_are_bounded(exchange, phones):
    dial(phones[0], "310")
    assert global_value(exchange, "SETTINGS") == "never 7 4800 7200 5"


def test_ccss_conf_bounds_how_many_wait_at_once_from_the_next_reload(exchange, phones):
    ann, ben, eve = phones
    call, leg = talk_to(ben, eve)
    exchange.write("ccss.conf", "[general]\ncc_max_requests = 1\n")
    exchange.ask("core reload")
    for phone, asked in ((ann, "SUCCESS"), (eve, "FAIL TOO_MANY_REQUESTS")):
        finds_busy(phone, ben)
        dial(phone, "30")
        assert global_value(exchange, "ASKED").strip() == asked
    exchange.write("ccss.conf", "[general]\n")
    exchange.ask("core reload")
    finds_busy(eve, ben)
    dial(eve, "30")
    assert global_value(exchange, "ASKED").strip() == "SUCCESS"
    dial(eve, "31")
    dial(ann, "31")
    call.bye()
    leg.ended(timeout=5)
