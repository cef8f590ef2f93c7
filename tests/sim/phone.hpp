#pragma once

#include <map>
#include <string>

#include "sip_host.hpp"

namespace strowger::sim {

/// What two people mean to do with one call.
struct Plan {
    enum class Kind { talk, busy, abandon };
    int number = 0;  ///< tells calls apart from end to end
    Kind kind = Kind::talk;
    Duration ringing{};  ///< until it is answered, or given up
    Duration talking{};
    bool callee_hangs_up = false;

    /// The plan travels as the call's SDP, which no one on the way may change.
    std::string offer() const;
    static Plan of(std::string_view offer);
    std::string answer() const;
};

/// What became of calls, as each side saw it: "talked", "486", "487", ...
struct Ledger {
    std::map<int, std::string> caller, callee;
    std::map<int, int> caller_answers;  ///< Answered events: one a call, and with the right answer
    std::map<int, Time> caller_ended, callee_ended;
};

/// A phone and its person: registers, keeps registered, calls and is called.
class Phone final : public SipHost {
public:
    struct Account {
        std::string user, password;
        SocketAddress server;
        Duration expiry;
    };
    Phone(VirtualNetwork& network, const SocketAddress& address, Account account, Ledger& ledger,
          std::uint64_t seed);

    static constexpr Duration longest_ringing = std::chrono::seconds{180};

    void register_now();
    void unregister();
    void dial(const std::string& callee, const Plan& plan);
    const std::string& user() const { return account_.user; }

private:
    struct Call {
        Plan plan;
        bool is_caller = false;
    };

    void send_register(const std::string& authorization);
    void on_request(const sip::RequestReceived& received) override;
    void on_response(const sip::ReceivedPtr& response) override;
    void on_event(LegId id, const sip::SessionEvent& event) override;
    void over(LegId id, const std::string& how);
    void later(Duration delay, LegId id, std::function<void(sip::InviteSession&)> act);
    std::string prove(const sip::Message& challenge, sip::HeaderId header, std::string_view method,
                      std::string_view uri);

    Account account_;
    Ledger& ledger_;
    std::map<LegId, Call> calls_;
    std::string call_id_, tag_;
    std::uint32_t cseq_ = 0;
    bool proved_ = false;
    bool leaving_ = false;
};

}  // namespace strowger::sim
