#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "io/raw_file.hpp"
#include "recorder/arrivals.hpp"
#include "recorder/decoder.hpp"
#include "recorder/forwarder.hpp"
#include "recorder/mix.hpp"
#include "recorder/output.hpp"
#include "wire/recording/feed.hpp"
#include "wire/recording/metadata.hpp"

namespace strowger::recorder {

/// What became of a recorded call.
struct Recorded {
    struct File {
        std::string path;
        bool mixed = false;
        std::string kind;  ///< SSRC, or `mix`
        std::string tag, label;
        std::uint32_t rate = 0;
        unsigned channels = 1;
        std::uint64_t size = 0;
        WallTime begun{};
        Duration length{};
    };
    std::string name;  ///< of the metadata file
    recording::Metadata metadata;
    WallTime begun{}, ended{};
    std::vector<File> files;
    std::string trouble;  ///< why it is not whole; empty: it is
};

/// One call in the spool: follows its metadata and its feed as they grow, and makes files of sound
/// of them. Begun again after a crash it reads both from the start, so that nothing is missing.
class RecordedCall {
public:
    /// Sources (SSRCs) of a call: a party has a new one with every hold and transfer.
    static constexpr std::size_t max_sources = 1024;
    /// Of the feed at once, so that one call with much to catch up on does not keep the others.
    static constexpr std::size_t max_read = std::size_t{1} << 20;
    /// How long the end of a call waits for a full disk to have room again.
    static constexpr Duration full_disk_patience = std::chrono::seconds{30};
    static constexpr Duration retry_interval = std::chrono::seconds{1};

    /// `folder` is the spool, `name` the metadata file in it.
    RecordedCall(const Settings& settings, std::string folder, std::string name);
    ~RecordedCall();

    /// Goes on with what has come. False: the call is over, and `result` has what became of it.
    bool poll(Time now);
    Recorded take_result() { return std::move(result_); }

private:
    struct Source {
        unsigned stream = 0, party = 0, media = 0;
        std::uint32_t ssrc = 0;
        bool egress = false;
        std::uint32_t clock = 8000;
        std::unique_ptr<Arrivals> arrivals;
        std::map<std::uint8_t, std::unique_ptr<Decoder>> decoders;
        std::optional<std::int64_t> next_number;
        std::uint64_t next_timestamp = 0;
        std::unique_ptr<Output> output;
        std::unique_ptr<media::Resampler> resampler;
        std::optional<Duration> begun;
        bool single_failed = false;
    };
    struct Mixed {
        std::unique_ptr<Mix> mix;
        std::unique_ptr<Output> output;
        bool failed = false;
    };
    enum class State { opening, going, closing, over };

    bool read_metadata();
    bool open_feed(Time now);
    void read_feed(Time now);
    void take(const recording::FeedRecord& record);
    Source* source_of(const recording::FeedRecord& record, const rtp::Packet& packet);
    Decoder* decoder_of(Source& source, std::uint8_t type);
    void release(Duration now);
    void sound(Source& source, const Arrivals::Packet& packet);
    void write_single(Source& source, std::uint32_t rate);
    void write_mixed(Source& source, std::uint32_t rate, Duration at);
    std::unique_ptr<Output> make_output(const std::string& kind, const std::string& label,
                                        std::uint32_t rate, unsigned channels);
    bool flush(Time now);
    void end(std::string trouble);
    void close(Time now);
    void keep(Output& output, Recorded::File file);
    void trouble(std::string text);
    log::About about() const { return {"recorder", result_.metadata.call_id}; }

    const Settings& settings_;
    std::string folder_;
    Recorded result_;
    State state_ = State::opening;

    io::RawFile metadata_file_, feed_file_;
    std::uint64_t metadata_at_ = 0, feed_at_ = 0;
    recording::ChunkReader chunks_;
    recording::FeedReader feed_;
    std::optional<Time> silent_since_;  // the feed's writer seems to be gone
    Duration last_at_{};                // of the newest record
    bool heard_ingress_ = false;

    std::map<std::tuple<unsigned, std::uint32_t, bool>, Source> sources_;
    std::map<unsigned, Mixed> mixed_;  // by media; 0: of all
    std::set<std::string> told_;       // codecs that are not known here
    std::uint64_t lost_ = 0;
    std::optional<Time> stalled_since_, retry_at_, closing_since_;
    std::vector<Sample> samples_, resampled_;
    std::unique_ptr<Forwarder> forwarder_;
};

}  // namespace strowger::recorder
