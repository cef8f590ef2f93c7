#include "broker/answers.hpp"
#include "broker/broker.hpp"
#include "broker/byte_range.hpp"
#include "broker/upload.hpp"

namespace strowger::broker {

namespace {

using io::HttpRequest;
using io::HttpResponse;

constexpr std::string_view storage_prefix = "/api/storage/";

HttpResponse stored(const Storage::File& file) {
    auto response = HttpResponse::text(200, file.ref + "\n");
    response.headers.add("X-Wasimoff-Ref", file.ref);
    return response;
}

HttpResponse upload(Storage& storage, const HttpRequest& request, const Who& who) {
    const auto media = sniff(request.body);
    if (!media) return HttpResponse::text(415, "unsupported filetype\n");
    const auto file = storage.put(request.body, *media, request.parameter("name"), owner_of(who));
    if (file) return stored(*file);
    const int code = file.error().code();
    const bool ours = code == Storage::too_large || code == Storage::not_yours;
    return HttpResponse::text(ours ? code : 422, file.error().text() + "\n");
}

HttpResponse download(Storage& storage, const HttpRequest& request) {
    if (request.method != "GET" && request.method != "HEAD")
        return HttpResponse::text(404, "not found\n");
    const auto name = std::string_view(request.path).substr(storage_prefix.size());
    const auto file = storage.find(name);
    if (!file) return HttpResponse::text(404, "file not found\n");
    const auto content = storage.read(file->ref);
    if (!content) return HttpResponse::text(500, content.error().text() + "\n");
    auto response = part_of(**content, request.headers.get("Range"));
    response.headers.add("Content-Type", file->media);
    response.headers.add("X-Wasimoff-Ref", file->ref);
    response.headers.add("Access-Control-Allow-Origin", "*");
    response.headers.add("Access-Control-Expose-Headers", "X-Wasimoff-Ref");
    // Pages that isolate themselves take files of another origin only with this.
    response.headers.add("Cross-Origin-Resource-Policy", "cross-origin");
    return response;
}

}  // namespace

void Broker::add_storage_routes() {
    server_->route(
        "POST", "/api/storage/upload",
        [this](HttpRequest request) -> strowger::Task<HttpResponse> {
            const auto who = access_.check(request, Role::upload);
            if (!who) co_return denied(who.error());
            co_return upload(*storage_, request, *who);
        },
        options_.max_file);
    // Contents are named by their digest, which only those know who have seen it; aliases are not
    // secret. Providers fetch from here without a token, as pages of other makers do.
    server_->route_now("*", "/api/storage/*",
                       [this](const HttpRequest& request) { return download(*storage_, request); });
}

}  // namespace strowger::broker
