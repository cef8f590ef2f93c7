"""aiortc as client of an echo server, and as the echo server that our client tests."""
import asyncio
import json
import urllib.request
from fractions import Fraction

import numpy
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from av import AudioFrame, VideoFrame

LIMIT = 15


class Tone(MediaStreamTrack):
    """Sound that never stops: 20 ms of a sawtooth."""
    kind = "audio"
    sent = 0

    async def recv(self):
        await asyncio.sleep(0.02)
        samples = ((numpy.arange(960) * 331 + self.sent * 7) % 20000 - 10000).astype("int16")
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, self.sent * 960, Fraction(1, 48000)
        self.sent += 1
        return frame


class Picture(MediaStreamTrack):
    """A picture of one grey that changes with each frame, 15 a second."""
    kind = "video"
    sent = 0

    async def recv(self):
        await asyncio.sleep(1 / 15)
        grey = numpy.full((120, 160, 3), 40 + self.sent % 8 * 20, dtype="uint8")
        frame = VideoFrame.from_ndarray(grey, format="rgb24")
        frame.pts, frame.time_base = self.sent * 6000, Fraction(1, 90000)
        self.sent += 1
        return frame


def post(url, description):
    body = json.dumps({"type": description.type, "sdp": description.sdp}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return RTCSessionDescription(**json.loads(answer.read()))


async def connect(peer, url, patience=LIMIT):
    """Offers and waits until all is connected."""
    connected = asyncio.Event()

    @peer.on("connectionstatechange")
    def changed():
        if peer.connectionState in ("connected", "failed", "closed"):
            connected.set()

    await peer.setLocalDescription(await peer.createOffer())
    answer = await asyncio.to_thread(post, url, peer.localDescription)
    await peer.setRemoteDescription(answer)
    await asyncio.wait_for(connected.wait(), patience)
    assert peer.connectionState == "connected"


async def stop(peer):
    await peer.close()


async def connection_client(url):
    peer = RTCPeerConnection()
    peer.addTransceiver("audio", "sendrecv")
    peer.addTransceiver("video", "sendrecv")
    try:
        await connect(peer, url)
    finally:
        await stop(peer)


async def channel_client(url, messages, patience=LIMIT, connecting=LIMIT, **parameters):
    """What came back for these."""
    peer = RTCPeerConnection()
    channel = peer.createDataChannel("echo", **parameters)
    came, done = [], asyncio.Event()

    @channel.on("open")
    def opened():
        for message in messages:
            channel.send(message)

    @channel.on("message")
    def took(message):
        came.append(message)
        if len(came) == len(messages):
            done.set()

    try:
        await connect(peer, url, connecting)
        await asyncio.wait_for(done.wait(), patience)
    finally:
        await stop(peer)
    return came


async def media_client(url, sound=True, picture=True, frames=10):
    """{kind: frames that came back}; waits for so many of each."""
    peer = RTCPeerConnection()
    wanted = [track for track, wish in ((Tone(), sound), (Picture(), picture)) if wish]
    for track in wanted:
        peer.addTrack(track)
    came, readers = {track.kind: [] for track in wanted}, []

    async def read(track):
        while len(came[track.kind]) < frames:
            came[track.kind].append(await track.recv())

    @peer.on("track")
    def took(track):
        readers.append(asyncio.ensure_future(read(track)))

    try:
        await connect(peer, url)
        await asyncio.wait_for(asyncio.gather(*readers), LIMIT)
    finally:
        await stop(peer)
    return came


class Server:
    """aiortc's echo server, as the convention has it: POST /offer, media and messages go back."""

    async def start(self, port, address="127.0.0.1"):
        self.peers = []
        self.server = await asyncio.start_server(self._serve, address, port)
        return self

    async def _serve(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        size = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("content-length:"))
        offer = json.loads(await reader.readexactly(size))
        answer = json.dumps(await self._answer(RTCSessionDescription(**offer))).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                     + f"Content-Length: {len(answer)}\r\n\r\n".encode() + answer)
        await writer.drain()
        writer.close()

    async def _answer(self, offer):
        peer = RTCPeerConnection()
        self.peers.append(peer)

        @peer.on("datachannel")
        def opened(channel):
            channel.on("message", channel.send)

        @peer.on("track")
        def took(track):
            peer.addTrack(track)

        await peer.setRemoteDescription(offer)
        await peer.setLocalDescription(await peer.createAnswer())
        return {"type": peer.localDescription.type, "sdp": peer.localDescription.sdp}

    async def stop(self):
        self.server.close()
        for peer in self.peers:
            await peer.close()
