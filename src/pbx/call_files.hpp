#pragma once

#include <memory>
#include <set>
#include <string>

#include "io/file.hpp"
#include "pbx/bridge.hpp"
#include "pbx/call_file.hpp"
#include "pbx/core.hpp"

namespace strowger::pbx {

/// Makes the calls that files in the outgoing spool ask for.
///
/// A file counts from its modification time on, which may lie in the future. Each attempt is noted
/// in it; it goes (or is moved to `outgoing_done`) when a call was answered, or has failed as often
/// as it may. When it has failed for good, extension `failed` of its context is run.
class CallFiles {
public:
    CallFiles(Core& core, Bridge::Starter starter) : core_(core), starter_(std::move(starter)) {}

    /// Begins to watch `<spool>/outgoing`, which is made if need be.
    Result<> open(std::string spool);

    /// Calls at once; further files wait. As many as the phones of a large house.
    static constexpr std::size_t max_running = 100;

private:
    void scan();
    void scan_at(Time when);
    Task<> run(std::string name);
    Task<> call(std::string path, CallFile file);
    void finish(const std::string& path, const CallFile& file, std::string_view status);
    void run_failed(const CallFile& file, int reason);
    void note(const std::string& path, std::string_view line);

    Core& core_;
    Bridge::Starter starter_;
    std::string spool_, directory_;
    std::unique_ptr<io::DirectoryWatch> watch_;
    std::set<std::string> running_;  ///< names
    io::Timer timer_;
    Time timer_at_ = Time::max();
};

}  // namespace strowger::pbx
