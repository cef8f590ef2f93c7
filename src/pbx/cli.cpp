#include "pbx/cli.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "io/line_stream.hpp"
#include "pbx/exchange.hpp"

namespace strowger::pbx {

namespace {

// A reply is "0 <length>\n" or "1 <length>\n" and the text: 1 for an error.
std::string frame(const Result<std::string>& result) {
    const auto& text = result ? *result : result.error().text();
    return fmt::format("{} {}\n{}", result ? 0 : 1, text.size(), text);
}

std::vector<std::string> words_of(std::string_view line) {
    std::vector<std::string> words;
    std::string word;
    bool quoted = false, any = false;
    for (const char c : line) {
        if (c == '"') {
            quoted = !quoted;
            any = true;
        } else if (is_space(c) && !quoted) {
            if (any) words.push_back(std::move(word));
            word.clear();
            any = false;
        } else {
            word += c;
            any = true;
        }
    }
    if (any) words.push_back(std::move(word));
    return words;
}

}  // namespace

struct Cli::Client {
    std::unique_ptr<io::LineStream> lines;
};

Cli::Cli(Exchange& exchange) : exchange_(exchange) {
    add_core_commands(*this, exchange_);
    add_pjsip_commands(*this, exchange_);
    add_dialplan_commands(*this, exchange_);
    add_parking_commands(*this, exchange_);
    add_conference_commands(*this, exchange_);
    add_queue_commands(*this, exchange_);
    add({"core show help", "[words]", "this list",
         [this](const std::vector<std::string>& arguments) -> Result<std::string> {
             std::string wanted, text;
             for (const auto& argument : arguments)
                 wanted += (wanted.empty() ? "" : " ") + argument;
             for (const auto& command : commands_)
                 if (command.words.starts_with(wanted))
                     text += fmt::format("{:44} {}\n", command.words + " " + command.usage,
                                         command.summary);
             return text;
         }});
}

Cli::~Cli() = default;

void Cli::add(Command command) {
    const auto place =
        std::lower_bound(commands_.begin(), commands_.end(), command,
                         [](const Command& a, const Command& b) { return a.words < b.words; });
    commands_.insert(place, std::move(command));
}

Result<std::string> Cli::execute(std::string_view line) const {
    const auto words = words_of(line);
    if (words.empty()) return std::string();
    const Command* best = nullptr;
    std::size_t best_words = 0;
    bool best_exact = false, ambiguous = false;
    for (const auto& command : commands_) {
        const auto parts = split(command.words, ' ');
        if (parts.size() > words.size()) continue;
        bool fits = true, exact = true;
        for (std::size_t i = 0; i < parts.size() && fits; ++i) {
            fits = istarts_with(parts[i], words[i]);
            exact &= iequals(parts[i], words[i]);
        }
        if (!fits) continue;
        const bool better = !best || parts.size() > best_words ||
                            (parts.size() == best_words && exact && !best_exact);
        if (better) {
            best = &command;
            best_words = parts.size();
            best_exact = exact;
            ambiguous = false;
        } else if (parts.size() == best_words && exact == best_exact) {
            ambiguous = true;
        }
    }
    if (!best || ambiguous) {
        std::vector<std::string_view> known;
        for (const auto& command : commands_) known.push_back(command.words);
        const auto suggestion = nearest(line, known);
        return fail("No such command '{}' (type 'core show help' for a list){}\n", line,
                    suggestion ? fmt::format("; did you mean '{}'?", *suggestion) : "");
    }
    return best->run({words.begin() + static_cast<std::ptrdiff_t>(best_words), words.end()});
}

Result<> Cli::listen(const std::string& path) {
    io::Listener::Options options;
    options.max_connections = 64;
    options.max_per_source = 64;
    options.first_bytes_timeout = std::chrono::hours{24};
    auto listener = io::Listener::unix_socket(
        exchange_.core().loop, path, 0600, options, [this](std::unique_ptr<io::Stream> stream) {
            auto client = std::make_shared<Client>();
            const std::weak_ptr<Client> weak = client;
            client->lines = std::make_unique<io::LineStream>(
                std::move(stream),
                io::LineStream::Handlers{.line =
                                             [this, weak](std::string_view line) {
                                                 const auto self = weak.lock();
                                                 if (self) self->lines->send(frame(execute(line)));
                                             },
                                         .closed =
                                             [this, weak](const Error&) {
                                                 const auto self = weak.lock();
                                                 std::erase(clients_, self);
                                             }});
            clients_.push_back(std::move(client));
        });
    if (!listener) return std::unexpected(listener.error());
    listener_ = std::move(*listener);
    return {};
}

std::string cli_socket(const std::string& state_directory) { return state_directory + "/pbx.ctl"; }

Result<std::string> ask(const std::string& socket_path, const std::string& command) {
    static constexpr Duration patience = std::chrono::seconds{30};
    io::Loop loop;
    std::string reply, error;
    std::size_t start = 0, expected = std::string::npos;
    bool closed = false;
    auto stream = io::Stream::connect_unix(
        loop, socket_path, {},
        {.bytes =
             [&](Bytes bytes) {
                 reply += as_text(bytes);
                 const auto end = reply.find('\n');
                 if (expected != std::string::npos || end == std::string::npos) return;
                 start = end + 1;
                 const auto size =
                     end > 2 ? parse_number<std::size_t>(std::string_view(reply).substr(2, end - 2))
                             : std::nullopt;
                 expected = size ? start + *size : 0;
             },
         .closed =
             [&](const Error& why) {
                 closed = true;
                 error = why.text();
             }});
    std::string line = command;
    std::replace(line.begin(), line.end(), '\n', ' ');
    stream->send(line + '\n');
    (void)loop.run_until([&] { return closed || reply.size() >= expected; }, patience);
    if (reply.size() < expected || expected < start)
        return fail("Unable to connect to a running strowger at {}: {}", socket_path,
                    error.empty() ? "no answer" : error);
    if (reply.front() != '0') return fail("{}", reply.substr(start));
    return reply.substr(start);
}

}  // namespace strowger::pbx
