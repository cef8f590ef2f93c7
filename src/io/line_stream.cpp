#include "io/line_stream.hpp"

namespace strowger::io {

struct LineStream::Impl : std::enable_shared_from_this<Impl> {
    std::unique_ptr<Stream> stream;
    Handlers handlers;
    std::string partial;
    bool gone = false;

    void receive(Bytes bytes) {
        const auto keep = shared_from_this();
        std::string_view text = as_text(bytes);
        while (!gone) {
            const auto end = text.find('\n');
            if (partial.size() + std::min(end, text.size()) > max_line) return overflow();
            if (end == std::string_view::npos) {
                partial += text;
                return;
            }
            std::string_view line = text.substr(0, end);
            text.remove_prefix(end + 1);
            std::string joined;
            if (!partial.empty()) {
                joined = std::exchange(partial, {});
                joined += line;
                line = joined;
            }
            if (line.ends_with('\r')) line.remove_suffix(1);
            if (handlers.line) handlers.line(line);
        }
    }

    void overflow() {
        gone = true;
        stream.reset();
        if (handlers.closed)
            handlers.closed(Error(fmt::format("a line is longer than {} octets", max_line)));
    }
};

LineStream::LineStream(std::unique_ptr<Stream> stream, Handlers handlers)
    : impl_(std::make_shared<Impl>()) {
    impl_->handlers = std::move(handlers);
    impl_->stream = std::move(stream);
    impl_->stream->start({.bytes = [impl = impl_.get()](Bytes bytes) { impl->receive(bytes); },
                          .closed =
                              [impl = impl_.get()](const Error& error) {
                                  const auto keep = impl->shared_from_this();
                                  if (!impl->gone && impl->handlers.closed)
                                      impl->handlers.closed(error);
                              }});
}

LineStream::~LineStream() {
    impl_->gone = true;
    impl_->stream.reset();
}

bool LineStream::send(std::string_view text) { return impl_->stream && impl_->stream->send(text); }
void LineStream::close() {
    if (impl_->stream) impl_->stream->close();
}
const Stream& LineStream::stream() const { return *impl_->stream; }

}  // namespace strowger::io
