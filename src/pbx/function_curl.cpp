// CURL and CURLOPT: what a web server says.

#include <algorithm>
#include <array>
#include <memory>

#include "base/base64.hpp"
#include "base/text.hpp"
#include "io/http_client.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/builtin.hpp"
#include "pbx/dialplan/substitution.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::Call;

constexpr Duration default_timeout = std::chrono::seconds{30};
constexpr Duration longest_timeout = std::chrono::minutes{10};  // a caller waits for it
constexpr int most_redirections = 20;                           // more of them is a circle
constexpr std::size_t max_fields = 256;                         // of an answer with hashcompat

constexpr std::array<std::string_view, 17> known_options{
    "conntimeout", "cookie",   "dnstimeout",     "failurecodes",   "followlocation", "hashcompat",
    "header",      "httpauth", "httpheader",     "httptimeout",    "maxredirs",      "referer",
    "ssl_cainfo",  "userpwd",  "ssl_verifyhost", "ssl_verifypeer", "useragent"};

// Options are variables under names that nobody else writes.
std::string variable_of(std::string_view option) {
    return fmt::format("~CURLOPT~{}~", to_lower(option));
}

/// What CURLOPT has set on a channel.
class Settings {
public:
    explicit Settings(const Call& call) : call_(call) {}

    std::string text(std::string_view option) const {
        return call_.variable(variable_of(option)).value_or("");
    }
    bool flag(std::string_view option, bool otherwise) const {
        const auto value = call_.variable(variable_of(option));
        return value ? is_true(*value) : otherwise;
    }
    Duration timeout() const {
        Duration longest{};
        for (const auto* option : {"conntimeout", "dnstimeout", "httptimeout"})
            if (const auto seconds = parse_seconds(text(option)))
                longest = std::max(longest, *seconds);
        return longest > Duration{} ? std::min(longest, longest_timeout) : default_timeout;
    }
    int redirections() const {
        if (!flag("followlocation", false)) return 0;
        const auto most = parse_number<int>(trim(text("maxredirs"))).value_or(-1);
        return most < 0 ? most_redirections : std::min(most, most_redirections);
    }
    bool is_failure(int status) const {
        for (const auto code : split(text("failurecodes"), ','))
            if (parse_number<int>(trim(code)) == status) return true;
        return false;
    }

private:
    const Call& call_;
};

Result<> set_option(Call& call, std::string_view args, std::string_view value) {
    const auto option = to_lower(trim(args));
    if (std::find(known_options.begin(), known_options.end(), option) == known_options.end()) {
        const auto near = nearest(option, {known_options.begin(), known_options.end()});
        return near ? fail("there is no option '{}' (did you mean '{}'?)", option, *near)
                    : fail("there is no option '{}'", option);
    }
    const auto name = variable_of(option);
    if (option != "httpheader" && option != "cookie")
        return call.variables().set(name, std::string(value));
    // These add up; an empty one begins anew.
    if (value.empty()) {
        call.variables().erase(name);
        return {};
    }
    auto all = call.variable(name).value_or("");
    if (!all.empty()) all += option == "cookie" ? "; " : "\n";
    return call.variables().set(name, all += value);
}

/// One client for https that checks certificates, one that does not; made when first needed,
/// because reading the system's roots takes time.
struct Contexts {
    std::shared_ptr<io::TlsContext> checking, trusting, with_own_roots;
    std::string own_roots;

    Result<std::shared_ptr<io::TlsContext>> get(const Settings& settings) {
        const bool verify =
            settings.flag("ssl_verifypeer", true) && settings.flag("ssl_verifyhost", true);
        const auto roots = settings.text("ssl_cainfo");
        auto& context = !verify ? trusting : roots.empty() ? checking : with_own_roots;
        if (verify && roots != own_roots && !roots.empty()) context.reset();
        if (context) return context;
        io::TlsContext::Options options;
        options.verify_peer = verify;
        if (verify) options.ca_file = own_roots = roots;
        auto made = io::TlsContext::client(std::move(options));
        if (!made) return std::unexpected(made.error());
        return context = *made;
    }
};

io::HttpClient::Request request_of(const Settings& settings, std::string_view args) {
    const auto [url, body] = split_once(args, ',');
    io::HttpClient::Request request;
    request.url = trim(url);
    request.body = body;
    if (args.find(',') != std::string_view::npos) request.method = "POST";
    const auto agent = settings.text("useragent");
    request.headers.add("User-Agent", agent.empty() ? "strowger" : agent);
    request.headers.add("Accept", "*/*");
    if (const auto value = settings.text("referer"); !value.empty())
        request.headers.add("Referer", value);
    if (const auto value = settings.text("cookie"); !value.empty())
        request.headers.add("Cookie", value);
    if (const auto value = settings.text("userpwd"); !value.empty())
        request.headers.add("Authorization",
                            "Basic " + to_base64(as_bytes(value), Padding::written));
    const auto own = settings.text("httpheader");
    if (!own.empty()) {
        for (const auto line : split(own, '\n')) {
            const auto [name, value] = split_once(line, ':');
            // A name with a blank or a control in it could smuggle a header of its own.
            const bool usable = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
                return static_cast<unsigned char>(c) > ' ' && c != 0x7f;
            });
            if (usable) request.headers.set(std::string(name), std::string(trim(value)));
        }
    } else if (request.method == "POST") {
        request.headers.add("Content-Type", "application/x-www-form-urlencoded");
    }
    return request;
}

