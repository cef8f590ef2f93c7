"""The load: sipp with the scenarios of bench/sipp, the same for every server."""
import csv
import hashlib
import re
import socket
import subprocess
import time

from servers import PASSWORD, free_port, here, users


def authentication(name):
    return f"{name};[authentication username={name} password={PASSWORD}]\n"


class Sipp:
    """One run of a scenario; `wait` tells how it went."""

    def __init__(self, folder, scenario, port, arguments):
        folder.mkdir(parents=True, exist_ok=True)
        self.stats = folder / f"{scenario}-{time.monotonic_ns()}.csv"
        self.screen = open(folder / f"{scenario}.screen", "wb")
        self.process = subprocess.Popen(
            ["sipp", *arguments, "-sf", str(here / "sipp" / f"{scenario}.xml"), "-i", "127.0.0.1", "-p", str(port),
             "-nostdin", "-trace_stat", "-stf", str(self.stats), "-fd", "1", "-max_socket", "1000", "-buff_size", "4194304"],
            stdin=subprocess.DEVNULL, stdout=self.screen, stderr=self.screen, cwd=folder)

    def wait(self, timeout):
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.stop()
        return self.counts()

    def counts(self):
        try:
            with open(self.stats) as file:
                last = list(csv.DictReader(file, delimiter=";"))[-1]
        except (OSError, IndexError):
            return {"ok": 0, "failed": 0, "again": 0, "created": 0}
        number = lambda key: int(last.get(key) or 0)  # noqa: E731
        return {"ok": number("SuccessfulCall(C)"), "failed": number("FailedCall(C)"),
                "again": number("Retransmissions(C)"), "created": number("TotalCallCreated")}

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.screen.close()


def register(folder, server, accounts, count, rate, timeout=120):
    """`count` registrations by `accounts` phones in turn, which keep their address from one time to the next."""
    folder.mkdir(parents=True, exist_ok=True)
    phones = folder / "phones.csv"
    phones.write_text("SEQUENTIAL\n" + "".join(map(authentication, users(accounts))))
    if not hasattr(server, "phones_port"):
        server.phones_port = free_port()
    sipp = Sipp(folder, "register", server.phones_port,
                [f"127.0.0.1:{server.port}", "-inf", str(phones), "-r", str(rate), "-m", str(count), "-l", "5000"])
    return sipp.wait(timeout)


class Called:
    """The phone that is called: registered from the port on which sipp then answers."""

    def __init__(self, folder, server):
        self.port = free_port()
        register_one("called", self.port, server.port)
        self.sipp = Sipp(folder, "answer", self.port, ["-mp", str(free_port())])

    def stop(self):
        self.sipp.stop()


def register_one(name, port, server):
    """By hand, so that the port is free again for sipp at once."""
    md5 = lambda text: hashlib.md5(text.encode()).hexdigest()  # noqa: E731
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", port))
        phone.connect(("127.0.0.1", server))
        phone.settimeout(5)

        def ask(number, more=""):
            phone.send(f"REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};rport;branch=z9hG4bK{port}{number}\r\n"
                       f"Max-Forwards: 70\r\nFrom: <sip:{name}@127.0.0.1>;tag=1\r\nTo: <sip:{name}@127.0.0.1>\r\n"
                       f"Call-ID: {port}@bench\r\nCSeq: {number} REGISTER\r\nContact: <sip:{name}@127.0.0.1:{port}>\r\n"
                       f"Expires: 3600\r\n{more}Content-Length: 0\r\n\r\n".encode())
            return phone.recv(8192).decode()

        challenge = dict(re.findall(r'(realm|nonce)="([^"]*)"', ask(1)))
        ha1 = md5(f"{name}:{challenge['realm']}:{PASSWORD}")
        ha2 = md5("REGISTER:sip:127.0.0.1")
        response = md5(f"{ha1}:{challenge['nonce']}:00000001:bench:auth:{ha2}")
        reply = ask(2, f'Authorization: Digest username="{name}",realm="{challenge["realm"]}",nonce="{challenge["nonce"]}",'
                       f'uri="sip:127.0.0.1",response="{response}",algorithm=MD5,qop=auth,nc=00000001,cnonce="bench"\r\n')
        if not reply.startswith("SIP/2.0 200"):
            raise RuntimeError(f"{name} does not register: {reply.splitlines()[0]}")


def call(folder, server, accounts, count, rate, timeout, each_second=None):
    """`count` calls at `rate` from the phones in turn to the one that is called."""
    folder.mkdir(parents=True, exist_ok=True)
    phones = folder / "phones.csv"
    phones.write_text("SEQUENTIAL\n" + "".join(map(authentication, users(accounts))))
    sipp = Sipp(folder, "call", free_port(),
                [f"127.0.0.1:{server.port}", "-inf", str(phones), "-s", server.called(), "-r", str(rate), "-m", str(count),
                 "-l", "10000", "-mp", str(free_port())])
    deadline = time.monotonic() + timeout
    while sipp.process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
        if each_second:
            each_second(sipp)
    return sipp.wait(0.1)
