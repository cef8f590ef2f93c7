"""Digits between phones of every kind: telephone-event, sound and INFO, each into each."""
import math
import time

import pytest
from agent import Agent, sdp
from exchange import wait_for
from house import hang_up_all
from rtp import FRAME

PHONES = {"events": (101, "rfc4733"), "tones": (102, "inband"), "infos": (103, "info"), "either": (104, "auto"),
          "either-info": (105, "auto_info"), "mute": (106, "none")}

OBJECTS = "".join(f"""
[{name}]
type = endpoint
context = phones
disallow = all
allow = ulaw
aors = {name}
dtmf_mode = {mode}
[{name}]
type = aor
max_contacts = 1
remove_existing = yes
""" for name, (_, mode) in PHONES.items())

EXTENSIONS = "[phones]\n" + "".join(f"exten => {number},1,Dial(PJSIP/{name},30)\n" for name, (number, _) in PHONES.items()) + """\
exten => 600,1,Answer()
 same => n,Read(digits,,3,,1,6)
 same => n,Set(GLOBAL(READ)=${digits})
"""

KEYS = {"1": (697, 1209), "5": (770, 1336), "9": (852, 1477), "#": (941, 1477)}


def ulaw(sample):
    """G.711 mu-law of a 16 bit sample."""
    sign, magnitude = (0x80, -sample) if sample < 0 else (0, sample)
    magnitude = min(magnitude, 32635) + 132
    exponent = magnitude.bit_length() - 8
    return ~(sign | exponent << 4 | (magnitude >> exponent + 3) & 15) & 0xff


def tone(key, milliseconds=120):
    low, high = KEYS[key]
    return bytes(ulaw(int(6000 * (math.sin(2 * math.pi * low * n / 8000) + math.sin(2 * math.pi * high * n / 8000))))
                 for n in range(8 * milliseconds))


def power(samples, frequency):
    """Goertzel: how much of that frequency is in 16 bit samples."""
    w = 2 * math.cos(2 * math.pi * frequency / 8000)
    a = b = 0.0
    for sample in samples:
        a, b = sample + w * a - b, a
    return a * a + b * b - w * a * b


def linear(byte):
    byte = ~byte & 0xff
    magnitude = (((byte & 15) << 3) + 132 << (byte >> 4 & 7)) - 132
    return -magnitude if byte & 0x80 else magnitude


def keys_in(voice):
    """The keys that sound in mu-law bytes, each once."""
    found = []
    for at in range(0, len(voice) - 400, 200):
        samples = [linear(b) for b in voice[at:at + 400]]
        total = sum(s * s for s in samples)
        if total < 400 * 500 ** 2:
            found.append(None)
            continue
        best = max(KEYS, key=lambda k: min(power(samples, f) for f in KEYS[k]))
        strong = sum(power(samples, f) for f in KEYS[best]) / (total * len(samples) / 2)
        found.append(best if strong > 0.7 else None)
    return [k for before, k in zip([None, *found], found) if k and k != before]


@pytest.fixture(scope="module")
def exchange(start):
    return start({"objects": OBJECTS, "extensions.conf": EXTENSIONS})


@pytest.fixture
def call(exchange):
    """call(from, to) -> the two ends of a call that is up, talking silence."""
    agents = []

    def make(caller, callee, formats=None):
        for name in (caller, callee):
            agents.append(Agent(exchange, name))
            assert agents[-1].register(expires=300).status == 200
        out = agents[-2].invite(str(PHONES[callee][0]), body=None)
        back = agents[-1].wait_invite()
        if formats:
            back.respond(200, "OK", (), sdp(back.rtp.port, formats=formats))
            agents[-1].expect("ACK", call_id=back.call_id)
            offer = back.request.sdp()
            back.rtp.send(offer.address, offer.port)
        else:
            back.answer()
        out.answered()
        time.sleep(0.3)
        return out, back

    yield make
    hang_up_all(exchange, agents)
    for agent in agents:
        agent.close()


