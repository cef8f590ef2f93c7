#include "wire/dtls/connection.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <new>
#include <stdexcept>

namespace strowger::dtls {

namespace {

constexpr std::string_view exporter_label = "EXTRACTOR-dtls_srtp";  // RFC 5764 section 4.2
constexpr std::size_t max_record = SSL3_RT_MAX_PLAIN_LENGTH;

const char* openssl_name(srtp::Suite suite) {
    switch (suite) {
        case srtp::Suite::aead_aes_256_gcm: return "SRTP_AEAD_AES_256_GCM";
        case srtp::Suite::aead_aes_128_gcm: return "SRTP_AEAD_AES_128_GCM";
        case srtp::Suite::aes_cm_128_hmac_sha1_80: return "SRTP_AES128_CM_SHA1_80";
        case srtp::Suite::aes_cm_128_hmac_sha1_32: return "SRTP_AES128_CM_SHA1_32";
        default: return nullptr;
    }
}

std::string profiles(const std::vector<srtp::Suite>& suites) {
    std::string names;
    for (const auto suite : suites) {
        const char* name = openssl_name(suite);
        if (name == nullptr) continue;
        if (!names.empty()) names += ':';
        names += name;
    }
    return names;
}

std::vector<std::uint8_t> der_of(X509* certificate) {
    std::vector<std::uint8_t> der(
        static_cast<std::size_t>(std::max(i2d_X509(certificate, nullptr), 0)));
    unsigned char* out = der.data();
    i2d_X509(certificate, &out);
    return der;
}

}  // namespace

std::vector<srtp::Suite> Connection::default_suites() {
    return {srtp::Suite::aead_aes_128_gcm, srtp::Suite::aes_cm_128_hmac_sha1_80,
            srtp::Suite::aead_aes_256_gcm};
}

void Connection::Free::operator()(ssl_st* ssl) const { SSL_free(ssl); }

Connection::Connection(std::shared_ptr<const Identity> identity, Config config)
    : identity_(std::move(identity)),
      config_(std::move(config)),
      ssl_(SSL_new(identity_->context())),
      interval_(config_.first_retransmission) {
    if (!ssl_) throw std::runtime_error("OpenSSL cannot make a DTLS connection");
    SSL* const ssl = ssl_.get();
    BIO* const bio = link_.make_bio();
    SSL_set_bio(ssl, bio, bio);
    SSL_set_app_data(ssl, this);
    SSL_set_mtu(ssl, static_cast<long>(config_.mtu));
    const auto names = profiles(config_.suites);
    if (!names.empty() && SSL_set_tlsext_use_srtp(ssl, names.c_str()) != 0) {
        throw std::runtime_error("OpenSSL does not know the SRTP profiles " + names);
    }
    if (config_.role == Role::client) {
        SSL_set_connect_state(ssl);
    } else {
        SSL_set_accept_state(ssl);
    }
}

Connection::~Connection() = default;

void Connection::start(Time now) {
    if (config_.role != Role::client || state_ != State::idle) return;
    begin(now);
    advance(now);
}

void Connection::begin(Time now) {
    state_ = State::handshake;
    handshake_end_ = now + config_.handshake_timeout;
}

void Connection::expect(std::vector<Fingerprint> fingerprints) {
    config_.fingerprints = std::move(fingerprints);
    if (state_ == State::unverified) verify_late();
}

void Connection::receive(Bytes datagram, Time now) {
    if (state_ == State::ended || datagram.empty() || datagram.size() > max_datagram) return;
    if (state_ == State::idle) {
        if (config_.role == Role::client) return;
        begin(now);
    }
    if (polled_ == events_.size()) {
        events_.clear();
        unread_.clear();
        polled_ = 0;
    }
    if (events_.size() >= max_unread) return;
    link_.offer(datagram);
    advance(now);
    link_.offer({});
}

// OpenSSL keeps 16 KiB each way, and for DTLS it does not let go of them by itself. A session of
// media alone has no use for them once it is up; as DTLS writes without looking whether they are
// there, every call that may write takes them back first.
void Connection::take_buffers() {
    ERR_clear_error();
    if (SSL_alloc_buffers(ssl_.get()) != 1) throw std::bad_alloc();
}

void Connection::advance(Time now) {
    take_buffers();
    if (state_ == State::handshake) {
        const int result = SSL_do_handshake(ssl_.get());
        follow_timer(now);
        if (result == 1) {
            handshake_done();
        } else if (SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ) {
            return fail_with_reason("handshake");
        }
    }
    if (state_ == State::connected || state_ == State::unverified) {
        const auto before = events_.size();
        read_records();
        follow_timer(now);
        if (events_.size() == before) SSL_free_buffers(ssl_.get());
    }
}

void Connection::read_records() {
    std::array<std::uint8_t, max_record> record;
    for (;;) {
        const int size = SSL_read(ssl_.get(), record.data(), static_cast<int>(record.size()));
        if (size > 0) {
            if (state_ != State::connected) continue;
            const auto begin = unread_.size();
            unread_.insert(unread_.end(), record.begin(), record.begin() + size);
            events_.push_back({.kind = Kind::received, .begin = begin, .end = unread_.size()});
            continue;
        }
        const int error = SSL_get_error(ssl_.get(), size);
        if (error == SSL_ERROR_WANT_READ) return;
        if (error == SSL_ERROR_ZERO_RETURN) {
            SSL_shutdown(ssl_.get());  // our own close_notify in return
            state_ = State::ended;
            events_.push_back({.kind = Kind::closed});
            return;
        }
        return fail_with_reason("connection");
    }
}

void Connection::follow_timer(Time now) {
    switch (link_.take_timer()) {
        case DatagramLink::Timer::unchanged: return;
        case DatagramLink::Timer::started: break;
        case DatagramLink::Timer::restarted: interval_ = config_.first_retransmission; break;
        case DatagramLink::Timer::stopped:
            interval_ = config_.first_retransmission;
            retransmission_ = Time::max();
            return;
    }
    retransmission_ = now + interval_;
}

Time Connection::deadline() const {
    switch (state_) {
        case State::handshake: return std::min(retransmission_, handshake_end_);
        case State::unverified: return handshake_end_;
        default: return Time::max();
    }
}

void Connection::tick(Time now) {
    if (now < deadline()) return;
    if (now >= handshake_end_) {
        return end(Error(fmt::format("DTLS {}: not connected within {} s",
                                     config_.role == Role::client ? "client" : "server",
                                     seconds(config_.handshake_timeout))));
    }
    interval_ = std::min(interval_ * 2, config_.longest_retransmission);
    take_buffers();
    link_.expire_timer();
    const long result = DTLSv1_handle_timeout(ssl_.get());
    follow_timer(now);
    if (result < 0) fail_with_reason("retransmission");
}

void Connection::handshake_done() {
    keys_ = export_keys();
    state_ = State::unverified;
    if (!config_.fingerprints.empty()) verify_late();
}

// The callback has seen the certificate before, but perhaps not the fingerprints.
void Connection::verify_late() {
    X509* const certificate = SSL_get0_peer_certificate(ssl_.get());
    const auto good =
        certificate == nullptr
            ? Result<>(fail("the peer showed no certificate"))
            : check_certificate(config_.fingerprints, der_of(certificate), config_.accept_sha_1);
    if (!good) {
        take_buffers();
        SSL_shutdown(ssl_.get());
        return end(good.error().within("DTLS"));
    }
    state_ = State::connected;
    events_.push_back({.kind = Kind::connected});
}

int Connection::verify_callback(x509_store_ctx_st* store, void* /*argument*/) {
    auto* const ssl =
        static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto& self = *static_cast<Connection*>(SSL_get_app_data(ssl));
    if (self.config_.fingerprints.empty()) return 1;
    const auto good =
        check_certificate(self.config_.fingerprints, der_of(X509_STORE_CTX_get0_cert(store)),
                          self.config_.accept_sha_1);
    if (good) return 1;
    self.verify_error_ = good.error().text();
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);  // alert bad_certificate
    return 0;
}

