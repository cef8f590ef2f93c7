#pragma once

#include <deque>
#include <memory>
#include <set>
#include <string>

#include "io/file.hpp"
#include "io/loop.hpp"
#include "recorder/notifier.hpp"
#include "recorder/settings.hpp"
#include "recorder/store.hpp"
#include "recorder/workers.hpp"

namespace strowger::recorder {

/// The recorder: watches the spool, has every call in it recorded, writes down what became of it,
/// tells whoever wants to know, and takes it out of the spool.
class Service {
public:
    /// Calls at once; those beyond wait in the spool.
    static constexpr std::size_t max_calls = 10'000;
    /// How often the whole spool is looked at, besides being told of changes.
    static constexpr Duration scan_interval = std::chrono::seconds{5};

    static Result<std::unique_ptr<Service>> start(io::Loop& loop, Settings settings);
    ~Service();

private:
    Service(io::Loop& loop, Settings settings);
    void scan();
    void begin(const std::string& name);
    void finished(Recorded call);

    io::Loop& loop_;
    const Settings settings_;
    std::optional<Store> store_;
    std::unique_ptr<Notifier> notifier_;
    std::set<std::string> known_;
    std::unique_ptr<io::DirectoryWatch> watch_;
    io::Timer timer_;
    std::unique_ptr<Workers> workers_;
};

}  // namespace strowger::recorder
