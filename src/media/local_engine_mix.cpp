#include <algorithm>
#include <utility>

#include "media/local_engine.hpp"
#include "media/mix.hpp"

namespace strowger::media {
namespace {

// Conferences of one exchange at a time; each costs its thread a tick every 20 ms.
constexpr std::size_t max_mixes = 4096;

// Names come from dialplans, and so from what people dial.
constexpr std::size_t max_mix_name = 256;

// Who listens to one party at a time: each gets a copy of its every packet.
constexpr std::size_t max_spies = 16;

}  // namespace

void LocalEngine::unjoin(Record& record) {
    ++record.joins;
    record.echoes = false;
    if (const auto other = std::exchange(record.joined, std::nullopt))
        if (Record* const peer = find(*other); peer && peer->joined == record.party)
            peer->joined.reset();
    if (!record.streams.empty()) join_streams(record);
    leave_mix(record);
    stop_spying(record);
}

// The leg itself parts when its shard gets to it; an emptied mix ends before or after that.
void LocalEngine::leave_mix(Record& record) {
    const auto found = mixes_.find(std::exchange(record.mix, {}));
    if (found == mixes_.end() || --found->second.members > 0) return;
    send(*found->second.shard,
         [shard = found->second.shard, mix = found->second.mix] { shard->end(*mix); });
    mixes_.erase(found);
}

void LocalEngine::stop_spying(Record& record) {
    const auto spied = std::exchange(record.spied, std::nullopt);
    if (!spied) return;
    if (Record* const target = find(*spied)) std::erase(target->spies, record.id);
    post(record, [](Leg& leg) { leg.stop_spying(); });
}

Result<LocalEngine::MixRecord*> LocalEngine::mix_named(const std::string& name) {
    const auto found = mixes_.find(name);
    if (found == mixes_.end()) return fail("there is no mix '{}'", name);
    return &found->second;
}

Task<Result<>> LocalEngine::mix(MixRequest request) {
    if (request.mix.empty() || request.mix.size() > max_mix_name)
        co_return fail("a mix's name has 1 to {} characters, not {}", max_mix_name,
                       request.mix.size());
    std::uint64_t turn = 0;
    while (true) {
        const auto got = get(request.party);
        if (!got) co_return std::unexpected(got.error());
        Record& record = **got;
        if (turn != 0 && record.joins != turn) co_return Result<>{};  // overtaken by another
        if (record.agreed && !record.has_voice)
            co_return fail("media of call {}: '{}' speaks no codec that can be mixed here",
                           request.party.call, request.party.tag);
        if (record.mix != request.mix) {
            auto found = mixes_.find(request.mix);
            if (found != mixes_.end() && found->second.members >= Mix::max_members)
                co_return fail("mix '{}' has {} members, and no room for more", request.mix,
                               Mix::max_members);
            if (found == mixes_.end()) {
                if (mixes_.size() >= max_mixes)
                    co_return fail("there are {} mixes, and no room for more", max_mixes);
                auto made = std::make_unique<Mix>(next_id_++, request.mix);
                Shard* const shard =
                    shards_[std::hash<std::string>{}(request.mix) % shards_.size()].get();
                found = mixes_.emplace(request.mix, MixRecord{made.get(), shard}).first;
                send(*shard,
                     [shard, made = std::move(made)]() mutable { shard->adopt(std::move(made)); });
            }
            ++found->second.members;  // first: it may be the last of the mix that it leaves
            unjoin(record);
            record.mix = request.mix;
            turn = record.joins;
        }
        const MixRecord& in = mixes_.at(record.mix);
        if (!record.moving && record.shard == in.shard) {
            send(*in.shard, [leg = record.leg, mix = in.mix, settings = request.settings] {
                leg->enter(*mix, settings);
            });
            co_return Result<>{};
        }
        turn = record.joins;
        if (!record.moving) move(record, *in.shard);
        auto wait = settled(request.party);
        if (auto arrived = co_await std::move(wait); !arrived) co_return arrived;
    }
}

Task<Result<>> LocalEngine::leave_mix(LeaveMixRequest request) {
    const auto record = get(request.party);
    if (!record) co_return std::unexpected(record.error());
    if ((*record)->mix.empty()) co_return Result<>{};
    unjoin(**record);
    post(**record, [](Leg& leg) { leg.part(); });
    co_return Result<>{};
}

Task<Result<>> LocalEngine::play_mix(PlayMixRequest request) {
    auto known = mix_named(request.mix);
    if (!known) co_return std::unexpected(known.error());
    const std::uint64_t turn = ++(*known)->plays;
    auto loading = load(std::move(request.source));
    auto sounds = co_await std::move(loading);
    if (!sounds) co_return std::unexpected(sounds.error());
    auto found = mix_named(request.mix);
    if (!found) co_return std::unexpected(found.error());
    if ((*found)->plays != turn) {
        emit(0, PlayFinished{.party = {request.mix, {}}, .id = request.id, .completed = false});
        co_return Result<>{};
    }
    send(*(*found)->shard, [mix = (*found)->mix, id = request.id,
                            player = std::make_unique<Player>(std::move(*sounds))]() mutable {
        mix->play(std::move(player), id);
    });
    co_return Result<>{};
}

Task<Result<>> LocalEngine::stop_play_mix(StopPlayMixRequest request) {
    const auto found = mix_named(request.mix);
    if (!found) co_return std::unexpected(found.error());
    ++(*found)->plays;
    send(*(*found)->shard, [mix = (*found)->mix] { mix->stop_play(); });
    co_return Result<>{};
}

Task<Result<>> LocalEngine::record_mix(RecordMixRequest request) {
    if (const auto known = mix_named(request.mix); !known) co_return std::unexpected(known.error());
    Recording recording{.path = std::move(request.path),
                        .append = request.append,
                        .config = {.id = request.id, .both_directions = false}};
    Party party{request.mix, {}};
    auto opening = open_recording(std::move(recording), std::move(party));
    auto recorder = co_await std::move(opening);
    if (!recorder) co_return std::unexpected(recorder.error());
    const auto found = mix_named(request.mix);
    if (!found) co_return std::unexpected(found.error());
    send(*(*found)->shard, [mix = (*found)->mix, recorder = std::move(*recorder)]() mutable {
        mix->record(std::move(recorder));
    });
    co_return Result<>{};
}

Task<Result<>> LocalEngine::stop_record_mix(StopRecordMixRequest request) {
    const auto found = mix_named(request.mix);
    if (!found) co_return std::unexpected(found.error());
    send(*(*found)->shard,
         [mix = (*found)->mix, id = request.id] { mix->stop_record(id, "stopped"); });
    co_return Result<>{};
}

Task<Result<>> LocalEngine::spy(SpyRequest request) {
    if (request.party == request.target)
        co_return fail("media of call {}: '{}' cannot listen to itself", request.party.call,
                       request.party.tag);
    std::uint64_t turn = 0;
    while (true) {
        const auto listener = get(request.party);
        if (!listener) co_return std::unexpected(listener.error());
        const auto target = get(request.target);
        if (!target) co_return std::unexpected(target.error());
        Record& record = **listener;
        if (turn != 0 && record.joins != turn) co_return Result<>{};  // overtaken by another
        if (record.spied != request.target) {
            if ((*target)->spies.size() >= max_spies)
                co_return fail("media of call {}: {} listen to '{}' already", request.target.call,
                               max_spies, request.target.tag);
            unjoin(record);
            record.spied = request.target;
            (*target)->spies.push_back(record.id);
        }
        record.spy_settings = request.settings;
        turn = record.joins;
        if (!record.moving && !(*target)->moving) {
            if (record.shard == (*target)->shard) {
                send(*record.shard,
                     [leg = record.leg, heard = (*target)->leg, settings = record.spy_settings] {
                         leg->spy(*heard, settings);
                     });
                co_return Result<>{};
            }
            move(record, *(*target)->shard);
        }
        auto wait = settled(record.moving ? request.party : request.target);
        if (auto arrived = co_await std::move(wait); !arrived) co_return arrived;
    }
}

Task<Result<>> LocalEngine::stop_spy(StopSpyRequest request) {
    const auto record = get(request.party);
    if (!record) co_return std::unexpected(record.error());
    unjoin(**record);
    co_return Result<>{};
}

// The target has moved to another thread: who listened to it comes after.
Task<> LocalEngine::follow(Party spy, Party target) {
    const Record* const record = find(spy);
    if (!record || record->spied != target) co_return;
    SpyRequest request{std::move(spy), std::move(target), record->spy_settings};
    auto again = this->spy(std::move(request));
    (void)co_await std::move(again);
}

}  // namespace strowger::media
