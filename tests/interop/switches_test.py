"""What the smaller settings do: mailboxes told unasked, identification, hashes, logs, modules, ports, stops."""
import hashlib
import os
import re
import socket
import subprocess
import time

import pytest
from agent import Agent, token
from exchange import wait_for
from house import global_value
from running import free_port

OBJECTS = """
[phone](!)
type = endpoint
context = phones
disallow = all
allow = ulaw
[aor](!)
type = aor
max_contacts = 1
remove_existing = yes
[ann](phone)
aors = ann
mailboxes = 100@default,101@default
mwi_from_user = lamp
voicemail_extension = *97
[ann](aor)
[bob](phone)
aors = bob
[bob](aor)
[plain](phone)
aors = plain
force_rport = no
[plain](aor)
[digest](phone)
aors = digest
auth = digest
[digest](aor)
[digest]
type = auth
auth_type = digest
username = digest
realm = asterisk
password_digest = SHA-512-256:{sha512}
[by-header](phone)
set_var = WHO=header
[by-header]
type = identify
endpoint = by-header
match_header = X-Trunk: /^east-[0-9]+$/
[by-uri](phone)
set_var = WHO=uri
[by-uri]
type = identify
endpoint = by-uri
match_request_uri = /^sip:77[0-9]@/
"""

EXTENSIONS = """\
[phones]
exten => 100,1,Answer()
 same => n,Wait(20)
exten => 101,1,Set(GLOBAL(MORSE)=before)
 same => n,Answer()
 same => n,Milliwatt()
 same => n,Set(GLOBAL(MORSE)=after)
exten => 102,1,Answer()
 same => n,Playtones(busy)
 same => n,Wait(1.5)
exten => _77X,1,Goto(who,1)
exten => 200,1,Goto(who,1)
exten => who,1,Set(GLOBAL(WHO)=${WHO})
 same => n,Hangup(17)
"""

FILES = {"objects": OBJECTS, "extensions.conf": EXTENSIONS,
         "logger.conf": "[general]\ndateformat = %Y/%m/%d\n[logfiles]\nmessages = notice,warning,error\n"
                        "secrets = security\nlines = [json]verbose,dtmf\n",
         "modules.conf": "[modules]\nautoload = yes\nnoload => app_milliwatt.so\n"}


@pytest.fixture(scope="module")
def exchange(start):
    secret = hashlib.new("sha512_256", b"digest:asterisk:sesame").hexdigest()
    return start(dict(FILES), sha512=secret)


# --- mailboxes

def test_a_phone_that_registers_is_told_of_its_mailboxes(exchange):
    with Agent(exchange, "ann") as ann:
        assert ann.register(expires=300).status == 200
        note = ann.expect("NOTIFY")
        assert note.header("event") == "message-summary"
        assert note.header("subscription-state").startswith("terminated")
        assert note.header("content-type") == "application/simple-message-summary"
        assert "<sip:lamp@" in note.header("from")
        lines = note.body.decode().split("\r\n")
        assert lines[0] == "Messages-Waiting: no"
        assert lines[1].startswith("Message-Account: sip:*97@")
        assert any(re.match(r"Voice-Message: 0/0", line) for line in lines)
        ann.settle()
        # A refresh is no news.
        assert ann.register(expires=300).status == 200
        ann.expect_none("NOTIFY", timeout=0.4)


def test_a_phone_without_mailboxes_is_told_nothing(exchange):
    with Agent(exchange, "bob") as bob:
        assert bob.register(expires=300).status == 200
        bob.expect_none("NOTIFY", timeout=0.4)


# --- who it is

@pytest.mark.parametrize("number, headers, who", [("200", ["X-Trunk: east-7"], "header"), ("771", [], "uri"), ("200", ["X-Trunk: west-7"], None),
                                                  ("88", [], None)])
def test_an_identify_matches_by_header_and_by_uri(exchange, number, headers, who):
    with Agent(exchange, "stranger") as stranger:
        out = stranger.invite(number, headers=headers)
        out.failed(486 if who else 401)
        assert not who or global_value(exchange, "WHO") == who


