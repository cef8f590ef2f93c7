"""`make run`: the exchange with the shipped configuration, how to reach it, and an end without a trace."""
import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest

root = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(root / "tools"))
from exchange import program, wait_for  # noqa: E402


def started(state, output, *options):
    """tools/run-exchange in a process group of its own, as a terminal gives it: Ctrl-C counts, even if the tests run in
    the background of a shell, where it is ignored."""
    with open(output, "wb") as log:
        return subprocess.Popen([root / "tools" / "run-exchange", "--bind", "127.0.0.1:0", *options], stdout=log,
                                stderr=subprocess.STDOUT, env=dict(os.environ, STROWGER=program, XDG_STATE_HOME=str(state)),
                                start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))


@pytest.fixture
def run(tmp_path):
    output = tmp_path / "output"
    process = started(tmp_path, output)
    try:
        wait_for(lambda: "Ctrl-C ends it." in output.read_text(), what="the explanation")
        yield process, output.read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_it_says_where_and_how_to_register(run):
    text = run[1]
    assert re.search(r"server +127\.0\.0\.1:[1-9]\d* \(UDP\)", text)
    assert re.search(r"user +alice +password change-me-alice +number 101", text)
    assert re.search(r"user +bob +password change-me-bob +number 102", text)
    assert "600 for the echo test" in text


def test_the_state_is_in_the_users_own_directory(run, tmp_path):
    assert (tmp_path / "strowger" / "pbx.ctl").is_socket()
    done = subprocess.run([program, "--state", tmp_path / "strowger", "-rx", "core show version"])
    assert done.returncode == 0


@pytest.mark.parametrize("to_group", [True, False])
def test_an_interrupt_ends_it_and_the_exchange(run, to_group, tmp_path):
    process = run[0]
    (os.killpg if to_group else os.kill)(process.pid, signal.SIGINT)
    assert process.wait(10) == 0
    done = subprocess.run([program, "--state", tmp_path / "strowger", "-rx", "core show version"], capture_output=True)
    assert done.returncode == 1


def test_a_refused_configuration_is_its_failure(tmp_path):
    (tmp_path / "rtp.conf").write_text("[general]\nrtpstart = nowhere\n")
    process = started(tmp_path, tmp_path / "output", "--config", tmp_path)
    assert process.wait(10) == 1
    assert "rtp.conf:2" in (tmp_path / "output").read_text()
