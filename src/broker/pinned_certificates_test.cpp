#include "broker/pinned_certificates.hpp"

#include <gtest/gtest.h>

namespace strowger::broker {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;

constexpr WallTime start{days{20000}};

TEST(PinnedCertificates, OfferTheNextHashDaysBeforeItServes) {
    PinnedCertificates pinned(PinnedCertificates::longest_life);
    EXPECT_TRUE(*pinned.renew(start));
    const auto first = pinned.hashes();
    ASSERT_EQ(first.size(), 1u);
    EXPECT_EQ(first[0], pinned.current().sha256);
    EXPECT_EQ(first[0], *io::certificate_sha256(pinned.current().certificate));
    EXPECT_EQ(pinned.next(), start + days{7});

    EXPECT_FALSE(*pinned.renew(start + days{7}));
    const auto both = pinned.hashes();
    ASSERT_EQ(both.size(), 2u);
    EXPECT_EQ(both[0], first[0]);
    EXPECT_EQ(pinned.next(), start + days{12});

    EXPECT_TRUE(*pinned.renew(start + days{12}));
    EXPECT_EQ(pinned.current().sha256, both[1]);
    EXPECT_EQ(pinned.hashes(), std::vector{both[1]});
    EXPECT_EQ(pinned.next(), start + days{14});  // half of the second one's life
}

TEST(PinnedCertificates, AreMadeAnewAfterALongSleep) {
    PinnedCertificates pinned(PinnedCertificates::longest_life);
    EXPECT_TRUE(*pinned.renew(start));
    const auto first = pinned.hashes();
    EXPECT_TRUE(*pinned.renew(start + days{100}));
    EXPECT_EQ(pinned.hashes().size(), 1u);
    EXPECT_NE(pinned.hashes(), first);
    EXPECT_EQ(pinned.next(), start + days{107});
}

TEST(PinnedCertificates, ASuccessorThatWasMissedServesWhileItIsYoung) {
    PinnedCertificates pinned(PinnedCertificates::longest_life);
    (void)pinned.renew(start);
    (void)pinned.renew(start + days{7});
    const auto successor = pinned.hashes()[1];
    EXPECT_TRUE(*pinned.renew(start + days{15}));
    EXPECT_EQ(pinned.current().sha256, successor);
}

}  // namespace
}  // namespace strowger::broker
