// Our SRTP beside libsrtp2: the same packets must give the same bytes, and the same bytes the same
// verdicts, through loss, disorder, repetition, forgery and rollover.
#if __has_include(<srtp2/srtp.h>)
#include <gtest/gtest.h>
#include <srtp2/srtp.h>

#include <memory>

#include "base/random.hpp"
#include "wire/srtp/receiver.hpp"
#include "wire/srtp/sender.hpp"
#include "wire/srtp/test_bytes.hpp"

namespace strowger::srtp {
namespace {

/// One direction of libsrtp2 under one key.
class Libsrtp {
public:
    Libsrtp(const Policy& policy, const IdentifiedKey& key, srtp_ssrc_type_t direction) {
        static const bool ready = srtp_init() == srtp_err_status_ok;
        EXPECT_TRUE(ready);
        key_bytes_.assign(key.master.key_and_salt().begin(), key.master.key_and_salt().end());
        key_bytes_.resize(SRTP_MAX_KEY_LEN);
        mki_ = key.mki;
        srtp_policy_t theirs{};
        set(policy.suite, theirs);
        const auto services = [](bool encrypt, bool authenticate) {
            return static_cast<srtp_sec_serv_t>((encrypt ? sec_serv_conf : sec_serv_none) |
                                                (authenticate ? sec_serv_auth : sec_serv_none));
        };
        const bool null = info_of(policy.suite).cipher == Cipher::null;
        theirs.rtp.sec_serv = services(policy.encrypt_rtp && !null, policy.authenticate_rtp);
        theirs.rtcp.sec_serv = services(policy.encrypt_rtcp && !null, true);
        if (!policy.authenticate_rtp) {  // or it would take away a tag that it does not look at
            theirs.rtp.auth_type = 0;
            theirs.rtp.auth_key_len = theirs.rtp.auth_tag_len = 0;
        }
        theirs.ssrc.type = direction;
        theirs.window_size = rtp_window;
        srtp_master_key_t master{key_bytes_.data(), mki_.data(),
                                 static_cast<unsigned>(mki_.size())};
        srtp_master_key_t* masters[] = {&master};
        if (mki_.empty()) {
            theirs.key = key_bytes_.data();
        } else {
            theirs.keys = masters;
            theirs.num_master_keys = 1;
        }
        EXPECT_EQ(srtp_create(&session_, &theirs), srtp_err_status_ok);
    }
    ~Libsrtp() { srtp_dealloc(session_); }
    Libsrtp(const Libsrtp&) = delete;
    Libsrtp& operator=(const Libsrtp&) = delete;

    std::string protect(Buffer packet) {
        int size = room(packet);
        const auto status = srtp_protect_mki(session_, packet.data(), &size, !mki_.empty(), 0);
        return outcome(status, packet, size);
    }
    std::string protect_rtcp(Buffer packet) {
        int size = room(packet);
        const auto status = srtp_protect_rtcp_mki(session_, packet.data(), &size, !mki_.empty(), 0);
        return outcome(status, packet, size);
    }
    std::string unprotect(Buffer packet) {
        int size = static_cast<int>(packet.size());
        const auto status = srtp_unprotect_mki(session_, packet.data(), &size, !mki_.empty());
        return outcome(status, packet, size);
    }
    std::string unprotect_rtcp(Buffer packet) {
        int size = static_cast<int>(packet.size());
        const auto status = srtp_unprotect_rtcp_mki(session_, packet.data(), &size, !mki_.empty());
        return outcome(status, packet, size);
    }

private:
    static int room(Buffer& packet) {
        const int size = static_cast<int>(packet.size());
        packet.resize(packet.size() + SRTP_MAX_TRAILER_LEN + 4);
        return size;
    }

    static std::string outcome(srtp_err_status_t status, const Buffer& packet, int size) {
        switch (status) {
            case srtp_err_status_ok:
                return hex(Bytes(packet).first(static_cast<std::size_t>(size)));
            case srtp_err_status_auth_fail: return "authentication tag does not match";
            case srtp_err_status_replay_fail: return "packet seen before";
            case srtp_err_status_replay_old: return "packet older than the replay window";
            case srtp_err_status_bad_mki: return "unknown master key identifier";
            default: return "libsrtp error " + std::to_string(status);
        }
    }