// RFC 3986 section 5.2 as far as web servers use it: a whole URL, or a path on the same server.
std::string next_url(std::string_view base, std::string_view location) {
    if (location.find("://") != std::string_view::npos) return std::string(location);
    const auto scheme_end = base.find("://");
    if (scheme_end == std::string_view::npos) return std::string(location);
    if (location.starts_with("//"))
        return std::string(base.substr(0, scheme_end + 1)) + std::string(location);
    const auto authority_end = std::min(base.find_first_of("/?#", scheme_end + 3), base.size());
    if (location.starts_with('/'))
        return std::string(base.substr(0, authority_end)) + std::string(location);
    auto path = base.substr(0, base.find_first_of("?#", authority_end));
    path = path.substr(0, path.rfind('/') + 1);
    if (path.size() <= authority_end)
        return std::string(base.substr(0, authority_end)) + '/' + std::string(location);
    return std::string(path) + std::string(location);
}

std::string with_headers(const io::HttpResponse& response) {
    std::string text =
        fmt::format("HTTP/1.1 {} {}\r\n", response.status, io::http_reason(response.status));
    for (const auto& [name, value] : response.headers.fields)
        text += fmt::format("{}: {}\r\n", name, value);
    return text + "\r\n" + response.body;
}

// "a=1&b=2" becomes the row 1,2 with the fields a,b, for Set(HASH(x)=${CURL(...)}).
std::string as_row(Call& call, std::string_view body) {
    std::string fields, values;
    std::size_t count = 0;
    const auto quoted = [](const std::string& text) {
        return text.find_first_of(",\"\\") == std::string::npos ? text
                                                                : fmt::format("\"{}\"", text);
    };
    for (const auto pair : split(body, '&')) {
        const auto [name, value] = split_once(trim(pair), '=');
        if (name.empty() || ++count > max_fields) continue;
        if (!fields.empty()) fields += ',', values += ',';
        fields += quoted(io::percent_decode(name, true));
        values += quoted(io::percent_decode(value, true));
    }
    (void)call.variables().set(dialplan::row_fields, std::move(fields));
    return values;
}

Task<Result<std::string>> curl(std::shared_ptr<Contexts> contexts, Call& call, std::string args) {
    auto& core = static_cast<Channel&>(call).core();
    const Settings settings(call);
    auto request = request_of(settings, args);
    if (request.url.empty()) co_return fail("which URL?");
    if (request.url.find("://") == std::string::npos) request.url.insert(0, "http://");
    io::HttpClient::Options options;
    options.max_body = dialplan::max_substituted;
    options.timeout = settings.timeout();
    int redirections = settings.redirections();
    for (;;) {
        if (istarts_with(request.url, "https:")) {
            auto context = contexts->get(settings);
            if (!context) co_return std::unexpected(context.error());
            options.tls = *context;
        }
        io::HttpClient client(core.loop, core.resolver, options);
        auto attempt = request;
        auto response = co_await client.fetch(std::move(attempt));
        if (!response) co_return std::unexpected(response.error());
        const auto location = response->headers.get("Location");
        if (response->status / 100 == 3 && !location.empty() && redirections-- > 0) {
            request.url = next_url(request.url, location);
            // RFC 9110 section 15.4: these ask for the other resource with GET.
            if (response->status <= 303) {
                request.method = "GET";
                request.body.clear();
            }
            continue;
        }
        if (settings.is_failure(response->status))
            co_return fail("{}: the server says {}", request.url, response->status);
        std::string text =
            settings.flag("header", false) ? with_headers(*response) : std::move(response->body);
        while (!text.empty() && is_space(text.back())) text.pop_back();
        const auto row = settings.text("hashcompat");
        if (is_true(row) || iequals(row, "legacy")) co_return as_row(call, text);
        co_return text;
    }
}

}  // namespace

void add_curl_functions(dialplan::Functions& functions) {
    const auto contexts = std::make_shared<Contexts>();  // by the function, as long as it lives
    functions.add_waiting(
        "CURL", "What a web server answers: CURL(url[,post data])",
        [contexts](Call& call, std::string args) { return curl(contexts, call, std::move(args)); });
    functions.add(
        "CURLOPT", "How CURL asks: CURLOPT(option)",
        [](Call& call, std::string_view args) -> Result<std::string> {
            return Settings(call).text(trim(args));
        },
        set_option);
}

}  // namespace strowger::pbx
