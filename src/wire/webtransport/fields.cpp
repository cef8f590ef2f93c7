#include "wire/webtransport/fields.hpp"

#include <nghttp3/nghttp3.h>

#include "wire/webtransport/codes.hpp"

namespace strowger::webtransport {

struct Fields::Impl {
    nghttp3_qpack_decoder* decoder = nullptr;
    nghttp3_qpack_encoder* encoder = nullptr;
};

namespace {

struct StreamContext {
    nghttp3_qpack_stream_context* context = nullptr;
    explicit StreamContext(std::int64_t stream) {
        nghttp3_qpack_stream_context_new(&context, stream, nghttp3_mem_default());
    }
    ~StreamContext() { nghttp3_qpack_stream_context_del(context); }
};

std::string text_of(nghttp3_rcbuf* buffer) {
    const auto bytes = nghttp3_rcbuf_get_buf(buffer);
    std::string text(reinterpret_cast<const char*>(bytes.base), bytes.len);
    nghttp3_rcbuf_decref(buffer);
    return text;
}

nghttp3_nv field_of(const Field& field) {
    // The library takes pointers to what it does not change.
    const auto bytes = [](const std::string& text) {
        return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
    };
    return {bytes(field.name), bytes(field.value), field.name.size(), field.value.size(),
            NGHTTP3_NV_FLAG_NONE};
}

void take(std::vector<std::uint8_t>& out, nghttp3_buf& buffer) {
    out.insert(out.end(), buffer.pos, buffer.last);
    nghttp3_buf_free(&buffer, nghttp3_mem_default());
}

}  // namespace

// Neither call fails but for want of memory, which ends the process anyway.
Fields::Fields() : impl_(std::make_unique<Impl>()) {
    nghttp3_qpack_decoder_new(&impl_->decoder, 0, 0, nghttp3_mem_default());
    nghttp3_qpack_encoder_new(&impl_->encoder, 0, nghttp3_mem_default());
}

Fields::~Fields() {
    nghttp3_qpack_decoder_del(impl_->decoder);
    nghttp3_qpack_encoder_del(impl_->encoder);
}

Result<std::vector<Field>> Fields::decode(std::int64_t stream, Bytes block) {
    const StreamContext context(stream);
    std::vector<Field> fields;
    std::size_t total = 0;
    while (true) {
        nghttp3_qpack_nv field;
        std::uint8_t flags = 0;
        const auto used = nghttp3_qpack_decoder_read_request(
            impl_->decoder, context.context, &field, &flags, block.data(), block.size(), 1);
        if (used < 0)
            return fail_with(qpack_decompression_failed, "header block: {}",
                             nghttp3_strerror(static_cast<int>(used)));
        if (flags & NGHTTP3_QPACK_DECODE_FLAG_BLOCKED)
            return fail_with(qpack_decompression_failed, "header block waits for a dynamic table");
        block = block.subspan(static_cast<std::size_t>(used));
        if (flags & NGHTTP3_QPACK_DECODE_FLAG_EMIT) {
            Field read{text_of(field.name), text_of(field.value)};
            total += read.name.size() + read.value.size();
            fields.push_back(std::move(read));
            if (fields.size() > max_fields || total > max_bytes)
                return fail_with(h3_excessive_load, "more than {} header fields or {} bytes",
                                 max_fields, max_bytes);
        }
        if (flags & NGHTTP3_QPACK_DECODE_FLAG_FINAL) return fields;
        if (used == 0 && !(flags & NGHTTP3_QPACK_DECODE_FLAG_EMIT))
            return fail_with(qpack_decompression_failed, "header block is cut short");
    }
}

Result<> Fields::instructions(Bytes bytes) {
    const auto used =
        nghttp3_qpack_decoder_read_encoder(impl_->decoder, bytes.data(), bytes.size());
    if (used < 0)
        return fail_with(qpack_encoder_stream_error, "encoder stream: {}",
                         nghttp3_strerror(static_cast<int>(used)));
    return {};
}

std::vector<std::uint8_t> Fields::encode(std::int64_t stream, const std::vector<Field>& fields) {
    std::vector<nghttp3_nv> native;
    for (const auto& field : fields) native.push_back(field_of(field));
    nghttp3_buf prefix, block, instructions;
    for (auto* buffer : {&prefix, &block, &instructions}) nghttp3_buf_init(buffer);
    std::vector<std::uint8_t> out;
    nghttp3_qpack_encoder_encode(impl_->encoder, &prefix, &block, &instructions, stream,
                                 native.data(), native.size());
    take(out, prefix);
    take(out, block);
    nghttp3_buf_free(&instructions, nghttp3_mem_default());  // empty: there is no table
    return out;
}

}  // namespace strowger::webtransport
