// SRVQUERY and SRVRESULT, ENUMLOOKUP, ENUMQUERY and ENUMRESULT, TXTCIDNAME: what name servers know.

#include <algorithm>
#include <deque>
#include <memory>
#include <unordered_map>

#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/builtin.hpp"
#include "wire/sip/enum_uri.hpp"

namespace strowger::pbx {

namespace {

using dialplan::Args;
using dialplan::Call;
using Value = Result<std::string>;

/// Queries that are kept for their results; the oldest is forgotten for a new one.
constexpr std::size_t max_kept = 4096;

template <typename Record>
class Kept {
public:
    std::string keep(std::vector<Record> records) {
        const auto id = std::to_string(++last_);
        results_.emplace(id, std::move(records));
        order_.push_back(id);
        if (order_.size() > max_kept) {
            results_.erase(order_.front());
            order_.pop_front();
        }
        return id;
    }
    const std::vector<Record>* find(const std::string& id) const {
        const auto found = results_.find(id);
        return found == results_.end() ? nullptr : &found->second;
    }

private:
    std::unordered_map<std::string, std::vector<Record>> results_;
    std::deque<std::string> order_;
    std::uint64_t last_ = 0;
};

struct Answers {
    Kept<io::SrvRecord> srv;
    Kept<std::string> uris;
};

using Shared = std::shared_ptr<Answers>;  // by the functions, which outlive whoever added them

Task<Value> srv_query(Shared answers, Call& call, std::string name) {
    auto& core = static_cast<Channel&>(call).core();
    std::string service(trim(name));
    auto records = co_await core.resolver.srv(std::move(service));
    if (!records) co_return std::unexpected(records.error());
    io::order_srv(*records, core.random);
    co_return answers->srv.keep(std::move(*records));
}

// SRVRESULT(id,n|getnum[,host|port|priority|weight])
Value srv_result(const Answers& answers, std::string_view args) {
    const Args arg(args);
    const auto* records = answers.srv.find(arg[0]);
    if (!records) return fail("there is no query '{}'", arg[0]);
    if (iequals(arg[1], "getnum")) return std::to_string(records->size());
    const auto number = parse_number<std::size_t>(trim(arg[1])).value_or(0);
    if (number == 0 || number > records->size())
        return fail("there are {} results, not '{}'", records->size(), arg[1]);
    const auto& record = (*records)[number - 1];
    if (arg[2].empty() || iequals(arg[2], "host")) return record.target;
    if (iequals(arg[2], "port")) return std::to_string(record.port);
    if (iequals(arg[2], "priority")) return std::to_string(record.priority);
    if (iequals(arg[2], "weight")) return std::to_string(record.weight);
    return fail("'{}' is not one of host, port, priority, weight", arg[2]);
}

/// The URIs that a number stands for, of one method ("sip") or of all.
Task<Result<std::vector<std::string>>> uris_of(Core& core, std::string number, std::string method,
                                               std::string zone, bool direct) {
    auto name = direct ? fmt::format("{}.{}", number, zone) : sip::enum_domain(number, zone);
    auto records = co_await core.resolver.naptr(std::move(name));
    if (!records) {
        if (records.error().code() == io::Resolver::not_found) co_return std::vector<std::string>{};
        co_return std::unexpected(records.error());
    }
    io::order_naptr(*records);
    std::vector<std::string> found;
    for (const auto& record : *records) {
        if (!iequals(record.flags, "u") || !sip::is_enum_service(record.service, method)) continue;
        if (auto uri = sip::apply_naptr_rule(record.regexp, number))
            found.push_back(std::move(*uri));
    }
    co_return found;
}

// Dial's technology for a method of ENUM: "pjsip" and "sip" ask for the same records.
std::string service_of(std::string_view method) {
    if (method.empty() || iequals(method, "pjsip")) return "sip";
    if (iequals(method, "ALL")) return {};
    return to_lower(method);
}

std::string without_scheme(const std::string& uri) {
    const auto colon = uri.find(':');
    return colon == std::string::npos ? uri : uri.substr(colon + 1);
}

// ENUMLOOKUP(number[,method[,options[,record[,zone]]]]): options c count, u whole URI, d direct;
// a digit in the options is the number of the record as well.
Task<Value> enum_lookup(Call& call, std::string args) {
    auto& core = static_cast<Channel&>(call).core();
    const Args arg(args);
    const std::string options = arg[2];
    const bool counts = options.find('c') != std::string::npos;
    const bool direct = options.find('d') != std::string::npos;
    std::string number = arg[0], method = service_of(arg[1]);
    std::string zone = arg[4].empty() ? "e164.arpa" : arg[4];
    const auto found =
        co_await uris_of(core, std::move(number), std::move(method), std::move(zone), direct);
    if (!found) {
        if (counts) co_return std::string("-1");
        co_return std::unexpected(found.error());
    }
    if (counts) co_return std::to_string(found->size());
    const auto wanted = parse_number<std::size_t>(trim(arg[3])).value_or(1);
    if (wanted == 0 || wanted > found->size()) co_return std::string();
    const auto& uri = (*found)[wanted - 1];
    // ALL names the kind of each; one method's URI goes into a Dial.
    const bool whole = options.find('u') != std::string::npos || iequals(arg[1], "ALL");
    co_return whole ? uri : without_scheme(uri);
}

Task<Value> enum_query(Shared answers, Call& call, std::string args) {
    auto& core = static_cast<Channel&>(call).core();
    const Args arg(args);
    std::string number = arg[0], method = service_of(arg[1]);
    std::string zone = arg[2].empty() ? "e164.arpa" : arg[2];
    auto found =
        co_await uris_of(core, std::move(number), std::move(method), std::move(zone), false);
    if (!found) co_return std::unexpected(found.error());
    co_return answers->uris.keep(std::move(*found));
}

Value enum_result(const Answers& answers, std::string_view args) {
    const Args arg(args);
    const auto* uris = answers.uris.find(arg[0]);
    if (iequals(arg[1], "getnum")) return uris ? std::to_string(uris->size()) : std::string("-1");
    if (!uris) return fail("there is no query '{}'", arg[0]);
    const auto number = parse_number<std::size_t>(trim(arg[1])).value_or(0);
    if (number == 0 || number > uris->size()) return std::string();
    return without_scheme((*uris)[number - 1]);
}

// TXTCIDNAME(number[,zone]): a name for a number, from a TXT record.
Task<Value> txt_caller_name(Call& call, std::string args) {
    auto& core = static_cast<Channel&>(call).core();
    const Args arg(args);
    auto name = sip::enum_domain(arg[0], arg[1].empty() ? "e164.arpa" : arg[1]);
    const auto records = co_await core.resolver.txt(std::move(name));
    if (!records || records->empty()) co_return std::string();
    co_return records->front();
}

}  // namespace

void add_dns_functions(dialplan::Functions& functions) {
    const auto answers = std::make_shared<Answers>();
    functions.add_waiting("SRVQUERY", "Look up SRV records: SRVQUERY(service) is an id",
                          [answers](Call& call, std::string args) {
                              return srv_query(answers, call, std::move(args));
                          });
    functions.add("SRVRESULT",
                  "A result of SRVQUERY: SRVRESULT(id,n|getnum[,host|port|priority|weight])",
                  [answers](Call&, std::string_view args) { return srv_result(*answers, args); });
    functions.add_waiting("ENUMLOOKUP",
                          "Where a number can be called: "
                          "ENUMLOOKUP(number[,method[,options[,record[,zone]]]])",
                          enum_lookup);
    functions.add_waiting("ENUMQUERY",
                          "Look up a number: ENUMQUERY(number[,method[,zone]]) is an id",
                          [answers](Call& call, std::string args) {
                              return enum_query(answers, call, std::move(args));
                          });
    functions.add("ENUMRESULT", "A result of ENUMQUERY: ENUMRESULT(id,n|getnum)",
                  [answers](Call&, std::string_view args) { return enum_result(*answers, args); });
    functions.add_waiting("TXTCIDNAME", "The name of a number in TXT: TXTCIDNAME(number[,zone])",
                          txt_caller_name);
}

}  // namespace strowger::pbx