    static void set(Suite suite, srtp_policy_t& policy) {
        const auto both = [&](void (*rtp)(srtp_crypto_policy_t*),
                              void (*rtcp)(srtp_crypto_policy_t*)) {
            rtp(&policy.rtp);
            rtcp(&policy.rtcp);
        };
        constexpr auto cm_128 = srtp_crypto_policy_set_rtp_default;
        constexpr auto cm_128_32 = srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32;
        constexpr auto cm_256 = srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80;
        constexpr auto cm_256_32 = srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32;
        constexpr auto null = srtp_crypto_policy_set_null_cipher_hmac_sha1_80;
        constexpr auto gcm_128 = srtp_crypto_policy_set_aes_gcm_128_16_auth;
        constexpr auto gcm_256 = srtp_crypto_policy_set_aes_gcm_256_16_auth;
        switch (suite) {
            case Suite::aes_cm_128_hmac_sha1_80: return both(cm_128, cm_128);
            case Suite::aes_cm_128_hmac_sha1_32: return both(cm_128_32, cm_128);
            case Suite::aes_256_cm_hmac_sha1_80: return both(cm_256, cm_256);
            case Suite::aes_256_cm_hmac_sha1_32: return both(cm_256_32, cm_256);
            case Suite::aead_aes_128_gcm: return both(gcm_128, gcm_128);
            case Suite::aead_aes_256_gcm: return both(gcm_256, gcm_256);
            case Suite::null_hmac_sha1_80: return both(null, null);
            default: FAIL() << "libsrtp has no " << info_of(suite).name;
        }
    }

    Buffer key_bytes_, mki_;
    srtp_t session_ = nullptr;
};

std::string protected_by(Sender& sender, Buffer packet) {
    const auto size = packet.size();
    packet.resize(size + sender.headroom());
    const auto made = sender.protect(packet, size);
    return made ? hex(Bytes(packet).first(*made)) : std::string(text_of(made.error()));
}
std::string protected_rtcp_by(Sender& sender, Buffer packet) {
    const auto size = packet.size();
    packet.resize(size + sender.headroom());
    const auto made = sender.protect_rtcp(packet, size);
    return made ? hex(Bytes(packet).first(*made)) : std::string(text_of(made.error()));
}
std::string read_by(Receiver& receiver, Buffer packet) {
    const auto size = receiver.unprotect(packet);
    return size ? hex(Bytes(packet).first(*size)) : std::string(text_of(size.error()));
}
std::string read_rtcp_by(Receiver& receiver, Buffer packet) {
    const auto size = receiver.unprotect_rtcp(packet);
    return size ? hex(Bytes(packet).first(*size)) : std::string(text_of(size.error()));
}

/// An RTP packet with sources, an extension and a payload, as chance has it.
Buffer any_packet(Random& random, std::uint32_t ssrc, std::uint16_t sequence) {
    Buffer packet(12);
    const auto sources = random.below(4) == 0 ? random.below(16) : 0;
    const bool extended = random.below(3) == 0;
    packet[0] = static_cast<std::uint8_t>(0x80 | (extended ? 0x10 : 0) | sources);
    packet[1] = static_cast<std::uint8_t>(random.below(128));
    store16(packet, 2, sequence);
    store32(packet, 4, random.next32());
    store32(packet, 8, ssrc);
    packet.resize(packet.size() + sources * 4);
    if (extended) {
        const auto words = random.below(6);
        for (const auto byte : {0xbe, 0xde, 0, static_cast<int>(words)}) {
            packet.push_back(static_cast<std::uint8_t>(byte));
        }
        packet.resize(packet.size() + words * 4);
    }
    for (auto left = 1 + random.below(random.below(8) == 0 ? 1200 : 180); left > 0; --left) {
        packet.push_back(static_cast<std::uint8_t>(random.next()));
    }
    return packet;
}

Buffer any_report(Random& random, std::uint32_t ssrc) {
    auto packet = rtcp_packet(ssrc, static_cast<std::uint8_t>(random.next()));
    packet.resize(8 + 4 * random.below(20));
    store16(packet, 2, static_cast<std::uint16_t>(packet.size() / 4 - 1));
    return packet;
}

struct Case {
    std::string name;
    Policy policy;
    std::size_t mki_size = 0;
};

class BesideLibsrtp : public testing::TestWithParam<Case> {
protected:
    void SetUp() override {
        key.mki.resize(GetParam().mki_size, 0x5a);
        ours = std::make_unique<Sender>(Sender::make(policy, key).value());
        theirs = std::make_unique<Libsrtp>(policy, key, ssrc_any_outbound);
    }

