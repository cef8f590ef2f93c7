#include "wire/sctp/association.hpp"

#include <arpa/inet.h>
#include <usrsctp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "wire/sctp/packet_check.hpp"

namespace strowger::sctp {
namespace {

constexpr std::uint16_t common_header = 12;

sockaddr_conn address_of(std::uintptr_t id, std::uint16_t port) {
    sockaddr_conn address{};
    address.sconn_family = AF_CONN;
    address.sconn_port = htons(port);
    address.sconn_addr = reinterpret_cast<void*>(id);
    return address;
}

template <typename Option>
bool set(struct socket* socket, int level, int name, const Option& option) {
    return usrsctp_setsockopt(socket, level, name, &option, sizeof option) == 0;
}

bool subscribe(struct socket* socket, std::uint16_t type) {
    sctp_event event{};
    event.se_assoc_id = SCTP_FUTURE_ASSOC;
    event.se_type = type;
    event.se_on = 1;
    return set(socket, IPPROTO_SCTP, SCTP_EVENT, event);
}

}  // namespace

Association::Association(const Config& config)
    : config_(config), id_(Stack::the_process().add(*this)) {}

Association::~Association() {
    close();
    Stack::the_process().remove(id_);
}

Result<> Association::connect() {
    if (socket_) return fail("SCTP: the association has begun already");
    socket_ = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, nullptr, nullptr, 0, nullptr);
    if (!socket_) return fail("SCTP: no socket: {}", std::strerror(errno));
    if (auto right = set_options(); !right) return right;
    usrsctp_set_upcall(socket_, &Association::on_event, reinterpret_cast<void*>(id_));
    auto local = address_of(id_, config_.local_port);
    if (usrsctp_bind(socket_, reinterpret_cast<sockaddr*>(&local), sizeof local) != 0) {
        return fail("SCTP: port {} cannot be bound: {}", config_.local_port, std::strerror(errno));
    }
    auto remote = address_of(id_, config_.remote_port);
    if (usrsctp_connect(socket_, reinterpret_cast<sockaddr*>(&remote), sizeof remote) != 0 &&
        errno != EINPROGRESS) {
        return fail("SCTP: cannot connect: {}", std::strerror(errno));
    }
    state_ = State::connecting;
    return {};
}

Result<> Association::set_options() {
    const int buffer = static_cast<int>(config_.buffer);
    const linger abort_on_close{.l_onoff = 1, .l_linger = 0};
    const std::uint32_t on = 1;
    sctp_initmsg streams{};
    streams.sinit_num_ostreams = streams.sinit_max_instreams = config_.streams;
    sctp_assoc_value resets{};
    resets.assoc_id = SCTP_FUTURE_ASSOC;
    resets.assoc_value = SCTP_ENABLE_RESET_STREAM_REQ | SCTP_ENABLE_CHANGE_ASSOC_REQ;
    sctp_paddrparams path{};
    path.spp_address.ss_family = AF_CONN;
    path.spp_flags = SPP_PMTUD_DISABLE;                     // RFC 8261 section 5
    path.spp_pathmtu = config_.max_packet - common_header;  // which usrsctp does not count
    // Whole messages, as long as we take any: a part is delivered only of what is too long.
    const std::uint32_t delivery_point = static_cast<std::uint32_t>(
        std::min(config_.max_message + 1, config_.buffer - config_.buffer / 4));
    const bool right =
        usrsctp_set_non_blocking(socket_, 1) == 0 && set(socket_, SOL_SOCKET, SO_SNDBUF, buffer) &&
        set(socket_, SOL_SOCKET, SO_RCVBUF, buffer) &&
        set(socket_, SOL_SOCKET, SO_LINGER, abort_on_close) &&
        set(socket_, IPPROTO_SCTP, SCTP_NODELAY, on) &&
        set(socket_, IPPROTO_SCTP, SCTP_RECVRCVINFO, on) &&
        set(socket_, IPPROTO_SCTP, SCTP_INITMSG, streams) &&
        set(socket_, IPPROTO_SCTP, SCTP_ENABLE_STREAM_RESET, resets) &&
        set(socket_, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, path) &&
        set(socket_, IPPROTO_SCTP, SCTP_PARTIAL_DELIVERY_POINT, delivery_point) &&
        subscribe(socket_, SCTP_ASSOC_CHANGE) && subscribe(socket_, SCTP_STREAM_RESET_EVENT);
    if (!right) return fail("SCTP: an option is refused: {}", std::strerror(errno));
    return {};
}

