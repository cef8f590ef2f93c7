#include "io/http2.hpp"

#include <nghttp2/nghttp2.h>

#include <unordered_map>

#include "base/text.hpp"

namespace strowger::io {

namespace {

// So much of a body may be under way before we take it: the limit of its route cuts in later.
constexpr std::int32_t request_window = 1 << 20, connection_window = 4 << 20;

nghttp2_nv field(std::string_view name, std::string_view value) {
    const auto bytes = [](std::string_view text) {
        return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
    };
    return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

// Fields that speak of an HTTP/1.1 connection (RFC 9113 section 8.2.2), or that we write.
bool is_ours(std::string_view name) {
    for (const auto* other : {"connection", "transfer-encoding", "keep-alive", "upgrade",
                              "proxy-connection", "content-length"})
        if (iequals(name, other)) return true;
    return false;
}

struct Fields {
    HttpHeaders kept;  // whose text the others borrow
    std::vector<nghttp2_nv> list;

    void add(std::string_view name, std::string value) {
        kept.add(to_lower(name), std::move(value));
    }
    void finish() {
        for (const auto& [name, value] : kept.fields) list.push_back(field(name, value));
    }
};

}  // namespace

struct Http2Connection::Impl {
    struct Request {
        HttpRequest request;
        std::size_t header_size = 0, max_body = 0;
        Timer timer;
        bool whole = false, head = false, answered = false;
        HttpResponse response;
        std::size_t sent = 0;  // of its body
    };

    Impl(Loop& l, Limits the_limits, Handlers h)
        : loop(l), limits(the_limits), handlers(std::move(h)) {}

    Loop& loop;
    Limits limits;
    Handlers handlers;
    std::unique_ptr<nghttp2_session, decltype([](nghttp2_session* s) { nghttp2_session_del(s); })>
        session;
    std::unordered_map<Id, Request> requests;
    std::size_t bodies = 0;  // bytes, of requests that are not whole yet
    std::size_t begun = 0;
    bool receiving = false;

