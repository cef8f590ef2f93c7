// What a client sends on an HTTP/2 connection, in pieces as the first byte says. Requests are
// answered at once or later, with bodies and trailers; each is answered or gone once.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>

#include "io/http2.hpp"

namespace {

using namespace strowger;
using Id = io::Http2Connection::Id;

constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::size_t max_body = 256;

io::HttpResponse answer_to(const io::HttpRequest& request) {
    if (request.body.size() > max_body) std::abort();
    auto response = io::HttpResponse::text(200, request.target + request.body);
    response.headers = request.headers;  // as unfit to be sent as they came
    response.trailers.add("grpc-status", "0");
    return response;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    io::Loop loop;
    io::Http2Connection* answering = nullptr;
    std::set<Id> seen, open;
    std::vector<std::pair<Id, io::HttpResponse>> later;
    const bool at_once = data[1] & 1;
    const auto answer = [&](Id id, const io::HttpRequest& request) {
        if (!seen.insert(id).second) std::abort();
        open.insert(id);
        if (at_once)
            answering->respond(id, answer_to(request));
        else
            later.emplace_back(id, answer_to(request));
    };
    io::Http2Connection connection(
        loop, {.max_at_once = 8, .max_header = 2048, .max_bodies = 1024, .max_requests = 16},
        {.send = [](std::string_view) {},
         .room = [] { return std::size_t{1} << 20; },
         .max_body = [](const io::HttpRequest&) { return max_body; },
         .request = answer,
         .gone = [&](Id id) { open.erase(id); }});
    answering = &connection;
    connection.receive(as_bytes(preface));
    Bytes rest(data + 2, size - 2);
    const std::size_t piece = data[0] + std::size_t{1};
    while (!rest.empty()) {
        const Bytes part = rest.first(std::min(piece, rest.size()));
        rest = rest.subspan(part.size());
        if (!connection.receive(part)) break;
        for (auto& [id, response] : std::exchange(later, {}))
            connection.respond(id, std::move(response));
    }
    if (connection.idle() && !open.empty()) std::abort();
    return 0;
}
