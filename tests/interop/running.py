"""An exchange under test: a configuration directory of its own, free ports, and what to ask of it."""
import pathlib
import random
import shutil
import socket

from exchange import Exchange, root, wait_for

TRANSPORTS = """\
[global]
type = global
user_agent = Strowger

[t_udp]
type = transport
protocol = udp
bind = {address}:{port}
local_net = 127.0.0.0/8

[t_tcp]
type = transport
protocol = tcp
bind = {address}:{port}
local_net = 127.0.0.0/8
"""

shipped = root / "etc"


def free_port(address="127.0.0.1"):
    """A port that is free for UDP and TCP alike."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind((address, 0))
            port = udp.getsockname()[1]
            try:
                tcp.bind((address, port))
                return port
            except OSError:
                continue


class Running(Exchange):
    """`files` maps names to texts ({port} and {address} are filled in); with `shipped` they are laid over etc/."""

    def __init__(self, folder, files, shipped=False, address="127.0.0.1", options=(), prefix=(), **fields):
        self.folder = pathlib.Path(folder)
        self.config = self.folder / "etc"
        self.address, self.port = address, free_port() if address == "127.0.0.1" else 5060
        self.server = f"{address}:{self.port}"
        self.fields = dict(address=address, port=self.port, **fields)
        self.options, self.prefix, self.shipped = options, prefix, shipped
        if shipped:
            shutil.copytree(root / "etc", self.config)
        else:
            self.config.mkdir(parents=True)
            self.write("pjsip.conf", TRANSPORTS + files.pop("objects", ""))
        first = random.randrange(20000, 60000, 200)  # not where another exchange on this machine looks first
        self.write("rtp.conf", f"[general]\nrtpstart = {first}\nrtpend = {first + 198}\nstrictrtp = no\n")
        for name, text in files.items():
            self.write(name, text)
        self.start()

    def start(self):
        super().__init__(self.config, self.folder / "state", bind=self.server if self.shipped else None,
                         options=["--recordings", str(self.folder), *self.options], prefix=self.prefix)

    def write(self, name, text):
        for key, value in self.fields.items():
            text = text.replace("{" + key + "}", str(value))
        path = self.config / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def close(self):
        return self.stop() if not self.log.closed else 0

    def contacts(self):
        """{aor: [uri, ...]} as the exchange sees them."""
        found = {}
        for line in self.ask("pjsip show contacts").splitlines():
            words = line.split()
            if len(words) > 1 and words[0] == "Contact:" and not words[1].startswith("<"):
                aor, uri = words[1].split("/", 1)
                found.setdefault(aor, []).append(uri)
        return found

    def wait_registered(self, *names):
        wait_for(lambda: all(name in self.contacts() for name in names), what=f"{names} to register")

    def call(self, call_id="last"):
        return self.ask_json(f"call show {call_id} json")

    def wait_call(self, state, call_id="last", timeout=10):
        def reached():
            try:
                call = self.call(call_id)
            except (RuntimeError, ValueError):
                return None
            return call if call.get("state") == state else None

        return wait_for(reached, timeout, what=f"call {call_id} to be {state}")

    def channels(self):
        """How many channels there are now."""
        text = self.ask("core show channels")
        return next(int(line.split()[0]) for line in text.splitlines() if "active channel" in line)

    def wait_idle(self, timeout=10):
        wait_for(lambda: self.channels() == 0, timeout, what="all channels to end")

    def said(self, text):
        return text in self.output()
