#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ini.hpp"
#include "io/clock.hpp"
#include "io/test_directory.hpp"
#include "io/test_name_server.hpp"
#include "media/local_engine.hpp"
#include "pbx/channel.hpp"
#include "pbx/core.hpp"
#include "pbx/dialplan/applications.hpp"
#include "pbx/dialplan/functions.hpp"
#include "pbx/dialplan/store.hpp"
#include "wire/sip/builder.hpp"

namespace strowger::pbx {

inline const SocketAddress any_port = *SocketAddress::parse("127.0.0.1:0");

inline config::Transport transport(config::Transport::Protocol protocol, std::string name) {
    config::Transport transport;
    transport.protocol = protocol;
    transport.name = std::move(name);
    transport.bind = any_port;
    return transport;
}

/// The parts of an exchange on real loopback sockets, configured from text, without the Exchange
/// that puts them to work; and a name server that knows what a test tells it.
struct Parts {
    io::Loop loop;
    Random random{1};
    io::NameServer names{loop};
    io::TestDirectory directory;
    Signalling signalling{loop, random, {}};
    io::Resolver resolver{loop,
                          {.servers = {names.socket->local()},
                           .timeout = std::chrono::milliseconds{200},
                           .tries = 1,
                           .hosts_file = "/dev/null"}};
    media::LocalEngine engine{{.threads = 1}};
    Location location;
    events::Stream events;
    Channels channels;
    Trace trace;
    Sounds sounds{{}, {}};
    HostNames host_names{loop, resolver, random};
    dialplan::Functions functions;
    dialplan::Applications applications;
    dialplan::Globals globals;
    dialplan::MemoryStore store;
    std::shared_ptr<const dialplan::Dialplan> plan;
    dialplan::Environment environment{functions,
                                      applications,
                                      globals,
                                      store,
                                      random,
                                      [this] { return plan; },
                                      [] { return io::wall_now(); },
                                      [](std::string_view) { return std::string(); }};
    std::unique_ptr<Core> core;
    std::vector<events::Event> happened;
    std::shared_ptr<void> reader;

    explicit Parts(std::string pjsip = {}, std::string extensions = {}) {
        EXPECT_TRUE(signalling.open(transport(config::Transport::Protocol::udp, "udp")));
        load(std::move(pjsip), std::move(extensions));
        reader =
            events.subscribe([this](const events::Event& event) { happened.push_back(event); });
    }

    ~Parts() {
        if (core) core->tasks.cancel();
        channels.clear();
    }

    /// Reads a configuration and puts it in force, static contacts included.
    void load(std::string pjsip, std::string extensions = {}) {
        ini::MemoryFiles files(
            {{"pjsip.conf", std::move(pjsip)}, {"extensions.conf", std::move(extensions)}});
        auto config = config::load(files, "");
        plan = dialplan::load(config->extensions, {}, config->diagnostics);
        EXPECT_TRUE(config->ok()) << config->diagnostics.text();
        if (core)
            core->config = std::move(config);
        else
            core.reset(new Core{loop,
                                random,
                                signalling,
                                resolver,
                                engine,
                                location,
                                events,
                                channels,
                                trace,
                                sounds,
                                host_names,
                                environment,
                                std::move(config),
                                {},
                                directory.path});
        host_names.configure(core->config);
        location.clear_static();
        for (const auto& aor : core->config->aors)
            for (const auto& uri : aor.contact) {
                Contact contact;
                contact.uri = uri;
                contact.is_static = true;
                location.bind(aor.name, std::move(contact));
            }
    }

    template <typename T>
    T wait(Task<T> task) {
        std::optional<T> result;
        spawn([](Task<T> t, std::optional<T>& out) -> Task<> { out = co_await std::move(t); }(
                                                       std::move(task), result));
        EXPECT_TRUE(loop.run_until([&] { return result.has_value(); }, std::chrono::seconds{10}));
        return std::move(*result);
    }
    bool until(const std::function<bool()>& done, Duration limit = std::chrono::seconds{5}) {
        return loop.run_until(done, limit);
    }
    /// Lets things happen that should not.
    void pause(Duration duration) {
        (void)loop.run_until([] { return false; }, duration);
    }

    SocketAddress address() const { return signalling.listening().front().address; }

    template <typename Kind>
    std::vector<Kind> events_of() const {
        std::vector<Kind> found;
        for (const auto& event : happened)
            if (const auto* kind = std::get_if<Kind>(&event)) found.push_back(*kind);
        return found;
    }
};

/// Somebody on the other side: takes requests on a socket of its own and answers as told.
struct Peer {
    /// The response to a request, or nothing to stay silent.
    using Answer = std::function<std::optional<std::string>(const sip::Message&)>;

    Signalling signalling;
    Answer answer;
    std::vector<sip::ReceivedPtr> requests;

    explicit Peer(Parts& parts, Answer how,
                  config::Transport::Protocol protocol = config::Transport::Protocol::udp)
        : signalling(parts.loop, parts.random, {}), answer(std::move(how)) {
        EXPECT_TRUE(signalling.open(transport(protocol, "peer")));
        signalling.on_request([this](const sip::TransactionEvent& event) {
            const auto* received = std::get_if<sip::RequestReceived>(&event);
            if (!received) return;
            requests.push_back(received->request);
            auto response = answer(received->request->message());
            if (response)
                signalling.layer().respond_stateless(received->transaction, std::move(*response));
            else
                signalling.layer().forget(received->transaction);
            signalling.touch();
        });
    }

    static std::string reply(const sip::Message& request, int status,
                             const sip::HeaderLines& lines = {}) {
        auto builder = sip::Builder::response_to(request, status, "peer");
        for (const auto& line : lines) builder.header(line.name, line.value);
        return std::move(builder).finish();
    }
    static Answer always(int status) {
        return [status](const sip::Message& request) { return reply(request, status); };
    }

    SocketAddress address() const { return signalling.listening().front().address; }
    std::string uri(std::string_view user = {}) const {
        return fmt::format("sip:{}{}{}", user, user.empty() ? "" : "@", address().text());
    }
    const sip::Message& last() const { return requests.back()->message(); }
};

}  // namespace strowger::pbx
