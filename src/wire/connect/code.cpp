#include "wire/connect/code.hpp"

#include <array>
#include <nlohmann/json.hpp>

namespace strowger::connect {

namespace {

struct Row {
    std::string_view name;
    int status;
};
constexpr std::array<Row, 17> rows{{{"ok", 200},
                                    {"canceled", 499},
                                    {"unknown", 500},
                                    {"invalid_argument", 400},
                                    {"deadline_exceeded", 504},
                                    {"not_found", 404},
                                    {"already_exists", 409},
                                    {"permission_denied", 403},
                                    {"resource_exhausted", 429},
                                    {"failed_precondition", 400},
                                    {"aborted", 409},
                                    {"out_of_range", 400},
                                    {"unimplemented", 501},
                                    {"internal", 500},
                                    {"unavailable", 503},
                                    {"data_loss", 500},
                                    {"unauthenticated", 401}}};

const Row& row(Code code) { return rows.at(static_cast<std::size_t>(code)); }

}  // namespace

std::string_view name(Code code) { return row(code).name; }
int http_status(Code code) { return row(code).status; }

std::string error_json(Code code, std::string_view message) {
    const nlohmann::ordered_json body{{"code", name(code)}, {"message", message}};
    return body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace strowger::connect
