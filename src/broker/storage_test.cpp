#include "broker/storage.hpp"

#include <gtest/gtest.h>

namespace strowger::broker {
namespace {

const std::string one = std::string("\0asm", 4) + std::string(60, '1');
const std::string two = std::string("\0asm", 4) + std::string(60, '2');

std::unique_ptr<Storage> small(std::size_t total = 100) {
    return std::move(*Storage::open(":memory:", {.file = 64, .total = total}));
}

TEST(Storage, AFileOfOtherBrokersIsKnownBeforeItIsHere) {
    const auto storage = small();
    storage->learn({ref_of(one), "application/wasm", one.size()});
    storage->learn_alias("name", ref_of(one), "alice");
    ASSERT_TRUE(storage->find("name"));
    EXPECT_EQ(storage->find("name")->media, "application/wasm");
    EXPECT_EQ(storage->bytes(), 0u);
    EXPECT_EQ(storage->read(ref_of(one)).error().code(), Storage::not_here);
    EXPECT_FALSE(storage->hold(ref_of(one), two)) << "the content must be what the digest says";
    ASSERT_TRUE(storage->hold(ref_of(one), one));
    EXPECT_EQ(**storage->read(ref_of(one)), one);
    EXPECT_EQ(storage->put(two, "application/wasm", "name", "bob").error().code(),
              Storage::not_yours);
}

TEST(Storage, WhenRoomRunsShortContentGoesThatOthersHaveThoughItIsNamed) {
    const auto storage = small();
    ASSERT_TRUE(storage->put(one, "application/wasm", "one", ""));
    EXPECT_FALSE(storage->put(two, "application/wasm", "two", "")) << "named, and nowhere else";
    storage->shared(ref_of(one));
    ASSERT_TRUE(storage->put(two, "application/wasm", "two", ""));
    EXPECT_EQ(storage->bytes(), two.size());
    ASSERT_TRUE(storage->find("one"));
    EXPECT_FALSE(storage->here(ref_of(one)));
    EXPECT_FALSE(storage->hold(ref_of(one), one)) << "there is no room for both";
}

TEST(Storage, WhatIsLearnedTwiceOrIsNoDigestChangesNothing) {
    const auto storage = small();
    ASSERT_TRUE(storage->put(one, "application/wasm", "", ""));
    storage->learn({ref_of(one), "x", 1});
    storage->learn({"sha256:../../etc", "x", 1});
    storage->learn_alias("dangling", ref_of(two), "");
    EXPECT_EQ(storage->files(), 1u);
    EXPECT_EQ(storage->find(ref_of(one))->size, one.size());
    EXPECT_FALSE(storage->find("dangling"));
}

}  // namespace
}  // namespace strowger::broker
