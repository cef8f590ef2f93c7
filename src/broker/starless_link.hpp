#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/random.hpp"
#include "base/task.hpp"
#include "broker/jobs.hpp"
#include "broker/transport_door.hpp"
#include "io/completion.hpp"
#include "wire/starless/messages.hpp"

namespace strowger::broker {

/// A provider of the older generation, on its WebTransport session: it tells about itself on a
/// stream of its own; on one of ours we call it. It gets tasks of both generations' clients, as far
/// as it can run them: WASI programs, with files that lie flat in the root, and one file back.
///
/// It has no files but those that are sent to it: stored programs with a name when it comes, as far
/// as they are few, and everything else before the task that needs it.
class StarlessLink final : public Provider {
public:
    /// Bytes of stored files that a provider gets when it comes.
    static constexpr std::size_t max_prefetched = 64 << 20;
    static constexpr std::size_t max_pending = 8192;      ///< calls that wait for an answer
    static constexpr std::size_t max_control = 64 << 10;  ///< bytes of what it tells about itself

    /// `max_answer`: bytes of the longest answer.
    StarlessLink(io::Loop& loop, Jobs& jobs, std::unique_ptr<TransportSession> session,
                 std::size_t max_answer, std::function<void()> ended);
    ~StarlessLink() override;
    void start();

    /// Sends a file that was stored just now, and resolves `done`, also when it goes before.
    void push_and_tell(std::string name, std::string ref,
                       std::shared_ptr<const std::string> content,
                       const io::Completion<Result<>>& done);
    std::string address() const { return session_->request().remote.text(); }

    const std::string& name() const override { return name_; }
    void run(TaskId task, const google::protobuf::Message& request) override;
    /// It cannot be told to stop: the scheduler waits a while, and then parts with it.
    void cancel(TaskId, std::string_view) override {}
    void ping() override;
    void evict(std::string_view reason) override;
    void tell(const google::protobuf::Message&) override {}

private:
    /// The body, valid until the waiter waits again; or what the provider says went wrong.
    using Answered = Result<const starless::Value*>;
    struct Pinned;

    Task<> greet();
    Task<> serve(TaskId task, pb::Task_Wasip1_Request request);
    Task<Result<pb::Task_Wasip1_Output>> perform(const pb::Task_Wasip1_Request& request,
                                                 starless::Outcome& outcome);
    Task<Result<>> provide(starless::File file, std::shared_ptr<const std::string> content);
    Task<Result<>> transfer(starless::File file, std::shared_ptr<const std::string> content);
    Task<Answered> call(std::uint64_t sequence, std::vector<std::uint8_t> message);

    void receive(TransportSession::StreamId stream, Bytes bytes);
    Result<> control(Bytes bytes);
    Result<> answers(Bytes bytes);
    void learn(const starless::File& file);
    void reply(TaskId task, const pb::Task_Wasip1_Response* response,
               std::optional<std::string> error);
    void leave();
    void fail_link(const Error& error);

    io::Loop& loop_;
    Jobs& jobs_;
    Random random_ = Random::system();  // for names of tasks
    std::unique_ptr<TransportSession> session_;
    std::function<void()> ended_;
    ProviderId id_;
    std::string name_;
    std::optional<TransportSession::StreamId> control_in_, calls_;
    starless::ObjectStream control_objects_, answer_objects_;
    std::optional<starless::AnswerHeader> header_;  // of which the body is still to come
    std::uint64_t sequence_ = 0;
    std::unordered_map<std::uint64_t, io::Completion<Answered>> pending_;
    std::map<std::string, starless::File> files_;                      // that it has, by name
    std::map<std::string, std::string> names_;                         // of those, by ref
    std::map<std::string, std::size_t> in_use_;                        // names, by tasks under way
    std::map<std::string, std::vector<io::Completion<bool>>> coming_;  // names under way to it
    bool left_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // shared with what was posted
    TaskScope tasks_;  // last: what runs there refers to all of the above
};

}  // namespace strowger::broker
