"""Storage in a Bolt database, as the reference keeps it: read once, and kept beside it from then on."""
import contextlib
import fcntl
import hashlib
import shutil
import subprocess

import pytest
from broker import Broker
from exchange import program, root

WRITTEN_BY_BBOLT = root / "tests" / "data" / "bolt"
WASM = b"\0asm\1\0\0\0\1\4\1\x60\0\0\3\2\1\0\5\3\1\0\1\7\x13\2\6memory\2\0\6_start\0\0\x0a\4\1\2\0\x0b"


def ref(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


@pytest.fixture
def database(tmp_path):
    return shutil.copy(WRITTEN_BY_BBOLT / "storage.db", tmp_path / "storage.db")


@contextlib.contextmanager
def broker_on(tmp_path, database, *options):
    broker = Broker(tmp_path / "broker", "--metrics", "--storage", f"boltdb://{database}", *options)
    try:
        yield broker
    finally:
        assert broker.stop() == 0


def refusal(database):
    done = subprocess.run([program, "broker", "--listen", "127.0.0.1:0", "--storage", f"boltdb://{database}"],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    return done.stderr


def test_files_and_aliases_of_the_database_are_there(tmp_path, database):
    before = database.read_bytes()
    with broker_on(tmp_path, database) as broker:
        assert broker.request("/api/storage/nothing.wasm")[2] == WASM == broker.request(f"/api/storage/{ref(WASM)}")[2]
        large = broker.request("/api/storage/large.wasm")[2]
        assert large.startswith(WASM) and len(large) > 20000 and broker.request(f"/api/storage/{ref(large)}")[2] == large
        in_message, by_name = WASM + b"\0\2\1y", WASM + b"\0\2\1z"
        assert broker.request(f"/api/storage/{ref(in_message)}")[2] == in_message
        status, headers, content = broker.request("/api/storage/by-name.wasm")
        assert (status, headers["content-type"], content) == (200, "application/wasm", by_name)
        assert broker.request("/api/storage/nowhere.wasm")[0] == 404
        assert "4 files of" in broker.output() and "3 aliases taken over" in broker.output()
    assert database.read_bytes() == before


def test_a_task_runs_by_an_alias_of_the_database(tmp_path, database):
    with broker_on(tmp_path, database) as broker:
        broker.provider()
        status, answer = broker.run(params={"binary": {"ref": "nothing.wasm"}, "args": ["nothing"]})
        assert status == 200 and answer["ok"].get("status", 0) == 0


def test_what_is_uploaded_stays_and_wins_over_the_database(tmp_path, database):
    mine = WASM + b"\0\2\1m"
    with broker_on(tmp_path, database) as broker:
        broker.upload(mine, "nothing.wasm")
    with broker_on(tmp_path, database) as broker:
        assert broker.request("/api/storage/nothing.wasm")[2] == mine
        assert broker.request("/api/storage/large.wasm")[0] == 200
        assert "0 files of 0 bytes and 0 aliases taken over, 4 files were here" in broker.output()


def test_a_database_that_is_not_there_is_an_empty_one(tmp_path):
    with broker_on(tmp_path, tmp_path / "new.db") as broker:
        broker.upload(WASM, "mine")
        assert "no such database" in broker.output()
    with broker_on(tmp_path, tmp_path / "new.db") as broker:
        assert broker.request("/api/storage/mine")[2] == WASM


def test_a_damaged_database_is_refused_by_name(tmp_path, database):
    content = bytearray(database.read_bytes())
    content[:16384] = bytes(16384)
    database.write_bytes(content)
    assert f"boltdb://{database}" in refusal(database) and "no Bolt database" in refusal(database)
    database.write_bytes(b"SQLite format 3\0")
    assert "no Bolt database" in refusal(database)


def test_a_database_that_somebody_writes_is_refused(database):
    with open(database, "r+b") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        assert "another program has the database open" in refusal(database)
