#include "broker/opinions.hpp"

#include <algorithm>

#include "broker/storage.hpp"
#include "wire/zip/zip.hpp"

namespace strowger::broker {

namespace {

// Unpacked; what is larger is compared as it is.
constexpr std::size_t longest_artifacts = 64 << 20;

// Each part with its size, so that no two lists of parts read alike.
void add_part(std::string& text, std::string_view part) {
    text += fmt::format("{}:", part.size());
    text += part;
}

void add_artifacts(std::string& text, const std::string& archive) {
    auto files = zip::read(archive, longest_artifacts);
    if (!files) return add_part(text, archive);
    std::ranges::sort(*files, {}, &zip::File::name);
    for (const auto& file : *files) {
        add_part(text, file.name);
        add_part(text, file.bytes);
    }
}

void add_output(std::string& text, const pb::Task_Wasip1_Output& output) {
    add_part(text, fmt::format("{}", output.status()));
}

void add_output(std::string& text, const pb::Task_Pyodide_Output& output) {
    add_part(text, output.pickle());
}

std::string digest_of(const TaskResponse& response) {
    std::string text;
    std::visit(
        [&](const auto& r) {
            if (r.has_error()) return add_part(text, r.error());
            add_output(text, r.ok());
            add_part(text, r.ok().stdout());
            add_part(text, r.ok().stderr());
            if (r.ok().has_artifacts()) add_artifacts(text, r.ok().artifacts().blob());
        },
        response);
    return ref_of(text);
}

}  // namespace

Opinions::Standing Opinions::add(ProviderId provider, TaskResponse response) {
    auto digest = digest_of(response);
    all_.push_back({provider, std::move(digest), std::move(response)});
    const auto& last = all_.back().digest;
    if (std::cmp_greater_equal(std::ranges::count(all_, last, &Opinion::digest), wanted_)) {
        agreed_ = last;
        return Standing::agreed;
    }
    return all_.size() < 2 * wanted_ - 1 ? Standing::open : Standing::split;
}

TaskResponse Opinions::take() {
    return std::move(std::ranges::find(all_, agreed_, &Opinion::digest)->response);
}

std::vector<ProviderId> Opinions::dissenters() const {
    std::vector<ProviderId> others;
    for (const auto& opinion : all_)
        if (opinion.digest != agreed_) others.push_back(opinion.provider);
    return others;
}

}  // namespace strowger::broker
