#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <numbers>
#include <string>
#include <vector>

#include "io/file.hpp"
#include "io/native_address.hpp"
#include "media/test_phone.hpp"
#include "media/wav_writer.hpp"
#include "pbx/exchange.hpp"
#include "wire/sip/message.hpp"

namespace strowger::pbx::testing {

/// For tests: a whole exchange on loopback with a dialplan of a few lines, whose UserEvents say how
/// it went. Endpoints alice and bob are accepted unchallenged.
class TestExchange {
public:
    /// `files` are further ones of the configuration, by name.
    explicit TestExchange(const std::string& dialplan, const std::string& pjsip = {},
                          const std::map<std::string, std::string>& files = {}) {
        char pattern[] = "/tmp/strowger-test-XXXXXX";
        directory = ::mkdtemp(pattern);
        write("pjsip.conf",
              "[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1\n"
              "[phone](!)\ntype=endpoint\ncontext=test\ndisallow=all\nallow=ulaw\n"
              "[alice](phone)\naors=alice\nset_var=COLOUR=blue\n[alice]\ntype=aor\nmax_contacts=2\n"
              "contact=sip:alice@127.0.0.1:5999\nqualify_frequency=0\n"
              "[bob](phone)\naors=bob\n[bob]\ntype=aor\nmax_contacts=1\n" +
                  pjsip);
        write("extensions.conf", "[test]\n" + dialplan);
        write("rtp.conf", "[general]\nrtpstart=33000\nrtpend=33999\n");
        write("musiconhold.conf",
              "[default]\nmode=files\ndirectory=" + directory + "/state/sounds/en\n");
        for (const auto& [name, text] : files) write(name, text);
        const auto sounds = directory + "/state/sounds/en";
        std::filesystem::create_directories(sounds + "/digits");
        for (const auto* name : {"short", "beep", "agent-pass", "auth-incorrect", "auth-thankyou",
                                 "vm-goodbye", "digits/1", "digits/2", "digits/20"})
            tone(sounds + "/" + name + ".wav", std::chrono::milliseconds{60});
        tone(sounds + "/long.wav", std::chrono::seconds{10});
        Exchange::Options options;
        options.config_directory = directory;
        options.state_directory = directory + "/state";
        options.bind = SocketAddress{*IpAddress::parse("127.0.0.1"), 0};
        options.media_threads = 1;
        auto started = Exchange::start(loop, std::move(options));
        if (!started) {
            ADD_FAILURE() << started.error().text();
            std::abort();
        }
        exchange = std::move(*started);
        reader_ = core().events.subscribe([this](const events::Event& event) {
            if (const auto* user = std::get_if<events::UserEvent>(&event)) told.push_back(*user);
        });
    }
    ~TestExchange() {
        for (const auto& channel : core().channels.all()) channel->hangup(Cause::normal_clearing);
        loop.run_until([&] { return core().channels.size() == 0; }, std::chrono::milliseconds{200});
        reader_.reset();
        exchange.reset();
        std::filesystem::remove_all(directory);
    }

    Core& core() { return exchange->core(); }
    SocketAddress address() { return core().signalling.listening().at(0).address; }

    /// The value of a header of the next UserEvent of that name; "(nothing)" when it does not come.
    std::string say(const std::string& name, const std::string& header = "is",
                    Duration limit = std::chrono::seconds{5}) {
        const events::UserEvent* found = nullptr;
        loop.run_until(
            [&] {
                for (const auto& event : told)
                    if (event.name == name) found = &event;
                return found != nullptr;
            },
            limit);
        if (!found) return "(nothing)";
        for (const auto& [key, value] : found->headers)
            if (key == header) return value;
        return {};
    }

    void write(const std::string& name, const std::string& text) {
        ASSERT_TRUE(io::replace_file(directory + "/" + name, text));
    }
    static void tone(const std::string& path, Duration duration) {
        auto writer = media::WavWriter::open(path);
        ASSERT_TRUE(writer) << writer.error().text();
        std::vector<media::Sample> samples(static_cast<std::size_t>(seconds(duration) * 8000));
        for (std::size_t i = 0; i < samples.size(); ++i)
            samples[i] = static_cast<media::Sample>(
                8000 * std::sin(2 * std::numbers::pi * 440 * static_cast<double>(i) / 8000));
        ASSERT_TRUE(writer->write(samples));
        ASSERT_TRUE(writer->close());
    }

