"""The limits in the tables of the documentation are those of the code: its named constants are read and compared."""
import math
import pathlib
import re

import pytest

root = pathlib.Path(__file__).resolve().parents[2]

# Page, how the row begins, and where its quantities stand in the code, in their order: FILE NAME (the first of that
# name in the file), or a number that a standard or the operating system gives.
LIMITS = [
    ("pbx.md", "SIP message", "wire/sip/message.hpp max_size"),
    ("pbx.md", "header lines of a message", "wire/sip/message.hpp max_headers"),
    ("pbx.md", "header block on a stream", "wire/sip/stream_framer.hpp max_header_bytes"),
    ("pbx.md", "Via headers copied", "wire/sip/malformed.cpp max_vias"),
    ("pbx.md", "URI parameters", "wire/sip/uri.hpp max_parameters"),
    ("pbx.md", "digest parameters", "wire/sip/auth.hpp max_auth_parameters"),
    ("pbx.md", "Record-Route values", "wire/sip/dialog.hpp max_routes"),
    ("pbx.md", "SIP transactions at once", "wire/sip/transaction_layer.hpp max_transactions"),
    ("pbx.md", "SIP connections on a TCP or TLS", "pbx/signalling.hpp max_connections", "io/stream.hpp max_per_source"),
    ("pbx.md", "silent new connection", "io/stream.hpp first_bytes_timeout"),
    ("pbx.md", "bytes waiting for a slow connection", "io/stream.hpp max_queued"),
    ("pbx.md", "text messages waiting", "pbx/messages.hpp max_waiting", "pbx/messages.hpp max_body"),
    ("pbx.md", "values in the database", "pbx/sqlite_store.hpp max_entries", "pbx/sqlite_store.hpp max_value"),
    ("pbx.md", "forks followed", "wire/sip/invite_session.hpp max_forks"),
    ("pbx.md", "parts of a multipart body", "wire/sip/sdp_body.cpp max_parts"),
    ("pbx.md", "repetitions of a request", "wire/sip/invite_session.hpp max_retries"),
    ("pbx.md", "contacts in one REGISTER", "pbx/registrar.hpp max_contacts_in_request"),
    ("pbx.md", "contact URI", "pbx/registrar.hpp max_contact_length"),
    ("pbx.md", "Path values", "pbx/registrar.hpp max_path"),
    ("pbx.md", "User-Agent kept", "pbx/registrar.hpp max_user_agent"),
    ("pbx.md", "subscriptions", "pbx/presence.hpp max_subscriptions"),
    ("pbx.md", "servers tried behind one name", "pbx/locate_server.hpp max_hops"),
    ("pbx.md", "records of one DNS answer", "io/dns.hpp max_records"),
    ("pbx.md", "Retry-After obeyed", "pbx/registration_client.hpp longest_retry_after"),
    ("pbx.md", "destinations of one Dial", "pbx/app_dial.cpp max_legs"),
    ("pbx.md", "redirections (302)", "pbx/app_dial.cpp max_redirections"),
    ("pbx.md", "digits of one Read", "pbx/app_digits.cpp max_digits"),
    ("pbx.md", "extra headers of one message", "pbx/function_pjsip.cpp max_extra_headers", "pbx/function_pjsip.cpp max_header_value"),
    ("pbx.md", "hangup handlers", "pbx/hangup_handlers.hpp max_hangup_handlers"),
    ("pbx.md", "shared variables", "pbx/function_leg.cpp max_shared_variables", "pbx/function_leg.cpp max_shared_bytes"),
    ("pbx.md", "calls kept for", "pbx/trace.hpp max_calls", "pbx/trace.hpp max_messages", "pbx/trace.hpp max_steps"),
    ("pbx.md", "waiting events", "pbx/event_queue.hpp max_waiting"),
    ("pbx.md", "names of prompts", "pbx/prompt.hpp max_prompts"),
    ("pbx.md", "sound paths remembered", "pbx/sounds.hpp max_cached"),
    ("pbx.md", "connections to the control socket", "pbx/cli.cpp options.max_connections"),
    ("pbx.md", "a command", "io/line_stream.hpp max_line"),
    ("pbx.md", "HTTP header, body", "io/http_server.hpp max_header", "io/http_server.hpp max_body"),
    ("pbx.md", "HTTP connections", "io/http_server.hpp max_connections", "io/http_server.hpp max_per_source"),
    ("pbx.md", "time for an HTTP header, body", "io/http_server.hpp header_timeout", "io/http_server.hpp body_timeout"),
    ("pbx.md", "SDP", "wire/sdp/session.hpp max_size", "wire/sdp/session.hpp max_lines", "wire/sdp/session.hpp max_media",
     "wire/sdp/session.hpp max_formats"),
    ("dialplan.md", "priorities of one call", "pbx/dialplan/machine.hpp runaway_steps"),
    ("dialplan.md", "nested subroutines", "pbx/dialplan/variables.hpp max_frames"),
    ("dialplan.md", "variables of one call", "pbx/dialplan/variables.hpp max_variable_bytes"),
    ("dialplan.md", "a value after substitution", "pbx/dialplan/substitution.hpp max_substituted"),
    ("dialplan.md", "`${` within `${`", "pbx/dialplan/substitution.hpp max_substitution_depth"),
    ("dialplan.md", "functions and applications within", "pbx/dialplan/call.hpp max_nesting"),
    ("dialplan.md", "a file read by AST_CONFIG", "pbx/function_config.cpp max_size"),
    ("dialplan.md", "a line of ExternalIVR", "pbx/ivr_script.hpp max_line", "pbx/ivr_script.hpp max_waiting"),
    ("dialplan.md", "sounds that wait in ExternalIVR", "pbx/app_external_ivr.cpp max_playlist"),
    ("dialplan.md", "time of a program of ExternalIVR", "pbx/app_external_ivr.cpp grace"),
    ("dialplan.md", "a text for Festival", "pbx/app_festival.cpp max_text", "pbx/festival_reply.hpp max_size"),
    ("dialplan.md", "time for a festival server", "pbx/app_festival.cpp patience"),
    ("dialplan.md", "a line of StatsD", "pbx/statsd.hpp max_line"),
    ("dialplan.md", "requests for completion", "pbx/config/settings.hpp max_requests", "pbx/call_completion.hpp max_offers"),
    ("dialplan.md", "subtype or message", "pbx/personal_presence.hpp max_presence_text"),
    ("dialplan.md", "gain of VOLUME", "pbx/function_sound.cpp most_steps"),
    ("dialplan.md", "an expression", "pbx/dialplan/expression.hpp max_expression", "pbx/dialplan/expression.hpp max_expression_depth"),
    ("dialplan.md", "a regular expression", "pbx/dialplan/regex.cpp longest_pattern", "pbx/dialplan/regex.cpp longest_text"),
    ("dialplan.md", "arguments", "pbx/dialplan/arguments.hpp max_arguments"),
    ("dialplan.md", "a pattern", "pbx/dialplan/pattern.hpp max_pattern"),
    ("dialplan.md", "a dialled number", "pbx/dialplan/dialplan.hpp max_exten"),
    ("dialplan.md", "includes of contexts", "pbx/dialplan/dialplan.hpp max_include_depth", "pbx/dialplan/dialplan.hpp max_searched"),
    ("dialplan.md", "JSON", "pbx/dialplan/functions_json.cpp max_depth"),
    ("dialplan.md", "width of a SPRINTF", "pbx/dialplan/functions_text.cpp widest"),
    ("dialplan.md", "a text message", "pbx/messages.hpp max_body", "pbx/messages.cpp max_lines"),
    ("dialplan.md", "a file read by FILE", "pbx/function_file.cpp max_file"),
    ("dialplan.md", "periodic hooks", "pbx/function_periodic_hook.cpp max_hooks"),
    ("dialplan.md", "groups of a channel", "pbx/function_group.cpp max_categories", "pbx/function_group.cpp max_name"),
    ("dialplan.md", "locks held at once", "pbx/function_group.cpp max_locks"),
    ("dialplan.md", "names of callers that Dial", "pbx/call_consent.cpp max_names"),
    ("dialplan.md", "sounds of one Say", "pbx/spoken.hpp max_spoken"),
    ("dialplan.md", "a command", "pbx/app_system.cpp command_limit"),
    ("configuration.md", "a line", "base/ini.hpp max_line"),
    ("configuration.md", "includes within includes", "base/ini.hpp max_include_depth"),
    ("configuration.md", "block comments", "base/ini.hpp max_comment_depth"),
    ("configuration.md", "files", "base/ini.hpp max_files"),
    ("configuration.md", "bytes of all files", "base/ini.hpp max_bytes"),
    ("configuration.md", "settings", "base/ini.hpp max_entries"),
    ("configuration.md", "a value that", "base/ini_reader.cpp longest"),
    ("configuration.md", "messages about mistakes", "base/ini.cpp most"),
    ("configuration.md", "items of a tone list", "media/tones.hpp max_elements", "media/tones.hpp max_frequencies"),
    ("echo.md", "HTTP header, body", "echo/server.cpp options.max_header", "echo/server.cpp options.max_body"),
    ("echo.md", "HTTP connections", "echo/server.cpp options.max_connections", "echo/server.cpp options.max_per_source"),
    ("echo.md", "time for an HTTP header, body", "echo/server.cpp options.header_timeout", "echo/server.cpp options.body_timeout",
     "echo/server.cpp options.keepalive_timeout"),
    ("echo.md", "sections, formats", "wire/sdp/session.hpp max_media", "wire/sdp/session.hpp max_formats",
     "wire/sdp/session.hpp max_size", "wire/sdp/session.hpp max_lines"),
    ("echo.md", "a line of an offer", "echo/answer.hpp max_line"),
    ("echo.md", "candidates that", "media/webrtc_description.hpp max_candidates"),
    ("echo.md", "sessions, of one source", "echo/server.hpp max_sessions", "echo/server.hpp max_per_source"),
    ("echo.md", "time to the first check", "media/webrtc_session.hpp stun_patience", "media/webrtc_session.hpp connect_patience"),
    ("echo.md", "DTLS handshake", "wire/dtls/connection.hpp handshake_timeout"),
    ("echo.md", "time for the client to begin SCTP", "echo/server.cpp sctp_patience"),
    ("echo.md", "addresses of one peer", "media/webrtc_session.hpp max_tuples"),
    ("echo.md", "a datagram", "media/webrtc_host.hpp max_packet"),
    ("echo.md", "sources of a section", "echo/reflector.hpp max_sources"),
    ("echo.md", "packets kept", "media/packet_history.hpp max_packets", "media/packet_history.hpp depth"),
    ("echo.md", "packets sent again", "echo/reflector.hpp max_again"),
    ("echo.md", "a message", "echo/answer.hpp max_message", "wire/sctp/association.hpp buffer"),
    ("echo.md", "data channels, streams", "wire/datachannel/channels.hpp max_channels", "wire/sctp/association.hpp streams"),
    ("echo.md", "label or protocol", "wire/datachannel/dcep.hpp max_text"),
    ("relay.md", "parties of a call", "relay/call.hpp max_parties"),
    ("relay.md", "Call-IDs, tags and branches", "relay/relay.hpp max_id"),
    ("relay.md", "a document of the NG protocol", "wire/ng/document.hpp max_document", "wire/ng/document.hpp max_depth",
     "wire/ng/document.hpp max_values"),
    ("relay.md", "a cookie", "wire/ng/framing.hpp max_cookie"),
    ("relay.md", "replies kept", "relay/cookie_cache.hpp max_bytes", "relay/cookie_cache.hpp generation"),
    ("relay.md", "flags in one string", "relay/rtpp_flags.hpp max_flags_size", "relay/rtpp_flags.hpp max_flags_depth"),
    ("relay.md", "items of one list", "relay/request.hpp max_items"),
    ("relay.md", "`a=crypto` lines", "relay/sdes.hpp max_crypto"),
    ("relay.md", "unknown flags", "relay/relay.hpp max_told"),
    ("relay.md", "calls listed", "relay/request.cpp max_listed"),
    ("relay.md", "interfaces", "relay/interfaces.cpp max_interfaces"),
    ("relay.md", "control connections", "relay/server.cpp max_connections"),
    ("relay.md", "repetitions of a file", "relay/playing.cpp max_repeats"),
    ("relay.md", "bytes of a recording that wait", "relay/scribe.hpp max_waiting", "relay/scribe.hpp max_feed"),
    ("relay.md", "descriptions in the text of a capture", "relay/recordings.hpp max_noted"),
    ("relay.md", "`recording-file`", "relay/recordings.hpp max_path"),
    ("recorder.md", "calls at once", "recorder/service.hpp max_calls"),
    ("recorder.md", "sources of a call", "recorder/recorded_call.hpp max_sources"),
    ("recorder.md", "label of a chunk", "wire/recording/metadata.hpp max_label", "wire/recording/metadata.hpp max_content"),
    ("recorder.md", "entries of one kind", "wire/recording/metadata.hpp max_entries"),
    ("recorder.md", "a packet in the feed", "wire/recording/feed.hpp max_feed_payload"),
    ("recorder.md", "packets of a source", "recorder/arrivals.hpp max_waiting", "recorder/arrivals.hpp patience"),
    ("recorder.md", "silence in a mixed file", "recorder/mix.hpp max_silence"),
    ("recorder.md", "read of one call's feed", "recorder/recorded_call.hpp max_read"),
    ("recorder.md", "end of a call waits", "recorder/recorded_call.hpp full_disk_patience"),
    ("recorder.md", "files whose notifications wait", "recorder/notifier.hpp max_waiting"),
    ("recorder.md", "time for `notify-command`", "recorder/notifier.hpp command_timeout"),
    ("recorder.md", "a file that goes along", "recorder/notifier.hpp max_attached"),
    ("recorder.md", "sound that waits", "recorder/forwarder.hpp max_waiting"),
    ("recorder.md", "a name, and each part", "recorder/output_pattern.hpp max_output_name", "recorder/output_pattern.hpp max_name_part"),
    ("media.md", "a packet", "media/shard.hpp max_packet"),
    ("media.md", "ports tried", "media/ports.cpp max_tries"),
    ("media.md", "media threads", "media/local_engine.cpp max_threads"),
    ("media.md", "files of one playlist", "media/local_engine.cpp max_files"),
    ("media.md", "a prompt", "media/disk.hpp max_length"),
    ("media.md", "a WAV head", "media/audio_file.hpp max_head", "media/audio_file.hpp max_channels"),
    ("media.md", "digits waiting", "wire/rtp/telephone_event.hpp max_digits"),
    ("media.md", "a digit", "wire/rtp/telephone_event.hpp shortest", "wire/rtp/telephone_event.hpp longest"),
    ("media.md", "source addresses watched", "media/source_lock.hpp max_candidates"),
    ("media.md", "length of a party's id", "media/local_engine.cpp max_id"),
    ("broker.md", "slots a provider may claim", "broker/scheduler.hpp max_slots"),
    ("broker.md", "files remembered of one provider", "broker/scheduler.hpp max_files"),
    ("broker.md", "nesting of JSON", "wire/wasimoff/envelope.hpp max_json_depth"),
    ("broker.md", "length of an alias", "broker/storage.hpp max_alias", "broker/storage.hpp max_aliases"),
    ("broker.md", "stored files", "broker/storage.hpp max_files"),
    ("broker.md", "words in", "broker/shell_words.hpp max_words"),
    ("broker.md", "requests of one client WebSocket", "broker/client_link.hpp max_running"),
    ("broker.md", "tokens", "broker/access.hpp max_tokens"),
    ("broker.md", "tasks taken from Redis", "broker/cluster.hpp max_claimed", "broker/cluster.hpp max_claimed_bytes"),
    ("broker.md", "results kept until Redis", "broker/cluster.hpp max_unsent"),
    ("broker.md", "tasks of one batch", "broker/batch.hpp max_batch"),
    ("broker.md", "results of submitted tasks", "broker/submissions.hpp max_results", "broker/submissions.hpp max_result_bytes", "broker/submissions.hpp results_kept"),
    ("broker.md", "results of deterministic tasks", "broker/result_cache.hpp max_entries"),
    ("broker.md", "streams of events", "broker/task_events.hpp max_streams"),
    ("broker.md", "programs whose mean time", "broker/scheduler.hpp max_programs"),
    ("broker.md", "events of one trace", "broker/trace.hpp max_trace_events"),
    ("broker.md", "tasks in one run configuration", "broker/starless_routes.cpp max_execs", "broker/starless_routes.cpp max_words"),
    ("broker.md", "files in `loadfs`", "broker/starless_routes.cpp max_load_files", "broker/starless_link.cpp max_unpacked"),
    ("broker.md", "names that `persist=no` made", "broker/starless_names.hpp max_names"),
    ("broker.md", "WebTransport sessions of one", "wire/webtransport/connection.hpp max_sessions"),
    ("broker.md", "QUIC connections", "io/quic/server.hpp max_per_address", "io/quic/server.hpp handshakes_a_second"),
    ("broker.md", "bytes that wait for one WebTransport", "io/quic/server.hpp max_queued"),
    ("broker.md", "header of a WebTransport request", "wire/webtransport/fields.hpp max_fields", "wire/webtransport/fields.hpp max_bytes"),
    ("broker.md", "a capsule", "wire/webtransport/capsules.hpp max_skipped", "wire/webtransport/capsules.hpp max_reason"),
    ("broker.md", "what a page of the older generation", "broker/starless_link.hpp max_control"),
    ("broker.md", "nesting, items", "wire/starless/msgpack.hpp max_depth", "wire/starless/msgpack.hpp max_items"),
]

