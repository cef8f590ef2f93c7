"""Calls between phones without a codec in common, prompts and recordings in any codec: the codecs of
ffmpeg and sox are the other ends."""
import struct
import time
import wave

import pytest
from agent import Agent
from coded import CODECS, Coded, amplitude
from exchange import wait_for

NAMES = {"PCMU": "ulaw", "PCMA": "alaw", "G722": "g722", "GSM": "gsm", "opus": "opus", "speex": "speex16",
         "G726-32": "g726", "L16": "slin16"}
# How far a tune stands out of what the codecs add: those of a vocal tract are not made for tunes.
CLEAR = {"GSM": 8, "speex": 8, "opus": 15, "G726-32": 20}

PHONES = "".join(f"""\
[{name}]
type = endpoint
context = calls
allow = !all,{name}
aors = {name}
[{name}]
type = aor
max_contacts = 1
remove_existing = yes
""" for name in NAMES.values())

EXTENSIONS = """\
[calls]
exten => _call-.,1,Dial(PJSIP/${EXTEN:5})
exten => tune,1,Answer()
 same => n,Playtones(500)
 same => n,Wait(10)
exten => _keep-.,1,Answer()
 same => n,Set(RECORDED=${EXTEN:5}.wav)
 same => n,MixMonitor(${RECORDED})
 same => n,Playtones(500)
 same => n,Wait(10)
exten => echo,1,Answer()
 same => n,Echo()
"""


@pytest.fixture(scope="module")
def exchange(start):
    return start({"objects": PHONES, "extensions.conf": EXTENSIONS})


@pytest.fixture
def phone(exchange, tmp_path):
    """phone(codec, hertz) -> an agent with a stream of that codec that plays that tune."""
    made = []

    def phone(codec, hertz):
        folder = tmp_path / codec
        folder.mkdir(exist_ok=True)
        agent = Agent(exchange, NAMES[codec])
        agent.stream = Coded(codec, hertz, folder)
        made.append(agent)
        assert agent.register(expires=300).status == 200
        return agent

    yield phone
    exchange.ask("channel request hangup all")
    for agent in made:
        agent.settle()
        agent.stream.close()
        agent.close()


def talk(caller, callee):
    out = caller.invite("call-" + callee.user, body=caller.stream.description())
    back = callee.wait_invite()
    back.respond(200, "OK", body=callee.stream.description())
    offer = callee.expect("ACK", call_id=back.call_id) and back.request.sdp()
    answer = out.answered()
    caller.stream.send(answer.sdp().address, answer.sdp().port)
    callee.stream.send(offer.address, offer.port)
    return out, back


def assert_heard(stream, hertz, other):
    level, clear = stream.level(hertz)
    assert abs(level) < 1.5, f"{other.name} to {stream.name}: {hertz} Hz came {level:.1f} dB off"
    assert clear > min(CLEAR.get(stream.name, 25), CLEAR.get(other.name, 25)), f"{other.name} to {stream.name}: {hertz} Hz is {clear:.1f} dB above the rest"


@pytest.mark.parametrize("codec, other", [("G722", "PCMU"), ("opus", "PCMU"), ("GSM", "PCMA"), ("opus", "G722"),
                                          ("speex", "PCMU"), ("G726-32", "PCMA"), ("L16", "GSM")])
def test_two_phones_without_a_common_codec_hear_each_other(exchange, phone, codec, other):
    caller, callee = phone(codec, 700), phone(other, 500)
    talk(caller, callee)
    time.sleep(3.5)
    for stream in (caller.stream, callee.stream):
        stream.sending = False
        assert stream.lost() == 0
        steps = [b[3] - a[3] for a, b in zip(stream.voice_packets(), stream.voice_packets()[1:])]
        assert set(steps) == {stream.clock // 50}
    assert_heard(callee.stream, 700, caller.stream)
    # What ffmpeg decodes of wideband Speex over RTP is 15 dB too loud, of its own encoder's as well.
    if codec != "speex":
        assert_heard(caller.stream, 500, callee.stream)


@pytest.mark.parametrize("codec", ["G722", "opus", "GSM"])
def test_what_the_exchange_plays_is_heard_in_the_phones_codec(exchange, phone, codec):
    caller = phone(codec, None)
    call = caller.invite("tune", body=caller.stream.description())
    call.answered()
    wait_for(lambda: len(caller.stream.voice_packets()) > 120, what="packets")
    samples = caller.stream.samples()
    part = samples[caller.stream.rate:caller.stream.rate * 3 // 2]
    assert amplitude(part, caller.stream.rate, 500) > 2000


@pytest.mark.parametrize("codec", ["G722", "opus", "GSM"])
def test_both_sides_of_a_call_in_another_codec_are_recorded(exchange, phone, codec):
    caller = phone(codec, 700)
    call = caller.invite("keep-" + caller.user, body=caller.stream.description())
    answer = call.answered().sdp()
    caller.stream.send(answer.address, answer.port)
    time.sleep(3)
    call.bye()
    recorded = exchange.folder / f"{caller.user}.wav"
    wait_for(lambda: exchange.channels() == 0 and recorded.exists(), what="the recording")
    time.sleep(0.3)
    with wave.open(str(recorded)) as file:
        assert file.getframerate() == 8000
        data = struct.unpack(f"<{file.getnframes()}h", file.readframes(file.getnframes()))
    part = data[12000:16000]
    assert abs(amplitude(part, 8000, 700) - 4096) < 700
    assert amplitude(part, 8000, 500) > 2000


def test_keys_go_between_clocks(exchange, phone):
    """RFC 4733 by Opus' clock on one side, by 8000 on the other."""
    caller, callee = phone("opus", 700), phone("PCMU", 500)
    out = caller.invite("call-ulaw", body=caller.stream.description(events=48000))
    back = callee.wait_invite()
    back.respond(200, "OK", body=callee.stream.description(events=8000))
    callee.expect("ACK", call_id=back.call_id)
    answer = out.answered()
    assert "telephone-event/48000" in answer.body.decode()
    caller.stream.send(answer.sdp().address, answer.sdp().port)
    callee.stream.send(back.request.sdp().address, back.request.sdp().port)
    time.sleep(0.5)
    caller.stream.press("4#")
    callee.stream.press("7")
    wait_for(lambda: callee.stream.digits == ["4", "#"] and caller.stream.digits == ["7"], what="the keys")


def test_all_codecs_of_this_test_are_known():
    assert set(NAMES) == set(CODECS)
