#include "pbx/contact_store.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/log.hpp"
#include "io/clock.hpp"
#include "io/sqlite.hpp"
#include "pbx/core.hpp"

namespace strowger::pbx {

namespace {

constexpr log::About about{"pbx"};

// Times are milliseconds since 1970. `path` holds one value a line.
constexpr const char* schema =
    "CREATE TABLE IF NOT EXISTS contacts("
    "  aor TEXT NOT NULL, uri TEXT NOT NULL, path TEXT NOT NULL, user_agent TEXT NOT NULL,"
    "  call_id TEXT NOT NULL, cseq INTEGER NOT NULL, instance TEXT NOT NULL, reg_id INTEGER NOT "
    "NULL,"
    "  transport TEXT NOT NULL, local TEXT NOT NULL, remote TEXT NOT NULL,"
    "  registered INTEGER NOT NULL, expires INTEGER NOT NULL,"
    "  PRIMARY KEY(aor, uri)) WITHOUT ROWID";
constexpr std::string_view insert =
    "INSERT OR REPLACE INTO contacts(aor, uri, path, user_agent, call_id, cseq, instance, reg_id, "
    "transport,"
    " local, remote, registered, expires) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr std::string_view erase = "DELETE FROM contacts WHERE aor = ? AND uri = ?";
constexpr std::string_view select =
    "SELECT aor, uri, path, user_agent, call_id, cseq, instance, reg_id, transport, local, remote, "
    "registered,"
    " expires FROM contacts";

std::int64_t milliseconds(Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines) (text += line) += '\n';
    return text;
}

// From the socket that it came in by, if that port is open again; a NAT knows no other.
std::optional<sip::Flow> reopened(Signalling& signalling, const sip::Flow& stored) {
    std::string_view name;
    for (const auto& listening : signalling.listening())
        if (listening.transport == stored.transport &&
            listening.address.port == stored.local.port &&
            listening.address.ip.is_v4() == stored.remote.ip.is_v4())
            name = listening.name;
    const auto flow = signalling.flow_to(stored.transport, stored.remote, name);
    return flow ? std::optional(*flow) : std::nullopt;
}

}  // namespace

struct ContactStore::Row {
    std::string aor;
    Contact contact;
    bool removed = false;
    std::int64_t registered = 0;  ///< by the calendar
    std::int64_t expires = 0;
};

/// The thread that waits for the disk, and the only one that touches the database once it runs.
class ContactStore::Writer {
public:
    explicit Writer(io::Database database)
        : database_(std::move(database)), thread_([this] { run(); }) {}
    ~Writer() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_one();
        thread_.join();
    }

    void write(std::vector<Row> rows) {
        {
            const std::lock_guard lock(mutex_);
            batches_.push_back(std::move(rows));
        }
        wake_.notify_one();
    }

    /// Before the first `write`, when the thread has nothing to do with the database yet.
    io::Database& database() { return database_; }

private:
    void run() {
        std::unique_lock lock(mutex_);
        for (;;) {
            wake_.wait(lock, [this] { return stopping_ || !batches_.empty(); });
            if (batches_.empty()) return;
            const auto batches = std::exchange(batches_, {});
            lock.unlock();
            for (const auto& batch : batches)
                if (const auto written = commit(batch); !written)
                    LOG_ERROR(about, "registrations not saved: {}", written.error().text());
            lock.lock();
        }
    }

    Result<> commit(const std::vector<Row>& rows) {
        auto transaction = io::Transaction::begin(database_);
        if (!transaction) return std::unexpected(transaction.error());
        auto put = database_.prepare(insert);
        if (!put) return std::unexpected(put.error());
        auto drop = database_.prepare(erase);
        if (!drop) return std::unexpected(drop.error());
        for (const auto& row : rows)
            if (const auto done = row.removed ? remove(*drop, row) : store(*put, row); !done)
                return done;
        return transaction->commit();
    }

    static Result<> remove(io::Statement& statement, const Row& row) {
        return statement.bind(1, std::string_view(row.aor))
            .bind(2, std::string_view(row.contact.uri))
            .run();
    }

    static Result<> store(io::Statement& statement, const Row& row) {
        const auto& contact = row.contact;
        const auto path = joined(contact.path);
        const auto local = contact.flow.local.text();
        const auto remote = contact.flow.remote.text();
        return statement.bind(1, std::string_view(row.aor))
            .bind(2, std::string_view(contact.uri))
            .bind(3, std::string_view(path))
            .bind(4, std::string_view(contact.user_agent))
            .bind(5, std::string_view(contact.call_id))
            .bind(6, std::int64_t{contact.cseq})
            .bind(7, std::string_view(contact.instance))
            .bind(8, std::int64_t{contact.reg_id})
            .bind(9, uri_name(contact.flow.transport))
            .bind(10, std::string_view(local))
            .bind(11, std::string_view(remote))
            .bind(12, row.registered)
            .bind(13, row.expires)
            .run();
    }

    io::Database database_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<std::vector<Row>> batches_;
    bool stopping_ = false;
    std::thread thread_;
};

