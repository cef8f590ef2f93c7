#include "wire/webtransport/connection.hpp"

#include <algorithm>

#include "wire/webtransport/varint.hpp"

namespace strowger::webtransport {

namespace {

// Types of unidirectional streams (RFC 9114 section 6.2, RFC 9204 section 4.2) and the marks of
// WebTransport's streams (draft-02 sections 4.1 and 4.2).
constexpr std::uint64_t type_control = 0x00, type_push = 0x01, type_encoder = 0x02,
                        type_decoder = 0x03, type_transport = 0x54, mark_transport = 0x41;

constexpr std::uint64_t setting_qpack_capacity = 0x01, setting_blocked_streams = 0x07,
                        setting_connect_protocol = 0x08, setting_datagram = 0x33,
                        setting_webtransport = 0x2b603742;
// Later drafts of WebTransport look for these; their values say how many sessions may be.
constexpr std::uint64_t setting_max_sessions_07 = 0xc671706a, setting_max_sessions_13 = 0x14e9cd29,
                        setting_enabled_14 = 0x2c7cf000;

std::vector<std::uint8_t> our_settings() {
    std::vector<std::uint8_t> payload;
    const auto put = [&](std::uint64_t name, std::uint64_t value) {
        put_varint(payload, name);
        put_varint(payload, value);
    };
    put(setting_qpack_capacity, 0);
    put(setting_blocked_streams, 0);
    put(setting_connect_protocol, 1);
    put(setting_datagram, 1);
    put(setting_webtransport, 1);
    put(setting_max_sessions_07, Connection::max_sessions);
    put(setting_max_sessions_13, Connection::max_sessions);
    put(setting_enabled_14, 1);
    return payload;
}

std::string_view value_of(const std::vector<Field>& fields, std::string_view name) {
    const auto found = std::ranges::find(fields, name, &Field::name);
    return found == fields.end() ? std::string_view() : std::string_view(found->value);
}

bool duplicate(StreamId& slot, StreamId stream) {
    if (slot >= 0) return true;
    slot = stream;
    return false;
}

}  // namespace

// --- what the owner says

void Connection::start(StreamId control) {
    control_out_ = control;
    std::vector<std::uint8_t> bytes;
    put_varint(bytes, type_control);
    put_frame(bytes, frame_settings, our_settings());
    actions_.emplace_back(Send{control, std::move(bytes), false});
}

void Connection::go_away() {
    if (going_away_ || control_out_ < 0) return;
    going_away_ = true;
    std::vector<std::uint8_t> id, bytes;
    put_varint(id, static_cast<std::uint64_t>(next_request_));
    put_frame(bytes, frame_goaway, id);
    actions_.emplace_back(Send{control_out_, std::move(bytes), false});
}

void Connection::accept(StreamId session) {
    const auto found = sessions_.find(session);
    if (found == sessions_.end() || found->second.accepted) return;
    found->second.accepted = true;
    answer(session, 200, false);
    for (auto& [id, stream] : streams_) {
        if (stream.kind != Kind::early || stream.session != session) continue;
        stream.kind = Kind::transport;
        --early_;
        found->second.streams.insert(id);
        const auto kept = std::exchange(stream.prefix, {});
        give(stream, id, kept, stream.fin);
    }
}

void Connection::refuse(StreamId session, unsigned status) {
    if (const auto found = sessions_.find(session);
        found == sessions_.end() || found->second.accepted)
        return;
    sessions_.erase(session);
    answer(session, status, true);
}

void Connection::opened(StreamId session, StreamId stream) {
    const auto found = sessions_.find(session);
    if (found == sessions_.end()) return;
    found->second.streams.insert(stream);
    streams_[stream].kind = Kind::transport;
    streams_[stream].session = session;
    std::vector<std::uint8_t> prefix;
    put_varint(prefix, bidirectional(stream) ? mark_transport : type_transport);
    put_varint(prefix, static_cast<std::uint64_t>(session));
    actions_.emplace_back(Send{stream, std::move(prefix), false});
}

void Connection::send(StreamId stream, Bytes bytes, bool fin) {
    const auto found = streams_.find(stream);
    if (found == streams_.end() || found->second.kind != Kind::transport) return;
    actions_.emplace_back(Send{stream, {bytes.begin(), bytes.end()}, fin});
}

void Connection::send_datagram(StreamId session, Bytes bytes) {
    if (!sessions_.contains(session)) return;
    std::vector<std::uint8_t> out;
    put_varint(out, static_cast<std::uint64_t>(session) / 4);
    out.insert(out.end(), bytes.begin(), bytes.end());
    actions_.emplace_back(SendDatagram{std::move(out)});
}

void Connection::reset_stream(StreamId stream, std::uint32_t code) {
    if (!streams_.contains(stream)) return;
    actions_.emplace_back(Reset{stream, to_http3_code(code)});
}

void Connection::close(StreamId session, std::uint32_t code, std::string_view reason) {
    if (!sessions_.contains(session)) return;
    std::vector<std::uint8_t> frame;
    put_frame(frame, frame_data, close_capsule(code, reason));
    actions_.emplace_back(Send{session, std::move(frame), true});
    end_session(session, code, std::string(reason));
}

bool Connection::poll(Action& action) {
    if (actions_.empty()) return false;
    action = std::move(actions_.front());
    actions_.pop_front();
    return true;
}

bool Connection::poll(Event& event) {
    if (events_.empty()) return false;
    event = std::move(events_.front());
    events_.pop_front();
    return true;
}

// --- what came

void Connection::received(StreamId id, Bytes bytes, bool fin) {
    if (closed_) return;
    if (!streams_.contains(id) && streams_.size() >= max_streams)
        return broken(Error("too many streams", h3_excessive_load));
    if (auto done = dispatch(id, streams_[id], bytes, fin); !done) broken(done.error());
}

void Connection::broken(const Error& error) {
    closed_ = true;
    actions_.emplace_back(Close{static_cast<std::uint64_t>(error.code()), error.text()});
}

Result<> Connection::dispatch(StreamId id, Stream& stream, Bytes bytes, bool fin) {
    switch (stream.kind) {
        case Kind::unknown: {
            stream.prefix.insert(stream.prefix.end(), bytes.begin(), bytes.end());
            stream.fin = fin;
            const auto known = recognise(id, stream);
            if (!known) return std::unexpected(known.error());
            if (!*known || stream.kind == Kind::early) return {};
            const auto rest = std::exchange(stream.prefix, {});
            return dispatch(id, stream, rest, fin);
        }
        case Kind::control: return control(stream, bytes, fin);
        case Kind::encoder:
            if (fin) return fail_with(h3_closed_critical_stream, "the encoder stream ended");
            return fields_.instructions(bytes);
        case Kind::request: return request(id, stream, bytes, fin);
        case Kind::transport: give(stream, id, bytes, fin); return {};
        case Kind::early:
            if (stream.prefix.size() + bytes.size() > max_early_bytes) {
                actions_.emplace_back(StopSending{id, webtransport_buffered_stream_rejected});
                stream.kind = Kind::ignored;
                stream.prefix.clear();
                --early_;
                return {};
            }
            stream.prefix.insert(stream.prefix.end(), bytes.begin(), bytes.end());
            stream.fin = fin;
            return {};
        case Kind::ignored: return {};
    }
    return {};
}

// Looks at the first bytes, and takes those away that only said of which kind the stream is.
Result<bool> Connection::recognise(StreamId id, Stream& stream) {
    const auto type = read_varint(stream.prefix);
    if (!type) return false;
    const auto past_type = Bytes(stream.prefix).subspan(type->length);
    if (bidirectional(id)) {
        if (type->value == mark_transport) return recognise_session(id, stream, past_type);
        stream.kind = Kind::request;
        next_request_ = std::max(next_request_, id + 4);
        return true;
    }
    const auto found = [&](Kind kind) {
        stream.kind = kind;
        stream.prefix.erase(stream.prefix.begin(),
                            stream.prefix.begin() + static_cast<std::ptrdiff_t>(type->length));
        return true;
    };
    const auto twice = [&] {
        return fail_with(h3_stream_creation_error, "a second stream of type {:#x}", type->value);
    };
    switch (type->value) {
        case type_control:
            if (duplicate(control_in_, id)) return twice();
            return found(Kind::control);
        case type_encoder:
            if (duplicate(encoder_in_, id)) return twice();
            return found(Kind::encoder);
        case type_decoder:
            if (duplicate(decoder_in_, id)) return twice();
            return found(Kind::ignored);  // it tells of a dynamic table that we do not use
        case type_push: return fail_with(h3_stream_creation_error, "a push stream from a client");
        case type_transport: return recognise_session(id, stream, past_type);
        default:  // RFC 9114 section 6.2.3: unknown types are not errors
            actions_.emplace_back(StopSending{id, h3_stream_creation_error});
            return found(Kind::ignored);
    }
}

Result<bool> Connection::recognise_session(StreamId id, Stream& stream, Bytes rest) {
    const auto session = read_varint(rest);
    if (!session) return false;
    if (session->value % 4 != 0)
        return fail_with(h3_id_error, "session {} is no stream of a request", session->value);
    stream.session = static_cast<StreamId>(session->value);
    const auto used = stream.prefix.size() - rest.size() + session->length;
    stream.prefix.erase(stream.prefix.begin(),
                        stream.prefix.begin() + static_cast<std::ptrdiff_t>(used));
    const auto refuse = [&](std::uint64_t code) {
        actions_.emplace_back(StopSending{id, code});
        if (bidirectional(id)) actions_.emplace_back(Reset{id, code});
        stream.kind = Kind::ignored;
        stream.prefix.clear();
        return true;
    };
    const auto found = sessions_.find(stream.session);
    if (found != sessions_.end() && found->second.accepted) {
        stream.kind = Kind::transport;
        found->second.streams.insert(id);
        return true;
    }
    const bool over = found == sessions_.end() && stream.session < next_request_;
    if (over) return refuse(webtransport_session_gone);
    if (early_ >= max_early_streams || stream.prefix.size() > max_early_bytes)
        return refuse(webtransport_buffered_stream_rejected);
    ++early_;
    stream.kind = Kind::early;
    return true;
}

Result<> Connection::control(Stream& stream, Bytes bytes, bool fin) {
    while (true) {
        auto frame = stream.frames.next(bytes);
        if (!frame) return std::unexpected(frame.error());
        if (!*frame) break;
        const auto type = (*frame)->type;
        if (!settings_seen_ && type != frame_settings)
            return fail_with(h3_missing_settings, "frame {:#x} before the settings", type);
        switch (type) {
            case frame_settings:
                if (settings_seen_) return fail_with(h3_frame_unexpected, "settings came twice");
                settings_seen_ = true;
                if (auto done = settings((*frame)->payload); !done) return done;
                break;
            case frame_data:
            case frame_headers:
            case frame_push_promise:
                return fail_with(h3_frame_unexpected, "frame {:#x} on the control stream", type);
            default: break;  // of pushes, which we do not make, and the client's farewell
        }
    }
    if (fin) return fail_with(h3_closed_critical_stream, "the control stream ended");
    return {};
}

// RFC 9114 section 7.2.4.1: HTTP/2's are errors, and so is one that comes twice.
Result<> Connection::settings(Bytes payload) {
    std::set<std::uint64_t> seen;
    while (!payload.empty()) {
        const auto name = read_varint(payload);
        const auto value = name ? read_varint(payload.subspan(name->length)) : std::nullopt;
        if (!value) return fail_with(h3_frame_error, "settings are cut short");
        payload = payload.subspan(name->length + value->length);
        if (!seen.insert(name->value).second || (name->value >= 2 && name->value <= 5))
            return fail_with(h3_settings_error, "setting {:#x} is out of place", name->value);
        const bool is_flag =
            name->value == setting_datagram || name->value == setting_connect_protocol;
        if (is_flag && value->value > 1)
            return fail_with(h3_settings_error, "setting {:#x} is {}, neither 0 nor 1", name->value,
                             value->value);
    }
    return {};
}

Result<> Connection::request(StreamId id, Stream& stream, Bytes bytes, bool fin) {
    while (true) {
        auto frame = stream.frames.next(bytes);
        if (!frame) return std::unexpected(frame.error());
        if (!*frame) break;
        switch ((*frame)->type) {
            case frame_headers:
                if (stream.answered || sessions_.contains(id)) break;  // trailers
                if (auto done = headers(id, stream, (*frame)->payload); !done) return done;
                break;
            case frame_data:
                if (!stream.answered && !sessions_.contains(id))
                    return fail_with(h3_frame_unexpected, "data before the header");
                if (auto done = capsules(id, (*frame)->payload); !done) return done;
                break;
            default:
                return fail_with(h3_frame_unexpected, "frame {:#x} in a request", (*frame)->type);
        }
    }
    if (!fin) return {};
    if (!stream.frames.between_frames())
        return fail_with(h3_frame_error, "a request ended within a frame");
    if (!sessions_.contains(id)) return {};
    actions_.emplace_back(Send{id, {}, true});
    end_session(id, 0, "");
    return {};
}

Result<> Connection::headers(StreamId id, Stream& stream, Bytes block) {
    auto fields = fields_.decode(id, block);
    if (!fields) return std::unexpected(fields.error());
    const auto refused = [&](unsigned status) {
        stream.answered = true;
        answer(id, status, true);
        return Result<>{};
    };
    if (value_of(*fields, ":method") != "CONNECT" ||
        value_of(*fields, ":protocol") != "webtransport")
        return refused(404);
    const auto path = value_of(*fields, ":path");
    if (value_of(*fields, ":scheme") != "https" || !path.starts_with('/') ||
        value_of(*fields, ":authority").empty())
        return refused(400);
    if (going_away_ || sessions_.size() >= max_sessions) {
        stream.answered = true;
        actions_.emplace_back(Reset{id, h3_request_rejected});
        actions_.emplace_back(StopSending{id, h3_request_rejected});
        return {};
    }
    sessions_[id];
    events_.emplace_back(Requested{id, std::string(value_of(*fields, ":authority")),
                                   std::string(path), std::string(value_of(*fields, "origin")),
                                   std::move(*fields)});
    return {};
}

Result<> Connection::capsules(StreamId id, Bytes bytes) {
    while (!bytes.empty()) {
        const auto found = sessions_.find(id);
        if (found == sessions_.end()) return {};
        auto capsule = found->second.capsules.next(bytes);
        if (!capsule) return std::unexpected(capsule.error());
        if (!*capsule) return {};
        if ((*capsule)->type == capsule_drain_session) {
            events_.emplace_back(Draining{id});
        } else {
            actions_.emplace_back(Send{id, {}, true});
            end_session(id, (*capsule)->code, std::move((*capsule)->reason));
        }
    }
    return {};
}

void Connection::answer(StreamId id, unsigned status, bool fin) {
    std::vector<Field> fields{{":status", fmt::format("{}", status)}};
    if (status == 200) fields.push_back({"sec-webtransport-http3-draft", "draft02"});
    std::vector<std::uint8_t> bytes;
    put_frame(bytes, frame_headers, fields_.encode(id, fields));
    if (const auto found = streams_.find(id); found != streams_.end())
        found->second.answered = true;
    actions_.emplace_back(Send{id, std::move(bytes), fin});
}

// Its streams end in both directions (draft-02 section 5).
void Connection::end_session(StreamId id, std::uint32_t code, std::string reason) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return;
    const auto session = std::move(found->second);
    sessions_.erase(found);
    for (const auto stream : session.streams) {
        if (bidirectional(stream) || !from_client(stream))
            actions_.emplace_back(Reset{stream, webtransport_session_gone});
        if (bidirectional(stream) || from_client(stream))
            actions_.emplace_back(StopSending{stream, webtransport_session_gone});
        if (const auto at = streams_.find(stream); at != streams_.end())
            at->second.kind = Kind::ignored;
    }
    for (auto& [stream, state] : streams_) {
        if (state.kind != Kind::early || state.session != id) continue;
        state.kind = Kind::ignored;
        state.prefix.clear();
        --early_;
        actions_.emplace_back(StopSending{stream, webtransport_session_gone});
    }
    events_.emplace_back(Closed{id, code, std::move(reason)});
}