def say(end, key):
    """The key as sound, in the stream of that end."""
    rtp = end.rtp
    rtp.sending = False
    time.sleep(0.03)
    sound = tone(key) + b"\xff" * 800
    for at in range(0, len(sound), FRAME):
        rtp.packet(0, rtp.timestamp, sound[at:at + FRAME])
        rtp.timestamp += FRAME
        time.sleep(0.02)
    rtp.send(*rtp.remote)


def info(end, key):
    assert end.ask("INFO", body=f"Signal={key}\r\nDuration=120\r\n", content_type="application/dtmf-relay").status == 200


def heard_info(end):
    request = end.accept("INFO")
    assert request.header("content-type") == "application/dtmf-relay"
    fields = dict(line.split("=") for line in request.body.decode().split())
    assert 40 <= int(fields["Duration"]) <= 500
    return fields["Signal"]


SAY = {"events": lambda end, key: end.rtp.press(key), "tones": say, "infos": info, "mute": info}


@pytest.mark.parametrize("caller", ["events", "tones", "infos", "mute"])
def test_a_phone_with_info_gets_info(call, caller):
    out, back = call(caller, "infos")
    for key in "19":
        SAY[caller](out, key)
        assert heard_info(back) == key


@pytest.mark.parametrize("caller", ["events", "tones", "infos"])
def test_a_phone_with_events_gets_events(call, caller):
    out, back = call(caller, "events")
    for key in "19":
        SAY[caller](out, key)
    wait_for(lambda: len(back.rtp.digits) >= 2, what="two digits")
    time.sleep(0.3)
    assert back.rtp.digits == ["1", "9"]


def test_sound_that_became_an_event_is_not_heard_as_well(call):
    out, back = call("tones", "events")
    since = time.monotonic()
    say(out, "5")
    wait_for(lambda: back.rtp.digits == ["5"], what="the digit")
    voice = back.rtp.heard(since)
    assert sum(byte & 0x7f != 0x7f for byte in voice) < 8 * 70  # the first 40 to 60 ms of it


@pytest.mark.parametrize("caller", ["events", "infos"])
def test_a_phone_that_listens_hears_the_key(call, caller):
    out, back = call(caller, "tones")
    since = time.monotonic()
    for key in "19":
        SAY[caller](out, key)
        time.sleep(0.2)
    time.sleep(0.5)
    assert keys_in(back.rtp.heard(since)) == ["1", "9"]


def test_auto_is_sound_where_events_were_not_agreed_on(call):
    out, back = call("events", "either", formats="0")
    since = time.monotonic()
    out.rtp.press("5")
    time.sleep(0.6)
    assert keys_in(back.rtp.heard(since)) == ["5"]
    say(back, "9")
    wait_for(lambda: out.rtp.digits == ["9"], what="the digit")


def test_auto_info_is_info_where_events_were_not_agreed_on(call):
    out, back = call("events", "either-info", formats="0")
    out.rtp.press("5")
    assert heard_info(back) == "5"


def test_auto_info_is_events_where_they_were(call):
    out, back = call("events", "either-info")
    out.rtp.press("5")
    wait_for(lambda: back.rtp.digits == ["5"], what="the digit")
    back.agent.expect_none("INFO", timeout=0.3)


def test_a_phone_without_digits_is_offered_and_sent_none(call):
    out, back = call("events", "mute")
    assert "telephone-event" not in back.request.body.decode()
    since = time.monotonic()
    out.rtp.press("5")
    back.agent.expect_none("INFO", timeout=0.5)
    assert back.rtp.digits == [] and keys_in(back.rtp.heard(since)) == []


@pytest.mark.parametrize("caller", ["events", "tones", "infos"])
def test_the_dialplan_reads_digits_of_every_kind(exchange, caller):
    with Agent(exchange, caller) as agent:
        assert agent.register(expires=300).status == 200
        out = agent.invite("600")
        out.answered()
        time.sleep(0.3)
        for key in "159":
            SAY[caller](out, key)
        out.ended()
        assert "READ=159" in exchange.ask("dialplan show globals").replace(" ", "")
