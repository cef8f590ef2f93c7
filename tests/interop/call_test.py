"""Calls through the shipped dialplan, seen from both ends message by message."""
import contextlib
import subprocess
import time

import pytest
from agent import Agent, Timeout, sdp
from exchange import wait_for
from house import FILES, global_value, hang_up_all, phone
from running import root
from sound import compare, loudness


@pytest.fixture(scope="module")
def exchange(start):
    return start(dict(FILES), shipped=True)


@pytest.fixture
def pair(exchange):
    """carol and dave, registered; whatever they leave is hung up."""
    with phone(exchange, "carol") as carol, phone(exchange, "dave") as dave:
        yield carol, dave
        hang_up_all(exchange, [carol, dave])


@pytest.fixture
def trio(exchange, pair):
    with phone(exchange, "erin") as erin:
        yield (*pair, erin)
        hang_up_all(exchange, [*pair, erin])


@pytest.fixture
def sounds():
    return next(p for p in (root / "/usr/share/asterisk/sounds").glob("en*") if (p / "hello-world.wav").exists())


def connect(caller, callee, number="104", voice=None, reply=None):
    """A call that is up; returns both ends."""
    out = caller.invite(number)
    back = callee.wait_invite()
    back.ring()
    back.answer(reply)
    out.answered(wav=voice)
    return out, back


def talk_and_compare(out, back, speech, folder, least=0.95):
    time.sleep(4.2)
    there = compare(speech["a"], back.rtp.heard_file(folder / "there.wav"))
    here = compare(speech["b"], out.rtp.heard_file(folder / "here.wav"))
    assert there["similarity"] > least and there["matched_percent"] > 95, there
    assert here["similarity"] > least and here["matched_percent"] > 95, here


def test_a_call_rings_is_answered_and_speech_arrives_both_ways(exchange, pair, speech, tmp_path):
    carol, dave = pair
    out = carol.invite("104")
    out.expect(100)
    back = dave.wait_invite()
    assert '"Carol" <sip:103@' in back.request.header("from")
    assert back.request.sdp().formats[:2] in (["8", "0"], ["0", "8"])
    back.ring()
    assert out.expect(180).tag("to")
    back.answer(speech["b"])
    out.answered(wav=speech["a"])
    talk_and_compare(out, back, speech, tmp_path)
    assert out.rtp.lost() == back.rtp.lost() == 0
    out.bye()
    back.ended()
    call = exchange.wait_call("ended")
    assert call["cause"] == 16 and [m["lost"] for m in call["media"]] == [0, 0]
    assert all(m["mos"] > 4.2 for m in call["media"])


def test_the_called_side_hangs_up(pair):
    out, back = connect(*pair)
    back.bye()
    bye = out.ended()
    assert any("cause=16" in r for r in bye.all("reason"))


def test_a_caller_who_gives_up_gets_487_and_the_called_phone_a_cancel(exchange, pair):
    carol, dave = pair
    out = carol.invite("104")
    back = dave.wait_invite()
    back.ring()
    out.expect(180)
    assert out.cancel().status == 200
    out.failed(487)
    back.accept("CANCEL")
    back.respond(487, "Request Terminated")
    dave.expect("ACK", call_id=back.call_id)
    exchange.wait_idle()


def test_busy_is_said_and_answered_with_486(pair):
    carol, dave = pair
    out = carol.invite("104")
    back = dave.wait_invite()
    back.respond(486, "Busy Here")
    dave.expect("ACK", call_id=back.call_id)
    early = out.expect(183).sdp()
    out.rtp.send(early.address, early.port)
    out.failed(486)
    assert loudness(out.rtp.heard()) > 200


def test_nobody_answers_in_time(exchange, pair):
    carol, dave = pair
    exchange.ask("dialplan set global DIAL_TIMEOUT ,1")
    try:
        out = carol.invite("104")
        back = dave.wait_invite()
        back.ring()
        back.accept("CANCEL", timeout=3)
        back.respond(487, "Request Terminated")
        out.failed(480)
    finally:
        exchange.ask("dialplan set global DIAL_TIMEOUT ,30")


