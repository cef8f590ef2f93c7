#include "relay/sdes.hpp"

#include <algorithm>

namespace strowger::relay {
namespace {

bool allowed(srtp::Suite suite, const Request& request) {
    if (request.sdes_nonew) return false;
    if (!request.sdes_only.empty()) return request.sdes_only.contains(suite);
    return !request.sdes_no.contains(suite);
}

// Ruling out applies to what the other party offers as well, `nonew` does not.
bool passes(srtp::Suite suite, const Request& request) {
    if (request.sdes_nonew) return true;
    return allowed(suite, request);
}

std::vector<srtp::Suite> in_order(const Request& request) {
    std::vector<srtp::Suite> suites = request.sdes_order;
    for (const auto& info : srtp::suites)
        if (std::ranges::find(suites, info.suite) == suites.end()) suites.push_back(info.suite);
    return suites;
}

auto of_suite(srtp::Suite suite) {
    return [suite](const srtp::Crypto& crypto) { return crypto.policy.suite == suite; };
}

}  // namespace

void Sdes::remember(const srtp::Crypto& crypto) {
    if (std::ranges::none_of(made_, of_suite(crypto.policy.suite))) made_.push_back(crypto);
}

void Sdes::read(const sdp::Media& media) {
    theirs_.clear();
    for (const auto value : media.attribute_values("crypto")) {
        if (theirs_.size() == max_crypto) break;
        if (auto crypto = srtp::parse_crypto(value)) theirs_.push_back(std::move(*crypto));
    }
}

srtp::Crypto Sdes::fresh(srtp::Suite suite, std::uint32_t tag, const Request& request) const {
    srtp::Crypto crypto{.tag = tag, .policy = {.suite = suite}, .keys = {}};
    if (srtp::info_of(suite).cipher != srtp::Cipher::aes_gcm) {
        crypto.policy.encrypt_rtp = request.encrypt_rtp.value_or(true);
        crypto.policy.authenticate_rtp = request.authenticate_rtp.value_or(true);
    }
    crypto.policy.encrypt_rtcp = request.encrypt_rtcp.value_or(true);
    const auto kept = std::ranges::find_if(made_, of_suite(suite));
    if (kept != made_.end()) {
        crypto.keys = kept->keys;
        return crypto;
    }
    srtp::SdesKey key{.key = {srtp::MasterKey::random(suite), {}}, .lifetime = {}};
    if (request.sdes_lifetime) key.lifetime = std::uint64_t{1} << 31;
    crypto.keys.push_back(std::move(key));
    return crypto;
}

void Sdes::offer(const std::vector<srtp::Crypto>& others, const Request& request) {
    ours_.clear();
    if (request.sdes_off) return;
    std::uint32_t tag = 0;
    for (const auto& crypto : others) {
        if (!passes(crypto.policy.suite, request)) continue;
        ours_.push_back(crypto);
        tag = std::max(tag, crypto.tag);
    }
    for (const auto suite : in_order(request)) {
        if (!allowed(suite, request)) continue;
        if (std::ranges::any_of(ours_, of_suite(suite))) continue;
        ours_.push_back(fresh(suite, ++tag, request));
        remember(ours_.back());
    }
}

const srtp::Crypto* Sdes::chosen() const {
    if (theirs_.empty()) return nullptr;
    for (const auto& crypto : ours_)
        if (crypto.tag == theirs_.front().tag &&
            crypto.policy.suite == theirs_.front().policy.suite)
            return &crypto;
    // A wrong tag, but there is no doubt about what is meant.
    for (const auto& crypto : ours_)
        if (crypto.policy.suite == theirs_.front().policy.suite) return &crypto;
    return nullptr;
}

void Sdes::accept(const srtp::Crypto& of_theirs, const srtp::Crypto& with_key) {
    srtp::Crypto answer = with_key;
    answer.tag = of_theirs.tag;
    ours_ = {std::move(answer)};
    // What was offered first is what is used: the others are forgotten.
    theirs_ = {srtp::Crypto(of_theirs)};
}

bool Sdes::accept_first(const Request& request) {
    for (const auto& offered : theirs_) {
        if (!passes(offered.policy.suite, request)) continue;
        srtp::Crypto answer = fresh(offered.policy.suite, offered.tag, request);
        answer.policy = offered.policy;
        remember(answer);
        const srtp::Crypto taken = offered;
        accept(taken, answer);
        return true;
    }
    return false;
}

std::vector<std::string> Sdes::lines(const Request& request) const {
    std::vector<std::string> lines;
    for (const auto& crypto : ours_)
        lines.push_back(
            srtp::print(crypto, request.sdes_pad ? Padding::written : Padding::omitted));
    return lines;
}

}  // namespace strowger::relay
