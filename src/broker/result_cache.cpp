#include "broker/result_cache.hpp"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "broker/task_codec.hpp"

namespace strowger::broker {

namespace {

// What an entry costs beside its result.
constexpr std::size_t overhead = 512;

}  // namespace

std::string ResultCache::key_of(const TaskRequest& request, const std::string& tenant) const {
    if (max_bytes_ == 0 || !qos_of(request).deterministic()) return {};
    std::string text;
    {
        google::protobuf::io::StringOutputStream stream(&text);
        google::protobuf::io::CodedOutputStream coded(&stream);
        coded.SetSerializationDeterministic(true);
        std::visit([&](const auto& r) { r.params().SerializeToCodedStream(&coded); }, request);
    }
    return ref_of(fmt::format("{}\n{}\n{}", kind_of(request), tenant, ref_of(text)));
}

const TaskResponse* ResultCache::find(const std::string& key) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return nullptr;
    order_.splice(order_.begin(), order_, found->second);
    return &found->second->response;
}

void ResultCache::put(const std::string& key, const TaskResponse& response) {
    if (key.empty() || entries_.contains(key)) return;
    const bool ok = std::visit([](const auto& r) { return r.has_ok(); }, response);
    const auto size =
        overhead + std::visit([](const auto& r) { return r.ByteSizeLong(); }, response);
    // One that would push out most of the others is not worth it.
    if (!ok || size > max_bytes_ / 4) return;
    order_.push_front({key, response, size});
    entries_[key] = order_.begin();
    bytes_ += size;
    while (bytes_ > max_bytes_ || entries_.size() > max_entries) drop_last();
}

void ResultCache::drop_last() {
    bytes_ -= order_.back().bytes;
    entries_.erase(order_.back().key);
    order_.pop_back();
}

}  // namespace strowger::broker
