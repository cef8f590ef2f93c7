#include "io/sqlite.hpp"

#include <gtest/gtest.h>

#include "io/test_directory.hpp"

namespace strowger::io {
namespace {

TEST(Sqlite, BindsStepsAndReadsEveryType) {
    auto database = Database::open(":memory:").value();
    ASSERT_TRUE(database.exec("CREATE TABLE t (i INTEGER, r REAL, s TEXT, b BLOB, n TEXT)"));
    auto insert = database.prepare("INSERT INTO t VALUES (?,?,?,?,?)").value();
    const std::array<std::uint8_t, 3> blob{0, 1, 255};
    insert.bind(1, std::int64_t{1} << 40).bind(2, 1.5).bind(3, "O'Brien; DROP TABLE t");
    insert.bind_blob(4, blob).bind_null(5);
    ASSERT_TRUE(insert.run());
    EXPECT_EQ(database.last_insert_id(), 1);
    insert.reset();
    insert.bind(3, "").bind_blob(4, {});
    ASSERT_TRUE(insert.run());
    auto select = database.prepare("SELECT * FROM t ORDER BY rowid").value();
    ASSERT_TRUE(select.step().value());
    EXPECT_EQ(select.integer(0), std::int64_t{1} << 40);
    EXPECT_EQ(select.real(1), 1.5);
    EXPECT_EQ(select.text(2), "O'Brien; DROP TABLE t");
    EXPECT_TRUE(std::ranges::equal(select.blob(3), blob));
    EXPECT_TRUE(select.is_null(4));
    ASSERT_TRUE(select.step().value());
    EXPECT_FALSE(select.is_null(2));
    EXPECT_FALSE(select.is_null(3));
    EXPECT_TRUE(select.is_null(0));
    EXPECT_FALSE(select.step().value());
    EXPECT_TRUE(select.step().value());  // from the beginning
}

TEST(Sqlite, ErrorsAreValues) {
    auto database = Database::open(":memory:").value();
    EXPECT_FALSE(database.exec("SELEKT"));
    EXPECT_FALSE(database.prepare("SELECT * FROM absent"));
    EXPECT_FALSE(database.prepare("  "));
    auto statement = database.prepare("SELECT ?").value();
    statement.bind(2, "x");
    EXPECT_FALSE(statement.step());
    ASSERT_TRUE(database.exec("CREATE TABLE u (k TEXT UNIQUE); INSERT INTO u VALUES ('a')"));
    const auto again = database.exec("INSERT INTO u VALUES ('a')");
    ASSERT_FALSE(again);
    EXPECT_NE(again.error().text().find("UNIQUE constraint failed: u.k"), std::string::npos);
    EXPECT_FALSE(Database::open("/no/such/directory/x.db"));
}

TEST(Sqlite, KeepsWhatWasCommittedAndNothingElse) {
    const TestDirectory directory;
    const auto path = directory.path + "/state.db";
    {
        auto database = Database::open(path).value();
        ASSERT_TRUE(database.exec("CREATE TABLE t (x)"));
        auto kept = Transaction::begin(database).value();
        ASSERT_TRUE(database.exec("INSERT INTO t VALUES (1)"));
        ASSERT_TRUE(kept.commit());
        auto dropped = Transaction::begin(database).value();
        ASSERT_TRUE(database.exec("INSERT INTO t VALUES (2)"));
    }
    auto database = Database::open(path).value();
    auto count = database.prepare("SELECT count(*), sum(x) FROM t").value();
    ASSERT_TRUE(count.step().value());
    EXPECT_EQ(count.integer(0), 1);
    EXPECT_EQ(count.integer(1), 1);
    auto mode = database.prepare("PRAGMA journal_mode").value();
    ASSERT_TRUE(mode.step().value());
    EXPECT_EQ(mode.text(0), "wal");
}

}  // namespace
}  // namespace strowger::io
