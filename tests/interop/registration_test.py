"""REGISTER as phones of every kind see it (RFC 3261 section 10, RFC 7616)."""
import re
import subprocess
import time

import pytest
from agent import Agent, digest, token
from exchange import wait_for
from running import free_port
from sipp import run_sipp

OBJECTS = """\
[base](!)
type = endpoint
context = inside
allow = !all,ulaw,alaw

{phones}

[narrow](base)
aors = narrow
auth = narrow
[narrow]
type = aor
max_contacts = 2
default_expiration = 300
minimum_expiration = 100
maximum_expiration = 600
[narrow]
type = auth
username = narrow
password = secret-narrow
nonce_lifetime = 1

[closed](base)
aors = closed
auth = closed
[closed]
type = aor
[closed]
type = auth
username = closed
password = secret-closed
nonce_lifetime = 1

[t_tls]
type = transport
protocol = tls
bind = {address}:{tls_port}
cert_file = {certificates}/cert.pem
priv_key_file = {certificates}/key.pem
"""

PHONE = """\
[{name}](base)
aors = {name}
auth = {name}
[{name}]
type = aor
max_contacts = 5
support_path = yes
[{name}]
type = auth
username = {name}
password = secret-{name}
nonce_lifetime = {lifetime}
"""


@pytest.fixture(scope="module")
def exchange(start, tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True,
                   capture_output=True)
    names = ["plain", "wrong", "query", "wild", "many", "kept", "stream", "secure", "sipp", "order", "gone", "stale", "path"]
    phones = "\n".join(PHONE.replace("{name}", name).replace("{lifetime}", "1") for name in names)
    return start({"objects": OBJECTS.replace("{phones}", phones),
                  "extensions.conf": "[inside]\nexten => 600,1,Answer()\n"}, tls_port=free_port(), certificates=folder)


def agent(exchange, user, **options):
    return Agent(exchange, user, f"secret-{user}", **options)


def contacts_of(answer):
    """{uri: expires} of a 200."""
    return {re.search(r"<([^>]+)>", c).group(1): int(re.search(r"expires=(\d+)", c).group(1)) for c in answer.all("contact")}


def test_a_register_is_challenged_and_then_accepted(exchange):
    with agent(exchange, "plain") as phone:
        first = phone.register(authenticate=False)
        assert first.status == 401
        challenge = first.header("www-authenticate")
        assert challenge.startswith("Digest ") and 'realm="asterisk"' in challenge and 'qop="auth"' in challenge
        assert "nonce=" in challenge and "opaque=" in challenge and "stale=true" not in challenge
        done = phone.register(expires=300)
        assert done.status == 200
        assert contacts_of(done) == {phone.contact: 300}
        assert done.header("date") and done.header("date").endswith("GMT")
        assert exchange.contacts()["plain"] == [phone.contact]


def test_sipp_registers_with_its_own_digest(exchange):
    run_sipp(exchange, "register.xml", user="sipp", password="secret-sipp")
    assert len(exchange.contacts()["sipp"]) == 1


def test_sipsak_registers_and_is_listed(exchange):
    port = free_port()
    done = subprocess.run(["sipsak", "-U", "-s", f"sip:order@{exchange.server}", "-u", "order", "-a", "secret-order", "-C",
                           f"sip:order@127.0.0.1:{port}", "-x", "120", "-l", str(port), "-v"], capture_output=True, text=True,
                          timeout=20)
    assert done.returncode == 0, done.stdout + done.stderr
    assert exchange.contacts()["order"] == [f"sip:order@127.0.0.1:{port}"]


def test_a_wrong_password_is_challenged_again_and_binds_nothing(exchange):
    with Agent(exchange, "wrong", "not-the-password") as phone:
        assert phone.register().status == 401
    assert "wrong" not in exchange.contacts()


def test_an_unknown_account_cannot_be_told_from_a_wrong_password(exchange):
    def shape(answer):
        """All that a prober can compare: names and order of headers, and their values but for what is random."""
        fields = []
        for name, value in answer.headers:
            value = re.sub(r'(nonce|opaque|tag|branch)="?[^",;]*"?', r"\1=*", value)
            fields.append((name, "" if name in ("call-id", "from", "to", "cseq", "via", "date") else value))
        return answer.start, fields

    with Agent(exchange, "wrong", "guess") as known, Agent(exchange, "not-an-account", "guess") as unknown:
        assert shape(known.register(authenticate=False)) == shape(unknown.register(authenticate=False))
        assert shape(known.register()) == shape(unknown.register())
        for method in ("INVITE", "OPTIONS", "SUBSCRIBE", "MESSAGE"):
            answers = [a.ask(method, a.uri("600"), headers=["Event: presence", f"Contact: <{a.contact}>"])
                       for a in (known, unknown)]
            assert shape(answers[0]) == shape(answers[1])
            assert answers[0].status == 401


def test_the_wished_expiry_is_clamped_in_silence(exchange):
    with agent(exchange, "narrow") as phone:
        for wished, granted in ((10, 100), (250, 250), (86400, 600)):
            assert contacts_of(phone.register(expires=wished)) == {phone.contact: granted}
        assert contacts_of(phone.register(f"<{phone.contact}>;expires=33")) == {phone.contact: 100}
        assert contacts_of(phone.register()) == {phone.contact: 300}
        assert phone.register(expires=0).all("contact") == []


