"""Two hosts and a NAT in network namespaces: a phone behind the NAT and one that is not talk both ways.

    phone a -- 10.77.0.2 [ router: masquerade ] 10.78.0.1 -- 10.78.0.2 exchange and phone b (10.78.0.3)
"""
import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from phone import Phone
from running import Running
from sound import compare

RULES = """\
table ip t {
    chain post {
        type nat hook postrouting priority 100
        oifname r1 masquerade random
    }
    chain forward {
        type filter hook forward priority 0; policy drop
        iifname r0 accept
        iifname r1 ct state established,related accept
    }
}
"""

names = [f"strowger-test-{part}-{os.getpid()}" for part in ("in", "nat", "out")]
inside, router, outside = names


def entering(space):
    """Not "ip netns exec", which wants a root directory that is a mount of its own; a chroot has none."""
    return "nsenter", f"--net=/run/netns/{space}"


def run(*command, check=True):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, check=check)


def within(space, *command):
    return run(*entering(space), *command)


@pytest.fixture(scope="module")
def network():
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    if not shutil.which("nft"):
        pytest.skip("nft is not installed")
    if run("ip", "netns", "add", inside, check=False).returncode:
        pytest.skip("this kernel or container allows no network namespaces")
    try:
        for name in (router, outside):
            run("ip", "netns", "add", name)
        run("ip", "link", "add", "a0", "netns", inside, "type", "veth", "peer", "name", "r0", "netns", router)
        run("ip", "link", "add", "b0", "netns", outside, "type", "veth", "peer", "name", "r1", "netns", router)
        for space, device, *addresses in ((inside, "a0", "10.77.0.2/24"), (router, "r0", "10.77.0.1/24"),
                                          (router, "r1", "10.78.0.1/24"), (outside, "b0", "10.78.0.2/24", "10.78.0.3/24")):
            for address in addresses:
                within(space, "ip", "address", "add", address, "dev", device)
            within(space, "ip", "link", "set", device, "up")
            within(space, "ip", "link", "set", "lo", "up")
        within(inside, "ip", "route", "add", "default", "via", "10.77.0.1")
        within(router, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        done = subprocess.run([*entering(router), "nft", "-f", "-"], input=RULES, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"this kernel has no NAT: {done.stderr.strip()}")
        yield
    finally:
        for name in names:
            run("ip", "netns", "del", name, check=False)


class Commanded(Phone):
    """Its control port listens in its own namespace, so commands go through a process there."""

    def __init__(self, *arguments, space, **options):
        self.space = space
        super().__init__(*arguments, prefix=entering(space), **options)

    def command(self, name, parameters=""):
        text = json.dumps({"command": name, "params": parameters, "token": "1"})
        code = ("import socket,sys,time\n"
                f"deadline = time.monotonic() + 10\n"
                "while True:\n"
                "    try:\n"
                f"        link = socket.create_connection(('127.0.0.1', {self.control}), 5)\n"
                "        break\n"
                "    except OSError:\n"
                "        if time.monotonic() > deadline: raise\n"
                "        time.sleep(0.05)\n"
                "link.sendall(sys.argv[1].encode())\n"
                "link.recv(65536)\n")
        within(self.space, sys.executable, "-c", code, f"{len(text)}:{text},")


@pytest.mark.parametrize("caller", ["inside", "outside"])
def test_a_phone_behind_a_nat_talks_with_one_that_is_not(network, speech, tmp_path, caller):
    exchange = Running(tmp_path / "exchange", {}, shipped=True, address="10.78.0.2", prefix=entering(outside))
    phones = []
    try:
        for name, space, address, voice in (("alice", inside, "10.77.0.2", "a"), ("bob", outside, "10.78.0.3", "b")):
            called = (name == "bob") == (caller == "inside")
            phones.append(Commanded(tmp_path / name, name, 5070, exchange.server, f"change-me-{name}", speech[voice],
                                    ";answermode=auto" if called else "", address=address, rtp="30000-30100", space=space))
        alice, bob = phones
        exchange.wait_registered("alice", "bob")
        assert "@10.78.0.1:" in exchange.contacts()["alice"][0]  # where the NAT put it, not where it thinks it is
        (alice if caller == "inside" else bob).command("dial", "102" if caller == "inside" else "101")
        exchange.wait_call("up")
        time.sleep(4.5)
        (alice if caller == "inside" else bob).command("hangup")
        trace = exchange.wait_call("ended")
        for phone in phones:
            phone.stop()
        assert compare(speech["a"], bob.heard())["similarity"] > 0.95
        assert compare(speech["b"], alice.heard())["similarity"] > 0.95
        assert all(m["packets"] > 150 for m in trace["media"]), trace["media"]
    finally:
        for phone in phones:
            if phone.process.poll() is None:
                phone.stop()
        assert exchange.close() == 0
