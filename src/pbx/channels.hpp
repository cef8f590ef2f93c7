#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/text.hpp"
#include "base/time.hpp"

namespace strowger::pbx {

class Channel;
class SipChannel;

/// Every channel that there is, by its uniqueid. Keeps them alive until `remove`.
class Channels {
public:
    void add(std::shared_ptr<Channel> channel);
    void remove(const Channel& channel);
    void clear();  ///< removes all

    std::shared_ptr<Channel> find(std::string_view uniqueid) const;
    std::shared_ptr<Channel> find_by_name(std::string_view name) const;
    std::vector<std::shared_ptr<Channel>> all() const;  ///< in order of creation
    /// The legs of one device, by the name that they were made with: "PJSIP/alice", any case.
    const std::vector<const Channel*>& of_device(std::string_view device) const;
    std::size_t size() const { return by_id_.size(); }

    /// SIP legs by the tag that we gave them, for requests within their dialogs and for Replaces.
    void bind_dialog(const std::string& local_tag, std::weak_ptr<SipChannel> channel) {
        by_tag_[local_tag] = std::move(channel);
    }
    void unbind_dialog(const std::string& local_tag) { by_tag_.erase(local_tag); }
    std::shared_ptr<SipChannel> find_by_tag(std::string_view local_tag) const;

    /// "1763802000.17": seconds since 1970 when the exchange started, and a running number.
    std::string next_uniqueid(WallTime now);
    /// "PJSIP/alice-00000001".
    std::string next_name(std::string_view technology, std::string_view resource);
    /// A number for a play or a recording, by which its end finds the channel that asked for it:
    /// the party that is played to may be another's (Local halves).
    std::uint64_t next_media_id(const Channel& channel);
    /// For what belongs to no channel.
    std::uint64_t next_media_id() { return ++last_media_id_; }
    std::shared_ptr<Channel> find_by_media_id(std::uint64_t id) const;
    void forget_media_id(std::uint64_t id) { media_ids_.erase(id); }

    /// Channels made since start.
    std::uint64_t created() const { return created_; }
    /// Calls that were given a dialplan.
    std::uint64_t calls = 0;

private:
    std::unordered_map<std::string, std::shared_ptr<Channel>, TextHash, std::equal_to<>> by_id_;
    std::unordered_map<std::string, std::weak_ptr<SipChannel>, TextHash, std::equal_to<>> by_tag_;
    /// Lower case, without the running number: device states must not walk through every call.
    std::unordered_map<std::string, std::vector<const Channel*>, TextHash, std::equal_to<>>
        by_device_;
    std::unordered_map<std::uint64_t, std::string> media_ids_;  ///< to uniqueid
    std::uint64_t last_media_id_ = 0;
    std::uint64_t created_ = 0;
    std::uint64_t names_ = 0;
};

}  // namespace strowger::pbx
