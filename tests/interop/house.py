"""The shipped configuration with a few more phones and extensions, as the call tests use it."""
import contextlib

from agent import Agent
from exchange import wait_for

PHONES = {"carol": 103, "dave": 104, "erin": 105, "frank": 106, "sipp-a": 107, "sipp-b": 108}

WIZARD = """\
[w_test](!,w_term_io)
aor/qualify_frequency = 0
""" + "".join(f"""
[{name}](w_test)
hint_exten = {number}
inbound_auth/username = {name}
inbound_auth/password = secret-{name}
endpoint/callerid = "{name.title()}" <{number}>
""" for name, number in PHONES.items())

EXTENSIONS = """\
[dp_service](+)
; an echo without words
exten => 610,1,Answer()
 same => n,Echo()
; digits, read and told
exten => 620,1,Answer()
 same => n,Read(digits,,4,,1,5)
 same => n,Set(GLOBAL(READ_RESULT)=${READSTATUS}:${digits})
 same => n,Hangup()
exten => 621,1,Goto(dp_test_menu,s,1)
; an offer of ours inside of a call
exten => 630,1,Answer()
 same => n,Wait(0.3)
 same => n,Set(PJSIP_SEND_SESSION_REFRESH()=invite)
 same => n,Wait(10)
; words before an answer that never comes
exten => 640,1,Progress()
 same => n,Playback(hello-world,noanswer)
 same => n,Hangup(17)
exten => 641,1,Ringing()
 same => n,Wait(0.3)
 same => n,Answer()
 same => n,Wait(10)
exten => 642,1,Answer()
 same => n,Wait(20)

[dp_test_menu]
exten => s,1,Answer()
 same => n,WaitExten(2)
exten => 42,1,Set(GLOBAL(MENU_RESULT)=chose-${EXTEN})
 same => n,Hangup()
exten => i,1,Set(GLOBAL(MENU_RESULT)=invalid-${INVALID_EXTEN})
 same => n,Hangup()
exten => t,1,Set(GLOBAL(MENU_RESULT)=timeout)
 same => n,Hangup()
"""

FILES = {"pjsip_wizard.d/test.conf": WIZARD, "extensions.d/test.conf": EXTENSIONS}


def phone(exchange, name, **options):
    """That phone, freshly registered and nowhere else."""
    agent = Agent(exchange, name, f"secret-{name}", **options)
    assert agent.register("*", expires=0).status == 200
    assert agent.register(expires=300).status == 200
    return agent


def global_value(exchange, name):
    for line in exchange.ask("dialplan show globals").splitlines():
        key, _, value = line.strip().partition("=")
        if key.strip() == name:
            return value.strip()
    return None


def hang_up_all(exchange, agents):
    """Ends every call, with the agents answering whatever they are told meanwhile."""
    exchange.ask("channel request hangup all")

    def quiet():
        for agent in agents:
            agent.settle()
        return exchange.channels() == 0

    wait_for(quiet, what="all channels to end")


@contextlib.contextmanager
def registered_agents(exchange):
    """make(name, ...) -> agents of those names, registered; in the end whatever they leave is hung up."""
    agents = []

    def make(*names, register=True):
        for name in names:
            agents.append(Agent(exchange, name))
            assert not register or agents[-1].register(expires=300).status == 200
        return agents[-len(names):]

    make.agents = agents
    yield make
    hang_up_all(exchange, agents)
    for agent in agents:
        agent.close()