// RFC 5764 section 4.2: client key, server key, client salt, server salt.
std::optional<SrtpKeys> Connection::export_keys() const {
    const SRTP_PROTECTION_PROFILE* profile = SSL_get_selected_srtp_profile(ssl_.get());
    if (profile == nullptr) return std::nullopt;
    const auto suite = srtp::suite_of_dtls_profile(static_cast<std::uint16_t>(profile->id));
    if (!suite) return std::nullopt;
    const auto& info = srtp::info_of(*suite);
    std::array<std::uint8_t, 2 * (srtp::max_key_size + srtp::max_salt_size)> block{};
    const std::size_t size = 2 * (std::size_t{info.key_size} + info.salt_size);
    if (SSL_export_keying_material(ssl_.get(), block.data(), size, exporter_label.data(),
                                   exporter_label.size(), nullptr, 0, 0) != 1) {
        return std::nullopt;
    }
    const auto master = [&](std::size_t side) {
        const auto key = Bytes(block).subspan(side * info.key_size, info.key_size);
        const auto salt = Bytes(block).subspan(
            2 * std::size_t{info.key_size} + side * info.salt_size, info.salt_size);
        std::array<std::uint8_t, srtp::max_key_size + srtp::max_salt_size> both{};
        std::ranges::copy(salt, std::ranges::copy(key, both.begin()).out);
        return *srtp::MasterKey::from(*suite, Bytes(both).first(key.size() + salt.size()));
    };
    const auto client = master(0);
    const auto server = master(1);
    return config_.role == Role::client ? SrtpKeys{*suite, client, server}
                                        : SrtpKeys{*suite, server, client};
}

void Connection::fail_with_reason(std::string_view doing) {
    const char* reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    const std::string_view role = config_.role == Role::client ? "client" : "server";
    if (!verify_error_.empty()) {
        return end(Error(fmt::format("DTLS {} {}: {}", role, doing, verify_error_)));
    }
    end(Error(
        fmt::format("DTLS {} {}: {}", role, doing, reason != nullptr ? reason : "unknown reason")));
}

void Connection::end(Error error) {
    state_ = State::ended;
    error_ = std::move(error);
    events_.push_back({.kind = Kind::failed});
}

bool Connection::poll(Event& event) {
    if (polled_ == events_.size()) return false;
    const Pending next = events_[polled_++];
    switch (next.kind) {
        case Kind::connected: event = Connected{keys_}; break;
        case Kind::received:
            event = Received{Bytes(unread_).subspan(next.begin, next.end - next.begin)};
            break;
        case Kind::closed: event = Closed{}; break;
        case Kind::failed: event = Failed{*error_}; break;
    }
    return true;
}

Result<> Connection::send(Bytes data) {
    if (state_ != State::connected) return fail("DTLS: not connected");
    if (data.empty() || data.size() > max_data()) {
        return fail("DTLS: a record has 1 to {} bytes, not {}", max_data(), data.size());
    }
    take_buffers();
    const int sent = SSL_write(ssl_.get(), data.data(), static_cast<int>(data.size()));
    if (sent <= 0) return fail("DTLS: the record cannot be sent");
    return {};
}

std::size_t Connection::max_data() const { return DTLS_get_data_mtu(ssl_.get()); }

void Connection::close() {
    if (state_ == State::connected || state_ == State::unverified) {
        take_buffers();
        SSL_shutdown(ssl_.get());
    }
    state_ = State::ended;
}

}  // namespace strowger::dtls
