"""The broker's sockets, byte by byte: subprotocols, framing, the numbers of fields, envelopes; nothing but bytes written by
hand on the other side."""
import concurrent.futures
import json
import time

import pytest
from broker import Broker, until
from by_hand import (BINARY, CLOSE, EVENT, JSON, PROTOBUF, REQUEST, RESPONSE, TEXT, Envelope, Socket, envelope, pack, unpack)

PAGE = b"\0asm\1\0\0\0"
CLIENT, PROVIDER = "/api/client/ws", "/api/provider/ws?id=hand"
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    running = Broker(tmp_path_factory.mktemp("bytes"), "--metrics", "--max-file", 1)
    running.ref = running.upload(PAGE, "page")
    yield running
    assert running.stop() == 0


@pytest.fixture
def connect(broker):
    sockets = []

    def connect(path, *words, **options):
        sockets.append(Socket(broker, path, *words, **options))
        return sockets[-1]
    yield connect
    for each in sockets:
        each.close()
    until(lambda: broker.metric("wasimoff_connected_providers") == 0)


@pytest.fixture
def clients():
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        yield pool


def wasip1(*params, qos=None, info=None):
    """A Task.Wasip1.Request of the stored page."""
    fields = [(1, info)] if info is not None else []
    fields += [(2, qos)] if qos is not None else []
    return pack(*fields, (3, pack((1, pack((1, "page"))), *params)))


# --- subprotocols and framing

@pytest.mark.parametrize("path", [CLIENT, PROVIDER])
def test_protobuf_is_preferred_in_whatever_order_both_are_offered(connect, path):
    for offer in ((PROTOBUF, JSON), (JSON, PROTOBUF), ("something", JSON, PROTOBUF)):
        assert connect(path, offer).headers["sec-websocket-protocol"] == PROTOBUF
    assert connect(path, ("something", JSON)).headers["sec-websocket-protocol"] == JSON


@pytest.mark.parametrize("path", [CLIENT, PROVIDER])
@pytest.mark.parametrize("offer", [(), ("something",)])
def test_without_a_common_subprotocol_it_is_accepted_and_closed_with_1002(connect, path, offer):
    peer = connect(path, offer)
    assert peer.status == 101 and "sec-websocket-protocol" not in peer.headers
    assert peer.closed()[0] == 1002


@pytest.mark.parametrize("path", [CLIENT, PROVIDER])
@pytest.mark.parametrize("offer,opcode,message", [(PROTOBUF, TEXT, b"{}"), (JSON, BINARY, b"\x08\0")])
def test_text_on_protobuf_and_the_reverse_close_with_1003(connect, path, offer, opcode, message):
    peer = connect(path, (offer,))
    peer.send(opcode, message)
    assert peer.closed()[0] == 1003


def test_compression_is_not_agreed_on_though_browsers_offer_it(connect):
    peer = connect(PROVIDER, headers=(DEFLATE,))
    assert peer.status == 101 and "sec-websocket-extensions" not in peer.headers
    peer.provide()


@pytest.mark.parametrize("path", [CLIENT, PROVIDER])
def test_a_message_may_be_as_large_as_a_file_and_what_is_larger_closes_with_1009(connect, path, broker):
    peer = connect(path)
    peer.send(BINARY, envelope(1, EVENT, "Unheard", bytes(1 << 20)))
    peer.send(BINARY, bytes(4 << 20))
    assert peer.closed()[0] == 1009
    assert broker.request("/healthz")[0] == 200


@pytest.mark.parametrize("path", [CLIENT, PROVIDER])
def test_a_normal_end_is_1000_and_an_error_says_why_in_few_bytes(connect, path):
    peer = connect(path)
    peer.send(CLOSE, b"\x03\xe8bye")
    assert peer.closed()[0] == 1000
    peer = connect(path)
    peer.send(BINARY, b"\xff" * 300)
    code, reason = peer.closed()
    assert code == 1011 and 0 < len(reason.encode()) <= 123


def test_a_page_of_any_origin_may_open_a_clients_socket(connect):
    assert connect(CLIENT, headers=("Origin: https://elsewhere.example",)).status == 101


# --- the numbers of the fields

