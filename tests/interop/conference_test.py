"""Conferences, paging and listening in, with phones that each hum a tone of their own: who hears whom."""
import contextlib
import time

import pytest
from agent import Agent
from exchange import wait_for
from house import global_value
from tones import tone_file, tones

HUMS = {"ann": 500, "ben": 900, "cat": 1500, "dan": 2100}
MUSIC, LOCKED, KICKED, GETPIN, BEEP = 700, 1100, 1300, 1700, 1900
EVERY = {**HUMS, "music": MUSIC, "locked": LOCKED, "kicked": KICKED, "getpin": GETPIN, "beep": BEEP}

OBJECTS = "[phone](!)\ntype = endpoint\ncontext = house\ndisallow = all\nallow = ulaw\n" + "".join(
    f"[{name}](phone)\naors = {name}\n{more}[{name}]\ntype = aor\nmax_contacts = 1\nremove_existing = yes\n"
    for name, more in [("ann", "set_var = SPYGROUP=sales\n"), ("ben", "allow = alaw\n"), ("cat", ""), ("dan", "")])

EXTENSIONS = """\
[house]
exten => 100,1,ConfBridge(room,,,keys)
 same => n,Set(GLOBAL(RESULT)=${CONFBRIDGE_RESULT})
 same => n,Wait(5)
exten => 101,1,ConfBridge(room,,boss,keys)
exten => 102,1,ConfBridge(guarded,,pin)
 same => n,Set(GLOBAL(RESULT)=${CONFBRIDGE_RESULT})
 same => n,Wait(1)
exten => 103,1,ConfBridge(led,,follower)
 same => n,Set(GLOBAL(RESULT)=${CONFBRIDGE_RESULT})
exten => 104,1,ConfBridge(led,,leader)
exten => 105,1,Set(CONFBRIDGE(user,template)=default_user)
 same => n,Set(CONFBRIDGE(user,startmuted)=yes)
 same => n,Set(CONFBRIDGE(bridge,max_members)=2)
 same => n,ConfBridge(small)
 same => n,Set(GLOBAL(RESULT)=${CONFBRIDGE_RESULT})
exten => 106,1,Answer()
 same => n,Set(GLOBAL(INFO)=${CONFBRIDGE_INFO(parties,room)}/${CONFBRIDGE_INFO(admins,room)}/${CONFBRIDGE_INFO(locked,room)})
exten => 107,1,ConfBridge(taped,taped)
exten => 200,1,Page(PJSIP/ben&PJSIP/cat&PJSIP/dan,b(auto^s^1)${PAGEOPTIONS})
exten => 300,1,Dial(PJSIP/ben)
exten => 301,1,Dial(PJSIP/ben,,T)
exten => 31,1,Dial(PJSIP/cat)
exten => 32,1,Set(GLOBAL(BY)=${BLINDTRANSFER:0:9})
 same => n,Dial(PJSIP/cat)
exten => 33,1,Answer()
 same => n,Echo()
exten => 400,1,ChanSpy(PJSIP/ann,qd)
exten => 401,1,ChanSpy(PJSIP,qwg(sales))
exten => 402,1,ChanSpy(PJSIP/ann,qB)
exten => 403,1,ChanSpy(PJSIP/ann,qoES)
 same => n,Set(GLOBAL(RESULT)=spied)
exten => 404,1,ExtenSpy(300@house,qx(9))
 same => n,Set(GLOBAL(RESULT)=left)
 same => n,Wait(1)
exten => 405,1,ChanSpy(${WHOM},qu)
exten => 406,1,ChanSpy(PJSIP/ann,n(7@people)S)
exten => 500,1,BridgeWait(hall,,m(default))
exten => 501,1,BridgeWait(hall,announcer)

exten => 600,1,Set(BEEPID=${PERIODIC_HOOK(hooks,beep,2)})
 same => n,Set(SILENTID=${PERIODIC_HOOK(hooks,silent,1)})
 same => n,Set(PERIODIC_HOOK(${SILENTID})=off)
 same => n,Dial(PJSIP/ben)

[hooks]
exten => beep,1,Set(GLOBAL(HOOKED)=${HOOK_CHANNEL:0:9}/${HOOK_ID})
 same => n,Playback(tone-beep)
exten => silent,1,Set(GLOBAL(SILENT)=broken)

[auto]
exten => s,1,Set(PJSIP_HEADER(add,Call-Info)=<sip:{address}>\\;answer-after=0)
 same => n,Return()
"""

