#pragma once

#include "base/ini.hpp"

namespace strowger::io {

/// Configuration from the file system; `#exec` runs through the shell, when it is asked to.
class DiskFileSource final : public ini::FileSource {
public:
    Result<std::string> read(const std::string& path) override;
    bool exists(const std::string& path) override;
    std::vector<std::string> glob(const std::string& pattern) override;
    Result<std::string> execute(const std::string& command) override;
};

}  // namespace strowger::io
