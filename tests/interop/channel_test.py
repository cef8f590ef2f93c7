"""Our data channels beside those of aiortc, which has an SCTP of its own; the packets go over bare UDP."""
import asyncio
import os
import pathlib
import types

import pytest
from exchange import program
from side import Side

pytest.importorskip("aiortc")
from aiortc import RTCDataChannel, RTCDataChannelParameters  # noqa: E402
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport  # noqa: E402

PEER = pathlib.Path(program).parent / "tests" / "peers" / "channel_peer"
LIMIT = 20

pytestmark = pytest.mark.skipif(not PEER.exists(), reason=f"{PEER} is not built")


class Wire(asyncio.DatagramProtocol):
    """A UDP socket in the place of aiortc's DTLS."""

    state = "connected"

    def __init__(self, ice_role):
        self.transport = types.SimpleNamespace(role=ice_role)
        self.receiver = self.socket = self.peer = None
        self.came = asyncio.Queue()
        self.task = asyncio.create_task(self._deliver())

    async def _deliver(self):
        """One datagram after the other, as DTLS does it."""
        while True:
            data = await self.came.get()
            if self.receiver:
                await self.receiver._handle_data(data)

    def connection_made(self, transport):
        self.socket = transport

    def datagram_received(self, data, address):
        self.came.put_nowait(data)

    def _register_data_receiver(self, receiver):
        self.receiver = receiver

    def _unregister_data_receiver(self, receiver):
        self.receiver = None

    async def _send_data(self, data):
        self.socket.sendto(data, self.peer)


class Theirs:
    """aiortc's end: its channels, and what came on each."""

    async def start(self, ice_role, port):
        self.wire = Wire(ice_role)
        self.wire.peer = ("127.0.0.1", port)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self.wire, local_addr=("127.0.0.1", 0))
        self.port = transport.get_extra_info("sockname")[1]
        self.sctp = RTCSctpTransport(self.wire)
        self.opened, self.came, self.changed = [], [], asyncio.Event()
        self.sctp.on("datachannel", self._opened)
        return self

    def _opened(self, channel):
        self.opened.append(channel)
        self.listen(channel)
        self.changed.set()

    def listen(self, channel):
        def took(message):
            self.came.append((channel.label, message))
            self.changed.set()
        for event in ("open", "close"):
            channel.on(event, self.changed.set)
        channel.on("message", took)

    def open(self, label, **parameters):
        channel = RTCDataChannel(self.sctp, RTCDataChannelParameters(label=label, **parameters))
        self.listen(channel)
        return channel

    async def until(self, holds):
        async with asyncio.timeout(LIMIT):
            while not holds():
                self.changed.clear()
                await self.changed.wait()


def session(ice_role, then):
    """Both ends connected; aiortc numbers its channels by `ice_role`."""
    async def run():
        # aiortc as controlling side has the odd numbers: those of a DTLS server.
        ours = await Side.start(PEER, *([] if ice_role == "controlling" else ["--server"]))
        await ours.until(lambda: ours.lines)
        theirs = await Theirs().start(ice_role, int(ours.lines[0].split()[1]))
        try:
            ours.tell(f"peer {theirs.port}")
            await theirs.sctp.start(RTCSctpCapabilities(maxMessageSize=65536), 5000)
            await ours.until(lambda: "connected" in ours.lines)
            await then(ours, theirs)
        finally:
            await theirs.sctp.stop()
            theirs.wire.task.cancel()
            theirs.wire.socket.close()
            assert await ours.stop() == 0
    asyncio.run(run())


roles = pytest.mark.parametrize("ice_role", ["controlling", "controlled"])


@roles
def test_every_kind_of_message_is_echoed_whole(ice_role):
    messages = ["text", b"\x00\x01binary", "", b"", os.urandom(60000), "ä" * 1000]

    async def then(ours, theirs):
        channel = theirs.open("echo")
        await theirs.until(lambda: channel.readyState == "open")
        for message in messages:
            channel.send(message)
        await theirs.until(lambda: len(theirs.came) == len(messages))
        assert [message for _, message in theirs.came] == messages
    session(ice_role, then)


@roles
def test_a_channel_that_we_open_is_opened_there(ice_role):
    async def then(ours, theirs):
        ours.tell("open false ours")
        await theirs.until(lambda: theirs.opened)
        channel = theirs.opened[0]
        assert (channel.label, channel.ordered) == ("ours", False)
        await ours.until(lambda: any(line.startswith("opened") for line in ours.lines))
        ours.tell(f"send {channel.id} hello")
        await theirs.until(lambda: theirs.came)
        assert theirs.came == [("ours", "hello")]
    session(ice_role, then)


@roles
def test_either_side_closes_a_channel(ice_role):
    async def then(ours, theirs):
        first, second = theirs.open("first"), theirs.open("second")
        await theirs.until(lambda: first.readyState == second.readyState == "open")
        first.close()
        await theirs.until(lambda: first.readyState == "closed")
        await ours.until(lambda: f"closed {first.id}" in ours.lines)
        ours.tell(f"close {second.id}")
        await theirs.until(lambda: second.readyState == "closed")
        await ours.until(lambda: f"closed {second.id}" in ours.lines)
    session(ice_role, then)


def test_many_messages_on_several_channels_come_back_in_order():
    async def then(ours, theirs):
        channels = [theirs.open(f"c{i}") for i in range(5)]
        await theirs.until(lambda: all(channel.readyState == "open" for channel in channels))
        # In rounds, so that no socket overflows: after a loss aiortc 1.4 leaves messages lying that came
        # between those of another channel.
        for number in range(100):
            for channel in channels:
                channel.send(f"{number}".rjust(500))
            await theirs.until(lambda: len(theirs.came) == 5 * (number + 1))
        for channel in channels:
            assert [int(text) for label, text in theirs.came if label == channel.label] == list(range(100))
    session("controlling", then)