def test_sha_512_256_is_offered_and_taken(exchange):
    with Agent(exchange, "digest", "sesame") as agent:
        refused = agent.register(expires=60, authenticate=False)
        offered = [re.search(r"algorithm=([\w-]+)", c).group(1) for c in refused.all("www-authenticate")]
        assert offered == ["SHA-512-256", "MD5"]
        assert agent.register(expires=60).status == 200
        agent.password = "wrong"
        assert agent.register(expires=60).status == 401


def test_strangers_are_logged_once_and_not_each_time(exchange):
    before = exchange.output().count("none of our endpoints")
    with Agent(exchange, "guess") as agent:
        for _ in range(8):
            assert agent.ask("OPTIONS", authenticate=False).status == 401
    assert exchange.output().count("none of our endpoints") == before + 1


# --- where answers go

def test_without_force_rport_the_answer_goes_to_the_port_of_the_via(exchange):
    with Agent(exchange, "plain") as sender, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.settimeout(3)
        port = other.getsockname()[1]
        text = sender.build("OPTIONS", sender.uri(), token(), 1, f"<sip:plain@x.invalid>;tag={token()}", "<sip:x@x.invalid>").decode()
        sender.send(text.replace(f"{sender.port};branch", f"{port};branch").replace(";rport", ""))
        assert other.recv(4096).startswith(b"SIP/2.0 200")
        sender.expect_none(200, timeout=0.3)
        # Who asks for rport gets it.
        sender.send(text.replace(f"{sender.port};branch", f"{port};branch").replace("z9hG4bK", "z9hG4bKb"))
        assert sender.expect(200).status == 200


# --- logs and modules

def test_logger_conf_has_its_lines_in_its_files(exchange):
    log = exchange.folder / "state" / "logs"
    with Agent(exchange, "guess") as agent:
        agent.ask("OPTIONS", authenticate=False)
    text = (log / "secrets").read_text()
    assert re.search(rf'security pbx .*SecurityEvent="InvalidAccountID",.*AccountID="guess",.*RemoteAddress="IPV4/UDP/127.0.0.1/{agent.port}"', text)
    assert re.match(r"\d{4}/\d\d/\d\d ", text)
    assert "listening on" in (log / "messages").read_text() and "verbose" not in (log / "messages").read_text()
    with Agent(exchange, "bob") as bob:
        bob.register(expires=300)
        out = bob.invite("100")
        out.answered()
        time.sleep(0.2)
        out.rtp.press("7")
        wait_for(lambda: '"level":"dtmf"' in (log / "lines").read_text(), what="the digit to be logged")
        assert '"level":"verbose"' in (log / "lines").read_text()
        out.bye()
    (log / "messages").rename(log / "messages.1")
    assert "anew" in exchange.ask("logger rotate")
    assert (log / "messages").exists()
    assert "File" in exchange.ask("logger show channels")


def test_a_module_that_is_not_loaded_takes_its_applications_with_it(exchange):
    assert "Milliwatt" not in exchange.ask("core show applications")
    with Agent(exchange, "bob") as bob:
        bob.register(expires=300)
        out = bob.invite("101")
        out.answered()
        out.ended()
    exchange.write("modules.conf", "[modules]\nautoload = yes\n")
    exchange.ask("core reload")
    assert "Milliwatt" in exchange.ask("core show applications")


def test_there_are_tones_without_indications_conf(exchange):
    with Agent(exchange, "bob") as bob:
        bob.register(expires=300)
        out = bob.invite("102")
        out.answered()
        out.ended()
        assert sum(set(p[5]) != {0xff} for p in out.rtp.voice_packets()) > 20


# --- the end

def test_a_channel_that_waits_for_the_answer_to_its_bye_is_not_shown_as_up(exchange):
    with Agent(exchange, "bob") as bob:
        bob.register(expires=300)
        out = bob.invite("100")
        out.answered()
        assert re.search(r"PJSIP/bob-\w+.* Up ", exchange.ask("core show channels"))
        exchange.ask("channel request hangup all")
        bye = bob.expect("BYE")
        listing = exchange.ask("core show channels")
        assert " Up " not in listing and re.search(r"PJSIP/bob-\w+.* Down ", listing)
        out.respond(200, "OK", request=bye)
        exchange.wait_idle()


