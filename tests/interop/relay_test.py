"""Two ends, a proxy in NG, and the relay between them: descriptions and packets of plain calls."""
import os
import signal
import time

import pytest
from exchange import wait_for
from ng import decode, encode
from relaying import a, b  # noqa: F401
from relaying import Call, End, Ng, Refused, Relay, free_run, sections


@pytest.fixture(scope="module")
def relay():
    with Relay() as running:
        yield running


def test_packets_of_a_call_go_both_ways_and_are_counted(relay, a, b):
    call = Call(relay, a, b)
    call.pass_both_ways()
    a.send(call.at_a[0].rtcp_at, a.report(), rtcp=True)
    data, source = b.receive(rtcp=True)
    assert data[:8] == a.report()[:8] and source == call.at_b[0].rtcp_at
    seen = call.query()
    assert seen["totals"]["RTP"] == {"packets": 6, "bytes": 6 * 172, "errors": 0}
    assert seen["totals"]["RTCP"]["packets"] == 1
    stream = seen["tags"]["from"]["medias"][0]["streams"][0]
    assert stream["endpoint"] == {"family": "IPv4", "address": "127.0.0.1", "port": a.port}
    assert stream["local port"] == call.at_a[0].port
    assert seen["tags"]["from"]["medias"][0]["ingress SSRCs"] == [{"SSRC": a.ssrc}]
    assert seen["tags"]["from"]["subscriptions"] == [{"tag": "to", "type": "offer/answer"}]
    assert call.delete()["totals"]["RTP"]["packets"] == 6
    with pytest.raises(Refused, match="Unknown call-id"):
        call.query()


def test_ports_are_even_and_of_the_range_and_free_again_after_the_call(relay, a, b):
    call = Call(relay, a, b)
    for section in (*call.at_a, *call.at_b):
        assert relay.first <= section.port < relay.first + 200 and section.port % 2 == 0
        assert section.rtcp == section.port + 1
    call.delete()
    used = []
    for _ in range(120):  # more calls than there are ports
        one = Call(relay, a, b)
        used += [one.at_a[0].port, one.at_b[0].port]
        one.delete()
    assert len(set(used)) > 90


def test_running_out_of_ports_says_so(a, b):
    first = free_run(4)
    with Relay(first=first, options=[f"--port-max={first + 3}"]) as small:
        Call(small, a, b)
        with pytest.raises(Refused, match=f"Ran out of ports.*{first} to {first + 3}.*2 of 2 in use"):
            Call(small, a, b)


def test_a_party_keeps_its_ports_over_offers_from_either_side(relay, a, b):
    call = Call(relay, a, b)
    again = relay.ng.call("offer", call_id=call.id, from_tag="from", to_tag="to", sdp=a.sdp(lines=["a=sendonly"]))["sdp"]
    assert sections(again)[0].port == call.at_b[0].port and "a=sendonly" in sections(again)[0].lines
    back = relay.ng.call("answer", call_id=call.id, from_tag="from", to_tag="to", sdp=b.sdp(lines=["a=recvonly"]))["sdp"]
    assert sections(back)[0].port == call.at_a[0].port and "a=recvonly" in sections(back)[0].lines
    other_way = relay.ng.call("offer", call_id=call.id, from_tag="to", to_tag="from", sdp=b.sdp())["sdp"]
    assert sections(other_way)[0].port == call.at_a[0].port
    answer = relay.ng.call("answer", call_id=call.id, from_tag="to", to_tag="from", sdp=a.sdp())["sdp"]
    assert sections(answer)[0].port == call.at_b[0].port
    call.pass_both_ways()


def test_an_end_that_moves_gets_its_media_and_the_other_a_new_port(relay, a, b):
    call = Call(relay, a, b)
    call.pass_both_ways()
    with End() as moved:
        offer = relay.ng.call("offer", call_id=call.id, from_tag="from", to_tag="to", sdp=moved.sdp())["sdp"]
        answer = relay.ng.call("answer", call_id=call.id, from_tag="from", to_tag="to", sdp=b.sdp())["sdp"]
        assert sections(offer)[0].port != call.at_b[0].port
        assert sections(answer)[0].port == call.at_a[0].port
        call.a = moved
        time.sleep(0.1)  # until the media thread has let go of the old end, to whom its socket was connected
        call.pass_both_ways(sections(answer)[0], sections(offer)[0])


