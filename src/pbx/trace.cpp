#include "pbx/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace strowger::pbx {

namespace {

// A look at a message that may be anything, without parsing it: traces must cost little.
struct Glance {
    std::string_view call_id;
    std::string text;
    bool interesting = false;
};

std::string_view line_value(std::string_view bytes, std::string_view name,
                            std::string_view compact) {
    std::size_t at = bytes.find('\n');
    while (at != std::string_view::npos && at + 1 < bytes.size()) {
        const auto line = bytes.substr(at + 1, bytes.find('\n', at + 1) - at - 1);
        if (line.empty() || line == "\r") return {};
        const auto colon = line.find(':');
        if (colon != std::string_view::npos) {
            const auto key = trim(line.substr(0, colon));
            if (iequals(key, name) || iequals(key, compact)) return trim(line.substr(colon + 1));
        }
        at = bytes.find('\n', at + 1);
    }
    return {};
}

Glance glance(std::string_view bytes) {
    Glance seen;
    if (bytes.starts_with("REGISTER ") || bytes.starts_with("OPTIONS ") || bytes.size() < 16)
        return seen;
    const auto first = trim(bytes.substr(0, bytes.find('\n')));
    if (first.starts_with("SIP/2.0 ")) {
        const auto cseq = line_value(bytes, "CSeq", "cseq");
        if (cseq.ends_with("REGISTER") || cseq.ends_with("OPTIONS")) return seen;
        seen.text = first.substr(8);
        const auto method = cseq.substr(cseq.find(' ') + 1);
        if (method != "INVITE" && seen.text.size() < 60) seen.text += fmt::format(" ({})", method);
    } else {
        seen.text = first.substr(0, first.find(' '));
    }
    if (istarts_with(line_value(bytes, "Content-Type", "c"), "application/sdp"))
        seen.text += " (SDP)";
    if (seen.text.size() > 80) seen.text.resize(80);
    seen.call_id = line_value(bytes, "Call-ID", "i");
    seen.interesting = !seen.call_id.empty();
    return seen;
}

double offset(const Trace::Call& call, Time at) { return std::max(0.0, seconds(at - call.start)); }

}  // namespace

Trace::Call* Trace::by_linkedid(std::string_view linkedid) const {
    const auto found = by_linkedid_.find(linkedid);
    return found == by_linkedid_.end() ? nullptr : found->second.get();
}

void Trace::leg_began(const std::string& linkedid, Leg leg, Time now, WallTime wall_now) {
    const auto known = by_linkedid_.find(linkedid);
    std::shared_ptr<Call> call = known == by_linkedid_.end() ? nullptr : known->second;
    if (!call) {
        if (order_.size() >= max_calls) {
            for (const auto& old : order_.front()->legs) by_call_id_.erase(old.call_id);
            by_linkedid_.erase(order_.front()->linkedid);
            order_.pop_front();
        }
        call = order_.emplace_back(std::make_shared<Call>());
        call->linkedid = linkedid;
        call->began = wall_now;
        call->start = now;
        by_linkedid_.emplace(call->linkedid, call);
    }
    const auto index = call->legs.size();
    const auto early = std::find_if(early_.begin(), early_.end(),
                                    [&](const Early& e) { return e.call_id == leg.call_id; });
    if (early != early_.end()) {
        for (auto& message : early->messages) {
            message.leg = index;
            call->start = std::min(call->start, message.at);
            call->messages.push_back(std::move(message));
        }
        early_.erase(early);
    }
    by_call_id_[leg.call_id] = {call, index};
    call->legs.push_back(std::move(leg));
}

void Trace::leg_answered(const std::string& linkedid, Time now) {
    if (auto* call = by_linkedid(linkedid); call && !call->answered) call->answered = now;
}

void Trace::leg_ended(const std::string& linkedid, const std::string& call_id,
                      std::optional<media::PartyStats> media, Cause cause, Time now) {
    auto* call = by_linkedid(linkedid);
    if (!call) return;
    for (auto& leg : call->legs)
        if (leg.call_id == call_id) leg.media = std::move(media);
    if (call->legs.empty() || call->legs.front().call_id == call_id) {
        call->ended = now;
        call->cause = cause;
    }
}

void Trace::step(const std::string& linkedid, std::string channel, std::string text, Time now) {
    auto* call = by_linkedid(linkedid);
    if (call && call->steps.size() < max_steps)
        call->steps.push_back({now, std::move(channel), std::move(text)});
}

void Trace::set_dialled(const std::string& linkedid, std::string dialled) {
    if (auto* call = by_linkedid(linkedid); call && call->dialled.empty())
        call->dialled = std::move(dialled);
}

