// Any text as challenge and credentials: parsed, printed, answered, verified.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/sip/authenticator.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace strowger;
    using namespace strowger::sip;
    static const Authenticator authenticator({.realm = "r"}, Authenticator::Key{});
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto secret = Secret::password("p");
    if (const auto credentials = Credentials::parse(text)) {
        // No chance input may know the secret.
        if (authenticator.verify(*credentials, "REGISTER", secret, Time{}) ==
            Authenticator::Verdict::ok)
            std::abort();
        (void)response_of(*credentials, "REGISTER", Secret::ha1(text), text);
        const auto printed = credentials->text();
        if (credentials->is_digest() && !Credentials::parse(printed)) std::abort();
    }
    if (const auto challenge = Challenge::parse(text)) {
        const auto printed = challenge->text();
        if (challenge->is_digest() && !Challenge::parse(printed)) std::abort();
        const auto answer = answer_challenge(*challenge, "u", secret, "REGISTER", "sip:r", "c", 1);
        if (answer && !Credentials::parse(*answer)) std::abort();
    }
    return 0;
}
