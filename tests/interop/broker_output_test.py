"""What a task writes is heard while it runs: by server-sent events, on a client's WebSocket, by the command line."""
import base64
import http.client
import json
import subprocess
import time

import pytest
from broker import Broker, Stub, compile_c, envelope, socket, until, web
from chromium import Chromium
from exchange import program

SLOW = r"""
#include <stdio.h>
#include <time.h>
#include <stdlib.h>
static void wait(double seconds) {
    struct timespec a, b; clock_gettime(CLOCK_MONOTONIC, &a);
    do clock_gettime(CLOCK_MONOTONIC, &b); while (b.tv_sec - a.tv_sec + (b.tv_nsec - a.tv_nsec) / 1e9 < seconds);
}
int main(int argc, char **argv) {
    printf("one\n"); fflush(stdout); fprintf(stderr, "first\n");
    wait(atof(argv[1]));
    printf("two\n");
    if (argc > 2) for (int i = 0; i < 3 << 20; i++) putchar('x');
    return 3;
}
"""


@pytest.fixture(scope="module", params=["node", "page"])
def broker(request, tmp_path_factory):
    running = Broker(tmp_path_factory.mktemp(request.param), "--metrics", "--static-files", web())
    running.upload(compile_c(running.folder, SLOW, "slow"), "slow")
    page = None
    if request.param == "page":
        page = Chromium()
        page.go(running.url + "/#autoconnect=yes&workers=2&transport=websocket")
    else:
        running.provider("node", 2)
    until(lambda: running.metric("wasimoff_connected_providers") == 1, 60)
    yield running
    if page:
        page.close()
    assert running.stop() == 0


class Live:
    """A call of /api/client/live, event by event."""

    def __init__(self, broker, args, method="RunWasip1", params=None, **more):
        self.began = time.monotonic()
        self.connection = http.client.HTTPConnection(broker.url.split("/")[2], timeout=30)
        body = json.dumps({"params": params or {"binary": {"ref": "slow"}, "args": ["slow", *args]}, **more})
        self.connection.request("POST", f"/api/client/live/{method}", body, {"Content-Type": "application/json"})
        self.answer = self.connection.getresponse()

    def event(self):
        fields = {}
        while not fields or line:
            line = self.answer.readline().decode()
            assert line, "the stream has ended"
            line = line.strip()
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
        return fields["event"], json.loads(fields["data"]), time.monotonic() - self.began

    def until_done(self):
        told = {"stdout": b"", "stderr": b""}
        while (event := self.event())[0] == "output":
            for stream in told:
                told[stream] += base64.b64decode(event[1][stream])
        return told, event


def test_server_sent_events_tell_it_as_it_comes_and_the_result_has_all_of_it(broker):
    live = Live(broker, ["2"])
    assert live.answer.status == 200 and live.answer.getheader("Content-Type") == "text/event-stream"
    name, said, when = live.event()
    assert name == "output" and when < 1.8
    assert base64.b64decode(said["stdout"]) == b"one\n" and base64.b64decode(said["stderr"]) == b"first\n"
    told, (name, response, when) = live.until_done()
    assert name == "done" and when > 1.9 and response["ok"]["status"] == 3
    assert base64.b64decode(response["ok"]["stdout"]) == b"one\ntwo\n"


def test_a_flood_is_told_up_to_its_limit_and_whole_in_the_result(broker):
    told, (name, response, _) = Live(broker, ["0", "flood"]).until_done()
    assert name == "done" and len(base64.b64decode(response["ok"]["stdout"])) == 8 + (3 << 20)
    assert len(told["stdout"]) <= 1 << 20


def test_who_stops_listening_ends_the_task(broker):
    live = Live(broker, ["60"])
    assert live.event()[0] == "output"
    live.connection.close()
    live.answer.close()
    until(lambda: broker.metric("wasimoff_tasks_dispatching") == 0)


def test_a_client_on_a_websocket_is_told_if_it_wants_to_be(broker):
    client = socket(broker, "/api/client/ws")
    client.next()
    for wanted in (True, False):
        client.say(envelope(5, "wasimoff.v1.Task.Wasip1.Request", params={"binary": {"ref": "slow"}, "args": ["slow", "0.5"]},
                            info={"reference": "mine"}, qos={"output": wanted}))
        message = json.loads(client.next()["text"])
        if wanted:
            assert message["type"] == "Event" and message["payload"]["@type"] == "wasimoff/wasimoff.v1.Event.TaskOutput"
            assert message["payload"]["reference"] == "mine" and base64.b64decode(message["payload"]["stdout"]) == b"one\n"
            while message["type"] == "Event":
                message = json.loads(client.next()["text"])
        assert message["type"] == "Response" and base64.b64decode(message["payload"]["ok"]["stdout"]) == b"one\ntwo\n"
    client.close()


def test_the_command_line_shows_it_as_it_comes_and_once(broker):
    running = subprocess.Popen([program, "task", "--broker", broker.url, "run", "slow", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    began = time.monotonic()
    assert running.stdout.readline() == b"one\n" and time.monotonic() - began < 1.8
    out, errors = running.communicate(timeout=15)
    assert (out, errors, running.returncode) == (b"two\n", b"first\n", 3)


def test_a_script_is_heard_too(tmp_path):
    broker = Broker(tmp_path, "--metrics", "--static-files", web())
    try:
        broker.provider("node", 1, "--python")
        live = Live(broker, [], "RunPyodide", {"script": "import time\nprint('one')\ntime.sleep(2)\nprint('two')"})
        name, said, when = live.event()
        assert name == "output" and base64.b64decode(said["stdout"]) == b"one\n"
        _, (name, response, done) = live.until_done()
        assert name == "done" and done - when > 1.5 and base64.b64decode(response["ok"]["stdout"]) == b"one\ntwo\n"
    finally:
        assert broker.stop() == 0


def test_what_begins_anew_says_so_and_strangers_tell_nothing(tmp_path):
    broker = Broker(tmp_path, "--metrics")
    try:
        broker.upload(b"\0asm\1\0\0\0", "slow")
        first = Stub(broker, "first")
        live = Live(broker, [])
        task = first.task()
        assert task["payload"]["qos"]["output"] is True
        stranger = Stub(broker, "stranger")
        for stub, text in ((stranger, b"lies"), (first, b"begun")):
            stub.tell("TaskOutput", id=task["payload"]["info"]["id"], stdout=base64.b64encode(text).decode())
            time.sleep(0.3)
        assert base64.b64decode(live.event()[1]["stdout"]) == b"begun"
        first.close()
        task = stranger.task()
        stranger.tell("TaskOutput", id=task["payload"]["info"]["id"], stdout=base64.b64encode(b"anew").decode())
        assert live.event()[0] == "again"
        assert base64.b64decode(live.event()[1]["stdout"]) == b"anew"
        stranger.done(task, stdout=b"anew")
        assert live.event()[0] == "done"
        status, _, body = broker.request("/api/client/live/RunWasip1", b"{}", headers={"Content-Type": "application/json"})
        assert status == 200 and b"event: error" in body and b"invalid_argument" in body
        assert broker.request("/api/client/live/RunWasip1", b"{", headers={"Content-Type": "application/json"})[0] == 400
        assert broker.request("/api/client/live/Nothing", b"{}", headers={"Content-Type": "application/json"})[0] == 404
        assert broker.request("/api/client/live/RunWasip1", b"{}")[0] == 415
        stranger.close()
    finally:
        assert broker.stop() == 0