    std::string directory;
    io::Loop loop;
    std::unique_ptr<Exchange> exchange;
    std::vector<events::UserEvent> told;

private:
    std::shared_ptr<void> reader_;
};

/// For tests: a SIP phone that calls in over UDP, with RTP of its own.
class TestCaller {
public:
    explicit TestCaller(TestExchange& exchange, std::string user = "alice")
        : exchange_(exchange), user_(std::move(user)) {
        socket_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        sockaddr_storage any;
        const auto size = io::to_native({*IpAddress::parse("127.0.0.1"), 0}, false, any);
        EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&any), size), 0);
        local_ = io::bound_address(socket_).text();
        watch_ = std::make_unique<io::Watch>(exchange.loop, socket_);
        watch_->on_readable([this] { receive(); });
    }
    virtual ~TestCaller() {
        watch_.reset();
        ::close(socket_);
    }

    /// Calls; the status of the final response, or 0 when there is none within the time.
    int call(const std::string& exten, const std::string& headers = {},
             Duration limit = std::chrono::seconds{5}) {
        invite(exten, headers);
        exchange_.loop.run_until([&] { return final_status != 0; }, limit);
        return final_status;
    }
    void invite(const std::string& exten, const std::string& headers = {}) {
        static int calls = 0;
        call_id_ = "call-" + std::to_string(++calls) + "-" + std::to_string(::getpid());
        exten_ = exten;
        final_status = 0;
        const auto sdp = phone.sdp("0 101", {"0 PCMU/8000", "101 telephone-event/8000"});
        send(request("INVITE", "z9hG4bK" + call_id_, 1) + "Contact: <sip:" + user_ + "@" + local_ +
             ">\r\n" + headers + "Content-Type: application/sdp\r\nContent-Length: " +
             std::to_string(sdp.size()) + "\r\n\r\n" + sdp);
    }
    /// Puts the call that it made on hold (sendonly), or takes it back.
    void hold(bool on) {
        const auto sdp = phone.sdp("0 101", {"0 PCMU/8000", "101 telephone-event/8000"},
                                   on ? "sendonly" : "sendrecv");
        ++cseq_;
        send(request("INVITE", "z9hG4bKh" + std::to_string(cseq_) + call_id_, cseq_) +
             "Contact: <sip:" + user_ + "@" + local_ +
             ">\r\nContent-Type: application/sdp\r\nContent-Length: " + std::to_string(sdp.size()) +
             "\r\n\r\n" + sdp);
    }
    virtual void hang_up() {
        send(request("BYE", "z9hG4bKb" + call_id_, ++cseq_) + "Content-Length: 0\r\n\r\n");
    }
    bool wait_bye(Duration limit = std::chrono::seconds{3}) {
        return exchange_.loop.run_until([&] { return got("BYE"); }, limit);
    }
    bool got(const std::string& method) const { return requests.contains(method); }

    /// A key as RFC 4733 sends it: 100 ms and three end packets.
    void press(char key) {
        static constexpr std::string_view keys = "0123456789*#ABCD";
        const auto event = static_cast<std::uint8_t>(keys.find(key));
        const auto at = phone.timestamp;
        for (int i = 1; i <= 8; ++i) {
            const bool end = i > 5;
            const int duration = std::min(i, 5) * 160;
            phone.send_at({event, static_cast<std::uint8_t>(end ? 0x8a : 0x0a),
                           static_cast<std::uint8_t>(duration >> 8),
                           static_cast<std::uint8_t>(duration & 0xff)},
                          101, at, i == 1);
        }
        phone.timestamp = at + 960;
        pump(std::chrono::milliseconds{60});
    }
    void dial(std::string_view keys) {
        for (const char key : keys) press(key);
    }
    /// Sends so many packets of 20 ms, in real time.
    void talk(int packets, std::uint8_t sample = 0x20) {
        for (int i = 0; i < packets; ++i) {
            phone.send(std::vector<std::uint8_t>(160, sample));
            pump(std::chrono::milliseconds{20});
        }
    }
    /// Packets of audio that come within that time and are not silence.
    int listen(Duration duration) {
        while (phone.hear({})) {}
        pump(duration);
        return count_heard();
    }
    /// Whether it hears what the other one says.
    bool hears(TestCaller& speaker) {
        while (phone.hear({})) {}
        speaker.talk(6);
        pump(std::chrono::milliseconds{40});
        return count_heard() >= 3;
    }
    int count_heard() {
        int heard = 0;
        while (const auto packet = phone.hear({})) {
            if (packet->header.payload_type != 0)
                ++events;
            else if (std::any_of(packet->payload.begin(), packet->payload.end(),
                                 [](auto s) { return (s | 0x80) < 0xf0; }))
                ++heard;
        }
        return heard;
    }
    void pump(Duration duration) {
        exchange_.loop.run_until([] { return false; }, duration);
    }

    media::TestPhone phone;
    std::vector<int> statuses;
    int final_status = 0;
    int events = 0;  ///< packets of telephone events that `listen` has seen
    std::map<std::string, std::string> requests;  ///< the last one of each method that came
    std::map<int, std::string> responses;         ///< to INVITE

