#pragma once

#include <string>
#include <vector>

#include "broker/jobs.hpp"

namespace strowger::broker {

/// What several providers made of one task whose client said that it gives the same result
/// wherever it runs: believed once enough of them say the same.
///
/// Two results are the same when status, output, errors and the files in the artifacts are; how an
/// archive is packed, and when, does not count.
class Opinions {
public:
    enum class Standing : std::uint8_t { open, agreed, split };

    /// `wanted` of at most 2 * wanted - 1 have to agree.
    explicit Opinions(std::size_t wanted) : wanted_(wanted) {}

    Standing add(ProviderId provider, TaskResponse response);
    std::size_t size() const { return all_.size(); }

    /// Once agreed: the result, as the first that said so gave it; and who said something else.
    TaskResponse take();
    std::vector<ProviderId> dissenters() const;

private:
    struct Opinion {
        ProviderId provider;
        std::string digest;
        TaskResponse response;
    };
    std::size_t wanted_;
    std::vector<Opinion> all_;
    std::string agreed_;  // the digest
};

}  // namespace strowger::broker
