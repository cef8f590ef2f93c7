"""The relay beside Debian's rtpengine, in turns of one run: CPU of a packet and of a call, memory of a call, delay."""
import json
import os
import shutil
import statistics
import subprocess
import time

from servers import Processes, free_port, program

tool = program.parent / "bench" / "relay_load"
PORTS = (10000, 31999)
max_late = 5000  # us at the 99th percentile: a generator that falls behind sends bursts, which are cheap
STANDARD = "AES_CM_128_HMAC_SHA1_80"


class Relay(Processes):
    """One relay, on the first CPU; the load generator has the last."""

    def __init__(self, name):
        self.name, self.port = name, free_port()
        common = ["--config-file=none", "--table=-1", "--interface=127.0.0.1", f"--listen-ng=127.0.0.1:{self.port}",
                  f"--port-min={PORTS[0]}", f"--port-max={PORTS[1]}", "--log-level=4", "--delete-delay=0"]
        command = [str(program), "relay", "--num-threads=1"] if name == "strowger" else \
            ["rtpengine", "--foreground", "--log-stderr", "--num-threads=1"]
        self.process = subprocess.Popen(["taskset", "-c", "0", *command, *common], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        super().__init__(self.process.pid)
        self.address = f"127.0.0.1:{self.port}"
        for _ in range(50):
            time.sleep(0.1)
            if load("setup", self, 1).wait() == 0:
                return
        raise RuntimeError(f"{name} does not answer")

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def load(what, relay, *arguments):
    last = str(os.cpu_count() - 1)
    return subprocess.Popen(["taskset", "-c", last, str(tool), what, relay.address, *map(str, arguments)], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def packets(relay, streams, seconds, suite=None):
    """CPU of a packet in microseconds, and what the generator saw; refused when media was lost."""
    run = load("media", relay, streams, seconds, *([suite] if suite else []))
    if run.stdout.readline() != "ready\n":
        raise RuntimeError(f"{relay.name}: calls could not be set up")
    run.stdin.write("\n")
    run.stdin.flush()
    assert run.stdout.readline() == "begin\n"
    before = relay.cpu()
    assert run.stdout.readline() == "end\n"
    used = relay.cpu() - before
    seen = json.loads(run.stdout.readline())
    run.wait(30)
    lost = seen["sent"] - seen["received"]
    if seen["silent"] or seen["bad"] or lost > seen["sent"] / 1000 or seen["late99"] > max_late:
        raise RuntimeError(f"{relay.name}: {seen}")
    return used / seen["sent"] * 1e6, seen


def calls(relay, count, *how):
    before = relay.cpu()
    if load("setup", relay, count, *how).wait(120) != 0:
        raise RuntimeError(f"{relay.name}: calls failed")
    return (relay.cpu() - before) / count * 1e6


def memory_of_a_call(relay, count):
    empty = relay.memory()
    run = load("hold", relay, count)
    if run.stdout.readline() != "ready\n":
        raise RuntimeError(f"{relay.name}: {count} calls could not be held")
    full = relay.memory()
    run.stdin.write("\n")
    run.stdin.flush()
    run.wait(60)
    return (full - empty) * 1024 / count


def measure(options, row, say):
    """Every figure of both in turn, so that what disturbs the machine disturbs both."""
    if not shutil.which("rtpengine") or not tool.exists():
        say(f"    rtpengine (package rtpengine-daemon) or {tool} is missing")
        return
    seconds = 2 if options.quick else 4
    plans = [(f"RTP, {rate} kpps, CPU of a packet", rate * 20, None, goal) for rate, goal in ((20, 0.70), (60, 0.50), (150, 0.55))]
    plans += [(f"RTP to SRTP, {rate} kpps, CPU of a packet", rate * 20, STANDARD, goal)
              for rate, goal in ((20, 0.60), (60, 0.50), (150, 0.45))]
    plans += [("PCMA to PCMU, 20 kpps, CPU of a packet", 400, "codec=PCMU", 0.40),
              ("PCMA to opus, 2 kpps, CPU of a packet", 40, "codec=opus", 0.75)]
    relays = [Relay("strowger"), Relay("rtpengine")]
    try:
        count = 1000 if options.quick else 2000
        ours, peer = (memory_of_a_call(relay, count) for relay in relays)
        row("memory of a plain call", "kB", ours, peer, "<= 15 kB", ours <= 15)
        for what, streams, suite, goal in plans:
            cpu = {relay.name: [] for relay in relays}
            delay = {relay.name: [] for relay in relays}
            for number in range(options.rounds):
                for relay in relays if number % 2 else reversed(relays):
                    try:
                        used, seen = packets(relay, streams, seconds, suite)
                    except RuntimeError as error:
                        say(f"    refused: {error}")
                        continue
                    cpu[relay.name].append(used)
                    delay[relay.name].append(seen["p99"])
                    say(f"    {what}: {relay.name} {used:.2f} us, p50 {seen['p50']} us, p99 {seen['p99']} us")
            ours, peer = cpu["strowger"], cpu["rtpengine"]
            if ours and peer:
                row(what, "µs", statistics.median(ours), statistics.median(peer), f"<= {goal:.2f}",
                    statistics.median(ours) <= goal * statistics.median(peer), f"best {min(ours):.2f} and {min(peer):.2f}")
                ours, peer = (statistics.median(delay[name]) for name in ("strowger", "rtpengine"))
                if peer:  # what is transcoded does not tell when it was sent
                    row(what.split(", CPU")[0] + ", delay p99", "µs", ours, peer, "<= 1", ours <= peer)
        count = 500 if options.quick else 2000
        for what, how in (("one at a time", ()), ("16 at a time", (16,)), ("to a browser, 16 at a time", (16, "webrtc"))):
            both = [[], []]
            for number in range(options.rounds):
                for each in (0, 1) if number % 2 else (1, 0):
                    both[each].append(calls(relays[each], count, *how))
            ours, peer = (statistics.median(of) for of in both)
            row(f"call set up and deleted, {what}, CPU", "µs", ours, peer, "<= 0.50", ours <= 0.5 * peer)
    finally:
        for relay in relays:
            relay.stop()



