"""What the exchange lets others do, and how it names itself to them: options that only a peer can see at work."""
import re

import pytest
from agent import Agent
from exchange import wait_for
from house import global_value, registered_agents

OBJECTS = """
[global](+)
default_from_user = exchange
use_callerid_contact = yes
unidentified_request_count = 3
unidentified_request_period = 5
[phone](!)
type = endpoint
context = phones
disallow = all
allow = ulaw
[plain](!)
type = aor
max_contacts = 1
remove_existing = yes
[ann](phone)
aors = ann
callerid = Ann <101>
timers_min_se = 300
sub_min_expiry = 200
allow_subscribe = yes
[ann](plain)
[ben](phone)
aors = ben
callerid = Ben <102>
[ben](plain)
[follows](phone)
aors = follows
redirect_method = uri_core
[follows](plain)
[fenced](phone)
aors = fenced
contact_deny = 0.0.0.0/0
contact_permit = 127.0.0.9/32
[fenced](plain)
"""

EXTENSIONS = """\
[phones]
exten => 102,hint,PJSIP/ben
exten => 102,1,Dial(PJSIP/ben,10)
exten => 103,1,Dial(PJSIP/follows,10)
exten => 777,1,Set(GLOBAL(REDIRECTED)=${EXTEN})
 same => n,Answer()
 same => n,Wait(5)
"""


@pytest.fixture(scope="module")
def exchange(start):
    return start({"objects": OBJECTS, "extensions.conf": EXTENSIONS})


@pytest.fixture
def phones(exchange):
    with registered_agents(exchange) as make:
        yield make


def test_a_session_timer_below_the_minimum_is_refused(exchange, phones):
    (ann,) = phones("ann")
    call = ann.invite("777", headers=["Supported: timer", "Session-Expires: 120"])
    assert call.failed(422).header("min-se") == "300"
    call = ann.invite("777", headers=["Supported: timer", "Session-Expires: 300"])
    assert call.answered().header("session-expires").startswith("300")
    call.bye()


def test_a_subscription_below_the_minimum_is_refused(exchange, phones):
    (ann,) = phones("ann")
    lines = ["Event: presence", "Accept: application/pidf+xml", f"Contact: <{ann.contact}>"]
    refused = ann.ask("SUBSCRIBE", ann.uri("102"), headers=[*lines, "Expires: 150"])
    assert (refused.status, refused.header("min-expires")) == (423, "200")
    assert ann.ask("SUBSCRIBE", ann.uri("102"), headers=[*lines, "Expires: 200"]).status in (200, 202)


def test_a_contact_that_is_denied_is_not_registered(exchange):
    with Agent(exchange, "fenced") as here, Agent(exchange, "fenced", address="127.0.0.9") as there:
        assert here.register(expires=60).status == 403
        assert there.register(expires=60).status == 200
        assert here.register(f"<{there.contact}>", expires=60).status == 200, "what counts is the address it names"


def test_the_callers_number_is_in_our_contact(exchange, phones):
    ann, ben = phones("ann", "ben")
    call = ann.invite("102")
    leg = ben.wait_invite()
    assert re.match(r"sip:101@", leg.request.contact_uri())
    leg.answer()
    call.answered()
    call.bye()
    leg.ended()


def test_who_is_called_by_nobody_sees_the_default_user(exchange, phones):
    (ben,) = phones("ben")
    exchange.ask("channel originate PJSIP/ben application Wait 5")
    leg = ben.wait_invite()
    assert "<sip:exchange@" in leg.request.header("from")
    leg.respond(486, "Busy Here")


def test_a_redirection_by_user_goes_through_the_dialplan(exchange, phones):
    ann, ben = phones("ann", "ben")
    call = ann.invite("102")
    ben.wait_invite().respond(302, "Moved", [f"Contact: <sip:777@{ann.address}:{ann.port}>"])
    call.answered()
    assert global_value(exchange, "REDIRECTED") == "777"
    call.bye()
    ann.expect_none("INVITE", timeout=0.1)


def test_a_redirection_by_uri_goes_to_that_address(exchange, phones):
    ann, follows, ben = phones("ann", "follows", "ben")
    call = ann.invite("103")
    follows.wait_invite().respond(302, "Moved", [f"Contact: <sip:elsewhere@{ben.address}:{ben.port}>"])
    leg = ben.wait_invite()
    assert leg.request.start.split()[1].startswith("sip:elsewhere@")
    leg.answer()
    call.answered()
    call.bye()
    leg.ended()


def test_strangers_that_insist_are_worth_a_line(exchange):
    def lines():
        return [line for line in exchange.output().splitlines() if "none of our endpoints" in line]

    with Agent(exchange, "stranger", address="127.0.0.7") as stranger:
        for _ in range(2):
            stranger.ask("OPTIONS", authenticate=False)
        assert not lines()
        stranger.ask("OPTIONS", authenticate=False)
        (line,) = wait_for(lines, what="the line")
        assert "3 requests within 5 s" in line and "127.0.0.7" in line
