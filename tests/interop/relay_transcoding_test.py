"""Two ends without a common codec, and the relay that transcodes between them: the codecs of ffmpeg and sox are the
other ends."""
import time

import pytest
from coded import CODECS, Coded
from exchange import wait_for
from relaying import Relay, sections

# How far a tune stands out of what the codecs add: those of a vocal tract are not made for tunes.
CLEAR = {"GSM": 8, "speex": 8, "opus": 15, "G726-32": 20}
SPOKEN = {name: f"{rtpmap.split('/')[0]}/{rtpmap.split('/')[1]}" for name, (_, rtpmap, *_) in CODECS.items()}


@pytest.fixture(scope="module")
def relay():
    with Relay() as running:
        yield running


@pytest.fixture
def party(tmp_path):
    """party(codec, hertz) -> a stream of that codec that plays that tune."""
    made = []

    def party(codec, hertz):
        folder = tmp_path / f"{codec}-{hertz}"
        folder.mkdir()
        made.append(Coded(codec, hertz, folder))
        return made[-1]

    yield party
    for stream in made:
        stream.close()


def connect(relay, caller, callee, fields, events=(None, None), answer_fields=None):
    """Offer and answer through the relay; who called speaks with the number that the answer has. Gives both descriptions."""
    connect.count += 1
    call = f"coded-{connect.count}-{time.monotonic_ns()}"
    offered = relay.ng.call("offer", call_id=call, from_tag="from", sdp=caller.description(events=events[0]), **fields)["sdp"]
    section = sections(offered)[0]
    number = next(line.split()[0] for line in section.attributes("rtpmap") if line.split()[1].lower() == callee.rtpmap.lower())
    callee.payload_type = int(number)
    answered = relay.ng.call("answer", call_id=call, from_tag="from", to_tag="to", sdp=callee.description(events=events[1]),
                             **(answer_fields or {}))["sdp"]
    caller.send(*sections(answered)[0].at)
    callee.send(*section.at)
    return call, section, sections(answered)[0]


connect.count = 0


def assert_whole(stream, packet_ms=20):
    """Numbers one by one, timestamps by the length of a packet, one source."""
    packets = stream.voice_packets()
    assert stream.lost() == 0
    assert {p[4] for p in packets} == {packets[0][4]}
    assert {(b[3] - a[3]) & 0xffffffff for a, b in zip(packets, packets[1:])} == {stream.clock * packet_ms // 1000}


def assert_heard(stream, hertz, other, within=1.0):
    level, clear = stream.level(hertz)
    assert abs(level) < within, f"{other.name} to {stream.name}: {hertz} Hz came {level:.1f} dB off"
    assert clear > min(CLEAR.get(stream.name, 25), CLEAR.get(other.name, 25)), f"{other.name} to {stream.name}: {hertz} Hz is {clear:.1f} dB above the rest"


@pytest.mark.parametrize("codec, other", [("PCMU", "PCMA"), ("PCMU", "opus"), ("opus", "PCMA"), ("PCMA", "G722"), ("GSM", "PCMU"),
                                          ("opus", "G722"), ("PCMU", "G726-32"), ("L16", "PCMA")])
def test_two_ends_without_a_common_codec_hear_each_other(relay, party, codec, other):
    caller, callee = party(codec, 700), party(other, 500)
    _, offered, answered = connect(relay, caller, callee, {"codec": {"transcode": [callee.rtpmap]}})
    assert offered.formats[0] == str(caller.payload_type) and answered.formats == [str(caller.payload_type)]
    time.sleep(3.5)
    for stream in (caller, callee):
        stream.sending = False
        assert_whole(stream)
    assert_heard(callee, 700, caller)
    assert_heard(caller, 500, callee)
