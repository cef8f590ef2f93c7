"""Kamailio as the provider: it checks our digest with its own code, keeps our registration, and routes the
call through itself with Record-Route."""
import tempfile
import time
import types

import pytest
from agent import Agent
from exchange import wait_for
from house import FILES, phone
from kamailio import run_kamailio
from running import free_port
from sound import compare

CONFIG = """\
debug=1
log_stderror=yes
children=1
tcp_children=1
disable_tcp=yes
auto_aliases=no
listen=udp:127.0.0.2:{port}
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "siputils.so"
loadmodule "textops.so"
loadmodule "auth.so"
request_route {
    if (is_method("ACK|BYE|CANCEL") || has_totag()) {
        if (has_totag()) loose_route();
        t_relay();
        exit;
    }
    if (is_method("REGISTER")) {
        if (!pv_www_authenticate("provider", "trunk-secret", "0")) {
            www_challenge("provider", "1");
            exit;
        }
        save("location");
        exit;
    }
    if (src_port == {called}) {  # from the world to whoever is registered
        record_route();
        if (!lookup("location")) {
            sl_send_reply("404", "Not Found");
            exit;
        }
        t_relay();
        exit;
    }
    if (!pv_proxy_authenticate("provider", "trunk-secret", "0")) {
        proxy_challenge("provider", "1");
        exit;
    }
    consume_credentials();
    record_route();
    $du = "sip:127.0.0.1:{called}";
    t_relay();
}
"""

TRUNK = """\
[trunk](w_trunk)
remote_hosts = 127.0.0.2:{provider}
aor/qualify_frequency = 0
outbound_auth/username = account
outbound_auth/password = {secret}
registration/contact_user = 4711
registration/max_random_initial_delay = 0
endpoint/from_user = account
"""


@pytest.fixture(scope="module")
def provider():
    """Kamailio at 127.0.0.2; what it is called for goes to the port `called`."""
    port, called = free_port("127.0.0.2"), free_port()
    with tempfile.TemporaryDirectory(prefix="kamailio-") as folder:
        process, output = run_kamailio(folder, CONFIG, port=port, called=called)
        yield types.SimpleNamespace(address="127.0.0.2", port=port, called=called, process=process, output=output)
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def exchange(start, provider):
    exchange = start(dict(FILES, **{"pjsip_wizard.d/trunk.conf": TRUNK}), shipped=True, provider=provider.port, secret="trunk-secret")
    try:
        wait_for(lambda: "Registered" in exchange.ask("pjsip show registrations"), what="the registration")
    except TimeoutError:
        raise AssertionError(exchange.ask("pjsip show registrations") + provider.output()) from None
    return exchange


def test_a_call_out_passes_kamailios_digest_and_its_route(exchange, provider, speech, tmp_path):
    with phone(exchange, "carol") as carol, Agent(provider, "world", source_port=provider.called) as world:
        out = carol.invite("0701234567")
        back = world.wait_invite()
        assert back.request.start.startswith("INVITE sip:+46701234567@")
        assert back.request.all("record-route")
        back.ring()
        out.expect(180)
        back.answer(speech["b"])
        out.answered(wav=speech["a"])
        time.sleep(4.2)
        assert compare(speech["a"], back.rtp.heard_file(tmp_path / "there.wav"))["similarity"] > 0.95
        assert compare(speech["b"], out.rtp.heard_file(tmp_path / "here.wav"))["similarity"] > 0.95
        assert back.reinvite().status == 200  # through the proxy
        out.bye()
        back.ended()


def test_a_call_in_finds_our_registration_and_the_incoming_extension(exchange, provider):
    exchange.ask("dialplan set global INCOMING_EXTEN 104")
    with phone(exchange, "dave") as dave, Agent(provider, "world", source_port=provider.called) as world:
        out = world.invite("account")
        back = dave.wait_invite()
        back.answer()
        out.answered()
        assert out.routes
        out.bye()
        back.ended()


def test_a_wrong_password_is_refused_by_kamailio_and_told(exchange, start, provider):
    other = start({"pjsip_wizard.d/trunk.conf": TRUNK}, shipped=True, provider=provider.port, secret="wrong")
    wait_for(lambda: "refuses the credentials" in other.ask("pjsip show registrations"), what="the refusal")
