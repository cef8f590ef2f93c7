"""Interfaces by the way to somebody's address, in a network with two of them."""
import json
import os
import subprocess

import pytest
from exchange import program

SPACE = "strowger-peers"
ENTER = ["nsenter", f"--net=/run/netns/{SPACE}"]

# Asks and prints the answers, from inside.
ASK = """
import json, socket, sys
ng = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ng.settimeout(1)
ng.connect(("127.0.0.1", 2223))
def ask(request):
    for attempt in range(20):
        try:
            ng.send(b"c%d " % id(request) + json.dumps(request).encode())
            return json.loads(ng.recv(65536).split(b" ", 1)[1])
        except OSError:
            import time; time.sleep(0.1)
    raise SystemExit("no answer")
print(json.dumps([ask(request) for request in json.loads(sys.stdin.read())]))
"""


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    if os.geteuid() != 0 or subprocess.run(["ip", "netns", "add", SPACE], capture_output=True).returncode:
        pytest.skip("network namespaces are not allowed here")
    log = tmp_path_factory.mktemp("peers") / "log"
    try:
        for command in ("ip link set lo up", "ip link add v0 type veth peer name v1", "ip link add w0 type veth peer name w1",
                        "ip address add 10.79.1.1/24 dev v0", "ip address add 10.79.2.1/24 dev w0",
                        "ip -6 address add 2001:db8::1/64 dev w0 nodad", "ip link set v0 up", "ip link set v1 up", "ip link set w0 up",
                        "ip link set w1 up", "ip address add 10.79.3.1/24 dev v0", "ip route add 198.51.100.0/24 via 10.79.2.9"):
            subprocess.run([*ENTER, *command.split()], check=True)
        with open(log, "w") as out:
            relay = subprocess.Popen([*ENTER, program, "relay", "--config-file=none", "--listen-ng=127.0.0.1:2223", "--port-min=30000",
                                      "--port-max=30199", "--interface=one/10.79.1.1", "--interface=two/10.79.2.1!203.0.113.2",
                                      "--interface=two/2001:db8::1"], stderr=out)

        def run(*requests):
            done = subprocess.run([*ENTER, "/usr/bin/python3", "-c", ASK], input=json.dumps(requests), capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr + log.read_text()
            return json.loads(done.stdout)
        try:
            run.log = log
            yield run
        finally:
            relay.terminate()
            assert relay.wait(10) == 0, log.read_text()
    finally:
        subprocess.run(["ip", "netns", "delete", SPACE])


def sdp(address):
    family = "IP6" if ":" in address else "IP4"
    return f"v=0\r\no=- 1 1 IN {family} {address}\r\ns=-\r\nc=IN {family} {address}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


def call(ask, name, at_offer=None, at_answer=None):
    """Addresses towards the callee and towards the caller."""
    offer, answer = ask({"command": "offer", "call-id": name, "from-tag": "f", "sdp": sdp("10.79.1.9"), **(at_offer or {})},
                        {"command": "answer", "call-id": name, "from-tag": "f", "to-tag": "t", "sdp": sdp("10.79.1.8"), **(at_answer or {})})
    return [next(line for line in reply["sdp"].splitlines() if line.startswith("c=")).split()[-1] for reply in (offer, answer)]


def test_without_a_peer_it_is_the_first(ask):
    assert call(ask, "none") == ["10.79.1.1", "10.79.1.1"]


def test_towards_the_receiver_the_sender_or_both(ask):
    assert call(ask, "out", {"outbound-peer": "10.79.2.9"}) == ["203.0.113.2", "10.79.1.1"]
    assert call(ask, "in", {"inbound-peer": "10.79.2.9"}) == ["10.79.1.1", "203.0.113.2"]
    assert call(ask, "both", {"flags": ["peer=10.79.2.9"]}) == ["203.0.113.2", "203.0.113.2"]


def test_by_the_route_and_not_by_the_network(ask):
    assert call(ask, "routed", {"outbound-peer": "198.51.100.77"})[0] == "203.0.113.2"


def test_its_family_counts(ask):
    assert call(ask, "six", {"outbound-peer": "2001:db8::77"}) == ["2001:db8::1", "10.79.1.1"]


def test_where_no_interface_has_the_way_nothing_changes(ask):
    assert call(ask, "lost", {"outbound-peer": "203.0.113.99"}) == ["10.79.1.1", "10.79.1.1"]  # no route
    assert "the route towards 203.0.113.99 begins at no address" in ask.log.read_text()
    assert call(ask, "word", {"outbound-peer": "nowhere at all"}) == ["10.79.1.1", "10.79.1.1"]
