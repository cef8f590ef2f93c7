"""What no provider has room for runs in a function: an HTTP server that runs WebAssembly with Node's own WASI."""
import base64
import codecs
import concurrent.futures
import http.server
import json
import re
import subprocess
import threading
import time
import urllib.parse

import pytest
from broker import Broker, Stub, assemble, messages, until
from broker_test import HELLO

RUN = """
import { readFileSync } from "node:fs";
import { WASI } from "node:wasi";
const wasi = new WASI({ version: "preview1", args: process.argv.slice(3), returnOnExit: true });
const module = await WebAssembly.compile(readFileSync(process.argv[2]));
const instance = await WebAssembly.instantiate(module, { wasi_snapshot_preview1: wasi.wasiImport, wasi_unstable: wasi.wasiImport });
process.exitCode = wasi.start(instance);
"""
REQUEST, RESPONSE = "wasimoff.v1.Task.Wasip1.Request", "wasimoff.v1.Task.Wasip1.Response"


def protoc(way, kind, data):
    done = subprocess.run(["protoc", f"--{way}={kind}", "-I", messages, "wasimoff.proto"], input=data, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Function(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        cloud = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/token":
            return self.reply(*cloud.token(body.decode()))
        with cloud.lock:
            cloud.running += 1
            cloud.most = max(cloud.most, cloud.running)
            cloud.asked.append(self.headers)
        try:
            status, answer = cloud.status, b"no"
            if status == 200:
                time.sleep(cloud.takes)
                answer = cloud.run(body)
        finally:
            with cloud.lock:
                cloud.running -= 1
        self.reply(status, answer)

    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/proto")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Cloud(http.server.ThreadingHTTPServer):
    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Function)
        self.folder = folder
        self.lock = threading.Lock()
        self.asked, self.running, self.most, self.takes, self.status = [], 0, 0, 0, 200
        self.requests = []
        (folder / "run.mjs").write_text(RUN)
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def run(self, body):
        text = protoc("decode", REQUEST, body).decode()
        self.requests.append(text)
        program = self.folder / f"{threading.get_ident()}.wasm"
        program.write_bytes(codecs.escape_decode(re.search(r'binary {\s*blob: "(.*)"', text)[1])[0])
        args = [codecs.escape_decode(arg)[0].decode() for arg in re.findall(r'args: "(.*)"', text)]
        done = subprocess.run(["node", "--no-warnings", self.folder / "run.mjs", program, *args], capture_output=True)
        assert not done.stderr, done.stderr
        out = "".join(f"\\{byte:03o}" for byte in done.stdout)
        return protoc("encode", RESPONSE, f'ok {{ status: {done.returncode} stdout: "{out}" }}'.encode())

    def token(self, form):
        fields = urllib.parse.parse_qs(form)
        assert fields["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
        signed, _, signature = fields["assertion"][0].rpartition(".")
        (self.folder / "signature").write_bytes(base64.urlsafe_b64decode(signature + "=="))
        verified = subprocess.run(["openssl", "dgst", "-sha256", "-verify", self.folder / "public.pem", "-signature", self.folder / "signature"],
                                  input=signed.encode(), capture_output=True)
        if verified.returncode:
            return 401, b"{}"
        header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in signed.split("."))
        assert header == {"alg": "RS256", "typ": "JWT"}
        assert claims["iss"] == claims["sub"] == "broker@example.org" and claims["aud"] == self.url + "/token"
        assert claims["target_audience"] == self.url + "/run" and abs(claims["iat"] - time.time()) < 60 and claims["exp"] == claims["iat"] + 3600
        return 200, json.dumps({"id_token": "good.for.now"}).encode()


@pytest.fixture
def cloud(tmp_path):
    running = Cloud(tmp_path)
    yield running
    running.shutdown()


@pytest.fixture
def start(cloud, tmp_path):
    begun = []

    def begin(*options, environment=None):
        variables = {"WASIMOFF_CLOUD_FUNCTION": cloud.url + "/run", "WASIMOFF_CLOUD_CONCURRENCY": "3"}
        broker = Broker(tmp_path / "broker", "--metrics", "--quic-listen", "none", *options, environment={**variables, **(environment or {})})
        begun.append(broker)
        broker.upload(assemble(tmp_path, HELLO, "hello"), "hello")
        return broker
    yield begin
    for broker in begun:
        assert broker.stop() == 0


@pytest.fixture
def clients():
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        yield pool


def hello(broker, **more):
    return broker.run(params={"binary": {"ref": "hello"}, "args": ["hello"]}, **more)


def said(answer):
    return base64.b64decode(answer["ok"]["stdout"]).decode()


def test_without_a_provider_it_runs_there_with_its_files(start, cloud):
    broker = start()
    status, answer = hello(broker, info={"reference": "mine"})
    assert status == 200 and "ello" in said(answer)
    assert answer["info"]["provider"] == "cloud" and answer["info"]["reference"] == "mine"
    assert cloud.asked[0]["Content-Type"] == "application/proto" and cloud.asked[0]["Authorization"] is None
    assert "ref:" not in cloud.requests[0] and 'reference: "mine"' in cloud.requests[0]
    assert broker.metric('wasimoff_available_workers{type="cloud"}') == 3
    assert broker.metric('wasimoff_available_workers{type="providers"}') == 0
    assert broker.metric('wasimoff_tasks_completed_count{status="ok",target="cloud"}') == 1
    assert broker.metric("wasimoff_connected_providers") == 0


def test_providers_come_first_and_the_rest_goes_there(start, cloud, clients):
    broker = start()
    stub = Stub(broker)
    try:
        until(lambda: broker.metric("wasimoff_connected_providers") == 1)
        first = clients.submit(hello, broker)
        task = stub.task()
        assert said(hello(broker)[1]) and len(cloud.asked) == 1  # while the provider is busy
        stub.done(task, b"from the provider")
        assert said(first.result()[1]) == "from the provider"
    finally:
        stub.close()


def test_not_more_at_once_than_it_may(start, cloud, clients):
    cloud.takes = 0.3
    broker = start()
    answers = [clients.submit(hello, broker) for _ in range(9)]
    assert all(answer.result()[0] == 200 for answer in answers)
    assert cloud.most == 3 and len(cloud.asked) == 9


def test_who_goes_away_ends_the_call(start, cloud):
    cloud.takes = 30
    broker = start()
    client = subprocess.Popen(["curl", "-s", "-X", "POST", broker.url + "/api/client/run/hello"], stdout=subprocess.DEVNULL)
    until(lambda: cloud.running == 1)
    client.kill()
    client.wait()
    until(lambda: broker.metric("wasimoff_tasks_dispatching") == 0)
    cloud.takes = 0
    assert hello(broker)[0] == 200


def test_what_it_cannot_do_is_said_after_some_attempts(start, cloud):
    cloud.status = 422
    broker = start("--attempts", "3")
    status, answer = hello(broker)
    assert status == 503 and "gave up after 3 attempts: the cloud's function answers with status 422" in answer["message"]
    assert len(cloud.asked) == 3


def test_while_it_fails_it_is_left_alone_and_providers_do_the_work(start, cloud, clients):
    cloud.status = 500
    broker = start()
    answer = clients.submit(hello, broker)
    until(lambda: len(cloud.asked) == 1)
    assert broker.metric('wasimoff_available_workers{type="cloud"}') == 0
    stub = Stub(broker)
    try:
        stub.done(stub.task(), b"here")
        assert said(answer.result()[1]) == "here"
    finally:
        stub.close()
    cloud.status = 200
    assert "ello" in said(hello(broker)[1])  # a second later
    assert "asked again in 1 s" in broker.output()


def test_python_waits_for_a_provider(start, cloud):
    broker = start()
    body = json.dumps({"params": {"script": "1"}}).encode()
    status, _, _ = broker.request("/api/client/wasimoff.v1.Tasks/RunPyodide", body,
                                  headers={"Content-Type": "application/json", "Connect-Timeout-Ms": "500"})
    assert status == 504 and not cloud.asked


def test_it_shows_a_token_of_the_account(start, cloud, tmp_path):
    subprocess.run(["openssl", "genrsa", "-out", tmp_path / "key.pem", "2048"], check=True, capture_output=True)
    subprocess.run(["openssl", "rsa", "-in", tmp_path / "key.pem", "-pubout", "-out", tmp_path / "public.pem"], check=True, capture_output=True)
    (tmp_path / "account.json").write_text(json.dumps({
        "type": "service_account", "client_email": "broker@example.org", "private_key": (tmp_path / "key.pem").read_text(),
        "token_uri": cloud.url + "/token"}))
    broker = start("--cloud-credentials", tmp_path / "account.json")
    assert hello(broker)[0] == 200 and hello(broker)[0] == 200
    assert [headers["Authorization"] for headers in cloud.asked] == ["Bearer good.for.now"] * 2


@pytest.mark.parametrize("options, complaint", [
    (["--cloud-function", "ftp://somewhere"], "is no URL"),
    (["--cloud-function", "http://127.0.0.1:9/", "--cloud-credentials", "/nowhere"], "cloud credentials"),
    (["--cloud-concurrency", "0"], "cloud-concurrency"),
])
def test_what_makes_no_sense_is_refused(options, complaint):
    from exchange import program
    done = subprocess.run([program, "broker", "--listen", "127.0.0.1:0", "--quic-listen", "none", *options], capture_output=True, text=True, timeout=10)
    assert done.returncode != 0 and complaint in done.stderr + done.stdout
