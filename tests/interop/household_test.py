"""A whole directory as a user has it, of a dozen files: it loads without a word and does what it says."""
import re
import subprocess
import time

import pytest
from agent import Agent
from exchange import program, root, wait_for
from house import global_value
from running import free_port

source = root / "tests" / "data" / "household"
FILES = {str(path.relative_to(source)): path.read_text() for path in source.rglob("*.conf")}


@pytest.fixture(scope="module")
def exchange(start):
    return start(dict(FILES), provider=f"127.0.0.2:{free_port('127.0.0.2')}")


class People:
    """Agents by name, registered when first asked for."""

    def __init__(self, exchange):
        self.exchange, self.agents = exchange, {}

    def __getitem__(self, name):
        if name not in self.agents:
            agent = self.agents[name] = Agent(self.exchange, name, f"secret-{name}")
            assert agent.register("*", expires=0).status == 200
            assert agent.register().status == 200
        return self.agents[name]

    @property
    def provider(self):
        if "provider" not in self.agents:
            address, port = self.exchange.fields["provider"].split(":")
            self.agents["provider"] = Agent(self.exchange, "provider", address=address, source_port=int(port))
        return self.agents["provider"]


@pytest.fixture
def people(exchange):
    people = People(exchange)
    yield people
    exchange.ask("channel request hangup all")
    for name, agent in people.agents.items():
        agent.settle()
        if name != "provider":
            agent.register("*", expires=0)
        agent.close()
    exchange.wait_idle()


def settled(exchange, name, value):
    wait_for(lambda: global_value(exchange, name) == value, 5, what=f"{name} to be {value}, is {global_value(exchange, name)}")


def dialled(agent, number, seconds=6):
    """Calls a service that answers and hangs up by itself."""
    call = agent.invite(number)
    call.answered()
    call.ended(timeout=seconds)


