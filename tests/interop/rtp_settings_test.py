"""Settings of the media path that show on the wire: keep-alive, packet times, RTCP intervals, sources, silence."""
import random
import socket
import time

import pytest
from agent import Agent, sdp
from exchange import wait_for
from sound import compare

OBJECTS = "".join(f"""
[{name}]
type = endpoint
context = phones
disallow = all
allow = ulaw
aors = {name}
{more}
[{name}]
type = aor
max_contacts = 1
remove_existing = yes
""" for name, more in [("kept", "rtp_keepalive = 1"), ("ptime", "use_ptime = yes"), ("plain", ""), ("timed", "rtp_timeout = 1"),
                       ("symmetric", "rtp_symmetric = yes"), ("long", "disallow = all\nallow = ulaw:40"),
                       ("law", "disallow = all\nallow = alaw:30")])

EXTENSIONS = """\
[phones]
exten => 100,1,Answer()
 same => n,Wait(20)
exten => 101,1,Answer()
 same => n,Playtones(busy)
 same => n,Wait(20)
exten => _[a-z].,1,Dial(PJSIP/${EXTEN},20)
"""


@pytest.fixture(scope="module")
def exchange(start):
    first = random.randrange(20000, 60000, 200)
    return start({"objects": OBJECTS, "extensions.conf": EXTENSIONS,
                  "rtp.conf": f"[general]\nrtpstart = {first}\nrtpend = {first + 198}\nstrictrtp = no\nprobation = 2\nrtcpinterval = 500\n"})


def call(exchange, agent, number, body=None):
    assert agent.register(expires=300).status == 200
    out = agent.invite(number, body=body)
    return out, out.answered()


def test_a_stream_that_is_silent_is_kept_alive(exchange):
    with Agent(exchange, "kept") as kept:
        out, _ = call(exchange, kept, "100")
        time.sleep(3.5)
        noise = [p for p in out.rtp.packets if p[1] == 13]
        assert 2 <= len(noise) <= 4 and all(len(p[5]) == 1 for p in noise)
        out.bye()
    with Agent(exchange, "plain") as plain:
        out, _ = call(exchange, plain, "100")
        time.sleep(1.5)
        assert not out.rtp.packets
        out.bye()


@pytest.mark.parametrize("name, ptime, size", [("ptime", 40, 320), ("ptime", 10, 80), ("ptime", 1000, 480), ("plain", 40, 160)])
def test_what_is_played_comes_in_packets_as_long_as_wanted(exchange, name, ptime, size):
    with Agent(exchange, name) as agent:
        assert agent.register(expires=300).status == 200
        rtp = agent.rtp()
        out = agent.invite("101", body=sdp(rtp.port).replace("a=sendrecv", f"a=ptime:{ptime}\r\na=sendrecv"))
        out.answered()
        time.sleep(1)
        packets = [p for p in rtp.packets if p[1] == 0]
        assert {len(p[5]) for p in packets} == {size}
        assert 0.85 < len(packets) * size / 8000 < 1.15
        steps = {(b[3] - a[3]) % 2 ** 32 for a, b in zip(packets, packets[1:])}
        assert steps == {size}
        out.bye()


@pytest.mark.parametrize("callee, asked, size, offered", [("long", None, 320, 40), ("ptime", 60, 480, 20), ("ptime", 10, 80, 20),
                                                           ("ptime", 20, 160, 20), ("plain", 40, 160, 20), ("law", None, 240, 30)])
def test_what_the_other_one_says_comes_in_packets_as_long_as_wanted(exchange, speech, tmp_path, callee, asked, size, offered):
    law = 8 if callee == "law" else 0
    with Agent(exchange, "plain" if callee != "plain" else "kept") as caller, Agent(exchange, callee) as called:
        for agent in (caller, called):
            assert agent.register(expires=300).status == 200
        out = caller.invite(callee)
        back = called.wait_invite()
        back.rtp.payload_type = law
        assert f"a=ptime:{offered}\r\n" in back.request.body.decode()
        body = sdp(back.rtp.port, formats=f"{law} 101")
        back.respond(200, "OK", body=body.replace("a=sendrecv", f"a=ptime:{asked}\r\na=sendrecv") if asked else body)
        called.expect("ACK", call_id=back.call_id)
        target = back.request.sdp()
        back.rtp.send(target.address, target.port)
        out.answered(wav=speech["a"])
        time.sleep(3.5)
        out.rtp.press("5")  # a key between the sounds
        time.sleep(0.3)
        packets = [p for p in back.rtp.packets if p[1] == law]
        assert sum(len(p[5]) == size for p in packets) > 0.95 * len(packets)
        assert [(b[2] - a[2]) & 0xffff for a, b in zip(back.rtp.packets, back.rtp.packets[1:])].count(1) == len(back.rtp.packets) - 1
        assert back.rtp.digits == ["5"]
        if law == 0:
            assert compare(speech["a"], back.rtp.heard_file(tmp_path / "heard.wav"))["similarity"] > 0.9
        # The other way nothing was asked for, and nothing is changed.
        assert {len(p[5]) for p in out.rtp.packets if p[1] == 0} == {160}
        out.bye()
        back.ended()


def test_reports_come_as_often_as_wanted(exchange):
    with Agent(exchange, "plain") as agent, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtcp:
        assert agent.register(expires=300).status == 200
        rtp = agent.rtp()
        rtcp.bind(("127.0.0.1", rtp.port + 1))
        rtcp.settimeout(0.1)
        out = agent.invite("101", body=sdp(rtp.port))
        out.answered()
        reports, until = 0, time.monotonic() + 4
        while time.monotonic() < until:
            try:
                reports += rtcp.recv(2048)[1] == 200
            except socket.timeout:
                pass
        assert 4 <= reports <= 20
        out.bye()


def test_a_party_that_falls_silent_is_hung_up_with_its_cause(exchange):
    with Agent(exchange, "timed") as timed:
        out, _ = call(exchange, timed, "101")
        time.sleep(0.5)
        out.rtp.sending = False
        bye = out.ended(timeout=4)
        assert any("cause=44" in value for value in bye.all("reason"))


def test_a_source_that_moves_is_followed_once_the_old_one_is_silent(exchange):
    with Agent(exchange, "symmetric") as agent:
        out, answer = call(exchange, agent, "101")
        time.sleep(0.5)
        out.rtp.sending = False
        other = agent.rtp()
        other.send(answer.sdp().address, answer.sdp().port)
        wait_for(lambda: len(other.packets) > 5, timeout=4, what="media to follow")
        out.bye()