def test_a_phone_that_is_nowhere_registered_is_unavailable(pair):
    out = pair[0].invite("106")
    out.expect(183)
    out.failed(480)


@pytest.mark.parametrize("number, status", [("699", 404), ("nobody", 404), ("1", 484), ("10", 484), ("0", 484)])
def test_numbers_without_a_match_never_start_the_dialplan(pair, number, status):
    pair[0].invite(number).failed(status)


def test_without_a_common_codec_the_call_is_refused(pair):
    carol, _ = pair
    carol.invite("610", body=sdp(4000, formats="18")).failed(488)


def test_the_echo_gives_speech_back(pair, speech, tmp_path):
    out = pair[0].invite("610")
    out.answered(wav=speech["a"])
    time.sleep(4.3)
    match = compare(speech["a"], out.rtp.heard_file(tmp_path / "echo.wav"))
    assert match["similarity"] > 0.95 and match["delay_ms"] < 300, match
    out.bye()


def test_the_shipped_echo_test_explains_itself_first(pair, sounds, tmp_path):
    out = pair[0].invite("600")
    out.answered()
    time.sleep(3)
    head = tmp_path / "head.wav"
    subprocess.run(["sox", sounds / "demo-echotest.wav", head, "trim", "0", "2.5"], check=True)
    assert compare(head, out.rtp.heard_file(tmp_path / "heard.wav"))["similarity"] > 0.95
    out.bye()


def test_a_prompt_is_heard_whole_and_then_the_exchange_hangs_up(pair, sounds, tmp_path):
    out = pair[0].invite("602")
    out.answered()
    out.ended(timeout=6)
    match = compare(sounds / "hello-world.wav", out.rtp.heard_file(tmp_path / "prompt.wav"))
    assert match["similarity"] > 0.95 and match["matched_percent"] > 95, match


def test_music_plays_without_gaps(pair):
    out = pair[0].invite("601")
    out.answered()
    wait_for(out.rtp.voice_packets, what="music")  # minutes of it are read before it begins
    time.sleep(2)
    packets = out.rtp.voice_packets()
    assert 90 <= len(packets) <= 110 and out.rtp.lost() == 0
    assert loudness(out.rtp.heard()) > 100
    out.bye()


@pytest.mark.parametrize("how", ["rfc4733", "info-relay", "info-plain"])
def test_digits_reach_read(exchange, pair, how):
    out = pair[0].invite("620")
    out.answered()
    time.sleep(0.1)
    digits = {"rfc4733": "19*5", "info-relay": "28#", "info-plain": "3741"}[how]
    if how == "rfc4733":
        out.rtp.press(digits)
    for digit in digits if how != "rfc4733" else "":
        body, kind = ((f"Signal={digit}\r\nDuration=160\r\n", "application/dtmf-relay") if how == "info-relay"
                      else (digit, "application/dtmf"))
        assert out.ask("INFO", body=body, content_type=kind).status == 200
    out.ended()
    assert global_value(exchange, "READ_RESULT") == "OK:" + digits.rstrip("#")


@pytest.mark.parametrize("digits, result", [("42", "chose-42"), ("77", "invalid-77"), ("", "timeout")])
def test_digits_choose_in_a_menu(exchange, pair, digits, result):
    out = pair[0].invite("621")
    out.answered()
    out.rtp.press(digits)
    out.ended(timeout=8)
    assert global_value(exchange, "MENU_RESULT") in (result, "invalid-7" if digits == "77" else result)