int Association::on_output(void* address, void* buffer, std::size_t size, std::uint8_t,
                           std::uint8_t) {
    const auto id = reinterpret_cast<std::uintptr_t>(address);
    if (auto* association = Stack::the_process().find(id)) {
        association->output({static_cast<const std::uint8_t*>(buffer), size});
    }
    return 0;
}

void Association::on_event(struct socket*, void* argument, int) {
    auto* association = Stack::the_process().find(reinterpret_cast<std::uintptr_t>(argument));
    if (!association) return;
    association->readable_ = true;
    association->something_went_ = true;
    association->note_ready();
}

void Association::output(Bytes packet) {
    packets_.push(packet);
    note_ready();
}

void Association::note_ready() {
    if (std::exchange(is_ready_, true)) return;
    Stack::the_process().note_ready(id_);
}

void Association::receive(Bytes packet) {
    Stack::the_process().check_thread();
    if (!socket_ || !is_well_formed(packet)) return;
    usrsctp_conninput(reinterpret_cast<void*>(id_), packet.data(), packet.size(), 0);
}

bool Association::poll(Event& event) {
    if (message_done_) {
        message_done_ = false;
        message_.clear();
    }
    while (socket_ && readable_ && reads_) {
        if (read(event)) return true;
    }
    if (state_ == State::closed) return end(event);
    // The buffer may have room and the stream none, while it is being reset: only after something
    // happened is it worth another try.
    if (wants_to_write_ && something_went_ && socket_ &&
        (usrsctp_get_events(socket_) & SCTP_EVENT_WRITE)) {
        wants_to_write_ = false;
        event = {.kind = Event::Kind::writable};
        return true;
    }
    return false;
}

void Association::go_on_reading() {
    reads_ = true;
    if (readable_) note_ready();
}

bool Association::end(Event& event) {
    if (std::exchange(end_told_, true)) return false;
    event = {.kind = Event::Kind::closed};
    return true;
}

/// One step of reading; true when it makes an event.
bool Association::read(Event& event) {
    constexpr std::size_t piece = 65536;
    const std::size_t before = message_.size();
    message_.resize(before + piece);
    sctp_rcvinfo info{};
    socklen_t info_size = sizeof info;
    unsigned info_type = 0;
    int flags = 0;
    const auto size = usrsctp_recvv(socket_, message_.data() + before, piece, nullptr, nullptr,
                                    &info, &info_size, &info_type, &flags);
    message_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    if (size <= 0) {
        readable_ = false;
        if (size == 0 || (errno != EWOULDBLOCK && errno != EAGAIN)) state_ = State::closed;
        return false;
    }
    if (flags & MSG_NOTIFICATION) {
        const bool told = take_notification(Bytes(message_).subspan(before), event);
        message_.resize(before);
        return told;
    }
    if (message_.size() > config_.max_message) {
        close();
        state_ = State::closed;
        return false;
    }
    if (!(flags & MSG_EOR)) return false;
    message_done_ = true;
    event = {.kind = Event::Kind::message,
             .message = {.stream = info.rcv_sid,
                         .protocol = ntohl(info.rcv_ppid),
                         .unordered = (info.rcv_flags & SCTP_UNORDERED) != 0,
                         .bytes = message_}};
    return true;
}

