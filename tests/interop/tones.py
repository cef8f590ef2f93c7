"""Tones that say who speaks, and how loud each of them is in what somebody heard."""
import audioop
import math
import struct
import wave

LEVEL = 6000


def tone_file(path, hertz, seconds=30, level=LEVEL):
    samples = [round(level * math.sin(2 * math.pi * hertz * i / 8000)) for i in range(8000)]  # whole periods: loops smoothly
    with wave.open(str(path), "wb") as file:
        file.setframerate(8000)
        file.setnchannels(1)
        file.setsampwidth(2)
        file.writeframes(struct.pack("<8000h", *samples) * seconds)
    return path


def amplitude(samples, hertz):
    """Of one frequency: Goertzel's algorithm."""
    coefficient = 2 * math.cos(2 * math.pi * hertz / 8000)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample + coefficient * last - before
    power = before * before + last * last - coefficient * before * last
    return 2 * math.sqrt(max(power, 0)) / len(samples)


def tones(ulaw, wanted, last=4000):
    """The names of `wanted` ({name: hertz}) that sound in the last so many samples, at a quarter of LEVEL at least."""
    linear = audioop.ulaw2lin(ulaw[-last:], 2)
    samples = struct.unpack(f"<{len(linear) // 2}h", linear)
    if len(samples) < last // 2:
        return set()
    return {name for name, hertz in wanted.items() if amplitude(samples, hertz) > LEVEL / 4}
