#include "broker/bolt_import.hpp"

#include <gtest/gtest.h>

#include "broker/storage.hpp"

namespace strowger::broker {
namespace {

const std::string database = std::string(STROWGER_SOURCE_DIR) + "/tests/data/bolt/storage.db";

TEST(BoltImport, WhatDoesNotFitIsLeftAndTheRestTakenOver) {
    // The largest of the four files has 20 kB.
    const auto storage = *Storage::open(":memory:", {.file = 1000, .total = 100'000});
    ASSERT_TRUE(import_bolt(database, *storage));
    EXPECT_EQ(storage->files(), 3u);
    EXPECT_TRUE(storage->find("nothing.wasm"));
    EXPECT_TRUE(storage->find("by-name.wasm"));
    EXPECT_FALSE(storage->find("large.wasm"));
}

TEST(BoltImport, NothingThatIsStoredGoesForIt) {
    const auto storage = *Storage::open(":memory:", {.file = 100'000, .total = 20'000});
    const std::string unnamed = "\0asm" + std::string(19'800, 'x');
    const auto stored = storage->put(unnamed, "", "", "");
    ASSERT_TRUE(stored);
    ASSERT_TRUE(import_bolt(database, *storage));
    EXPECT_TRUE(storage->here(stored->ref));
    EXPECT_LE(storage->bytes(), 20'000u);
    EXPECT_GT(storage->files(), 1u);
}

TEST(BoltImport, TwiceIsOnce) {
    const auto storage = *Storage::open(":memory:", {.file = 100'000, .total = 100'000});
    ASSERT_TRUE(import_bolt(database, *storage));
    const auto bytes = storage->bytes();
    EXPECT_EQ(storage->files(), 4u);
    EXPECT_EQ(storage->aliases().size(), 3u);
    ASSERT_TRUE(import_bolt(database, *storage));
    EXPECT_EQ(storage->bytes(), bytes);
    EXPECT_EQ(storage->aliases().size(), 3u);
}

TEST(BoltImport, ItIsNoErrorThatThereIsNone) {
    const auto storage = *Storage::open(":memory:", {.file = 1000, .total = 1000});
    EXPECT_TRUE(import_bolt(database + ".missing", *storage));
    EXPECT_EQ(storage->files(), 0u);
}

}  // namespace
}  // namespace strowger::broker
