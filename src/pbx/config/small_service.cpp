#include "pbx/config/small_service.hpp"

#include "base/address.hpp"
#include "pbx/config/option.hpp"
#include "pbx/config/sections.hpp"

namespace strowger::pbx::config {

namespace {

// Asterisk's sample of statsd.conf has [general], its reference [global].
template <typename Settings>
Settings apply(const Schema<Settings>& schema, const ini::Document& document,
               ini::Diagnostics& diagnostics) {
    Settings settings;
    for (const auto* section : document.sections())
        if (iequals(section->name, "general") || iequals(section->name, "global"))
            schema.apply(settings, document, *section, diagnostics);
    return settings;
}

}  // namespace

Statsd Statsd::read(const ini::Document& document, ini::Diagnostics& diagnostics) {
    static constexpr std::uint16_t any_port = 1;
    static const auto schema = Schema<Statsd>()
                                   .boolean("enabled", &Statsd::enabled)
                                   .on("server",
                                       [](Statsd& settings, std::string_view value) -> Result<> {
                                           if (!SocketAddress::parse(value, any_port))
                                               return fail("expected an address, got '{}'", value);
                                           settings.server = value;
                                           return {};
                                       })
                                   .text("prefix", &Statsd::prefix)
                                   .boolean("add_newline", &Statsd::add_newline)
                                   .boolean("meter_support", &Statsd::meter_support);
    return apply(schema, document, diagnostics);
}

Ccss Ccss::read(const ini::Document& document, ini::Diagnostics& diagnostics) {
    static const auto schema =
        Schema<Ccss>()
            .number("cc_max_requests", &Ccss::max_requests, 1U, most_requests)
            .ignore({"cc_available_devstate", "cc_offered_devstate", "cc_caller_requested_devstate",
                     "cc_active_devstate", "cc_callee_ready_devstate", "cc_caller_busy_devstate",
                     "cc_recalling_devstate", "cc_complete_devstate", "cc_failed_devstate"});
    return apply(schema, document, diagnostics);
}

void check_statsd(const ini::Document& document, Configuration& configuration) {
    (void)Statsd::read(document, configuration.diagnostics);
}

void check_ccss(const ini::Document& document, Configuration& configuration) {
    (void)Ccss::read(document, configuration.diagnostics);
}

}  // namespace strowger::pbx::config
