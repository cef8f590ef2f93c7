#include "wire/dtls/datagram_link.hpp"

#include <openssl/bio.h>
#include <openssl/opensslv.h>
#include <sys/time.h>

#include <algorithm>
#include <stdexcept>

#if OPENSSL_VERSION_NUMBER >= 0x30200000L
#error "From 3.2 on OpenSSL passes a copy of its timeout: DatagramLink must learn another way."
#endif

namespace strowger::dtls {

namespace {

// A flight has at most 16 KiB in datagrams of 228 bytes or more; more is dropped, as a link would.
constexpr std::size_t max_waiting = 256;

constexpr std::time_t never = std::time_t{1} << 40;

DatagramLink& link_of(BIO* bio) { return *static_cast<DatagramLink*>(BIO_get_data(bio)); }

}  // namespace

struct LinkMethod {
    static int read(BIO* bio, char* out, int size) {
        BIO_clear_retry_flags(bio);
        const int got = link_of(bio).read(
            {reinterpret_cast<std::uint8_t*>(out), static_cast<std::size_t>(std::max(size, 0))});
        if (got < 0) BIO_set_retry_read(bio);
        return got;
    }

    static int write(BIO* bio, const char* data, int size) {
        BIO_clear_retry_flags(bio);
        link_of(bio).write({reinterpret_cast<const std::uint8_t*>(data),
                            static_cast<std::size_t>(std::max(size, 0))});
        return size;
    }

    static long control(BIO* bio, int command, long /*number*/, void* pointer) {
        if (command == BIO_CTRL_FLUSH) return 1;
        if (command == BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT) {
            link_of(bio).timer_set(pointer);
            return 1;
        }
        return 0;
    }

    static BIO_METHOD* get() {
        static BIO_METHOD* const method = make();
        return method;
    }

    static BIO_METHOD* make() {
        BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagrams");
        if (method == nullptr) throw std::runtime_error("OpenSSL cannot make a BIO method");
        BIO_meth_set_read(method, read);
        BIO_meth_set_write(method, write);
        BIO_meth_set_ctrl(method, control);
        return method;
    }
};

bio_st* DatagramLink::make_bio() {
    BIO* bio = BIO_new(LinkMethod::get());
    if (bio == nullptr) throw std::runtime_error("OpenSSL cannot make a BIO");
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    return bio;
}

int DatagramLink::read(MutableBytes out) {
    if (incoming_.empty()) return -1;
    // What does not fit is gone, as with a socket.
    const auto size = std::min(incoming_.size(), out.size());
    std::ranges::copy(incoming_.first(size), out.begin());
    incoming_ = {};
    return static_cast<int>(size);
}

void DatagramLink::write(Bytes datagram) {
    if (taken_ == ends_.size()) {
        outgoing_.clear();
        ends_.clear();
        taken_ = 0;
    }
    if (waiting() >= max_waiting) return;
    outgoing_.insert(outgoing_.end(), datagram.begin(), datagram.end());
    ends_.push_back(outgoing_.size());
}

bool DatagramLink::poll(Bytes& datagram) {
    if (taken_ == ends_.size()) return false;
    const std::size_t begin = taken_ == 0 ? 0 : ends_[taken_ - 1];
    datagram = Bytes(outgoing_).subspan(begin, ends_[taken_] - begin);
    ++taken_;
    return true;
}

void DatagramLink::timer_set(void* place) {
    auto& time = *static_cast<timeval*>(place);
    next_timeout_ = place;
    const bool runs = time.tv_sec != 0 || time.tv_usec != 0;
    const bool stopped = timer_ == Timer::stopped || timer_ == Timer::restarted;
    timer_ = !runs ? Timer::stopped : stopped ? Timer::restarted : Timer::started;
    if (runs) time = {.tv_sec = never, .tv_usec = 0};
}

DatagramLink::Timer DatagramLink::take_timer() { return std::exchange(timer_, Timer::unchanged); }

void DatagramLink::expire_timer() {
    if (next_timeout_ == nullptr) return;
    auto& time = *static_cast<timeval*>(next_timeout_);
    if (time.tv_sec != 0) time = {.tv_sec = 1, .tv_usec = 0};  // 1970
}

}  // namespace strowger::dtls
