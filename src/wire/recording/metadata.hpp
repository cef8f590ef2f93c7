#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"

namespace strowger::recording {

/// The metadata file of a recorded call: chunks that are appended while the call goes on, each a
/// label, LF, the decimal length of its content, `:`, LF, the content, LF, LF.
struct Chunk {
    std::string_view label, content;
};

constexpr std::size_t max_label = 256;
constexpr std::size_t max_content = 256 << 10;  ///< of a chunk: a whole description and more

std::string chunk_text(std::string_view label, std::string_view content);

/// Takes a metadata file apart that grows.
class ChunkReader {
public:
    void feed(std::string_view text);
    /// The next whole chunk, valid until the reader is fed again; nothing until more has come.
    Result<std::optional<Chunk>> next();

private:
    std::string buffer_;
    std::size_t at_ = 0;
    bool broken_ = false;
};

/// One stream of the feed: whose, which media section's, and what it holds.
struct StreamDetails {
    unsigned tag = 0;
    unsigned media = 0;      ///< number of the section in the call, as `MEDIA n` names it
    unsigned place = 0;      ///< of the section in its party's description, from 1
    unsigned component = 1;  ///< 1: RTP; 2: RTCP
    bool forwarding = false;
};

struct TagDetails {
    std::string tag, label, metadata;
};

/// `PCMU/8000/1` under a payload type, with its format parameters.
struct PayloadDetails {
    std::string codec, parameters;
};

/// What a metadata file says about its call, as far as it has been read.
class Metadata {
public:
    /// More than any call has; beyond it entries are not kept.
    static constexpr std::size_t max_entries = 4096;

    /// Chunks with labels that are not known are let pass.
    void apply(const Chunk& chunk);

    std::string call_id, parent, random_tag, text;
    std::string file, path, pattern;  ///< as `start recording` wished the output to be named
    std::string feed;                 ///< name of the file beside this one that has the packets
    std::map<unsigned, TagDetails> tags;
    std::map<unsigned, StreamDetails> streams;
    std::map<std::pair<unsigned, unsigned>, PayloadDetails> payloads;  ///< by media and type
    std::map<unsigned, unsigned> packet_times;                         ///< ms, by media
    std::optional<double> started;                                     ///< calendar seconds
    bool recording = false, forwarding = false, skip_database = false, discard = false;

    /// The value of `key` in the free text, which is `key:value|key:value`.
    std::optional<std::string_view> value(std::string_view key) const;
};

}  // namespace strowger::recording