def test_it_loads_without_a_word(exchange):
    done = subprocess.run([program, "pbx", "--check", "--config", str(exchange.config)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and re.search(r": 5 endpoints, \d+ contexts, \d+ priorities; 0 errors, 0 warnings$", done.stdout.strip()), done.stdout


def test_a_phone_is_called_by_its_hint_and_shown_who_calls(exchange, people):
    people["ann"].invite("102").failed(480)  # nowhere registered
    settled(exchange, "LAST", "102|ann|101|")
    bob = people["bob.upstairs"]
    out = people["ann"].invite("102")
    back = bob.wait_invite()
    assert re.search(r'"?Ann Kitchen"? <sip:101@', back.request.header("from"))
    back.answer()
    out.answered()
    out.bye()
    back.ended()
    settled(exchange, "LAST", "102 of 102|ann|101|ANSWER")


def test_busy_by_the_phone_and_busy_by_its_number_of_calls_are_said_and_answered_486(exchange, people):
    ann, bob, cid = people["ann"], people["bob.upstairs"], people["cid"]
    out = ann.invite("102")
    back = bob.wait_invite()
    back.respond(486, "Busy Here")
    out.expect(183)
    out.failed(486)
    bob.settle()
    out = ann.invite("102")
    back = bob.wait_invite()
    back.answer()
    out.answered()
    second = cid.invite("102")  # device_state_busy_at = 1
    second.expect(183)
    second.failed(486)
    bob.expect_none("INVITE", timeout=0.2)
    out.bye()
    back.ended()


def test_nobody_answers(exchange, people):
    ann, bob = people["ann"], people["bob.upstairs"]
    out = ann.invite("102")
    back = bob.wait_invite()
    back.ring()
    back.accept("CANCEL", timeout=4)
    back.respond(487)
    out.failed(480)
    settled(exchange, "LAST", "102|ann|101|NOANSWER")


def test_a_group_rings_who_is_there_and_cancels_the_others(exchange, people):
    cid, ann, workshop = people["cid"], people["ann"], people["workshop"]
    out = cid.invite("200")
    first, second = ann.wait_invite(), workshop.wait_invite()
    first.ring()
    second.answer()
    out.answered()
    assert any(re.search(r"cause=(26|200)\b", reason) for reason in first.accept("CANCEL").all("reason"))
    first.respond(487)
    out.bye()
    second.ended()


def test_a_hunt_goes_from_one_to_the_next_with_music(exchange, people):
    cid, ann, bob = people["cid"], people["ann"], people["bob.upstairs"]
    out = cid.invite("210")
    out.answered()
    first = bob.wait_invite()
    first.ring()
    wait_for(out.rtp.voice_packets, what="music")
    first.accept("CANCEL", timeout=3)
    first.respond(487)
    second = ann.wait_invite(timeout=3)
    second.answer()
    time.sleep(0.2)
    out.rtp.press("5")
    wait_for(lambda: second.rtp.digits == ["5"], 3, what="a digit at ann's")
    second.bye()
    out.ended()


def test_a_diversion_is_set_followed_and_taken_back(exchange, people):
    ann, bob, workshop = people["ann"], people["bob.upstairs"], people["workshop"]
    dialled(bob, "*21*104")
    out = ann.invite("102")
    back = workshop.wait_invite()
    back.answer()
    out.answered()
    out.bye()
    back.ended()
    dialled(bob, "#21#")
    out = ann.invite("102")
    back = bob.wait_invite()
    back.respond(486, "Busy Here")
    out.failed(486)


def test_peace_and_quiet(exchange, people):
    ann, bob = people["ann"], people["bob.upstairs"]
    dialled(ann, "*78")
    bob.invite("101").failed(486)
    assert "610" in exchange.ask("core show hints")
    dialled(ann, "*79")
    out = bob.invite("101")
    back = ann.wait_invite()
    back.answer()
    out.answered()
    out.bye()
    back.ended()


@pytest.mark.parametrize("dialled_number, wanted", [("0812345", "+46812345"), ("0049301234", "+49301234"), ("+3581234", "+3581234"), ("112", "112")])
def test_numbers_go_to_the_provider_as_it_wants_them(exchange, people, dialled_number, wanted):
    out = people["ann"].invite(dialled_number)
    back = people.provider.wait_invite()
    assert back.request.start.split()[1].startswith(f"sip:{wanted}@{exchange.fields['provider']}")
    if dialled_number != "112":
        assert "<sip:+468555100@provider.invalid>" in back.request.header("from")
        assert any("+468555100" in value for value in back.request.all("p-asserted-identity"))
    back.answer()
    out.answered()
    out.bye()
    back.ended()


def test_phones_of_the_inside_reach_nobody_outside(people):
    assert people["cid"].invite("0812345").failed(404)


def test_a_call_from_outside_rings_the_group_with_its_whole_number(exchange, people):
    ann = people["ann"]
    out = people.provider.invite("+468555100", authenticate=False)
    back = ann.wait_invite()
    back.answer()
    out.answered()
    out.bye()
    back.ended()
    wait_for(lambda: (global_value(exchange, "LAST") or "").startswith("group|provider|provider|ANSWER"), 3, what="the log")


@pytest.mark.parametrize("keys, chose", [("#", "goodbye"), ("5", "invalid 5"), ("", "nothing"), ("102", "102"), ("9", "again")])
def test_the_menu(exchange, people, keys, chose):
    exchange.ask("dialplan set global CHOSE not")
    out = people.provider.invite("menu", authenticate=False)
    out.answered()
    time.sleep(0.5)
    if keys:
        out.rtp.press(keys)
    wait_for(lambda: global_value(exchange, "CHOSE") == chose, 25, what=f"{chose}, is {global_value(exchange, 'CHOSE')}")


def test_the_greeting_is_recorded_by_the_menu_of_digits(exchange, people):
    out = people["ann"].invite("603")
    out.answered()
    time.sleep(0.3)
    out.rtp.press("1")
    time.sleep(1)
    out.rtp.press("#")
    out.ended(timeout=8)
    settled(exchange, "GREETING", "1 DTMF")
    assert (exchange.folder / "household" / "greeting-101.wav").stat().st_size > 4000


def test_a_text_goes_from_phone_to_phone_under_the_senders_number(exchange, people):
    ann, bob = people["ann"], people["bob.upstairs"]
    assert ann.ask("MESSAGE", ann.uri("102"), to=f"<{ann.uri('102')}>", body="supper; now\r\n\U0001F35D", content_type="text/plain").status == 202
    message = bob.expect(lambda m: m.is_request and m.method == "MESSAGE")
    assert message.body.decode() == "supper; now\r\n\U0001F35D"
    assert "<sip:101@" in message.header("from")
    bob.send("\r\n".join(["SIP/2.0 200 OK", *(f"{n}: {message.header(n)}" for n in ("Via", "From", "To", "Call-ID", "CSeq")),
                          "Content-Length: 0", "", ""]))
    settled(exchange, "TEXT", "SUCCESS bob.upstairs")


def test_a_ringing_phone_is_picked_up_from_another(exchange, people):
    ann, bob, workshop = people["ann"], people["bob.upstairs"], people["workshop"]
    out = ann.invite("102")
    back = bob.wait_invite()
    back.ring()
    other = workshop.invite("*8")
    other.answered()
    out.answered()
    back.accept("CANCEL")
    back.respond(487)
    out.bye()
    other.ended()


def test_a_call_is_parked_and_fetched(exchange, people):
    ann, workshop = people["ann"], people["workshop"]
    out = ann.invite("700")
    out.answered()
    wait_for(lambda: "701" in exchange.ask("parking show"), what="the space")
    fetched = workshop.invite("701")
    fetched.answered()
    time.sleep(0.3)
    fetched.bye()
    out.ended()


@pytest.mark.parametrize("name, exten, status", [("ann", "999", 404), ("ann", "*2", 484), ("ann", "1", 484), ("cid", "700", 404)])
def test_what_nobody_has(people, name, exten, status):
    people[name].invite(exten).failed(status)


def test_a_reload_changes_nothing_of_it(exchange, people):
    before = exchange.ask("dialplan show")
    exchange.ask("core reload")
    assert exchange.ask("dialplan show") == before
    dialled(people["ann"], "*79")
