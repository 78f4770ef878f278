#include "runtime/players/reply_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace ppc::players {
namespace {

using engine::Json;

Json reply_json(const std::string& episode, uint32_t player, const Reply& r) {
  Json j = Json::object();
  j.add("episode", episode);
  j.add("player", int64_t{player});
  j.add("text", r.text);
  if (!r.valid) j.add("valid", false);
  j.add("sent", r.sent);
  if (r.finish != Finish::Unknown) j.add("finish", finish_name(r.finish));
  if (r.prompt_tokens) j.add("prompt_tokens", *r.prompt_tokens);
  if (r.reply_tokens) j.add("reply_tokens", *r.reply_tokens);
  if (!r.model.empty()) j.add("model", r.model);
  if (!r.logprobs.is_null()) j.add("logprobs", r.logprobs);
  if (!r.sample.is_null()) j.add("sample", r.sample);
  j.add("attempts", r.attempts);
  return j;
}

class Logged final : public Player {
 public:
  Logged(std::unique_ptr<Player> inner, std::shared_ptr<ReplyLog> log, std::string episode, uint32_t player)
      : inner_(std::move(inner)), log_(std::move(log)), episode_(std::move(episode)), player_(player), known_(log_->take(episode_, player)) {}
  bool waits() const override { return true; }
  void ask(const Request& r, std::function<void(Answer)> done) override {
    if (next_ < known_.size()) return done(std::move(known_[next_++]));
    inner_->ask(r, [log = log_, episode = episode_, player = player_, done = std::move(done)](Answer a) {
      if (const Reply* reply = std::get_if<Reply>(&a)) {
        try {
          log->append(episode, player, *reply);
        } catch (const engine::SystemError& e) {
          return done(Unanswered{Unanswered::Why::Run, e.what()});
        }
      }
      done(std::move(a));
    });
  }
  std::unique_ptr<Player> fork(Fork& f) const override {
    std::unique_ptr<Player> inner = inner_->fork(f);
    return inner ? make_logged(std::move(inner), log_, episode_.substr(0, episode_.find('\n')) + "\n" + f.name, player_) : nullptr;
  }
  void over(uint32_t outcome, double score, const std::string& reason) override { inner_->over(outcome, score, reason); }

 private:
  std::unique_ptr<Player> inner_;
  std::shared_ptr<ReplyLog> log_;
  std::string episode_;
  uint32_t player_;
  std::vector<Reply> known_;
  size_t next_ = 0;
};

}  // namespace

ReplyLog::ReplyLog(std::string path, bool resume) : path_(std::move(path)) {
  auto fail = [&] { throw engine::SystemError(path_ + ": " + std::strerror(errno)); };
  if (resume && access(path_.c_str(), F_OK) == 0) {
    const std::string all = engine::read_file(path_);
    for (size_t from = 0; from < all.size();) {
      const size_t end = std::min(all.find('\n', from), all.size());
      const std::string_view line = std::string_view(all).substr(from, end - from);
      from = end + 1;
      try {
        const Json j = engine::parse_json(line, path_);
        Reply r;
        auto text = [&](const char* key) { const Json* v = j.find(key); return v && v->is_text() ? v->as_text() : std::string(); };
        auto number = [&](const char* key) { const Json* v = j.find(key); return v && v->is_int() ? std::optional(v->as_int()) : std::nullopt; };
        const Json* spoken = j.find("text");
        if (!number("player") || !spoken || !spoken->is_text()) continue;
        r.text = spoken->as_text();
        r.valid = !j.find("valid");
        r.sent = text("sent");
        r.finish = finish_of(text("finish"));
        r.prompt_tokens = number("prompt_tokens");
        r.reply_tokens = number("reply_tokens");
        r.model = text("model");
        if (const Json* l = j.find("logprobs")) r.logprobs = *l;
        if (const Json* l = j.find("sample")) r.sample = *l;
        r.attempts = static_cast<int>(number("attempts").value_or(1));
        left_[{text("episode"), static_cast<uint32_t>(*number("player"))}].push_back(std::move(r));
      } catch (const engine::InputError&) {
        // Half a line: that reply is asked for again.
      }
    }
  }
  file_ = open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file_ < 0) fail();
  const off_t end = lseek(file_, 0, SEEK_END);
  if (!resume && end > 0) {
    close(file_);
    file_ = -1;
    throw engine::InputError(path_ + ": a run into this folder was cut off; go on with it by --resume, or remove the file");
  }
  char last = '\n';
  if (end > 0 && pread(file_, &last, 1, end - 1) == 1 && last != '\n' && write(file_, "\n", 1) != 1) fail();
}

ReplyLog::~ReplyLog() {
  if (file_ >= 0) close(file_);
}

std::vector<Reply> ReplyLog::take(const std::string& episode, uint32_t player) {
  std::lock_guard lock(mutex_);
  auto at = left_.find({episode, player});
  if (at == left_.end()) return {};
  std::vector<Reply> out = std::move(at->second);
  left_.erase(at);
  return out;
}

void ReplyLog::append(const std::string& episode, uint32_t player, const Reply& reply) {
  const std::string line = engine::to_text(reply_json(episode, player, reply), {.indent = -1, .nan_as_null = true}) + "\n";
  std::lock_guard lock(mutex_);
  for (size_t done = 0; done < line.size();) {
    const ssize_t n = write(file_, line.data() + done, line.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw engine::SystemError(path_ + ": " + std::strerror(errno));
    done += static_cast<size_t>(n);
  }
}

void ReplyLog::remove() {
  if (unlink(path_.c_str()) != 0 && errno != ENOENT) throw engine::SystemError(path_ + ": " + std::strerror(errno));
}

std::unique_ptr<Player> make_logged(std::unique_ptr<Player> inner, std::shared_ptr<ReplyLog> log, std::string episode, uint32_t player) {
  return std::make_unique<Logged>(std::move(inner), std::move(log), std::move(episode), player);
}

}  // namespace ppc::players
