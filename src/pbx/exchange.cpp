#include "pbx/exchange.hpp"

#include <algorithm>
#include <cstdlib>

#include "base/metrics.hpp"
#include "io/clock.hpp"
#include "io/file.hpp"
#include "pbx/applications.hpp"
#include "pbx/bridge.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/load_configuration.hpp"
#include "pbx/log_targets.hpp"
#include "pbx/modules.hpp"
#include "pbx/run_call.hpp"
#include "pbx/sqlite_store.hpp"
#include "wire/sip/builder.hpp"
#include "wire/sip/replaces.hpp"
#include "wire/sip/uri.hpp"

namespace strowger::pbx {

namespace {

using sip::HeaderId;
using sip::Method;

constexpr log::About about{"pbx"};
constexpr std::string_view allowed_methods =
    "OPTIONS, REGISTER, SUBSCRIBE, NOTIFY, PUBLISH, INVITE, ACK, BYE, CANCEL, UPDATE, PRACK, "
    "MESSAGE, INFO, REFER";
constexpr std::string_view supported_options = "100rel, timer, replaces, norefersub, path";

sip::TransactionLayer::Config layer_config(const config::Configuration& configuration) {
    sip::TransactionLayer::Config config;
    config.server = configuration.global.user_agent;
    config.timers.t1 = std::chrono::milliseconds{configuration.system.timer_t1};
    config.timers.t2 = std::max(config.timers.t2, config.timers.t1);
    config.timers.patience = std::chrono::milliseconds{configuration.system.timer_b};
    return config;
}

std::string user_of(std::string_view uri_text) {
    const auto uri = sip::Uri::parse(uri_text);
    return uri ? sip::unescape(uri->user) : std::string();
}

Result<LoadedConfiguration> read_configuration(const std::string& directory) {
    auto loaded = load_configuration(directory);
    const auto& diagnostics = loaded.config->diagnostics;
    for (const auto& diagnostic : diagnostics.all()) {
        if (diagnostic.severity == ini::Severity::error)
            LOG_ERROR(about, "{}", diagnostic.message());
        else
            LOG_WARNING(about, "{}", diagnostic.message());
    }
    if (!diagnostics.ok())
        return fail("the configuration in {} has {} errors:\n{}", directory, diagnostics.errors(),
                    diagnostics.text());
    return loaded;
}

media::LocalEngine::Options engine_options(io::Loop& loop, const config::Configuration& config,
                                           const Exchange::Options& options) {
    media::LocalEngine::Options engine;
    engine.at_round_end = [&loop](std::move_only_function<void()> wake) {
        loop.at_round_end(std::move(wake));
    };
    engine.threads = options.media_threads;
    engine.first_port = config.rtp.rtpstart;
    engine.last_port = config.rtp.rtpend;
    return engine;
}

}  // namespace

Exchange::Exchange(io::Loop& loop, Options options, std::unique_ptr<media::LocalEngine> engine,
                   std::shared_ptr<const config::Configuration> config,
                   std::shared_ptr<const dialplan::Dialplan> plan,
                   std::unique_ptr<dialplan::Store> store)
    : loop_(loop),
      options_(std::move(options)),
      random_(Random::system()),
      signalling_(std::make_unique<Signalling>(loop, random_, layer_config(*config))),
      resolver_(std::make_unique<io::Resolver>(loop, io::Resolver::Options{})),
      engine_(std::move(engine)),
      sounds_(options_.sounds()),
      names_(loop, *resolver_, random_),
      config_(std::move(config)),
      dialplan_(std::move(plan)),
      store_(std::move(store)),
      environment_{functions_,
                   applications_,
                   globals_,
                   *store_,
                   random_,
                   [this] { return dialplan_; },
                   [] { return io::wall_now(); },
                   [](std::string_view name) {
                       const char* value = std::getenv(std::string(name).c_str());
                       return std::string(value ? value : "");
                   }},
      core_{loop,
            random_,
            *signalling_,
            *resolver_,
            *engine_,
            location_,
            events_,
            channels_,
            trace_,
            sounds_,
            names_,
            environment_,
            config_,
            options_.recordings,
            options_.state_directory},
      registrar_(location_),
      screening_(core_),
      started_(loop.now()),
      loaded_(loop.now()) {}

Sounds Exchange::Options::sounds() const {
    auto directories = sound_directories;
    directories.push_back(state_directory + "/sounds");
    directories.emplace_back("/var/lib/asterisk/sounds");
    directories.emplace_back("/usr/share/asterisk/sounds");
    return Sounds(std::move(directories),
                  {state_directory, "/var/lib/asterisk", "/usr/share/asterisk"});
}

Exchange::~Exchange() {
    // Calls end as they always do; what then still waits, for media or for a name server, is cut
    // while everything that it refers to is there.
    for (const auto& channel : channels_.all()) channel->hangup(Cause::normal_clearing);
    core_.tasks.cancel();
    channels_.clear();
}

Result<std::unique_ptr<Exchange>> Exchange::start(io::Loop& loop, Options options) {
    if (options.recordings.empty()) options.recordings = options.state_directory + "/monitor";
    if (auto made = io::make_directories(options.state_directory); !made)
        return std::unexpected(made.error());
    auto loaded = read_configuration(options.config_directory);
    if (!loaded) return std::unexpected(loaded.error());
    auto engine =
        std::make_unique<media::LocalEngine>(engine_options(loop, *loaded->config, options));
    std::unique_ptr<dialplan::Store> store;
    if (auto opened = SqliteStore::open(options.state_directory + "/database.db")) {
        store = std::move(*opened);
    } else {
        LOG_ERROR(about, "the database will not survive a restart: {}", opened.error().text());
        store = std::make_unique<dialplan::MemoryStore>();
    }
    std::unique_ptr<Exchange> exchange(new Exchange(loop, std::move(options), std::move(engine),
                                                    loaded->config, loaded->plan,
                                                    std::move(store)));
    if (auto begun = exchange->begin(); !begun) return std::unexpected(begun.error());
    return exchange;
}

Result<> Exchange::begin() {
    set_log_targets(*config_, options_.state_directory);
    add_all_applications(applications_, starter());
    add_all_functions(functions_);
    messages_ = std::make_unique<Messages>(core_);

    engine_watch_ = std::make_unique<io::Watch>(loop_, engine_->event_fd());
    engine_watch_->on_readable([this] { engine_->dispatch(); });
    engine_->on_event([this](const media::Event& event) { media_event(event); });

    signalling_->on_request(
        [this](const sip::TransactionEvent& event) { transaction_event(event); });
    signalling_->on_message([this](const sip::Flow&, std::string_view bytes, bool sent) {
        trace_.message(bytes, sent, loop_.now());
    });
    signalling_->on_flow_closed([this](std::uint64_t flow) { location_.unbind_flow(flow); });
    if (auto opened = open_transports(); !opened) return opened;

    location_.on_change(
        [this](const std::string& aor, const Contact& contact, Location::Change change) {
            if (!events_.has_readers() || contact.is_static) return;
            const bool registered =
                change == Location::Change::added || change == Location::Change::refreshed;
            events_.publish(events::RegistrationChanged{
                aor, aor, contact.uri, contact.user_agent, contact.flow.remote, registered,
                registered ? contact.expires - loop_.now() : Duration{}});
        });
    auto contacts = ContactStore::open(core_, options_.state_directory + "/contacts.db");
    if (!contacts)
        LOG_ERROR(about, "registrations will not survive a restart: {}", contacts.error().text());
    else
        contact_store_ = std::move(*contacts);
    qualifier_ = std::make_unique<Qualifier>(core_);
    registrations_ = std::make_unique<OutboundRegistrations>(core_);
    hints_ = std::make_unique<Hints>(core_);
    presence_ = std::make_unique<Presence>(core_, *hints_);
    queues_ = std::make_unique<Queues>(core_);
    core_.queues = queues_.get();
    apply(config_, dialplan_);
    count_events();

    const auto spool = config_->asterisk.directories.find("astspooldir");
    call_files_ = std::make_unique<CallFiles>(core_, starter());
    if (auto opened = call_files_->open(spool == config_->asterisk.directories.end()
                                            ? options_.state_directory
                                            : spool->second);
        !opened)
        LOG_WARNING(about, "call files are not obeyed: {}", opened.error().text());

    cli_ = std::make_unique<Cli>(*this);
    if (auto served = cli_->listen(cli_socket(options_.state_directory)); !served) return served;
    if (options_.http)
        if (auto served = serve_http(); !served) return served;
    expire();
    return {};
}

std::vector<config::Transport> Exchange::transports() const {
    std::vector<config::Transport> transports(config_->transports.begin(),
                                              config_->transports.end());
    if (transports.empty()) {
        config::Transport udp;
        udp.name = "default-udp";
        udp.bind = {IpAddress::any_v4(), 5060};
        transports.push_back(std::move(udp));
    }
    if (options_.bind)
        for (auto& transport : transports) transport.bind = *options_.bind;
    return transports;
}

Result<> Exchange::open_transports() {
    std::size_t open = 0;
    std::string errors;
    for (const auto& transport : transports()) {
        const auto opened = signalling_->open(transport);
        if (opened) {
            ++open;
            continue;
        }
        // One that fails (a missing certificate, say) must not take the others along.
        LOG_ERROR(about, "{}", opened.error().text());
        errors += opened.error().text() + "\n";
    }
    if (open == 0) return fail("no transport could be opened:\n{}", errors);
    for (const auto& listening : signalling_->listening())
        LOG_NOTICE(about, "listening on {} {} ({})", via_name(listening.transport),
                   listening.address.text(), listening.name);
    return {};
}

void Exchange::apply(std::shared_ptr<const config::Configuration> config,
                     std::shared_ptr<const dialplan::Dialplan> plan) {
    config_ = std::move(config);
    dialplan_ = std::move(plan);
    core_.config = config_;
    environment_.live_dangerously = config_->asterisk.live_dangerously;
    loaded_ = loop_.now();
    presence_->configure();
    if (dialplan_->clearglobalvars()) globals_.clear();
    dialplan::load_globals(*dialplan_, environment_);
    screening_.configure(config_, [this](std::string_view token) {
        return registrations_->endpoint_of_line(token);
    });
    sounds_.forget();
    applications_.switch_off(switched_off_applications(config_->modules));
    bind_static_contacts();
    names_.configure(config_);
    registrations_->configure();
    qualifier_->configure();
    hints_->configure();
    queues_->configure();
    events_.publish(events::ConfigurationLoaded{true, 0, config_->diagnostics.all().size()});
}

Result<> Exchange::reload() {
    auto loaded = read_configuration(options_.config_directory);
    if (!loaded) {
        LOG_ERROR(about, "reload refused, the running configuration stays in force");
        events_.publish(events::ConfigurationLoaded{false, 1, 0});
        return std::unexpected(loaded.error());
    }
    set_log_targets(*loaded->config, options_.state_directory);
    apply(loaded->config, loaded->plan);
    for (const auto& complaint : signalling_->change(transports()))
        LOG_WARNING(about, "{}", complaint);
    if (auto renewed = signalling_->reload_certificates(); !renewed)
        LOG_ERROR(about, "certificates not renewed, the old ones stay: {}", renewed.error().text());
    LOG_NOTICE(about, "configuration reloaded");
    return {};
}

void Exchange::bind_static_contacts() {
    location_.clear_static();
    for (const auto& aor : config_->aors) {
        for (const auto& uri : aor.contact) {
            Contact contact;
            contact.uri = uri;
            contact.is_static = true;
            contact.registered = loop_.now();
            if (aor.qualify_frequency > 0) {
                contact.reach = Contact::Reach::unknown;
                contact.qualify_due = loop_.now();
            }
            location_.bind(aor.name, std::move(contact));
        }
    }
}

void Exchange::media_event(const media::Event& event) {
    std::shared_ptr<Channel> channel;
    if (const auto* play = std::get_if<media::PlayFinished>(&event)) {
        core_.conferences.played(play->id);
        channel = channels_.find_by_media_id(play->id);
        channels_.forget_media_id(play->id);
    } else if (const auto* heard = std::get_if<media::Heard>(&event)) {
        channel = channels_.find_by_media_id(heard->id);
    } else if (const auto* record = std::get_if<media::RecordFinished>(&event)) {
        core_.running_recordings.finished(*record);
        channel = channels_.find_by_media_id(record->id);
        channels_.forget_media_id(record->id);
    } else {
        channel = channels_.find(
            std::visit([](const auto& e) -> const std::string& { return e.party.tag; }, event));
    }
    if (channel) channel->media_event(event);
    signalling_->touch();
}

void Exchange::transaction_event(const sip::TransactionEvent& event) {
    if (const auto* received = std::get_if<sip::RequestReceived>(&event)) {
        request(*received);
    } else if (const auto* ack = std::get_if<sip::AckReceived>(&event)) {
        if (const auto channel = channels_.find_by_tag(ack->ack->message().to_tag()))
            channel->handle(event);
    }
}

void Exchange::request(const sip::RequestReceived& received) {
    const auto& message = received.request->message();
    if (!message.to_tag().empty()) {
        if (const auto channel = channels_.find_by_tag(message.to_tag());
            channel && channel->call_id() == message.call_id()) {
            channel->handle(received);
            return;
        }
        if (presence_->handle(received)) return;
        answer(received, 481);
        return;
    }
    switch (message.method()) {
        case Method::register_: register_request(received); return;
        case Method::invite: invite(received); return;
        case Method::options: options_request(received); return;
        case Method::subscribe:
            if (auto endpoint = screening_.screen(received))
                presence_->subscribe(received, std::move(endpoint));
            return;
        case Method::bye:
        case Method::cancel:
        case Method::prack:
        case Method::update:
        case Method::info:
        case Method::notify: answer(received, 481); return;
        case Method::message:
            if (const auto endpoint = screening_.screen(received))
                answer(received, messages_->receive(received.request, *endpoint));
            return;
        case Method::refer:
        case Method::publish:
            if (screening_.screen(received))
                answer(received, message.method() == Method::publish ? 489 : 603);
            return;
        default: answer(received, 501); return;
    }
}

void Exchange::answer(const sip::RequestReceived& received, int status,
                      std::string_view header_lines) {
    auto builder =
        sip::Builder::response_to(received.request->message(), status, random_.token(10));
    builder.lines(header_lines);
    if (status == 405 || status == 501 || received.request->message().method() == Method::options)
        builder.header(HeaderId::allow, allowed_methods);
    if (!config_->global.user_agent.empty())
        builder.header(HeaderId::server, config_->global.user_agent);
    signalling_->layer().respond_stateless(received.transaction, std::move(builder).finish());
}

void Exchange::register_request(const sip::RequestReceived& received) {
    const auto endpoint = screening_.screen(received);
    if (!endpoint) return;
    const auto& message = received.request->message();
    const auto to = sip::NameAddress::parse(message.to());
    const auto user = to ? user_of(to->uri) : std::string();
    const auto aor_called = [&](std::string_view name) -> const config::Aor* {
        for (const auto* aor : endpoint->known_aors)
            if (aor->name == name) return aor;
        return nullptr;
    };
    const auto* aor = aor_called(user);
    if (const auto uri = to && !aor ? sip::Uri::parse(to->uri) : fail("no To"); uri)
        aor = aor_called(user + '@' + std::string(uri->host));
    if (!aor) {
        events_.publish(events::Security{
            events::Security::What::request_not_supported, endpoint->name, message.call_id(),
            via_name(received.request->flow().transport), received.request->flow().local,
            received.request->flow().remote, "aor not found"});
        answer(received, 404);
        return;
    }
    RegistrationPolicy policy;
    policy.max_contacts = aor->max_contacts;
    policy.remove_existing = aor->remove_existing;
    policy.default_expiration = aor->default_expiration;
    policy.minimum_expiration = aor->minimum_expiration;
    policy.maximum_expiration = aor->maximum_expiration;
    policy.support_path = aor->support_path;
    policy.rewrite_contact = endpoint->rewrite_contact;
    policy.remove_unavailable = aor->remove_unavailable;
    policy.qualify_frequency = std::chrono::seconds{aor->qualify_frequency};
    if (!endpoint->contact_access.empty())
        policy.contact_access.push_back(&endpoint->contact_access);
    for (const auto& list : endpoint->contact_acl)
        if (const auto* acl = config_->acls.find(list))
            policy.contact_access.push_back(&acl->contact_access);
    const auto reply = registrar_.process(message, aor->name, policy, received.request->flow(),
                                          loop_.now(), io::wall_now());
    if (reply.status == 403)
        events_.publish(events::Security{
            events::Security::What::failed_acl, endpoint->name, message.call_id(),
            via_name(received.request->flow().transport), received.request->flow().local,
            received.request->flow().remote, "registrar_max_contacts"});
    answer(received, reply.status, reply.headers);
    expire();
}

// Wakes up when the next binding ends.
void Exchange::expire() {
    const auto deadline = location_.deadline();
    if (deadline == Time::max() || (expiry_timer_.pending() && expiry_at_ <= deadline)) return;
    expiry_at_ = deadline;
    expiry_timer_ = loop_.at(deadline, [this] {
        location_.tick(loop_.now());
        expire();
    });
}

void Exchange::options_request(const sip::RequestReceived& received) {
    const auto endpoint = screening_.screen(received);
    if (!endpoint) return;
    const auto user = user_of(received.request->message().request_uri());
    const bool known =
        user.empty() || dialplan_->exists(endpoint->context, user, {{}, io::wall_now()});
    answer(received, known ? 200 : 404,
           known
               ? fmt::format(
                     "Accept: application/sdp, application/dialog-info+xml, application/pidf+xml, "
                     "application/simple-message-summary, message/sipfrag\r\nSupported: {}\r\n",
                     supported_options)
               : std::string());
}

void Exchange::invite(const sip::RequestReceived& received) {
    const auto endpoint = screening_.screen(received);
    if (!endpoint) return;
    const auto& message = received.request->message();
    if (stopping_ || refusing_ ||
        (config_->asterisk.maxcalls != 0 && channels_.size() >= config_->asterisk.maxcalls)) {
        LOG_WARNING((log::About{"pbx", message.call_id(), endpoint->name}), "call refused: {}",
                    stopping_ || refusing_ ? "the exchange is stopping"
                                           : "maxcalls of asterisk.conf is reached");
        answer(received, 503, "Retry-After: 10\r\n");
        return;
    }
    auto exten = user_of(message.request_uri());
    if (exten.empty()) exten = "s";
    if (const auto replaces = message.header(HeaderId::replaces)) {
        const auto channel = SipChannel::incoming(core_, endpoint, received);
        if (!channel->hung_up()) invite_with_replaces(channel, std::string(*replaces));
        return;
    }
    const dialplan::Query query{{}, io::wall_now()};
    std::string context = endpoint->context;
    if (picks_up(*endpoint, exten)) {
        const auto channel = SipChannel::incoming(core_, endpoint, received);
        if (channel->hung_up()) return;
        channel->dialled = exten;
        channel->set_position({std::move(context), std::move(exten), 1});
        channel->cause = Cause::call_rejected;  // when nothing rings
        core_.tasks.spawn(run_call(channel, {"Pickup"}));
        return;
    }
    if (!dialplan_->exists(context, exten, query)) {
        const auto from = sip::NameAddress::parse(message.from());
        const std::string caller = from ? user_of(from->uri) : std::string();
        if (!dialplan_->exists(context, exten, {caller, query.now})) {
            const bool more =
                endpoint->allow_overlap && dialplan_->could_match_longer(context, exten, query);
            LOG_NOTICE((log::About{"pbx", message.call_id(), endpoint->name}),
                       "'{}' is not in context '{}'", exten, context);
            answer(received, more ? 484 : 404);
            return;
        }
    }
    const auto channel = SipChannel::incoming(core_, endpoint, received);
    if (channel->hung_up()) return;
    channel->dialled = exten;
    trace_.set_dialled(channel->linkedid(), exten);
    start_dialplan(channel, {std::move(context), std::move(exten), 1});
}

// features.conf pickupexten: a number that every context has, unless it says otherwise itself. It
// is looked at before a dialplan runs, so that an endpoint has its own by set_var.
bool Exchange::picks_up(const config::Endpoint& endpoint, std::string_view exten) const {
    const bool may = !endpoint.pickup_group.empty() || !endpoint.named_pickup_group.empty();
    std::string_view code = config_->features.pickupexten;
    for (const auto& [name, value] : endpoint.set_var)
        if (iequals(name, "FEATURE(pickupexten)")) code = value;
    return may && exten == code &&
           !dialplan_->exists(endpoint.context, exten, {{}, io::wall_now()});
}

// RFC 3891: the new call takes the place of one that we have.
void Exchange::invite_with_replaces(std::shared_ptr<SipChannel> channel, std::string text) {
    core_.tasks.spawn(
        [](std::shared_ptr<SipChannel> coming, std::string value, Channels& channels) -> Task<> {
            const auto replaces = sip::Replaces::parse(value);
            const auto leaving = replaces ? channels.find_by_tag(replaces->to_tag) : nullptr;
            if (!leaving || leaving->call_id() != replaces->call_id || !leaving->bridge) {
                coming->refusal_status = 481;
                coming->hangup(Cause::no_route_destination);
                co_return;
            }
            const auto bridge = leaving->bridge;
            const auto answered = co_await coming->answer();
            if (!answered) co_return;
            ChannelPtr from = leaving;
            ChannelPtr to = coming;
            (void)co_await bridge->replace(std::move(from), std::move(to));
        }(std::move(channel), std::move(text), channels_));
}

void Exchange::start_dialplan(ChannelPtr channel, dialplan::Position position) {
    channel->listen(nullptr);
    if (channel->has_dialplan) {
        channel->send_on(std::move(position));
        return;
    }
    channel->set_position(std::move(position));
    ++channels_.calls;
    core_.tasks.spawn(run_call(std::move(channel)));
}

void Exchange::stop() {
    restarts_ = false;  // whoever says stop means it
    if (stopping_) return;
    stopping_ = true;
    LOG_NOTICE(about, "stopping: {} channels are hung up", channels_.size());
    registrations_->unregister_all();
    for (const auto& channel : channels_.all()) channel->hangup(Cause::normal_clearing);
    if (contact_store_) contact_store_->flush();
    signalling_->touch();
    const Time latest = loop_.now() + stop_patience;
    wait_for_end(latest);
}

void Exchange::stop_when_idle(bool refuse, bool again) {
    if (stopping_) return;
    refusing_ = refuse;
    restarts_when_idle_ = again;
    LOG_NOTICE(about, "to stop when {} calls have ended{}", channels_.size(),
               refuse ? ", new ones are refused" : "");
    wait_for_idle();
}

void Exchange::wait_for_idle() {
    static constexpr Duration interval = std::chrono::milliseconds{100};
    idle_timer_ = loop_.after(interval, [this] {
        if (channels_.size() != 0)
            wait_for_idle();
        else if (restarts_when_idle_)
            restart();
        else
            stop();
    });
}

bool Exchange::carry_on() {
    if (stopping_ || !idle_timer_.pending()) return false;
    idle_timer_.cancel();
    refusing_ = false;
    LOG_NOTICE(about, "the stop was taken back");
    return true;
}

void Exchange::wait_for_end(Time latest) {
    const bool quiet = channels_.size() == 0 && registrations_->idle();
    if (quiet || loop_.now() >= latest) {
        loop_.stop();
        return;
    }
    stop_timer_ =
        loop_.after(std::chrono::milliseconds{20}, [this, latest] { wait_for_end(latest); });
}

void Exchange::count_events() {
    auto& registry = metrics::Registry::global();
    auto& registered =
        registry.counter("strowger_registrations_total", "Contacts that registered or refreshed");
    auto& removed =
        registry.counter("strowger_unregistrations_total", "Contacts that were removed or expired");
    auto& created = registry.counter("strowger_channels_total", "Channels created");
    auto& rejected = registry.counter("strowger_authentication_failures_total",
                                      "Requests that failed authentication");
    auto& mos = registry.histogram("strowger_media_mos", "Estimated MOS of each ended leg",
                                   {1.5, 2, 2.5, 3, 3.5, 3.8, 4, 4.2, 4.4});
    auto& lost =
        registry.counter("strowger_media_lost_packets_total", "RTP packets lost on the way to us");
    metrics_reader_ = events_.subscribe([&](const events::Event& event) {
        log_event(event);
        if (const auto* registration = std::get_if<events::RegistrationChanged>(&event))
            (registration->registered ? registered : removed).add();
        else if (const auto* channel = std::get_if<events::ChannelChanged>(&event);
                 channel && channel->what == events::ChannelChanged::What::created)
            created.add();
        else if (const auto* security = std::get_if<events::Security>(&event);
                 security && (security->what == events::Security::What::challenge_response_failed ||
                              security->what == events::Security::What::failed_acl))
            rejected.add();
        else if (const auto* dial = std::get_if<events::DialChanged>(&event);
                 dial && dial->ended && !dial->status.empty())
            metrics::Registry::global()
                .counter("strowger_dials_total", "Dialled legs by DIALSTATUS",
                         {{"status", dial->status}})
                .add();
        else if (const auto* media = std::get_if<events::MediaQuality>(&event);
                 media && media->packets_received > 0) {
            mos.observe(media->mos);
            lost.add(media->lost);
        }
    });
}

Result<> Exchange::serve_http() {
    http_ = std::make_unique<io::HttpServer>(loop_, io::HttpServer::Options{});
    http_->route_now("GET", "/metrics", [this](const io::HttpRequest&) {
        auto& registry = metrics::Registry::global();
        registry.gauge("strowger_contacts", "Contacts bound now")
            .set(static_cast<double>(location_.size()));
        registry.gauge("strowger_channels", "Channels up now")
            .set(static_cast<double>(channels_.size()));
        registry.gauge("strowger_transactions", "SIP transactions alive")
            .set(static_cast<double>(signalling_->layer().size()));
        registry.gauge("strowger_uptime_seconds", "Since start")
            .set(seconds(loop_.now() - started_));
        return io::HttpResponse::of(200, std::string(metrics::content_type), registry.text());
    });
    http_->route_now("GET", "/healthz", [this](const io::HttpRequest&) {
        return stopping_ || refusing_ ? io::HttpResponse::text(503, "stopping\n")
                                      : io::HttpResponse::text(200, "ok\n");
    });
    auto bound = http_->listen(*options_.http);
    if (!bound) return std::unexpected(bound.error());
    LOG_NOTICE(about, "metrics at http://{}/metrics", bound->text());
    return {};
}

}  // namespace strowger::pbx
