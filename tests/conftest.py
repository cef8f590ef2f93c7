"""What the whole-program tests share: exchanges on free loopback ports that end with their test."""
import os
import pathlib
import sys

import pytest

# AddressSanitizer keeps what is freed for a while: little enough that tests which measure memory can.
os.environ.setdefault("ASAN_OPTIONS", "quarantine_size_mb=16")

root = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(root / "tools"), str(root / "tests" / "interop")]

from running import Running, shipped  # noqa: E402
from sound import compare, speech_files  # noqa: E402,F401


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """start(files, shipped=False, ...) -> Running; every exchange is stopped when the module is done."""
    begun = []

    def start(files=None, **options):
        begun.append(Running(tmp_path_factory.mktemp("exchange"), files or {}, **options))
        return begun[-1]

    yield start
    ended = [(exchange.close(), exchange.log_path) for exchange in begun]
    for status, log in ended:
        assert status == 0, f"an exchange ended with {status}; its last words:\n{log.read_text(errors='replace')[-6000:]}"


@pytest.fixture(scope="session")
def speech(tmp_path_factory):
    """{'a': WAV, 'b': WAV}: two different voices of some three seconds."""
    return speech_files(tmp_path_factory.mktemp("speech"))


def pytest_runtest_logreport(report):
    """Says why a test got a second try (tests/run)."""
    if report.outcome == "rerun":
        print(f"\n{report.nodeid}: a second try, since the first ended with:\n{report.longreprtext[-6000:]}", flush=True)
