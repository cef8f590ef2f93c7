"""Proxies are told of calls that time out: XML-RPC, as Python's own server reads it."""
import threading
import xmlrpc.server

import pytest
from exchange import wait_for
from relaying import Call, Relay, a, b  # noqa: F401


class Proxy:
    def __init__(self):
        self.called = []
        self.server = xmlrpc.server.SimpleXMLRPCServer(("127.0.0.1", 0), logRequests=False)
        self.port = self.server.server_address[1]
        for name in ("di", "teardown", "dlg.terminate_dlg"):
            self.server.register_function(lambda *words, name=name: self.called.append((name, *words)) or "ok", name)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@pytest.mark.parametrize("style, expected", [
    (0, [("di", "sbc", "postControlCmd", "from", "teardown"), ("di", "sbc", "postControlCmd", "to", "teardown")]),
    (1, [("teardown", "ID")]),
    (2, [("dlg.terminate_dlg", "ID", "from", "to")]),
])
def test_a_call_without_media_is_ended_at_the_proxy(style, expected, a, b):
    with Proxy() as proxy, Relay(options=["--timeout=1", f"--b2b-url=http://%%:{proxy.port}/RPC2", f"--xmlrpc-format={style}"]) as relay:
        call = Call(relay, a, b)
        expected = [tuple(call.id if word == "ID" else word for word in words) for words in expected]
        wait_for(lambda: len(proxy.called) >= len(expected), what="the call-back")
        assert sorted(proxy.called) == sorted(expected)
        wait_for(lambda: call.id not in relay.ng.call("list")["calls"], what="the end of the call")


def test_a_call_that_is_deleted_is_nobodys_concern_and_the_address_may_be_another(a, b):
    with Proxy() as proxy, Relay(options=["--timeout=1", f"--b2b-url=http://%%:{proxy.port}/", "--xmlrpc-format=1"]) as relay:
        Call(relay, a, b).delete()
        call = Call(relay, a, b, offer={"xmlrpc_callback": "localhost"})
        wait_for(lambda: proxy.called, what="the call-back")
        assert proxy.called == [("teardown", call.id)]


def test_a_proxy_that_is_not_there_is_named_in_the_log(a, b):
    with Relay(options=["--timeout=1", "--b2b-url=http://127.0.0.1:1/RPC2"]) as relay:
        Call(relay, a, b)
        wait_for(lambda: "b2b-url: http://127.0.0.1:1/RPC2" in relay.output(), what="the complaint")
