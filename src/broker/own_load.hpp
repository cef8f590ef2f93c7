#pragma once

#include <memory>

#include "broker/jobs.hpp"

namespace strowger::broker {

/// Tasks of the broker's own, as many as wanted under way at all times, for measuring a cluster
/// (Wasimoff's benchmode): a travelling salesman's tour of random cities, from when a program is
/// stored under the name `tsp.wasm`.
class OwnLoad {
public:
    static constexpr std::string_view program = "tsp.wasm";
    static constexpr std::string_view tenant = "benchmode";
    static constexpr std::size_t most = 4096;

    OwnLoad(io::Loop& loop, Jobs& jobs, std::size_t under_way);
    ~OwnLoad();

private:
    void look();
    void submit();

    io::Loop& loop_;
    Jobs& jobs_;
    std::size_t wanted_, under_way_ = 0;
    io::Timer timer_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace strowger::broker
