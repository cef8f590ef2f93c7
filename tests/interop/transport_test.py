"""What the network sees of a transport: the mark of its packets, and probes of connections that say nothing."""
import os
import socket
import struct
import threading
import time

import pytest
from agent import Agent, Message

OBJECTS = """
[t_udp](+)
tos = cs3
[t_tcp](+)
tos = af41
tcp_keepalive_idle_time = 1
tcp_keepalive_interval_time = 1
[t_quiet]
type = transport
protocol = tcp
bind = 127.0.0.1:{quiet_port}
tcp_keepalive_enable = no
[phone]
type = endpoint
context = phones
disallow = all
allow = ulaw
aors = phone
[phone]
type = aor
max_contacts = 1
remove_existing = yes
[far]
type = endpoint
context = phones
transport = t_tcp
disallow = all
allow = ulaw
[silent](far)
transport = t_quiet
"""

EXTENSIONS = """\
[phones]
exten => 200,1,Dial(PJSIP/far/sip:x@127.0.0.1:{far_port}\\;transport=tcp,8)
exten => 201,1,Dial(PJSIP/silent/sip:x@127.0.0.1:{far_port}\\;transport=tcp,8)
"""

CS3, AF41 = 0x60, 0x88


class Wire:
    """Every TCP segment that goes to one local port: (when, sender's port, mark, bytes carried)."""

    def __init__(self, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
        self.socket.settimeout(0.1)
        self.port, self.segments, self.running = port, [], True
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while self.running:
            try:
                packet = self.socket.recv(65536)
            except socket.timeout:
                continue
            head = (packet[0] & 15) * 4
            source, port = struct.unpack("!HH", packet[head:head + 4])
            if port == self.port:
                carried = len(packet) - head - (packet[head + 12] >> 4) * 4
                self.segments.append((time.monotonic(), source, packet[1], carried))

    def close(self):
        self.running = False
        self.thread.join(1)
        self.socket.close()


@pytest.fixture(scope="module")
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        yield server


@pytest.fixture(scope="module")
def exchange(start, listener):
    with socket.create_server(("127.0.0.1", 0)) as free:
        quiet_port = free.getsockname()[1]
    return start({"objects": OBJECTS, "extensions.conf": EXTENSIONS}, far_port=listener.getsockname()[1], quiet_port=quiet_port)


@pytest.fixture
def wire(listener):
    if os.geteuid() != 0:
        pytest.skip("to see segments needs root")
    made = Wire(listener.getsockname()[1])
    yield made
    made.close()


def called(exchange, listener, number):
    """A call to a server of TCP that keeps silent, once its INVITE has come: the call and the connection."""
    agent = Agent(exchange, "phone")
    assert agent.register(expires=300).status == 200
    call = agent.invite(number)
    connection, _ = listener.accept()
    connection.settimeout(5)
    request = Message(connection.recv(65536))
    assert request.method == "INVITE"
    trying = [f"Via: {request.header('via')}", f"From: {request.header('from')}", f"To: {request.header('to')}",
              f"Call-ID: {request.call_id}", f"CSeq: {request.header('cseq')}", "Content-Length: 0"]
    connection.sendall(("SIP/2.0 100 Trying\r\n" + "\r\n".join(trying) + "\r\n\r\n").encode())
    return agent, call, connection


def leave(agent, call, connection):
    call.cancel()
    call.failed(487)
    agent.close()
    connection.close()


def test_datagrams_carry_the_mark_of_their_transport(exchange):
    with Agent(exchange, "phone") as agent:
        agent.socket.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        agent.socket.settimeout(5)
        agent.send(agent.build("OPTIONS", agent.uri(), "marked", 1, f"<{agent.contact}>;tag=a", f"<{agent.uri()}>"))
        data, told, _, _ = agent.socket.recvmsg(65536, 128)
        assert Message(data).method == "OPTIONS"
        assert [value[0] for _, kind, value in told if kind == socket.IP_TOS] == [CS3]


def test_a_connection_that_we_open_has_the_mark_and_the_probes_of_its_transport(exchange, listener, wire):
    agent, call, connection = called(exchange, listener, "200")
    source, begun = connection.getpeername()[1], time.monotonic() + 0.5
    time.sleep(3.5)
    ours = [segment for segment in wire.segments if segment[1] == source]
    assert {mark for _, _, mark, carried in ours if carried} == {AF41}
    probes = [at for at, _, _, carried in ours if not carried and at > begun]
    assert 2 <= len(probes) <= 4, "one a second was asked for"
    leave(agent, call, connection)


def test_a_connection_that_is_accepted_has_them_too(exchange, wire):
    if os.geteuid() != 0:
        pytest.skip("to see segments needs root")
    with Agent(exchange, "phone", transport="tcp") as agent:
        wire.port = agent.port
        assert agent.ask("OPTIONS").status is not None
        begun = time.monotonic() + 0.5
        time.sleep(2.8)
        assert {mark for _, _, mark, carried in wire.segments if carried} == {AF41}
        assert 1 <= len([at for at, _, _, carried in wire.segments if not carried and at > begun]) <= 3


def test_probes_can_be_turned_off(exchange, listener, wire):
    agent, call, connection = called(exchange, listener, "201")
    source, begun = connection.getpeername()[1], time.monotonic() + 0.5
    time.sleep(3)
    ours = [segment for segment in wire.segments if segment[1] == source]
    assert {mark for _, _, mark, carried in ours if carried} == {0}
    assert not [at for at, _, _, carried in ours if not carried and at > begun]
    leave(agent, call, connection)
