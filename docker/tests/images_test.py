"""The images, as their users start them, looked at from outside."""
import concurrent.futures
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
import types
import urllib.request
import wave

import pytest
from agent import Agent
from running import free_port  # noqa: F401

root = pathlib.Path(__file__).resolve().parent.parent.parent
SHIPPED = {"alice": ("101", None), "bob": ("102", None)}


def docker(*arguments, check=True, timeout=120):
    done = subprocess.run(["docker", *map(str, arguments)], capture_output=True, text=True, timeout=timeout)
    assert not check or done.returncode == 0, f"docker {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}"
    return (done.stdout + done.stderr).strip()


def built(image):
    return subprocess.run(["docker", "image", "inspect", f"strowger:{image}"], capture_output=True).returncode == 0


class Container:
    def __init__(self, image, *options, command=()):
        if not built(image):
            pytest.skip(f"strowger:{image} is not built (docker/build.sh {image})")
        self.began = time.monotonic()
        self.name = docker("run", "-d", *options, f"strowger:{image}", *command)[-64:]

    def inspect(self, template):
        return docker("inspect", "-f", template, self.name)

    def run(self, *command, user=None, check=True):
        return docker("exec", *(["-u", user] if user else []), self.name, *command, check=check)

    def logs(self):
        return docker("logs", self.name)

    @property
    def address(self):
        return self.inspect("{{.NetworkSettings.IPAddress}}")

    def wait_healthy(self, seconds=10.0):
        """Seconds from `docker run` to healthy."""
        while self.inspect("{{.State.Health.Status}}") != "healthy":
            assert time.monotonic() - self.began < seconds, f"not healthy: {self.inspect('{{json .State}}')}\n{self.logs()}"
            assert self.inspect("{{.State.Running}}") == "true", self.logs()
            time.sleep(0.05)
        return time.monotonic() - self.began

    def stop(self):
        """(exit status, seconds)"""
        began = time.monotonic()
        docker("stop", self.name)
        return int(self.inspect("{{.State.ExitCode}}")), time.monotonic() - began

    def remove(self):
        docker("rm", "-f", "-v", self.name, check=False)


@pytest.fixture
def container():
    begun = []

    def start(image, *options, command=()):
        begun.append(Container(image, *options, command=command))
        return begun[-1]

    yield start
    for one in begun:
        one.remove()


@pytest.fixture
def volume():
    name = docker("volume", "create")
    yield name
    docker("volume", "rm", "-f", name, check=False)


def secret(container, user):
    """The password of a user of the configuration that ships."""
    inside = False
    for line in container.run("cat", "/etc/asterisk/pjsip_wizard.conf").splitlines():
        if line.startswith("["):
            inside = line.startswith(f"[{user}]")
        if inside and line.split("=")[0].strip() == "inbound_auth/password":
            return line.split("=", 1)[1].split(";")[0].strip()
    raise AssertionError(f"no password of {user}")


