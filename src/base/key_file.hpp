#pragma once

#include "base/ini.hpp"

namespace strowger::ini {

/// Key files, as rtpengine reads its own, for the reader of Asterisk's dialect: in them `#` and `;`
/// begin a comment at the start of a line alone, as `;` stands between the items of a list, and
/// nothing is included.
///
///     KeyFiles keys(files);
///     auto document = ini::read(keys, "rtpengine.conf", {}, diagnostics);
class KeyFiles final : public FileSource {
public:
    explicit KeyFiles(FileSource& files) : files_(files) {}

    Result<std::string> read(const std::string& path) override;
    bool exists(const std::string& path) override { return files_.exists(path); }
    std::vector<std::string> glob(const std::string& pattern) override {
        return files_.glob(pattern);
    }
    Result<std::string> execute(const std::string& command) override;

private:
    FileSource& files_;
};

}  // namespace strowger::ini
