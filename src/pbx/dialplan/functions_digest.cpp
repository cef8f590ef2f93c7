#include <openssl/evp.h>

#include <array>
#include <memory>

#include "base/base64.hpp"
#include "pbx/dialplan/builtin.hpp"

namespace strowger::dialplan {

namespace {

using Value = Result<std::string>;

Value digest(const EVP_MD* algorithm, std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
    unsigned size = 0;
    if (EVP_Digest(text.data(), text.size(), sum.data(), &size, algorithm, nullptr) != 1)
        return fail("the digest is not available");
    return to_hex({reinterpret_cast<const char*>(sum.data()), size});
}

std::string encode64(std::string_view bytes) {
    return to_base64(as_bytes(bytes), Padding::written);
}

// Without its padding it is taken for a piece of something longer.
Value decode64(std::string_view text) {
    text = trim(text);
    if (text.size() % 4 != 0)
        return fail("{} characters of base64 are not a multiple of four", text.size());
    const auto bytes = from_base64(text);
    if (!bytes) return fail("'{}' is not base64", text.substr(0, 40));
    return std::string(as_text(*bytes));
}

// AES-128, block by block, the last one filled with zeros: what AES_ENCRYPT has always meant.
Value aes(std::string_view key, std::string input, bool encrypt) {
    static constexpr std::size_t block = 16;
    if (key.size() != block)
        return fail("the key has {} characters instead of {}", key.size(), block);
    input.resize((input.size() + block - 1) / block * block, '\0');
    const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(
        EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
    std::string output(input.size() + block, '\0');
    int size = 0;
    if (!context ||
        EVP_CipherInit_ex(context.get(), EVP_aes_128_ecb(), nullptr,
                          reinterpret_cast<const unsigned char*>(key.data()), nullptr,
                          encrypt) != 1 ||
        EVP_CIPHER_CTX_set_padding(context.get(), 0) != 1 ||
        EVP_CipherUpdate(context.get(), reinterpret_cast<unsigned char*>(output.data()), &size,
                         reinterpret_cast<const unsigned char*>(input.data()),
                         static_cast<int>(input.size())) != 1)
        return fail("AES is not available");
    output.resize(static_cast<std::size_t>(size));
    return output;
}

Value aes_encrypt(Call&, std::string_view args) {
    const auto [key, text] = split_once(args, ',');
    const auto sealed = aes(key, std::string(text), true);
    if (!sealed) return sealed;
    return encode64(*sealed);
}

Value aes_decrypt(Call&, std::string_view args) {
    const auto [key, text] = split_once(args, ',');
    auto sealed = decode64(text);
    if (!sealed) return sealed;
    auto opened = aes(key, std::move(*sealed), false);
    if (opened) opened->resize(opened->find_last_not_of('\0') + 1);
    return opened;
}

// Version 4 of RFC 9562.
Value uuid(Call& call, std::string_view) {
    auto high = call.environment().random.next();
    auto low = call.environment().random.next();
    high = (high & ~std::uint64_t{0xf000}) | 0x4000;
    low = (low & ~(std::uint64_t{3} << 62)) | (std::uint64_t{2} << 62);
    return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, high >> 16 & 0xffff,
                       high & 0xffff, low >> 48, low & 0xffffffffffff);
}

}  // namespace

void add_digest_functions(Functions& f) {
    f.add("MD5", "digest in hexadecimal",
          [](Call&, std::string_view text) { return digest(EVP_md5(), text); });
    f.add("SHA1", "digest in hexadecimal",
          [](Call&, std::string_view text) { return digest(EVP_sha1(), text); });
    f.add("BASE64_ENCODE", "text in base64",
          [](Call&, std::string_view text) -> Value { return encode64(text); });
    f.add("BASE64_DECODE", "text out of base64",
          [](Call&, std::string_view text) { return decode64(text); });
    f.add("AES_ENCRYPT", "text sealed with a key of 16 characters", aes_encrypt);
    f.add("AES_DECRYPT", "text opened with a key of 16 characters", aes_decrypt);
    f.add("UUID", "a random UUID", uuid);
}

}  // namespace strowger::dialplan
