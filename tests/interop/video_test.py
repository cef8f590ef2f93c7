"""Video and text beside the sound: passed through untouched where both phones may have it, refused section by section
where one may not (RFC 3264 section 6)."""
import re
import socket
import struct
import time

import pytest
from exchange import wait_for
from house import global_value, registered_agents

PHONES = {"ann": "ulaw,h264,vp8", "ben": "ulaw,h264,vp8", "cat": "ulaw", "dan": "ulaw,vp8", "eve": "ulaw,t140,h264"}

OBJECTS = """
[phone](!)
type = endpoint
context = phones
disallow = all
[bare](!)
type = aor
max_contacts = 1
remove_existing = yes
""" + "".join(f"\n[{name}](phone)\naors = {name}\nallow = {codecs}\n[{name}](bare)\n" for name, codecs in PHONES.items()) + """
[none](phone)
aors = none
allow = ulaw,h264
max_video_streams = 0
[none](bare)
"""

EXTENSIONS = "[phones]\n" + "".join(f"exten => {name},1,Dial(PJSIP/{name},20)\n" for name in [*PHONES, "none"]) + """
exten => local,1,Dial(Local/ben@phones,20)
exten => echo,1,Answer()
 same => n,Echo()
exten => what,1,Answer()
 same => n,Set(GLOBAL(VIDEO)=${CHANNEL(videonativeformat)} ${CHANNEL(audionativeformat)})
"""

# Formats as phones write them: number, rtpmap, fmtp.
H264 = ("99", "H264/90000", "profile-level-id=42801F;packetization-mode=1")
H264_OTHER = ("98", "H264/90000", "profile-level-id=42801F")
VP8 = ("100", "VP8/90000", "")
T140 = ("104", "t140/1000", "cps=30")


