#pragma once

#include <string>
#include <vector>

#include "base/task.hpp"
#include "pbx/bridge.hpp"
#include "pbx/config/settings.hpp"

namespace strowger::pbx {

/// An application that a party may have run by digits (features.conf [applicationmap]).
struct DynamicFeature {
    config::Features::Application application;
    std::string digits;  ///< those of its group, if that has some
};

/// What a party may use: the names and groups in its DYNAMIC_FEATURES, joined by '#'. `is_caller`
/// tells which side it is on, as some are for one side only.
std::vector<DynamicFeature> dynamic_features(const Channel& channel,
                                             const config::Features& features, bool is_caller);

/// Runs it on the party that pressed the digits, or on the other one, who meanwhile hears music if
/// it has a class. Then they talk on.
Task<> run_dynamic_feature(Core& core, Bridge::Starter starter, std::shared_ptr<Bridge> bridge,
                           ChannelPtr by, config::Features::Application application);

}  // namespace strowger::pbx
