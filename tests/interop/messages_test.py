"""Text messages through the dialplan: who gets them, from whom they say they are, and what becomes of them."""
import re

import pytest
from agent import Agent
from exchange import wait_for
from house import global_value

EXTENSIONS = """\
[calls]
exten => 102,1,Dial(PJSIP/bob,10)

[hints]

[texts]
include => hints
; to the phone whose hint it is, from the number of the sender
exten => _1XX,1,Set(to=${CUT(HINT(${EXTEN}@hints),/,2)})
 same => n,Set(from=${CUT(CUT(MESSAGE(from),@,1),:,2)})
 same => n,MessageSend(pjsip:${to},${from})
 same => n,Set(GLOBAL(SENT)=${MESSAGE_SEND_STATUS})
; what is known of a message
exten => 200,1,Set(GLOBAL(TO)=${MESSAGE(to)})
 same => n,Set(GLOBAL(FROM)=${MESSAGE(from)})
 same => n,Set(GLOBAL(BODY)=${URIENCODE(${MESSAGE(body)})})
 same => n,Set(GLOBAL(SUBJECT)=${MESSAGE_DATA(X-Colour)})
 same => n,Set(GLOBAL(CAME)=${MESSAGE_DATA(PJSIP_TRANSPORT)} ${MESSAGE_DATA(PJSIP_RECVADDR)})
 same => n,Set(GLOBAL(CHANNELNAME)=${CHANNEL})
 same => n,Set(GLOBAL(LEFT)=<${left}>)
 same => n,Set(left=over)
 same => n,Set(GLOBAL(READ)=yes)
; one after the other, though the first one waits
exten => 201,1,Wait(0.4)
 same => n,Set(GLOBAL(ORDER)=${GLOBAL(ORDER)}${MESSAGE(body)})
; as the text names them
exten => 300,1,Set(GLOBAL(SENT)=)
 same => n,MessageSend(${MESSAGE(body)})
 same => n,Set(GLOBAL(SENT)=${MESSAGE_SEND_STATUS})
exten => 301,1,MessageSend(pjsip:bob,${MESSAGE(body)})
; changed on the way
exten => 302,1,Set(MESSAGE(body)=${URIDECODE(${MESSAGE(body)})})
 same => n,MessageSend(pjsip:bob/alias)
"""

WIZARD = """\
[w](!)
type = wizard
accepts_registrations = yes
accepts_auth = yes
has_hint = yes
hint_context = hints
aor/max_contacts = 1
aor/remove_existing = yes
endpoint/context = calls
endpoint/message_context = texts
endpoint/allow = !all,ulaw
""" + "".join(f"""
[{name}](w)
hint_exten = {number}
inbound_auth/username = {name}
inbound_auth/password = secret-{name}
endpoint/callerid = "{name.title()}" <{number}>
""" for name, number in (("ann", 101), ("bob", 102), ("gone", 103)))


@pytest.fixture(scope="module")
def exchange(start):
    return start({"extensions.conf": EXTENSIONS, "pjsip_wizard.conf": WIZARD})


@pytest.fixture
def pair(exchange):
    with Agent(exchange, "ann", "secret-ann") as ann, Agent(exchange, "bob", "secret-bob") as bob:
        assert ann.register().status == bob.register().status == 200
        yield ann, bob


def text(agent, number, body, kind="text/plain", headers=()):
    return agent.ask("MESSAGE", agent.uri(number), to=f"<{agent.uri(number)}>", body=body, content_type=kind, headers=headers)


def delivered(agent):
    """The next MESSAGE that comes, answered."""
    message = agent.expect(lambda m: m.is_request and m.method == "MESSAGE")
    agent.send("\r\n".join(["SIP/2.0 200 OK", *(f"{name}: {value}" for name in ("Via", "From", "To", "Call-ID", "CSeq")
                                                 for value in message.all(name)), "Content-Length: 0", "", ""]))
    return message


def sent(exchange, status):
    wait_for(lambda: global_value(exchange, "SENT") == status, 5, what=f"{status}, is {global_value(exchange, 'SENT')}")


