"""The broker under 100 providers that compute nothing, on loopback; no other broker is to be had in Debian or npm."""
import json
import os
import re
import subprocess
import time
import urllib.request

import providers
from servers import Processes, free_port, program

PROVIDERS, SLOTS = 100, 4
PAGE = b"\0asm\1\0\0\0"  # the smallest module there is


class Broker(Processes):
    def __init__(self, folder, *options):
        self.port = free_port()
        self.log = open(folder / "broker.log", "wb")
        self.process = subprocess.Popen([program, "broker", "--listen", f"127.0.0.1:{self.port}", "--metrics", *map(str, options)], cwd=folder,
                                        stdout=self.log, stderr=self.log)
        super().__init__(self.process.pid)
        deadline = time.monotonic() + 10
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=1).read()
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the broker does not start") from None
                time.sleep(0.05)
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/api/storage/upload?name=nothing", data=PAGE, method="POST",
                                         headers={"Content-Type": "application/wasm"})
        self.ref = re.search(r"sha256:[0-9a-f]{64}", urllib.request.urlopen(request, timeout=5).read().decode())[0]

    def upload(self, file, name):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/api/storage/upload?name={name}", data=file.read_bytes(),
                                         method="POST")
        return re.search(r"sha256:[0-9a-f]{64}", urllib.request.urlopen(request, timeout=5).read().decode())[0]

    def until_metric(self, line, seconds=60):
        deadline = time.monotonic() + seconds
        while line not in urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5).read().decode():
            if time.monotonic() > deadline:
                raise RuntimeError(f"no {line} on /metrics")
            time.sleep(0.1)

    def load(self, seconds, rate=None, providers=PROVIDERS, slots=SLOTS, ref=None, submits_at=None):
        """What broker_load tells, and this broker's CPU per task in microseconds."""
        # Else the broker, woken, often waits behind the generator, which never sleeps when it works by the clock.
        command = ["taskset", "-c", str(os.cpu_count() - 1), program.parent / "bench" / "broker_load", "127.0.0.1",
                   f"{self.port},{(submits_at or self).port}", ref or self.ref, str(providers), str(slots), str(seconds),
                   *([str(rate)] if rate else [])]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
            if running.stdout.readline() != "ready\n":
                raise RuntimeError("broker_load: no provider got through")
            before = self.cpu()
            running.stdin.write("\n")
            running.stdin.flush()
            told = json.loads(running.stdout.readline())
            told["cpu"] = (self.cpu() - before) / max(told["tasks"], 1) * 1e6
        return told

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()


RATE = 15000  # tasks a second, half of what is to be reached


def waiting_providers(folder, count=1000):
    """What providers cost that have nothing to do: KiB of one, and percent of a core for all of them."""
    broker = Broker(folder)
    try:
        time.sleep(1)
        empty = broker.memory("Pss_Anon")
        command = [program.parent / "bench" / "broker_load", "127.0.0.1", str(broker.port), broker.ref, str(count), "1", "0.1", "1"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as waiting:
            if waiting.stdout.readline() != "ready\n":
                raise RuntimeError("broker_load: no provider got through")
            time.sleep(2)  # until they have been told of each other
            memory, before = broker.memory("Pss_Anon"), broker.cpu()
            time.sleep(10)  # each is asked twice whether it is there
            idle = (broker.cpu() - before) / 10 * 100
            waiting.communicate("\n")
    finally:
        broker.stop()
    return (memory - empty) * 1024 / count, idle


def shared(folder, seconds):
    """Loads a broker that shares its queue, and one all of whose tasks run at the other."""
    path = folder / "redis.sock"
    redis = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", folder],
                             stdout=subprocess.DEVNULL)
    brokers = []
    try:
        for name in ("one", "other"):
            (folder / name).mkdir()
            brokers.append(Broker(folder / name, "--redis", f"unix://{path}"))
        one, other = brokers
        for broker in brokers:
            broker.until_metric("wasimoff_sharing 1")
        return one.load(seconds), other.load(seconds, submits_at=one)
    finally:
        for broker in brokers:
            broker.stop()
        redis.kill()
        redis.wait()


def measure(folder, options, row, say):
    seconds = 3 if options.quick else 10
    broker = Broker(folder)
    try:
        most = broker.load(seconds)
        half = broker.load(seconds, rate=RATE)
    finally:
        broker.stop()
    rate = most["tasks"] / most["seconds"]
    memory, idle = waiting_providers(folder)
    say(f"    flat out: {most}")
    say(f"    half: {half}")
    failed = most["failed"] + most["lost"] + half["failed"] + half["lost"]
    row(f"tasks through {PROVIDERS} providers", "/s", rate, goal=">= 30000/s", met=rate >= 30000, note=f"{failed} failed or lost")
    row("CPU of a task", "µs", most["cpu"], goal="<= 25 µs", met=most["cpu"] <= 25)
    row(f"99th percentile at {RATE} tasks/s", "ms", half["p99"], goal="<= 5 ms", met=half["p99"] <= 5,
        note=f"median {half['p50']} ms")
    row("memory of an idle provider", "KiB", memory, goal="<= 2 KiB", met=memory <= 2)
    row("1000 idle providers, CPU", "%", idle, goal="<= 1 %", met=idle <= 1)
    alone, apart = shared(folder, seconds)
    row("one of two brokers that share a Redis, its own providers", "/s", alone["tasks"] / alone["seconds"],
        note=f"p99 {alone['p99']} ms")
    row("submitted at one, run at the other", "/s", apart["tasks"] / apart["seconds"], note=f"p99 {apart['p99']} ms")
    providers.measure(Broker, folder, seconds, row, say)
