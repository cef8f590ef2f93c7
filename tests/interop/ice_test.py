"""Our ICE agent on real sockets beside aioice and libnice: both roles, full and lite, and a STUN server."""
import asyncio
import os
import pathlib
import shutil
import socket
import subprocess
import time

import pytest
from exchange import program
from side import Side

aioice = pytest.importorskip("aioice")
import aioice.ice  # noqa: E402

LIBNICE = pathlib.Path(__file__).with_name("libnice_peer.py")
PEER = pathlib.Path(program).parent / "tests" / "peers" / "ice_peer"
LIMIT = 10  # seconds, for what should take a fraction of one

pytestmark = pytest.mark.skipif(not PEER.exists(), reason=f"{PEER} is not built")


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch):
    """aioice would leave loopback out, and take all else."""
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])


class IceSide(Side):
    """One side of an ICE session, in a program that speaks the lines of tests/peers/ice_peer.cpp."""

    @classmethod
    async def start(cls, *command):
        self = await super().start(*command)
        await self.until(lambda: "gathered" in self.lines and self.said("credentials"))
        return self

    @property
    def credentials(self):
        return self.said("credentials")[-1].split()

    @property
    def candidates(self):
        return [line for line in self.lines if line.startswith("candidate:")]

    @property
    def events(self):
        return self.said("event")

    @property
    def data(self):
        return self.said("data")

    async def event(self, kind):
        await self.until(lambda: any(event.startswith(kind) for event in self.events))

    def meet(self, ufrag, pwd, candidates, lite=False):
        self.tell(f"remote {ufrag} {pwd}" + (" lite" if lite else ""), *candidates, "end")

    async def role(self):
        before = len(self.said("role"))
        self.tell("role")
        await self.until(lambda: len(self.said("role")) > before)
        return self.said("role")[-1]


async def meet_aioice(ours, theirs, lite=False):
    """Both know each other; each then hears what the other sends."""
    await theirs.gather_candidates()
    theirs.remote_username, theirs.remote_password = ours.credentials
    theirs.remote_is_lite = lite
    for line in ours.candidates:
        await theirs.add_remote_candidate(aioice.Candidate.from_sdp(line.removeprefix("candidate:")))
    await theirs.add_remote_candidate(None)
    ours.meet(theirs.local_username, theirs.local_password,
              [f"candidate:{candidate.to_sdp()}" for candidate in theirs.local_candidates])
    await asyncio.wait_for(theirs.connect(), LIMIT)
    await ours.event("selected")
    await exchange_data(ours, theirs)


async def exchange_data(ours, theirs):
    await theirs.send(b"hello from aioice")
    await ours.until(lambda: "hello from aioice" in ours.data)
    ours.tell("send hello from us")
    assert await asyncio.wait_for(theirs.recv(), LIMIT) == b"hello from us"


def session(options, controlling, components=1, lite=False, then=None):
    async def run():
        ours = await IceSide.start(PEER, *options)
        theirs = aioice.Connection(ice_controlling=controlling, components=components)
        try:
            await meet_aioice(ours, theirs, lite)
            if then:
                await then(ours, theirs)
        finally:
            await theirs.close()
            assert await ours.stop() == 0
    asyncio.run(run())


@pytest.mark.parametrize("options,controlling,lite", [
    pytest.param([], True, False, id="aioice-controls"),
    pytest.param(["--triggered"], True, False, id="aioice-controls-and-we-check-in-return"),
    pytest.param(["--controlling"], False, False, id="we-control"),
    pytest.param(["--lite"], True, True, id="aioice-controls-and-we-are-lite"),
    pytest.param(["--controlling"], True, False, id="both-believe-to-control"),
    pytest.param([], False, False, id="neither-believes-to-control"),
])
def test_aioice_connects_and_data_flows(options, controlling, lite):
    session(options, controlling, lite=lite)


@pytest.mark.parametrize("controlling", [True, False])
def test_two_components_with_aioice(controlling):
    async def both(ours, theirs):
        await ours.until(lambda: len([e for e in ours.events if e.startswith("selected")]) == 2)
        await theirs.sendto(b"on the second", 2)
        await ours.until(lambda: "on the second" in ours.data)
    session(["--components", "2"] + ([] if controlling else ["--controlling"]), controlling, components=2, then=both)


