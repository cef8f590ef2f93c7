#include "media/local_engine.hpp"

#include <algorithm>
#include <cerrno>

#include "base/text.hpp"
#include "media/codec/codec.hpp"
#include "media/jitter_buffer.hpp"
#include "media/shaper.hpp"
#include "media/wav_writer.hpp"
#include "wire/sdp/offer_answer.hpp"
#include "wire/sdp/session.hpp"

namespace strowger::media {
namespace {

// More than any sane machine has; a mistyped option must not start thousands of threads.
constexpr unsigned max_threads = 256;

// Party ids name files and logs elsewhere; what is longer is no Call-ID but an attack.
constexpr std::size_t max_id = 1024;

// A list that somebody generated; each is loaded before playing begins.
constexpr std::size_t max_files = 1024;

constexpr std::uint32_t ptime = 20;
// Of what is packed here: less is all headers, more a delay that is heard.
constexpr std::uint32_t least_ptime = 10, most_ptime = 60;

const sdp::Codec telephone_event{"telephone-event", 8000, 1, "0-16"};

// What the profile says of a codec, else 20 ms.
std::optional<std::uint32_t> packet_time(const Profile& profile, const sdp::Codec* codec) {
    if (codec)
        for (const auto& time : profile.packet_times)
            if (iequals(time.codec, codec->name)) return time.milliseconds;
    return std::nullopt;
}

std::vector<sdp::Codec> allowed_codecs(const Profile& profile,
                                       const std::vector<sdp::Codec>& preferred) {
    std::vector<sdp::Codec> codecs = profile.codecs;
    // "All known ones": those whose sound we can make and hear.
    if (codecs.empty()) codecs = {{"PCMU", 8000, 1}, {"PCMA", 8000, 1}};
    std::erase_if(codecs, [](const auto& c) {
        return iequals(c.name, "telephone-event") || sdp::kind_of(c) != "audio";
    });
    auto front = codecs.begin();
    for (const auto& wanted : preferred) {
        const auto found = std::find_if(
            front, codecs.end(), [&](const auto& codec) { return sdp::compatible(codec, wanted); });
        if (found == codecs.end()) continue;
        std::rotate(front, found, found + 1);
        ++front;
    }
    if (profile.dtmf != DtmfMode::rfc4733 && profile.dtmf != DtmfMode::automatic) return codecs;
    // One for every clock that sound may go by (RFC 4733 section 2.5.1.1); 8000 is what all know.
    std::vector<std::uint32_t> clocks{telephone_event.clock_rate};
    for (const auto& codec : codecs)
        if (std::ranges::find(clocks, codec.clock_rate) == clocks.end())
            clocks.push_back(codec.clock_rate);
    for (const auto clock : clocks) {
        codecs.push_back(telephone_event);
        codecs.back().clock_rate = clock;
    }
    return codecs;
}

bool are_digits(std::string_view digits) {
    return !digits.empty() && digits.size() <= rtp::EventSender::max_digits &&
           digits.find_first_not_of("0123456789*#ABCDabcd!wW") == std::string_view::npos;
}

// A tone to be heard once: every element only once.
std::string once(std::string_view spec) {
    std::string result;
    for (const auto element : split(spec, ',')) {
        const auto text = trim(element);
        if (!result.empty()) result += ',';
        if (!text.starts_with('!')) result += '!';
        result += text;
    }
    return result;
}

}  // namespace

LocalEngine::LocalEngine(Options options)
    : options_(options),
      random_(Random::system()),
      ports_(options.first_port, options.last_port),
      disk_(std::make_unique<Disk>(options.sound_cache_bytes)) {
    unsigned threads = options.threads ? options.threads : std::thread::hardware_concurrency();
    threads = std::clamp(threads, 1U, max_threads);
    for (unsigned i = 0; i < threads; ++i) {
        const auto tell = [this](std::uint64_t leg, Event event) {
            mailbox_.post(
                [this, leg, event = std::move(event)]() mutable { emit(leg, std::move(event)); });
        };
        shards_.push_back(std::make_unique<Shard>(tell, random_.next()));
    }
}

LocalEngine::~LocalEngine() {
    tasks_.cancel();
    shards_.clear();  // what they still record goes to the disk, which ends after them
    disk_.reset();
}

void LocalEngine::dispatch() {
    mailbox_.acknowledge();
    while (auto work = mailbox_.take()) (*work)();
}

void LocalEngine::on_event(std::function<void(const Event&)> handler) {
    handler_ = std::move(handler);
}

void LocalEngine::emit(std::uint64_t id, Event event) {
    if (id == 0) {  // a mix has named itself
        if (handler_) handler_(event);
        return;
    }
    const auto record = by_id_.find(id);
    if (record == by_id_.end() || !handler_) return;
    std::visit([&](auto& e) { e.party = record->second->party; }, event);
    handler_(event);
}

LocalEngine::Record* LocalEngine::find(const Party& party) {
    const auto call = calls_.find(party.call);
    if (call == calls_.end()) return nullptr;
    for (const auto& record : call->second)
        if (record->party.tag == party.tag) return record.get();
    return nullptr;
}

Result<LocalEngine::Record*> LocalEngine::get(const Party& party) {
    if (Record* record = find(party)) return record;
    return fail("media of call {}: no party '{}'", party.call, party.tag);
}

Shard& LocalEngine::shard_for(const std::string& call) {
    if (const auto known = calls_.find(call); known != calls_.end())
        return *known->second.front()->shard;
    return *shards_[std::hash<std::string>{}(call) % shards_.size()];
}

Result<std::unique_ptr<LocalEngine::Record>> LocalEngine::make(const Party& party,
                                                               const Profile& profile,
                                                               std::optional<IpAddress> hint,
                                                               std::unique_ptr<Leg>& leg) {
    if (party.call.size() > max_id || party.tag.size() > max_id)
        return fail("media: call and tag have {} and {} bytes, at most {} each are taken",
                    party.call.size(), party.tag.size(), max_id);
    if (hint && hint->is_unspecified()) hint.reset();
    auto bind = profile.bind_address ? profile.bind_address : options_.bind_address;
    const bool v6 = bind ? bind->is_v6() : hint && hint->is_v6();
    auto advertised =
        profile.advertised_address ? profile.advertised_address : options_.advertised_address;
    if (!advertised && bind && !bind->is_unspecified()) advertised = bind;
    if (!advertised && hint) advertised = io::local_address_towards(*hint);
    // Nobody is known yet: the address of the default route, by a documentation address.
    if (!advertised)
        advertised = io::local_address_towards(*IpAddress::parse(v6 ? "2001:db8::1" : "192.0.2.1"));
    if (!advertised) advertised = IpAddress::parse(v6 ? "::1" : "127.0.0.1");

    // Bound to what we advertise if that is an address of this host: then packets leave from where
    // the party sends to, and connecting the socket cannot make it deaf for that address. An
    // address of a NAT in front of us is none of ours.
    const IpAddress any = v6 ? IpAddress::any_v6() : IpAddress::any_v4();
    if (!bind || bind->is_unspecified()) bind = advertised->is_v6() == v6 ? *advertised : any;
    auto sockets = ports_.open(*bind, profile.tos);
    if (!sockets && sockets.error().code() == EADDRNOTAVAIL && !profile.bind_address)
        sockets = ports_.open(any, profile.tos);
    if (!sockets) return std::unexpected(sockets.error());

    auto record = std::make_unique<Record>(next_id_++, party, random_.next() >> 2);
    record->local = {*advertised, sockets->port};
    leg = std::make_unique<Leg>(record->id, std::move(*sockets), random_);
    return record;
}

void LocalEngine::admit(std::unique_ptr<Record> record, std::unique_ptr<Leg> leg) {
    record->shard = &shard_for(record->party.call);
    record->leg = leg.get();
    by_id_[record->id] = record.get();
    send(*record->shard,
         [shard = record->shard, leg = std::move(leg)]() mutable { shard->adopt(std::move(leg)); });
    Call& call = calls_[record->party.call];
    call.push_back(std::move(record));
}

sdp::Description LocalEngine::base_description(const Record& record) const {
    return {.owner = record.profile.sdp_owner,
            .name = record.profile.sdp_session,
            .address = record.local.ip};
}

Task<Result<std::string>> LocalEngine::publish(PublishRequest request) {
    const auto offer = sdp::Session::parse(request.sdp);
    if (!offer) co_return std::unexpected(Error(offer.error().within("offer").text(), 400));

    Record* known = find(request.party);
    std::unique_ptr<Record> fresh;
    std::unique_ptr<Leg> leg;
    if (!known) {
        std::optional<IpAddress> hint = request.profile.received_from;
        // Signalling through a proxy on this host says nothing about where the party is.
        const auto* audio = offer->first("audio");
        if ((!hint || hint->is_loopback()) && audio && audio->address())
            hint = audio->address()->ip;
        auto made = make(request.party, request.profile, hint, leg);
        if (!made) co_return std::unexpected(made.error());
        fresh = std::move(*made);
    }
    Record& record = known ? *known : *fresh;
    record.profile = std::move(request.profile);
    auto answer = sdp::answer(*offer,
                              {.codecs = allowed_codecs(record.profile, {}),
                               .direction = request.direction,
                               .port = record.local.port,
                               .ptime = ptime},
                              base_description(record));
    if (!answer) {
        if (fresh) {
            leg.reset();
            ports_.give_back(fresh->local.port);
        }
        co_return std::unexpected(answer.error());
    }
    if (answer->audio && answer->audio->speech())
        if (const auto own = packet_time(record.profile, &answer->audio->speech()->codec))
            answer->description.media[answer->audio->section].ptime = own;
    if (fresh) admit(std::move(fresh), std::move(leg));
    answer_streams(record, *offer, request.peer, request.direction, answer->description);
    std::string text = record.history.publish(std::move(answer->description));
    if (answer->audio) apply(record, *answer->audio);
    co_return text;
}

Task<Result<std::string>> LocalEngine::create(CreateRequest request) {
    Record* record = find(request.party);
    if (!record) {
        std::unique_ptr<Leg> leg;
        auto made = make(request.party, request.profile, request.profile.received_from, leg);
        if (!made) co_return std::unexpected(made.error());
        record = made->get();
        admit(std::move(*made), std::move(leg));
    }
    record->profile = std::move(request.profile);
    const auto& last = record->history.last();
    auto codecs = allowed_codecs(record->profile, request.preferred);
    const auto own = packet_time(record->profile, codecs.empty() ? nullptr : &codecs.front());
    auto offer = sdp::offer({.codecs = std::move(codecs),
                             .direction = request.direction,
                             .port = record->local.port,
                             .ptime = own.value_or(ptime)},
                            base_description(*record), last ? &*last : nullptr);
    offer_streams(*record, request.peer, request.direction, offer, last ? &*last : nullptr);
    co_return record->history.publish(std::move(offer));
}

Task<Result<>> LocalEngine::create_answer(CreateAnswerRequest request) {
    const auto record = get(request.party);
    if (!record) co_return std::unexpected(record.error());
    const auto answer = sdp::Session::parse(request.sdp);
    if (!answer) co_return std::unexpected(Error(answer.error().within("answer").text(), 400));
    const auto& offer = (*record)->history.last();
    if (!offer)
        co_return fail("media of call {}: an answer of '{}' without an offer to it",
                       request.party.call, request.party.tag);
    const auto agreement = sdp::accept_answer(*offer, *answer);
    if (!agreement) co_return std::unexpected(agreement.error());
    apply(**record, *agreement);
    streams_answered(**record, *offer, *answer);
    co_return Result<>{};
}

void LocalEngine::apply(Record& record, const sdp::Agreement& agreement) {
    record.agreed = true;
    record.has_events = record.has_voice = false;
    for (const auto& payload : agreement.payloads) {
        const auto& name = payload.codec.name;
        record.has_events |= iequals(name, "telephone-event");
        record.has_voice |= codec::is_transcodable(payload.codec);
    }
    Terms terms{.target = {.rtp = agreement.remote,
                           .rtcp = agreement.remote_rtcp,
                           .likely = record.profile.received_from,
                           .symmetric = record.profile.symmetric,
                           .learning = {.probation = record.profile.probation,
                                        .patience = record.profile.source_patience}},
                .direction = agreement.direction,
                .held = agreement.held,
                .payloads = agreement.payloads,
                .dtmf = record.profile.dtmf,
                .timeout = record.profile.rtp_timeout,
                .timeout_hold = record.profile.rtp_timeout_hold,
                .rtcp_interval = record.profile.rtcp_interval,
                .keepalive = record.profile.keepalive,
                .ptime_ms = ptime};
    // What the party asks for outranks what the configuration gives a codec.
    const auto* speech = agreement.speech();
    auto wanted = packet_time(record.profile, speech ? &speech->codec : nullptr);
    if (record.profile.use_ptime && agreement.ptime) wanted = agreement.ptime;
    if (wanted) {
        terms.ptime_ms = std::clamp(*wanted, least_ptime, most_ptime);
        terms.repack_ms = terms.ptime_ms;
    }
    post(record, [terms = std::move(terms)](Leg& leg) mutable { leg.agree(std::move(terms)); });
}

void LocalEngine::send(Shard& shard, Work work) {
    if (!options_.at_round_end) return shard.post(std::move(work));
    shard.put(std::move(work));
    if (std::exchange(wake_due_, true)) return;
    options_.at_round_end([this, alive = std::weak_ptr(alive_)] {
        if (alive.expired()) return;
        wake_due_ = false;
        for (const auto& each : shards_) each->wake();
    });
}

void LocalEngine::post(Record& record, LegWork work) {
    if (record.moving) {
        record.waiting.push_back(std::move(work));
        return;
    }
    send(*record.shard, [leg = record.leg, work = std::move(work)]() mutable { work(*leg); });
}

// The leg travels as a message: from its shard to here, and on to the other. What is asked of it
// meanwhile waits here, so that nothing overtakes it.
void LocalEngine::move(Record& record, Shard& to) {
    Shard& from = *record.shard;
    if (&from == &to) return;
    record.shard = &to;
    record.moving = true;
    send(from, [this, &from, legs = legs_of(record), id = record.id] {
        std::vector<std::unique_ptr<Leg>> moved;
        for (Leg* const leg : legs) moved.push_back(from.release(*leg));
        mailbox_.post(
            [this, id, moved = std::move(moved)]() mutable { arrived(id, std::move(moved)); });
    });
    for (const std::uint64_t id : record.spies)
        if (const auto spy = by_id_.find(id); spy != by_id_.end())
            tasks_.spawn(follow(spy->second->party, record.party));
}

void LocalEngine::arrived(std::uint64_t id, std::vector<std::unique_ptr<Leg>> legs) {
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) {
        // Removed on the way.
        for (auto& leg : legs) {
            const std::uint16_t port = leg->sockets().port;
            leg.reset();
            ports_.give_back(port);
        }
        return;
    }
    Record& record = *found->second;
    send(*record.shard, [shard = record.shard, legs = std::move(legs)]() mutable {
        for (auto& leg : legs) shard->adopt(std::move(leg));
    });
    record.moving = false;
    for (auto& work : std::exchange(record.waiting, {})) post(record, std::move(work));
    for (auto& waiter : std::exchange(record.moved, {})) waiter.set(true);
}

