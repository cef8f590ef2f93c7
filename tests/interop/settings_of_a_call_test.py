"""What a dialplan sets for one call, or tells of it: FEATURE's pickup, MIXMONITOR, StatsD."""
import shutil
import socket
import time

import pytest
from agent import Agent
from house import global_value, hang_up_all
from sound import loudness

OBJECTS = """
[phone](!)
type = endpoint
context = house
disallow = all
allow = ulaw
""" + "".join(f"""
[{name}](phone)
aors = {name}
auth = {name}
{own}
[{name}]
type = aor
max_contacts = 2
[{name}]
type = auth
username = {name}
password = secret
""" for name, own in (("ann", ""), ("ben", "call_group = 1"),
                      ("eve", "pickup_group = 1\nset_var = FEATURE(pickupexten)=*77"), ("dan", "pickup_group = 1")))

EXTENSIONS = """\
[house]
exten => 100,1,Dial(PJSIP/ben,20)
exten => 720,1,Answer()
 same => n,Set(FEATURE(pickupfailsound)={sounds}/long)
 same => n,Pickup()
 same => n,Wait(10)
exten => 730,1,Answer()
 same => n,MixMonitor(of-{tag}.wav,i(ONE))
 same => n,MixMonitor(second.wav,i(TWO))
 same => n,Set(GLOBAL(FILES)=${MIXMONITOR(${ONE},filename)} ${MIXMONITOR(${TWO},filename)})
 same => n,StopMixMonitor(${ONE})
 same => n,Set(GLOBAL(STOPPED)=[${MIXMONITOR(${ONE},filename)}] ${MIXMONITOR(${TWO},filename)})
 same => n,Hangup()
exten => 735,1,Answer()
 same => n,Set(CDR(userfield)=kept)
 same => n,Set(CDR(project)=bridge)
 same => n,Wait(1.2)
 same => n,Set(GLOBAL(BEFORE)=${CDR(billsec)} ${CDR(duration)})
 same => n,ResetCDR(v)
 same => n,Set(GLOBAL(KEPT)=${CDR(billsec)} ${CDR(duration)} ${CDR(userfield)} ${CDR(project)})
 same => n,ResetCDR()
 same => n,Set(GLOBAL(FORGOTTEN)=[${CDR(userfield)}${CDR(project)}] ${CDR(disposition)})
 same => n,Hangup()
exten => 740,1,StatsD(c,calls,1)
 same => n,StatsD(g,lines,+4)
 same => n,StatsD(ms,ringing,320)
 same => n,StatsD(s,callers,${CALLERID(num)})
 same => n,StatsD(c,never,1,0)
 same => n,StatsD(c,wrong|name,1)
 same => n,StatsD(c,wrong,one)
 same => n,StatsD(c,often,1,0.999999)
 same => n,StatsD(c,last,1)
 same => n,Answer()
 same => n,Hangup()
"""


@pytest.fixture(scope="module")
def server():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        yield listener


@pytest.fixture(scope="module")
def exchange(start, tmp_path_factory, speech, server):
    folder = tmp_path_factory.mktemp("sounds")
    shutil.copy(speech["a"], folder / "long.wav")
    port = server.getsockname()[1]
    return start({"objects": OBJECTS, "extensions.conf": EXTENSIONS,
                  "statsd.conf": "[general]\nenabled = yes\nserver = 127.0.0.1:{statsd}\nprefix = house\n"},
                 sounds=folder, tag="call", statsd=port)


@pytest.fixture
def phones(exchange):
    phones = {name: Agent(exchange, name, "secret") for name in ("ann", "ben", "eve", "dan")}
    for phone in phones.values():
        phone.register()
    yield phones
    hang_up_all(exchange, list(phones.values()))
    for phone in phones.values():
        phone.register("*", expires=0)
        phone.close()


def test_an_endpoint_may_pick_up_by_a_number_of_its_own(exchange, phones):
    call = phones["ann"].invite("100")
    rung = phones["ben"].wait_invite()
    rung.ring()
    call.expect(180)
    # Its own takes the place of the common one, which the others keep.
    other = phones["eve"].invite("*8")
    other.failed(404)
    taken = phones["eve"].invite("*77")
    taken.answered()
    call.answered()
    rung.accept("CANCEL")
    rung.respond(487, "Request Terminated")
    call.bye()
    taken.ended(timeout=5)


def test_the_common_number_stays_for_those_without_one(exchange, phones):
    call = phones["ann"].invite("100")
    rung = phones["ben"].wait_invite()
    rung.ring()
    call.expect(180)
    taken = phones["dan"].invite("*8")
    taken.answered()
    call.answered()
    rung.accept("CANCEL")
    rung.respond(487, "Request Terminated")
    call.bye()
    taken.ended(timeout=5)


def test_a_channel_has_its_own_sound_for_nothing_to_pick_up(exchange, phones):
    call = phones["dan"].invite("720")
    call.answered()
    time.sleep(2)
    heard = loudness(call.rtp.heard())
    call.bye()
    assert heard > 100


def test_the_file_of_a_recording_is_known_while_it_runs(exchange, phones):
    call = phones["ann"].invite("730")
    call.answered()
    call.ended(timeout=5)
    one, two = global_value(exchange, "FILES").split()
    assert one.endswith("/of-call.wav") and two.endswith("/second.wav")
    assert global_value(exchange, "STOPPED") == f"[] {two}"


def test_the_record_of_a_call_begins_anew_when_it_is_reset(exchange, phones):
    call = phones["ann"].invite("735")
    call.answered()
    call.ended(timeout=5)
    assert global_value(exchange, "BEFORE") == "1 1"
    assert global_value(exchange, "KEPT") == "0 0 kept bridge"
    assert global_value(exchange, "FORGOTTEN") == "[kept] ANSWERED"


def test_numbers_go_to_the_statsd_server(exchange, phones, server):
    call = phones["ann"].invite("740")
    call.answered()
    call.ended(timeout=5)
    server.settimeout(5)
    got = []
    while not got or not got[-1].startswith("house.last:"):
        got.append(server.recv(2048).decode())
    assert got == ["house.calls:1|c", "house.lines:+4|g", "house.ringing:320|ms", "house.callers:ann|s",
                   "house.often:1|c|@0.999999", "house.last:1|c"]


def test_nothing_is_sent_when_a_reload_has_switched_it_off(exchange, phones, server):
    exchange.write("statsd.conf", "[general]\nenabled = no\n")
    assert "reloaded" in exchange.ask("core reload").lower()
    call = phones["ann"].invite("740")
    call.answered()
    call.ended(timeout=5)
    server.settimeout(0.3)
    with pytest.raises(TimeoutError):
        server.recv(2048)
