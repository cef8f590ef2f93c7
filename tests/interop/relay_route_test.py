"""Interfaces of the relay that a look-up of routes chooses: a relay with addresses in several networks, in a namespace."""
import ctypes
import os
import subprocess

import pytest
from relaying import Relay, sections

SPACE = f"strowger-test-route-{os.getpid()}"
LEFT, RIGHT, FAR = "10.81.1.20", "10.81.2.20", "10.81.3.20"  # of parties; the third is behind a gateway on the right
INTERFACES = ["lobby/10.81.0.1", "left/10.81.1.1", "right/10.81.2.1", "right/10.81.2.9"]


def run(*command, check=True):
    return subprocess.run(command, capture_output=True, text=True, check=check)


def enter(space):
    """This thread alone; os.setns is not in this Python."""
    CLONE_NEWNET = 0x40000000
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(space, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@pytest.fixture(scope="module")
def relay():
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    if run("ip", "netns", "add", SPACE, check=False).returncode:
        pytest.skip("this kernel or container allows no network namespaces")
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    space = os.open(f"/run/netns/{SPACE}", os.O_RDONLY)
    try:
        run("ip", "-n", SPACE, "link", "set", "lo", "up")
        for device, *addresses in (("d0", "10.81.0.1/24"), ("d1", "10.81.1.1/24"), ("d2", "10.81.2.1/24", "10.81.2.9/24"),
                                   ("d4", "10.81.4.1/24")):
            run("ip", "-n", SPACE, "link", "add", device, "type", "veth", "peer", "name", f"far-{device}")
            run("ip", "-n", SPACE, "link", "set", f"far-{device}", "up")
            for address in addresses:
                run("ip", "-n", SPACE, "address", "add", address, "dev", device)
            run("ip", "-n", SPACE, "link", "set", device, "up")
        run("ip", "-n", SPACE, "route", "add", "10.81.3.0/24", "via", "10.81.2.254", "src", "10.81.2.9")
        # Only what this thread opens from here on is in the namespace: the relay and its control socket.
        enter(space)
        running = Relay(interfaces=INTERFACES)
        enter(before)
        with running:
            yield running
    finally:
        enter(before)
        os.close(before)
        os.close(space)
        run("ip", "netns", "delete", SPACE, check=False)


def sdp(address, port=4000):
    return f"v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"


def begun(relay, call, caller, callee, flags=(), answer_flags=()):
    """Where the callee and the caller are told to send."""
    offer = relay.ng.call("offer", call_id=call, from_tag="f", sdp=sdp(caller), flags=list(flags))
    answer = relay.ng.call("answer", call_id=call, from_tag="f", to_tag="t", sdp=sdp(callee, 5000), flags=list(answer_flags))
    return sections(offer["sdp"])[0].address, sections(answer["sdp"])[0].address


def test_without_the_flags_it_is_the_first(relay):
    assert begun(relay, "none", LEFT, RIGHT) == ("10.81.0.1", "10.81.0.1")


@pytest.mark.parametrize("flag, far, near", [("inbound-peer", "10.81.0.1", "10.81.1.1"), ("outbound-peer", "10.81.1.1", "10.81.0.1"),
                                             ("peer", "10.81.1.1", "10.81.1.1")])
def test_each_flag_chooses_its_side(flag, far, near, relay):
    """The receiver of a first offer has said nothing yet, so that the sender's address counts for both."""
    assert begun(relay, f"side-{flag}", LEFT, RIGHT, [flag]) == (far, near)


def test_the_route_may_begin_at_another_address_of_the_name(relay):
    assert begun(relay, "second", FAR, LEFT, ["inbound-peer"]) == ("10.81.0.1", "10.81.2.9")
    assert begun(relay, "first", RIGHT, LEFT, ["inbound-peer"]) == ("10.81.0.1", "10.81.2.1")


def test_a_receiver_that_is_known_counts(relay):
    """A new offer whose sender has moved gives the other side new ports: at the interface towards that side."""
    assert begun(relay, "known", LEFT, RIGHT) == ("10.81.0.1", "10.81.0.1")
    offer = relay.ng.call("offer", call_id="known", from_tag="f", to_tag="t", sdp=sdp(LEFT, 4100), flags=["outbound-peer"])
    assert sections(offer["sdp"])[0].address == "10.81.2.1"


def test_the_choice_is_remembered_until_another_is_named(relay):
    begun(relay, "kept", LEFT, RIGHT, ["outbound-peer"])
    again = [relay.ng.call("offer", call_id="kept", from_tag="f", to_tag="t", sdp=sdp(LEFT, 4200 + 100 * i), **more)
             for i, more in enumerate(({}, {"direction": ["left", "right"]}))]
    assert [sections(each["sdp"])[0].address for each in again] == ["10.81.1.1", "10.81.2.1"]


def test_where_the_signalling_came_from_counts_if_media_goes_there(relay):
    offer = {"call_id": "sip", "from_tag": "f", "sdp": sdp(LEFT), "received_from": ["IP4", RIGHT]}
    relay.ng.call("offer", **offer, flags=["inbound-peer", "SIP source address"])
    answer = relay.ng.call("answer", call_id="sip", from_tag="f", to_tag="t", sdp=sdp(LEFT, 5000))
    assert sections(answer["sdp"])[0].address == "10.81.2.1"


@pytest.mark.parametrize("address, why", [("10.81.4.20", "begins at 10.81.4.1"), ("192.0.2.1", "begins at no address"),
                                          ("10.81.1.255", "begins at no address")])
def test_a_route_that_begins_nowhere_means_the_default_and_is_told(address, why, relay):
    before = relay.output().count(why)
    assert begun(relay, f"nowhere-{address}", address, RIGHT, ["inbound-peer"]) == ("10.81.0.1", "10.81.0.1")
    told = [line for line in relay.output().splitlines() if why in line and address in line]
    assert relay.output().count(why) == before + 1 and len(told) == 1, relay.output()[-2000:]


def test_an_address_that_says_nothing_chooses_nothing(relay):
    before = relay.output().count("the route towards")
    assert begun(relay, "held", "0.0.0.0", RIGHT, ["peer", "replace-zero-address"]) == ("10.81.0.1", "10.81.0.1")
    assert relay.output().count("the route towards") == before