bool Association::take_notification(Bytes bytes, Event& event) {
    std::uint16_t type = 0;  // what every notification begins with
    if (bytes.size() < sizeof type) return false;
    std::memcpy(&type, bytes.data(), sizeof type);
    if (type == SCTP_ASSOC_CHANGE && bytes.size() >= sizeof(sctp_assoc_change)) {
        sctp_assoc_change change;
        std::memcpy(&change, bytes.data(), sizeof change);
        if (change.sac_state == SCTP_COMM_UP) {
            state_ = State::connected;
            streams_out_ = change.sac_outbound_streams;
            event = {.kind = Event::Kind::connected};
            return true;
        }
        if (change.sac_state != SCTP_RESTART) state_ = State::closed;
        return false;
    }
    if (type != SCTP_STREAM_RESET_EVENT || bytes.size() < sizeof(sctp_stream_reset_event)) {
        return false;
    }
    sctp_stream_reset_event reset;
    std::memcpy(&reset, bytes.data(), sizeof reset);
    if (!(reset.strreset_flags & SCTP_STREAM_RESET_INCOMING_SSN)) return false;
    const Bytes list = bytes.subspan(sizeof reset);
    reset_.resize(list.size() / 2);
    std::memcpy(reset_.data(), list.data(), reset_.size() * 2);
    event = {.kind = Event::Kind::streams_reset, .streams = reset_};
    return true;
}

Association::Sent Association::send(std::uint16_t stream, std::uint32_t protocol, Bytes bytes,
                                    bool unordered, const Reliability& reliability) {
    Stack::the_process().check_thread();
    if (state_ != State::connected || bytes.empty() || stream >= streams_out_) return Sent::refused;
    sctp_sendv_spa how{};
    how.sendv_flags = SCTP_SEND_SNDINFO_VALID | SCTP_SEND_PRINFO_VALID;
    how.sendv_sndinfo.snd_sid = stream;
    how.sendv_sndinfo.snd_ppid = htonl(protocol);
    how.sendv_sndinfo.snd_flags = unordered ? SCTP_UNORDERED : 0;
    switch (reliability.policy) {
        case Reliability::Policy::reliable: how.sendv_prinfo.pr_policy = SCTP_PR_SCTP_NONE; break;
        case Reliability::Policy::retransmits: how.sendv_prinfo.pr_policy = SCTP_PR_SCTP_RTX; break;
        case Reliability::Policy::lifetime: how.sendv_prinfo.pr_policy = SCTP_PR_SCTP_TTL; break;
    }
    how.sendv_prinfo.pr_value = reliability.limit;
    const auto sent = usrsctp_sendv(socket_, bytes.data(), bytes.size(), nullptr, 0, &how,
                                    sizeof how, SCTP_SENDV_SPA, 0);
    if (sent >= 0) return Sent::accepted;
    if (errno != EWOULDBLOCK && errno != EAGAIN) return Sent::refused;
    wants_to_write_ = true;
    something_went_ = false;
    return Sent::full;
}

bool Association::reset_streams(std::span<const std::uint16_t> streams) {
    if (state_ != State::connected || streams.empty()) return false;
    std::vector<std::uint8_t> room(sizeof(sctp_reset_streams) + streams.size_bytes());
    sctp_reset_streams request{};
    request.srs_assoc_id = SCTP_ALL_ASSOC;
    request.srs_flags = SCTP_STREAM_RESET_OUTGOING;
    request.srs_number_streams = static_cast<std::uint16_t>(streams.size());
    std::memcpy(room.data(), &request, sizeof request);
    std::memcpy(room.data() + sizeof request, streams.data(), streams.size_bytes());
    return usrsctp_setsockopt(socket_, IPPROTO_SCTP, SCTP_RESET_STREAMS, room.data(),
                              static_cast<socklen_t>(room.size())) == 0;
}

void Association::close() {
    if (!socket_) return;
    usrsctp_set_upcall(socket_, nullptr, nullptr);
    usrsctp_close(std::exchange(socket_, nullptr));
    readable_ = false;
    state_ = State::closed;
}

}  // namespace strowger::sctp