void Connection::give(Stream& stream, StreamId id, Bytes bytes, bool fin) {
    events_.emplace_back(Data{stream.session, id, {bytes.begin(), bytes.end()}, fin});
}

void Connection::reset(StreamId id, std::uint64_t code) {
    if (closed_) return;
    if (id == control_in_ || id == encoder_in_ || id == decoder_in_)
        return broken(Error("a critical stream was reset", h3_closed_critical_stream));
    if (sessions_.contains(id)) {
        actions_.emplace_back(Reset{id, h3_no_error});
        return end_session(id, 0, "");
    }
    const auto found = streams_.find(id);
    if (found == streams_.end() || found->second.kind != Kind::transport) return;
    events_.emplace_back(StreamReset{found->second.session, id, from_http3_code(code)});
}

void Connection::stopped(StreamId id, std::uint64_t code) {
    if (closed_) return;
    if (id == control_out_)
        return broken(Error("our control stream was stopped", h3_closed_critical_stream));
    const auto found = streams_.find(id);
    if (found == streams_.end() || found->second.kind != Kind::transport) return;
    events_.emplace_back(StreamStopped{found->second.session, id, from_http3_code(code)});
}

void Connection::stream_closed(StreamId id) {
    if (sessions_.contains(id)) end_session(id, 0, "");
    const auto found = streams_.find(id);
    if (found == streams_.end()) return;
    if (found->second.kind == Kind::early) --early_;
    if (const auto session = sessions_.find(found->second.session); session != sessions_.end())
        session->second.streams.erase(id);
    streams_.erase(found);
}

// RFC 9297 section 2.1: the number is the stream's divided by four. One for a session that is not
// known may have overtaken it, or be late, and is dropped.
void Connection::datagram(Bytes bytes) {
    if (closed_) return;
    const auto quarter = read_varint(bytes);
    if (!quarter || quarter->value > largest_varint / 4)
        return broken(Error("a datagram without a session", h3_datagram_error));
    const auto session = static_cast<StreamId>(quarter->value * 4);
    const auto found = sessions_.find(session);
    if (found == sessions_.end() || !found->second.accepted) return;
    const auto payload = bytes.subspan(quarter->length);
    events_.emplace_back(Datagram{session, {payload.begin(), payload.end()}});
}

}  // namespace strowger::webtransport
