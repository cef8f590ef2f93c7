"""A headless baresip that speaks from a file and writes down what it hears; for the demo and the tests."""
import json
import pathlib
import shutil
import socket
import subprocess
import time

from exchange import end

CONFIG = """\
sip_listen {address}:{port}
net_interface {address}
module_path {modules}
module account.so
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
module_app menu.so
module ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control}
audio_source aufile,{speech}
audio_player aubridge,{name}
audio_alert aubridge,{name}-alert
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
snd_path {folder}
rtp_ports {rtp}
jitter_buffer_type fixed
jitter_buffer_delay 2-10
call_local_timeout 120
call_max_calls 8
"""


def module_folder():
    listed = subprocess.run(["dpkg", "-L", "baresip-core"], capture_output=True, text=True).stdout.split()
    return next((str(pathlib.Path(f).parent) for f in listed if f.endswith("/g711.so")), "/usr/lib/baresip/modules")


def free_port(kind=socket.SOCK_STREAM, host="127.0.0.1"):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


class Phone:
    """`account` is what stands after the address in baresip's accounts file, e.g. ';answermode=auto'."""

    def __init__(self, folder, name, port, server, password, speech, account="", address="127.0.0.1", rtp="20000-20100",
                 transport="udp", prefix=(), more=""):
        self.name, self.folder = name, pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.control = free_port()
        (self.folder / "config").write_text(CONFIG.format(
            address=address, port=port, modules=module_folder(), control=self.control, speech=speech, name=name,
            folder=self.folder, rtp=rtp) + more)
        (self.folder / "accounts").write_text(
            f"<sip:{name}@{server};transport={transport}>;auth_user={name};auth_pass={password};regint=600;"
            f"audio_codecs=PCMU/8000,PCMA/8000{account}\n")
        (self.folder / "contacts").write_text("")
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen([*prefix, "baresip", "-f", str(self.folder), "-v"], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=subprocess.STDOUT)

    def command(self, name, parameters=""):
        """One command over baresip's TCP control interface (a netstring of JSON); returns its reply's text."""
        text = json.dumps({"command": name, "params": parameters, "token": "1"}).encode()
        deadline = time.monotonic() + 10
        while True:
            try:
                link = socket.create_connection(("127.0.0.1", self.control), timeout=10)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        with link:
            link.sendall(b"%d:%s," % (len(text), text))
            return link.recv(65536).decode(errors="replace")

    def heard(self):
        """The newest recording of what arrived, or None."""
        return max(self.folder.glob("dump-*-dec.wav"), key=lambda f: f.stat().st_mtime, default=None)

    def said(self):
        return max(self.folder.glob("dump-*-enc.wav"), key=lambda f: f.stat().st_mtime, default=None)

    def output(self):
        self.log.flush()
        return (self.folder / "log").read_text(errors="replace")

    def stop(self):
        end(self.process, patience=5)
        self.log.close()


def speak(text, path, voice="en", seconds=None, silence=0):
    """Synthesised speech as 8 kHz mono 16-bit WAV, cut or padded to `seconds`, then `silence` seconds of nothing."""
    raw = path.with_suffix(".raw.wav")
    subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "-w", raw, text], check=True, capture_output=True)
    effects = ["pad", "0.5", "0.5"]
    if seconds:
        effects = ["pad", "0.5", str(seconds), "trim", "0", str(seconds - 0.5), "pad", "0", str(silence + 0.5)]
    subprocess.run(["sox", raw, "-r", "8000", "-c", "1", "-b", "16", path, *effects], check=True, capture_output=True)
    raw.unlink()


def require(*programs):
    missing = [p for p in programs if not shutil.which(p)]
    if missing:
        raise SystemExit(f"missing: {', '.join(missing)} (tools/install-packages demo)")