def test_digits_cross_a_call(pair):
    out, back = connect(*pair)
    time.sleep(0.2)
    out.rtp.press("5#1")
    assert out.ask("INFO", body="Signal=9\r\nDuration=100\r\n", content_type="application/dtmf-relay").status == 200
    wait_for(lambda: "".join(back.rtp.digits) == "5#19", 3, what=f"digits at dave, who has {back.rtp.digits}")
    assert all(p[1] in (0, 101) for p in back.rtp.packets)
    out.bye()


def test_words_come_before_the_answer(pair, sounds, tmp_path):
    out = pair[0].invite("640")
    early = out.expect(183).sdp()
    out.rtp.send(early.address, early.port)
    refused = out.failed(486)
    assert any("cause=17" in r for r in refused.all("reason"))
    assert compare(sounds / "hello-world.wav", out.rtp.heard_file(tmp_path / "early.wav"))["similarity"] > 0.95


def test_early_media_of_the_called_phone_reaches_the_caller(pair, speech, tmp_path):
    carol, dave = pair
    out = carol.invite("104")
    back = dave.wait_invite()
    back.respond(183, "Session Progress", body=sdp(back.rtp.port, formats="0 101"))
    offer = back.request.sdp()
    back.rtp.send(offer.address, offer.port, speech["b"])
    early = out.expect(183).sdp()
    out.rtp.send(early.address, early.port)
    time.sleep(3.6)
    assert compare(speech["b"], out.rtp.heard_file(tmp_path / "early.wav"))["similarity"] > 0.95
    back.respond(200, "OK", body=sdp(back.rtp.port, formats="0 101"))
    dave.expect("ACK", call_id=back.call_id)
    out.answered()
    out.bye()
    back.ended()


def test_of_two_phones_the_first_to_answer_wins(exchange, pair):
    carol, dave = pair
    with Agent(exchange, "dave", "secret-dave") as other:
        answer = other.register(expires=300)
        assert len(answer.all("contact")) == 2
        out = carol.invite("104")
        first, second = dave.wait_invite(), other.wait_invite()
        first.ring()
        second.ring()
        out.expect(180)
        second.answer()
        out.answered()
        first.accept("CANCEL")
        first.respond(487, "Request Terminated")
        dave.expect("ACK", call_id=first.call_id)
        carol.expect_none(lambda m: m.status == 200 and m.method == "INVITE", timeout=0.3)
        out.bye()
        second.ended()


def test_both_answer_at_once_and_one_of_them_is_hung_up(exchange, pair):
    carol, dave = pair
    with Agent(exchange, "dave", "secret-dave") as other:
        other.register(expires=300)
        out = carol.invite("104")
        calls = [dave.wait_invite(), other.wait_invite()]
        for call in calls:
            call.answer(wait_ack=False)
        out.answered()
        for call in calls:
            call.agent.expect("ACK", call_id=call.call_id)
        losers = 0
        for call in calls:
            with contextlib.suppress(Timeout):
                call.ended(timeout=1)
                losers += 1
        assert losers == 1
        out.bye()


def test_an_invite_without_an_offer_gets_one_in_the_200(pair, speech, tmp_path):
    carol, dave = pair
    out = carol.invite("104", body="")
    back = dave.wait_invite()
    back.ring()
    back.answer(speech["b"])
    out.answered(wav=speech["a"], ack_body=sdp(out.rtp.port, formats="0 101"))
    talk_and_compare(out, back, speech, tmp_path)
    out.bye()
    back.ended()


def test_hold_brings_music_and_resume_brings_speech(pair, speech, tmp_path):
    out, back = connect(*pair)
    time.sleep(0.3)
    quiet = time.monotonic()
    held = out.reinvite("sendonly")
    assert held.status == 200 and held.sdp().direction in ("recvonly", "inactive")
    time.sleep(1.5)
    assert loudness(back.rtp.heard(since=quiet + 0.5)) > 100
    resumed = out.reinvite("sendrecv")
    assert resumed.status == 200 and resumed.sdp().direction == "sendrecv"
    time.sleep(0.2)
    again = time.monotonic()
    out.rtp.sending = False
    time.sleep(0.1)
    description = resumed.sdp()
    out.rtp.send(description.address, description.port, speech["a"])
    time.sleep(4.2)
    match = compare(speech["a"], back.rtp.heard_file(tmp_path / "resumed.wav", since=again))
    assert match["similarity"] > 0.95, match
    assert out.reinvite("inactive").sdp().direction == "inactive"
    out.bye()
    back.ended()


