#include "wire/starless/messages.hpp"

#include <algorithm>

#include "base/utf8.hpp"

namespace strowger::starless {

namespace {

std::string said(const Value* value) {
    const auto text = value ? value->text() : std::nullopt;
    std::string kept(text ? text->substr(0, max_said) : std::string_view());
    for (auto& c : kept)
        if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '?';
    return kept;
}

std::string content(const Value* value) {
    const auto bytes = value ? value->binary() : std::nullopt;
    return std::string(bytes ? as_text(*bytes) : std::string_view());
}

std::uint32_t count(const Value* value) {
    const auto number = value ? value->number() : std::nullopt;
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(number.value_or(0), UINT32_MAX));
}

Writer begin(std::string_view method, std::uint64_t sequence) {
    Writer writer;
    writer.map(2).text("ServiceMethod").text(method).text("Seq").integer64(sequence);
    return writer;
}

// The page compares the length as a number of its own, to which 64-bit forms do not convert; the
// times it takes as those (BigInt).
Writer& describe(Writer& writer, const File& file, std::size_t more) {
    return writer.map(4 + more)
        .text("filename")
        .text(file.name)
        .text("hash")
        .binary(file.hash)
        .text("length")
        .integer(file.length)
        .text("epoch")
        .integer64(file.epoch);
}

void texts(Writer& writer, const std::vector<std::string>& list) {
    writer.array(list.size());
    for (const auto& text : list) writer.text(text);
}

}  // namespace

Result<Control> read_control(const Value& message) {
    const auto* type = message.find("type");
    const auto name = type ? type->text() : std::nullopt;
    if (!name) return fail("a control message without a type");
    const auto* body = message.find("message");
    if (!body || body->kind != Value::Kind::map)
        return fail("control message '{}' without its content", said(type));
    if (*name == "hello") return Hello{said(body->find("sent"))};
    if (*name == "providerinfo")
        return ProviderInfo{said(body->find("platform")), said(body->find("useragent")),
                            said(body->find("name"))};
    if (*name == "poolinfo") return PoolInfo{count(body->find("nmax")), count(body->find("pool"))};
    return Unknown{said(type)};
}

std::vector<std::uint8_t> write_ping(std::uint64_t sequence) {
    return begin("ping", sequence).text("ping").take();
}

std::vector<std::uint8_t> write_list(std::uint64_t sequence) {
    return begin("fs:list", sequence).nil().take();
}

std::vector<std::uint8_t> write_probe(std::uint64_t sequence, const File& file) {
    auto writer = begin("fs:probe", sequence);
    return describe(writer, file, 0).take();
}

std::vector<std::uint8_t> write_upload(std::uint64_t sequence, const File& file, Bytes bytes) {
    auto writer = begin("fs:upload", sequence);
    return describe(writer, file, 1).text("bytes").binary(bytes).take();
}

std::vector<std::uint8_t> write_run(std::uint64_t sequence, const Run& run) {
    auto writer = begin("run", sequence);
    writer.map(std::size_t{4} + run.stdin_bytes.has_value() + !run.load_files.empty() +
               run.data_file.has_value() + run.trace);
    writer.text("id").text(run.id).text("binary").text(run.binary).text("args");
    texts(writer, run.args);
    writer.text("envs");
    texts(writer, run.envs);
    if (run.stdin_bytes) {
        writer.text("stdin");
        if (is_utf8(*run.stdin_bytes))
            writer.text(*run.stdin_bytes);
        else
            writer.binary(as_bytes(*run.stdin_bytes));
    }
    if (!run.load_files.empty()) {
        writer.text("loadfs");
        texts(writer, run.load_files);
    }
    if (run.data_file) writer.text("datafile").text(*run.data_file);
    if (run.trace) writer.text("trace").boolean(true);
    return writer.take();
}

Result<AnswerHeader> read_answer_header(const Value& header) {
    const auto* sequence = header.find("Seq");
    const auto number = sequence ? sequence->number() : std::nullopt;
    if (!number) return fail("an answer without Seq");
    AnswerHeader read{said(header.find("ServiceMethod")), *number, std::nullopt};
    const auto* error = header.find("Error");
    if (!error || error->is_nil()) return read;
    const auto text = error->text();
    if (!text) return fail("an answer of which Error is neither nil nor text");
    if (!text->empty()) read.error = std::string(*text);
    return read;
}

Result<std::vector<File>> read_files(const Value& body) {
    std::vector<File> files;
    if (body.is_nil()) return files;  // an empty list
    if (body.kind != Value::Kind::array) return fail("a listing that is no list");
    for (const auto& item : body.items) {
        const auto* name = item.find("filename");
        const auto* hash = item.find("hash");
        const auto* length = item.find("length");
        const auto text = name ? name->text() : std::nullopt;
        const auto bytes = hash ? hash->binary() : std::nullopt;
        const auto size = length ? length->number() : std::nullopt;
        if (!text || !bytes || bytes->size() != Digest{}.size() || !size)
            return fail("a listing of which an item lacks filename, hash or length");
        auto& file = files.emplace_back();
        file.name = std::string(*text);
        std::ranges::copy(*bytes, file.hash.begin());
        file.length = *size;
        const auto* epoch = item.find("epoch");
        file.epoch = epoch ? epoch->number().value_or(0) : 0;
    }
    return files;
}

Result<Outcome> read_outcome(const Value& body) {
    const auto* code = body.find("exitcode");
    if (!code || (code->kind != Value::Kind::integer && code->kind != Value::Kind::negative &&
                  !code->number()))
        return fail("a result without exitcode");
    Outcome outcome;
    outcome.exit_code = static_cast<std::int32_t>(code->kind == Value::Kind::real ? *code->number()
                                                                                  : code->integer);
    outcome.stdout_bytes = content(body.find("stdout"));
    outcome.stderr_bytes = content(body.find("stderr"));
    if (const auto* data = body.find("datafile"); data && data->binary())
        outcome.data_file = content(data);
    const auto* trace = body.find("trace");
    if (!trace || trace->kind != Value::Kind::array) return outcome;
    for (const auto& item : trace->items) {
        if (outcome.trace.size() >= max_trace) break;
        const auto* time = item.find("time");
        outcome.trace.push_back({time ? time->number().value_or(0) : 0, said(item.find("label"))});
    }
    return outcome;
}

}  // namespace strowger::starless
