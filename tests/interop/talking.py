"""Two kinds of party that speak a tone each and tell what they hear: a phone on plain or secure RTP, and Chromium."""
import audioop
import itertools
import json
import math
import pathlib
import random
import struct
import threading
import time

import pytest
from chromium import Chromium
from exchange import wait_for
from relaying import End
from tones import amplitude

LOUD, WINDOW = 8000, 1600  # of 16 bits; 200 ms of what is heard
PHONES = (pathlib.Path(__file__).parent / "browser_phone.js").read_text() + "; 0"
NAMES = {0: "PCMU", 8: "PCMA"}
FRAME = 160
PATIENCE = 12


class Talker(End):
    """A phone that sends 20 ms of its tone every 20 ms to `at`, while it has that and is not `quiet`.

    `keys` (srtp_keys.Secure) make it a secure one."""

    def __init__(self, hertz, payload_type=0):
        super().__init__()
        self.hertz, self.payload_type, self.at, self.quiet, self.keys = hertz, payload_type, None, False, None
        self.heard, self.refused, self.ended, self.sample = [], 0, False, 0
        self.rtp.settimeout(0.1)
        self.threads = [threading.Thread(target=one, daemon=True) for one in (self._speak, self._hear)]
        for thread in self.threads:
            thread.start()

    def _speak(self):
        due = time.monotonic()
        while not self.ended:
            linear = struct.pack("<160h", *(round(LOUD * math.sin(2 * math.pi * self.hertz * (self.sample + i) / 8000)) for i in range(FRAME)))
            self.sample += FRAME
            if self.at and not self.quiet:
                code = audioop.lin2ulaw if self.payload_type == 0 else audioop.lin2alaw
                packet = self.packet(code(linear, 2), self.payload_type)
                try:
                    self.rtp.sendto(self.keys.sending.protect(packet) if self.keys else packet, self.at)
                except OSError:
                    pass
            due += 0.02
            time.sleep(max(0, due - time.monotonic()))

    def _hear(self):
        while not self.ended:
            rtp = self.rtp
            try:
                data, source = rtp.recvfrom(2048)
            except TimeoutError:
                continue
            except OSError:
                time.sleep(0.01)  # it has moved
                continue
            if len(data) < 12 or data[0] >> 6 != 2 or 192 <= data[1] <= 223:
                continue
            if self.keys:
                try:
                    data = self.keys.receiving.unprotect(data)
                except Exception:  # noqa: BLE001 — libsrtp has one kind of error
                    self.refused += 1
                    continue
            self.heard.append((time.monotonic(), data[1] & 127, source, data[12:], data[2:4] + data[8:12]))

    def levels(self, frequencies, since=0.0):
        """Amplitudes in the last 200 ms of what came after `since`; all 0 where less came."""
        sound = b""
        for _, kind, _, payload, _ in [one for one in self.heard[-12:] if one[0] >= since]:
            if kind in NAMES:
                sound += audioop.ulaw2lin(payload, 2) if kind == 0 else audioop.alaw2lin(payload, 2)
        if len(sound) < 2 * WINDOW:
            return [0.0] * len(frequencies)
        samples = struct.unpack(f"<{WINDOW}h", sound[-2 * WINDOW:])
        return [amplitude(samples, hertz) / 32768 for hertz in frequencies]

    def doubles(self):
        """How many packets came that had come before."""
        return len(self.heard) - len({one[4] for one in self.heard})

    def packets(self, since):
        return [one for one in self.heard if one[0] >= since]

    def new_source(self):
        self.ssrc, self.sequence, self.stamp = random.getrandbits(32), random.getrandbits(15), random.getrandbits(31)

    def move(self):
        """To other ports."""
        before, (self.rtp, self.rtcp) = (self.rtp, self.rtcp), self._pair()
        self.port = self.rtp.getsockname()[1]
        for one in before:
            one.close()

    def _pair(self):
        with End() as place:
            rtp, rtcp = place.rtp.dup(), place.rtcp.dup()
        rtp.settimeout(0.1)
        return rtp, rtcp

    def close(self):
        self.ended = True
        for thread in self.threads:
            thread.join(1)
        super().close()


class Page:
    """A telephone in a page of Chromium."""

    count = itertools.count(1)

    def __init__(self, browser, hertz, **configuration):
        self.browser, self.hertz, self.name = browser, hertz, f"phone{next(self.count)}"
        self.do(f"phones.make('{self.name}', {hertz}, {json.dumps(configuration)})", bare=True)

    def do(self, what, bare=False):
        return self.browser.run(what if bare else f"phones.of('{self.name}').{what}")

    def offer(self, **options):
        return self.do(f"offer({json.dumps(options)})")

    def answer(self, sdp, **options):
        return self.do(f"answer({json.dumps(sdp)}, {json.dumps(options)})")

    def take(self, sdp):
        self.do(f"take({json.dumps(sdp)})")

    def prefer(self, codec):
        self.do(f"prefer('audio/{codec}')")

    def levels(self, frequencies, since=0.0):
        return self.do(f"levels({json.dumps(frequencies)})")

    def figures(self):
        return self.do("figures()")

    def up(self):
        wait_for(lambda: self.figures()["state"] == "connected", timeout=PATIENCE, what="Chromium's connection")

    def close(self):
        self.do(f"phones.end('{self.name}')", bare=True)


def hears(ear, mouth, since=None):
    """Waits until `ear` hears the tone of `mouth`, and its own not."""
    since, levels = since or time.monotonic(), []

    def look():
        levels[:] = ear.levels([mouth.hertz, ear.hertz], since)
        return levels[0] > 0.1 > 3 * levels[1]  # about 0.25 is spoken
    try:
        wait_for(look, timeout=PATIENCE, what="the tone")
    except TimeoutError as error:
        raise AssertionError(f"{type(ear).__name__} of {ear.hertz} Hz hears {levels}, not {mouth.hertz} Hz") from error


def hear_each_other(one, other):
    """As from now on, not as a moment ago."""
    since = time.monotonic()
    hears(one, other, since)
    hears(other, one, since)


def hears_nothing(ear, seconds=0.4):
    """What is on its way may still come; after that nothing does."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        begun = time.monotonic()
        time.sleep(seconds)
        if isinstance(ear, Page):
            quiet = ear.levels([440, 700, 1000, 1600])
            if max(quiet) < 0.01:
                return
        elif not ear.packets(begun):
            return
    raise AssertionError(f"{type(ear).__name__} of {ear.hertz} Hz is not left in silence")


@pytest.fixture(scope="module")
def browser():
    one = Chromium()
    try:
        one.run(PHONES)
        yield one
    finally:
        one.close()