def test_an_old_style_hold_is_understood(pair):
    out, back = connect(*pair)
    body = sdp(out.rtp.port, formats="0 101").replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0")
    assert out.reinvite(body=body).status == 200
    since = time.monotonic()
    # A piece may begin softly.
    wait_for(lambda: loudness(back.rtp.heard(since=since + 0.3)) > 100, what="music")
    out.bye()


def test_a_blind_transfer(exchange, trio, speech, tmp_path):
    carol, dave, erin = trio
    out, back = connect(carol, dave)
    answer = back.ask("REFER", headers=[f"Refer-To: <sip:105@{exchange.server}>", "Referred-By: <sip:dave@x.invalid>"])
    assert answer.status == 202
    third = erin.wait_invite()
    third.ring()
    reports = []
    while not reports or "terminated" not in reports[-1].header("subscription-state"):
        reports.append(back.accept("NOTIFY"))
        assert reports[-1].header("event").startswith("refer")
        assert reports[-1].header("content-type").startswith("message/sipfrag")
        if len(reports) == 1:
            third.answer(speech["b"])
    assert reports[0].body.startswith(b"SIP/2.0 100")
    assert reports[-1].body.startswith(b"SIP/2.0 200")
    dave.settle()
    time.sleep(4)
    assert compare(speech["b"], out.rtp.heard_file(tmp_path / "third.wav"))["similarity"] > 0.95
    third.bye()
    out.ended()


def test_byes_that_cross_end_the_call_at_once(exchange, pair):
    """A phone that has hung up itself may never answer the BYE that was on its way to it."""
    out, back = connect(*pair)
    exchange.ask("channel request hangup all")
    back.agent.expect("BYE", call_id=back.call_id)
    back.bye()
    out.ended()
    exchange.wait_idle(timeout=2)


def test_a_blind_transfer_to_nowhere_is_reported_and_the_call_stays(exchange, pair):
    carol, dave = pair
    out, back = connect(carol, dave)
    assert back.ask("REFER", headers=[f"Refer-To: <sip:699@{exchange.server}>"]).status == 202
    reports = [back.accept("NOTIFY"), back.accept("NOTIFY")]
    assert reports[-1].body.startswith(b"SIP/2.0 404") and "terminated" in reports[-1].header("subscription-state")
    carol.expect_none("BYE")
    out.bye()
    back.ended()


def test_a_refer_without_a_target_is_bad(pair):
    out, back = connect(*pair)
    assert back.ask("REFER").status == 400
    out.bye()


def test_an_attended_transfer_joins_the_far_ends(exchange, trio, speech, tmp_path):
    carol, dave, erin = trio
    out, back = connect(carol, dave)
    assert back.reinvite("sendonly").status == 200
    asking = dave.invite("105")
    third = erin.wait_invite()
    third.answer()
    asking.answered()
    local = asking.local.split("tag=")[1]
    remote = asking.remote.split("tag=")[1]
    target = f"<sip:105@{exchange.server}?Replaces={asking.call_id}%3Bto-tag%3D{remote}%3Bfrom-tag%3D{local}>"
    assert back.ask("REFER", headers=[f"Refer-To: {target}"]).status == 202
    last = back.accept("NOTIFY")
    while "terminated" not in last.header("subscription-state"):
        last = back.accept("NOTIFY")
    assert last.body.startswith(b"SIP/2.0 200")
    for call in (back, asking):
        call.ended(timeout=2)
    since = time.monotonic()
    third.rtp.sending = False
    time.sleep(0.1)
    offer = third.request.sdp()
    third.rtp.send(offer.address, offer.port, speech["b"])
    time.sleep(4.2)
    assert compare(speech["b"], out.rtp.heard_file(tmp_path / "joined.wav", since=since))["similarity"] > 0.95
    out.bye()
    third.ended()