def test_a_role_conflict_with_aioice_leaves_one_in_control():
    async def one_controls(ours, theirs):
        assert (await ours.role() == "controlling") != theirs.ice_controlling
    session(["--controlling"], True, then=one_controls)
    session([], False, then=one_controls)


def test_consent_goes_on_both_ways_with_aioice():
    async def idle(ours, theirs):
        await asyncio.sleep(13)  # two checks of each side
        await exchange_data(ours, theirs)
        assert not [event for event in ours.events if event.startswith("consent-lost")]
    session([], True, then=idle)


def libnice_session(our_options, its_options, then=None):
    pytest.importorskip("gi")
    async def run():
        ours = await IceSide.start(PEER, *our_options)
        theirs = await IceSide.start("/usr/bin/python3", LIBNICE, *its_options)
        try:
            ours.meet(*theirs.credentials, theirs.candidates, lite="--lite" in its_options)
            theirs.meet(*ours.credentials, ours.candidates)
            for side in (ours, theirs):
                await side.event("selected")
            theirs.tell("send hello from libnice")
            await ours.until(lambda: "hello from libnice" in ours.data)
            ours.tell("send hello from us")
            await theirs.until(lambda: "hello from us" in theirs.data)
            if then:
                await then(ours, theirs)
        finally:
            assert await theirs.stop() == 0
            assert await ours.stop() == 0
    asyncio.run(run())


@pytest.mark.parametrize("ours,its", [
    pytest.param([], ["--controlling"], id="libnice-nominates-aggressively"),
    pytest.param([], ["--controlling", "--regular"], id="libnice-nominates-regularly"),
    pytest.param(["--triggered"], ["--controlling"], id="we-check-in-return-only"),
    pytest.param(["--controlling"], [], id="we-control"),
    pytest.param(["--lite"], ["--controlling"], id="we-are-lite"),
    pytest.param(["--controlling"], ["--lite"], id="libnice-is-lite"),
    pytest.param(["--controlling"], ["--controlling"], id="both-believe-to-control"),
    pytest.param([], [], id="neither-believes-to-control"),
])
def test_libnice_connects_and_data_flows(ours, its):
    libnice_session(ours, its)


def test_two_components_with_libnice():
    async def both(ours, theirs):
        for side in (ours, theirs):
            await side.until(lambda: len([e for e in side.events if e.startswith("selected")]) >= 2)
    libnice_session(["--controlling", "--components", "2"], ["--components", "2"], both)


def wait_until_it_answers(port):
    binding_request = bytes.fromhex("000100002112a442") + bytes(12)  # RFC 8489 section 5
    deadline = time.monotonic() + LIMIT
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.1)
        while time.monotonic() < deadline:
            client.sendto(binding_request, ("127.0.0.1", port))
            try:
                client.recv(1500)
                return
            except (TimeoutError, ConnectionRefusedError):
                time.sleep(0.05)
    raise AssertionError("the STUN server does not answer")


@pytest.fixture(scope="module")
def turnserver(tmp_path_factory):
    if not shutil.which("turnserver"):
        pytest.skip("coturn is not installed")
    folder = tmp_path_factory.mktemp("turnserver")
    port = 43478
    running = subprocess.Popen(
        ["turnserver", "-n", "--stun-only", "--listening-ip=127.0.0.1", f"--listening-port={port}", "--no-tls",
         "--no-dtls", "--no-cli", "--no-rfc5780", f"--pidfile={folder}/pid", "--log-file=stdout"],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=dict(os.environ, HOME=str(folder)))
    wait_until_it_answers(port)
    yield f"127.0.0.1:{port}"
    running.terminate()
    running.wait(LIMIT)


def test_a_stun_server_tells_us_how_we_are_seen(turnserver):
    async def run():
        ours = await IceSide.start(PEER, "--stun", turnserver, "--announce", "192.0.2.1")
        reflexive = [line for line in ours.candidates if " typ srflx " in line]
        assert len(reflexive) == 1, ours.lines
        port = ours.candidates[0].split()[5]
        assert f" 127.0.0.1 {port} typ srflx raddr 192.0.2.1 rport {port}" in reflexive[0]
        assert await ours.stop() == 0
    asyncio.run(run())
