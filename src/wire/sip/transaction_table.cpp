#include "wire/sip/transaction_table.hpp"

#include <utility>

#include "wire/sip/keyed_hash.hpp"

namespace strowger::sip {
namespace {

constexpr std::size_t first_buckets = 1024;  // a power of two, as all sizes that follow

template <typename... Visitors>
struct Overloaded : Visitors... {
    using Visitors::operator()...;
};

}  // namespace

bool Transaction::is_client() const {
    return std::holds_alternative<InviteClientTransaction>(machine) ||
           std::holds_alternative<NonInviteClientTransaction>(machine);
}

bool Transaction::over() const {
    return std::visit(Overloaded{[](std::monostate) { return true; },
                                 [](const auto& kind) { return kind.over(); }},
                      machine);
}

Time Transaction::deadline() const {
    return std::visit(Overloaded{[](std::monostate) { return Time::max(); },
                                 [](const auto& kind) { return kind.deadline(); }},
                      machine);
}

Effect Transaction::tick(Time now) {
    return std::visit(Overloaded{[](std::monostate) { return Effect::none; },
                                 [now](auto& kind) { return kind.tick(now); }},
                      machine);
}

TransactionTable::TransactionTable(std::size_t capacity, Random& random)
    : capacity_(capacity), hash_key_{random.next(), random.next()}, buckets_(first_buckets, nil) {}

std::uint32_t TransactionTable::slot_of(TransactionId id) const {
    const auto slot = static_cast<std::uint32_t>(id.value);
    const bool alive = slot < slots_.size() && slots_[slot].used &&
                       slots_[slot].generation == static_cast<std::uint32_t>(id.value >> 32);
    return alive ? slot : nil;
}

Transaction* TransactionTable::find(TransactionId id) {
    const auto slot = slot_of(id);
    return slot == nil ? nullptr : &slots_[slot].transaction;
}

const Transaction* TransactionTable::find(TransactionId id) const {
    const auto slot = slot_of(id);
    return slot == nil ? nullptr : &slots_[slot].transaction;
}

TransactionId TransactionTable::find(std::string_view key) const {
    const auto hash = keyed_hash(hash_key_, key);
    auto slot = buckets_[hash & (buckets_.size() - 1)];
    for (; slot != nil; slot = slots_[slot].next_in_bucket) {
        if (slots_[slot].hash == hash && slots_[slot].key == key) return id_of(slot);
    }
    return {};
}

TransactionId TransactionTable::insert(std::string_view key, const Flow& flow,
                                       Transaction::Machine machine) {
    if (free_.empty()) {
        slots_.emplace_back();
        free_.push_back(static_cast<std::uint32_t>(slots_.size() - 1));
    }
    const auto index = free_.back();
    free_.pop_back();
    if (++used_ > buckets_.size()) grow_buckets();
    Slot& slot = slots_[index];
    slot.used = true;
    slot.key.assign(key);
    slot.hash = keyed_hash(hash_key_, key);
    slot.transaction.machine = std::move(machine);
    slot.transaction.flow = flow;
    link_bucket(index);
    link_flow(index, flow);
    timers_.set(index, slot.transaction.deadline());
    return id_of(index);
}

void TransactionTable::erase(TransactionId id) {
    const auto index = slot_of(id);
    if (index == nil) return;
    unlink_bucket(index);
    unlink_flow(index);
    timers_.set(index, Time::max());
    Slot& slot = slots_[index];
    if (slot.identity != 0) {
        const auto known = identities_.find(slot.identity);
        if (known != identities_.end() && known->second == id) identities_.erase(known);
        slot.identity = 0;
    }
    slot.transaction = Transaction{};
    slot.used = false;
    if (++slot.generation == 0) slot.generation = 1;  // an id is never 0
    free_.push_back(index);
    --used_;
}

void TransactionTable::identify(TransactionId id, std::string_view identity) {
    const auto index = slot_of(id);
    if (index == nil) return;
    slots_[index].identity = keyed_hash(hash_key_, identity);
    identities_[slots_[index].identity] = id;
}

TransactionId TransactionTable::find_identity(std::string_view identity) const {
    const auto known = identities_.find(keyed_hash(hash_key_, identity));
    return known == identities_.end() ? TransactionId{} : known->second;
}

void TransactionTable::settle(TransactionId id) {
    const auto index = slot_of(id);
    if (index == nil) return;
    if (slots_[index].transaction.over()) {
        erase(id);
    } else {
        timers_.set(index, slots_[index].transaction.deadline());
    }
}

void TransactionTable::leave_flow(TransactionId id) {
    const auto slot = slot_of(id);
    if (slot != nil) unlink_flow(slot);
}

std::vector<TransactionId> TransactionTable::on_flow(std::uint64_t flow_id) const {
    std::vector<TransactionId> ids;
    const auto first = flows_.find(flow_id);
    if (first == flows_.end()) return ids;
    for (auto slot = first->second; slot != nil; slot = slots_[slot].next_on_flow) {
        ids.push_back(id_of(slot));
    }
    return ids;
}

void TransactionTable::link_bucket(std::uint32_t slot) {
    auto& first = bucket(slots_[slot].hash);
    slots_[slot].next_in_bucket = first;
    first = slot;
}

void TransactionTable::unlink_bucket(std::uint32_t slot) {
    auto* link = &bucket(slots_[slot].hash);
    while (*link != slot) link = &slots_[*link].next_in_bucket;
    *link = slots_[slot].next_in_bucket;
}

void TransactionTable::link_flow(std::uint32_t slot, const Flow& flow) {
    Slot& here = slots_[slot];
    here.flow_id = is_reliable(flow.transport) ? flow.id : 0;
    if (here.flow_id == 0) return;
    const auto [entry, is_first] = flows_.try_emplace(here.flow_id, slot);
    here.previous_on_flow = nil;
    here.next_on_flow = is_first ? nil : entry->second;
    if (!is_first) slots_[entry->second].previous_on_flow = slot;
    entry->second = slot;
}

void TransactionTable::unlink_flow(std::uint32_t slot) {
    Slot& here = slots_[slot];
    if (here.flow_id == 0) return;
    if (here.next_on_flow != nil)
        slots_[here.next_on_flow].previous_on_flow = here.previous_on_flow;
    if (here.previous_on_flow != nil) {
        slots_[here.previous_on_flow].next_on_flow = here.next_on_flow;
    } else if (here.next_on_flow != nil) {
        flows_[here.flow_id] = here.next_on_flow;
    } else {
        flows_.erase(here.flow_id);
    }
    here.flow_id = 0;
}

void TransactionTable::grow_buckets() {
    buckets_.assign(buckets_.size() * 2, nil);
    for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
        if (slots_[slot].used && !slots_[slot].key.empty()) link_bucket(slot);
    }
}

}  // namespace strowger::sip