void Trace::message(std::string_view bytes, bool sent, Time now) {
    auto seen = glance(bytes);
    if (!seen.interesting) return;
    if (const auto known = by_call_id_.find(seen.call_id); known != by_call_id_.end()) {
        if (const auto call = known->second.first.lock()) {
            if (call->messages.size() < max_messages)
                call->messages.push_back({now, known->second.second, sent, std::move(seen.text)});
            return;
        }
        by_call_id_.erase(known);
    }
    auto early = std::find_if(early_.rbegin(), early_.rend(),
                              [&](const Early& e) { return e.call_id == seen.call_id; });
    if (early == early_.rend()) {
        if (seen.text.compare(0, 6, "INVITE") != 0) return;
        if (early_.size() >= max_early) early_.pop_front();
        early_.push_back({std::string(seen.call_id), {}});
        early = early_.rbegin();
    }
    if (early->messages.size() < 32)
        early->messages.push_back({now, 0, sent, std::move(seen.text)});
}

const Trace::Call* Trace::find(std::string_view id) const {
    if (id == "last") return last();
    for (const auto& call : order_) {
        if (call->linkedid == id) return call.get();
        for (const auto& leg : call->legs)
            if (leg.call_id == id) return call.get();
    }
    return nullptr;
}

std::string Trace::json(const Call& call, Time now) {
    using nlohmann::json;
    json out;
    out["id"] = call.linkedid;
    out["state"] = call.ended ? "ended" : call.answered ? "up" : "setup";
    out["dialled"] = call.dialled;
    out["cause"] = static_cast<int>(call.cause);
    out["cause_text"] = text_of(call.cause);
    out["answer_seconds"] = call.answered ? offset(call, *call.answered) : 0.0;
    out["talk_seconds"] = call.answered ? seconds(call.ended.value_or(now) - *call.answered) : 0.0;
    out["messages"] = json::array();
    for (const auto& message : call.messages)
        out["messages"].push_back({{"seconds", offset(call, message.at)},
                                   {"leg", message.leg},
                                   {"direction", message.sent ? "out" : "in"},
                                   {"text", message.text}});
    out["dialplan"] = json::array();
    for (const auto& step : call.steps)
        out["dialplan"].push_back(
            {{"seconds", offset(call, step.at)}, {"channel", step.channel}, {"text", step.text}});
    out["media"] = json::array();
    for (const auto& leg : call.legs) {
        if (!leg.media) continue;
        const auto& in = leg.media->received;
        out["media"].push_back({{"party", leg.endpoint},
                                {"channel", leg.channel},
                                {"call_id", leg.call_id},
                                {"codec", leg.media->codec},
                                {"packets", in.packets},
                                {"packets_sent", leg.media->sent.packets},
                                {"lost", in.lost},
                                {"loss_percent", in.loss_percent},
                                {"jitter_ms", in.jitter_ms},
                                {"mos", in.mos},
                                {"round_trip_ms", leg.media->round_trip_ms},
                                {"mode", leg.media->mode},
                                {"why", leg.media->why}});
    }
    return out.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string Trace::text(const Call& call, Time now) {
    std::string out =
        fmt::format("Call {} to '{}': {}, cause {} ({})\n", call.linkedid, call.dialled,
                    call.ended      ? "ended"
                    : call.answered ? "up"
                                    : "setting up",
                    static_cast<int>(call.cause), text_of(call.cause));
    if (call.answered)
        out += fmt::format("Answered after {:.3f} s, {} {:.1f} s\n", offset(call, *call.answered),
                           call.ended ? "talked" : "talking for",
                           seconds(call.ended.value_or(now) - *call.answered));
    for (std::size_t i = 0; i < call.legs.size(); ++i)
        out += fmt::format("Leg {}: {} {} {} (Call-ID {})\n", i, call.legs[i].channel,
                           call.legs[i].incoming ? "from" : "to", call.legs[i].peer,
                           call.legs[i].call_id);
    struct Line {
        Time at;
        std::string text;
    };
    std::vector<Line> lines;
    for (const auto& message : call.messages)
        lines.push_back(
            {message.at, fmt::format("leg {} {} {}", message.leg,
                                     message.sent ? "sent    " : "received", message.text)});
    for (const auto& step : call.steps)
        lines.push_back({step.at, fmt::format("{} {}", step.channel, step.text)});
    std::stable_sort(lines.begin(), lines.end(),
                     [](const Line& a, const Line& b) { return a.at < b.at; });
    for (const auto& line : lines)
        out += fmt::format("{:9.3f}  {}\n", offset(call, line.at), line.text);
    for (const auto& leg : call.legs) {
        if (!leg.media) continue;
        const auto& in = leg.media->received;
        out += fmt::format(
            "Media from {}: {} {} packets, {} lost ({:.2f} %), jitter {:.2f} ms, MOS {:.2f}; {} "
            "packets sent\n",
            leg.endpoint, leg.media->codec, in.packets, in.lost, in.loss_percent, in.jitter_ms,
            in.mos, leg.media->sent.packets);
    }
    return out;
}

}  // namespace strowger::pbx