def phone(container, user, **options):
    exchange = types.SimpleNamespace(address=container.address, port=5060)
    host = docker("network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "bridge") or "172.17.0.1"
    return Agent(exchange, user, secret(container, user), address=host, **options)


def talk(container, seconds=1.0):
    """A call from alice to the echo test: what is said comes back."""
    with phone(container, "alice") as alice:
        assert alice.register().status == 200
        call = alice.invite("600")
        call.answered()
        time.sleep(seconds)
        heard = len(call.rtp.voice_packets())
        call.bye()
    assert heard > seconds * 30, f"{heard} packets in {seconds} s; {container.logs()[-2000:]}"


EXCHANGES = ("mini", "full")


# The four statements of what an image must show, each by its name.

@pytest.mark.parametrize("image, names", [
    ("mini", ["strowger", "asterisk"]), ("full", ["strowger", "asterisk", "sv", "runsvdir", "jq"]), ("relay", ["strowger", "rtpengine", "rtpengine-ctl"]),
])
def test_binary_existence(container, image, names):
    one = container(image)
    for name in names:
        assert one.run("sh", "-c", f"command -v {name}").startswith("/usr/bin/")
    assert one.run("strowger", "--version").startswith("Strowger ")


def test_recording_daemon_existence(container):
    one = container("relay", command=["rtpengine-recording"])
    one.wait_healthy()
    assert one.run("cat", "/proc/1/comm").startswith("rtpengine-recor")
    assert "recording what comes" in one.logs()
    status, seconds = one.stop()
    assert status == 0 and seconds < 2, (status, seconds)


@pytest.mark.parametrize("image", (*EXCHANGES, "relay"))
def test_non_root_execution(container, image):
    one = container(image)
    one.wait_healthy()
    for line in one.run("sh", "-c", "cat /proc/[0-9]*/status").splitlines():
        if line.startswith("Uid:"):
            assert set(line.split()[1:]) == {"10001"}, line
    assert one.run("sh", "-c", "touch /usr/bin/x", check=False).find("denied") > 0


@pytest.mark.parametrize("image", EXCHANGES)
def test_it_turns_healthy_and_carries_a_call(container, image):
    one = container(image)
    seconds = one.wait_healthy()
    print(f"strowger:{image} healthy after {seconds:.1f} s")
    talk(one)


def test_the_names_that_scripts_use_answer(container):
    one = container("full")
    one.wait_healthy()
    assert "Objects found" in one.run("asterisk", "-rx", "pjsip show endpoints")
    assert one.run("sv", "status", "asterisk").startswith("run: asterisk")
    assert one.run("sv", "restart", "asterisk").startswith("ok: run: asterisk")
    one.wait_healthy()
    assert one.run("sv", "down", "asterisk", check=False) is not None
    assert "down" in one.run("sv", "status", "asterisk")


@pytest.mark.parametrize("image", EXCHANGES)
def test_it_stops_within_two_seconds_with_143_and_runs_what_lies_in_exit_d(container, image, tmp_path):
    script = tmp_path / "50-mine"
    script.write_text("note exit script of mine ran\n")
    script.chmod(0o755)
    one = container(image, "-v", f"{script}:/etc/docker/exit.d/50-mine:ro")
    one.wait_healthy()
    status, seconds = one.stop()
    assert status == 143 and seconds < 2, (status, seconds)
    assert "exit script of mine ran" in one.logs()
    assert "stopping" in one.logs()


def test_scripts_in_entry_d_run_first_and_what_they_set_reaches_the_exchange(container, tmp_path):
    script = tmp_path / "25-mine"
    script.write_text("echo '; mine' >>/etc/asterisk/extensions.conf; SYSLOG_LEVEL=4\n")
    script.chmod(0o755)
    one = container("full", "-v", f"{script}:/etc/docker/entry.d/25-mine:ro")
    one.wait_healthy()
    assert one.run("tail", "-1", "/etc/asterisk/extensions.conf") == "; mine"
    assert "listening" not in one.logs()  # a notice, which is below level 4


@pytest.mark.parametrize("image", EXCHANGES)
def test_registrations_and_configuration_outlive_the_container(container, volume, image):
    one = container(image, "-v", f"{volume}:/srv")
    one.wait_healthy()
    one.run("sh", "-c", "echo '; kept' >>/etc/asterisk/extensions.conf")
    with phone(one, "alice") as alice:
        assert alice.register().status == 200
        one.stop()
        one.remove()
        two = container(image, "-v", f"{volume}:/srv")
        two.wait_healthy()
        assert "sip:alice@" in two.run("asterisk", "-rx", "pjsip show contacts")
    assert two.run("tail", "-1", "/etc/asterisk/extensions.conf") == "; kept"
    assert "was empty" not in two.logs()


@pytest.mark.parametrize("image", EXCHANGES)
def test_hup_reloads_and_ends_nothing(container, image):
    one = container(image)
    one.wait_healthy()
    one.run("sed", "-i", "$ a [newcomer](w_term_io)\\nhint_exten = 199\\ninbound_auth/username = newcomer\\ninbound_auth/password = x",
            "/etc/asterisk/pjsip_wizard.conf")
    docker("kill", "-s", "HUP", one.name)
    deadline = time.monotonic() + 5
    while "newcomer" not in one.run("strowger", "-rx", "pjsip show endpoints", check=False):
        assert time.monotonic() < deadline and one.inspect("{{.State.Running}}") == "true", one.logs()
        time.sleep(0.1)


def test_a_configuration_directory_that_is_not_empty_is_left_alone(container, tmp_path):
    (tmp_path / "pjsip.conf").write_text("[t]\ntype=transport\nprotocol=udp\nbind=0.0.0.0:5099\n")
    tmp_path.chmod(0o755)
    one = container("mini", "-v", f"{tmp_path}:/srv/etc/asterisk:ro")
    one.wait_healthy()
    assert one.run("ls", "/etc/asterisk") == "pjsip.conf"
    assert "5099" in one.run("asterisk", "-rx", "pjsip show transports")


@pytest.mark.parametrize("image", EXCHANGES)
def test_its_root_may_be_read_only_and_it_needs_no_capability(container, image):
    one = container(image, "--read-only", "--cap-drop=all", "--security-opt", "no-new-privileges")
    one.wait_healthy()
    talk(one)


def test_a_volume_that_cannot_be_written_is_said(container, tmp_path):
    tmp_path.chmod(0o755)
    one = container("mini", "-v", f"{tmp_path}:/srv")
    docker("wait", one.name)
    assert one.inspect("{{.State.ExitCode}}") == "1"
    assert "must be writable for user 10001" in one.logs()


def test_variables_of_services_that_are_not_there_are_named(container):
    one = container("full", "-e", "WEBSMSD_PORT=80", "-e", "SYSLOG_LEVEL=4")
    one.wait_healthy()
    assert "WEBSMSD_PORT is accepted without effect" in one.logs()
    assert "listening" not in one.logs()


def test_without_a_certificate_it_makes_one_and_speaks_tls(container):
    one = container("full", "--hostname", "pbx.example.org", "-e", "TLS_KEYBITS=3072", "-e", "TLS_CERTDAYS=90")
    one.wait_healthy()
    shown = one.run("openssl", "x509", "-in", "/etc/ssl/asterisk/cert.pem", "-noout", "-subject", "-text")
    assert "CN = pbx.example.org" in shown and "3072 bit" in shown
    with phone(one, "alice", transport="tls", port=5061) as alice:
        assert alice.register().status == 200


def certificate(folder, name):
    key, crt = folder / f"{name}.key", folder / f"{name}.crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-keyout", key, "-out", crt], check=True, capture_output=True)
    encode = lambda path: subprocess.run(["base64", "-w0", path], check=True, capture_output=True, text=True).stdout  # noqa: E731
    return encode(crt), encode(key)