class Stream:
    """One end of an RTP stream that does nothing by itself, with its RTCP one port above."""

    def __init__(self):
        while True:
            self.rtp, self.rtcp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
            self.rtp.bind(("127.0.0.1", 0))
            self.port = self.rtp.getsockname()[1]
            if self.port % 2 == 0:
                try:
                    self.rtcp.bind(("127.0.0.1", self.port + 1))
                    break
                except OSError:
                    pass
            self.close()
        self.sequence, self.ssrc = 7, 0x11220000 + self.port

    def send(self, to, payload_type, payload, timestamp, marker=False):
        header = struct.pack("!BBHII", 0x80, payload_type | (0x80 if marker else 0), self.sequence, timestamp, self.ssrc)
        self.sequence += 1
        self.rtp.sendto(header + payload, ("127.0.0.1", to))

    def ask_for_picture(self, to, media):
        report = struct.pack("!BBHI", 0x80, 201, 1, self.ssrc)
        self.rtcp.sendto(report + struct.pack("!BBHII", 0x81, 206, 2, self.ssrc, media), ("127.0.0.1", to + 1))

    def receive(self, timeout=2.0):
        """(payload type, marker, timestamp, payload, ssrc) of the next packet, or None."""
        self.rtp.settimeout(timeout)
        try:
            data = self.rtp.recv(2048)
        except socket.timeout:
            return None
        kind, _, timestamp, ssrc = struct.unpack("!xBHII", data[:12])
        return kind & 127, bool(kind & 128), timestamp, data[12:], ssrc

    def asked(self, timeout=2.0):
        """The SSRC that a picture loss indication names, or None when none comes."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            self.rtcp.settimeout(left)
            try:
                data = self.rtcp.recv(2048)
            except socket.timeout:
                return None
            while len(data) >= 4:
                first, kind, length = struct.unpack("!BBH", data[:4])
                if kind == 206 and first & 31 == 1:
                    return struct.unpack("!I", data[8:12])[0]
                data = data[4 * (length + 1):]
        return None

    def close(self):
        self.rtp.close()
        self.rtcp.close()


def section(kind, port, *formats, direction="sendrecv", protocol="RTP/AVP", more=()):
    lines = [f"m={kind} {port} {protocol} {' '.join(f[0] for f in formats)}"]
    for number, name, parameters in formats:
        lines.append(f"a=rtpmap:{number} {name}")
        lines += [f"a=fmtp:{number} {parameters}"] * bool(parameters)
    return [*lines, f"a={direction}", *more]


ULAW = ("0", "PCMU/8000", "")


def description(*sections, version=1):
    lines = ["v=0", f"o=- 42 {version} IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"]
    return "\r\n".join(lines + [line for part in sections for line in part]) + "\r\n"


def sections(message):
    """[(kind, port, {number: (name, fmtp)}, direction, attributes)] of a body."""
    found = []
    for line in message.body.decode().split("\r\n"):
        if line.startswith("m="):
            kind, port, protocol, *formats = line[2:].split()
            found.append([kind, int(port), {f: ["", ""] for f in formats}, "sendrecv", [], protocol])
        elif found and (m := re.match(r"a=(rtpmap|fmtp):(\d+) (.*)", line)) and m[2] in found[-1][2]:
            found[-1][2][m[2]][m[1] == "fmtp"] = m[3]
        elif found and line[2:] in ("sendrecv", "sendonly", "recvonly", "inactive"):
            found[-1][3] = line[2:]
        elif found and line.startswith("a="):
            found[-1][4].append(line[2:])
    return found


@pytest.fixture(scope="module")
def exchange(start):
    return start({"objects": OBJECTS, "extensions.conf": EXTENSIONS})


@pytest.fixture
def phones(exchange):
    streams = []
    with registered_agents(exchange) as make:
        make.stream = lambda: streams.append(Stream()) or streams[-1]
        yield make
    for stream in streams:
        stream.close()


def answer(call, body):
    call.respond(200, "OK", body=body)
    call.agent.expect("ACK", call_id=call.call_id)


def passes(one, to_one, other, to_other, one_type, other_type):
    """Both ends send a picture in two packets; each is what the other gets, under its own number."""
    for sender, to, sent_as, receiver, got_as in ((one, to_one, one_type, other, other_type),
                                                  (other, to_other, other_type, one, one_type)):
        while receiver.receive(0.05):
            pass
        pictures = [(bytes([0x65, n]) * 500, n == 1) for n in range(2)]
        for payload, last in pictures:
            sender.send(to, sent_as, payload, 90000, marker=last)
        got = [receiver.receive() for _ in pictures]
        assert None not in got, "the video did not come"
        assert [(g[0], g[1], g[3]) for g in got] == [(got_as, last, payload) for payload, last in pictures]
        assert got[0][2] == got[1][2], "packets of one picture have one timestamp"


def begin(phones, caller, callee, *formats, wait=True):
    """caller calls callee with audio and video of these formats: (call, incoming call, stream, stream)."""
    ours, theirs = phones.stream(), phones.stream()
    out = caller.invite(callee.user, description(section("audio", 4000, ULAW), section("video", ours.port, *formats)))
    back = callee.wait_invite()
    return out, back, ours, theirs


def test_video_is_offered_and_answered_as_both_phones_can_and_passes_both_ways(exchange, phones):
    ann, ben = phones("ann", "ben")
    out, back, ours, theirs = begin(phones, ann, ben, H264_OTHER, H264, VP8)
    audio, video = sections(back.request)
    assert (audio[0], video[0]) == ("audio", "video") and video[1] not in (0, audio[1])
    # What the caller can stands in the offer, parameters included; numbers are ours.
    assert sorted(map(tuple, video[2].values())) == sorted((f[1], f[2]) for f in (H264_OTHER, H264, VP8))
    number = next(n for n, (name, fmtp) in video[2].items() if fmtp == H264[2])
    lower = "profile-level-id=428014;packetization-mode=1"
    answer(back, description(section("audio", 4002, ULAW), section("video", theirs.port, (number, H264[1], lower))))
    answered = out.answered()
    audio, mine = sections(answered)
    assert mine[2] == {"99": ["H264/90000", lower]}, "the caller is to know what the called phone can take"
    passes(ours, mine[1], theirs, video[1], 99, int(number))
    # And the sound still has ports of its own.
    assert audio[1] not in (0, mine[1])
    out.bye()
    back.ended()


def test_who_sends_pictures_is_asked_for_a_whole_one(exchange, phones):
    ann, ben = phones("ann", "ben")
    ours, theirs = phones.stream(), phones.stream()
    asks = ["a=rtcp-fb:* nack pli", "a=rtcp-fb:100 ccm fir", "a=rtcp-fb:* transport-cc"]
    out = ann.invite("ben", description(section("audio", 4000, ULAW), section("video", ours.port, VP8, more=asks, protocol="RTP/AVPF")))
    back = ben.wait_invite()
    video = sections(back.request)[1]
    number = next(iter(video[2]))
    answer(back, description(section("audio", 4002, ULAW), section("video", theirs.port, (number, VP8[1], ""))))
    mine = sections(out.answered())[1]
    assert mine[5] == "RTP/AVPF" and sorted(mine[4]) == ["rtcp-fb:* ccm fir", "rtcp-fb:* nack pli"]
    for _ in range(6):
        theirs.send(video[1], int(number), b"picture", 3000)
        ours.send(mine[1], 100, b"picture", 3000)
        time.sleep(0.02)
    seen = ours.receive()
    ours.ask_for_picture(mine[1], seen[4])
    assert theirs.asked() == theirs.ssrc
    # A phone that has no RTCP for it says so by INFO (RFC 5168).
    xml = '<?xml version="1.0"?><media_control><vc_primitive><to_encoder><picture_fast_update/></to_encoder></vc_primitive></media_control>'
    assert back.ask("INFO", body=xml, content_type="application/media_control+xml").status == 200
    told = out.accept("INFO")
    assert told.body.decode() == xml and told.header("content-type") == "application/media_control+xml"
    out.bye()
    back.ended()


def test_video_is_refused_where_the_called_phone_may_have_none(exchange, phones):
    ann, cat = phones("ann", "cat")
    out, back, ours, _ = begin(phones, ann, cat, H264, VP8)
    assert [s[0] for s in sections(back.request)] == ["audio"]
    answer(back, description(section("audio", 4002, ULAW)))
    audio, video = sections(out.answered())
    assert audio[1] != 0 and (video[0], video[1]) == ("video", 0)
    out.bye()
    back.ended()


@pytest.mark.parametrize("caller", ["cat", "none"])
def test_video_is_refused_where_the_caller_may_have_none(exchange, phones, caller):
    one, ben = phones(caller, "ben")
    out, back, *_ = begin(phones, one, ben, H264)
    assert [s[0] for s in sections(back.request)] == ["audio"]
    answer(back, description(section("audio", 4002, ULAW)))
    assert sections(out.answered())[1][1] == 0
    out.bye()
    back.ended()


def test_only_what_both_may_have_is_left(exchange, phones):
    ann, dan = phones("ann", "dan")
    out, back, ours, theirs = begin(phones, ann, dan, H264, VP8)
    video = sections(back.request)[1]
    assert [name for name, _ in video[2].values()] == ["VP8/90000"]
    number = next(iter(video[2]))
    answer(back, description(section("audio", 4002, ULAW), section("video", theirs.port, (number, VP8[1], ""))))
    mine = sections(out.answered())[1]
    assert list(mine[2]) == ["100"]
    passes(ours, mine[1], theirs, video[1], 100, int(number))
    out.bye()
    back.ended()


def test_a_phone_that_refuses_the_video_has_it_refused_to_the_caller(exchange, phones):
    ann, ben = phones("ann", "ben")
    out, back, *_ = begin(phones, ann, ben, H264)
    number = next(iter(sections(back.request)[1][2]))
    answer(back, description(section("audio", 4002, ULAW), section("video", 0, (number, H264[1], ""))))
    assert [s[1] != 0 for s in sections(out.answered())] == [True, False]
    out.bye()
    back.ended()


def test_sections_keep_their_number_and_order_whatever_they_are(exchange, phones):
    eve, ann = phones("eve", "ann")
    ours, text = phones.stream(), phones.stream()
    out = eve.invite("ann", description(
        ["m=application 5000 TCP/MRCPv2 1"], section("video", ours.port, H264), section("text", text.port, T140),
        section("audio", 4000, ULAW), section("video", 5002, H264), ["m=image 5004 udptl t38"]))
    back = ann.wait_invite()
    assert [s[0] for s in sections(back.request)] == ["audio", "video"], "ann has no text, and one picture"
    number = next(iter(sections(back.request)[1][2]))
    answer(back, description(section("audio", 4002, ULAW), section("video", 4004, (number, H264[1], H264[2]))))
    got = sections(out.answered())
    assert [s[0] for s in got] == ["application", "video", "text", "audio", "video", "image"]
    assert [s[1] != 0 for s in got] == [False, True, False, True, False, False]
    out.bye()
    back.ended()


def test_text_passes_like_video(exchange, phones):
    eve, second = phones("eve", "ben")
    exchange.write("pjsip.conf", (exchange.config / "pjsip.conf").read_text().replace(
        "aors = ben\nallow = ulaw,h264,vp8", "aors = ben\nallow = ulaw,h264,vp8,t140"))
    exchange.ask("pjsip reload")
    ours, theirs = phones.stream(), phones.stream()
    out = eve.invite("ben", description(section("audio", 4000, ULAW), section("text", ours.port, T140)))
    back = second.wait_invite()
    text = sections(back.request)[1]
    assert text[0] == "text" and list(text[2].values()) == [["t140/1000", "cps=30"]]
    number = next(iter(text[2]))
    answer(back, description(section("audio", 4002, ULAW), section("text", theirs.port, (number, "t140/1000", ""))))
    mine = sections(out.answered())[1]
    passes(ours, mine[1], theirs, text[1], 104, int(number))
    out.bye()
    back.ended()


def test_video_goes_through_a_local_pair(exchange, phones):
    ann, ben = phones("ann", "ben")
    ours, theirs = phones.stream(), phones.stream()
    out = ann.invite("local", description(section("audio", 4000, ULAW), section("video", ours.port, VP8)))
    back = ben.wait_invite()
    video = sections(back.request)[1]
    number = next(iter(video[2]))
    answer(back, description(section("audio", 4002, ULAW), section("video", theirs.port, (number, VP8[1], ""))))
    mine = sections(out.answered())[1]
    time.sleep(0.2)
    passes(ours, mine[1], theirs, video[1], 100, int(number))
    out.bye()
    back.ended()


def test_video_is_added_and_taken_away_by_new_offers(exchange, phones):
    ann, ben = phones("ann", "ben")
    ours, theirs = phones.stream(), phones.stream()
    out = ann.invite("ben", description(section("audio", 4000, ULAW)))
    back = ben.wait_invite()
    assert len(sections(back.request)) == 1
    answer(back, description(section("audio", 4002, ULAW)))
    out.answered()
    # Ann turns her camera on: Ben is asked before she is answered.
    out.invite(description(section("audio", 4000, ULAW), section("video", ours.port, H264), version=2))
    offered = ben.expect(lambda m: m.method == "INVITE" and m.is_request and m.tag("to"))
    ann.expect_none(lambda m: m.status == 200 and m.cseq == out.invite_cseq, timeout=0.3)
    video = sections(offered)[1]
    number = next(iter(video[2]))
    assert video[2][number] == [H264[1], H264[2]]
    back.respond(200, "OK", request=offered,
                 body=description(section("audio", 4002, ULAW), section("video", theirs.port, (number, H264[1], H264[2])), version=2))
    ben.expect("ACK", call_id=back.call_id)
    answered = out.expect(lambda m: m.status == 200 and m.cseq == out.invite_cseq)
    out.ack()
    mine = sections(answered)[1]
    passes(ours, mine[1], theirs, video[1], 99, int(number))

    # On hold nothing goes to who wants nothing, and it is all there again afterwards.
    held = out.reinvite(body=description(section("audio", 4000, ULAW, direction="sendonly"),
                                         section("video", ours.port, H264, direction="inactive"), version=3))
    assert [s[3] for s in sections(held)] == ["recvonly", "inactive"]
    time.sleep(0.1)
    theirs.send(video[1], int(number), b"unseen", 9000)
    assert ours.receive(0.4) is None
    back_again = out.reinvite(body=description(section("audio", 4000, ULAW), section("video", ours.port, H264), version=4))
    assert sections(back_again)[1][1] == mine[1], "the same section has the same port"
    passes(ours, mine[1], theirs, video[1], 99, int(number))

    # She turns it off: she is answered at once, and his section goes as well.
    off = out.reinvite(body=description(section("audio", 4000, ULAW), section("video", 0, H264), version=5))
    assert [s[1] != 0 for s in sections(off)] == [True, False]
    offered = ben.expect(lambda m: m.method == "INVITE" and m.is_request and m.tag("to"))
    assert [s[1] != 0 for s in sections(offered)] == [True, False]
    back.respond(200, "OK", request=offered,
                 body=description(section("audio", 4002, ULAW), section("video", 0, (number, H264[1], "")), version=3))
    ben.expect("ACK", call_id=back.call_id)
    theirs.send(video[1], int(number), b"unseen", 9000)
    assert ours.receive(0.3) is None
    out.bye()
    back.ended()


def test_a_phone_that_declines_new_video_keeps_the_call(exchange, phones):
    ann, ben = phones("ann", "ben")
    ours = phones.stream()
    out = ann.invite("ben", description(section("audio", 4000, ULAW)))
    back = ben.wait_invite()
    answer(back, description(section("audio", 4002, ULAW)))
    out.answered()
    out.invite(description(section("audio", 4000, ULAW), section("video", ours.port, H264), version=2))
    offered = ben.expect(lambda m: m.method == "INVITE" and m.is_request and m.tag("to"))
    back.respond(488, "Not Acceptable Here", request=offered)
    ben.expect("ACK", call_id=back.call_id)
    answered = out.expect(lambda m: m.status == 200 and m.cseq == out.invite_cseq)
    out.ack()
    assert [s[1] != 0 for s in sections(answered)] == [True, False]
    # She goes on offering it; he is not asked again for the same.
    again = out.reinvite(body=description(section("audio", 4000, ULAW), section("video", ours.port, H264), version=3))
    assert sections(again)[1][1] == 0
    ben.expect_none("INVITE", timeout=0.3)
    out.bye()
    back.ended()


def test_an_echo_shows_the_caller_himself(exchange, phones):
    ann, = phones("ann")
    ours = phones.stream()
    out = ann.invite("echo", description(section("audio", 4000, ULAW), section("video", ours.port, VP8)))
    mine = sections(out.answered())[1]
    time.sleep(0.2)
    ours.send(mine[1], 100, b"mirror", 3000, marker=True)
    got = ours.receive()
    assert got and (got[0], got[1], got[3]) == (100, True, b"mirror")
    out.bye()


def test_the_dialplan_can_see_the_codecs_of_the_picture(exchange, phones):
    ann, = phones("ann")
    out = ann.invite("what", description(section("audio", 4000, ULAW), section("video", 4004, H264, VP8)))
    out.answered()
    out.ended()
    wait_for(lambda: global_value(exchange, "VIDEO") == "(h264|vp8) (ulaw)", what="the formats")