Task<Result<>> LocalEngine::settled(Party party) {
    while (true) {
        const auto record = get(party);
        if (!record) co_return std::unexpected(record.error());
        if (!(*record)->moving) co_return Result<>{};
        Reply<bool> arrival;
        (*record)->moved.push_back(arrival);
        co_await arrival;
    }
}

Task<Result<>> LocalEngine::connect(ConnectRequest request) {
    while (true) {
        const auto a = get(request.a);
        if (!a) co_return std::unexpected(a.error());
        const auto b = get(request.b);
        if (!b) co_return std::unexpected(b.error());
        if (*a == *b)
            co_return fail("media of call {}: '{}' cannot be connected to itself; use echo",
                           request.a.call, request.a.tag);
        if (!(*a)->moving && !(*b)->moving) {
            if ((*a)->shard == (*b)->shard) {
                unjoin(**a);
                unjoin(**b);
                send(*(*a)->shard, [one = (*a)->leg, other = (*b)->leg] { one->join(*other); });
                (*a)->joined = request.b;
                (*b)->joined = request.a;
                join_streams(**a);
                co_return Result<>{};
            }
            move(**b, *(*a)->shard);
        }
        auto wait = settled((*a)->moving ? request.a : request.b);
        if (auto arrived = co_await std::move(wait); !arrived) co_return arrived;
    }
}