@pytest.mark.parametrize("version", [1, 2])
def test_certificates_of_traefik_are_exported_and_followed(container, tmp_path, version):
    def acme(name, names=()):
        crt, key = certificate(tmp_path, name)
        if version == 1:
            text = {"Account": {}, "Certificates": [{"Domain": {"Main": name, "SANs": list(names)}, "Certificate": crt, "Key": key}]}
        else:
            text = {"le": {"Account": {}, "Certificates": [{"domain": {"main": name, "sans": list(names)}, "certificate": crt, "key": key}]}}
        (tmp_path / "acme.json").write_text(json.dumps(text))

    acme("example.org", ["sip.example.org"])
    tmp_path.chmod(0o755)
    one = container("full", "--hostname", "sip.example.org", "-v", f"{tmp_path}:/acme:ro")
    one.wait_healthy()
    subject = ("openssl", "x509", "-in", "/etc/ssl/asterisk/cert.pem", "-noout", "-subject")
    assert "CN = example.org" in one.run(*subject)
    time.sleep(1.1)
    acme("sip.example.org")
    deadline = time.monotonic() + 25
    while "CN = sip.example.org" not in one.run(*subject):
        assert time.monotonic() < deadline, one.logs()
        time.sleep(0.5)


def test_five_thousand_accounts_listen_within_a_second(container, tmp_path):
    (tmp_path / "pjsip_wizard.d").mkdir()
    shutil.copytree(root / "etc", tmp_path / "etc")
    (tmp_path / "etc" / "pjsip_wizard.d").mkdir(exist_ok=True)
    (tmp_path / "etc" / "pjsip_wizard.d" / "many.conf").write_text("".join(
        f"[many{i}](w_term_io)\nhint_exten = 7{i:05}\ninbound_auth/username = many{i}\ninbound_auth/password = x{i}\n" for i in range(5000)))
    os.chmod(tmp_path, 0o755)
    one = container("full", "-v", f"{tmp_path}/etc:/srv/etc/asterisk:ro")
    while "listening on UDP" not in one.logs():
        assert time.monotonic() - one.began < 10, one.logs()
        time.sleep(0.01)
    started = one.inspect("{{.State.StartedAt}}")[:26]
    listening = next(line for line in one.logs().splitlines() if "listening on UDP" in line).split()[0]
    from datetime import datetime
    seconds = (datetime.fromisoformat(listening.rstrip("Z")) - datetime.fromisoformat(started.rstrip("Z"))).total_seconds()
    print(f"5000 accounts: listening {seconds:.2f} s after the start")
    assert seconds < 1


