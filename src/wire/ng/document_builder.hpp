#pragma once

#include "wire/ng/document.hpp"

namespace strowger::ng {

/// What the two parsers put a document together with; it holds the bounds.
class DocumentBuilder {
public:
    DocumentBuilder(std::string_view source, Encoding encoding);

    /// False when the document has too many values, or nests too deeply.
    bool string(std::size_t begin, std::size_t size);
    bool unescaped(std::size_t begin);  ///< a string from there to the end of `escaped_text()`
    bool integer(std::int64_t value, std::size_t begin, std::size_t size);
    bool open(Kind kind);
    void close();

    std::string& escaped_text() { return document_.unescaped_; }
    std::size_t depth() const { return open_.size(); }
    Document take() { return std::move(document_); }

private:
    Document::Node* add(Kind kind);

    Document document_;
    struct Open {
        std::uint32_t node;
        std::uint32_t values;
    };
    std::vector<Open> open_;
};

Result<Document> parse_bencode(std::string_view text);
Result<Document> parse_json(std::string_view text);

}  // namespace strowger::ng