Task<Result<>> LocalEngine::disconnect(DisconnectRequest request) {
    const auto record = get(request.party);
    if (!record) co_return std::unexpected(record.error());
    unjoin(**record);
    post(**record, [](Leg& leg) { leg.part(); });
    co_return Result<>{};
}

Task<Result<>> LocalEngine::echo(EchoRequest request) {
    const auto record = get(request.party);
    if (!record) co_return std::unexpected(record.error());
    if (request.on) unjoin(**record);
    post(**record, [on = request.on](Leg& leg) { leg.echo(on); });
    (*record)->echoes = request.on;
    join_streams(**record);
    co_return Result<>{};
}

Task<Result<>> LocalEngine::block(BlockRequest request) {
    const auto record = get(request.party);
    if (!record) co_return std::unexpected(record.error());
    post(**record,
         [media = request.media, dtmf = request.dtmf](Leg& leg) { leg.block(media, dtmf); });
    co_return Result<>{};
}

Task<Result<>> LocalEngine::shape(ShapeRequest request) {
    const auto record = get(request.party);
    if (!record) co_return std::unexpected(record.error());
    auto from = Shaper::make(request.from);
    if (!from) co_return std::unexpected(from.error());
    auto to = Shaper::make(request.to);
    if (!to) co_return std::unexpected(to.error());
    std::unique_ptr<JitterBuffer> buffer;
    if (request.jitter.kind != JitterSettings::Kind::none) {
        if (request.jitter.max < Duration{} || request.jitter.max > longest_jitter)
            co_return fail("media of call {}: a jitter buffer holds at most {} ms",
                           request.party.call, longest_jitter / std::chrono::milliseconds{1});
        buffer = std::make_unique<JitterBuffer>(request.jitter);
    }
    post(**record, [from = std::move(*from), to = std::move(*to),
                    buffer = std::move(buffer)](Leg& leg) mutable {
        leg.shape(std::move(from), std::move(to));
        leg.hold_back(std::move(buffer));
    });
    co_return Result<>{};
}

