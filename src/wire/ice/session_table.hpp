#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "base/random.hpp"
#include "base/text.hpp"
#include "wire/ice/tuple_table.hpp"

namespace strowger::ice {

/// Many sessions behind one UDP socket: whose datagram is this?
///
/// The first STUN request of a tuple says it, by the fragment before the colon of its user name;
/// the session's agent checks its integrity and, when that is right, reports the tuple
/// (`tuple_seen`), which the owner then `learn`s. From then on every packet of the tuple finds its
/// session by numbers alone:
///
///     auto session = table.find(socket, from);
///     if (!session) session = table.asked_for(datagram);
///     if (!session) drop;
///
/// Sessions are small numbers of the owner's choice: slots of its own table.
class SessionTable {
public:
    using Session = std::uint32_t;
    /// A peer with a handful of interfaces behind as many NATs has no more; the eldest that is not
    /// preferred makes room.
    static constexpr std::size_t max_tuples = 8;
    /// A restart adds a fragment while the old one still counts.
    static constexpr std::size_t max_ufrags = 4;

    explicit SessionTable(Random& random) : tuples_(random) {}

    /// False when the fragment is taken, or the session has too many: make another one.
    bool add(std::string_view ufrag, Session session);
    void forget(std::string_view ufrag);
    void remove(Session session);

    std::optional<Session> find(SocketId socket, const SocketAddress& from) const {
        return tuples_.find(socket, from);
    }
    std::optional<Session> asked_for(Bytes datagram) const;

    void learn(Session session, const Tuple& tuple);
    /// The selected path of that component: it stays, whatever else is learnt.
    void prefer(Session session, std::uint16_t component, const Tuple& tuple);

    std::size_t tuples() const { return tuples_.size(); }
    std::size_t ufrags() const { return by_ufrag_.size(); }

private:
    struct Known {
        std::vector<std::string> ufrags;
        std::array<Tuple, max_tuples> tuples;  ///< eldest first
        std::array<std::optional<Tuple>, 2> preferred;
        std::size_t count = 0;

        void drop(std::size_t at);
        std::size_t find(const Tuple& tuple) const;
        std::size_t eldest_not_preferred() const;
    };
    Known* known(Session session);

    std::unordered_map<std::string, Session, TextHash, std::equal_to<>> by_ufrag_;
    TupleTable tuples_;
    std::vector<Known> sessions_;
};

}  // namespace strowger::ice
