#include "wire/sip/dialog.hpp"

#include <algorithm>
#include <utility>

#include "wire/sip/uri.hpp"

namespace strowger::sip {
namespace {

constexpr std::uint64_t max_forwards = 70;  // section 8.1.1.6

std::string with_tag(std::string_view address, std::string_view tag) {
    std::string text{address};
    (text += ";tag=") += tag;
    return text;
}

/// The Contact's URI, empty when there is none to use.
std::string contact_uri(const Message& message) {
    const auto values = message.values(HeaderId::contact);
    if (values.empty()) return {};
    const auto contact = NameAddress::parse(values.front());
    return contact ? std::string(contact->uri) : std::string{};
}

Result<std::vector<std::string>> record_route(const Message& message) {
    std::vector<std::string> routes;
    for (const auto value : message.values(HeaderId::record_route)) {
        if (routes.size() == Dialog::max_routes) {
            return fail_with(400, "more than {} Record-Route values", Dialog::max_routes);
        }
        if (const auto route = NameAddress::parse(value); !route) {
            return fail_with(400, "Record-Route: {}", route.error().text());
        }
        routes.emplace_back(value);
    }
    return routes;
}

bool is_loose(std::string_view route) {
    const auto address = NameAddress::parse(route);
    const auto uri = address ? Uri::parse(address->uri) : fail("no address");
    return !uri || uri->parameter("lr").has_value();
}

std::string_view uri_of(std::string_view route) {
    const auto address = NameAddress::parse(route);
    return address ? address->uri : route;
}

bool refreshes_target(Method method) {
    return method == Method::invite || method == Method::update || method == Method::subscribe ||
           method == Method::notify || method == Method::refer;
}

}  // namespace

Result<Dialog> Dialog::as_uas(const Message& request, std::string local_tag) {
    auto routes = record_route(request);
    if (!routes) return std::unexpected(std::move(routes.error()));
    Dialog dialog;
    dialog.remote_target_ = contact_uri(request);
    if (dialog.remote_target_.empty()) {
        return fail_with(400, "{} without a Contact to answer to", request.method_text());
    }
    dialog.route_set_ = std::move(*routes);
    dialog.routes_settled_ = true;
    dialog.call_id_ = request.call_id();
    dialog.remote_tag_ = request.from_tag();
    dialog.remote_ = request.from();
    dialog.local_ =
        request.to_tag().empty() ? with_tag(request.to(), local_tag) : std::string(request.to());
    dialog.local_tag_ = std::move(local_tag);
    dialog.remote_cseq_ = request.cseq();
    return dialog;
}

Result<Dialog> Dialog::as_uac(const Message& response, std::string_view request_uri) {
    if (response.to_tag().empty()) {
        return fail("{} response to {} has no To tag", response.status(), response.method_text());
    }
    auto routes = record_route(response);
    if (!routes) return std::unexpected(std::move(routes.error()));
    Dialog dialog;
    dialog.initiator_ = true;
    dialog.route_set_ = std::move(*routes);
    std::reverse(dialog.route_set_.begin(), dialog.route_set_.end());
    dialog.remote_target_ = contact_uri(response);
    // Provisional responses may lack a Contact; what reached the callee once will do so again.
    if (dialog.remote_target_.empty()) dialog.remote_target_ = request_uri;
    dialog.call_id_ = response.call_id();
    dialog.local_tag_ = response.from_tag();
    dialog.local_ = response.from();
    dialog.remote_tag_ = response.to_tag();
    dialog.remote_ = response.to();
    dialog.local_cseq_ = response.cseq();
    if (response.status() >= 200) {
        dialog.routes_settled_ = true;
        dialog.state_ = State::confirmed;
    }
    return dialog;
}

bool Dialog::matches(const Message& request) const {
    return request.call_id() == call_id_ && request.to_tag() == local_tag_ &&
           request.from_tag() == remote_tag_;
}

int Dialog::receive_request(const Message& request) {
    if (remote_cseq_ && request.cseq() < *remote_cseq_) return 500;
    remote_cseq_ = request.cseq();
    if (refreshes_target(request.method())) adopt_target(request);
    return 0;
}

void Dialog::receive_response(const Message& response) {
    if (response.status() < 200 || response.status() > 299) return;
    if (response.method() == Method::invite && !routes_settled_) {
        if (auto routes = record_route(response)) {
            std::reverse(routes->begin(), routes->end());
            route_set_ = std::move(*routes);
        }
        routes_settled_ = true;
        confirm();
    }
    if (refreshes_target(response.method())) adopt_target(response);
}

void Dialog::adopt_target(const Message& message) {
    auto target = contact_uri(message);
    if (!target.empty()) remote_target_ = std::move(target);
}

Builder Dialog::request(Method method) { return start(name_of(method), ++local_cseq_); }

Builder Dialog::ack(std::uint32_t invite_cseq) const { return start("ACK", invite_cseq); }

Builder Dialog::start(std::string_view method, std::uint32_t cseq) const {
    const bool strict = !route_set_.empty() && !is_loose(route_set_.front());
    Builder request =
        Builder::request(method, strict ? uri_of(route_set_.front()) : remote_target_);
    for (std::size_t i = strict ? 1 : 0; i < route_set_.size(); ++i) {
        request.header(HeaderId::route, route_set_[i]);
    }
    if (strict) request.header(HeaderId::route, fmt::format("<{}>", remote_target_));
    request.header(HeaderId::max_forwards, max_forwards)
        .header(HeaderId::from, local_)
        .header(HeaderId::to, remote_)
        .header(HeaderId::call_id, call_id_)
        .header(HeaderId::cseq, fmt::format("{} {}", cseq, method));
    return request;
}

Builder Dialog::response(const Message& request, int status, std::string_view reason) const {
    Builder response = Builder::response_to(request, status, local_tag_, reason);
    const bool makes_dialog =
        request.method() == Method::invite || request.method() == Method::subscribe;
    if (makes_dialog && status > 100 && status < 300) {
        response.copy(HeaderId::record_route, request);
    }
    return response;
}

std::string_view Dialog::next_hop() const {
    return route_set_.empty() ? std::string_view{remote_target_} : uri_of(route_set_.front());
}

}  // namespace strowger::sip
