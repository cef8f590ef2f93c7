#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace strowger::io {

/// A directory of a test's own that goes with it.
struct TestDirectory {
    std::string path;

    TestDirectory() {
        std::string name = std::filesystem::temp_directory_path() / "strowger-XXXXXX";
        if (::mkdtemp(name.data())) path = name;
    }
    TestDirectory(const TestDirectory&) = delete;
    TestDirectory& operator=(const TestDirectory&) = delete;
    ~TestDirectory() {
        std::error_code ignored;
        if (!path.empty()) std::filesystem::remove_all(path, ignored);
    }
};

}  // namespace strowger::io