def test_all_contacts_are_listed_and_one_too_many_is_refused(exchange):
    with agent(exchange, "narrow") as phone:
        phone.register("<sip:narrow@127.0.0.1:7001>")
        second = phone.register("<sip:narrow@127.0.0.1:7002>;expires=200")
        assert set(contacts_of(second)) == {"sip:narrow@127.0.0.1:7001", "sip:narrow@127.0.0.1:7002"}
        assert phone.register("<sip:narrow@127.0.0.1:7003>").status == 403
        assert set(exchange.contacts()["narrow"]) == set(contacts_of(second))
        assert phone.register("*", expires=0).status == 200


def test_an_aor_without_room_refuses_with_403(exchange):
    with agent(exchange, "closed") as phone:
        assert phone.register().status == 403


def test_the_wildcard_clears_all_and_only_with_expires_zero(exchange):
    with agent(exchange, "wild") as phone:
        phone.register("<sip:wild@127.0.0.1:7001>", "<sip:wild@127.0.0.1:7002>")
        assert phone.register("*", expires=60).status == 400
        assert phone.register("*", "<sip:wild@127.0.0.1:7003>", expires=0).status == 400
        assert len(exchange.contacts()["wild"]) == 2
        cleared = phone.register("*", expires=0)
        assert cleared.status == 200 and cleared.all("contact") == []
        assert "wild" not in exchange.contacts()


def test_a_query_tells_without_changing(exchange):
    with agent(exchange, "query") as phone:
        phone.register(expires=500)
        asked = phone.register("")
        assert asked.status == 200
        assert list(contacts_of(asked)) == [phone.contact] and 495 <= contacts_of(asked)[phone.contact] <= 500


def test_an_account_cannot_register_for_another(exchange):
    with agent(exchange, "plain") as phone:
        answer = phone.register("<sip:thief@127.0.0.1:7009>", to=f"<sip:many@{exchange.server}>")
        assert answer.status in (403, 404)
    assert "many" not in exchange.contacts()


def test_an_older_cseq_of_the_same_call_id_changes_nothing(exchange):
    with agent(exchange, "many") as phone:
        call_id = token()
        assert phone.register(call_id=call_id, cseq=20, expires=300).status == 200
        late = phone.register(call_id=call_id, cseq=10, expires=0)
        assert late.status == 500
        assert exchange.contacts()["many"] == [phone.contact]


def test_a_stale_nonce_is_said_to_be_stale(exchange):
    with agent(exchange, "stale") as phone:
        challenge = phone.register(authenticate=False)
        time.sleep(1.1)  # nonce_lifetime
        uri = phone.uri()
        value = digest(challenge.header("www-authenticate"), "REGISTER", uri, "stale", "secret-stale")
        again = phone.register(headers=[f"Authorization: {value}"], authenticate=False)
        assert again.status == 401 and "stale=true" in again.header("www-authenticate").lower()
        forged = value.replace('nonce="', 'nonce="0')
        answer = phone.register(headers=[f"Authorization: {forged}"], authenticate=False)
        assert answer.status == 401


def test_a_contact_ends_with_its_expiry(exchange, start):
    quick = start({"objects": PHONE.replace("{name}", "brief").replace("(base)", "\ntype = endpoint").replace(
        "max_contacts = 5", "max_contacts = 1\nminimum_expiration = 1").replace("{lifetime}", "32")})
    with agent(quick, "brief") as phone:
        phone.register(expires=1)
        assert "brief" in quick.contacts()
        wait_for(lambda: "brief" not in quick.contacts(), 4, what="the contact to expire")


def test_registrations_outlive_a_restart(exchange, start):
    other = start({"objects": PHONE.replace("{name}", "kept").replace("(base)", "\ntype = endpoint").replace("{lifetime}", "32")})
    with agent(other, "kept") as phone, agent(other, "kept", transport="tcp") as stream:
        before = phone.register(expires=500)
        stream.register(expires=500)
        assert len(other.contacts()["kept"]) == 2
        assert other.stop() == 0
        other.start()
        # The one over TCP went with its connection.
        assert other.contacts()["kept"] == [phone.contact]
        after = phone.register("")
        assert 480 <= contacts_of(after)[phone.contact] <= contacts_of(before)[phone.contact]


def test_a_killed_exchange_still_knows_who_was_registered(exchange, start):
    other = start({"objects": PHONE.replace("{name}", "kept").replace("(base)", "\ntype = endpoint").replace("{lifetime}", "32")})
    with agent(other, "kept") as phone:
        phone.register(expires=500)
        time.sleep(1.2)  # contacts are written once a second
        other.process.kill()
        other.process.wait()
        other.log.close()
        (other.state / "pbx.ctl").unlink(missing_ok=True)
        other.start()
        assert other.contacts()["kept"] == [phone.contact]


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_registers_over_streams_and_forgets_with_the_connection(exchange, transport):
    user = {"tcp": "stream", "tls": "secure"}[transport]
    with agent(exchange, user, transport=transport, port=exchange.fields["tls_port"] if transport == "tls" else None) as phone:
        done = phone.register(expires=400)
        assert done.status == 200 and contacts_of(done) == {phone.contact: 400}
        assert exchange.contacts()[user] == [phone.contact]
    wait_for(lambda: user not in exchange.contacts(), what="the contact to go with its connection")


def test_the_path_is_kept(exchange):
    with agent(exchange, "path") as phone:
        done = phone.register(headers=["Path: <sip:proxy.invalid;lr>", "Supported: path"])
        assert done.status == 200
        assert done.all("path") == ["<sip:proxy.invalid;lr>"]
