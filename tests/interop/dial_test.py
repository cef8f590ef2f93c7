"""Dial and what the two legs tell each other: outcomes and causes, servers behind a name, who calls and who answers."""
import os
import socket
import subprocess
import time

import pytest
from agent import Agent, Call
from exchange import wait_for
from house import global_value, registered_agents

NAMES = {"carol": (103, ""), "dave": (104, "suppress_q850_reason_headers = no"),
         "hidden": (105, "callerid_privacy = prohib_not_screened"),
         "trusted": (106, "trust_id_inbound = yes\ntrust_id_outbound = yes\nsend_pai = yes\nsend_rpid = yes\nuser_eq_phone = yes"),
         "told": (107, "send_pai = yes\nrpid_immediate = yes"),
         "plain": (108, "send_diversion = no"),
         "hearing": (109, "inband_progress = yes"), "believed": (None, "trust_id_inbound = yes"), "doubted": (None, "")}

OBJECTS = """
[system]
type = system
timer_t1 = 100
timer_b = 1500
[phone](!)
type = endpoint
context = phones
disallow = all
allow = ulaw,alaw
[pool](phone)
aors = pool
[pool]
type = aor
contact = sip:pool@pool.invalid:{pool}
[bare](!)
type = aor
max_contacts = 1
remove_existing = yes
""" + "".join(f"\n[{name}](phone)\naors = {name}\n" + (f'callerid = "{name.title()}" <{number}>\n' if number else "") + f"{more}\n[{name}](bare)\n"
              for name, (number, more) in NAMES.items())

EXTENSIONS = """\
[phones]
exten => 200,1,Dial(PJSIP/pool,10)
 same => n,Set(GLOBAL(OUTCOME)=${DIALSTATUS}/${HANGUPCAUSE})
 same => n,Hangup()
exten => 300,1,Dial(PJSIP/dave&PJSIP/told,10,c)
exten => _1XX,1,Dial(PJSIP/${IF($["${EXTEN}"="103"]?carol:${IF($["${EXTEN}"="104"]?dave:${IF($["${EXTEN}"="106"]?trusted:told)})})},10)
 same => n,Set(GLOBAL(OUTCOME)=${DIALSTATUS}/${HANGUPCAUSE})
 same => n,Hangup()
exten => 400,1,Ringing()
 same => n,Wait(1)
 same => n,Answer()
 same => n,Wait(5)
"""


