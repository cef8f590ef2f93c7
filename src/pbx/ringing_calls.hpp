#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace strowger::pbx {

class Channel;
namespace config {
struct Endpoint;
}

/// A Dial that rings, as those see it who may answer in place of the phones that ring.
class RingingCall {
public:
    virtual const Channel& caller() const = 0;
    /// The legs that have not answered yet.
    virtual const std::vector<std::shared_ptr<Channel>>& ringing() const = 0;
    /// `picker`, which is up, is taken as the one that answered; the others are hung up.
    virtual void answered_by(std::shared_ptr<Channel> picker) = 0;

protected:
    ~RingingCall() = default;
};

/// The calls that ring at this moment, for call pickup. Belongs to one thread.
class RingingCalls {
public:
    /// Is this ringing leg one that is looked for?
    using Wanted = std::function<bool(const Channel& leg)>;

    /// Known until the returned share is let go of, which must be before the call ends.
    [[nodiscard]] std::shared_ptr<void> add(RingingCall& call);
    /// The call with a wanted leg that has rung for longest, but none of `picker`'s own.
    RingingCall* find(const Wanted& wanted, const Channel& picker) const;
    std::size_t size() const { return calls_->size(); }

private:
    using Calls = std::map<std::uint64_t, RingingCall*>;
    // Shared with what `add` returned, which may be let go of later than this.
    std::shared_ptr<Calls> calls_ = std::make_shared<Calls>();
    std::uint64_t last_ = 0;
};

/// Whether one endpoint may pick up calls to another: a pickup group, by number or name, is one of
/// the other's call groups.
bool may_pick_up(const config::Endpoint& picker, const config::Endpoint& ringing);

}  // namespace strowger::pbx