Task<Result<>> LocalEngine::play(PlayRequest request) {
    const auto record = get(request.party);
    if (!record) co_return std::unexpected(record.error());
    if ((*record)->agreed && !(*record)->has_voice)
        co_return fail("media of call {}: '{}' speaks no codec that can be encoded here",
                       request.party.call, request.party.tag);
    if (const auto* tone = std::get_if<PlayTone>(&request.source)) {
        auto generator = ToneGenerator::parse(tone->loop ? tone->spec : once(tone->spec));
        if (!generator) co_return std::unexpected(generator.error());
        ++(*record)->plays;
        post(**record, [id = request.id, player = std::make_unique<Player>(std::move(*generator))](
                           Leg& leg) mutable { leg.play(std::move(player), id); });
        co_return Result<>{};
    }

    if (auto* stream = std::get_if<PlayStream>(&request.source)) {
        ++(*record)->plays;
        post(**record,
             [id = request.id, player = std::make_unique<Player>(std::move(stream->sound))](
                 Leg& leg) mutable { leg.play(std::move(player), id); });
        co_return Result<>{};
    }

    auto& files = std::get<PlayFiles>(request.source);
    if (files.paths.empty() || files.paths.size() > max_files)
        co_return fail("media of call {}: {} files to play, 1 to {} expected", request.party.call,
                       files.paths.size(), max_files);
    const std::uint64_t turn = ++(*record)->plays;
    auto loading = load(std::move(files));
    auto sounds = co_await std::move(loading);
    if (!sounds) co_return std::unexpected(sounds.error());
    const auto still = get(request.party);
    if (!still) co_return std::unexpected(still.error());
    if ((*still)->plays != turn) {
        // Something else was asked to play, or to stop, while the disk was busy.
        emit((*still)->id, PlayFinished{.id = request.id, .completed = false});
        co_return Result<>{};
    }
    post(**still, [id = request.id, player = std::make_unique<Player>(std::move(*sounds))](
                      Leg& leg) mutable { leg.play(std::move(player), id); });
    co_return Result<>{};
}

