#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/random.hpp"
#include "wire/sip/header_line.hpp"
#include "wire/sip/invite_client_transaction.hpp"
#include "wire/sip/invite_server_transaction.hpp"
#include "wire/sip/non_invite_client_transaction.hpp"
#include "wire/sip/non_invite_server_transaction.hpp"
#include "wire/sip/received.hpp"
#include "wire/sip/timer_heap.hpp"
#include "wire/sip/transaction_id.hpp"

namespace strowger::sip {

/// One transaction: its machine, and what the machine's effects need.
struct Transaction {
    using Machine =
        std::variant<std::monostate, InviteServerTransaction, NonInviteServerTransaction,
                     InviteClientTransaction, NonInviteClientTransaction>;

    Machine machine;
    Flow flow;            ///< where its messages go
    std::string message;  ///< the request of a client transaction; the last response of a server's
    ReceivedPtr request;  ///< an INVITE that has no response yet, for the 100
    OwnerTag owner = 0;
    /// The user asked to cancel before that was allowed: with these headers, as soon as it is.
    std::unique_ptr<HeaderLines> cancel_later;
    bool cancelled = false;
    bool silent = false;  ///< a CANCEL of the layer's own: its outcome is nobody's business

    template <typename Kind>
    Kind* as() {
        return std::get_if<Kind>(&machine);
    }
    bool is_client() const;
    bool over() const;
    Time deadline() const;
    Effect tick(Time now);
};

/// The transactions of a layer by id, by matching key, by deadline and by connection. Slots are
/// used again, so that a busy layer allocates nothing for its bookkeeping.
class TransactionTable {
public:
    TransactionTable(std::size_t capacity, Random& random);

    bool full() const { return used_ >= capacity_; }
    std::size_t size() const { return used_; }

    /// Nothing when the id's transaction is gone.
    Transaction* find(TransactionId id);
    const Transaction* find(TransactionId id) const;
    TransactionId find(std::string_view key) const;

    /// Precondition: not full, and the key is new. References stay valid until erased.
    TransactionId insert(std::string_view key, const Flow& flow, Transaction::Machine machine);
    void erase(TransactionId id);

    /// Notes what the transaction's request is, by whatever way it came: the identity of section
    /// 8.2.2.2. The newest of equal ones is found.
    void identify(TransactionId id, std::string_view identity);
    TransactionId find_identity(std::string_view identity) const;

    /// After its machine moved: takes over its deadline, or erases it if it is over.
    void settle(TransactionId id);
    Time deadline() const { return timers_.next(); }
    TransactionId next_due() const { return id_of(timers_.next_item()); }

    /// It no longer depends on its connection.
    void leave_flow(TransactionId id);
    /// Those of one stream connection, in no order.
    std::vector<TransactionId> on_flow(std::uint64_t flow_id) const;

private:
    static constexpr std::uint32_t nil = 0xffffffff;

    struct Slot {
        Transaction transaction;
        std::string key;
        std::uint64_t hash = 0;
        std::uint32_t generation = 1;
        std::uint32_t next_in_bucket = nil;
        std::uint32_t next_on_flow = nil, previous_on_flow = nil;
        std::uint64_t flow_id = 0;   ///< the list that it is in; 0 for none
        std::uint64_t identity = 0;  ///< its place in `identities_`; 0 for none
        bool used = false;
    };

    TransactionId id_of(std::uint32_t slot) const {
        return {std::uint64_t{slots_[slot].generation} << 32 | slot};
    }
    std::uint32_t slot_of(TransactionId id) const;
    std::uint32_t& bucket(std::uint64_t hash) { return buckets_[hash & (buckets_.size() - 1)]; }
    void link_bucket(std::uint32_t slot);
    void unlink_bucket(std::uint32_t slot);
    void link_flow(std::uint32_t slot, const Flow& flow);
    void unlink_flow(std::uint32_t slot);
    void grow_buckets();

    std::size_t capacity_;
    std::size_t used_ = 0;
    std::array<std::uint64_t, 2> hash_key_;
    std::deque<Slot> slots_;
    std::vector<std::uint32_t> free_;
    std::vector<std::uint32_t> buckets_;
    std::unordered_map<std::uint64_t, std::uint32_t> flows_;  ///< first slot on each connection
    std::unordered_map<std::uint64_t, TransactionId> identities_;  ///< by their keyed hash
    TimerHeap timers_;
};

}  // namespace strowger::sip
