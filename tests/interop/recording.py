"""A recorder under test, ends that talk in tones, and ways to judge what was recorded."""
import audioop
import json
import math
import pathlib
import struct
import subprocess
import tempfile
import threading
import time

from exchange import program, wait_for


class Recorder:
    """`strowger recorder` with those options; ends with its status checked."""

    def __init__(self, spool, out, *options):
        self.folder = tempfile.TemporaryDirectory(prefix="recorder-")
        self.log = pathlib.Path(self.folder.name) / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([program, "recorder", "--config-file=none", f"--spool-dir={spool}",
                                             f"--output-dir={out}", *options], stdout=log, stderr=log)
        wait_for(lambda: "recording what comes" in self.output() or self.process.poll() is not None, what="the recorder")
        assert self.process.poll() is None, self.output()

    def output(self):
        return self.log.read_text(errors="replace")

    def troubles(self):
        return [line for line in self.output().splitlines() if " ERROR " in line or " WARNING " in line]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.terminate()
        status = self.process.wait(10)
        if not error[0]:
            assert status == 0, self.output()[-3000:]
        else:
            print(self.output()[-3000:])
        self.folder.cleanup()


class Talk(threading.Thread):
    """An end that sends a tone in time. `shuffle`: every so many, two packets change places and one comes 150 ms late;
    `lose`: one of so many is not sent."""

    AMPLITUDE = 6000
    LEVEL_DB = 20 * math.log10(AMPLITUDE / 32768 / math.sqrt(2))

    def __init__(self, end, to, hertz, seconds, seal=None, shuffle=0, lose=0):
        super().__init__(daemon=True)
        self.end, self.to, self.count, self.seal = end, to, round(seconds * 50), seal or bytes
        self.hertz, self.shuffle, self.lose = hertz, shuffle, lose

    def frame(self, number):
        step = 2 * math.pi * self.hertz / 8000
        samples = [round(self.AMPLITUDE * math.sin(step * (number * 160 + i))) for i in range(160)]
        return audioop.lin2ulaw(struct.pack("<160h", *samples), 2)

    def run(self):
        begun, due = time.monotonic(), []
        for number in range(self.count):
            packet = self.seal(self.end.packet(self.frame(number)))
            at = number * 0.02
            if self.shuffle and number > 50:
                if number % self.shuffle == 0:
                    at += 0.03
                if number % (self.shuffle * 5) == 1:
                    at += 0.15
            if not (self.lose and number > 50 and number % self.lose == 0):
                due.append((begun + at, packet))
            due.sort(key=lambda item: item[0])
            time.sleep(max(0, begun + number * 0.02 - time.monotonic()))
            while due and due[0][0] <= time.monotonic():
                self.end.send(self.to, due.pop(0)[1])
        for at, packet in due:
            time.sleep(max(0, at - time.monotonic()))
            self.end.send(self.to, packet)


def pcm(path):
    """Rate and channels of a file of sound, as ffmpeg hears it."""
    probe = json.loads(subprocess.run(["ffprobe", "-v", "error", "-show_streams", "-of", "json", "-f",
                                       "mp3" if ".mp3" in path.name else "wav", str(path)],
                                      capture_output=True, check=True).stdout)["streams"][0]
    raw = subprocess.run(["ffmpeg", "-v", "error", "-f", "mp3" if ".mp3" in path.name else "wav", "-i", str(path), "-f", "s16le",
                          "-c:a", "pcm_s16le", "-"], capture_output=True, check=True).stdout
    count = probe["channels"]
    samples = struct.unpack(f"<{len(raw) // 2}h", raw)
    return int(probe["sample_rate"]), [samples[i::count] for i in range(count)]


def middle(samples, rate):
    """Without the first and last 100 ms."""
    return samples[rate // 10:-rate // 10]


def amplitude(samples, hertz, rate):
    """Of one frequency (Goertzel)."""
    coefficient = 2 * math.cos(2 * math.pi * hertz / rate)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample + coefficient * last - before
    return 2 * math.sqrt(max(before * before + last * last - coefficient * before * last, 0)) / len(samples)


def pure(samples, hertz, rate, others=(), share=0.97):
    """Whether each 100 ms has that tone at its level, and hardly anything beside it and the others."""
    samples, size = middle(samples, rate), rate // 10
    for at in range(0, len(samples) - size, size):
        part = samples[at:at + size]
        if not Talk.AMPLITUDE * 10 ** (-1 / 20) * share < amplitude(part, hertz, rate) < Talk.AMPLITUDE * 10 ** (1 / 20):
            return False
        power = sum(s * s for s in part) / size
        wanted = sum(amplitude(part, h, rate) ** 2 / 2 for h in (hertz, *others))
        if share > 0.95 and power - wanted > 0.02 * power:
            return False
    return True


def level_db(samples):
    part = samples[800:-800]
    return 20 * math.log10(max(1, math.sqrt(sum(s * s for s in part) / len(part))) / 32768)


def onset(samples):
    """The first sample that is heard."""
    return next(i for i, sample in enumerate(samples) if abs(sample) > 500)
