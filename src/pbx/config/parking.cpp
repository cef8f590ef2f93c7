#include "pbx/config/parking.hpp"

#include "pbx/config/option.hpp"
#include "pbx/config/sections.hpp"

namespace strowger::pbx::config {

namespace {

// "701-720", or one space.
Result<> take_spaces(ParkingLot& lot, std::string_view value) {
    const auto [from, to] = split_once(value, '-');
    const auto first = parse_number<unsigned>(trim(from));
    const auto last =
        value.find('-') == std::string_view::npos ? first : parse_number<unsigned>(trim(to));
    static constexpr unsigned highest = 999'999'999;
    if (!first || !last || *first == 0 || *last < *first || *last > highest)
        return fail("expected spaces as FIRST-LAST, got '{}'", value);
    if (*last - *first >= ParkingLot::max_spaces)
        return fail("a lot has at most {} spaces, got '{}'", ParkingLot::max_spaces, value);
    lot.first = *first;
    lot.last = *last;
    return {};
}

const Schema<ParkingLot>& schema() {
    using P = ParkingLot;
    static const auto schema =
        Schema<P>()
            .text("context", &P::context)
            .text("parkext", &P::parkext)
            .on("parkpos", take_spaces)
            .number("parkingtime", &P::parkingtime, 1u, 86400u)
            .boolean("comebacktoorigin", &P::comebacktoorigin)
            .number("comebackdialtime", &P::comebackdialtime, 1u, 86400u)
            .text("comebackcontext", &P::comebackcontext)
            .on("findslot",
                [](P& lot, std::string_view value) -> Result<> {
                    if (!iequals(value, "first") && !iequals(value, "next"))
                        return fail("expected first or next, got '{}'", value);
                    lot.next_space = iequals(value, "next");
                    return {};
                })
            .text("parkedmusicclass", &P::parkedmusicclass)
            .text("courtesytone", &P::courtesytone)
            .ignore({"parkext_exclusive", "parkinghints", "parkedplay", "parkedcalltransfers",
                     "parkedcallreparking", "parkedcallhangup", "parkedcallrecording"});
    return schema;
}

}  // namespace

void read_parking(const ini::Document& document, Configuration& configuration) {
    for (const auto* section : document.sections()) {
        if (iequals(section->name, "general")) continue;
        ParkingLot lot;
        lot.name = section->name;
        lot.place = section->place;
        schema().apply(lot, document, *section, configuration.diagnostics);
        if (!configuration.parking_lots.add(std::move(lot)))
            configuration.diagnostics.warn(
                document.file(section->place), section->place.line,
                fmt::format("there is another parking lot '{}'; ignored", section->name));
    }
}

}  // namespace strowger::pbx::config
