"""One end of an RTP stream in any codec: ffmpeg and sox encode what is sent and decode what came."""
import math
import socket
import struct
import subprocess
import threading
import time
import wave

from rtp import Rtp

# name: payload type, rtpmap, RTP clock, sample rate, how ffmpeg is to encode it
CODECS = {
    "PCMU": (0, "PCMU/8000", 8000, 8000, "pcm_mulaw"),
    "PCMA": (8, "PCMA/8000", 8000, 8000, "pcm_alaw"),
    "G722": (9, "G722/8000", 8000, 16000, "g722"),
    "GSM": (3, "GSM/8000", 8000, 8000, None),
    "opus": (96, "opus/48000/2", 48000, 48000, "libopus"),
    "speex": (97, "speex/16000", 16000, 16000, "libspeex"),
    "G726-32": (98, "G726-32/8000", 8000, 8000, "g726le"),
    "L16": (99, "L16/16000", 16000, 16000, "pcm_s16be"),
}


# What needs no more than its payloads one after the other, as ffmpeg reads such files.
FILES = {"PCMU": ["mulaw", "-ar", "8000"], "PCMA": ["alaw", "-ar", "8000"], "G722": ["g722"],
         "G726-32": ["g726le", "-code_size", "4", "-sample_rate", "8000"], "L16": ["s16be", "-ar", "16000"]}


def run(*words):
    subprocess.run(["nice", "-n", "10", *map(str, words)], check=True, capture_output=True)


def ffmpeg(*words):
    run("ffmpeg", "-v", "error", "-y", *words)


def payloads_of(name, hertz, folder, length=4):
    """A tune of an eighth of full scale in packets of 20 ms."""
    _, _, _, rate, encoder = CODECS[name]
    tune = ["-f", "lavfi", "-i", f"sine=frequency={hertz}:duration={length}:sample_rate={rate}"]
    if encoder is None:
        ffmpeg(*tune, folder / "tune.wav")
        run("sox", folder / "tune.wav", "-t", "gsm", folder / "tune.gsm")
        data = (folder / "tune.gsm").read_bytes()
        return [data[i:i + 33] for i in range(0, len(data), 33)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as into:
        into.bind(("127.0.0.1", 0))
        into.settimeout(1)
        into.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        frame = {"PCMU": 160, "PCMA": 160, "G722": 160, "L16": 640, "G726-32": 80}.get(name)
        size = f"?pkt_size={frame + 12}" if frame else ""
        extra = ["-application", "voip"] if name == "opus" else []
        process = threading.Thread(target=ffmpeg, args=(*tune, "-ac", "1", "-c:a", encoder, *extra, "-f", "rtp",
                                                        f"rtp://127.0.0.1:{into.getsockname()[1]}{size}"))
        process.start()
        payloads = []
        try:
            while True:
                data = into.recv(4096)
                if not 200 <= data[1] <= 206:
                    payloads.append(data[12:])
        except socket.timeout:
            pass
        process.join()
    if frame:  # it begins a packet with each of its own frames
        data = b"".join(payloads)
        payloads = [data[i:i + frame] for i in range(0, len(data) - frame + 1, frame)]
    return payloads


def amplitude(samples, rate, hertz):
    """Of the sine of that frequency in the samples."""
    sines = sum(s * math.sin(2 * math.pi * hertz * i / rate) for i, s in enumerate(samples))
    cosines = sum(s * math.cos(2 * math.pi * hertz * i / rate) for i, s in enumerate(samples))
    return 2 / max(len(samples), 1) * math.hypot(sines, cosines)


class Coded(Rtp):
    def __init__(self, name, hertz, folder, address="127.0.0.1"):
        self.name, self.folder = name, folder
        kind, self.rtpmap, self.clock, self.rate, _ = CODECS[name]
        self.payloads = payloads_of(name, hertz, folder) if hertz else []
        super().__init__(address, kind)

    def description(self, events=None):
        lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
                 f"m=audio {self.port} RTP/AVP {self.payload_type}" + (" 101" if events else ""),
                 f"a=rtpmap:{self.payload_type} {self.rtpmap}"]
        if events:
            lines += [f"a=rtpmap:101 telephone-event/{events}", "a=fmtp:101 0-16"]
        return "\r\n".join(lines) + "\r\n"

    def speak(self):
        next_at = time.monotonic()
        for payload in self.payloads * 3:
            if not (self.running and self.sending):
                return
            self.packet(self.payload_type, self.timestamp, payload)
            self.timestamp += self.clock // 50
            next_at += 0.02
            time.sleep(max(0, next_at - time.monotonic()))

    def samples(self):
        """What came, as samples at `rate`."""
        came = list({(p[4], p[2]): p for p in self.voice_packets()}.values())
        out = self.folder / f"heard-{self.name}.wav"
        if self.name == "GSM":
            (self.folder / "heard.gsm").write_bytes(b"".join(p[5] for p in came))
            run("sox", "-t", "gsm", self.folder / "heard.gsm", "-b", "16", "-e", "signed", out)
        elif self.name in FILES:
            kept = self.folder / "heard.raw"
            kept.write_bytes(b"".join(p[5] for p in came))
            ffmpeg("-f", *FILES[self.name], "-i", kept, "-c:a", "pcm_s16le", out)
        else:
            self.decode(came, out)
        with wave.open(str(out)) as file:
            data = file.readframes(file.getnframes())
        return struct.unpack(f"<{len(data) // 2}h", data)

    def decode(self, came, out):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        description = self.folder / f"heard-{self.name}.sdp"
        description.write_text(self.description().replace(f"m=audio {self.port}", f"m=audio {port}"))
        process = subprocess.Popen(
            ["ffmpeg", "-v", "error", "-y", "-protocol_whitelist", "file,udp,rtp", "-i", str(description), "-t", "2.5",
             "-ac", "1", "-ar", str(self.rate), "-c:a", "pcm_s16le", str(out)], stderr=subprocess.PIPE)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as to:
            # It must be there, and it looks at the stream before it begins: the whole is told again.
            shift, step = 0, self.clock // 50
            deadline = time.monotonic() + 30
            while process.poll() is None and time.monotonic() < deadline:
                for number, packet in enumerate(came):
                    header = struct.pack("!BBHII", 0x80, self.payload_type, (shift + number) & 0xffff,
                                         (shift + number) * step & 0xffffffff, 7)
                    to.sendto(header + packet[5], ("127.0.0.1", port))
                    time.sleep(0.004)
                    if process.poll() is not None:
                        break
                shift += len(came)
        assert process.wait(10) == 0, process.stderr.read().decode()

    def level(self, hertz, since=1.0, length=0.5):
        """Decibels by which the tune is louder than it was sent, and by which it stands out."""
        samples = self.samples()
        part = samples[int(since * self.rate):int((since + length) * self.rate)]
        wanted = max(amplitude(part, self.rate, hertz), 1e-3)
        energy = sum(s * s for s in part) / max(len(part), 1)
        rest = max(energy - wanted * wanted / 2, 1e-3)
        return 20 * math.log10(wanted / 4096), 10 * math.log10(wanted * wanted / 2 / rest)