UNITS = {"": 1, "bytes": 1, "KiB": 1024, "MiB": 1 << 20, "kHz": 1000, "ms": 0.001, "s": 1, "hour": 3600, "hours": 3600}


def quantities(cell):
    """The numbers of a cell, bytes and seconds in their base units: '1000 of 8 KiB' is [1000, 8192]."""
    found = re.findall(r"(\d+(?: \d{3})*)(?: (KiB|MiB|kHz|ms|s|hours?|bytes)\b)?", cell)
    return [int(number.replace(" ", "")) * UNITS[unit] for number, unit in found]


def limit_rows(page):
    """{first cell: second cell} of the tables under the headings 'Limits'."""
    text = (root / "docs" / page).read_text()
    rows = {}
    for section in re.findall(r"^#+ Limits$(.*?)(?=^#+ |\Z)", text, re.DOTALL | re.MULTILINE):
        for row in re.findall(r"^\| (.*) \|$", section, re.MULTILINE):
            what, limit, *_ = row.split(" | ")
            rows[what] = limit
    return rows


def value(text):
    """A constant of C++ as a number: sizes in bytes, durations in seconds."""
    text = re.sub(r"(?<=\d)'(?=\d)", "", text)
    text = re.sub(r"(\d)(?:u?ll|ul|u)\b", r"\1", text, flags=re.IGNORECASE)
    for unit, seconds in (("hours", 3600), ("minutes", 60), ("seconds", 1), ("milliseconds", 0.001)):
        text = re.sub(rf"std::chrono::{unit}\{{(\d+)\}}", rf"(\1*{seconds})", text)
    text = re.sub(r"std::\w+\{(\d+)\}", r"\1", text)
    assert re.fullmatch(r"[\d\s.*+<()-]+", text), text
    return eval(text)