Task<Result<Player::Sounds>> LocalEngine::load(PlayFiles files) {
    using Loaded = Result<Player::Sounds>;
    Reply<Loaded> loaded;
    disk_->post([this, loaded, paths = std::move(files.paths), loop = files.loop,
                 start = files.start](Disk& disk) mutable {
        Loaded sounds = Player::Sounds{.loop = loop};
        for (const auto& path : paths) {
            auto sound = disk.load(path);
            if (!sound) {
                sounds = std::unexpected(sound.error());
                break;
            }
            sounds->sounds.push_back(std::move(*sound));
        }
        if (sounds && start > Duration::zero())
            sounds->sample = static_cast<std::size_t>(seconds(start) * 8000);
        mailbox_.post(
            [loaded, sounds = std::move(sounds)]() mutable { loaded.set(std::move(sounds)); });
    });
    auto sounds = co_await loaded;
    co_return sounds;
}

Task<Result<>> LocalEngine::stop_play(StopPlayRequest request) {
    const auto record = get(request.party);
    if (!record) co_return std::unexpected(record.error());
    ++(*record)->plays;
    post(**record, [](Leg& leg) { leg.stop_play(); });
    co_return Result<>{};
}

// Each packet becomes a message to the owner: that is the price of not waiting for more of them.
void LocalEngine::listen(Record& record, const RecordRequest& request) {
    const auto id = request.id;
    auto write = [this, party = request.party, id](std::vector<Sample> samples) {
        mailbox_.post([this, event = Heard{party, id, std::move(samples)}] {
            if (handler_) handler_(event);
        });
    };
    auto finish = [this, party = request.party, id](Duration length, std::string_view why) {
        mailbox_.post([this, event = RecordFinished{party, id, {}, length, std::string(why)}] {
            if (handler_) handler_(event);
        });
    };
    auto recorder =
        std::make_unique<Recorder>(Recorder::Config{.id = id,
                                                    .both_directions = false,
                                                    .max_duration = request.max_duration,
                                                    .max_silence = {},
                                                    .live = true},
                                   std::move(write), std::move(finish));
    post(record,
         [recorder = std::move(recorder)](Leg& leg) mutable { leg.record(std::move(recorder)); });
}