def test_a_graceful_stop_waits_for_the_calls_and_takes_no_new_ones(start):
    exchange = start({"objects": OBJECTS.replace("{sha512}", "0" * 64), "extensions.conf": EXTENSIONS})
    with Agent(exchange, "bob") as bob, Agent(exchange, "ann") as ann:
        bob.register(expires=300)
        out = bob.invite("100")
        out.answered()
        exchange.ask("core stop gracefully")
        ann.invite("100").failed(503)
        exchange.ask("core abort shutdown")
        again = ann.invite("100")
        again.answered()
        again.bye()
        exchange.ask("core stop gracefully")
        time.sleep(0.5)
        assert exchange.process.poll() is None
        out.bye()
        assert exchange.process.wait(10) == 0


def test_a_restart_comes_back_with_a_new_configuration(start):
    exchange = start({"objects": OBJECTS.replace("{sha512}", "0" * 64), "extensions.conf": EXTENSIONS})
    port = free_port()
    text = (exchange.config / "pjsip.conf").read_text()
    exchange.write("pjsip.conf", text + f"\n[t_more]\ntype = transport\nprotocol = udp\nbind = 127.0.0.1:{port}\n")
    exchange.ask("core restart when convenient")
    with Agent(exchange, "bob", port=port) as bob:
        def answered():
            try:
                return bob.ask("OPTIONS", timeout=0.3).status == 200
            except AssertionError:
                return False

        wait_for(answered, what="the new exchange to answer")
    assert exchange.process.poll() is None


def test_transports_follow_a_reload_where_they_may(start):
    first, second, third = free_port(), free_port(), free_port()
    more = "\n[t_more]\ntype = transport\nprotocol = udp\nbind = 127.0.0.1:{0}\nallow_reload = {1}\n"
    exchange = start({"objects": OBJECTS.replace("{sha512}", "0" * 64), "extensions.conf": EXTENSIONS})
    base = (exchange.config / "pjsip.conf").read_text()

    def answers(port):
        with Agent(exchange, "bob", port=port) as bob:
            try:
                return bob.ask("OPTIONS", timeout=0.5).status == 200
            except AssertionError:
                return False

    def reload(*arguments):
        exchange.write("pjsip.conf", base + (more.format(*arguments) if arguments else ""))
        exchange.ask("core reload")

    reload(first, "yes")
    assert answers(first)  # a new one is opened
    reload(second, "yes")
    assert answers(second) and not answers(first)
    reload(third, "no")
    assert answers(second) and not answers(third)
    assert exchange.said("that takes a restart")
    reload(third, "yes")
    assert answers(third) and not answers(second)
    reload()
    assert not answers(third) and answers(exchange.port)


DEVICES = ('mount -t tmpfs none /mnt && for d in null urandom random zero; do touch /mnt/$d && mount --bind /dev/$d /mnt/$d; done && '
           'ln -s {log} /mnt/log && mount --move /mnt /dev && exec "$@"')


def test_the_log_goes_to_syslog(start, tmp_path_factory):
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("a /dev/log of its own needs root and mount namespaces")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        path = tmp_path_factory.mktemp("syslog") / "log"
        syslog.bind(str(path))
        syslog.settimeout(5)
        start({"objects": OBJECTS.replace("{sha512}", "0" * 64), "extensions.conf": EXTENSIONS,
               "logger.conf": "[logfiles]\nsyslog.local3 = notice,error\n"},
              prefix=("unshare", "-m", "sh", "-c", DEVICES.format(log=path), "sh"))
        line = syslog.recv(4096).decode()
        facility, severity = divmod(int(re.match(r"<(\d+)>", line).group(1)), 8)
        assert facility == 19 and severity == 6  # local3, informational
        assert "strowger[" in line and "listening on UDP" in line