@pytest.mark.parametrize("body", ["hello", "two\r\nlines", 'all of ";$[]{}\\', "smile \U0001F600 å", "${EPOCH}$[1+1]"])
def test_a_text_reaches_the_phone_that_it_is_for_as_it_was_written(exchange, pair, body):
    ann, bob = pair
    assert text(ann, "102", body).status == 202
    message = delivered(bob)
    assert message.body.decode() == body
    assert message.header("content-type").startswith("text/plain")
    assert re.search(r"<sip:ann@127\.0\.0\.1(:\d+)?>", message.header("from")), message.header("from")
    assert message.start.split()[1].startswith("sip:bob@")
    sent(exchange, "SUCCESS")


@pytest.mark.parametrize("number, kind, status", [
    ("102", "text/html", 415), ("102", "application/im-iscomposing+xml", 415), ("102", "text/plain;charset=UTF-8", 202),
    ("102", "TEXT/Plain", 202), ("999", "text/plain", 404)])
def test_what_cannot_be_taken_is_refused(pair, number, kind, status):
    assert text(pair[0], number, "x", kind).status == status


def test_the_dialplan_knows_all_of_a_message_and_nothing_of_the_one_before(exchange, pair):
    ann, _ = pair
    for _ in range(2):
        exchange.ask("dialplan set global READ no")
        assert text(ann, "200", "a;b\r\nc", headers=["X-Colour: red"]).status == 202
        wait_for(lambda: global_value(exchange, "READ") == "yes", 3, what="the message to be read")
        assert global_value(exchange, "LEFT") == "<>"
    assert global_value(exchange, "TO") == ann.uri("200")
    assert global_value(exchange, "FROM") == "<sip:ann@127.0.0.1>"
    assert global_value(exchange, "BODY") == "a%3Bb%0D%0Ac"
    assert global_value(exchange, "SUBJECT") == "red"
    assert global_value(exchange, "CAME") == f"UDP 127.0.0.1:{ann.port}"
    assert global_value(exchange, "CHANNELNAME") == "Message/ast_msg_queue"


def test_messages_run_one_after_the_other(exchange, pair):
    for body in "abc":
        assert text(pair[0], "201", body).status == 202
    wait_for(lambda: global_value(exchange, "ORDER") == "abc", 4, what=f"all three, {global_value(exchange, 'ORDER')}")


@pytest.mark.parametrize("destination, status", [
    ("pjsip:gone", "FAILURE"), ("pjsip:nobody", "INVALID_URI"), ("xmpp:bob", "INVALID_PROTOCOL"), ("pjsip:sip:@", "INVALID_URI")])
def test_a_message_that_cannot_be_sent_says_why(exchange, pair, destination, status):
    assert text(pair[0], "300", destination).status == 202
    sent(exchange, status)


@pytest.mark.parametrize("to", ["pjsip:bob", "pjsip:bob/sip:x@127.0.0.1:PORT", "pjsip:bob/x", "pjsip:sip:x@127.0.0.1:PORT",
                                "sip:x@127.0.0.1:PORT"])
def test_every_way_to_name_the_destination(exchange, pair, to):
    ann, bob = pair
    assert text(ann, "300", to.replace("PORT", str(bob.port))).status == 202
    user = "bob" if to == "pjsip:bob" else "x"
    assert delivered(bob).start.split()[1].startswith(f"sip:{user}@127.0.0.1:{bob.port}")
    sent(exchange, "SUCCESS")


@pytest.mark.parametrize("sender", ["0701", "0701@elsewhere.example", "sip:0701@elsewhere.example:5070",
                                    '"Some Body" <sip:0701@elsewhere.example>'])
def test_the_sender_is_the_number_given_at_our_address(pair, sender):
    ann, bob = pair
    assert text(ann, "301", sender).status == 202
    assert re.search(r"<sip:0701@127\.0\.0\.1(:\d+)?>", delivered(bob).header("from"))


def test_the_dialplan_may_change_a_message(pair):
    ann, bob = pair
    assert text(ann, "302", "gr%C3%BC%C3%9Fe%0Ab").status == 202
    message = delivered(bob)
    assert message.body.decode() == "grüße\nb"
    assert message.start.split()[1].startswith("sip:alias@")


def test_a_text_within_a_call_goes_to_the_other_one(exchange, pair):
    ann, bob = pair
    out = ann.invite("102")
    back = bob.wait_invite()
    back.answer()
    out.answered()
    answer = out.ask("MESSAGE", body="psst", content_type="text/plain")
    assert answer.status in (200, 202)
    assert back.accept("MESSAGE").body == b"psst"
    out.bye()
    back.ended()
