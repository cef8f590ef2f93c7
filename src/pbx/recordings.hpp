#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.hpp"
#include "io/completion.hpp"
#include "media/engine.hpp"

namespace strowger::pbx {

/// The recordings that run, of one thread. They end after their channel: the file is closed when
/// the media is already gone.
class Recordings {
public:
    using Done = io::Completion<media::RecordFinished>;

    /// `id` is of Channels::next_media_id. Resolved when the engine has told the end of that
    /// recording.
    Done begin(std::uint64_t id) { return running_[id]; }
    /// It could not be started after all.
    void forget(std::uint64_t id) { running_.erase(id); }
    /// From the engine, whether or not the channel is still there.
    void finished(const media::RecordFinished& event);

private:
    std::unordered_map<std::uint64_t, Done> running_;
};

/// Where a recording goes that the dialplan calls `name`: relative names lie below `directory`,
/// `%d` counts up until there is no such file, and the suffix is .wav whatever it was. An Error for
/// names that would leave their directory or are none.
Result<std::string> recording_path(std::string_view name, const std::string& directory);

/// Without the format that it ends in ("msg.wav", "msg:gsm"); names of sounds have none.
std::string_view without_format(std::string_view name);

}  // namespace strowger::pbx
