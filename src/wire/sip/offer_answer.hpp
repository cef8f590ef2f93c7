#pragma once

#include <cstdint>

namespace strowger::sip {

/// Whose turn it is (RFC 3264, RFC 6337): at most one offer is open in a dialog.
class OfferAnswer {
public:
    enum class State : std::uint8_t { none, we_offered, they_offered, agreed };

    State state() const { return state_; }
    bool agreed_once() const { return agreed_once_; }
    bool may_offer() const { return state_ == State::none || state_ == State::agreed; }

    // Each returns false, and changes nothing, when it is out of turn.
    bool we_offer() { return open(State::we_offered); }
    bool they_offer() { return open(State::they_offered); }
    bool we_answer() { return close(State::they_offered); }
    bool they_answer() { return close(State::we_offered); }
    /// The open offer was refused: what was agreed before stands.
    void withdraw() { state_ = agreed_once_ ? State::agreed : State::none; }

private:
    bool open(State who) {
        if (!may_offer()) return false;
        state_ = who;
        return true;
    }
    bool close(State who) {
        if (state_ != who) return false;
        state_ = State::agreed;
        agreed_once_ = true;
        return true;
    }

    State state_ = State::none;
    bool agreed_once_ = false;
};

}  // namespace strowger::sip
