#include "broker/opinions.hpp"

#include <gtest/gtest.h>

#include "wire/zip/zip.hpp"

namespace strowger::broker {
namespace {

using Standing = Opinions::Standing;

pb::Task_Wasip1_Response said(std::string text, int status = 0) {
    pb::Task_Wasip1_Response response;
    response.mutable_ok()->set_status(status);
    response.mutable_ok()->set_stdout(std::move(text));
    return response;
}

std::string output(const TaskResponse& response) {
    return std::get<pb::Task_Wasip1_Response>(response).ok().stdout();
}

TEST(Opinions, AreBelievedOnceEnoughAgree) {
    Opinions opinions(2);
    EXPECT_EQ(opinions.add(1, said("42")), Standing::open);
    EXPECT_EQ(opinions.add(2, said("42")), Standing::agreed);
    EXPECT_EQ(output(opinions.take()), "42");
    EXPECT_TRUE(opinions.dissenters().empty());
}

TEST(Opinions, OneThatIsAloneWithItsOwnIsOutvoted) {
    Opinions opinions(2);
    EXPECT_EQ(opinions.add(1, said("666")), Standing::open);
    EXPECT_EQ(opinions.add(2, said("42")), Standing::open);
    EXPECT_EQ(opinions.add(3, said("42")), Standing::agreed);
    EXPECT_EQ(output(opinions.take()), "42");
    EXPECT_EQ(opinions.dissenters(), std::vector<ProviderId>{1});
}

TEST(Opinions, AreSplitWhenNoneHasEnough) {
    Opinions opinions(2);
    EXPECT_EQ(opinions.add(1, said("1")), Standing::open);
    EXPECT_EQ(opinions.add(2, said("2")), Standing::open);
    EXPECT_EQ(opinions.add(3, said("3")), Standing::split);
}

TEST(Opinions, DifferInStatusOutputAndErrors) {
    auto with_errors = said("x");
    with_errors.mutable_ok()->set_stderr("y");
    pb::Task_Wasip1_Response failed;
    failed.set_error("x");
    const std::vector<pb::Task_Wasip1_Response> all{said("x"), said("x", 1), said("xy"),
                                                    with_errors, failed};
    for (const auto& one : all)
        for (const auto& other : all) {
            if (&one == &other) continue;
            Opinions opinions(2);
            (void)opinions.add(1, one);
            EXPECT_EQ(opinions.add(2, other), Standing::open);
        }
}

TEST(Opinions, AnAbsentFieldIsAnEmptyOne) {
    pb::Task_Wasip1_Response bare;
    bare.mutable_ok();
    Opinions opinions(2);
    (void)opinions.add(1, bare);
    EXPECT_EQ(opinions.add(2, said("")), Standing::agreed);
}

TEST(Opinions, CompareTheFilesOfArtifactsAndNotHowTheyArePacked) {
    const auto made = [](std::vector<zip::File> files) {
        auto response = said("");
        response.mutable_ok()->mutable_artifacts()->set_blob(zip::write(files));
        return response;
    };
    Opinions opinions(3);
    (void)opinions.add(1, made({{"a", "1"}, {"b", "2"}}));
    EXPECT_EQ(opinions.add(2, made({{"a", "1"}, {"b", "3"}})), Standing::open);
    EXPECT_EQ(opinions.add(3, made({{"b", "2"}, {"a", "1"}})), Standing::open);
    EXPECT_EQ(opinions.add(4, made({{"b", "2"}, {"a", "1"}})), Standing::agreed);
    EXPECT_EQ(opinions.dissenters(), std::vector<ProviderId>{2});
}

}  // namespace
}  // namespace strowger::broker
