#include "recorder/service.hpp"

#include "base/log.hpp"

namespace strowger::recorder {

Service::Service(io::Loop& loop, Settings settings) : loop_(loop), settings_(std::move(settings)) {}
Service::~Service() = default;

Result<std::unique_ptr<Service>> Service::start(io::Loop& loop, Settings settings) {
    std::unique_ptr<Service> service(new Service(loop, std::move(settings)));
    const Settings& ours = service->settings_;
    for (const auto& folder : {ours.spool, ours.output})
        if (auto made = io::make_directories(folder, ours.directory_mode); !made)
            return std::unexpected(made.error());
    if (ours.database != "none") {
        auto store =
            Store::open(ours.database.empty() ? ours.output + "/recordings.sqlite" : ours.database);
        if (!store) return std::unexpected(store.error().within("database"));
        service->store_.emplace(std::move(*store));
    }
    service->notifier_ = std::make_unique<Notifier>(loop, ours);
    service->workers_ = std::make_unique<Workers>(ours, [s = service.get()](Recorded call) {
        s->loop_.post([s, call = std::move(call)]() mutable { s->finished(std::move(call)); });
    });
    auto watch = io::DirectoryWatch::open(
        loop, ours.spool, [s = service.get()](auto change, const std::string& name) {
            if (change == io::DirectoryWatch::Change::gone) return;
            if (name.empty())
                s->scan();
            else
                s->begin(name);
        });
    if (!watch) return std::unexpected(watch.error());
    service->watch_ = std::move(*watch);
    service->scan();
    return service;
}

void Service::scan() {
    const auto names = io::list_directory(settings_.spool);
    if (!names)
        LOG_ERROR((log::About{"recorder"}), "{}", names.error().text());
    else
        for (const auto& name : *names) begin(name);
    timer_ = loop_.after(scan_interval, [this] { scan(); });
}

void Service::begin(const std::string& name) {
    if (!name.ends_with(".meta") || known_.size() >= max_calls) return;
    if (known_.insert(name).second) workers_->begin(name);
}

void Service::finished(Recorded call) {
    if (store_ && !call.metadata.skip_database && !call.metadata.discard)
        if (auto added = store_->add(call); !added)
            LOG_ERROR((log::About{"recorder", call.metadata.call_id}), "database: {}",
                      added.error().text());
    // Only what has been read is taken away; what came to nothing may be worth a look.
    const bool told = !call.files.empty() || call.trouble.empty();
    const std::string path = settings_.spool + "/" + call.name;
    if (told) {
        if (const auto& feed = call.metadata.feed; !feed.empty())
            (void)io::remove_file(settings_.spool + "/" + feed);
        (void)io::remove_file(path);
    } else if (auto moved = io::rename_file(path, path + ".failed"); !moved) {
        LOG_ERROR((log::About{"recorder", call.metadata.call_id}), "{}", moved.error().text());
    }
    known_.erase(call.name);
    notifier_->tell(call);
}

}  // namespace strowger::recorder
