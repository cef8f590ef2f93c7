#include "broker/static_files.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "io/file.hpp"

namespace strowger::broker {

namespace {

using io::HttpResponse;

std::string media_of(std::string_view path) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 11> types{{
        {".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".json", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".ico", "image/x-icon"},
        {".wasm", "application/wasm"},
        {".zip", "application/zip"},
        {".txt", "text/plain; charset=utf-8"},
    }};
    for (const auto& [ending, type] : types)
        if (path.ends_with(ending)) return std::string(type);
    return "application/octet-stream";
}

bool hidden(std::string_view path) {
    if (path.find('\0') != std::string_view::npos) return true;
    return std::ranges::any_of(split(path, '/'), [](auto part) { return part.starts_with('.'); });
}

}  // namespace

HttpResponse static_file(const std::string& directory, const io::HttpRequest& request) {
    const bool readable = request.method == "GET" || request.method == "HEAD";
    if (directory.empty() || !readable || !request.path.starts_with('/') || hidden(request.path))
        return HttpResponse::text(404, "not found\n");
    auto path = directory + request.path;
    if (path.ends_with('/')) path += "index.html";
    const auto info = io::file_info(path);
    if (!info || info->directory) return HttpResponse::text(404, "not found\n");
    auto content = io::read_file(path, max_static_file);
    if (!content) return HttpResponse::text(404, "not found\n");
    auto response = HttpResponse::of(200, media_of(path), std::move(*content));
    response.headers.add("Cache-Control", "no-cache");
    response.headers.add("X-Content-Type-Options", "nosniff");
    // What lets pages measure time finely and share memory between workers.
    response.headers.add("Cross-Origin-Opener-Policy", "same-origin");
    response.headers.add("Cross-Origin-Embedder-Policy", "require-corp");
    return response;
}

}  // namespace strowger::broker