Task<Result<>> LocalEngine::record(RecordRequest request) {
    const auto known = get(request.party);
    if (!known) co_return std::unexpected(known.error());
    if (request.live) {
        listen(**known, request);
        co_return Result<>{};
    }
    Recording recording{.path = std::move(request.path),
                        .append = request.append,
                        .config = {.id = request.id,
                                   .both_directions = request.both_directions,
                                   .max_duration = request.max_duration,
                                   .max_silence = request.max_silence}};
    auto opening = open_recording(std::move(recording), request.party);
    auto recorder = co_await std::move(opening);
    if (!recorder) co_return std::unexpected(recorder.error());
    const auto record = get(request.party);
    if (!record) co_return std::unexpected(record.error());
    post(**record,
         [recorder = std::move(*recorder)](Leg& leg) mutable { leg.record(std::move(recorder)); });
    co_return Result<>{};
}

Task<Result<std::unique_ptr<Recorder>>> LocalEngine::open_recording(Recording recording,
                                                                    Party party) {
    // Lives on the disk's thread once open; shared by the chunks on their way there.
    struct File {
        WavWriter writer;
        std::string error;
    };
    Reply<Result<std::shared_ptr<File>>> opened;
    disk_->post([this, opened, path = recording.path, append = recording.append](Disk&) mutable {
        Result<std::shared_ptr<File>> file;
        if (auto writer = WavWriter::open(path, append))
            file = std::make_shared<File>(std::move(*writer));
        else
            file = std::unexpected(writer.error());
        mailbox_.post([opened, file = std::move(file)]() mutable { opened.set(std::move(file)); });
    });
    auto file = co_await opened;
    if (!file) co_return std::unexpected(file.error());

    Disk* const disk = disk_.get();
    auto write = [disk, file = *file](std::vector<Sample> chunk) {
        disk->post([file, chunk = std::move(chunk)](Disk&) {
            if (!file->error.empty()) return;
            if (auto written = file->writer.write(chunk); !written)
                file->error = written.error().text();
        });
    };
    auto finish = [this, disk, file = *file, party, path = recording.path,
                   id = recording.config.id](Duration length, std::string_view why) {
        disk->post([this, file, party, path, id, length, reason = std::string(why)](Disk&) mutable {
            if (auto closed = file->writer.close(); !closed && file->error.empty())
                file->error = closed.error().text();
            if (!file->error.empty()) reason = file->error;
            // Told even when the party has gone: the file is what it was recorded for.
            mailbox_.post([this, event = RecordFinished{party, id, path, length, reason}] {
                if (handler_) handler_(event);
            });
        });
    };
    co_return std::make_unique<Recorder>(recording.config, std::move(write), std::move(finish));
}

