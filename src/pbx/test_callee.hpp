#pragma once

#include <string>
#include <utility>

#include "pbx/test_exchange.hpp"
#include "wire/sip/uri.hpp"

namespace strowger::pbx::testing {

/// For tests: a SIP phone that can be called as well, as the contact of the aor of its name. It
/// rings and waits for the test to answer.
class TestCallee : public TestCaller {
public:
    TestCallee(TestExchange& exchange, std::string user) : TestCaller(exchange, user) {
        Contact contact;
        contact.uri = "sip:" + user + "@" + local_;
        contact.is_static = true;
        exchange.core().location.bind(user, std::move(contact));
    }

    /// True once an INVITE has come that is not answered yet.
    bool rings(Duration limit = std::chrono::seconds{3}) {
        return exchange_.loop.run_until([&] { return ringing_; }, limit);
    }
    void answer_call() {
        respond(200, phone.sdp("0 101", {"0 PCMU/8000", "101 telephone-event/8000"}));
    }
    void refuse(int status) { respond(status, {}); }
    /// rings, then answers, and waits until the exchange knows.
    bool pick_up() {
        if (!rings()) return false;
        answer_call();
        return exchange_.loop.run_until([&] { return got("ACK"); }, std::chrono::seconds{3});
    }
    /// Ends the call that came.
    void hang_up() override {
        if (invite_.empty()) {
            TestCaller::hang_up();
            return;
        }
        const auto invite = *sip::Message::parse(invite_);
        const auto contact = *sip::NameAddress::parse(*invite.header(sip::HeaderId::contact));
        send("BYE " + std::string(contact.uri) + " SIP/2.0\r\nVia: SIP/2.0/UDP " + local_ +
             ";branch=z9hG4bKbye" + tag_ + "\r\nMax-Forwards: 70\r\nFrom: " +
             std::string(invite.to()) + ";tag=" + tag_ + "\r\nTo: " + std::string(invite.from()) +
             "\r\nCall-ID: " + std::string(invite.call_id()) +
             "\r\nCSeq: 7 BYE\r\nContent-Length: 0\r\n\r\n");
    }
    /// The number and name that the phone shows: From of the last INVITE.
    std::string shown() const {
        const auto message = sip::Message::parse(invite_);
        return message ? std::string(split_once(message->from(), ';').first) : std::string();
    }

    std::string uri() const { return "sip:" + user_ + "@" + local_; }

    bool cancelled = false;
    std::string last_offer;  ///< SDP of the newest INVITE, re-INVITEs included

protected:
    bool answer(const sip::Message& message, const std::string& text) override {
        switch (message.method()) {
            case sip::Method::invite:
                last_offer = message.body();
                if (!last_offer.empty()) phone.call(last_offer);
                if (!message.to_tag().empty()) {
                    respond_to(text, 200,
                               phone.sdp("0 101", {"0 PCMU/8000", "101 telephone-event/8000"},
                                         opposite(last_offer)));
                    return true;
                }
                static int calls = 0;
                tag_ = "callee" + std::to_string(++calls);
                invite_ = text;
                ringing_ = true;
                cancelled = false;
                requests.erase("ACK");
                requests.erase("BYE");
                respond(180, {});
                return true;
            case sip::Method::cancel:
                cancelled = true;
                respond_to(text, 200, {});
                respond(487, {});
                return true;
            case sip::Method::ack: return true;
            default: return false;
        }
    }

private:
    static std::string opposite(const std::string& sdp) {
        if (sdp.find("a=sendonly") != std::string::npos) return "recvonly";
        if (sdp.find("a=inactive") != std::string::npos) return "inactive";
        return "sendrecv";
    }
    void respond(int status, const std::string& sdp) {
        if (status >= 200) ringing_ = false;
        respond_to(invite_, status, sdp);
    }
    void respond_to(const std::string& request, int status, const std::string& sdp) {
        const auto message = *sip::Message::parse(request);
        std::string text = "SIP/2.0 " + std::to_string(status) + " Status\r\n";
        for (const auto& header : message.headers()) {
            if (header.id != sip::HeaderId::via && header.id != sip::HeaderId::from &&
                header.id != sip::HeaderId::to && header.id != sip::HeaderId::call_id &&
                header.id != sip::HeaderId::cseq)
                continue;
            text += std::string(header.name) + ": " + std::string(header.value);
            if (header.id == sip::HeaderId::to && message.to_tag().empty()) text += ";tag=" + tag_;
            text += "\r\n";
        }
        text += "Contact: <sip:" + user_ + "@" + local_ + ">\r\n";
        text += "Allow: INVITE, ACK, BYE, CANCEL, UPDATE, REFER, NOTIFY, MESSAGE\r\n";
        if (!sdp.empty()) text += "Content-Type: application/sdp\r\n";
        send(text + "Content-Length: " + std::to_string(sdp.size()) + "\r\n\r\n" + sdp);
    }

    std::string invite_, tag_;
    bool ringing_ = false;
};

}  // namespace strowger::pbx::testing