def test_every_field_of_a_task_and_its_result_goes_through_under_its_number(broker, connect):
    provider = connect(PROVIDER).provide()
    client = connect(CLIENT)
    deadline = int(time.time()) + 60
    zip_ = b"PK\3\4hand"
    task = wasip1((2, "page"), (2, ""), (3, "A=b"), (4, b"\0in"), (5, pack((2, "application/zip"), (3, zip_))), (6, "out"),
                  qos=pack((1, 1), (2, pack((1, deadline), (2, 5))), (3, 1)),
                  info=pack((4, "my reference"), (5, pack((1, 7)))))
    client.send(BINARY, envelope(0, REQUEST, "Task.Wasip1.Request", task))
    got = provider.task()
    assert (got.name, got.kind) == ("Task.Wasip1.Request", REQUEST)
    info, qos, params = (unpack(got.payload[number][0]) for number in (1, 2, 3))
    assert info[1][0].isdigit() and info[2] == [b"127.0.0.1"] and info[3] == [b"hand"] and info[4] == [b"my reference"]
    assert [unpack(event)[2] for event in unpack(info[5][0])[3]][0] == [21]  # BrokerReceivedClientRequest
    assert unpack(qos[2][0]) == {1: [deadline], 2: [5]} and qos[1] == [1] and qos[3] == [1]
    assert unpack(params[1][0]) == {1: [broker.ref.encode()]}
    assert (params[2], params[3], params[4], params[6]) == ([b"page", b""], [b"A=b"], [b"\0in"], [b"out"])
    assert unpack(params[5][0])[3] == [zip_]
    trace = info[5][0] + pack((3, pack((1, 8), (2, 31), (3, "in detail"))))
    provider.answer(got, "Task.Wasip1.Response", pack((1, pack((5, trace))), (3, pack((1, 0), (2, b"o\0"), (3, b"e\xff"), (
        4, pack((2, "application/zip"), (3, zip_)))))))
    answer = client.next()
    assert (answer.sequence, answer.kind, answer.name) == (0, RESPONSE, "Task.Wasip1.Response")
    ok = unpack(answer.payload[3][0])
    assert ok[1] == [0], "a status of zero is written"
    assert ok[2] == [b"o\0"] and ok[3] == [b"e\xff"] and unpack(ok[4][0]) == {2: [b"application/zip"], 3: [zip_]}
    told = unpack(answer.payload[1][0])
    assert told[4] == [b"my reference"] and told[3] == [b"hand"]
    events = [unpack(event) for event in unpack(told[5][0])[3]]
    assert {3: [b"in detail"], 2: [31], 1: [8]} in events
    assert [event[2][0] for event in events if 20 <= event[2][0] < 30] == [21, 22, 23, 24, 25, 26]


def test_a_python_task_has_its_own_numbers(connect):
    provider = connect(PROVIDER).provide()
    client = connect(CLIENT)
    for number, run in ((2, "print(1)"), (3, b"\x80pickle")):
        params = pack((1, "numpy"), (number, run), (4, "K=v"), (5, b"in"), (7, "a"), (7, "b"))
        client.send(BINARY, envelope(9, REQUEST, "Task.Pyodide.Request", pack((3, params))))
        got = provider.task()
        assert got.name == "Task.Pyodide.Request"
        assert got.payload[3][0] and unpack(got.payload[3][0]) == unpack(params)
        provider.answer(got, "Task.Pyodide.Response", pack((3, pack((1, b"p"), (2, b"o"), (3, b"e"), (4, "0.27.2"), (5, pack((3, b"PK\3\4")))))))
        ok = unpack(client.next().payload[3][0])
        assert (ok[1], ok[2], ok[3], ok[4], unpack(ok[5][0])[3]) == ([b"p"], [b"o"], [b"e"], [b"0.27.2"], [b"PK\3\4"])


def test_an_error_of_a_task_is_field_2_of_its_answer(connect):
    provider = connect(PROVIDER).provide()
    client = connect(CLIENT)
    client.send(BINARY, envelope(1, REQUEST, "Task.Wasip1.Request", wasip1()))
    provider.answer(provider.task(), "Task.Wasip1.Response", pack((2, "RuntimeError: unreachable")))
    answer = client.next()
    assert answer.error is None and answer.payload[2] == [b"RuntimeError: unreachable"] and 3 not in answer.payload


def test_an_upload_on_a_socket(broker, connect):
    client = connect(CLIENT)
    other = PAGE + b"\0\2\1x"
    client.send(BINARY, envelope(1, REQUEST, "Filesystem.Upload.Request", pack((1, pack((1, "by-hand"), (2, "application/wasm"), (3, other))))))
    answer = client.next()
    ref = answer.payload[1][0].decode()
    assert answer.name == "Filesystem.Upload.Response" and ref.startswith("sha256:")
    assert broker.request("/api/storage/by-hand")[2] == other == broker.request("/api/storage/" + ref)[2]
    client.send(BINARY, envelope(2, REQUEST, "Filesystem.Upload.Request", pack((1, pack((2, "text/plain"), (3, b"x"))))))
    assert "unsupported filetype" in client.next().error


