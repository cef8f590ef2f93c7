"""Stopped in the midst of anything, the exchange tells both ends and leaves with status 0: nothing hangs, and
nothing is left allocated (which a build with sanitizers turns into another status)."""
import pytest
from house import FILES, phone


def ringing(carol, dave):
    out = carol.invite("104")
    dave.wait_invite().ring()
    out.expect(180)
    return [(carol, 480, 487, 500, 503, 603), (dave, "CANCEL")]


def not_even_ringing(carol, dave):
    carol.invite("104")
    dave.wait_invite()
    return [(carol, 480, 487, 500, 503, 603)]


def talking(carol, dave):
    out = carol.invite("104")
    back = dave.wait_invite()
    back.ring()
    back.answer()
    out.answered()
    return [(carol, "BYE"), (dave, "BYE")]


def on_hold(carol, dave):
    out = carol.invite("104")
    back = dave.wait_invite()
    back.ring()
    back.answer()
    out.answered()
    out.reinvite("sendonly")
    return [(carol, "BYE"), (dave, "BYE")]


def in_a_menu(number):
    def waiting(carol, dave):
        carol.invite(number).answered()
        return [(carol, "BYE")]
    waiting.__name__ = f"in_{number}"
    return waiting


@pytest.mark.parametrize("midst", [ringing, not_even_ringing, talking, on_hold, *map(in_a_menu, ("600", "610", "620", "642"))],
                         ids=lambda midst: midst.__name__)
def test_it_ends_from_the_midst_of(start, midst):
    exchange = start(dict(FILES), shipped=True)
    with phone(exchange, "carol") as carol, phone(exchange, "dave") as dave:
        told = midst(carol, dave)
        assert exchange.stop() == 0, exchange.log_path.read_text(errors="replace")[-6000:]
        for agent, *what in told:
            agent.expect(*what)
