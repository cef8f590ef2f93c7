"""A configuration that is replaced under a running call."""
import time

import pytest
from agent import Agent
from exchange import wait_for
from house import FILES, phone


@pytest.fixture(scope="module")
def exchange(start):
    return start(dict(FILES), shipped=True)


def test_reload_keeps_calls_and_registrations_and_brings_what_is_new(exchange):
    with phone(exchange, "carol") as carol, phone(exchange, "dave") as dave:
        out = carol.invite("104")
        back = dave.wait_invite()
        back.answer()
        out.answered()
        time.sleep(0.3)
        registered = exchange.contacts()
        carol.invite("777").failed(404)
        exchange.write("extensions.d/new.conf", "[dp_service](+)\nexten => 777,1,Answer()\n same => n,Echo()\n")
        exchange.write("pjsip_wizard.d/new.conf",
                       "[late](w_term_io)\nhint_exten = 177\ninbound_auth/username = late\ninbound_auth/password = secret-late\n")
        for _ in range(5):
            exchange.reload()
            time.sleep(0.2)
        wait_for(lambda: exchange.output().count("configuration reloaded") >= 1, what="the reload")
        assert exchange.contacts() == registered
        assert "up" == exchange.call(out.call_id)["state"]
        new = carol.invite("777")
        new.answered()
        new.bye()
        with Agent(exchange, "late", "secret-late") as late:
            assert late.register().status == 200
        time.sleep(0.5)
        out.bye()
        back.ended()
        trace = exchange.wait_call("ended", out.call_id)
        assert [m["lost"] for m in trace["media"]] == [0, 0]
        assert out.rtp.lost() == back.rtp.lost() == 0
        assert len(out.rtp.voice_packets()) > 50


@pytest.mark.parametrize("name, text", [
    ("extensions.d/broken.conf", "[dp_nowhere](+)\nexten => 778,1,Answer()\n"),
    ("pjsip_wizard.d/broken.conf", "[x](w_no_such_template)\nhint_exten = 199\n"),
    ("extensions.d/broken.conf", "[dp_service](+)\nexten => 778,1,Answer()\n#include no_such_file.conf\n"),
])
def test_a_broken_file_is_refused_whole(exchange, name, text):
    before = exchange.ask("dialplan show dp_service")
    path = exchange.config / name
    exchange.write(name, text)
    try:
        with pytest.raises(RuntimeError) as refusal:
            exchange.ask("core reload")
        line = len(text.splitlines()) if "include" in text else 1
        assert f"broken.conf:{line}" in str(refusal.value), refusal.value
        assert exchange.ask("dialplan show dp_service") == before
        with phone(exchange, "carol") as carol:
            carol.invite("778").failed(404)
            again = carol.invite("610")
            again.answered()
            again.bye()
        exchange.reload()
        wait_for(lambda: "reload refused" in exchange.output(), what="the refusal in the log")
    finally:
        path.unlink()
    assert "reloaded" in exchange.ask("core reload").lower()


def test_an_account_that_is_removed_is_gone_at_once(exchange):
    exchange.write("pjsip_wizard.d/brief.conf",
                   "[brief](w_term_io)\nhint_exten = 178\ninbound_auth/username = brief\ninbound_auth/password = secret-brief\n")
    exchange.ask("core reload")
    with Agent(exchange, "brief", "secret-brief") as brief:
        assert brief.register().status == 200
        (exchange.config / "pjsip_wizard.d/brief.conf").unlink()
        exchange.ask("core reload")
        assert brief.register().status == 401
    assert "178" not in exchange.ask("core show hints")