# The echo peer.

@pytest.fixture
def network():
    name = f"strowger{os.getpid()}"
    docker("network", "create", name)
    yield name
    docker("network", "rm", name, check=False)


def test_the_echo_client_reaches_the_echo_server_by_its_service_name(container, network):
    server = container("echo", "--network", network, "--network-alias", "echo-server")
    server.wait_healthy()
    for entry, argument in (("/client.sh", "http://echo-server:8080/offer"), ("/client.sh", "-s http://echo-server:8080/offer -t 1"),
                            ("/client-datachannel.sh", "http://echo-server:8080/offer")):
        client = Container("echo", "--network", network, "--entrypoint", entry, command=[argument])
        try:
            assert docker("wait", client.name) == "0", client.logs()
        finally:
            client.remove()
    status, seconds = server.stop()
    assert status == 0 and seconds < 2


def test_the_echo_client_fails_where_no_server_is(container, network):
    client = container("echo", "--network", network, "--entrypoint", "/client.sh", command=["http://nobody:8080/offer"])
    assert docker("wait", client.name) == "1", client.logs()


# The relay.

def ng_ping(address, port=22222):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(3)
        asking.sendto(b"c d7:command4:pinge", (address, port))
        return asking.recv(2048)


def test_the_relay_answers_its_proxies_and_stops_within_two_seconds(container):
    one = container("relay", "--read-only", "--cap-drop=all", "--security-opt", "no-new-privileges")
    one.wait_healthy()
    assert ng_ping(one.address) == b"c d6:result4:ponge"
    status, seconds = one.stop()
    assert status == 0 and seconds < 2, (status, seconds)


def test_the_relay_has_the_names_that_scripts_use_and_its_own_user(container):
    one = container("relay", "-e", "RTPENGINE_LISTEN_CLI=127.0.0.1:9900")
    one.wait_healthy()
    assert one.run("id", "-un") == "rtpengine"
    assert one.run("rtpengine", "--version").startswith("Version: ")
    assert "Current sessions" in one.run("rtpengine-ctl", "list", "numsessions")
    one.run("touch", "/var/spool/rtpengine/x")


def test_entry_point_conversion_of_environment_to_options(container):
    variables = {"TIMEOUT": 66, "SILENT_TIMEOUT": 67, "FINAL_TIMEOUT": 68, "DELETE_DELAY": 9, "MAX_SESSIONS": 21}
    one = container("relay", "-e", "RTPENGINE_LISTEN_CLI=127.0.0.1:9900", "-e", "RTPENGINE_LISTEN_NG=22224",
                    *[word for name, value in variables.items() for word in ("-e", f"RTPENGINE_{name}={value}")])
    one.wait_healthy()
    assert ng_ping(one.address, 22224).endswith(b"4:ponge")
    for variable, value in variables.items():
        name = variable.replace("_", "").lower()
        assert one.run("rtpengine-ctl", "list", name) == f"{name}={value}"


def test_arguments_win_over_variables_and_those_over_the_file(container):
    ports = "RTPENGINE_PORT_MIN=31000"
    one = container("relay", "-e", ports, "-e", "RTPENGINE_LISTEN_NG=22223", "-e", "RTPENGINE_LISTEN_CLI=127.0.0.1:9900",
                    command=["--timeout=77"])
    one.wait_healthy()
    assert ng_ping(one.address, 22223).endswith(b"4:ponge")
    assert one.run("rtpengine-ctl", "list", "timeout") == "timeout=77"
    other = container("relay", "-e", "RTPENGINE_LISTEN_CLI=127.0.0.1:9900", "-e", "RTPENGINE_TIMEOUT=66")
    other.wait_healthy()
    assert other.run("rtpengine-ctl", "list", "timeout") == "timeout=66"


@pytest.fixture
def proxy():
    """The example with Kamailio, relay and recorder; the name of its project."""
    tool = ["docker", "compose"] if not subprocess.run(["docker", "compose", "version"], capture_output=True).returncode else ["docker-compose"]
    command = [*tool, "-f", root / "docker" / "compose.proxy.yaml", "-p", "strowger-proxy"]
    if not built("relay"):
        pytest.skip("strowger:relay is not built (docker/build.sh relay)")
    done = subprocess.run([*command, "up", "-d", "--build"], capture_output=True, text=True, timeout=300)
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        yield command
    finally:
        subprocess.run([*command, "down", "-v"], capture_output=True, timeout=120)


