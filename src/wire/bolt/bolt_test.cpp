#include "wire/bolt/bolt.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <random>
#include <string>

namespace strowger::bolt {
namespace {

// Written by bbolt itself: tests/data/bolt/README.md.
std::string file(const std::string& name) {
    std::ifstream in(std::string(STROWGER_SOURCE_DIR) + "/tests/data/bolt/" + name,
                     std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

using Pairs = std::map<std::string, std::string>;

Result<> read_into(Pairs& pairs, std::string_view database) {
    return read(
        database.size(),
        [&](std::uint64_t offset, MutableBytes out) -> Result<std::size_t> {
            if (offset >= database.size()) return 0;
            const auto rest = as_bytes(database.substr(offset));
            const auto size = std::min(rest.size(), out.size());
            std::ranges::copy(rest.first(size), out.begin());
            return size;
        },
        [&](std::string_view key, std::string_view value) { pairs.emplace(key, value); });
}

std::string error_of(std::string_view database) {
    Pairs pairs;
    const auto done = read_into(pairs, database);
    return done ? "" : std::string(done.error().text());
}

void put(std::string& database, std::size_t at, std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i)
        database[at + i] = static_cast<char>(value >> (8 * i) & 0xff);
}

TEST(Bolt, ReadsKeysOfPagesThatBranchAndOfBucketsInBuckets) {
    Pairs pairs;
    const auto done = read_into(pairs, file("many.db"));
    ASSERT_TRUE(done) << done.error().text();
    Pairs expected;
    for (int i = 1; i < 600; i += 2)
        expected.emplace(fmt::format("key {:04}", i), fmt::format("value {}", i * i));
    for (int i = 0; i < 5; ++i) expected.emplace(fmt::format("at {}", i), "here");
    EXPECT_EQ(pairs, expected);
}

TEST(Bolt, ReadsValuesThatOverflowTheirPage) {
    Pairs pairs;
    const auto done = read_into(pairs, file("storage.db"));
    ASSERT_TRUE(done) << done.error().text();
    EXPECT_EQ(pairs.size(), 8u);
    EXPECT_EQ(pairs.at("version"), "1");
    EXPECT_TRUE(pairs.at("by-name.wasm").starts_with(std::string_view("\0asm", 4)));
    EXPECT_GT(pairs.at(pairs.at("large.wasm")).size(), 20000u);
}

TEST(Bolt, AnEmptyOneHoldsNothing) {
    Pairs pairs;
    EXPECT_TRUE(read_into(pairs, file("empty.db")));
    EXPECT_TRUE(pairs.empty());
}

TEST(Bolt, OfTwoMetasTheLaterWholeOneCounts) {
    auto database = file("many.db");
    constexpr std::size_t page_size = 1024, transaction = 16 + 48;
    // The earlier transaction had all 600; the second deleted half of them.
    const bool first_is_later = database[transaction] > database[page_size + transaction];
    database[(first_is_later ? 0 : page_size) + transaction] ^= 1;  // its checksum is wrong now
    Pairs pairs;
    // Pages that only the earlier one used may have been written over since: an error is right too.
    if (read_into(pairs, database)) {
        EXPECT_NE(pairs.size(), 305u);
    }
    database[(first_is_later ? page_size : 0) + transaction] ^= 1;
    EXPECT_EQ(error_of(database), "no Bolt database, or its first pages are damaged");
}

TEST(Bolt, WhatIsNoDatabaseIsSaidToBeNone) {
    EXPECT_NE(error_of(""), "");
    EXPECT_NE(error_of("SQLite format 3"), "");
    EXPECT_NE(error_of(std::string(100'000, 'x')), "");
}

TEST(Bolt, WhatIsCutIsRefused) {
    const auto database = file("storage.db");
    Pairs all;
    ASSERT_TRUE(read_into(all, database));
    for (std::size_t size = 0; size < database.size(); size += 512) {
        Pairs pairs;
        if (read_into(pairs, database.substr(0, size))) {
            EXPECT_EQ(pairs, all) << size;
        }
    }
}

TEST(Bolt, PagesThatGoInCirclesAreRefused) {
    auto database = file("many.db");
    constexpr std::size_t page_size = 1024;
    bool any = false;
    for (std::size_t page = 2; page < database.size() / page_size; ++page) {
        const auto at = page * page_size;
        if (database[at + 8] != 1 || database[at] != static_cast<char>(page)) continue;  // a branch
        put(database, at + 16 + 8, page, 8);
        any = true;
    }
    ASSERT_TRUE(any);
    EXPECT_NE(error_of(database), "");
}

TEST(Bolt, NoByteThatIsWrongHarms) {
    std::mt19937 random(7);  // NOLINT(cert-msc51-cpp): the same each time
    for (const auto* name : {"storage.db", "many.db"}) {
        const auto database = file(name);
        for (int i = 0; i < 3000; ++i) {
            auto changed = database;
            changed[random() % changed.size()] ^= static_cast<char>(1U << random() % 8);
            changed[random() % changed.size()] = static_cast<char>(random());
            Pairs pairs;
            (void)read_into(pairs, changed);
        }
    }
}

}  // namespace
}  // namespace strowger::bolt