def test_events_and_cancel_have_their_numbers(connect):
    provider = connect(PROVIDER).provide()
    cluster = provider.next(but=("Event.Throughput",))
    assert cluster.kind == EVENT and cluster.payload[1] == [1]
    client = connect(CLIENT)
    client.send(BINARY, envelope(1, REQUEST, "Task.Wasip1.Request", wasip1()))
    task = provider.task()
    client.close()
    cancel = provider.next(but=("Event.ClusterInfo", "Event.Throughput", "Ping"))
    assert (cancel.name, cancel.kind) == ("Task.Cancel", REQUEST)
    assert cancel.payload[1] == unpack(task.payload[1][0])[1] and cancel.payload[2][0]
    provider.answer(cancel, "Task.Cancel")
    provider.answer(task, "Task.Wasip1.Response", pack((2, "cancelled")))
    throughput = provider.next(but=("Event.ClusterInfo", "Ping"))
    assert throughput.name == "Event.Throughput" and all(isinstance(value[0], float) for value in throughput.payload.values())
    provider.tell("Event.FileSystemUpdate", pack((1, "sha256:" + "0" * 64), (2, "sha256:" + "1" * 64)))


# --- envelopes

def test_requests_and_events_are_counted_apart_from_one(connect, clients, broker):
    provider = connect(PROVIDER)
    provider.tell("Event.ProviderResources", pack((1, 4)))
    answers = [clients.submit(broker.run, params={"binary": {"ref": "page"}}) for _ in range(4)]
    seen = {REQUEST: [], EVENT: []}
    while len(seen[REQUEST]) < 5 or not seen[EVENT]:
        message = provider.next()
        seen[message.kind].append(message.sequence)
        if message.name == "Filesystem.Listing.Request":
            provider.answer(message, "Filesystem.Listing.Response")
        elif message.name == "Task.Wasip1.Request":
            provider.answer(message, "Task.Wasip1.Response", pack((3, pack((1, 0)))))
    assert all(answer.result()[0] == 200 for answer in answers)
    for numbers in seen.values():
        assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("sequences", [[0, 1, 2], [7, 3, 5], [2**64 - 1, 0, 2**63]])
def test_sequences_may_begin_anywhere_have_gaps_and_go_back(connect, sequences):
    provider = connect(PROVIDER).provide(3)
    client = connect(CLIENT)
    for sequence in sequences:
        client.send(BINARY, envelope(sequence, REQUEST, "Task.Wasip1.Request", wasip1((2, str(sequence)))))
    for task in reversed([provider.task() for _ in sequences]):
        provider.answer(task, "Task.Wasip1.Response", pack((3, pack((1, 0), (2, unpack(task.payload[3][0])[2][0])))))
    got = {}
    for _ in sequences:
        answer = client.next()
        got[answer.sequence] = int(unpack(answer.payload[3][0])[2][0])
    assert got == {sequence: sequence for sequence in sequences}


@pytest.mark.parametrize("prefix", ["wasimoff/", "type.googleapis.com/", "", "any/where/"])
def test_only_what_follows_the_last_slash_of_a_type_counts(connect, prefix):
    """From clients and from providers, in protobuf; answers always have wasimoff/."""
    provider = connect(PROVIDER)
    provider.send(BINARY, envelope(0, EVENT, "Event.ProviderResources", pack((1, 1)), prefix))
    listing = provider.next()
    provider.send(BINARY, envelope(listing.sequence, RESPONSE, "Filesystem.Listing.Response", b"", prefix))
    client = connect(CLIENT)
    client.send(BINARY, envelope(3, REQUEST, "Task.Wasip1.Request", wasip1(), prefix))
    task = provider.task()
    assert task.url == "wasimoff/wasimoff.v1.Task.Wasip1.Request"
    provider.send(BINARY, envelope(task.sequence, RESPONSE, "Task.Wasip1.Response", pack((3, pack((1, 4)))), prefix))
    answer = client.next()
    assert answer.url == "wasimoff/wasimoff.v1.Task.Wasip1.Response" and unpack(answer.payload[3][0])[1] == [4]


def test_a_call_that_failed_has_an_error_and_no_payload(connect):
    client = connect(CLIENT)
    client.send(BINARY, envelope(11, REQUEST, "Task.Wasip1.Request", pack((3, pack((1, pack((1, "nowhere"))))))))
    answer = client.next()
    assert (answer.sequence, answer.kind, answer.payload) == (11, RESPONSE, None) and "file not found: nowhere" in answer.error


