#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include <cstdlib>

#include "base/test_allocations.hpp"
#include "wire/stun/builder.hpp"

namespace {

void* counted_malloc(std::size_t size, const char*, int) {
    ++strowger::test::allocations;
    return std::malloc(size);
}
void* counted_realloc(void* old, std::size_t size, const char*, int) {
    ++strowger::test::allocations;
    return std::realloc(old, size);
}
void counted_free(void* bytes, const char*, int) { std::free(bytes); }

// OpenSSL takes other allocators only before it has allocated anything.
const bool openssl_is_counted =
    CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free) == 1;

}  // namespace

namespace strowger::stun {
namespace {

TEST(StunAllocation, CheckingAndAnsweringABindingRequestTakesNone) {
    if (!test::allocations_are_counted) GTEST_SKIP() << "a sanitizer has its own allocator";
    ASSERT_TRUE(openssl_is_counted);
    const auto key = IntegrityKey::short_term("VOkJxbRl1RmTxUk/WvJxBt");
    std::array<std::uint8_t, 200> request, response;
    const TransactionId id{{1, 2, 3}};
    const Bytes asked = Builder(request, Class::request, Method::binding, id)
                            .text(AttributeType::username, "abcd:efgh")
                            .integrity(key)
                            .fingerprint()
                            .finish();
    const SocketAddress from{IpAddress::v4({192, 0, 2, 1}), 4000};

    const auto before = test::allocations;
    const auto message = Message::parse(asked);
    const bool right = message && key.verifies(*message) == Integrity::sha1;
    const Bytes answer = Builder(response, Class::success, Method::binding, message->transaction())
                             .xor_address(AttributeType::xor_mapped_address, from)
                             .integrity(key)
                             .fingerprint()
                             .finish();
    const auto during = test::allocations - before;

    EXPECT_EQ(during, 0u);
    EXPECT_TRUE(right);
    EXPECT_EQ(answer.size(), 20u + 12 + 24 + 8);
    const auto another = std::make_unique<int>(1);
    EXPECT_GT(test::allocations, before) << "the counter itself does not count";
}

}  // namespace
}  // namespace strowger::stun
