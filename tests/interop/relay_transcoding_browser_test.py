"""A page of Chromium with Opus over DTLS-SRTP and a phone that knows A-law alone: transcoded and recorded in one call."""
import math
import shutil
import time

import pytest
from recording import amplitude, level_db, pcm, Recorder
from relay_reinvite_test import Browser, Dialogue, hold_and_resume, Keyed, Plain
from relaying import Relay, sections
from talking import browser, hear_each_other, hears, LOUD  # noqa: F401

pytestmark = pytest.mark.skipif(not shutil.which("chromium"), reason="needs Chromium")


class AlawPhone(Plain):
    towards = {**Plain.towards, "codec": {"consume": ["opus"], "mask": ["PCMU", "G722"], "transcode": ["PCMA"]}}


class SecureAlawPhone(Keyed):
    towards = {**Keyed.towards, "codec": {"consume": ["opus"], "mask": ["PCMU", "G722"], "transcode": ["PCMA"]}}


def loudness(ear, mouth):
    """dB between what was spoken and what `ear` hears, in the middle of five looks."""
    levels = []
    for _ in range(5):
        time.sleep(0.25)
        levels.append(ear.levels([mouth.hertz])[0])
    return 20 * math.log10(max(sorted(levels)[2], 1e-6) / (LOUD / 32768))


@pytest.mark.parametrize("kind", [AlawPhone, SecureAlawPhone], ids=["plain", "secure"])
def test_a_browser_and_a_phone_are_transcoded_and_recorded_in_one_call(kind, browser, tmp_path):  # noqa: F811
    spool, out = tmp_path / "spool", tmp_path / "out"
    parties = []
    with Relay(options=[f"--recording-dir={spool}", "--recording-method=proc"]) as relay, Recorder(spool, out, "--output-single") as recorder:
        try:
            parties += [Browser(440, browser), kind(1000)]
            page, phone = parties
            page.mouth.prefer("opus")
            call = Dialogue(relay, page, phone)
            heard = sections(page.mouth.do("peer.remoteDescription.sdp"))[0]
            assert any("opus/48000" in line for line in heard.attributes("rtpmap")), heard.lines
            assert {kind for _, kind, *_ in phone.mouth.heard} == {8}
            assert abs(loudness(phone.mouth, page.mouth)) < 1
            assert abs(loudness(page.mouth, phone.mouth)) < 1
            metrics = relay.ng.call("cli", body="list transcoders")["response"]
            assert "opus/48000 -> PCMA/8000: 1 transcoders" in metrics and "PCMA/8000 -> opus/48000: 1 transcoders" in metrics

            relay.ng.call("start recording", call_id=call.id)
            time.sleep(2)
            relay.ng.call("stop recording", call_id=call.id)

            hold_and_resume(call, phone)
            hold_and_resume(call, page)
            assert {kind for _, kind, *_ in phone.mouth.heard} == {8}
            relay.ng.call("delete", call_id=call.id, delete_delay=0)
            assert relay.ng.call("cli", body="list transcoders")["response"].startswith("No transcoders")

            deadline = time.monotonic() + 15
            while len(list(out.rglob("*.wav"))) < 2 and time.monotonic() < deadline:
                time.sleep(0.1)
            voices = {}
            for path in out.rglob("*.wav"):
                rate, (samples,) = pcm(path)
                middle = samples[rate // 4:-rate // 4]
                tone = max((440, 1000), key=lambda hertz: amplitude(middle, hertz, rate))
                voices[tone] = level_db(middle)
            assert set(voices) == {440, 1000}
            spoken = 20 * math.log10(LOUD / math.sqrt(2) / 32768)
            assert all(abs(level - spoken) < 1 for level in voices.values()), (voices, spoken)
            assert not recorder.troubles()
        finally:
            for one in parties:
                one.close()
