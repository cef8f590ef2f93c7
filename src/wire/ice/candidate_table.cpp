#include "wire/ice/candidate_table.hpp"

#include <algorithm>

namespace strowger::ice {
namespace {

/// Foundations of learnt candidates differ from all others (RFC 8445 section 7.3.1.3).
constexpr std::uint32_t first_learnt_foundation = 0x8000;

bool is_link_local(const IpAddress& ip) {
    return ip.is_v6() && ip.data()[0] == 0xfe && (ip.data()[1] & 0xc0) == 0x80;
}

Result<> check_usable(const Candidate& candidate) {
    if (candidate.transport != Candidate::Transport::udp) {
        return fail("candidate {}: only UDP is checked", candidate.text());
    }
    if (!candidate.resolved()) {
        return fail("candidate {}: the name is not resolved", candidate.text());
    }
    if (candidate.address.port == 0 || candidate.address.ip.is_unspecified() ||
        candidate.address.ip.is_multicast()) {
        return fail("candidate {}: nothing can be sent there", candidate.text());
    }
    if (candidate.component > 2) {
        return fail("candidate {}: components are 1 and 2 only", candidate.text());
    }
    return {};
}

}  // namespace

std::uint32_t CandidateTable::foundation_number(const std::string& foundation) {
    const auto found = std::find(foundations_.begin(), foundations_.end(), foundation);
    const auto number = found - foundations_.begin();
    if (found == foundations_.end()) foundations_.push_back(foundation);
    return static_cast<std::uint32_t>(number);
}

Result<const Base*> CandidateTable::add_local(const Candidate& candidate, SocketId socket) {
    if (auto usable = check_usable(candidate); !usable) return std::unexpected(usable.error());
    auto base = std::find_if(bases_.begin(), bases_.end(),
                             [&](const Base& other) { return other.socket == socket; });
    if (base != bases_.end() && base->priority >= candidate.priority) return nullptr;
    if (base == bases_.end()) {
        if (bases_.size() == max_bases) {
            return fail("candidate {}: more than {} sockets", candidate.text(), max_bases);
        }
        base = bases_.insert(bases_.end(), Base{});
    }
    *base = {socket, candidate.component, candidate.address.ip, candidate.priority,
             foundation_number(candidate.foundation)};
    return &*base;
}

Result<const Remote*> CandidateTable::add_remote(const Candidate& candidate) {
    if (auto usable = check_usable(candidate); !usable) return std::unexpected(usable.error());
    auto known = std::find_if(remotes_.begin(), remotes_.end(), [&](const Remote& other) {
        return other.address == candidate.address && other.component == candidate.component;
    });
    // Section 6.1.2.4: of two with one address the better stays. One that was learnt gives way to
    // what the peer says of it.
    if (known != remotes_.end() && !known->learnt && known->priority >= candidate.priority) {
        return nullptr;
    }
    if (known == remotes_.end()) {
        const auto named = std::count_if(remotes_.begin(), remotes_.end(),
                                         [](const Remote& other) { return !other.learnt; });
        if (static_cast<std::size_t>(named) >= max_remotes) {
            return fail("candidate {}: the peer has named {} already", candidate.text(), named);
        }
        known = remotes_.insert(remotes_.end(), Remote{});
    }
    *known = {candidate.address, candidate.component, candidate.priority,
              foundation_number(candidate.foundation)};
    return &*known;
}

const Remote* CandidateTable::learn(const SocketAddress& from, std::uint16_t component,
                                    std::uint32_t priority) {
    if (const auto* known = remote(from, component)) return known;
    const auto learnt = std::count_if(remotes_.begin(), remotes_.end(),
                                      [](const Remote& other) { return other.learnt; });
    if (static_cast<std::size_t>(learnt) >= max_learnt) return nullptr;
    const auto foundation = first_learnt_foundation + learnt_foundations_++ % 0x8000;
    return &remotes_.emplace_back(Remote{from, component, priority, foundation, true});
}

const Base* CandidateTable::base(SocketId socket) const {
    const auto found = std::find_if(bases_.begin(), bases_.end(),
                                    [&](const Base& base) { return base.socket == socket; });
    return found == bases_.end() ? nullptr : &*found;
}

const Remote* CandidateTable::remote(const SocketAddress& address, std::uint16_t component) const {
    const auto found = std::find_if(remotes_.begin(), remotes_.end(), [&](const Remote& remote) {
        return remote.address == address && remote.component == component;
    });
    return found == remotes_.end() ? nullptr : &*found;
}

bool CandidateTable::fit(const Base& base, const Remote& remote) {
    return base.component == remote.component &&
           base.address.is_v4() == remote.address.ip.is_v4() &&
           is_link_local(base.address) == is_link_local(remote.address.ip);
}

void CandidateTable::remove_component(std::uint16_t component) {
    std::erase_if(bases_, [&](const Base& base) { return base.component == component; });
    std::erase_if(remotes_, [&](const Remote& remote) { return remote.component == component; });
}

void CandidateTable::forget_remotes() { remotes_.clear(); }

}  // namespace strowger::ice