def test_an_attended_transfer_of_an_unknown_call_is_refused(exchange, pair):
    out, back = connect(*pair)
    target = f"<sip:105@{exchange.server}?Replaces=nothing%3Bto-tag%3Da%3Bfrom-tag%3Db>"
    assert back.ask("REFER", headers=[f"Refer-To: {target}"]).status in (400, 481, 603)
    out.bye()


def test_an_invite_with_replaces_takes_a_call_over(exchange, trio, speech, tmp_path):
    carol, dave, erin = trio
    out, back = connect(carol, dave)
    ours = back.local.split("tag=")[1]
    theirs = back.remote.split("tag=")[1]
    taking = erin.invite("104", headers=[f"Replaces: {back.call_id};to-tag={theirs};from-tag={ours}", "Require: replaces"])
    taking.answered(wav=speech["b"])
    back.ended()
    time.sleep(4.2)
    assert compare(speech["b"], out.rtp.heard_file(tmp_path / "taken.wav"))["similarity"] > 0.95
    out.bye()
    taking.ended()


def test_replaces_of_nothing_is_481(trio):
    trio[2].invite("104", headers=["Replaces: nothing;to-tag=a;from-tag=b"]).failed(481)


def test_session_timers_are_agreed_and_refreshed(pair):
    out = pair[0].invite("642", headers=["Supported: timer", "Session-Expires: 120;refresher=uac"])
    answer = out.answered()
    assert answer.header("session-expires").replace(" ", "") == "120;refresher=uac"
    assert "timer" in answer.header("require", "")
    again = out.ask("UPDATE", headers=["Supported: timer", "Session-Expires: 120;refresher=uac"])
    assert again.status == 200 and again.header("session-expires").startswith("120")
    again = out.reinvite(headers=["Supported: timer", "Session-Expires: 120;refresher=uac"])
    assert again.status == 200 and again.header("session-expires").startswith("120")
    out.bye()


def test_a_session_interval_that_is_too_small_is_422(pair):
    refused = pair[0].invite("642", headers=["Supported: timer", "Session-Expires: 30"]).failed(422)
    assert refused.header("min-se") == "90"


def test_reliable_provisional_responses_when_the_caller_requires_them(pair):
    out = pair[0].invite("641", headers=["Require: 100rel"])
    ringing = out.adopt(out.expect(180))
    assert "100rel" in ringing.header("require", "") and int(ringing.header("rseq")) > 0
    wrong = out.ask("PRACK", headers=[f"RAck: {int(ringing.header('rseq')) + 7} {out.invite_cseq} INVITE"])
    assert wrong.status == 481
    right = out.ask("PRACK", headers=[f"RAck: {ringing.header('rseq')} {out.invite_cseq} INVITE"])
    assert right.status == 200
    out.answered()
    out.bye()


def test_an_unacknowledged_reliable_response_is_sent_again(pair):
    carol, _ = pair
    out = carol.invite("641", headers=["Require: 100rel"])
    first = out.expect(180)
    deadline, again = time.monotonic() + 2, 0
    while time.monotonic() < deadline and not again:
        message = carol.receive(0.5, repeats=True)
        again += bool(message and message.status == 180 and message.header("rseq") == first.header("rseq"))
    assert again
    out.cancel()


def test_a_phone_that_wants_prack_gets_it(pair):
    carol, dave = pair
    out = carol.invite("104")
    back = dave.wait_invite()
    assert "100rel" in back.request.header("supported")
    back.respond(180, "Ringing", ["Require: 100rel", "RSeq: 4711"])
    prack = back.accept("PRACK")
    assert prack.header("rack") == f"4711 {back.request.cseq} INVITE"
    back.answer()
    out.answered()
    out.bye()
    back.ended()


