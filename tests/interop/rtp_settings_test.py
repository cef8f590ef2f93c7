"""Settings of the media path that show on the wire: keep-alive, packet times, RTCP intervals, sources, silence."""
import random
import socket
import time

import pytest
from agent import Agent, sdp
from exchange import wait_for

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
                       ("symmetric", "rtp_symmetric = yes")])

EXTENSIONS = """\
[phones]
exten => 100,1,Answer()
 same => n,Wait(20)
exten => 101,1,Answer()
 same => n,Playtones(busy)
 same => n,Wait(20)
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