    void open();
    void flush();
    void reset(Id id, std::uint32_t code) {
        nghttp2_submit_rst_stream(session.get(), NGHTTP2_FLAG_NONE, id, code);
    }
    Request* find(Id id) {
        const auto found = requests.find(id);
        return found == requests.end() ? nullptr : &found->second;
    }
    int begin(Id id);
    int header(Id id, std::string_view name, std::string_view value);
    void header_done(Id id, Request& at);
    void data(Id id, std::string_view bytes);
    void whole(Id id, Request& at);
    void ended(Id id);
    void respond(Id id, HttpResponse response);
    std::int64_t read(Id id, std::uint8_t* room, std::size_t size, std::uint32_t& flags);
};

void Http2Connection::Impl::open() {
    nghttp2_session_callbacks* made = nullptr;
    nghttp2_session_callbacks_new(&made);
    const std::unique_ptr<nghttp2_session_callbacks, decltype(&nghttp2_session_callbacks_del)>
        callbacks(made, nghttp2_session_callbacks_del);
    const auto text = [](const std::uint8_t* data, std::size_t size) {
        return std::string_view(reinterpret_cast<const char*>(data), size);
    };
    static const auto view = text;
    nghttp2_session_callbacks_set_on_begin_headers_callback(
        made, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
            if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
            return static_cast<Impl*>(self)->begin(frame->hd.stream_id);
        });
    nghttp2_session_callbacks_set_on_header_callback(
        made, [](nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                 std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                 std::uint8_t, void* self) {
            return static_cast<Impl*>(self)->header(frame->hd.stream_id, view(name, name_size),
                                                    view(value, value_size));
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        made, [](nghttp2_session*, const nghttp2_frame* frame, void* raw) {
            auto* self = static_cast<Impl*>(raw);
            const auto id = frame->hd.stream_id;
            auto* at = self->find(id);
            if (!at || at->whole) return 0;
            const bool is_header =
                frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
            if (is_header) self->header_done(id, *at);
            const bool carries =
                is_header || frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
            at = self->find(id);
            if (at && !at->whole && carries && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
                self->whole(id, *at);
            return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        made, [](nghttp2_session*, std::uint8_t, Id id, const std::uint8_t* bytes, std::size_t size,
                 void* self) {
            static_cast<Impl*>(self)->data(id, view(bytes, size));
            return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        made, [](nghttp2_session*, Id id, std::uint32_t, void* self) {
            static_cast<Impl*>(self)->ended(id);
            return 0;
        });
    nghttp2_session* opened = nullptr;
    nghttp2_session_server_new(&opened, made, this);
    session.reset(opened);
    const std::array<nghttp2_settings_entry, 3> settings{
        {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.max_at_once},
         {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, request_window},
         {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits.max_header)}}};
    nghttp2_submit_settings(opened, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
    nghttp2_session_set_local_window_size(opened, NGHTTP2_FLAG_NONE, 0, connection_window);
    flush();
}

int Http2Connection::Impl::begin(Id id) {
    auto& at = requests[id];
    at.request.secure = true;
    at.timer = loop.after(limits.request_timeout, [this, id] {
        reset(id, NGHTTP2_CANCEL);
        flush();
    });
    if (++begun == limits.max_requests)
        nghttp2_submit_goaway(session.get(), NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR, nullptr, 0);
    return 0;
}

// nghttp2 has checked the field, and that the pseudo-header fields are there and come first.
int Http2Connection::Impl::header(Id id, std::string_view name, std::string_view value) {
    auto* at = find(id);
    if (!at || at->max_body) return 0;    // trailers are of no use to us
    constexpr std::size_t overhead = 32;  // section 6.5.2
    at->header_size += name.size() + value.size() + overhead;
    if (at->header_size > limits.max_header) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    auto& request = at->request;
    if (name == ":method") {
        request.method = value;
    } else if (name == ":path") {
        request.target = value;
    } else if (name == ":authority") {
        request.headers.set("Host", std::string(value));
    } else if (!name.starts_with(':') && (name != "host" || request.headers.get("Host").empty())) {
        request.headers.fields.emplace_back(name, value);
    }
    return 0;
}

void Http2Connection::Impl::header_done(Id id, Request& at) {
    auto& request = at.request;
    const auto [path, query] = split_once(request.target, '?');
    request.path = percent_decode(path);
    request.query = query;
    request.trailers = true;
    at.head = request.method == "HEAD";
    at.max_body = handlers.max_body(request) + 1;  // never zero, which is before the header's end
    if (iequals(request.headers.get("Expect"), "100-continue")) {
        const auto status = field(":status", "100");
        nghttp2_submit_headers(session.get(), NGHTTP2_FLAG_NONE, id, nullptr, &status, 1, nullptr);
    }
}

void Http2Connection::Impl::data(Id id, std::string_view bytes) {
    auto* at = find(id);
    if (!at || at->whole) return;
    if (at->request.body.size() + bytes.size() >= at->max_body) {
        at->whole = true;  // the rest is of no use
        bodies -= std::exchange(at->request.body, {}).size();
        return respond(id, HttpResponse::text(413, "Content Too Large\n"));
    }
    if (bodies + bytes.size() > limits.max_bodies) return reset(id, NGHTTP2_ENHANCE_YOUR_CALM);
    bodies += bytes.size();
    at->request.body += bytes;
}

void Http2Connection::Impl::whole(Id id, Request& at) {
    at.whole = true;
    at.timer.cancel();
    bodies -= at.request.body.size();
    handlers.request(id, std::move(at.request));
}

void Http2Connection::Impl::ended(Id id) {
    const auto found = requests.find(id);
    if (found == requests.end()) return;
    if (!found->second.whole) bodies -= found->second.request.body.size();
    requests.erase(found);
    handlers.gone(id);
}

void Http2Connection::Impl::respond(Id id, HttpResponse response) {
    auto* at = find(id);
    if (!at || std::exchange(at->answered, true)) return;
    at->response = std::move(response);
    auto& answer = at->response;
    Fields fields;
    fields.list.push_back({});  // :status, once the text stays where it is
    for (auto& [name, value] : answer.headers.fields)
        if (!is_ours(name)) fields.add(name, std::move(value));
    const bool bodyless = answer.status == 204 || answer.status == 304;
    if (!bodyless) fields.add("content-length", fmt::format("{}", answer.body.size()));
    if (answer.body.empty()) {
        for (auto& [name, value] : answer.trailers.fields) fields.add(name, std::move(value));
        answer.trailers = {};
    }
    const auto status = fmt::format("{}", answer.status);
    fields.finish();
    fields.list.front() = field(":status", status);
    nghttp2_data_provider body{};
    body.read_callback = [](nghttp2_session*, Id stream, std::uint8_t* room, std::size_t size,
                            std::uint32_t* flags, nghttp2_data_source*, void* self) -> ssize_t {
        return static_cast<Impl*>(self)->read(stream, room, size, *flags);
    };
    const bool has_body = !at->head && !bodyless && !answer.body.empty();
    nghttp2_submit_response(session.get(), id, fields.list.data(), fields.list.size(),
                            has_body ? &body : nullptr);
}

std::int64_t Http2Connection::Impl::read(Id id, std::uint8_t* room, std::size_t size,
                                         std::uint32_t& flags) {
    auto* at = find(id);
    if (!at) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const auto& text = at->response.body;
    const auto count = std::min(size, text.size() - at->sent);
    std::copy_n(text.data() + at->sent, count, room);
    at->sent += count;
    if (at->sent < text.size()) return static_cast<std::int64_t>(count);
    flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!at->response.trailers.fields.empty()) {
        flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        Fields trailers;
        for (auto& [name, value] : at->response.trailers.fields)
            trailers.add(name, std::move(value));
        trailers.finish();
        nghttp2_submit_trailer(session.get(), id, trailers.list.data(), trailers.list.size());
    }
    return static_cast<std::int64_t>(count);
}

void Http2Connection::Impl::flush() {
    if (receiving) return;  // afterwards, all together
    while (handlers.room() > 0) {
        const std::uint8_t* bytes = nullptr;
        const auto size = nghttp2_session_mem_send(session.get(), &bytes);
        if (size <= 0) return;
        handlers.send({reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)});
    }
}

Http2Connection::Http2Connection(Loop& loop, Limits limits, Handlers handlers)
    : impl_(std::make_unique<Impl>(loop, limits, std::move(handlers))) {
    impl_->open();
}

Http2Connection::~Http2Connection() = default;

bool Http2Connection::receive(Bytes bytes) {
    impl_->receiving = true;
    const auto taken = nghttp2_session_mem_recv(impl_->session.get(), bytes.data(), bytes.size());
    impl_->receiving = false;
    impl_->flush();
    return taken >= 0 && (nghttp2_session_want_read(impl_->session.get()) ||
                          nghttp2_session_want_write(impl_->session.get()));
}

void Http2Connection::drained() { impl_->flush(); }

void Http2Connection::respond(Id id, HttpResponse response) {
    impl_->respond(id, std::move(response));
    impl_->flush();
}

void Http2Connection::want_http1(Id id) {
    impl_->reset(id, NGHTTP2_HTTP_1_1_REQUIRED);
    impl_->flush();
}

bool Http2Connection::idle() const { return impl_->requests.empty(); }

}  // namespace strowger::io