Task<Result<>> LocalEngine::stop_record(StopRecordRequest request) {
    const auto record = get(request.party);
    if (!record) co_return std::unexpected(record.error());
    post(**record, [id = request.id](Leg& leg) { leg.stop_record(id, "stopped"); });
    co_return Result<>{};
}

Task<Result<>> LocalEngine::play_dtmf(PlayDtmfRequest request) {
    const auto record = get(request.party);
    if (!record) co_return std::unexpected(record.error());
    const auto& [call, tag] = request.party;
    if (!are_digits(request.digits))
        co_return fail("media of call {}: '{}' are no digits; 1 to {} of 0-9*#A-D!w expected", call,
                       request.digits, rtp::EventSender::max_digits);
    const DtmfMode mode = (*record)->profile.dtmf;
    if (mode == DtmfMode::info || mode == DtmfMode::none)
        co_return fail("media of call {}: '{}' takes no digits in its media", call, tag);
    const bool as_events = mode != DtmfMode::inband && (*record)->has_events;
    if (!as_events && !(*record)->has_voice)
        co_return fail("media of call {}: '{}' has agreed to neither telephone-event nor G.711",
                       call, tag);
    post(**record, [digits = std::move(request.digits), duration = request.duration,
                    pause = request.pause](Leg& leg) { leg.send_digits(digits, duration, pause); });
    co_return Result<>{};
}

Task<Result<PartyStats>> LocalEngine::query(QueryRequest request) {
    const auto record = get(request.party);
    if (!record) co_return std::unexpected(record.error());
    Reply<PartyStats> reply;
    post(**record, [this, reply, local = (*record)->local](Leg& leg) {
        PartyStats stats = leg.stats();
        stats.local = local;
        mailbox_.post([reply, stats = std::move(stats)]() mutable { reply.set(std::move(stats)); });
    });
    auto stats = co_await reply;
    co_return stats;
}

Task<Result<PartyStats>> LocalEngine::remove(DeleteRequest request) {
    Record* const record = find(request.party);
    if (!record) co_return PartyStats{};
    Reply<PartyStats> reply;
    // A leg on its way between shards arrives first, and then this finds it.
    if (record->moving) {
        auto wait = settled(request.party);
        if (auto arrived = co_await std::move(wait); !arrived) co_return PartyStats{};
        auto again = remove(std::move(request));
        co_return co_await std::move(again);
    }
    unjoin(*record);
    // Gone for everybody else at once; its last events are still told under its name.
    const auto call = calls_.find(request.party.call);
    const auto place = std::ranges::find(call->second, record, &std::unique_ptr<Record>::get);
    departing_[record->id] = std::move(*place);
    call->second.erase(place);
    if (call->second.empty()) calls_.erase(call);
    send(*record->shard, [this, reply, shard = record->shard, leg = record->leg, id = record->id,
                          local = record->local, streams = std::move(record->streams)] {
        PartyStats stats = leg->stats();
        stats.local = local;
        leg->stop_play();
        leg->stop_record(0, "hangup");
        shard->end(*leg);
        std::vector<std::uint16_t> ports{local.port};
        for (const auto& stream : streams) {
            shard->end(*stream.leg);
            ports.push_back(stream.port);
        }
        mailbox_.post(
            [this, reply, id, ports = std::move(ports), stats = std::move(stats)]() mutable {
                by_id_.erase(id);
                departing_.erase(id);
                for (const auto port : ports) ports_.give_back(port);
                reply.set(std::move(stats));
            });
    });
    auto stats = co_await reply;
    co_return stats;
}

}  // namespace strowger::media