protected:
    /// A request that came; false lets it be answered as any other: 202 to REFER, else 200.
    virtual bool answer(const sip::Message&, const std::string&) { return false; }

    std::string request(const std::string& method, const std::string& branch, int cseq) const {
        return method + " sip:" + exten_ + "@" + exchange_.address().text() +
               " SIP/2.0\r\nVia: SIP/2.0/UDP " + local_ + ";branch=" + branch +
               "\r\nMax-Forwards: 70\r\nFrom: \"Alice A\" <sip:" + user_ + "@127.0.0.1>;tag=t" +
               call_id_ + "\r\nTo: <sip:" + exten_ + "@127.0.0.1>" +
               (to_tag_.empty() ? "" : ";tag=" + to_tag_) + "\r\nCall-ID: " + call_id_ +
               "\r\nCSeq: " + std::to_string(cseq) + " " + method + "\r\n";
    }
    void send(const std::string& text) {
        sockaddr_storage to;
        const auto size = io::to_native(exchange_.address(), false, to);
        ::sendto(socket_, text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&to), size);
    }
    void receive() {
        char buffer[8192];
        const auto size = ::recv(socket_, buffer, sizeof buffer, 0);
        if (size <= 0) return;
        const std::string text(buffer, static_cast<std::size_t>(size));
        const auto message = sip::Message::parse(text);
        if (!message) return;
        if (message->is_request()) {
            requests[std::string(message->method_text())] = text;
            if (answer(*message, text)) return;
            std::string answer = message->method_text() == "REFER" ? "SIP/2.0 202 Accepted\r\n"
                                                                   : "SIP/2.0 200 OK\r\n";
            for (const auto& header : message->headers())
                if (header.id == sip::HeaderId::via || header.id == sip::HeaderId::from ||
                    header.id == sip::HeaderId::to || header.id == sip::HeaderId::call_id ||
                    header.id == sip::HeaderId::cseq)
                    answer += std::string(header.name) + ": " + std::string(header.value) + "\r\n";
            send(answer + "Content-Length: 0\r\n\r\n");
            return;
        }
        if (message->method() != sip::Method::invite) return;
        statuses.push_back(message->status());
        responses[message->status()] = text;
        if (!message->to_tag().empty()) to_tag_ = message->to_tag();
        if (!message->body().empty()) phone.call(std::string(message->body()));
        if (message->status() < 200) return;
        const auto branch = "z9hG4bK" + std::string(message->status() < 300 ? "a" : "") + call_id_;
        send(request("ACK",
                     message->cseq() == 1 ? branch : branch + std::to_string(message->cseq()),
                     static_cast<int>(message->cseq())) +
             "Content-Length: 0\r\n\r\n");
        final_status = message->status();
    }

    TestExchange& exchange_;
    std::string user_, local_, call_id_, exten_, to_tag_;
    int socket_ = -1;
    int cseq_ = 1;
    std::unique_ptr<io::Watch> watch_;
};

}  // namespace strowger::pbx::testing
