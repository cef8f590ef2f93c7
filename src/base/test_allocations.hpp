#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

/// For the one test of a program that shows that something allocates nothing: replaces `new` with
/// one that counts. The sanitizers have their own `new`, so in their builds nothing is counted.
namespace strowger::test {

inline std::size_t allocations = 0;

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define STROWGER_ALLOCATIONS_UNCOUNTED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STROWGER_ALLOCATIONS_UNCOUNTED
#endif

#ifdef STROWGER_ALLOCATIONS_UNCOUNTED
constexpr bool allocations_are_counted = false;
}  // namespace strowger::test
#else
constexpr bool allocations_are_counted = true;
}  // namespace strowger::test

void* operator new(std::size_t size) {
    ++strowger::test::allocations;
    if (void* bytes = std::malloc(size ? size : 1)) return bytes;
    throw std::bad_alloc();
}
void operator delete(void* bytes) noexcept { std::free(bytes); }
void operator delete(void* bytes, std::size_t) noexcept { std::free(bytes); }
#endif
