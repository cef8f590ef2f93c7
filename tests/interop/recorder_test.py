"""Recording: captures that tshark reads, and files of sound that ffmpeg reads, of calls through the relay."""
import math
import os
import signal
import sqlite3
import struct
import subprocess
import threading
import time
import wave

import pytest
from coded import CODECS, amplitude, payloads_of
from exchange import program, wait_for
from relaying import a, b  # noqa: F401
from relaying import Call, End, Refused, Relay, sections
from recording import Recorder, Talk, level_db, onset, pcm, pure
from relay_srtp_test import plain_to_secure, Secure

SECONDS = 3


@pytest.fixture
def spool(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def recording_relay(spool, *options, method="proc"):
    return Relay(options=[f"--recording-dir={spool}", f"--recording-method={method}", *options])


def talk(call, seconds=SECONDS, a_hertz=440, b_hertz=1000, a_seal=None, b_seal=None, **options):
    """Both send a tone at once, in time; packets as they are, or sealed."""
    one = Talk(call.a, call.at_a[0].at, a_hertz, seconds, seal=a_seal, **options)
    other = Talk(call.b, call.at_b[0].at, b_hertz, seconds, seal=b_seal, **options)
    one.start(), other.start()
    one.join(), other.join()


def files_of(folder, ending=".wav"):
    return sorted(path for path in folder.rglob(f"*{ending}") if not path.name.startswith("."))


def wait_for_files(folder, count, ending=".wav", what="recorded files"):
    wait_for(lambda: len(files_of(folder, ending)) >= count, what=what, timeout=15)
    return files_of(folder, ending)


def test_a_call_between_a_plain_and_a_secure_phone_becomes_one_file_with_both_voices(spool, out, a, b):
    with recording_relay(spool) as relay, Recorder(spool, out, "--output-mixed", "--mix-method=channels") as recorder:
        call, keys = plain_to_secure(relay, a, b, "AES_CM_128_HMAC_SHA1_80")
        relay.ng.call("start recording", call_id=call.id, metadata="customer:12|queue:sales")
        talk(call, b_seal=keys.sending.protect)
        call.delete()
        (path,) = wait_for_files(out, 1)
        rate, (left, right) = pcm(path)
        assert rate == 8000
        for samples, hertz in ((left, 440), (right, 1000)):
            assert pure(samples, hertz, rate), f"{hertz} Hz is not all that is heard, or has gaps"
            assert abs(level_db(samples) - Talk.LEVEL_DB) < 1
            assert abs(len(samples) / rate - SECONDS) < 0.06
        assert abs(onset(left) - onset(right)) / rate < 0.04
        wait_for(lambda: not list(spool.iterdir()), what="an empty spool")
        rows = sqlite3.connect(out / "recordings.sqlite").execute(
            "SELECT call_id, status, full_filename, output_type, channels, value FROM recording_calls JOIN recording_streams"
            " ON recording_streams.call = recording_calls.id JOIN recording_metakeys ON recording_metakeys.call ="
            " recording_calls.id WHERE key = 'customer'").fetchall()
        assert rows == [(call.id, "completed", str(path), "mixed", 2, "12")]
        assert not recorder.troubles()


def test_single_files_and_a_mix_are_made_when_nothing_else_is_asked_for(spool, out, a, b):
    with recording_relay(spool) as relay, Recorder(spool, out):
        call = Call(relay, a, b, offer={"record_call": "on"})
        talk(call)
        call.delete()
        paths = wait_for_files(out, 3)
        kinds = {path.stem.rsplit("-", 1)[1]: path for path in paths}
        assert set(kinds) == {"mix", f"{a.ssrc:08x}", f"{b.ssrc:08x}"}
        for end, hertz in ((a, 440), (b, 1000)):
            rate, (samples,) = pcm(kinds[f"{end.ssrc:08x}"])
            assert pure(samples, hertz, rate) and abs(level_db(samples) - Talk.LEVEL_DB) < 1
        rate, (mix,) = pcm(kinds["mix"])
        assert pure(mix, 440, rate, others=[1000]) and pure(mix, 1000, rate, others=[440])


@pytest.mark.parametrize("name", ["G722", "opus", "GSM"])
def test_a_voice_in_another_codec_is_recorded_too(spool, out, a, b, tmp_path, name):
    kind, rtpmap, clock, own_rate, _ = CODECS[name]
    frames = payloads_of(name, 440, tmp_path, length=SECONDS)
    sdp = dict(formats=str(kind), lines=[f"a=rtpmap:{kind} {rtpmap}"])
    with recording_relay(spool) as relay, Recorder(spool, out, "--output-mixed") as recorder:
        call = Call(relay, a, b, offer_sdp=a.sdp(**sdp), answer_sdp=lambda _: b.sdp(**sdp))
        relay.ng.call("start recording", call_id=call.id)
        begun = time.monotonic()
        for number, frame in enumerate(frames):
            time.sleep(max(0, begun + number * 0.02 - time.monotonic()))
            packet = bytearray(a.packet(frame, kind))
            packet[4:8] = struct.pack("!I", number * clock // 50)
            a.send(call.at_a[0].at, bytes(packet))
        call.delete()
        (path,) = wait_for_files(out, 1)
        rate, (samples,) = pcm(path)
        assert rate == own_rate
        middle = samples[rate // 2:-rate // 2]
        # The tune is an eighth of full scale, as ffmpeg makes it.
        assert abs(20 * math.log10(amplitude(middle, rate, 440) / 4096)) < 1
        assert abs(len(samples) / rate - SECONDS) < 0.1
        assert not recorder.troubles()


def test_mp3_has_the_same_voices(spool, out, a, b):
    with recording_relay(spool) as relay, Recorder(spool, out, "--output-mixed", "--output-format=mp3"):
        call = Call(relay, a, b, offer={"flags": ["record call"]})
        talk(call)
        call.delete()
        (path,) = wait_for_files(out, 1, ".mp3")
        rate, (mix,) = pcm(path)
        assert abs(len(mix) / rate - SECONDS) < 0.3
        mix = mix[rate // 5:]  # the encoder begins with silence of its own
        assert pure(mix, 440, rate, others=[1000]) and pure(mix, 1000, rate, others=[440])


def capture_rows(path, *fields):
    done = subprocess.run(["tshark", "-r", str(path), "-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
                           "-o", "rtp.heuristic_rtp:TRUE", "-T", "fields",
                           *[word for field in fields for word in ("-e", field)]], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.mark.parametrize("form", ["raw", "eth"])
def test_a_capture_has_the_decrypted_packets_and_its_text_the_descriptions(form, spool, a, b):
    with recording_relay(spool, f"--recording-format={form}", method="pcap") as relay:
        call, keys = plain_to_secure(relay, a, b, "AEAD_AES_256_GCM")
        relay.ng.call("start recording", call_id=call.id, metadata="note")
        relay.ng.call("offer", call_id=call.id, from_tag="from", to_tag="to", sdp=a.sdp())
        sent = []
        for _ in range(10):
            for end, at, seal in ((a, call.at_a[0].at, bytes), (b, call.at_b[0].at, keys.sending.protect)):
                packet = end.packet(payload=os.urandom(160))
                sent.append((str(end.port), str(at[1]), packet[12:].hex()))
                end.send(at, seal(packet))
                time.sleep(0.005)
        call.delete()
        (path,) = (spool / "pcaps").iterdir()
        assert path.name.startswith(f"{call.id}-") and path.suffix == ".pcap"
        wait_for(lambda: list((spool / "metadata").glob("*.txt")), what="the text")
        (text,) = (spool / "metadata").glob("*.txt")
        rows = capture_rows(path, "udp.srcport", "udp.dstport", "udp.payload", "udp.checksum.status", "frame.protocols")
        assert [(source, to, payload[24:]) for source, to, payload, *_ in rows] == sent
        assert {status for *_, status, _ in rows} == {"1"}
        assert all(protocols.startswith("eth:" if form == "eth" else "raw:ip") for *_, protocols in rows)
        told = text.read_text()
        assert told.startswith(f"{path}\n") and "SDP mode: offer" in told and "note" in told
        assert "call start time: " in told and "call end time: " in told and f"m=audio {a.port} " in told


def test_pause_leaves_silence_and_stop_ends_the_file(spool, out, a, b):
    with recording_relay(spool) as relay, Recorder(spool, out, "--output-mixed"):
        call = Call(relay, a, b)
        talk(call, seconds=0.5)  # before
        relay.ng.call("start recording", call_id=call.id)
        talk(call, seconds=1)
        relay.ng.call("pause recording", call_id=call.id)
        talk(call, seconds=1, a_hertz=2000, b_hertz=2000)
        relay.ng.call("start recording", call_id=call.id)
        talk(call, seconds=1)
        relay.ng.call("stop recording", call_id=call.id)
        (path,) = wait_for_files(out, 1)
        rate, (mix,) = pcm(path)
        assert 2.9 < len(mix) / rate < 3.2
        middle = mix[int(1.2 * rate):int(1.8 * rate)]
        assert max(map(abs, middle)) < 50, "what was said while it paused is heard"
        talk(call, seconds=0.3)
        assert relay.ng.call("start recording", call_id=call.id)["result"] == "ok"
        talk(call, seconds=0.5)
        call.delete()
        assert len(wait_for_files(out, 2)) == 2


def test_a_recorder_that_is_killed_and_started_again_makes_the_whole_file(spool, out, a, b):
    with recording_relay(spool) as relay:
        first = Recorder(spool, out, "--output-mixed")
        call = Call(relay, a, b, offer={"record_call": "on"})
        killer = threading.Timer(3, lambda: first.process.send_signal(signal.SIGKILL))
        killer.start()
        talk(call, seconds=6)
        killer.join()
        assert first.process.wait() == -signal.SIGKILL
        (part,) = out.glob(".*.part")
        rate, (samples,) = pcm(part)  # what there is, is whole as it is
        assert 1.9 < len(samples) / rate <= 3.1 and pure(samples, 440, rate, others=[1000])
        with Recorder(spool, out, "--output-mixed"):
            call.delete()
            (path,) = wait_for_files(out, 1)
        rate, (samples,) = pcm(path)
        assert abs(len(samples) / rate - 6) < 0.06 and pure(samples, 440, rate, others=[1000])
        assert not list(out.glob(".*.part"))


def test_a_relay_that_is_killed_leaves_all_but_the_last_moment(spool, out, a, b):
    relay = recording_relay(spool)
    with Recorder(spool, out, "--output-mixed") as recorder:
        call = Call(relay, a, b, offer={"record_call": "on"})
        talk(call, seconds=2)
        relay.process.kill()
        relay.process.wait()
        (path,) = wait_for_files(out, 1)
        rate, (samples,) = pcm(path)
        assert 1 < len(samples) / rate <= 2.1 and pure(samples, 440, rate, others=[1000])
        assert "the relay ended without saying so" in recorder.output()
        assert sqlite3.connect(out / "recordings.sqlite").execute("SELECT status FROM recording_calls").fetchall() == [
            ("incomplete",)]
    relay.ng.close()
    relay.folder.cleanup()


def test_packets_out_of_order_late_and_lost_move_nothing(spool, out, a, b):
    with recording_relay(spool) as relay, Recorder(spool, out, "--output-mixed", "--mix-method=channels") as recorder:
        call = Call(relay, a, b, offer={"record_call": "on"})
        talk(call, seconds=4, shuffle=7, lose=50)
        call.delete()
        (path,) = wait_for_files(out, 1)
        rate, (left, right) = pcm(path)
        assert abs(len(left) / rate - 4) < 0.1
        # One of fifty is missing and concealed: the tone stays, in phase with itself.
        assert pure(left, 440, rate, share=0.9) and pure(right, 1000, rate, share=0.85)
        assert abs(level_db(left) - Talk.LEVEL_DB) < 1
        assert not recorder.troubles()


def test_a_full_disk_is_told_and_nothing_is_lost_when_it_has_room_again(spool, tmp_path, a, b):
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"]).returncode != 0:
        pytest.skip("no namespaces")
    out = tmp_path / "small"
    out.mkdir()
    # A file system of 64 KiB, in a namespace of its own; a file fills most of it until it is told to go.
    script = (f"mount -t tmpfs -o size=64k none {out} && head -c 20000 /dev/zero > {out}/ballast && "
              f"(while [ ! -e {spool}/room ]; do sleep 0.1; done; mount -o remount,size=4m {out}; rm {out}/ballast) & "
              f"sleep 0.3; exec {program} recorder --config-file=none --spool-dir={spool} --output-dir={out} --output-mixed "
              f"--database=none --notify-command={tmp_path}/keep")
    (tmp_path / "keep").write_text(f"#!/bin/sh\ncp \"$1\" {tmp_path}/kept.wav\n")
    (tmp_path / "keep").chmod(0o755)
    spool.mkdir()
    with recording_relay(spool) as relay:
        log = open(tmp_path / "log", "wb")
        process = subprocess.Popen(["unshare", "-m", "sh", "-c", script], stdout=log, stderr=log)
        try:
            time.sleep(0.6)
            call = Call(relay, a, b, offer={"record_call": "on"})
            talk(call, seconds=5)  # 80 KB
            wait_for(lambda: "waits: No space left" in (tmp_path / "log").read_text(), what="the complaint")
            call.delete()
            (spool / "room").touch()
            wait_for(lambda: (tmp_path / "kept.wav").exists(), what="the recording", timeout=20)
            time.sleep(0.2)
            rate, (samples,) = pcm(tmp_path / "kept.wav")
            assert abs(len(samples) / rate - 5) < 0.06 and pure(samples, 440, rate, others=[1000])
            assert "nothing was lost" in (tmp_path / "log").read_text()
        finally:
            process.terminate()
            process.wait()


def test_without_a_directory_recording_is_refused_and_calls_go_on(a, b):
    with Relay() as relay:
        call = Call(relay, a, b, offer={"record_call": "on"})
        call.pass_both_ways()
        with pytest.raises(Refused, match="recording-dir is not set"):
            relay.ng.call("start recording", call_id=call.id)


def test_names_follow_the_pattern_and_stay_in_their_folder(spool, out, a, b):
    with recording_relay(spool) as relay, Recorder(spool, out, "--output-mixed", "--output-pattern=%{customer}/%4-%t-%Y",
                                                   "--output-chmod=0640"):
        call = Call(relay, a, b)
        relay.ng.call("start recording", call_id=call.id, metadata="customer:../../../etc|x:y")
        relay.ng.call("start recording", call_id=call.id, recording_dir="../../elsewhere")
        talk(call, seconds=0.5)
        call.delete()
        (path,) = wait_for_files(out, 1)
        assert path == out / ".._.._.._etc" / f"{call.id[:4]}-mix-{time.gmtime().tm_year}.wav" or path.parent.parent == out
        assert path.stat().st_mode & 0o777 == 0o640


def test_whoever_wants_to_know_is_told_of_each_file(spool, out, tmp_path, a, b):
    import http.server
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append((dict(self.headers), self.rfile.read(int(self.headers.get("Content-Length", 0)))))
            self.send_response(500 if len(asked) == 1 else 200)
            self.end_headers()

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    command = tmp_path / "told"
    command.write_text(f"#!/bin/sh\necho \"$1 $2 $RECORDING_OUTPUT_TYPE\" >> {tmp_path}/told.txt\n")
    command.chmod(0o755)
    with recording_relay(spool) as relay, Recorder(
            spool, out, "--output-mixed", f"--notify-uri=http://127.0.0.1:{server.server_port}/x", "--notify-record",
            "--notify-post", f"--notify-command={command}") as recorder:
        call = Call(relay, a, b, offer={"record_call": "on"})
        talk(call, seconds=0.5)
        call.delete()
        (path,) = wait_for_files(out, 1)
        sound = path.read_bytes()
        wait_for(lambda: len(asked) == 2, what="the second try", timeout=15)
        for headers, body in asked:
            assert headers["X-Recording-Call-ID"] == call.id and headers["X-Recording-Full-File-Name"] == str(path)
            assert body == sound
        assert (tmp_path / "told.txt").read_text() == f"{path} {call.id} mixed\n"
        assert "status 500" in recorder.output()
    server.shutdown()


def test_forwarded_packets_go_to_a_socket_without_being_recorded(spool, out, tmp_path, a, b):
    import socket
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "rtp"))
    listener.settimeout(5)
    tcp = socket.create_server(("127.0.0.1", 0))
    tcp.settimeout(5)
    with recording_relay(spool) as relay, Recorder(spool, out, f"--forward-to={tmp_path}/rtp",
                                                   f"--tcp-send-to=127.0.0.1:{tcp.getsockname()[1]}"):
        call = Call(relay, a, b)
        relay.ng.call("start forwarding", call_id=call.id, from_tag="from", flags=["directional"], metadata="who:a")
        talk(call, seconds=1)
        packet = listener.recv(4096)
        assert struct.unpack("!I", packet[8:12])[0] == a.ssrc
        connection = tcp.accept()[0]
        connection.settimeout(1)
        got = b""
        while len(got) < 8000:
            got += connection.recv(65536)
        head, _, sound = got.partition(b"\0")
        assert head == b"who:a"
        samples = struct.unpack(f"<{len(sound) // 2}h", sound[:len(sound) // 2 * 2])
        assert pure(samples, 440, 8000)
        relay.ng.call("stop forwarding", call_id=call.id, from_tag="from", flags=["directional"])
        wait_for(lambda: not list(spool.glob("*.meta")), what="the end of the feed")
        assert not files_of(out)
        call.delete()


def test_two_secure_phones_that_share_their_keys_are_recorded_in_the_clear(spool, out, a, b):
    caller, callee = Secure(tag=3), Secure()

    def answer(offered):
        callee.hear(sections(offered)[0].attributes("crypto")[0])
        callee.tag = 3
        return b.sdp(protocol="RTP/SAVP", lines=[callee.line])
    with recording_relay(spool, method="all") as relay, Recorder(spool, out, "--output-mixed", "--mix-method=channels") as recorder:
        call = Call(relay, a, b, offer_sdp=a.sdp(protocol="RTP/SAVP", lines=[caller.line]), answer_sdp=answer)
        assert "passthrough" in call.query()["tags"]["from"]["medias"][0]["flags"]
        relay.ng.call("start recording", call_id=call.id)
        talk(call, seconds=1, a_seal=caller.sending.protect, b_seal=callee.sending.protect)
        call.delete()
        (path,) = wait_for_files(out, 1)
        rate, (left, right) = pcm(path)
        assert pure(left, 440, rate) and pure(right, 1000, rate)
        (capture,) = (spool / "pcaps").iterdir()
        payloads = [bytes.fromhex(payload)[12:] for (payload,) in capture_rows(capture, "udp.payload")]
        sent = {Talk(end, None, hertz, 1).frame(number) for end, hertz in ((a, 440), (b, 1000)) for number in range(50)}
        assert len(payloads) > 90 and set(payloads) <= sent
        assert not recorder.troubles()


@pytest.mark.parametrize("option,count", [("--record-egress", 2), ("--record-both", 4)])
def test_what_is_sent_to_the_parties_is_recorded_by(option, count, spool, out, a, b):
    with recording_relay(spool, option) as relay, Recorder(spool, out):
        call = Call(relay, a, b, offer={"record_call": "on"})
        talk(call, seconds=1)
        call.delete()
        paths = wait_for_files(out, count + 1)
        assert len(paths) == count + 1
        rate, (mix,) = pcm(next(path for path in paths if path.stem.endswith("-mix")))
        assert pure(mix, 440, rate, others=[1000]) and pure(mix, 1000, rate, others=[440])


def test_three_parties_are_all_heard_and_one_that_is_excluded_is_not(spool, out, a, b):
    with recording_relay(spool) as relay, Recorder(spool, out, "--output-mixed") as recorder, End() as c, End() as d:
        first = Call(relay, a, b, offer={"record_call": "on"})
        second = Call(relay, c, d, answer={"flags": ["exclude recording"]})
        relay.ng.call("offer", call_id=first.id, from_tag="third", sdp=c.sdp(), flags=["new branch"])
        answered = relay.ng.call("answer", call_id=first.id, from_tag="third", to_tag="fourth", sdp=d.sdp(),
                                 flags=["exclude recording"])["sdp"]
        at_c = sections(answered)[0].at
        third = Talk(c, at_c, 2000, 2)
        third.start()
        talk(first, seconds=2)
        third.join()
        first.delete(), second.delete()
        relay.ng.call("delete", call_id=first.id, delete_delay=0, fatal=None)
        (path,) = wait_for_files(out, 1)
        rate, (mix,) = pcm(path)
        for hertz in (440, 1000, 2000):
            assert pure(mix, hertz, rate, others={440, 1000, 2000} - {hertz}), hertz
        assert not recorder.troubles()


def test_options_come_from_the_file_the_environment_and_the_command_line(spool, out, tmp_path):
    file = tmp_path / "recording.conf"
    file.write_text(f"[rtpengine-recording]\ntable = 42\nspool-dir = {spool}\noutput-dir = {tmp_path}/other\noutput-format = mp3\n"
                    "made-up = 1\nmysql-host = db\n")
    environment = dict(os.environ, RTPENGINE_RECORDING_OUTPUT_DIR=str(out), RTPENGINE_RECORDING_OUTPUT_FORMAT="oops")
    process = subprocess.Popen([program, "recorder", f"--config-file={file}", "--output-format=wav"], env=environment,
                               stderr=subprocess.PIPE, text=True)
    wait_for((out / "recordings.sqlite").exists, what="the database")
    time.sleep(0.2)
    process.terminate()
    log = process.communicate(timeout=10)[1]
    assert process.returncode == 0 and f"recording what comes to {spool}" in log and not (tmp_path / "other").exists()
    for name in ("'table'", "made-up", "'mysql-host'"):
        assert name in log
    for wrong, told in (("--output-fromat=wav", "Unknown option"), ("--output-format=ogg", "none of wav, mp3, none"),
                        ("--output-chmod=999", "octal"), ("--num-threads=x", "no number")):
        done = subprocess.run([program, "recorder", "--config-file=none", wrong], capture_output=True, text=True)
        assert done.returncode == 255 and told in done.stderr


def test_by_the_name_of_what_it_stands_in_for_it_is_the_recorder(tmp_path):
    (tmp_path / "rtpengine-recording").symlink_to(os.path.abspath(program))
    done = subprocess.run([tmp_path / "rtpengine-recording", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "--spool-dir" in done.stdout