@pytest.fixture(scope="module")
def exchange(start, tmp_path_factory):
    """With a name that stands for three addresses, in a hosts file of its own where that can be."""
    own_hosts = os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0
    hosts = tmp_path_factory.mktemp("hosts") / "hosts"
    hosts.write_text("127.0.0.1 localhost\n127.0.0.2 pool.invalid\n127.0.0.3 pool.invalid\n127.0.0.4 pool.invalid\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.2", 0))
        pool = free.getsockname()[1]
    return start({"objects": OBJECTS, "extensions.conf": EXTENSIONS}, pool=pool,
                 own_hosts=own_hosts, prefix=("unshare", "-m", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh")
                 if own_hosts else ())


@pytest.fixture
def phones(exchange):
    with registered_agents(exchange) as make:
        yield make


# What a leg answers -> DIALSTATUS, HANGUPCAUSE, and what the caller gets from Hangup().
ANSWERS = [(404, "CHANUNAVAIL", 1, 404), (485, "CHANUNAVAIL", 1, 404), (604, "CHANUNAVAIL", 1, 404),
           (486, "BUSY", 17, 486), (600, "BUSY", 17, 486), (408, "NOANSWER", 18, 408), (480, "NOANSWER", 19, 480),
           (483, "NOANSWER", 19, 480), (401, "CHANUNAVAIL", 21, 403), (403, "CHANUNAVAIL", 21, 403),
           (407, "CHANUNAVAIL", 21, 403), (603, "CHANUNAVAIL", 21, 403), (410, "CHANUNAVAIL", 22, 410),
           (502, "CHANUNAVAIL", 27, 502), (484, "CHANUNAVAIL", 28, 484), (501, "CHANUNAVAIL", 29, 501),
           (503, "CONGESTION", 34, 503), (580, "CONGESTION", 34, 503), (500, "CONGESTION", 38, 500),
           (488, "CHANUNAVAIL", 58, 488), (606, "CHANUNAVAIL", 58, 488), (504, "CONGESTION", 102, 504),
           (420, "CHANUNAVAIL", 127, 500), (699, "CHANUNAVAIL", 127, 500)]


@pytest.mark.parametrize("status, dialstatus, cause, final", ANSWERS)
def test_a_refusal_has_its_dialstatus_and_cause(exchange, phones, status, dialstatus, cause, final):
    carol, dave = phones("carol", "dave")
    out = carol.invite("104")
    challenge = {401: ["WWW-Authenticate"], 407: ["Proxy-Authenticate"]}.get(status, [])
    dave.wait_invite().respond(status, "No", [f'{name}: Digest realm="r", nonce="n"' for name in challenge])
    answer = out.expect(lambda m: m.status is not None and m.status >= 300)
    out.acknowledge_failure(answer)
    assert (global_value(exchange, "OUTCOME"), answer.status) == (f"{dialstatus}/{cause}", final)
    assert any(f"Q.850;cause={cause};" in value for value in answer.all("reason"))


def test_a_reason_in_the_refusal_counts_for_more_than_its_status(exchange, phones):
    carol, dave = phones("carol", "dave")
    out = carol.invite("104")
    dave.wait_invite().respond(500, "No", ['Reason: Q.850;cause=17;text="User busy"'])
    answer = out.expect(486)
    out.acknowledge_failure(answer)
    assert global_value(exchange, "OUTCOME") == "BUSY/17"


def test_who_loses_the_race_is_told_that_it_was_answered_elsewhere(exchange, phones):
    carol, dave, told = phones("carol", "dave", "told")
    out = carol.invite("300")
    loser, winner = dave.wait_invite(), told.wait_invite()
    loser.ring()
    winner.answer()
    out.answered()
    cancel = loser.accept("CANCEL")
    assert cancel.all("reason") == ['SIP;cause=200;text="Call completed elsewhere"', 'Q.850;cause=26;text="Answered elsewhere"']
    loser.respond(487, "Request Terminated")
    out.bye()
    winner.ended()


# --- servers behind a name

@pytest.fixture
def servers(exchange):
    """Agents at the three addresses of pool.invalid; the exchange tries them in the order of the file."""
    if not exchange.fields["own_hosts"]:
        pytest.skip("a hosts file of its own needs root and mount namespaces")
    made = [Agent(exchange, "pool", address=f"127.0.0.{n}", source_port=exchange.fields["pool"]) for n in (2, 3, 4)]
    yield made
    for agent in made:
        agent.settle()
        agent.close()


def test_the_next_server_is_tried_after_503_and_after_silence(exchange, phones, servers):
    (carol,) = phones("carol")
    out = carol.invite("200")
    asked = []

    def next_server():
        for agent in servers:
            if agent not in asked and (request := agent.receive(0.05)) and request.method == "INVITE":
                asked.append(agent)
                return Call.incoming(agent, request)
        return None

    first = wait_for(next_server, what="the first server to be asked")
    first.respond(503, "Full")
    wait_for(next_server, what="the second server to be asked")  # and says nothing
    third = wait_for(next_server, timeout=8, what="the third server to be asked")
    assert third.request.call_id == first.request.call_id
    third.answer()
    out.answered()
    out.bye()
    third.ended()


def test_a_server_that_refuses_is_believed(exchange, phones, servers):
    (carol,) = phones("carol")
    out = carol.invite("200")
    request = wait_for(lambda: next((Call.incoming(a, r) for a in servers if (r := a.receive(0.05)) and r.method == "INVITE"), None),
                       what="a server to be asked")
    request.respond(486, "Busy Here")
    out.acknowledge_failure(out.expect(486))
    assert global_value(exchange, "OUTCOME") == "BUSY/17"
    time.sleep(0.3)
    assert all(agent.receive(0.05) is None or agent is request.agent for agent in servers)


def test_when_all_servers_fail_the_call_fails(exchange, phones, servers):
    (carol,) = phones("carol")
    out = carol.invite("200")
    for _ in range(3):
        request = wait_for(lambda: next((Call.incoming(a, r) for a in servers if (r := a.receive(0.05)) and r.method == "INVITE"), None),
                           what="a server to be asked")
        request.respond(503, "Full")
    out.acknowledge_failure(out.expect(503, timeout=8))
    assert global_value(exchange, "OUTCOME") == "CONGESTION/34"


# --- who calls

def test_a_caller_that_hides_is_hidden_from_those_who_are_not_trusted(exchange, phones):
    hidden, dave = phones("hidden", "dave")
    out = hidden.invite("104")
    back = dave.wait_invite()
    assert "<sip:anonymous@anonymous.invalid>" in back.request.header("from")
    assert back.request.header("privacy") == "id"
    assert b"105" not in back.request.raw.split(b"\r\n\r\n")[0].replace(b"104", b"")
    back.answer()
    out.answered()
    out.bye()
    back.ended()


def test_a_trusted_phone_is_told_who_hides_and_that_he_does(exchange, phones):
    hidden, trusted = phones("hidden", "trusted")
    out = hidden.invite("106")
    back = trusted.wait_invite()
    assert "anonymous" in back.request.header("from")
    assert back.request.header("p-asserted-identity").startswith('"Hidden" <sip:105@')
    assert ";user=phone>" in back.request.header("p-asserted-identity")
    assert ";party=calling;privacy=full;screen=no" in back.request.header("remote-party-id")
    back.answer()
    out.answered()
    out.bye()
    back.ended()


@pytest.mark.parametrize("header", ["P-Asserted-Identity: \"Nine\" <sip:999@x.invalid>", "Remote-Party-ID: <sip:999@x.invalid>;privacy=off"])
def test_only_a_trusted_phone_is_believed_who_it_is(exchange, phones, header):
    believed, doubted, dave = phones("believed", "doubted", "dave")
    for caller, shown in ((believed, "<sip:999@"), (doubted, "<sip:doubted@")):
        out = caller.invite("104", headers=[header])
        back = dave.wait_invite()
        assert shown in back.request.header("from")
        back.respond(486, "Busy Here")
        out.failed(486)


def test_ringing_and_the_answer_say_who_is_called(exchange, phones):
    told, dave = phones("told", "dave")
    out = told.invite("104")
    back = dave.wait_invite()
    back.ring()
    assert out.expect(180).header("p-asserted-identity").startswith('"Dave" <sip:104@')
    back.answer()
    answer = out.answered()
    assert answer.header("p-asserted-identity").startswith('"Dave" <sip:104@')
    out.bye()
    back.ended()


# --- calls that are sent on

def test_a_redirected_call_says_by_whom_and_the_caller_hears_of_it(exchange, phones):
    carol, dave, told = phones("carol", "dave", "told")
    out = carol.invite("104")
    dave.wait_invite().respond(302, "Moved", [f"Contact: <sip:107@{exchange.server}>"])
    forwarded = out.expect(181)
    assert "<sip:104@" in forwarded.header("diversion") and "reason=unconditional" in forwarded.header("diversion")
    back = told.wait_invite()
    assert back.request.header("diversion").startswith('"Dave" <sip:104@')
    assert "reason=unconditional;counter=1;privacy=off" in back.request.header("diversion")
    back.answer()
    out.answered()
    out.bye()
    back.ended()


def test_who_may_not_know_hears_of_no_diversion(exchange, phones):
    plain, dave, told = phones("plain", "dave", "told")
    out = plain.invite("104")
    dave.wait_invite().respond(302, "Moved", [f"Contact: <sip:107@{exchange.server}>"])
    back = told.wait_invite()
    back.ring()
    first = out.expect(lambda m: m.status is not None and 101 <= m.status < 200)
    assert first.status == 180
    back.answer()
    out.answered()
    out.bye()
    back.ended()


def test_a_diversion_that_came_with_a_call_goes_on_with_it(exchange, phones):
    carol, dave = phones("carol", "dave")
    out = carol.invite("104", headers=["Diversion: <sip:555@x.invalid>;reason=no-answer;counter=2"])
    back = dave.wait_invite()
    assert "<sip:555@" in back.request.header("diversion") and "reason=no-answer;counter=2" in back.request.header("diversion")
    back.answer()
    out.answered()
    out.bye()
    back.ended()


def test_a_phone_that_wants_to_hear_ringing_gets_sound(exchange, phones):
    (hearing,) = phones("hearing")
    out = hearing.invite("400")
    progress = out.expect(183)
    offer = progress.sdp()
    out.rtp.send(offer.address, offer.port)
    time.sleep(0.6)
    assert any(set(p[5]) != {0xff} for p in out.rtp.voice_packets())
    assert not [line for line in hearing.log if " 180 " in line]
    out.answered()
    out.bye()


# --- requests that are no good

def test_a_call_that_comes_by_two_ways_is_taken_once(exchange, phones):
    carol, dave = phones("carol", "dave")
    out = carol.invite("104")
    back = dave.wait_invite()
    copy = carol.build("INVITE", out.target, out.call_id, out.invite_cseq, out.local, out.remote, [f"Contact: <{carol.contact}>"],
                       out.offer)
    carol.send(copy)
    merged = out.expect(482)
    carol.send(carol.build("ACK", out.target, out.call_id, out.invite_cseq, out.local, merged.header("to"),
                           branch=merged.header("via").split("branch=")[1].split(";")[0]))
    back.answer()
    out.answered()
    out.bye()
    back.ended()


@pytest.mark.parametrize("text, status", [
    ("INVITE sip:user@example.com SIP/2.0\r\nCSeq: 193942 INVITE\r\nVia: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf\r\n"
     "Content-Type: application/sdp\r\nl: 0\r\n\r\n", 400),  # RFC 4475 section 3.3.1
    ("INVITE sip:user@example.com SIP/2.0\r\nTo: sip:j.user@example.com\r\nFrom: sip:caller@example.net;tag=134161461246\r\n"
     "Max-Forwards: 7\r\nCall-ID: badinv01.0ha0isndaksdjasdf3234nas\r\nCSeq: 8 INVITE\r\nVia: SIP/2.0/UDP 192.0.2.15;;,;,,\r\n"
     "Contact: \"Joe\" <sip:joe@example.org>;;;;\r\nContent-Length: 0\r\n\r\n", 400),  # 3.1.2.1
    ("OPTIONS sip:t.watson@example.org SIP/7.0\r\nVia: SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw\r\nMax-Forwards: 70\r\n"
     "From: A. Bell <sip:a.g.bell@example.com>;tag=qweoiqpe\r\nTo: T. Watson <sip:t.watson@example.org>\r\n"
     "Call-ID: badvers.31417@c.example.com\r\nCSeq: 1 OPTIONS\r\nl: 0\r\n\r\n", 505),  # 3.1.2.16
], ids=["insuf", "badinv01", "badvers"])
def test_a_torturous_request_gets_an_answer(exchange, text, status):
    with Agent(exchange, "nobody") as agent:
        agent.send(text)
        assert agent.expect(status).status == status


def test_publish_is_of_no_event_here(exchange, phones):
    (carol,) = phones("carol")
    assert carol.ask("PUBLISH", uri=carol.uri("103"), headers=["Event: presence", "Expires: 60"]).status == 489
