#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace strowger::ng {

enum class Encoding : std::uint8_t { bencode, json };

constexpr std::size_t max_document = 1 << 20;  ///< a prompt as a blob is the largest that comes
constexpr std::size_t max_depth = 32;          ///< real requests nest four deep
constexpr std::size_t max_values = 65'536;     ///< keys count; of half a megabyte of short flags

enum class Kind : std::uint8_t { string, integer, list, dictionary };

class Document;

/// One value of a document, borrowed from it. Control modules send numbers as strings and strings
/// as numbers, so either is read as what is asked for.
class Value {
public:
    Kind kind() const;
    std::optional<std::string_view> text() const;  ///< of a string, or the digits of an integer
    std::optional<std::int64_t> integer() const;   ///< of an integer, or of a string that is one

    /// Elements of a list, or pairs of a dictionary; 0 of anything else.
    std::size_t size() const;

    /// A member of a dictionary by its key: the first whose key is spelt alike (`same_word`).
    std::optional<Value> find(std::string_view key) const;
    /// The same, of text; empty when there is none.
    std::string_view text_of(std::string_view key) const;

    /// For each element of a list: `visit(Value)`.
    template <typename Visit>
    void each(Visit visit) const;
    /// For each pair of a dictionary: `visit(std::string_view key, Value)`.
    template <typename Visit>
    void each_pair(Visit visit) const;

private:
    friend class Document;
    Value(const Document& document, std::uint32_t at) : document_(&document), at_(at) {}

    const Document* document_;
    std::uint32_t at_;
};

/// A message of the NG protocol: a dictionary in bencode, or an object in JSON, by its first byte.
///
/// Strings borrow from the text that was parsed, which must outlive this; those of JSON that have
/// escapes are kept here. JSON's true and false are the integers 1 and 0, null is an empty string,
/// and a number with a fraction is the string that it is written as.
class Document {
public:
    static Result<Document> parse(std::string_view text);

    Document(Document&&) = default;
    Document& operator=(Document&&) = default;

    Encoding encoding() const { return encoding_; }
    Value root() const { return {*this, 0}; }
    std::optional<Value> find(std::string_view key) const { return root().find(key); }
    std::string_view text_of(std::string_view key) const { return root().text_of(key); }

private:
    friend class Value;
    friend class DocumentBuilder;

    /// In the order of the text: a container, then what is in it. A pair is a string and a value.
    struct Node {
        Kind kind;
        bool unescaped = false;   ///< the text is in `unescaped_`
        std::uint32_t end = 0;    ///< the node after this and all that is in it
        std::uint32_t count = 0;  ///< of elements or pairs
        std::uint32_t text = 0, size = 0;
        std::int64_t integer = 0;
    };

    Document() = default;
    std::string_view text_of(const Node& node) const {
        return (node.unescaped ? std::string_view(unescaped_) : source_)
            .substr(node.text, node.size);
    }

    std::string_view source_;
    std::string unescaped_;
    std::vector<Node> nodes_;
    Encoding encoding_ = Encoding::bencode;
};

/// Two spellings of one word: in any case, and with spaces, hyphens or underscores between parts.
bool same_word(std::string_view a, std::string_view b);

template <typename Visit>
void Value::each(Visit visit) const {
    const auto& nodes = document_->nodes_;
    if (nodes[at_].kind != Kind::list) return;
    for (std::uint32_t at = at_ + 1; at < nodes[at_].end; at = nodes[at].end) {
        visit(Value(*document_, at));
    }
}

template <typename Visit>
void Value::each_pair(Visit visit) const {
    const auto& nodes = document_->nodes_;
    if (nodes[at_].kind != Kind::dictionary) return;
    for (std::uint32_t at = at_ + 1; at < nodes[at_].end; at = nodes[at + 1].end) {
        visit(document_->text_of(nodes[at]), Value(*document_, at + 1));
    }
}

}  // namespace strowger::ng
