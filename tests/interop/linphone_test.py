"""linphonec, a phone of another family: it registers, is called, and calls."""
import re
import subprocess
import threading
import time

import pytest
from exchange import wait_for
from house import FILES, phone
from running import free_port
from sound import compare

CONFIG = """\
[sip]
sip_port={port}
sip_udp_port={port}
sip_tcp_port=-2
sip_tls_port=-2
default_proxy=0
guess_hostname=0
contact=sip:alice@127.0.0.1
register_only_when_network_is_up=0
[net]
firewall_policy=0
[rtp]
audio_rtp_port={rtp}
[sound]
playback_dev_id=ANULL: /dev/null
capture_dev_id=ANULL: /dev/null
ringer_dev_id=ANULL: /dev/null
echocancellation=0
[proxy_0]
reg_proxy=<sip:{server};transport=udp>
reg_identity=sip:alice@{server}
reg_expires=300
reg_sendregister=1
publish=0
[auth_info_0]
username=alice
passwd=change-me-alice
realm="asterisk"
"""


class Linphone:
    def __init__(self, folder, exchange, options=()):
        (folder / ".local/share/linphone").mkdir(parents=True)
        config = folder / "linphonerc"
        config.write_text(CONFIG.format(port=free_port(), rtp=free_port() & ~1, server=exchange.server))
        self.text = ""
        self.process = subprocess.Popen(["linphonec", "-c", config, *options], cwd=folder, env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        errors="replace", bufsize=1)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while chunk := self.process.stdout.read(1):
            self.text += chunk

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def wait(self, pattern, timeout=10):
        try:
            wait_for(lambda: re.search(pattern, self.text), timeout, what=f"'{pattern}'")
        except TimeoutError as late:
            raise AssertionError(f"{late}; linphonec said:\n{self.text[-2000:]}") from None

    def stop(self):
        if self.process.stdin.closed:
            return
        try:
            self.say("quit")
            self.process.wait(5)
        except (subprocess.TimeoutExpired, OSError):
            self.process.kill()
            self.process.wait()
        self.reader.join(1)
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def exchange(start):
    return start(dict(FILES), shipped=True)


@pytest.fixture
def linphone(exchange, tmp_path):
    begun = []

    def begin(*options):
        begun.append(Linphone(tmp_path / "linphone", exchange, options))
        exchange.wait_registered("alice")
        return begun[-1]

    yield begin
    for one in begun:
        one.stop()


def test_linphone_registers_and_takes_itself_off_at_the_end(exchange, linphone):
    one = linphone()
    assert len(exchange.contacts()["alice"]) == 1
    one.stop()
    wait_for(lambda: "alice" not in exchange.contacts(), what="linphone to unregister")


def test_linphone_calls(exchange, linphone, speech, tmp_path):
    one = linphone()
    one.say("soundcard use files")
    with phone(exchange, "dave") as dave:
        one.say(f"call sip:104@{exchange.server}")
        back = dave.wait_invite(timeout=10)
        assert '"Alice" <sip:101@' in back.request.header("from")
        back.ring()
        back.answer()
        exchange.wait_call("up")
        time.sleep(0.2)
        one.say(f"play {speech['a']}")
        time.sleep(4.5)
        assert compare(speech["a"], back.rtp.heard_file(tmp_path / "heard.wav"))["similarity"] > 0.95
        one.say("terminate")
        back.ended()
    trace = exchange.wait_call("ended")
    assert all(leg["packets"] > 40 and leg["lost"] == 0 for leg in trace["media"]), trace["media"]


def test_linphone_is_called(exchange, linphone, speech, tmp_path):
    one = linphone("-a")
    one.say("soundcard use files")
    one.say(f"record {tmp_path}/heard.wav")
    with phone(exchange, "carol") as carol:
        out = carol.invite("101")
        out.answered(timeout=10, wav=speech["a"])
        time.sleep(0.3)
        one.say(f"play {speech['b']}")
        time.sleep(4.5)
        assert compare(speech["b"], out.rtp.heard_file(tmp_path / "out.wav"))["similarity"] > 0.95
        assert out.rtp.lost() == 0
        out.bye()
    exchange.wait_call("ended")
    # Its jitter buffer stretches speech when the machine is busy, after everything has arrived.
    trace = exchange.call()
    assert [leg["lost"] for leg in trace["media"]] == [0, 0]
    assert compare(speech["a"], tmp_path / "heard.wav")["similarity"] > 0.8
    exchange.wait_idle()


def test_linphone_is_cancelled_while_it_rings(exchange, linphone):
    linphone()
    with phone(exchange, "carol") as carol:
        out = carol.invite("101")
        out.expect(180, timeout=10)
        assert out.cancel().status == 200
        out.failed(487)
        exchange.wait_idle()