CONFBRIDGE = """\
[general]
[default_user]
type = user
announce_only_user = no
[default_bridge]
type = bridge
sound_join =
sound_leave =
sound_locked = tone-locked
sound_kicked = tone-kicked
sound_get_pin = tone-getpin
[boss]
type = user
admin = yes
announce_only_user = no
[pin]
type = user
pin = 4711
announce_only_user = no
[follower]
type = user
quiet = yes
wait_marked = yes
end_marked = yes
music_on_hold_when_empty = yes
[leader]
type = user
quiet = yes
marked = yes
[taped]
type = bridge
record_conference = yes
record_file = taped
record_file_timestamp = no
record_command = test -s "$1" && echo "$MIXMONITOR_FILENAME" > "$1.done"
[keys]
type = menu
*1 = toggle_mute
*2 = leave_conference
*3 = admin_toggle_conference_lock
*4 = admin_kick_last
"""


@pytest.fixture(scope="module")
def hums(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hums")
    return {name: tone_file(folder / f"{name}.wav", hertz) for name, hertz in HUMS.items()}


@pytest.fixture(scope="module")
def exchange(start, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tones")
    music = folder / "music"
    music.mkdir()
    tone_file(music / "music.wav", MUSIC, 10)
    for name, hertz, length in [("locked", LOCKED, 1), ("kicked", KICKED, 1), ("getpin", GETPIN, 1)]:
        tone_file(folder / f"tone-{name}.wav", hertz, length)
    tone_file(folder / "beep.wav", BEEP, 1)
    extensions = EXTENSIONS.replace("tone-beep", f"{folder}/beep")
    confbridge = CONFBRIDGE.replace("tone-", f"{folder}/tone-")
    return start({"objects": OBJECTS, "extensions.conf": extensions, "confbridge.conf": confbridge,
                  "musiconhold.conf": f"[default]\nmode = files\ndirectory = {music}\n",
                  "features.conf": "[general]\nfeaturedigittimeout = 300\ntransferdigittimeout = 1\n"
                                   "[featuremap]\natxfer = *9\n"})


@pytest.fixture
def phones(exchange, hums):
    """phones("ann", ...) -> agents that are registered and will hum their tone."""
    with contextlib.ExitStack() as stack:
        begun = []

        def begin(*names):
            agents = []
            for name in names:
                agent = stack.enter_context(Agent(exchange, name))
                assert agent.register().status == 200
                agent.hum = hums[name]
                agents.append(agent)
            begun.extend(agents)
            return agents if len(names) > 1 else agents[0]

        yield begin
        exchange.ask("channel request hangup all")
        for agent in begun:
            agent.settle()
        exchange.wait_idle()


def call(agent, number):
    made = agent.invite(number)
    made.answered(wav=agent.hum)
    return made


def hears(a_call, *names, timeout=4):
    """Waits until the phone hears exactly these tones."""
    heard = None

    def fits():
        nonlocal heard
        heard = tones(a_call.rtp.heard(since=time.monotonic() - 0.6), EVERY)
        return heard == set(names)

    try:
        wait_for(fits, timeout, interval=0.2)
    except TimeoutError:
        raise AssertionError(f"{a_call.agent.user} hears {sorted(heard)}, not {sorted(names)}") from None


def becomes(exchange, name, text):
    wait_for(lambda: global_value(exchange, name) == text, 5, what=f"{name} to be {text}")


def test_three_hear_the_two_others(exchange, phones):
    calls = [call(agent, "100") for agent in phones("ann", "ben", "cat")]
    hears(calls[0], "ben", "cat")
    hears(calls[1], "ann", "cat")
    hears(calls[2], "ann", "ben")
    listing = exchange.ask("confbridge list")
    assert any(line.split()[:2] == ["room", "3"] for line in listing.splitlines())
    assert exchange.ask("confbridge list room").count("PJSIP/") == 3
    calls[1].bye()
    hears(calls[0], "cat")
    calls[0].bye()
    calls[2].bye()
    wait_for(lambda: "room" not in exchange.ask("confbridge list"), what="the conference to end")


def test_keys_and_the_command_line_mute_and_kick(exchange, phones):
    ann, ben = (call(agent, "100") for agent in phones("ann", "ben"))
    hears(ann, "ben")
    ben.rtp.press("*1")
    hears(ann)
    ben.rtp.press("*1")
    ben.rtp.send(*ben.rtp.remote, ben.agent.hum)
    hears(ann, "ben")
    exchange.ask("confbridge mute room PJSIP/ben")
    hears(ann)
    hears(ben, "ann")
    exchange.ask("confbridge unmute room all")
    hears(ann, "ben")
    exchange.ask("confbridge kick room PJSIP/ben")
    hears(ben, "kicked")
    becomes(exchange, "RESULT", "KICKED")
    hears(ann)
    ann.rtp.press("*2")
    becomes(exchange, "RESULT", "DTMF")


def test_a_locked_conference_lets_nobody_in_but_admins(exchange, phones):
    ann, ben, cat = phones("ann", "ben", "cat")
    first = call(ann, "101")
    first.rtp.press("*3")
    wait_for(lambda: any(line.split()[:4] == ["room", "1", "0", "Yes"] for line in exchange.ask("confbridge list").splitlines()),
             what="the conference to be locked")
    refused = call(ben, "100")
    hears(refused, "locked")
    becomes(exchange, "RESULT", "FAILED")
    asked = call(cat, "106")
    asked.ended()
    assert global_value(exchange, "INFO") == "1/1/1"
    exchange.ask("confbridge unlock room")
    refused.bye()
    second = call(ben, "100")
    first.rtp.send(*first.rtp.remote, ann.hum)
    hears(second, "ann")
    hears(first, "ben")  # keys are not obeyed while it is told that the conference is locked
    first.rtp.press("*4")
    hears(second, "kicked")


def test_a_wrong_pin_three_times_ends_it(exchange, phones):
    ann, ben = phones("ann", "ben")
    intruder = call(ann, "102")
    for _ in range(3):
        hears(intruder, "getpin")
        intruder.rtp.press("1234")
    becomes(exchange, "RESULT", "FAILED")
    intruder.ended()
    knows = call(ben, "102")
    hears(knows, "getpin")
    knows.rtp.press("4711")
    wait_for(lambda: "guarded" in exchange.ask("confbridge list"), what="the conference to begin")
    knows.bye()


def test_followers_hear_music_until_their_leader_comes_and_end_with_it(exchange, phones):
    ann, ben, cat = phones("ann", "ben", "cat")
    followers = [call(agent, "103") for agent in (ann, ben)]
    for follower in followers:
        hears(follower, "music")
    leader = call(cat, "104")
    hears(followers[0], "ben", "cat")
    hears(followers[1], "ann", "cat")
    leader.bye()
    for follower in followers:
        follower.ended()
    becomes(exchange, "RESULT", "ENDMARKED")


def test_profiles_made_in_the_dialplan(exchange, phones):
    ann, ben, cat = phones("ann", "ben", "cat")
    first, second = call(ann, "105"), call(ben, "105")
    time.sleep(1)
    hears(second)  # both begin muted
    third = call(cat, "105")
    becomes(exchange, "RESULT", "FAILED")  # the third is one too many
    third.ended()
    first.bye()


def test_a_conference_is_recorded(exchange, phones):
    ann, ben = (call(agent, "107") for agent in phones("ann", "ben"))
    hears(ann, "ben")
    time.sleep(1)
    ann.bye()
    ben.bye()
    path = exchange.folder / "taped.wav"
    wait_for(path.exists, what="the recording")
    exchange.wait_idle()

    def both():
        from sound import ulaw_of
        data = ulaw_of(path)
        return {"ann", "ben"} <= tones(data[:len(data) * 3 // 4], HUMS, 3200)

    wait_for(both, what="both voices in the recording")
    told = path.with_name(path.name + ".done")
    wait_for(lambda: told.exists() and told.read_text().strip() == str(path), what="record_command")


def test_a_page_speaks_to_three_phones(exchange, phones):
    ann, *others = phones("ann", "ben", "cat", "dan")
    page = ann.invite("200")
    page.answered(wav=ann.hum)
    paged = []
    for agent in others:
        incoming = agent.wait_invite()
        assert "answer-after=0" in incoming.request.header("call-info")
        incoming.answer(wav=agent.hum)
        paged.append(incoming)
    for one in paged:
        hears(one, "ann")
    time.sleep(0.5)
    hears(page)  # nobody talks back
    page.bye()
    for one in paged:
        one.ended()


def two_talk(phones, number="300"):
    ann, ben = phones("ann", "ben")
    first = ann.invite(number)
    second = ben.wait_invite()
    second.answer(wav=ben.hum)
    first.answered(wav=ann.hum)
    hears(first, "ben")
    hears(second, "ann")
    return first, second


def test_a_spy_hears_both_whispers_to_one_and_barges_in(exchange, phones):
    first, second = two_talk(phones)
    spy = call(phones("cat"), "400")
    hears(spy, "ann", "ben")
    hears(first, "ben")
    spy.rtp.press("5")
    spy.rtp.send(*spy.rtp.remote, spy.agent.hum)
    hears(first, "ben", "cat")
    hears(second, "ann")
    spy.rtp.press("6")
    spy.rtp.send(*spy.rtp.remote, spy.agent.hum)
    hears(first, "ben", "cat")
    hears(second, "ann", "cat")
    spy.rtp.press("4")
    hears(first, "ben")
    hears(second, "ann")
    spy.bye()
    first.bye()
    second.ended()


def test_spies_of_a_group_and_of_an_extension(exchange, phones):
    first, second = two_talk(phones)
    cat, dan = phones("cat", "dan")
    whisperer, listener = call(cat, "401"), call(dan, "404")
    hears(whisperer, "ann", "ben")
    hears(first, "ben", "cat")
    hears(listener, "ann", "ben")
    listener.rtp.press("9")
    becomes(exchange, "RESULT", "left")
    one_sided = call(phones("dan"), "403")
    hears(one_sided, "ann")
    first.bye()
    second.ended()
    becomes(exchange, "RESULT", "spied")


def test_a_spy_goes_along_into_a_conference(exchange, phones):
    ann, ben, cat = phones("ann", "ben", "cat")
    first, second = call(ann, "100"), call(ben, "100")
    hears(first, "ben")
    spy = call(cat, "402")
    hears(spy, "ann", "ben")
    hears(second, "ann", "cat")
    hears(first, "ben", "cat")


def test_an_attended_transfer_becomes_a_conference_of_three(exchange, phones):
    cat = phones("cat")
    first, second = two_talk(phones, "301")
    first.rtp.press("*9")
    time.sleep(1.5)
    first.rtp.press("31")
    third = cat.wait_invite()
    third.answer(wav=cat.hum)
    first.rtp.send(*first.rtp.remote, first.agent.hum)
    hears(first, "cat")
    hears(second, "music")
    first.rtp.press("*3")
    first.rtp.send(*first.rtp.remote, first.agent.hum)
    hears(first, "ben", "cat")
    hears(second, "ann", "cat")
    hears(third, "ann", "ben")
    first.bye()
    hears(second, "cat")
    hears(third, "ben")
    second.bye()
    third.ended()


def test_waiting_in_a_hall_for_an_announcer(exchange, phones):
    ann, ben, cat = phones("ann", "ben", "cat")
    waiting = [call(agent, "500") for agent in (ann, ben)]
    for one in waiting:
        hears(one, "music")
    announcer = call(cat, "501")
    for one in waiting:
        hears(one, "cat")
    time.sleep(0.5)
    hears(announcer)
    announcer.bye()
    for one in waiting:
        hears(one, "music")
    assert "hall" not in exchange.ask("confbridge list")


def test_one_channel_of_several_is_spied_on_by_its_name(exchange, phones):
    ann, ben, dan = phones("ann", "ben", "dan")
    first, second = call(ann, "101"), call(ben, "101")  # in a conference, where both are heard by the other only
    lines = exchange.ask("core show channels").splitlines()
    whom = next(line.split()[0] for line in lines if line.startswith("PJSIP/ben-"))
    exchange.ask(f"dialplan set global WHOM {whom}")
    listener = call(dan, "405")
    hears(listener, "ann", "ben")  # what it says, and what it hears
    second.bye()
    hears(listener)  # nobody else has that name
    first.bye()


def test_who_is_spied_on_is_named_as_he_said_it_himself(exchange, phones):
    ann, ben, dan = phones("ann", "ben", "dan")
    own = exchange.state / "voicemail" / "people" / "7"
    own.mkdir(parents=True)
    tone_file(own / "greet.wav", KICKED, 1)
    out = call(ann, "101")
    since = time.monotonic()
    listener = call(dan, "406")
    wait_for(lambda: "kicked" in tones(listener.rtp.heard(since=since), EVERY), what="the name")
    out.bye()


def refer(a_call, exchange, number):
    return a_call.ask("REFER", headers=[f"Refer-To: <sip:{number}@{exchange.server}>"])


def told(a_call):
    request = a_call.accept("NOTIFY")
    return int(request.body.decode().split(" ")[1]), request.header("subscription-state").startswith("terminated")


def test_a_member_sends_somebody_into_the_conference_in_its_place(exchange, phones):
    ann, ben, cat = phones("ann", "ben", "cat")
    first, second = call(ann, "100"), call(ben, "100")
    hears(first, "ben")
    assert refer(second, exchange, 32).status == 202
    assert told(second) == (100, False)
    third = cat.wait_invite()
    becomes(exchange, "BY", "PJSIP/ben")
    third.ring()
    assert told(second) == (180, False)
    third.answer(wav=cat.hum)
    assert told(second) == (200, True)
    second.bye()
    hears(first, "cat")
    hears(third, "ann")
    assert exchange.ask("confbridge list room").count("Local/") == 1
    third.bye()
    hears(first)
    wait_for(lambda: exchange.channels() == 1, what="the guest's channels to end")


def test_a_member_whose_guest_refuses_is_told_and_the_others_stay(exchange, phones):
    ann, ben, cat = phones("ann", "ben", "cat")
    first, second = call(ann, "100"), call(ben, "100")
    hears(first, "ben")
    assert refer(second, exchange, 32).status == 202
    assert told(second) == (100, False)
    cat.wait_invite().respond(486, "Busy Here")
    assert told(second) == (486, True)
    second.ended(timeout=6)  # it does not hang up itself
    third = call(cat, "100")
    hears(first, "cat")
    third.bye()


def test_who_is_alone_with_an_application_transfers_nobody(exchange, phones):
    ann = phones("ann")
    alone = call(ann, "33")
    assert refer(alone, exchange, 31).status == 481
    alone.bye()


def test_nobody_is_brought_into_a_locked_conference(exchange, phones):
    ann, ben = phones("ann", "ben")
    first, second = call(ann, "100"), call(ben, "100")
    hears(first, "ben")
    exchange.ask("confbridge lock room")
    assert refer(second, exchange, 31).status == 403
    hears(first, "ben")


def test_a_hook_beeps_again_and_again_for_the_one_who_has_set_it(exchange, phones):
    first, second = two_talk(phones, "600")
    for _ in range(2):
        hears(first, "beep")
        hears(second, "ann")  # who hears nothing of it
        hears(first, "ben")
    assert global_value(exchange, "HOOKED") == "PJSIP/ann/1"
    assert global_value(exchange, "SILENT") in (None, "")
    first.bye()
    second.ended()
    exchange.wait_idle()
