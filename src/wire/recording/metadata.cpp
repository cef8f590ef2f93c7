#include "wire/recording/metadata.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text.hpp"

namespace strowger::recording {
namespace {

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    for (const auto word : split(text, ' ')) {
        if (!word.empty()) words.push_back(word);
        if (words.size() == 64) break;  // no label or list of details has as many
    }
    return words;
}

// `TAG 0 MEDIA 1 COMPONENT 1 ...`: names, each with a number.
StreamDetails details_of(std::string_view text) {
    StreamDetails details;
    const auto words = words_of(text);
    for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
        const auto number = parse_number<unsigned>(words[i + 1]);
        if (!number) continue;
        if (words[i] == "TAG") details.tag = *number;
        if (words[i] == "MEDIA") details.media = *number;
        if (words[i] == "TAG-MEDIA") details.place = *number;
        if (words[i] == "COMPONENT") details.component = *number;
    }
    return details;
}

template <typename Map>
auto* entry(Map& map, const typename Map::key_type& key) {
    if (map.size() >= Metadata::max_entries && !map.contains(key))
        return static_cast<typename Map::mapped_type*>(nullptr);
    return &map[key];
}

}  // namespace

std::string chunk_text(std::string_view label, std::string_view content) {
    content = content.substr(0, max_content);
    return fmt::format("{}\n{}:\n{}\n\n", label.substr(0, max_label), content.size(), content);
}

void ChunkReader::feed(std::string_view text) {
    buffer_.erase(0, at_);
    at_ = 0;
    buffer_ += text;
}

Result<std::optional<Chunk>> ChunkReader::next() {
    if (broken_) return fail("the metadata was broken before this");
    const auto broken = [&](std::string_view what) {
        broken_ = true;
        return fail("metadata: expected {}", what);
    };
    const std::string_view rest = std::string_view(buffer_).substr(at_);
    const auto line = rest.substr(0, max_label + 1).find('\n');
    if (line == std::string_view::npos) {
        if (rest.size() > max_label) return broken("a label and the end of its line");
        return std::nullopt;
    }
    constexpr std::size_t longest_length = 10;  // digits and the colon
    const auto after = rest.substr(line + 1);
    const auto colon = after.substr(0, longest_length + 1).find(":\n");
    if (colon == std::string_view::npos) {
        if (after.size() > longest_length) return broken("a length after the label");
        return std::nullopt;
    }
    const auto size = parse_number<std::size_t>(after.substr(0, colon));
    if (!size || *size > max_content) return broken("a length that a chunk can have");
    const auto content = after.substr(colon + 2);
    if (content.size() < *size + 2) return std::nullopt;
    if (content.substr(*size, 2) != "\n\n") return broken("two ends of line after the content");
    at_ += line + 1 + colon + 2 + *size + 2;
    return Chunk{rest.substr(0, line), content.substr(0, *size)};
}

void Metadata::apply(const Chunk& chunk) {
    const auto [label, content] = chunk;
    const bool on = content == "1";
    for (const auto& [name, field] :
         {std::pair<std::string_view, std::string*>{"CALL-ID", &call_id},
          {"PARENT", &parent},
          {"RANDOM_TAG", &random_tag},
          {"METADATA", &text},
          {"RECORDING_FILE", &file},
          {"RECORDING_PATH", &path},
          {"RECORDING_PATTERN", &pattern},
          {"FEED", &feed}})
        if (label == name) *field = content;
    if (label == "RECORDING") recording = on;
    if (label == "FORWARDING") forwarding = on;
    if (label == "SKIP_DATABASE") skip_database = on;
    if (label == "DISCARD") discard = on;
    if (label == "STARTED") started = parse_number<double>(content);

    const auto words = words_of(label);
    if (words.size() < 2) return;
    const auto number = parse_number<unsigned>(words[1]);
    if (!number) return;
    if (words.size() == 2) {
        std::string TagDetails::* field = words[0] == "TAG"            ? &TagDetails::tag
                                          : words[0] == "LABEL"        ? &TagDetails::label
                                          : words[0] == "METADATA-TAG" ? &TagDetails::metadata
                                                                       : nullptr;
        if (field)
            if (auto* tag = entry(tags, *number)) tag->*field = content;
        return;
    }
    if (words[0] == "STREAM" && words[2] == "details") {
        auto details = details_of(content);
        if (auto* stream = entry(streams, *number)) {
            details.forwarding = stream->forwarding;
            *stream = details;
        }
    }
    if (words[0] == "STREAM" && words[2] == "FORWARDING")
        if (auto* stream = entry(streams, *number)) stream->forwarding = on;
    if (words[0] != "MEDIA") return;
    if (words[2] == "PTIME") {
        if (auto* time = entry(packet_times, *number))
            *time = parse_number<unsigned>(content).value_or(0);
    }
    const auto type = parse_number<unsigned>(words.back());
    if (!type || *type > 127) return;
    const bool fmtp = words[2] == "FMTP" && words.size() == 4;
    const bool codec = words[2] == "PAYLOAD" && words.size() == 5;
    if (!fmtp && !codec) return;
    if (auto* payload = entry(payloads, {*number, *type}))
        (fmtp ? payload->parameters : payload->codec) = content;
}

std::optional<std::string_view> Metadata::value(std::string_view key) const {
    for (const auto part : split(text, '|')) {
        const auto [name, value] = split_once(part, ':');
        if (trim(name) == key && name.size() < part.size()) return value;
    }
    return std::nullopt;
}

}  // namespace strowger::recording
