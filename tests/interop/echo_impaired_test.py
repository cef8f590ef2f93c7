"""The echo server behind a bad network, with our client and aiortc at the other end."""
import asyncio
import re

import pytest
from echo_running import EchoServer, client
from impaired_network import ImpairedNetwork, Weather

aiortc_peer = pytest.importorskip("aiortc_peer")
RTCPeerConnection = aiortc_peer.RTCPeerConnection

STORM = Weather(loss=0.2, duplication=0.1, delay=0.005, jitter=0.02)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = EchoServer(tmp_path_factory.mktemp("echo"))
    yield running
    assert running.stop() == 0, running.output()


@pytest.mark.parametrize("seed", range(1, 6))
def test_a_fifth_lost_each_way_our_client_connects_within_three_seconds(server, seed):
    with ImpairedNetwork(server.url, STORM, seed * 100) as network:
        status, said = client("-s", network.url, "-t", 0)
    assert status == 0, said
    assert float(re.search(r"connected after ([\d.]+) ms", said)[1]) <= 3000


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_fifth_lost_each_way_the_channel_s_text_comes_back(server, seed):
    with ImpairedNetwork(server.url, STORM, seed * 100) as network:
        status, said = client("-s", network.url, "-t", 1)
    assert status == 0, said


def test_of_sound_only_what_the_network_lost_is_missing(server):
    with ImpairedNetwork(server.url, STORM, 7) as network:
        status, said = client("-s", network.url, "-t", 2, "--media-time", 4, "--max-loss", 50)
    assert status == 0, said
    assert ", 0 changed" in said
    lost = float(re.search(r"lost \(([\d.]+) %\)", said)[1])
    assert 15 <= lost <= 50, said  # 0.8 of 0.8 come back, and some of the lost are asked for again


def test_a_fifth_lost_each_way_aiortc_s_messages_come_back_in_order(server):
    """Of every session, whatever was lost. aiortc waits 3 s after each loss in its set-up of SCTP, so at the same time."""
    messages = [f"message {number}" for number in range(10)]
    with ImpairedNetwork(server.url, STORM, 48) as network:
        async def all_of_them():
            return await asyncio.gather(
                *(aiortc_peer.channel_client(network.url, messages, patience=90, connecting=60) for _ in range(8)))
        assert asyncio.run(all_of_them()) == [messages] * 8


def test_aiortc_s_channel_goes_on_when_a_nat_has_given_it_another_port(server):
    """Its next check of consent, after 4 to 6 s, comes from there; 2 s later we follow, and SCTP asks again after 2 s."""
    async def across(network):
        peer = RTCPeerConnection()
        channel, opened, came = peer.createDataChannel("echo"), asyncio.Event(), asyncio.Queue()
        channel.on("open", opened.set)
        channel.on("message", came.put_nowait)
        try:
            await aiortc_peer.connect(peer, network.url)
            await asyncio.wait_for(opened.wait(), 10)
            channel.send("before")
            assert await asyncio.wait_for(came.get(), 5) == "before"
            network.rebind()
            channel.send("after")
            assert await asyncio.wait_for(came.get(), 20) == "after"
            channel.send("and on")
            assert await asyncio.wait_for(came.get(), 5) == "and on"
        finally:
            await peer.close()

    with ImpairedNetwork(server.url, Weather(delay=0.005), 17) as network:
        asyncio.run(across(network))


def test_disorder_and_duplicates_lose_aiortc_no_sound(server):
    weather = Weather(duplication=0.2, delay=0.005, jitter=0.01)
    with ImpairedNetwork(server.url, weather, 13) as network:
        came = asyncio.run(aiortc_peer.media_client(network.url, picture=False, frames=30))
    assert len(came["audio"]) == 30
