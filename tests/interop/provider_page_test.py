"""What the fragment of the provider page's address does, in Chromium."""
import shutil

import pytest
from broker import Broker, until, web
from chromium import Chromium

pytestmark = pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    broker = Broker(tmp_path_factory.mktemp("page"), "--metrics", "--static-files", web(), "--quic-listen", "none")
    browser = Chromium()
    try:
        yield broker, browser
    finally:
        browser.close()
        assert broker.stop() == 0


def opened(system, fragment):
    broker, browser = system
    browser.go("about:blank")
    until(lambda: broker.metric("wasimoff_connected_providers") == 0)
    browser.go(broker.url + "/#" + fragment)


def workers(broker):
    return broker.metric('wasimoff_available_workers{type="providers"}')


@pytest.mark.parametrize("word", ["true", "t", "y", "on", "", "YES"])
def test_words_that_mean_yes(system, word):
    opened(system, f"autoconnect={word}&workers=1")
    until(lambda: workers(system[0]) == 1)


@pytest.mark.parametrize("fragment", ["workers=1", "autoconnect=no&workers=1", "autoconnect=false", "autoconnect=0&workers=1", ""])
def test_otherwise_it_waits_to_be_asked(system, fragment):
    opened(system, fragment)
    browser = system[1]
    browser.run("new Promise(done => setTimeout(done, 300))")
    assert system[0].metric("wasimoff_connected_providers") == 0


@pytest.mark.parametrize("word", ["3", "max"])
def test_as_many_workers_as_it_says_or_as_the_machine_has(system, word):
    opened(system, f"autoconnect&workers={word}")
    wanted = system[1].run("navigator.hardwareConcurrency") if word == "max" else int(word)
    until(lambda: workers(system[0]) == wanted)


def test_who_leaves_the_page_takes_the_provider_along_at_once(system):
    opened(system, "autoconnect&workers=1")
    until(lambda: workers(system[0]) == 1)
    system[1].go("about:blank")
    until(lambda: system[0].metric("wasimoff_connected_providers") == 0, 4)  # well before silence would end it


def test_it_keeps_its_name(system):
    opened(system, "autoconnect&workers=1")
    until(lambda: workers(system[0]) == 1)
    name = system[1].run("localStorage.getItem('provider')")
    assert len(name) == 21
    opened(system, "autoconnect&workers=1")
    until(lambda: workers(system[0]) == 1)
    assert system[1].run("localStorage.getItem('provider')") == name
