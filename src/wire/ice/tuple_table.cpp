#include "wire/ice/tuple_table.hpp"

#include <cstring>

namespace strowger::ice {
namespace {

constexpr std::size_t first_slots = 64;

/// The whole product folded: every bit of the result depends on every bit of both.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = Wide{a} * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

TupleTable::TupleTable(Random& random)
    : secret_{random.next() | 1, random.next() | 1, random.next() | 1}, slots_(first_slots) {}

TupleTable::Key TupleTable::key_of(SocketId socket, const SocketAddress& from) {
    std::array<std::uint64_t, 2> ip{};
    std::memcpy(ip.data(), from.ip.data(), from.ip.size());
    return {ip[0], ip[1],
            std::uint64_t{from.port} << 32 | std::uint64_t{socket} << 1 | from.ip.is_v6()};
}

std::size_t TupleTable::home_of(const Key& key) const {
    const auto address = mix(key.high ^ secret_[0], key.low ^ secret_[1]);
    return mix(address ^ key.rest, secret_[2]) & (slots_.size() - 1);
}

std::size_t TupleTable::place_of(const Key& key) const {
    std::size_t at = home_of(key);
    while (slots_[at].used && slots_[at].key != key) at = (at + 1) & (slots_.size() - 1);
    return at;
}

std::optional<std::uint32_t> TupleTable::find(SocketId socket, const SocketAddress& from) const {
    const Slot& slot = slots_[place_of(key_of(socket, from))];
    return slot.used ? std::optional(slot.value) : std::nullopt;
}

std::optional<std::uint32_t> TupleTable::set(const Tuple& tuple, std::uint32_t value) {
    if ((size_ + 1) * 3 > slots_.size() * 2) grow();
    const Key key = key_of(tuple.socket, tuple.from);
    Slot& slot = slots_[place_of(key)];
    if (slot.used) {
        const auto before = std::exchange(slot.value, value);
        return before == value ? std::nullopt : std::optional(before);
    }
    slot = {key, value, true};
    ++size_;
    return std::nullopt;
}

// What follows without a gap moves up where its own home allows, so that no marks of deletion pile
// up.
void TupleTable::erase(const Tuple& tuple) {
    const std::size_t mask = slots_.size() - 1;
    std::size_t hole = place_of(key_of(tuple.socket, tuple.from));
    if (!slots_[hole].used) return;
    for (std::size_t at = (hole + 1) & mask; slots_[at].used; at = (at + 1) & mask) {
        const std::size_t wanted = home_of(slots_[at].key);
        if (((at - wanted) & mask) >= ((at - hole) & mask)) {
            slots_[hole] = slots_[at];
            hole = at;
        }
    }
    slots_[hole] = {};
    --size_;
}

void TupleTable::grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
        if (slot.used) slots_[place_of(slot.key)] = slot;
    }
}

}  // namespace strowger::ice
