"""Trunks: calls out with digest, calls in by address, and registrations. The provider is sipp; where
it has to keep registrations, a second exchange."""
import time

import pytest
from agent import Agent
from exchange import wait_for
from house import FILES, phone
from running import free_port
from sipp import Sipp

TRUNK = """\
[trunk](w_trunk)
remote_hosts = 127.0.0.2:{provider}
sends_registrations = no
aor/qualify_frequency = 0
outbound_auth/username = account
outbound_auth/password = trunk-secret
endpoint/from_domain = provider.invalid
"""


@pytest.fixture(scope="module")
def exchange(start):
    return start(dict(FILES, **{"pjsip_wizard.d/trunk.conf": TRUNK}), shipped=True, provider=free_port("127.0.0.2"))


@pytest.mark.parametrize("status, answer", [(401, "Authorization"), (407, "Proxy-Authorization")])
def test_a_call_out_answers_the_providers_challenge(exchange, status, answer):
    with phone(exchange, "carol") as carol, Sipp(exchange, f"provider_challenges_{status}.xml", address="127.0.0.2",
                                                  port=exchange.fields["provider"]) as provider:
        time.sleep(0.3)
        out = carol.invite("0701234567")
        out.answered()
        time.sleep(0.3)
        out.bye()
        messages = provider.finish()
    invites = [m for m in messages.split("UDP message received") if "\nINVITE " in m]
    first, second = invites[0], invites[-1]
    assert "INVITE sip:+46701234567@127.0.0.2" in first and answer not in first
    assert f'{answer}: Digest username="account"' in second and 'realm="provider"' in second
    assert f'sip:+46701234567@127.0.0.2:{exchange.fields["provider"]}' in second.split("uri=")[1]

    def field(message, name):
        return next(line for line in message.splitlines() if line.startswith(name))

    assert field(first, "Call-ID:") == field(second, "Call-ID:")
    assert int(field(second, "CSeq:").split()[1]) == int(field(first, "CSeq:").split()[1]) + 1
    assert "@provider.invalid>" in field(second, "From:")


def test_a_provider_that_never_accepts_the_password_fails_the_call(exchange):
    with phone(exchange, "carol") as carol, Sipp(exchange, "provider_refuses.xml", address="127.0.0.2",
                                                  port=exchange.fields["provider"]) as provider:
        time.sleep(0.3)
        out = carol.invite("0701234567")
        answer = out.expect(lambda m: m.status is not None and m.status >= 300, timeout=10)
        out.acknowledge_failure(answer)
        assert answer.status in (403, 480, 486, 503), answer.start
        provider.finish()


def test_a_call_from_the_trunks_address_is_not_challenged_and_enters_its_context(exchange):
    with phone(exchange, "dave") as dave, Sipp(exchange, "call_in.xml", address="127.0.0.2", user="0709999999", extension="104") as caller:
        back = dave.wait_invite()
        assert "<sip:0709999999@" in back.request.header("from")
        back.ring()
        back.answer()
        back.ended()
        caller.finish()


def test_a_trunk_cannot_call_out_through_us(exchange):
    """Its context has no way to the world: everything goes to INCOMING_EXTEN, which nobody has registered."""
    with Agent(exchange, "0709999999", address="127.0.0.2") as provider:
        out = provider.invite("0701234567")
        out.expect(183)
        out.failed(480)
        texts = [s["text"] for s in exchange.wait_call("ended", out.call_id)["dialplan"]]
        assert not any("sub_dial_trunk" in t for t in texts)


def test_another_address_is_challenged(exchange):
    with Agent(exchange, "trunk", address="127.0.0.3") as stranger:
        assert stranger.ask("INVITE", stranger.uri("104"), headers=[f"Contact: <{stranger.contact}>"]).status == 401


REGISTERING = """\
[provider](w_trunk)
remote_hosts = {remote}
sends_registrations = yes
aor/qualify_frequency = 0
outbound_auth/username = carol
outbound_auth/password = {secret}
registration/expiration = 120
registration/contact_user = 4711
registration/max_random_initial_delay = 0
"""


def test_registers_with_a_provider_and_takes_it_back_at_the_end(exchange, start):
    client = start({"pjsip_wizard.d/t.conf": REGISTERING}, shipped=True, remote=exchange.server, secret="secret-carol")
    wait_for(lambda: f"sip:4711@{client.server}" in " ".join(exchange.contacts().get("carol", [])), what="the registration")
    assert "Registered" in client.ask("pjsip show registrations")
    assert client.stop() == 0
    assert not any("4711" in uri for uri in exchange.contacts().get("carol", []))


def test_a_wrong_password_at_the_provider_is_told_and_not_tried_for_ever(exchange, start):
    client = start({"pjsip_wizard.d/t.conf": REGISTERING}, shipped=True, remote=exchange.server, secret="wrong")
    wait_for(lambda: "refuses the credentials" in client.ask("pjsip show registrations"), what="the refusal")


def test_sipp_as_a_registrar_sees_the_digest(start):
    port = free_port("127.0.0.2")
    with Sipp(type("At", (), {"server": f"127.0.0.1:{port}"}), "registrar.xml", address="127.0.0.2", port=port) as registrar:
        client = start({"pjsip_wizard.d/t.conf": REGISTERING}, shipped=True, remote=f"127.0.0.2:{port}", secret="whatever")
        wait_for(lambda: "Registered" in client.ask("pjsip show registrations"), what="the registration")
        messages = registrar.finish()
    assert 'Authorization: Digest username="carol"' in messages and "Expires: 120" in messages
