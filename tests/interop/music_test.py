"""Hold music of every kind, and MP3Player with the real mpg123."""
import os
import subprocess
import time

import pytest
from agent import Agent
from exchange import wait_for
from house import global_value, hang_up_all
from sound import compare, ulaw_of, write_ulaw

OBJECTS = """
[ann]
type = endpoint
context = house
disallow = all
allow = ulaw
aors = ann
[ann]
type = aor
max_contacts = 1
remove_existing = yes
"""

EXTENSIONS = """\
[house]
exten => twice,1,Answer()
 same => n,MusicOnHold(files,1.5)
 same => n,MusicOnHold(other,0.5)
 same => n,MusicOnHold(files,4)
 same => n,Hangup()
exten => mp3,1,Answer()
 same => n,MP3Player({sounds}/song.mp3)
 same => n,Set(GLOBAL(PLAYED)=to the end)
 same => n,Hangup()
exten => nothing,1,Answer()
 same => n,MP3Player({sounds}/none.mp3)
 same => n,Set(GLOBAL(PLAYED)=nothing)
 same => n,Hangup()
exten => _[a-z].,1,Answer()
 same => n,MusicOnHold(${EXTEN},6)
 same => n,Hangup()
"""

MUSIC = """\
[files]
mode = files
directory = {sounds}/files
[other]
mode = files
directory = {sounds}/still
[sorted]
mode = files
directory = {sounds}/order
sort = alpha
[custom]
mode = custom
directory = {sounds}/raw
application = sh {sounds}/radio "with a blank"
[coded]
mode = custom
application = cat {sounds}/song.ulaw
format = ulaw
[endless]
mode = custom
application = sh {sounds}/zeros
[broken]
mode = custom
application = {sounds}/there-is-no-such-program
"""


@pytest.fixture(scope="module")
def exchange(start, tmp_path_factory, speech):
    sounds = tmp_path_factory.mktemp("music")
    for name in ("files", "still", "order", "raw"):
        (sounds / name).mkdir()
    voice = ulaw_of(speech["a"])
    write_ulaw(sounds / "files" / "song.wav", voice)
    write_ulaw(sounds / "still" / "nothing.wav", b"\xff" * 8000)
    write_ulaw(sounds / "order" / "b.wav", voice[16000:])
    write_ulaw(sounds / "order" / "a.wav", voice[:16000])
    (sounds / "song.ulaw").write_bytes(voice)
    subprocess.run(["sox", speech["a"], "-t", "s16", "-r", "8000", "-c", "1", sounds / "raw" / "song.raw"], check=True)
    (sounds / "radio").write_text(f'echo "$$ $1" > {sounds}/radio.pid\nexec cat "$2"\n')
    (sounds / "zeros").write_text(f"echo $$ > {sounds}/endless.pid\nexec cat /dev/zero\n")
    subprocess.run(["lame", "--quiet", "-m", "m", speech["a"], sounds / "song.mp3"], check=True, capture_output=True)
    running = start({"objects": OBJECTS, "extensions.conf": EXTENSIONS, "musiconhold.conf": MUSIC}, sounds=sounds)
    running.sounds = sounds
    return running


@pytest.fixture
def ann(exchange):
    with Agent(exchange, "ann") as ann:
        assert ann.register(expires=300).status == 200
        yield ann
        hang_up_all(exchange, [ann])


def lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def listen(ann, number, seconds, path):
    call = ann.invite(number)
    call.answered()
    time.sleep(seconds)
    return call, call.rtp.heard_file(path)


@pytest.mark.parametrize("music", ["custom", "coded", "sorted"])
def test_music_comes_from_a_program_or_from_files_in_their_order(exchange, ann, speech, tmp_path, music):
    call, heard = listen(ann, music, 4.3, tmp_path / "heard.wav")
    assert compare(speech["a"], heard)["similarity"] > 0.9
    call.bye()


def test_a_program_gets_its_arguments_is_started_again_and_killed_in_the_end(exchange, ann):
    call = ann.invite("custom")
    call.answered()
    note = exchange.sounds / "radio.pid"
    pid, _, words = wait_for(lambda: note.exists() and note.read_text().strip(), what="the program").partition(" ")
    assert words == "with a blank"
    # The program empties its note before it writes it anew.
    wait_for(lambda: note.read_text().partition(" ")[0] not in ("", pid), timeout=10, what="the program to be started again")
    call.bye()
    exchange.wait_idle()


def test_a_program_that_never_ends_is_stopped_where_it_is_too_fast_and_killed_with_the_call(exchange, ann):
    call = ann.invite("endless")
    call.answered()
    pid = int(wait_for(lambda: (exchange.sounds / "endless.pid").exists() and (exchange.sounds / "endless.pid").read_text(),
                       what="the program"))

    def memory():
        with open(f"/proc/{exchange.process.pid}/statm") as file:
            return int(file.read().split()[1]) * 4096

    time.sleep(1)
    before = memory()
    time.sleep(2)
    assert memory() - before < 4 << 20, "sound that nobody hears yet piles up"
    assert call.rtp.voice_packets()
    assert lives(pid)
    call.bye()
    wait_for(lambda: not lives(pid), what="the program to end")


def test_a_program_that_is_not_there_leaves_the_call_in_silence(exchange, ann):
    call = ann.invite("broken")
    call.answered()
    time.sleep(1)
    assert exchange.channels() == 1
    call.bye()


def test_music_goes_on_where_it_was(exchange, ann, speech, tmp_path):
    call, heard = listen(ann, "twice", 5.3, tmp_path / "heard.wav")
    wait = 0.5 * 8000
    voice = ulaw_of(heard)
    # Half a second of the other class is cut out: the two parts are one song.
    pause = voice.find(b"\xff" * 2400, 8000)
    assert 10000 < pause < 14500, "one second and a half, then silence"
    joined = voice[:12000] + voice[12000 + int(wait):]
    assert compare(speech["a"], write_ulaw(tmp_path / "joined.wav", joined))["similarity"] > 0.9
    call.bye()


def test_mpg123_is_heard_to_its_end(exchange, ann, speech, tmp_path):
    call, heard = listen(ann, "mp3", 4.6, tmp_path / "heard.wav")
    assert compare(speech["a"], heard)["similarity"] > 0.85
    call.ended(timeout=3)
    assert global_value(exchange, "PLAYED") == "to the end"


def test_a_key_ends_it(exchange, ann):
    call = ann.invite("mp3")
    call.answered()
    time.sleep(0.8)
    call.rtp.press("5")
    call.ended(timeout=2)


def test_what_mpg123_cannot_play_is_passed_over(exchange, ann):
    call = ann.invite("nothing")
    call.answered()
    call.ended(timeout=4)
    assert global_value(exchange, "PLAYED") == "nothing"