Result<std::unique_ptr<ContactStore>> ContactStore::open(io::Loop& loop, Location& location,
                                                         const std::string& path,
                                                         std::function<WallTime()> wall_clock) {
    auto database = io::Database::open(path);
    if (!database) return std::unexpected(database.error().within(path));
    if (const auto made = database->exec(schema); !made)
        return std::unexpected(made.error().within(path));
    auto writer = std::make_unique<Writer>(std::move(*database));
    return std::unique_ptr<ContactStore>(
        new ContactStore(loop, location, std::move(wall_clock), std::move(writer)));
}

Result<std::unique_ptr<ContactStore>> ContactStore::open(Core& core, const std::string& path) {
    auto store = open(core.loop, core.location, path, &io::wall_now);
    if (!store) return store;
    const auto restored =
        (*store)->restore([&core](const std::string& aor, const sip::Flow& stored) {
            return core.config->aors.find(aor) ? reopened(core.signalling, stored) : std::nullopt;
        });
    if (!restored) return std::unexpected(restored.error().within(path));
    if (*restored > 0) LOG_NOTICE(about, "{} registrations restored from {}", *restored, path);
    return store;
}

ContactStore::ContactStore(io::Loop& loop, Location& location, std::function<WallTime()> wall_clock,
                           std::unique_ptr<Writer> writer)
    : loop_(loop),
      location_(location),
      wall_clock_(std::move(wall_clock)),
      writer_(std::move(writer)) {
    location_.on_change([this, alive = std::weak_ptr(alive_)](const std::string& aor,
                                                              const Contact& contact,
                                                              Location::Change change) {
        if (!alive.expired()) changed(aor, contact, change);
    });
}

ContactStore::~ContactStore() { flush(); }

std::string ContactStore::key(std::string_view aor, std::string_view uri) {
    std::string key(aor);
    key += '\n';  // in neither
    key += uri;
    return key;
}

void ContactStore::changed(const std::string& aor, const Contact& contact,
                           Location::Change change) {
    if (contact.is_static || restoring_) return;
    // What came over a connection would be dropped when read again: the disk is spared it.
    if (sip::is_reliable(contact.flow.transport)) return;
    Row row{aor, contact,
            change == Location::Change::removed || change == Location::Change::expired};
    const auto now = loop_.now();
    const auto wall = wall_clock_().time_since_epoch();
    row.registered = milliseconds(wall + (contact.registered - now));
    row.expires = milliseconds(wall + (contact.expires - now));
    dirty_.insert_or_assign(key(aor, contact.uri), std::move(row));
    if (!timer_.pending()) timer_ = loop_.after(write_interval, [this] { flush(); });
}

void ContactStore::flush() {
    timer_.cancel();
    if (dirty_.empty()) return;
    std::vector<Row> rows;
    rows.reserve(dirty_.size());
    for (auto& [name, row] : dirty_) rows.push_back(std::move(row));
    dirty_.clear();
    writer_->write(std::move(rows));
}

Result<std::size_t> ContactStore::restore(const Reopen& reopen) {
    auto& database = writer_->database();
    const auto now = loop_.now();
    const auto wall = wall_clock_().time_since_epoch();
    std::size_t bound = 0;
    std::vector<Row> gone;
    {
        auto rows = database.prepare(select);
        if (!rows) return std::unexpected(rows.error());
        restoring_ = true;
        for (;;) {
            const auto more = rows->step();
            if (!more || !*more) {
                restoring_ = false;
                if (!more) return std::unexpected(more.error());
                break;
            }
            Row row;
            row.aor = rows->text(0);
            auto& contact = row.contact;
            contact.uri = rows->text(1);
            for (const auto line : split(rows->text(2), '\n'))
                if (!line.empty()) contact.path.emplace_back(line);
            contact.user_agent = rows->text(3);
            contact.call_id = rows->text(4);
            contact.cseq = static_cast<std::uint32_t>(rows->integer(5));
            contact.instance = rows->text(6);
            contact.reg_id = static_cast<std::uint32_t>(rows->integer(7));
            const auto local = SocketAddress::parse(rows->text(9));
            const auto remote = SocketAddress::parse(rows->text(10));
            contact.registered = now + (std::chrono::milliseconds{rows->integer(11)} - wall);
            contact.expires = now + (std::chrono::milliseconds{rows->integer(12)} - wall);

            std::optional<sip::Flow> flow;
            if (rows->text(8) == uri_name(sip::Transport::udp) && local && remote &&
                contact.expires > now)
                flow = reopen(row.aor, {sip::Transport::udp, *local, *remote, 0});
            if (flow) {
                contact.flow = *flow;
                location_.bind(row.aor, std::move(contact));
                ++bound;
            } else {
                row.removed = true;
                gone.push_back(std::move(row));
            }
        }
    }
    if (!gone.empty()) writer_->write(std::move(gone));
    return bound;
}

}  // namespace strowger::pbx
