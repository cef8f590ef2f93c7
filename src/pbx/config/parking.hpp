#pragma once

#include <string>

#include "base/ini.hpp"

namespace strowger::pbx::config {

/// res_parking.conf: one lot. `default` exists without being written.
struct ParkingLot {
    std::string name;
    ini::Place place;
    std::string context = "parkedcalls";  ///< where `parkext` and the spaces are extensions
    std::string parkext = "700";          ///< parks whoever is sent there
    unsigned first = 701, last = 720;     ///< parkpos
    unsigned parkingtime = 45;            ///< seconds
    bool comebacktoorigin = true;         ///< then whoever parked is called
    unsigned comebackdialtime = 30;       ///< for so many seconds
    std::string comebackcontext = "parkedcallstimeout";  ///< else the parked one goes there
    bool next_space = false;  ///< findslot = next: spaces in turn; first: the lowest free one
    std::string parkedmusicclass = "default";
    std::string courtesytone;  ///< played to whoever takes a call out of the lot

    static constexpr unsigned max_spaces = 10'000;  ///< each becomes an extension
};

}  // namespace strowger::pbx::config
