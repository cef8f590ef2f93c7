"""One end of a plain RTP stream in PCMU: sends speech or silence in time, keeps what comes."""
import socket
import struct
import threading
import time

from sound import ulaw_of, write_ulaw

FRAME = 160  # 20 ms at 8 kHz
EVENTS = {c: n for n, c in enumerate("0123456789*#ABCD")}


class Rtp:
    def __init__(self, address="127.0.0.1", payload_type=0):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        while True:
            self.socket.close()
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind((address, 0))
            self.port = self.socket.getsockname()[1]
            if self.port % 2 == 0:
                break
        self.socket.settimeout(0.1)
        self.payload_type, self.ssrc = payload_type, 0x5A5A0000 + self.port
        self.sequence, self.timestamp = 1000, 160000
        self.remote, self.packets, self.digits = None, [], []
        self.running, self.sending = True, False
        self.threads = [threading.Thread(target=self.receive, daemon=True)]
        self.threads[0].start()

    def receive(self):
        seen = set()
        while self.running:
            try:
                data, _ = self.socket.recvfrom(2048)
            except socket.timeout:
                continue
            except OSError:
                return
            if len(data) < 12 or data[0] >> 6 != 2 or 200 <= data[1] <= 206:
                continue
            kind, sequence, timestamp, ssrc = struct.unpack("!xBHII", data[:12])
            self.packets.append((time.monotonic(), kind & 127, sequence, timestamp, ssrc, data[12:]))
            if kind & 127 == 101 and timestamp not in seen:
                seen.add(timestamp)
                self.digits.append("0123456789*#ABCD"[data[12] & 15])

    def send(self, address, port, wav=None):
        """Begins to send to that address: the file, and silence after it."""
        self.remote = (address, port)
        self.voice = ulaw_of(wav) if wav else b""
        if not self.sending:
            self.sending = True
            self.threads.append(threading.Thread(target=self.speak, daemon=True))
            self.threads[-1].start()

    def speak(self):
        next_at, offset = time.monotonic(), 0
        while self.running and self.sending:
            frame = self.voice[offset:offset + FRAME]
            offset += FRAME
            self.packet(self.payload_type, self.timestamp, frame + b"\xff" * (FRAME - len(frame)))
            self.timestamp += FRAME
            next_at += 0.02
            time.sleep(max(0, next_at - time.monotonic()))

    def packet(self, payload_type, timestamp, payload, marker=0):
        header = struct.pack("!BBHII", 0x80, payload_type | marker << 7, self.sequence & 0xffff, timestamp & 0xffffffff,
                             self.ssrc)
        self.sequence += 1
        try:
            self.socket.sendto(header + payload, self.remote)
        except OSError:
            pass

    def press(self, digits, payload_type=101):
        """RFC 4733 events: begin, 60 ms of updates, and the end three times."""
        speaking, self.sending = self.sending, False
        time.sleep(0.03)
        for digit in digits:
            start = self.timestamp
            for step in range(1, 6):
                event = struct.pack("!BBH", EVENTS[digit], 10, step * FRAME)
                self.packet(payload_type, start, event, marker=step == 1)
                time.sleep(0.02)
            for _ in range(3):
                self.packet(payload_type, start, struct.pack("!BBH", EVENTS[digit], 0x8A, 5 * FRAME))
            self.timestamp += 10 * FRAME
            time.sleep(0.06)
        if speaking:
            self.send(*self.remote)

    def voice_packets(self, since=0.0):
        return [p for p in self.packets if p[1] == self.payload_type and p[0] >= since]

    def heard(self, since=0.0):
        """The voice that came, in order, as mu-law bytes."""
        unique = {(p[4], p[2]): p for p in self.voice_packets(since)}
        return b"".join(p[5] for p in sorted(unique.values(), key=lambda p: p[0]))

    def heard_file(self, path, since=0.0):
        return write_ulaw(path, self.heard(since))

    def lost(self):
        """Packets missing between the first and the last that came."""
        streams = {}
        for packet in self.voice_packets():
            numbers = streams.setdefault(packet[4], [packet[2]])
            ahead = (packet[2] - numbers[-1] + 0x8000 & 0xffff) - 0x8000  # they wrap at 65536
            numbers.append(numbers[-1] + ahead)
        return sum(max(n) - min(n) + 1 - len(set(n)) for n in streams.values())

    def close(self):
        self.running = self.sending = False
        for thread in self.threads:
            thread.join(1)
        self.socket.close()
