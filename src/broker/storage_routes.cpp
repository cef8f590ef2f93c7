#include "base/log.hpp"
#include "broker/answers.hpp"
#include "broker/broker.hpp"
#include "broker/byte_range.hpp"
#include "broker/upload.hpp"
#include "io/completion.hpp"

namespace strowger::broker {

namespace {

using io::HttpRequest;
using io::HttpResponse;

constexpr log::About about{"broker"};
constexpr std::string_view storage_prefix = "/api/storage/";

HttpResponse stored(const Storage::File& file) {
    auto response = HttpResponse::text(200, file.ref + "\n");
    response.headers.add("X-Wasimoff-Ref", file.ref);
    return response;
}

strowger::Task<HttpResponse> upload(Storage& storage, HttpRequest request, Who who) {
    const auto media = sniff(request.body);
    if (!media) co_return HttpResponse::text(415, "unsupported filetype\n");
    const auto alias = request.parameter("name");
    const io::Completion<Result<Storage::File>> done;
    store_and_share(storage, std::move(request.body), *media, alias, who,
                    [done](Result<Storage::File> file) { done.resolve(std::move(file)); });
    const auto file = co_await done;
    if (file) co_return stored(*file);
    const int code = file.error().code();
    const bool known =
        code == Storage::too_large || code == Storage::not_yours || code == Storage::broken;
    co_return HttpResponse::text(known ? code : 422, file.error().text() + "\n");
}

strowger::Task<HttpResponse> download(Storage& storage, HttpRequest request) {
    if (request.method != "GET" && request.method != "HEAD")
        co_return HttpResponse::text(404, "not found\n");
    const auto name = request.path.substr(storage_prefix.size());
    auto* others = storage.others();
    auto file = storage.find(name);
    if (!file && others) {
        const io::Completion<bool> asked;
        others->find(name, [asked] { asked.resolve(true); });
        co_await asked;
        file = storage.find(name);
    }
    if (!file) co_return HttpResponse::text(404, "file not found\n");
    if (others && !storage.here(file->ref)) {
        const io::Completion<Result<>> done;
        others->fetch(file->ref, [done](Result<> fetched) { done.resolve(std::move(fetched)); });
        const auto fetched = co_await done;
        if (!fetched) {
            // It may name the Redis that brokers share, which is nobody else's business.
            LOG_NOTICE(about, "{}: {}", file->ref, fetched.error().text());
            co_return HttpResponse::text(503,
                                         "other brokers have this file, which cannot be had now\n");
        }
    }
    const auto content = storage.read(file->ref);
    if (!content) co_return HttpResponse::text(500, content.error().text() + "\n");
    auto response = part_of(**content, request.headers.get("Range"));
    response.headers.add("Content-Type", file->media);
    response.headers.add("X-Wasimoff-Ref", file->ref);
    response.headers.add("Access-Control-Allow-Origin", "*");
    response.headers.add("Access-Control-Expose-Headers", "X-Wasimoff-Ref");
    // Pages that isolate themselves take files of another origin only with this.
    response.headers.add("Cross-Origin-Resource-Policy", "cross-origin");
    co_return response;
}

}  // namespace

void Broker::add_storage_routes() {
    server_->route(
        "POST", "/api/storage/upload",
        [this](HttpRequest request) -> strowger::Task<HttpResponse> {
            const auto who = access_.check(request, Role::upload);
            if (!who) co_return denied(who.error());
            co_return co_await upload(*storage_, std::move(request), *who);
        },
        options_.max_file);
    // Contents are named by their digest, which only those know who have seen it; aliases are not
    // secret. Providers fetch from here without a token, as pages of other makers do.
    server_->route("*", "/api/storage/*",
                   [this](HttpRequest request) { return download(*storage_, std::move(request)); });
}

}  // namespace strowger::broker
