// What protecting a packet costs, beside libsrtp2 on the same machine in the same run. Each pair
// `ours/SUITE/BYTES` and `libsrtp2/SUITE/BYTES` is one row of `bench/run srtp`; the ratio is what
// compares between machines.
#include <benchmark/benchmark.h>
#include <srtp2/srtp.h>

#include <algorithm>
#include <cstdlib>

#include "wire/srtp/receiver.hpp"
#include "wire/srtp/sender.hpp"

namespace strowger::srtp {
namespace {

constexpr std::size_t batch = 4096;  // packets of one stream, then a session anew
constexpr std::uint32_t ssrc = 0xcafebabe;
constexpr std::size_t room = 64;

struct Batch {
    explicit Batch(std::size_t payload) : size(payload + 12), stride(size + room) {
        bytes.resize(batch * stride);
        for (std::size_t i = 0; i < batch; ++i) {
            const auto packet = at(i);
            packet[0] = 0x80;
            store16(packet, 2, static_cast<std::uint16_t>(i));
            store32(packet, 8, ssrc);
        }
    }
    MutableBytes at(std::size_t i) { return MutableBytes(bytes).subspan(i * stride, stride); }

    std::size_t size, stride;
    std::vector<std::uint8_t> bytes;
};

IdentifiedKey key_of(Suite suite) {
    static const std::vector<std::uint8_t> bytes(max_key_size + max_salt_size, 7);
    const auto& info = info_of(suite);
    const auto size = std::size_t{info.key_size} + info.salt_size;
    return {.master = MasterKey::from(suite, Bytes(bytes).first(size)).value(), .mki = {}};
}

class Libsrtp {
public:
    Libsrtp(Suite suite, srtp_ssrc_type_t direction) {
        static const bool ready = srtp_init() == srtp_err_status_ok;
        srtp_policy_t policy{};
        for (auto* kind : {&policy.rtp, &policy.rtcp}) {
            switch (suite) {
                case Suite::aead_aes_128_gcm:
                    srtp_crypto_policy_set_aes_gcm_128_16_auth(kind);
                    break;
                case Suite::aead_aes_256_gcm:
                    srtp_crypto_policy_set_aes_gcm_256_16_auth(kind);
                    break;
                case Suite::aes_256_cm_hmac_sha1_80:
                    srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(kind);
                    break;
                default: srtp_crypto_policy_set_rtp_default(kind); break;
            }
        }
        const auto key = key_of(suite);
        std::vector<std::uint8_t> bytes(SRTP_MAX_KEY_LEN);
        std::ranges::copy(key.master.key_and_salt(), bytes.begin());
        policy.key = bytes.data();
        policy.ssrc.type = direction;
        policy.window_size = rtp_window;
        if (!ready || srtp_create(&session, &policy) != srtp_err_status_ok) std::abort();
    }
    ~Libsrtp() { srtp_dealloc(session); }
    Libsrtp(const Libsrtp&) = delete;
    Libsrtp& operator=(const Libsrtp&) = delete;

    srtp_t session = nullptr;
};

void protect_ours(benchmark::State& state, Suite suite) {
    Batch packets(static_cast<std::size_t>(state.range(0)));
    for (auto _ : state) {
        state.PauseTiming();
        auto sender = Sender::make({.suite = suite}, key_of(suite)).value();
        state.ResumeTiming();
        for (std::size_t i = 0; i < batch; ++i) {
            if (!sender.protect(packets.at(i), packets.size)) std::abort();
        }
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(batch));
}

void protect_theirs(benchmark::State& state, Suite suite) {
    Batch packets(static_cast<std::size_t>(state.range(0)));
    for (auto _ : state) {
        state.PauseTiming();
        Libsrtp sender(suite, ssrc_any_outbound);
        state.ResumeTiming();
        for (std::size_t i = 0; i < batch; ++i) {
            int size = static_cast<int>(packets.size);
            if (srtp_protect(sender.session, packets.at(i).data(), &size) != srtp_err_status_ok) {
                std::abort();
            }
        }
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(batch));
}

Batch protected_batch(Suite suite, std::size_t payload, std::size_t& size) {
    Batch packets(payload);
    auto sender = Sender::make({.suite = suite}, key_of(suite)).value();
    for (std::size_t i = 0; i < batch; ++i) {
        size = sender.protect(packets.at(i), packets.size).value();
    }
    return packets;
}

void unprotect_ours(benchmark::State& state, Suite suite) {
    std::size_t size = 0;
    const auto sealed = protected_batch(suite, static_cast<std::size_t>(state.range(0)), size);
    for (auto _ : state) {
        state.PauseTiming();
        auto packets = sealed;
        auto receiver = Receiver::make({.suite = suite}, key_of(suite)).value();
        state.ResumeTiming();
        for (std::size_t i = 0; i < batch; ++i) {
            if (!receiver.unprotect(packets.at(i).first(size))) std::abort();
        }
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(batch));
}

void unprotect_theirs(benchmark::State& state, Suite suite) {
    std::size_t size = 0;
    const auto sealed = protected_batch(suite, static_cast<std::size_t>(state.range(0)), size);
    for (auto _ : state) {
        state.PauseTiming();
        auto packets = sealed;
        Libsrtp receiver(suite, ssrc_any_inbound);
        state.ResumeTiming();
        for (std::size_t i = 0; i < batch; ++i) {
            int length = static_cast<int>(size);
            if (srtp_unprotect(receiver.session, packets.at(i).data(), &length) !=
                srtp_err_status_ok) {
                std::abort();
            }
        }
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(batch));
}

void add(const std::string& name, void (*run)(benchmark::State&, Suite), Suite suite) {
    benchmark::RegisterBenchmark(name.c_str(), run, suite)
        ->Arg(160)
        ->Arg(1188)
        ->Unit(benchmark::kMicrosecond);
}

void add_all() {
    for (const auto suite : {Suite::aes_cm_128_hmac_sha1_80, Suite::aes_256_cm_hmac_sha1_80,
                             Suite::aead_aes_128_gcm, Suite::aead_aes_256_gcm}) {
        const std::string name(info_of(suite).name);
        add("protect/ours/" + name, protect_ours, suite);
        add("protect/libsrtp2/" + name, protect_theirs, suite);
        add("unprotect/ours/" + name, unprotect_ours, suite);
        add("unprotect/libsrtp2/" + name, unprotect_theirs, suite);
    }
}

}  // namespace
}  // namespace strowger::srtp

int main(int count, char** arguments) {
    strowger::srtp::add_all();
    benchmark::Initialize(&count, arguments);
    benchmark::RunSpecifiedBenchmarks();
}