@pytest.mark.parametrize("kind", [REQUEST, EVENT, RESPONSE])
def test_unknown_payloads_end_no_connection(connect, kind):
    provider = connect(PROVIDER).provide()
    provider.send(BINARY, envelope(4711, kind, "Nonsense", b"\x08\1"))
    client = connect(CLIENT)
    client.send(BINARY, envelope(4711, kind, "Nonsense", b"\x08\1"))
    if kind == REQUEST:
        assert "Nonsense" in client.next().error
        assert provider.next(but=("Event.ClusterInfo", "Event.Throughput")).error
    client.send(BINARY, envelope(1, REQUEST, "Task.Wasip1.Request", wasip1()))
    provider.answer(provider.task(), "Task.Wasip1.Response", pack((3, pack((1, 0)))))
    assert client.next().sequence == 1


@pytest.mark.parametrize("text", [
    '{"sequence":"5","type":"Request","payload":{"@type":"wasimoff/wasimoff.v1.Task.Wasip1.Request","params":{"binary":{"ref":"page"}}}}',
    '{"payload":{"params":{"binary":{"ref":"page"}},"@type":"wasimoff.v1.Task.Wasip1.Request"},"type":1,"sequence":5}',
    '{"sequence":5,"type":"Request","payload":{"qos":{"priority":false},"@type":"x/wasimoff.v1.Task.Wasip1.Request",'
    '"params":{"binary":{"ref":"page"},"stdin":""}}}',
])
def test_json_has_texts_for_long_numbers_and_takes_numbers(connect, text):
    """`@type` may stand anywhere, an enumeration may be its number, 64-bit fields may be numbers."""
    provider = connect(PROVIDER).provide()
    client = connect(CLIENT, (JSON,))
    client.send(TEXT, text.encode())
    provider.answer(provider.task(), "Task.Wasip1.Response", pack((3, pack((1, 0), (2, b"\xff\0")))))
    opcode, answer = client.receive()
    answer = json.loads(answer)
    assert opcode == TEXT and answer["sequence"] == "5" and answer["type"] == "Response" and "error" not in answer
    assert answer["payload"]["@type"] == "wasimoff/wasimoff.v1.Task.Wasip1.Response"
    assert answer["payload"]["ok"] == {"status": 0, "stdout": "/wA="}, "zero is written, what is absent left out, bytes are base64"


def test_an_empty_message_in_json_is_its_type_alone(connect):
    provider = connect(PROVIDER, (JSON,))
    assert json.loads(provider.receive()[1]) == {
        "sequence": "1", "type": "Request", "payload": {"@type": "wasimoff/wasimoff.v1.Filesystem.Listing.Request"}}


def test_a_task_that_came_in_json_reaches_a_provider_in_protobuf_without_a_trace_that_nobody_asked_for(connect, broker, clients):
    provider = connect(PROVIDER).provide()
    answer = clients.submit(broker.run, params={"binary": {"ref": "page"}, "stdin": ""})
    task = provider.task()
    assert 5 not in unpack(task.payload[1][0]), "no trace was asked for"
    assert unpack(task.payload[3][0])[4] == [b""], "an empty input is there, and not absent"
    provider.answer(task, "Task.Wasip1.Response", pack((3, pack((1, 0)))))
    told = answer.result()[1]
    assert "trace" not in told["info"] and told["ok"] == {"status": 0}


# --- garbage

def test_bytes_that_are_no_messages_end_their_own_connection(connect, broker):
    """Lengths that lie, endless varints, groups, nesting: each ends its connection or nothing."""
    deep = b""
    for _ in range(200):
        deep = pack((4, deep))
    for path in (CLIENT, PROVIDER):
        for data in (b"\x22\xff\xff\xff\xff\x0f", b"\x80" * 40, b"\x0b\x0b\x0b", b"\x08", deep, pack((2, 1)), pack((1, 1), (2, 77)),
                     pack((1, 1), (2, 1), (4, b"\xff\xff")), pack((1, 1), (2, 1), (4, pack((1, "wasimoff/"))))):
            peer = connect(path)
            peer.send(BINARY, data)
            peer.send(CLOSE, b"\x03\xe8")
            assert peer.closed()[0] in (1000, 1011)
    assert broker.request("/healthz")[2] == b"OK\n"


def test_an_unmasked_frame_is_a_breach_of_the_protocol(broker, connect):
    peer = connect(CLIENT)
    peer.socket.sendall(b"\x82\x02\x08\x01")  # RFC 6455 section 5.1
    assert peer.closed()[0] == 1002
    assert broker.request("/healthz")[0] == 200
