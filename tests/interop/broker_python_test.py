"""Python tasks on our own providers, in Chromium and on Node, without any network but the broker's."""
import base64
import io
import json
import operator
import pickle
import shutil
import zipfile

import pytest
from broker import Broker, until, web
from chromium import Chromium

cloudpickle = pytest.importorskip("cloudpickle")


@pytest.fixture(scope="module", params=["page", "node"])
def broker(request, tmp_path_factory):
    running = Broker(tmp_path_factory.mktemp(request.param), "--metrics", "--static-files", web())
    page = None
    if request.param == "page":
        if not shutil.which("chromium"):
            pytest.skip("chromium is not installed")
        page = Chromium()
        page.go(running.url + "/#autoconnect=yes&workers=2&transport=websocket")
    else:
        running.provider("node", 2, "--python")
    until(lambda: running.metric("wasimoff_connected_providers") == 1, 60)
    yield running
    if page:
        page.close()
    assert running.stop() == 0


def encoded(content):
    return base64.b64encode(content).decode()


def python(broker, **params):
    status, answer = broker.run("RunPyodide", params=params)
    assert status == 200, answer
    return answer


def value(answer):
    assert "ok" in answer, answer
    return pickle.loads(base64.b64decode(answer["ok"]["pickle"]))


def test_a_script_prints_and_its_last_value_comes_back(broker):
    answer = python(broker, script="import sys\nprint('out')\nprint('err', file=sys.stderr)\n[6 * 7, 'x']")
    assert value(answer) == [42, "x"]
    assert base64.b64decode(answer["ok"]["stdout"]) == b"out\n" and base64.b64decode(answer["ok"]["stderr"]) == b"err\n"
    assert answer["ok"]["version"] == "0.27.2"


def test_a_pickled_function_is_called_with_its_arguments(broker):
    assert value(python(broker, pickle=encoded(cloudpickle.dumps([operator.add, (40, 2), {}])))) == 42
    assert value(python(broker, pickle=encoded(cloudpickle.dumps([sorted, ([2, 3, 1],), {"reverse": True}])))) == [3, 2, 1]


def test_environment_input_and_files(broker):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("data/in.txt", "from the archive")
    answer = python(broker, envs=["NAME=some value"], stdin=encoded(b"first\nsecond\n"), rootfs={"blob": encoded(archive.getvalue()),
                    "media": "application/zip"}, artifacts=["made.txt", "/mnt/data/in.txt", "nothing"], script="""
import os, sys
open("made.txt", "w").write("by Python")
(os.environ["NAME"], input(), sys.stdin.read(), open("/mnt/data/in.txt").read())""")
    assert value(answer) == ("some value", "first", "second\n", "from the archive")
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(answer["ok"]["artifacts"]["blob"]))) as back:
        assert back.read("made.txt") == b"by Python" and back.read("mnt/data/in.txt") == b"from the archive"
        assert "nothing/" in back.namelist()


def test_each_task_has_an_interpreter_of_its_own(broker):
    assert value(python(broker, script="import builtins\nbuiltins.left = 1\nopen('/mnt/x', 'w').write('x')\n1")) == 1
    for _ in range(2):  # there are two workers
        assert value(python(broker, script="import builtins, os\n(hasattr(builtins, 'left'), os.path.exists('/mnt/x'))")) == (False, False)


@pytest.mark.parametrize("params, text", [
    ({"script": "1 / 0"}, "ZeroDivisionError"),
    ({"script": "import no_such_module"}, "No module named 'no_such_module'"),
    ({"script": "input()"}, "Error"),
    ({"script": "1", "packages": ["no-such-package"]}, "no-such-package"),
    ({"script": "1", "envs": ["nonsense"]}, "NAME=VALUE"),
    ({"pickle": encoded(b"no pickle")}, "Error"),
])
def test_what_goes_wrong_is_the_error_of_its_task(broker, params, text):
    answer = python(broker, **params)
    assert text in answer["error"], answer


def test_a_task_without_end_is_ended(broker):
    status, _, body = broker.request("/api/client/wasimoff.v1.Tasks/RunPyodide", b'{"params":{"script":"while True: pass"}}',
                                     headers={"Content-Type": "application/json", "Connect-Timeout-Ms": "4000"})
    assert (status, json.loads(body)["code"]) == (504, "deadline_exceeded")
    assert value(python(broker, script="'well'")) == "well"


def test_a_node_provider_runs_python_only_when_it_is_told_to(tmp_path):
    broker = Broker(tmp_path, "--metrics", "--attempts", "1")
    try:
        broker.provider("node", 1)
        status, answer = broker.run("RunPyodide", params={"script": "1"})
        assert status == 503 and "no Python here" in answer["message"]
    finally:
        assert broker.stop() == 0
