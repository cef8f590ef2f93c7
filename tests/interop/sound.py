"""Speech to send and ways to judge what arrived."""
import audioop
import json
import subprocess
import wave

from exchange import program
from phone import speak

SENTENCES = {"a": ("The quick brown fox jumps over the lazy dog, seven times", "en-gb"),
             "b": ("Hello, this is the other side, and I hear you very well", "en-us+f3")}


def speech_files(folder):
    files = {}
    for name, (text, voice) in SENTENCES.items():
        files[name] = folder / f"{name}.wav"
        speak(text, files[name], voice, seconds=4)
    return files


def compare(sent, heard):
    """How `heard` matches `sent`: similarity (1: the same), matched_percent, delay_ms, level_db."""
    done = subprocess.run([program, "compare", str(sent), str(heard), "--json"], capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return json.loads(done.stdout)


def ulaw_of(path):
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        return audioop.lin2ulaw(file.readframes(file.getnframes()), 2)


def write_ulaw(path, data):
    with wave.open(str(path), "wb") as file:
        file.setframerate(8000)
        file.setnchannels(1)
        file.setsampwidth(2)
        file.writeframes(audioop.ulaw2lin(data, 2))
    return path


def loudness(data):
    """Root mean square of G.711 mu-law bytes, on the 16-bit scale."""
    return audioop.rms(audioop.ulaw2lin(data, 2), 2) if data else 0
