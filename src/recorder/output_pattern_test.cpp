#include "recorder/output_pattern.hpp"

#include <gtest/gtest.h>

namespace strowger::recorder {
namespace {

TEST(OutputPattern, IsMadeOfTheCall) {
    ::setenv("TZ", "UTC", 1);
    recording::Metadata call;
    call.call_id = "abc/def@host";
    call.random_tag = "0123";
    call.text = "customer:12|queue:sales";
    const OutputName name{
        .kind = "mix",
        .label = "agent",
        .begun = WallTime(std::chrono::seconds{86'400 + 3'661} + std::chrono::microseconds{42})};
    EXPECT_EQ(output_path("%c-%r-%t", call, name), "abc_def@host-0123-mix");
    EXPECT_EQ(output_path("%Y/%m/%d/%H%M%S.%u", call, name), "1970/01/02/010101.000042");
    EXPECT_EQ(output_path("%3-%{queue}-%l-%%-%", call, name), "abc-sales-agent-%-%");
}

TEST(OutputPattern, NothingLeadsOutOfItsFolder) {
    recording::Metadata call;
    call.call_id = "..";
    call.text = "a:../../x|b:.";
    EXPECT_EQ(output_path("../%c/%{a}/%{b}/.", call, {}), ".._.._x");
    EXPECT_EQ(output_path("%c", call, {}), "recording");
    EXPECT_LE(output_path(std::string(5000, 'x'), call, {}).size(), max_name_part);
}

}  // namespace
}  // namespace strowger::recorder
