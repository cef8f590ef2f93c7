#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/text.hpp"
#include "pbx/core.hpp"

namespace strowger::pbx {

/// Asks contacts by OPTIONS whether they are there, once per the `qualify_frequency` of their aor,
/// and notes in Location what came: a contact that does not answer is not dialled.
///
/// A phone that has just registered is asked at once; all others (at start, after a reload) at a
/// moment chosen by chance within their period, so that thousands are spread evenly over it. One
/// contact costs a map entry and a timer.
class Qualifier {
public:
    explicit Qualifier(Core& core);
    ~Qualifier();
    Qualifier(const Qualifier&) = delete;
    Qualifier& operator=(const Qualifier&) = delete;

    /// Goes by `core.config` from now on. Call after each load, when the static contacts are bound;
    /// what is known of contacts that stay is kept.
    void configure();

    /// Asks every contact of that aor or endpoint now, whatever its frequency. How many.
    std::size_t qualify(std::string_view aor_or_endpoint);

    std::size_t size() const { return probes_.size(); }  ///< contacts that are asked periodically

private:
    struct Probe;

    static std::string key(std::string_view aor, std::string_view uri);
    Probe& add(const std::string& aor, const Contact& contact);
    void changed(const std::string& aor, const Contact& contact, Location::Change change);
    void plan(Probe& probe, Duration delay);
    void ask(const std::string& key);
    Task<> send(std::string key, std::string authorization_name, std::string authorization);
    void handle(const sip::TransactionEvent& event);
    void answered(Probe& probe, const sip::Message& response);
    void failed(Probe& probe, std::string_view why);
    void settle(Probe& probe, Contact::Reach reach, std::string_view why);
    const config::Endpoint* endpoint_of(std::string_view aor) const;

    Core& core_;
    sip::OwnerTag owner_;
    std::unordered_map<std::string, Probe, TextHash, std::equal_to<>> probes_;  ///< by aor and URI
    std::unordered_map<sip::TransactionId, std::string> asked_;                 ///< to the probe
    std::unordered_map<std::string, std::string, TextHash, std::equal_to<>> endpoints_;  ///< by aor
    std::shared_ptr<bool> alive_ =
        std::make_shared<bool>(true);  // tasks and watchers may outlive us
};

}  // namespace strowger::pbx
