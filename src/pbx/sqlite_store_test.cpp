#include "pbx/sqlite_store.hpp"

#include <gtest/gtest.h>

#include "io/test_directory.hpp"

namespace strowger::pbx {
namespace {

TEST(SqliteStore, KeepsWhatWasPutOverARestart) {
    io::TestDirectory directory;
    const auto path = directory.path + "/database.db";
    {
        auto store = SqliteStore::open(path);
        ASSERT_TRUE(store) << store.error().text();
        EXPECT_TRUE((*store)->put("cfwd", "101", "102"));
        EXPECT_TRUE((*store)->put("cfwd", "101", "103"));
        EXPECT_TRUE((*store)->put("cfwd", "200/busy", "x"));
        EXPECT_TRUE((*store)->put("other", "k", "it's; DROP TABLE entry"));
        EXPECT_TRUE((*store)->erase("other", "k"));
        EXPECT_FALSE((*store)->erase("other", "k"));
    }
    auto store = SqliteStore::open(path);
    ASSERT_TRUE(store) << store.error().text();
    EXPECT_EQ((*store)->get("cfwd", "101"), "103");
    EXPECT_EQ((*store)->get("other", "k"), std::nullopt);
    EXPECT_EQ((*store)->erase_tree("cfwd", ""), 2U);
    store = SqliteStore::open(path);
    EXPECT_TRUE((*store)->list("", "").empty());
}

TEST(SqliteStore, RefusesAValueThatIsTooLarge) {
    auto store = SqliteStore::open(":memory:");
    ASSERT_TRUE(store) << store.error().text();
    EXPECT_FALSE((*store)->put("a", "b", std::string(SqliteStore::max_value + 1, 'x')));
    EXPECT_EQ((*store)->get("a", "b"), std::nullopt);
}

}  // namespace
}  // namespace strowger::pbx