def test_port_latching_keeps_the_port_when_an_end_moves(relay, a, b):
    call = Call(relay, a, b)
    with End() as moved:
        offer = relay.ng.call("offer", call_id=call.id, from_tag="from", to_tag="to", sdp=moved.sdp(), flags=["port latching"])["sdp"]
        assert sections(offer)[0].port == call.at_b[0].port


def test_the_source_of_media_is_learnt_behind_a_nat(relay, a, b):
    """The description names an address of a private network; media comes from elsewhere."""
    call = Call(relay, a, b, offer_sdp=a.sdp(address="10.0.0.9", port=4000))
    for _ in range(5):
        a.send(call.at_a[0].at, a.packet())
    packet = b.packet()
    wait_for(lambda: call.query()["tags"]["from"]["medias"][0]["streams"][0]["endpoint"]["address"] == "127.0.0.1", what="learning")
    b.send(call.at_b[0].at, packet)
    assert a.receive()[0] == packet
    assert call.query()["tags"]["from"]["medias"][0]["streams"][0]["advertised endpoint"]["address"] == "10.0.0.9"


def test_without_learning_media_goes_where_the_description_says(relay, a, b):
    call = Call(relay, a, b, offer={"endpoint_learning": "off"})
    with End() as stranger:
        for _ in range(8):
            stranger.send(call.at_a[0].at, stranger.packet())
        packet = b.packet()
        b.send(call.at_b[0].at, packet)
        assert a.receive()[0] == packet
        assert stranger.receive(timeout=0.1)[0] is None


def test_strangers_who_spray_a_port_take_nothing_over(relay, a, b):
    call = Call(relay, a, b)
    call.pass_both_ways()
    with End() as stranger:
        for n in range(300):
            stranger.send(call.at_a[0].at, os.urandom(n % 200) if n % 2 else stranger.packet())
        b.drain()
        call.pass_both_ways()
        b.send(call.at_b[0].at, b.packet())
        assert stranger.receive(timeout=0.1)[0] is None


def test_a_fork_that_answers_later_takes_the_call(relay, a, b):
    with End() as second:
        call = Call(relay, a, b)
        call.pass_both_ways()
        answer = relay.ng.call("answer", call_id=call.id, from_tag="from", to_tag="second", sdp=second.sdp())["sdp"]
        assert sections(answer)[0].port == call.at_a[0].port
        call.b = second
        call.pass_both_ways()


def test_branches_of_a_call_have_ports_of_their_own(relay, a, b):
    with End() as second:
        offers = [sections(relay.ng.call("offer", call_id="fork-1", from_tag="f", sdp=a.sdp(), via_branch=branch)["sdp"])[0]
                  for branch in ("one", "two", "one")]
        assert offers[0].port == offers[2].port != offers[1].port
        early = relay.ng.call("answer", call_id="fork-1", from_tag="f", to_tag="t1", sdp=b.sdp(), via_branch="one")["sdp"]
        final = relay.ng.call("answer", call_id="fork-1", from_tag="f", to_tag="t2", sdp=second.sdp(), via_branch="two")["sdp"]
        assert sections(early)[0].port == sections(final)[0].port
        packet = second.packet()
        second.send(offers[1].at, packet)
        assert a.receive()[0] == packet
        assert relay.ng.call("delete", call_id="fork-1", from_tag="f", to_tag="t1")["result"] == "ok"
        packet = a.packet()
        a.send(sections(final)[0].at, packet)
        assert second.receive()[0] == packet


def test_a_repeated_command_is_answered_as_before_and_not_run_again(relay, a):
    message = {"command": "offer", "call-id": "cookie-1", "from-tag": "f", "sdp": a.sdp()}
    datagram = b"one-cookie " + encode(message)
    first = relay.ng.exchange(datagram)
    assert relay.ng.exchange(datagram) == first
    relay.ng.call("delete", call_id="cookie-1", from_tag="f", delete_delay=0)
    assert relay.ng.exchange(datagram) == first  # and the call is not there again
    with pytest.raises(Refused):
        relay.ng.call("query", call_id="cookie-1")


@pytest.mark.parametrize("datagram,reason", [
    (b"c1 ", "Invalid NG data format"),
    (b"c2 d7:command4:ping", "Could not decode bencode dictionary"),
    (b"c3 d7:command5:helloe", "Unrecognized command"),
    (b"c4 de", "no key"),
    (b"c5 d7:command5:offere", "No SDP body in message"),
    (b"c6 d7:command5:offer3:sdp1:xe", "No call-id in message"),
    (b"c7 d7:command5:offer3:sdp1:x7:call-id1:y8:from-tag1:ze", "Failed to parse SDP"),
    (b"c8 d7:command5:query7:call-id1:ye", "Unknown call-id"),
])
def test_mistakes_are_answered_with_their_reason(relay, datagram, reason):
    cookie, _, document = relay.ng.exchange(datagram).partition(b" ")
    reply = decode(document)
    assert cookie == datagram.split(b" ")[0] and reply["result"] == "error" and reason in reply["error-reason"]