def constant(place):
    path, name = place.split()
    source = (root / "src" / path).read_text()
    found = re.search(rf"\b{re.escape(name)}\s*=\s*([^;]+);", source)
    assert found, f"src/{path} has no constant {name}"
    return value(found.group(1))


@pytest.mark.parametrize("page,row,places", [(page, row, places) for page, row, *places in LIMITS],
                         ids=[f"{page.split('.')[0]}: {row}" for page, row, *_ in LIMITS])
def test_a_limit_of_the_page_is_that_of_the_code(page, row, places):
    rows = [limit for what, limit in limit_rows(page).items() if re.match(re.escape(row) + r"(?!\w)", what)]
    assert len(rows) == 1, f"docs/{page} has {len(rows)} limits of '{row}...'"
    told = quantities(rows[0])
    for place in places:
        wanted = constant(place)
        assert any(math.isclose(wanted, number) for number in told), f"{place} is {wanted}, docs/{page} says '{rows[0]}'"


def test_numbers_are_read_as_they_are_written():
    assert quantities("20 000, 256 from one address") == [20000, 256]
    assert quantities("64 KiB, 40 ms, 1 hour and 10 s") == [65536, 0.04, 3600, 10]
    assert value("64u << 10") == 65536 and value("std::size_t{1} << 20") == 1 << 20
    assert value("std::chrono::minutes{5}") == 300 and value("200'000") == 200000
