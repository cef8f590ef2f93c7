#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/random.hpp"
#include "relay/call.hpp"
#include "relay/request.hpp"
#include "relay/scribe.hpp"
#include "relay/settings.hpp"

namespace strowger::relay {

/// Which calls are recorded, and what their metadata says. Files are made and filled by the Scribe.
class Recordings {
public:
    /// Of the descriptions that a capture's text has; later ones are left out.
    static constexpr std::size_t max_noted = 256 << 10;
    /// Bytes of a Call-ID in file names, whose length the system bounds.
    static constexpr std::size_t max_name = 160;
    /// Of `recording-file`, `-dir` and `-pattern`.
    static constexpr std::size_t max_path = 1024;

    struct Clock {
        std::function<Time()> now;
        std::function<WallTime()> wall;
    };
    Recordings(const Settings& settings, media::RelayEngine& engine, Clock clock);
    ~Recordings();

    /// Begins, or goes on after a pause.
    Result<> start(Call& call, const Request& request);
    void pause(Call& call);
    void stop(Call& call);
    /// Of one party, or with null of all.
    Result<> forward(Call& call, Party* party, const Request& request, bool on);

    /// A description went through: `record call` counts, the description is noted.
    void negotiated(Call& call, Party& from, const Request& request, std::string_view sent,
                    bool is_offer);
    /// After any command: streams that are new are recorded too.
    void follow(Call& call);
    /// The call is over.
    void end(const Call& call);

    bool is_recorded(const Call& call) const;
    std::size_t active() const { return books_.size(); }
    const Scribe* scribe() const { return scribe_.get(); }

private:
    struct Book {
        std::uint64_t number = 0;
        Record record;               ///< as it was set when this began
        std::string capture, about;  ///< paths, of pcap
        std::string text;            ///< for `about`
        std::string noted;           ///< the free metadata
        WallTime begun{};
        bool recording = false, paused = false;
        std::set<std::string, std::less<>> forwarded;
        bool forwards_all = false;
        std::set<std::string, std::less<>> excluded;
        std::map<std::string, unsigned, std::less<>> tags;
        struct Stream {
            std::uint16_t number = 0;
            std::uint16_t port = 0;
            std::string payloads;  ///< as they were told
            bool forwarding = false, told_opaque = false;
        };
        std::map<std::pair<unsigned, std::size_t>, Stream> streams;  ///< by tag and section
    };

    Result<Book*> book_of(Call& call, const Request& request);
    void wish(Book& book, const Request& request);
    void follow(Call& call, Book& book);
    void follow(Call& call, Book& book, Party& party, std::size_t index);
    unsigned tag_number(Book& book, const Party& party);
    void append(const Book& book, std::string_view label, std::string_view content);
    void tell_state(const Book& book);
    void close(Book& book);

    const Settings& settings_;
    media::RelayEngine& engine_;
    Clock clock_;
    Random random_;
    std::unordered_map<const Call*, Book> books_;
    std::unique_ptr<Scribe> scribe_;  // from the first recording on
};

}  // namespace strowger::relay
