#include "wire/dtls/setup.hpp"

#include <gtest/gtest.h>

namespace strowger::dtls {
namespace {

TEST(Setup, IsReadAndWritten) {
    for (const auto setup : {Setup::actpass, Setup::active, Setup::passive, Setup::holdconn}) {
        EXPECT_EQ(setup_named(name_of(setup)), setup);
    }
    EXPECT_EQ(setup_named("ActPass"), Setup::actpass);
    EXPECT_EQ(setup_named("aktiv"), std::nullopt);
}

TEST(Setup, IsAnsweredByTheOtherRole) {
    EXPECT_EQ(answer_to(Setup::actpass, Setup::active), Setup::active);
    EXPECT_EQ(answer_to(Setup::actpass, Setup::passive), Setup::passive);
    EXPECT_EQ(answer_to(Setup::actpass, Setup::actpass), Setup::passive);  // never actpass
    EXPECT_EQ(answer_to(Setup::active, Setup::active), Setup::passive);
    EXPECT_EQ(answer_to(Setup::passive, Setup::passive), Setup::active);
    EXPECT_EQ(answer_to(Setup::holdconn, Setup::passive), std::nullopt);
    EXPECT_EQ(role_of(Setup::active), Role::client);
    EXPECT_EQ(role_of(Setup::passive), Role::server);
}

TEST(TlsId, IsMadeAsItMustBe) {
    Random random{3};
    const auto id = make_tls_id(random);
    EXPECT_TRUE(is_tls_id(id));
    EXPECT_NE(make_tls_id(random), id);
    EXPECT_TRUE(is_tls_id("abcdefghij+/-_567890"));
    EXPECT_FALSE(is_tls_id("abcdefghij+/-_56789"));  // 19
    EXPECT_FALSE(is_tls_id(std::string(256, 'a')));
    EXPECT_FALSE(is_tls_id("abcdefghijklmnopqrst uvw"));
}

}  // namespace
}  // namespace strowger::dtls
