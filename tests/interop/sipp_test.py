"""Every common flow with sipp on both sides: its own transactions, dialogs and digest against ours."""
import pytest
from house import FILES
from running import free_port
from sipp import Sipp, run_sipp


@pytest.fixture(scope="module")
def exchange(start):
    return start(dict(FILES), shipped=True)


def sipp_phone(exchange, scenario):
    """sipp-b, registered at a port of its own, where that scenario then waits."""
    port = free_port()
    run_sipp(exchange, "register.xml", user="sipp-b", password="secret-sipp-b", port=port)
    return Sipp(exchange, scenario, user="sipp-b", port=port)


def caller(exchange, scenario, extension="108", more="Supported: timer"):
    return run_sipp(exchange, scenario, user="sipp-a", password="secret-sipp-a", extension=extension, more=more)


@pytest.mark.parametrize("calling, called", [
    ("call.xml", "answer.xml"),
    ("call_hung_up.xml", "answer_and_hang_up.xml"),
    ("call_cancelled.xml", "ring.xml"),
    ("call_refused.xml", "busy.xml"),
])
def test_a_call_between_two_sipps(exchange, calling, called):
    exchange.ask("dialplan set global DIAL_TIMEOUT ,10")
    with sipp_phone(exchange, called) as phone:
        caller(exchange, calling)
        phone.finish()
    # The phone of the last test is gone; its contact goes as well.
    run_sipp(exchange, "unregister.xml", user="sipp-b", password="secret-sipp-b")


def test_a_session_timer_is_refreshed(exchange):
    caller(exchange, "call_refreshed.xml", "642", "Supported: timer\r\nSession-Expires: 100;refresher=uac")


def test_a_caller_that_requires_100rel(exchange):
    caller(exchange, "call_with_prack.xml", "641", "Require: 100rel")


def test_two_hundred_calls_in_a_row_leave_nothing(exchange):
    run_sipp(exchange, "call.xml", user="sipp-a", password="secret-sipp-a", extension="642", calls=200, more="Supported: timer",
             options=["-r", "100", "-l", "100"])
    exchange.wait_idle()
    assert "200 calls processed" in exchange.ask("core show channels") or exchange.channels() == 0
