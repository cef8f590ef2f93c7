#include "broker/starless_ids.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace strowger::broker {

namespace {
constexpr std::size_t uuid_size = 36;
constexpr std::size_t shortest_place = 4, longest_place = 8;  // digits
}  // namespace

std::string new_uuid(Random& random) {
    constexpr std::uint64_t version = 0x4000, variant = 0x8000'0000'0000'0000;
    const auto high = (random.next() & ~std::uint64_t{0xf000}) | version;
    const auto low = (random.next() >> 2) | variant;
    return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, high >> 16 & 0xffff,
                       high & 0xffff, low >> 48, low & 0xffff'ffff'ffff);
}

std::string starless_task_id(std::string_view uuid, std::size_t place) {
    return fmt::format("{}/{:04}", uuid, place);
}

bool is_starless_task_id(std::string_view text) {
    const auto [uuid, place] = split_once(text, '/');
    if (uuid.size() != uuid_size || place.size() < shortest_place || place.size() > longest_place)
        return false;
    for (std::size_t i = 0; i < uuid_size; ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? uuid[i] != '-' : !is_digit(uuid[i]) && (uuid[i] < 'a' || uuid[i] > 'f'))
            return false;
    }
    return std::ranges::all_of(place, is_digit);
}

}  // namespace strowger::broker