def test_calls_through_kamailio_are_recorded(proxy, tmp_path):
    server = types.SimpleNamespace(address="127.0.0.1", port=5060)
    with Agent(server, "alice") as alice, Agent(server, "bob") as bob:
        deadline = time.monotonic() + 20
        while True:
            try:
                if alice.register().status == 200:
                    break
            except (AssertionError, OSError):
                assert time.monotonic() < deadline, subprocess.run([*proxy, "logs"], capture_output=True, text=True).stdout[-4000:]
        assert bob.register().status == 200
        call = alice.invite("bob", authenticate=False)
        called = bob.wait_invite()
        with concurrent.futures.ThreadPoolExecutor(1) as beside:  # the proxy lets the two talk to each other
            answering = beside.submit(called.answer)
            call.answered()
            answering.result()
            time.sleep(3)
            assert len(call.rtp.voice_packets()) > 100 and len(called.rtp.voice_packets()) > 100
            ending = beside.submit(called.ended)
            call.bye()
            ending.result()
    found = tmp_path / "recordings"
    deadline = time.monotonic() + 45
    while not list(found.rglob("*.wav")):
        assert time.monotonic() < deadline, "no recording"
        time.sleep(1)
        shutil.rmtree(found, ignore_errors=True)
        name = docker("ps", "-q", "--filter", "label=com.docker.compose.project=strowger-proxy",
                      "--filter", "label=com.docker.compose.service=recorder")
        docker("cp", f"{name}:/var/lib/rtpengine-recording", found)
    (path,) = found.rglob("*.wav")
    with wave.open(str(path)) as file:
        assert 2.5 < file.getnframes() / file.getframerate() < 4


# The broker and its providers.

def workers(broker):
    text = urllib.request.urlopen(f"http://{broker.address}:4080/metrics", timeout=5).read().decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("wasimoff_available_workers"))


@pytest.mark.parametrize("image", ("provider", "provider-node"))
def test_a_provider_computes_for_the_broker(container, tmp_path, image):
    broker = container("broker", "--read-only", "--cap-drop=all", "-e", "WASIMOFF_OPEN=true", "-e", "WASIMOFF_METRICS=true")
    broker.wait_healthy()
    assert "provider" in urllib.request.urlopen(f"http://{broker.address}:4080/", timeout=5).read().decode().lower()
    one = container(image, "--read-only", "--tmpfs", "/tmp", "--cap-drop=all", "-e", "WASIMOFF_WORKERS=2",
                    "-e", f"WASIMOFF_BROKER=http://{broker.address}:4080")
    deadline = time.monotonic() + 30
    while workers(broker) < 2:
        assert time.monotonic() < deadline and one.inspect("{{.State.Running}}") == "true", one.logs()
        time.sleep(0.1)
    assert "Uid:\t10001\t10001" in one.run("cat", "/proc/1/status")
    # 0 as the exit status, and "hello\n" by fd_write.
    text = """(module (import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 8) "\\08\\00\\00\\00") (data (i32.const 16) "hello\\n")
        (func (export "_start") (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 6))
        (drop (call $w (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))))"""
    (tmp_path / "hello.wat").write_text(text)
    subprocess.run(["wat2wasm", tmp_path / "hello.wat", "-o", tmp_path / "hello.wasm"], check=True)
    docker("cp", tmp_path / "hello.wasm", f"{broker.name}:/srv/hello.wasm")
    assert broker.run("strowger", "task", "run", "/srv/hello.wasm") == "hello"
    began = time.monotonic()
    docker("stop", one.name)
    assert time.monotonic() - began < 3


def test_the_broker_shows_its_certificate_and_stops_within_two_seconds(container, tmp_path):
    certificate(tmp_path, "broker.example.org")
    for file in tmp_path.iterdir():
        file.chmod(0o644)
    tmp_path.chmod(0o755)
    one = container("broker", "-v", f"{tmp_path}:/tls:ro", "-e", "WASIMOFF_HTTP_CERT=/tls/broker.example.org.crt",
                    "-e", "WASIMOFF_HTTP_KEY=/tls/broker.example.org.key")
    one.wait_healthy()
    status, seconds = one.stop()
    assert status == 0 and seconds < 2