def test_what_has_no_cookie_gets_no_reply(relay):
    relay.ng.socket.send(b"d7:command4:pinge")
    assert relay.ng.call("ping")["result"] == "pong"


def test_json_gets_json(relay, a, b):
    ng = Ng("127.0.0.1", relay.port, json=True)
    assert ng.call("ping") == {"result": "pong"}
    reply = ng.call("offer", **{"call-id": "json-1", "from-tag": "f", "sdp": a.sdp()})
    assert reply["result"] == "ok" and sections(reply["sdp"])[0].port
    ng.close()


def test_delete_of_what_is_not_there_is_a_warning_or_an_error(relay):
    reply = relay.ng.call("delete", call_id="nobody", from_tag="x")
    assert reply["result"] == "ok" and "Call-ID not found" in reply["warning"]
    with pytest.raises(Refused, match="Call-ID not found"):
        relay.ng.call("delete", call_id="nobody", from_tag="x", flags=["fatal"])


def test_media_goes_on_for_the_delay_of_delete(relay, a, b):
    call = Call(relay, a, b)
    relay.ng.call("delete", call_id=call.id, from_tag="from", delete__delay=1)
    call.pass_both_ways()
    wait_for(lambda: call.id not in relay.ng.call("list", limit=1000)["calls"], what="the end of the call")


def test_list_and_statistics_count_calls(relay, a, b):
    before = relay.ng.call("statistics")["statistics"]["totalstatistics"]["managedsessions"]
    call = Call(relay, a, b)
    assert call.id in relay.ng.call("list", limit=1000)["calls"]
    now = relay.ng.call("statistics")["statistics"]
    assert now["totalstatistics"]["managedsessions"] == before + 1
    assert now["currentstatistics"]["sessionstotal"] == len(relay.ng.call("list", limit=1000)["calls"])
    assert len(relay.ng.call("list", limit=1)["calls"]) == 1


def test_calls_without_media_end_after_the_timeout(a, b):
    with Relay(options=["--timeout=1"]) as short:
        call = Call(short, a, b)
        wait_for(lambda: not short.ng.call("list")["calls"], what="the timeout")
        assert "no media" in short.output()
        call = Call(short, a, b)
        for _ in range(12):
            call.pass_both_ways()
            time.sleep(0.2)
        assert call.id in short.ng.call("list")["calls"]


def test_no_more_calls_than_allowed(a, b):
    with Relay(options=["--max-sessions=1"]) as small:
        call = Call(small, a, b)
        with pytest.raises(Refused, match="session limit"):
            small.ng.call("offer", call_id="second", from_tag="x", sdp=a.sdp())
        limited = small.ng.call("offer", call_id="second", from_tag="x", sdp=a.sdp(), supports=["load limit"])
        assert limited["result"] == "load limit"
        call.delete()
        assert small.ng.call("offer", call_id="second", from_tag="x", sdp=a.sdp())["result"] == "ok"


def test_the_configuration_file_is_reloaded_and_calls_stay(a, b, tmp_path):
    config = "[rtpengine]\nmax-sessions = 1\ntable = 0\nfrobnicate = 7\ntemplates = tpl\n[tpl]\noffer = replace-origin\n"
    with Relay(config=config) as running:
        call = Call(running, a, b)
        assert f"o=- 1 1 IN IP4 127.0.0.1" in call.offered
        with pytest.raises(Refused):
            Call(running, a, b)
        (running.log.parent / "relay.conf").write_text(config.replace("max-sessions = 1", "max-sessions = 2"))
        running.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "reloaded" in running.output(), what="the reload")
        Call(running, a, b)
        call.pass_both_ways()
        assert running.output().count("'table' has no meaning here") == 1
        assert "frobnicate" in running.output()


def test_options_come_from_the_environment_but_the_command_line_wins(a, b):
    environment = dict(os.environ, RTPENGINE_MAX_SESSIONS="0", RTPENGINE_TIMEOUT="7")
    with Relay(environment=environment) as running:
        with pytest.raises(Refused, match="session limit"):
            Call(running, a, b)
    with Relay(environment=environment, options=["--max-sessions=5"]) as running:
        Call(running, a, b)