def test_an_unknown_extension_that_is_required_is_420(pair):
    refused = pair[0].invite("642", headers=["Require: teleport"]).failed(420)
    assert "teleport" in refused.header("unsupported")


def test_update_changes_the_media_within_a_call(pair):
    out, back = connect(*pair)
    held = out.ask("UPDATE", body=sdp(out.rtp.port, "sendonly", "0 101", version=5))
    assert held.status == 200 and held.sdp().direction in ("recvonly", "inactive")
    assert out.ask("UPDATE").status == 200
    resumed = out.ask("UPDATE", body=sdp(out.rtp.port, "sendrecv", "0 101", version=6))
    assert resumed.sdp().direction == "sendrecv"
    out.bye()
    back.ended()


def test_options_tell_what_there_is(exchange, pair):
    carol, _ = pair
    asked = carol.ask("OPTIONS")
    assert asked.status == 200 and not asked.body
    assert "INVITE" in asked.header("allow") and "application/sdp" in asked.header("accept")
    assert {"100rel", "timer", "replaces"} <= {o.strip() for o in asked.header("supported").split(",")}
    assert carol.ask("OPTIONS", carol.uri("600")).status == 200
    assert carol.ask("OPTIONS", carol.uri("699")).status == 404
    assert carol.ask("OPTIONS", from_user="stranger", authenticate=False).status == 401


def test_an_unknown_method_inside_of_a_call_is_refused_and_the_call_stays(pair):
    out, back = connect(*pair)
    answer = out.ask("FOO")
    assert answer.status in (405, 501)
    assert out.reinvite().status == 200
    out.bye()
    back.ended()


def test_requests_for_calls_that_are_not_are_481(pair):
    out = pair[0].invite("642")
    out.answered()
    out.bye()
    assert out.ask("BYE").status == 481
    assert out.reinvite().status == 481
    assert out.ask("UPDATE").status == 481


def test_two_offers_that_cross_are_answered_with_491(pair):
    carol, _ = pair
    out = carol.invite("630")
    out.answered()
    theirs = carol.expect(lambda m: m.is_request and m.method == "INVITE", call_id=out.call_id)
    out.last_remote_cseq = theirs.cseq
    assert out.reinvite().status == 491
    out.respond(491, "Request Pending", request=theirs)
    carol.expect("ACK", call_id=out.call_id)
    again = carol.expect(lambda m: m.is_request and m.method == "INVITE" and m.cseq > theirs.cseq, call_id=out.call_id, timeout=4)
    out.respond(200, "OK", body=sdp(out.rtp.port, formats="0 101", version=9), request=again)
    carol.expect("ACK", call_id=out.call_id)
    out.bye()


def test_a_200_without_ack_is_repeated_and_then_hung_up_on_demand(pair):
    carol, _ = pair
    out = carol.invite("642")
    first = out.answered(ack=False)
    repeats = 0
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline and repeats < 2:
        message = carol.receive(1, repeats=True)
        repeats += bool(message and message.status == 200 and message.cseq == first.cseq)
    assert repeats == 2
    out.ack()
    time.sleep(0.2)
    while carol.receive(0.01, repeats=True):
        pass
    assert carol.receive(1.2, repeats=True) is None
    out.bye()


def test_a_repeated_invite_makes_one_call(exchange, pair):
    carol, dave = pair
    out = carol.invite("104")
    back = dave.wait_invite()
    carol.send(carol.build("INVITE", out.target, out.call_id, out.invite_cseq, out.local, out.remote,
                           [f"Contact: <{carol.contact}>"], out.offer, out.branch))
    dave.expect_none(lambda m: m.is_request and m.method == "INVITE", timeout=0.3)
    back.answer()
    out.answered()
    assert exchange.channels() == 2
    out.bye()
    back.ended()
