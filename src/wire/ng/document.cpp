#include "wire/ng/document.hpp"

#include "base/text.hpp"
#include "wire/ng/document_builder.hpp"

namespace strowger::ng {

namespace {

constexpr char folded(char c) { return c == ' ' || c == '-' || c == '_' ? '-' : lower(c); }

}  // namespace

bool same_word(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (folded(a[i]) != folded(b[i])) return false;
    }
    return true;
}

Result<Document> Document::parse(std::string_view text) {
    if (text.size() > max_document) {
        return fail("a message of {} bytes, more than {}", text.size(), max_document);
    }
    if (text.starts_with('d')) return parse_bencode(text);
    if (text.starts_with('{')) return parse_json(text);
    return fail("a message begins with 'd' or '{{', not '{}'", text.substr(0, 1));
}

Kind Value::kind() const { return document_->nodes_[at_].kind; }

std::optional<std::string_view> Value::text() const {
    const auto& node = document_->nodes_[at_];
    if (node.kind != Kind::string && node.kind != Kind::integer) return std::nullopt;
    return document_->text_of(node);
}

std::optional<std::int64_t> Value::integer() const {
    const auto& node = document_->nodes_[at_];
    if (node.kind == Kind::integer) return node.integer;
    if (node.kind != Kind::string) return std::nullopt;
    return parse_number<std::int64_t>(document_->text_of(node));
}

std::size_t Value::size() const { return document_->nodes_[at_].count; }

std::optional<Value> Value::find(std::string_view key) const {
    const auto& nodes = document_->nodes_;
    if (nodes[at_].kind != Kind::dictionary) return std::nullopt;
    for (std::uint32_t at = at_ + 1; at < nodes[at_].end; at = nodes[at + 1].end) {
        if (same_word(document_->text_of(nodes[at]), key)) return Value(*document_, at + 1);
    }
    return std::nullopt;
}

std::string_view Value::text_of(std::string_view key) const {
    const auto found = find(key);
    return found ? found->text().value_or(std::string_view{}) : std::string_view{};
}

DocumentBuilder::DocumentBuilder(std::string_view source, Encoding encoding) {
    document_.source_ = source;
    document_.encoding_ = encoding;
}

Document::Node* DocumentBuilder::add(Kind kind) {
    auto& nodes = document_.nodes_;
    if (nodes.size() >= max_values) return nullptr;
    if (!open_.empty()) ++open_.back().values;
    nodes.push_back({.kind = kind, .end = static_cast<std::uint32_t>(nodes.size() + 1)});
    return &nodes.back();
}

bool DocumentBuilder::string(std::size_t begin, std::size_t size) {
    auto* node = add(Kind::string);
    if (node == nullptr) return false;
    node->text = static_cast<std::uint32_t>(begin);
    node->size = static_cast<std::uint32_t>(size);
    return true;
}

bool DocumentBuilder::unescaped(std::size_t begin) {
    if (!string(begin, document_.unescaped_.size() - begin)) return false;
    document_.nodes_.back().unescaped = true;
    return true;
}

bool DocumentBuilder::integer(std::int64_t value, std::size_t begin, std::size_t size) {
    if (!string(begin, size)) return false;
    document_.nodes_.back().kind = Kind::integer;
    document_.nodes_.back().integer = value;
    return true;
}

bool DocumentBuilder::open(Kind kind) {
    if (open_.size() >= max_depth || add(kind) == nullptr) return false;
    open_.push_back({static_cast<std::uint32_t>(document_.nodes_.size() - 1), 0});
    return true;
}

void DocumentBuilder::close() {
    auto& node = document_.nodes_[open_.back().node];
    node.end = static_cast<std::uint32_t>(document_.nodes_.size());
    node.count = open_.back().values / (node.kind == Kind::dictionary ? 2 : 1);
    open_.pop_back();
}

}  // namespace strowger::ng
