"""`strowger pbx --check`: what a directory names and does not have, each with its place and the nearest right word."""
import re
import subprocess

import pytest
from exchange import program, root


def check(folder, files, *options):
    """(status, complaints, the closing line)"""
    for name, text in files.items():
        path = folder / "etc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    done = subprocess.run([program, "pbx", "--check", "--config", str(folder / "etc"), "--state", str(folder / "state"), *options],
                          capture_output=True, text=True, timeout=30)
    *complaints, last = done.stdout.splitlines()
    return done.returncode, complaints, last


def test_the_shipped_configuration_is_clean():
    done = subprocess.run([program, "pbx", "--check", "--config", str(root / "etc")], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and "0 errors, 0 warnings" in done.stdout, done.stdout


def test_each_mistake_is_a_warning_with_its_place_and_refuses_nothing(tmp_path):
    sounds = tmp_path / "state" / "sounds" / "en"
    sounds.mkdir(parents=True)
    (sounds / "greeting.wav").write_bytes(b"x")
    status, complaints, last = check(tmp_path, {
        "extensions.conf": "[in]\n#include more.conf\nexten => 1,1,Answr()\n same => n,Set(a=${CALERID(num)})\n",
        "more.conf": "exten => 2,1,Goto(nowhere)\n same => n,Gosub(subb,s,1)\n same => n,Playback(greeting&greetin-gone)\n"
                     " same => n,MusicOnHold(jazz)\n[sub]\nexten => s,1,Return()\n",
        "pjsip.conf": "[t]\ntype=transport\nbind=127.0.0.1\n[a]\ntype=endpoint\ncontext=inn\nacl=homes\n"
                      "[i]\ntype=identify\nendpoint=aa\nmatch=192.0.2.1\n[homes-only]\ntype=acl\n",
    })
    assert status == 0
    assert "0 errors" in last
    assert sorted(complaints) == sorted([
        "extensions.conf:3: there is no application 'Answr'; a call that comes here ends (did you mean 'Answer'?)",
        "extensions.conf:4: there is no function 'CALERID' (did you mean 'CALLERID'?)",
        "more.conf:1: there is no label 'nowhere' in 2 of 'in'",
        "more.conf:2: there is no context 'subb' (did you mean 'sub'?)",
        "more.conf:3: the sound 'greetin-gone' is not found",
        "more.conf:4: there is no class of music 'jazz'; 'default' is played",
        "pjsip.conf:4: there is no acl 'homes'",
        "pjsip.conf:4: there is no context 'inn', which is the context of a; nothing can be reached there (did you mean 'in'?)",
        "pjsip.conf:8: there is no endpoint 'aa' (did you mean 'a'?)",
    ]), "\n".join(complaints)


def test_the_files_of_small_services_are_checked_with_the_others(tmp_path):
    status, complaints, _ = check(tmp_path, {
        "extensions.conf": "[in]\nexten => 1,1,Answer()\n", "pjsip.conf": "[t]\ntype=transport\nbind=127.0.0.1\n",
        "statsd.conf": "[general]\nenabled=yes\nserver=nowhere:x\nprefx=pbx\n",
        "ccss.conf": "[general]\ncc_max_requests=0\n",
    })
    assert status != 0
    text = "\n".join(complaints)
    assert "statsd.conf:3" in text and "statsd.conf:4" in text and "'prefix'" in text, text
    assert "ccss.conf:2" in text, text


@pytest.fixture(scope="module")
def exchange(start):
    return start({"extensions.conf": "[in]\nexten => 1,1,Answr()\n"})


def names(listing):
    return [line.split(":", 1)[0].strip() for line in listing.splitlines() if ":" in line]


def test_whatever_an_exchange_can_run_the_check_knows(exchange, tmp_path):
    applications, functions = names(exchange.ask("core show applications")), names(exchange.ask("core show functions"))
    assert len(applications) > 50 and len(functions) > 70
    lines = ["[all]", "exten => s,1,NoOp()"]
    lines += [f" same => n,{name}()" for name in applications if name not in ("Goto", "Gosub")]
    lines += [f" same => n,NoOp(${{{name}(x)}})" for name in functions]
    _, complaints, _ = check(tmp_path, {"extensions.conf": "\n".join(lines) + "\n"})
    assert not [c for c in complaints if "there is no" in c], "\n".join(complaints)


def test_a_running_exchange_tells_the_same_in_its_log(exchange):
    assert exchange.said("there is no application 'Answr'; a call that comes here ends (did you mean 'Answer'?)")


# What a directory of another exchange may hold, and this one has nothing for.
UNSUPPORTED = {
    "asterisk.conf": "[directories](!)\nastetcdir => /etc/asterisk\n[options]\nverbose = 3\nno_such_option = yes\n[compat]\npbx_realtime = 1.6\n",
    "modules.conf": "[modules]\nautoload = yes\nnoload => chan_sip.so\nload = app_voicemail.so\nrequire = chan_pjsip.so\n",
    "logger.conf": "[general]\ndateformat = %F %T\n[logfiles]\nsyslog.local0 = notice,warning,error,verbose(3)\nfull = [json]*,chatter\n",
    "pjsip.conf": "[global]\ntype = global\nendpoint_identifier_order = ip,username\nnew_in_22 = yes\n"
                  "[t]\ntype = transport\nprotocol = udp\nbind = 127.0.0.1\nmethod = tlsv1_2\n"
                  "[list]\ntype = resource_list\nevent = presence\n[pub]\ntype = outbound-publish\n[odd]\ntype = hologram\n[none]\nx = y\n"
                  "[a]\ntype = endpoint\ncontext = in\nwebrtc = yes\nt38_udptl = yes\nt38_udptl_ec = redundancy\nfax_detect = yes\n"
                  "stir_shaken = yes\nmailboxes = 1@default\nallow = !all,opus,g722,g729,ulaw,h264,silk16,codec2\n"
                  "dtls_auto_generate_cert = yes\nrtp_engine = asterisk\nfrobnicate = 7\n",
    "pjsip_wizard.conf": "[w](!)\ntype = wizard\nhas_phoneprov = yes\nphoneprov/MAC = 001122334455\n[p](w)\naccepts_registrations = yes\n"
                         "endpoint/context = in\nendpoint/frobnicate = 7\nspeaks = yes\n",
    "extensions.conf": "[general]\nstatic = yes\nnew_general = 1\n[in]\nswitch => Realtime/@\nlswitch => DUNDi/x\nignorepat => 9\n"
                       "exten => 1,1,DAHDIBarge(1)\n same => n,JabberSend(x)\n"
                       " same => n,Set(x=${ODBC_NUMBER(1)}${ENUMLOOKUP(1)})\n same => n,Hangup()\n",
    "features.conf": "[general]\nparkext = 700\nnew_feature = 1\n[featuremap]\nblindxfer = ##\n[applicationmap]\n"
                     "say => *5,self,Playback(beep)\n[group]\nsay => *6\n",
    "musiconhold.conf": "[general]\ncachertclasses = yes\n[default]\nmode = custom\napplication = /usr/bin/mpg123 -q\nvolume = 3\n",
    "indications.conf": "[general]\ncountry = xx\n[xx]\nringcadence = 1000,many\ndial = 425+\nbusy = 425/500,0/500\n",
    "rtp.conf": "[general]\nrtpstart = 20000\nrtpend = 20100\nstunaddr = stun.example.com\nnew_rtp = 1\n",
    "res_parking.conf": "[general]\nparkeddynamic = yes\n[default]\nparkpos = 701-705\nparkedcalltransfers = caller\nparkinghints = yes\n",
    "acl.conf": "[home]\npermit = 192.0.2.0/24\nnew_acl = 1\n",
    "manager.conf": "[general]\nenabled = yes\n", "voicemail.conf": "[default]\n1 => 1,One\n", "queues.conf": "[q]\nstrategy = ringall\n",
    "confbridge.conf": "[x]\ntype = bridge\n", "cdr.conf": "[general]\nenable = yes\n", "sip.conf": "[old]\ntype = friend\n",
    "extensions.ael": "context x { };\n", "res_odbc.conf": "broken [\n", "cel.conf": "=\n", "http.conf": "[general]\nenabled = yes\n",
}


def test_nothing_that_is_merely_unsupported_is_fatal_and_each_key_that_is_unknown_is_told(tmp_path):
    status, complaints, last = check(tmp_path, UNSUPPORTED)
    assert status == 0 and "0 errors" in last, "\n".join(complaints)
    text = "\n".join(complaints)
    for told in ("asterisk.conf:5", "logger.conf:5", "'new_in_22'", "'hologram'", "[none] has no type", "'frobnicate'", "'speaks'",
                 "'new_general'", "'switch'", "'lswitch'", "'DAHDIBarge'", "'JabberSend'", "'ODBC_NUMBER'", "'ENUMLOOKUP'", "'new_feature'",
                 "'volume'", "indications.conf:4", "indications.conf:5", "'new_rtp'", "'new_acl'"):
        assert told in text, f"nothing about {told}:\n{text}"
    assert len(re.findall(r"^[\w.]+:\d+: ", text, re.MULTILINE)) == len(complaints), text