    Policy policy = GetParam().policy;
    IdentifiedKey key{.master = MasterKey::random(policy.suite), .mki = {}};
    std::unique_ptr<Sender> ours;
    std::unique_ptr<Libsrtp> theirs;
    Random random{20};
};

TEST_P(BesideLibsrtp, ProtectsToTheSameBytes) {
    std::uint16_t sequence = 65'200;
    for (int i = 0; i < 1500; ++i) {
        const std::uint32_t ssrc = 1 + static_cast<std::uint32_t>(random.below(3));
        sequence = static_cast<std::uint16_t>(sequence + 1);
        const auto packet = any_packet(random, ssrc, sequence);
        ASSERT_EQ(protected_by(*ours, packet), theirs->protect(packet)) << i;
        if (i % 10 != 0) continue;
        const auto report = any_report(random, ssrc);
        ASSERT_EQ(protected_rtcp_by(*ours, report), theirs->protect_rtcp(report)) << i;
    }
}

TEST_P(BesideLibsrtp, GivesTheSameVerdictOnEveryPacket) {
    auto receiver = Receiver::make(policy, key).value();
    Libsrtp oracle(policy, key, ssrc_any_inbound);
    struct Wire {
        bool rtcp;
        Buffer bytes;
    };
    std::vector<Wire> wires;
    std::uint16_t sequence = 64'000;
    for (int i = 0; i < 3000; ++i) {
        const std::uint32_t ssrc = 1 + static_cast<std::uint32_t>(random.below(2));
        sequence = static_cast<std::uint16_t>(sequence + 1 + (random.below(300) == 0 ? 900 : 0));
        wires.push_back({false, unhex(protected_by(*ours, any_packet(random, ssrc, sequence)))});
        if (i % 6 == 0) {
            wires.push_back({true, unhex(protected_rtcp_by(*ours, any_report(random, ssrc)))});
        }
    }
    int accepted = 0;
    for (std::size_t at = 0; at < wires.size(); ++at) {
        if (random.below(10) == 0) continue;  // lost
        // Mostly the next one; now and then one of before, or from far back, or changed.
        const auto back = random.below(8) == 0 ? random.below(random.below(5) == 0 ? 2500 : 40) : 0;
        auto [rtcp, bytes] = wires[at - std::min<std::size_t>(at, back)];
        if (random.below(25) == 0) {
            bytes[random.below(bytes.size())] ^= static_cast<std::uint8_t>(1 + random.below(255));
            // A changed first byte or MKI is told in other words; what counts is that it is
            // refused.
            const bool refused =
                !(rtcp ? receiver.unprotect_rtcp(bytes) : receiver.unprotect(bytes));
            if (!policy.authenticate_rtp && !rtcp) break;  // without a tag anything goes
            ASSERT_TRUE(refused) << at;
            continue;
        }
        const auto verdict = rtcp ? read_rtcp_by(receiver, bytes) : read_by(receiver, bytes);
        ASSERT_EQ(verdict, rtcp ? oracle.unprotect_rtcp(bytes) : oracle.unprotect(bytes)) << at;
        if (bytes.size() > verdict.size() / 2 && verdict.starts_with('8')) ++accepted;
    }
    EXPECT_GT(accepted, policy.authenticate_rtp ? 1000 : 0);
}

std::vector<Case> cases() {
    std::vector<Case> all;
    // Not AES-192, where Debian's libsrtp2 derives keys with AES-256 and misses the values of RFC
    // 6188 section 7.4, and not f8, which it does not have.
    for (const auto& info : suites) {
        if (info.key_size == 24 || info.cipher == Cipher::aes_f8) continue;
        if (info.suite == Suite::null_hmac_sha1_32) continue;
        // libsrtp2 takes the null cipher for no encryption; we leave the E flag to the policy.
        if (info.cipher != Cipher::null) {
            all.push_back({std::string(info.name), {.suite = info.suite}});
        }
        all.push_back(
            {std::string(info.name) + "_clear_rtcp", {.suite = info.suite, .encrypt_rtcp = false}});
    }
    const auto cm = Suite::aes_cm_128_hmac_sha1_80;
    all.push_back({"clear_rtp", {.suite = cm, .encrypt_rtp = false}});
    all.push_back({"no_tag", {.suite = cm, .authenticate_rtp = false}});
    all.push_back({"one_byte_of_mki", {.suite = cm}, 1});
    all.push_back({"four_bytes_of_mki", {.suite = cm}, 4});
    all.push_back({"four_bytes_of_mki_and_aead", {.suite = Suite::aead_aes_128_gcm}, 4});
    return all;
}

INSTANTIATE_TEST_SUITE_P(Srtp, BesideLibsrtp, testing::ValuesIn(cases()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace strowger::srtp
#endif
