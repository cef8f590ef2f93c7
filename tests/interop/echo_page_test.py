"""The echo server's own page in Chromium: a click, and what then is to be seen on it."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest
from exchange import program

here = pathlib.Path(__file__).resolve().parent
SPACE = f"strowger-test-page-{os.getpid()}"

SCRIPT = """
import json, pathlib, sys, time
sys.path.insert(0, sys.argv[1])
from chromium import Chromium
browser = Chromium()
try:
    browser.go(sys.argv[2])
    assert browser.run("document.getElementById('state').textContent") == "Not connected."
    browser.click("#start")
    end = time.monotonic() + 30
    while time.monotonic() < end:
        seen = browser.run('''(() => {
            const s = globalThis.echo.session;
            return s && {steps: s.steps.reached, frames: s.frames, messages: s.messages, state: s.peer.connectionState,
                         charts: Object.fromEntries(Object.entries(s.charts).map(([k, c]) => [k, c.values.length])),
                         shown: [...document.querySelectorAll('#steps li')].map(item => item.firstChild.textContent),
                         texts: [...document.querySelectorAll('#charts output')].map(o => o.textContent)}; })()''')
        if seen and seen["frames"] > 30 and seen["messages"] > 3 and all(n > 1 for n in seen["charts"].values()):
            break
        time.sleep(0.2)
    seen["pixel"] = browser.run('''(() => {
        const canvas = document.createElement('canvas'), video = document.getElementById('came');
        canvas.width = video.videoWidth; canvas.height = video.videoHeight;
        const pen = canvas.getContext('2d');
        pen.drawImage(video, 0, 0);
        return [...pen.getImageData(5, 5, 1, 1).data, video.videoWidth]; })()''')
    if len(sys.argv) > 3:
        browser.picture(pathlib.Path(sys.argv[3]))
    browser.click("#start")
    seen["after"] = browser.run("[document.getElementById('state').textContent, document.getElementById('start').textContent]")
    print(json.dumps(seen))
finally:
    browser.close()
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    if not shutil.which("chromium"):
        pytest.skip("chromium is not installed")
    if os.geteuid() != 0 or subprocess.run(["ip", "netns", "add", SPACE], capture_output=True).returncode:
        pytest.skip("network namespaces are not allowed here")
    enter = ["nsenter", f"--net=/run/netns/{SPACE}"]
    try:
        for command in ("ip link set lo up", "ip link add v0 type veth peer name v1", "ip address add 10.79.1.1/24 dev v0",
                        "ip link set v0 up", "ip link set v1 up"):
            subprocess.run([*enter, *command.split()], check=True)
        log = tmp_path_factory.mktemp("page") / "log"
        with open(log, "w") as out:
            server = subprocess.Popen([*enter, program, "echo", "server", "--port", "8080", "--log-level", "verbose"], stderr=out)
        try:
            done = subprocess.run([*enter, "/usr/bin/python3", "-c", SCRIPT, here, "http://10.79.1.1:8080/",
                                   *([os.environ["PAGE_PICTURE"]] if "PAGE_PICTURE" in os.environ else [])],
                                  capture_output=True, text=True, timeout=90)
            assert done.returncode == 0, done.stderr[-3000:]
            yield json.loads(done.stdout)
        finally:
            server.terminate()
            assert server.wait(10) == 0, log.read_text()
    finally:
        subprocess.run(["ip", "netns", "delete", SPACE])


def test_the_picture_comes_back(page):
    assert page["frames"] > 30
    red, green, blue, _, width = page["pixel"]
    assert width > 0 and red < 60 and 40 < green < 110 and 70 < blue < 150  # the background that the page paints


def test_messages_come_back(page):
    assert page["messages"] > 3


def test_every_step_is_shown_with_its_time(page):
    expected = {"offer made", "candidates gathered", "answer received", "path found (ICE)", "keys agreed (DTLS)",
                "channel open", "first message came back", "first picture came back"}
    assert set(page["steps"]) == expected == set(page["shown"])
    assert page["steps"]["keys agreed (DTLS)"] - page["steps"]["candidates gathered"] < 1000  # ms


def test_the_charts_are_live(page):
    assert all(count > 1 for count in page["charts"].values())
    assert all(page["texts"]), page["texts"]


def test_a_second_click_ends_it(page):
    assert page["after"] == ["Ended.", "Start"]
