#!/usr/bin/python3
"""One side of an ICE session by libnice, with the lines of tests/peers/ice_peer.cpp.

    libnice_peer.py [--controlling] [--lite] [--regular] [--components N]
"""
import argparse
import ctypes

import gi

gi.require_version("Nice", "0.1")
from gi.repository import GLib, Nice  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--controlling", action="store_true")
parser.add_argument("--lite", action="store_true")
parser.add_argument("--regular", action="store_true", help="regular nomination instead of aggressive")
parser.add_argument("--components", type=int, default=1)
options = parser.parse_args()

flags = Nice.AgentOption.CONSENT_FRESHNESS
if options.lite:
    flags |= Nice.AgentOption.LITE_MODE
if options.regular:
    flags |= Nice.AgentOption.REGULAR_NOMINATION
context = GLib.MainContext.default()
loop = GLib.MainLoop(context)
agent = Nice.Agent.new_full(context, Nice.Compatibility.RFC5245, flags)
agent.set_property("controlling-mode", options.controlling)
agent.set_property("upnp", False)
agent.set_property("ice-tcp", False)
loopback = Nice.Address.new()
loopback.set_from_string("127.0.0.1")
agent.add_local_address(loopback)
stream = agent.add_stream(options.components)


def say(*words):
    print(*words, flush=True)


def gathered(_, number):
    for component in range(1, options.components + 1):
        for candidate in agent.get_local_candidates(number, component):
            say(agent.generate_local_candidate_sdp(candidate).removeprefix("a="))
    say("gathered")


def state_changed(_, number, component, state):
    if state == Nice.ComponentState.READY:
        say("event", "selected", component)
    elif state == Nice.ComponentState.FAILED:
        say("event", "failed", component)


# The one function that introspection leaves out; hash() of an object is its address.
Received = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint,
                            ctypes.POINTER(ctypes.c_char), ctypes.c_void_p)
library = ctypes.CDLL("libnice.so.10")
library.nice_agent_attach_recv.argtypes = [ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, Received,
                                           ctypes.c_void_p]


@Received
def received(_, number, component, size, data, more):
    say("data", ctypes.string_at(data, size).decode())


agent.connect("candidate-gathering-done", gathered)
agent.connect("component-state-changed", state_changed)
for component in range(1, options.components + 1):
    library.nice_agent_attach_recv(hash(agent), stream, component, None, received, None)
_, ufrag, password = agent.get_local_credentials(stream)
say("credentials", ufrag, password)
agent.gather_candidates(stream)

candidates = {}


def obey(line):
    words = line.split()
    if words[0] == "remote":
        agent.set_remote_credentials(stream, words[1], words[2])
    elif words[0].startswith("candidate:"):
        # The component by the line, as introspection has the fields of candidates in wrong places.
        candidates.setdefault(int(words[1]), []).append(agent.parse_remote_candidate_sdp(stream, f"a={line}"))
    elif words[0] == "end":
        for component, those in candidates.items():
            agent.set_remote_candidates(stream, component, those)
    elif words[0] == "send":
        text = line[5:]
        agent.send(stream, 1, len(text), text)
    elif words[0] == "quit":
        loop.quit()


channel = GLib.IOChannel.unix_new(0)


def channel_readable(source, condition):
    status, line, _, _ = source.read_line()
    if status == GLib.IOStatus.EOF or line is None:
        loop.quit()
        return False
    obey(line.strip())
    return True


GLib.io_add_watch(channel, GLib.PRIORITY_DEFAULT, GLib.IOCondition.IN | GLib.IOCondition.HUP, channel_readable)
loop.run()
