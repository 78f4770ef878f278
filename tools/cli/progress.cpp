#include "tools/cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>

#include "runtime/engine/clock.h"

namespace ppc::cli {

using engine::now;

namespace {

std::atomic<players::RunControl*> interrupted{nullptr};
void on_interrupt(int) {
  if (players::RunControl* control = interrupted.load())
    if (control->no_new.exchange(true)) control->stop = true;
}

std::string rounded(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}
}  // namespace

std::string duration(double seconds) {
  const auto s = static_cast<uint64_t>(seconds);
  if (s < 60) return std::to_string(s) + " s";
  if (s < 3600) return std::to_string(s / 60) + " min " + std::to_string(s % 60) + " s";
  return std::to_string(s / 3600) + " h " + std::to_string(s / 60 % 60) + " min";
}

Progress::Progress(size_t total, size_t before, bool wanted, std::shared_ptr<net::Transport> transport, players::RunControl& control)
    : total_(total), before_(before), wanted_(wanted), terminal_(isatty(STDERR_FILENO)), transport_(std::move(transport)), control_(control), began_(now()) {
  if (!wanted_) return;
  interrupted = &control_;
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  thread_ = std::thread([this] { run(); });
}

Progress::~Progress() {
  finish();
  if (wanted_) {
    std::signal(SIGINT, SIG_DFL);
    interrupted = nullptr;
  }
}

void Progress::watch(std::shared_ptr<players::Endpoint> endpoint) {
  if (std::find(watched_.begin(), watched_.end(), endpoint) == watched_.end()) watched_.push_back(std::move(endpoint));
}

void Progress::watch(std::shared_ptr<local::Model> model) { models_.push_back(std::move(model)); }

void Progress::over(bool played, uint64_t violations, double cost) {
  ++done_;
  played_ += played;
  violations_ += violations;
  cost_ += cost;
}

std::string Progress::line(bool last) const {
  const double seconds = std::max(now() - began_, 1e-3);
  const uint64_t done = done_;
  std::string out = std::to_string(done + before_) + " of " + std::to_string(total_ + before_) + " episodes";
  if (done) out += ", " + rounded(100.0 * static_cast<double>(played_) / static_cast<double>(done), 1) + " % played, " + std::to_string(violations_) + (violations_ == 1 ? " violation" : " violations");
  uint64_t replies = 0, retries = 0, prompt = 0, reply = 0;
  for (const auto& endpoint : watched_) {
    const players::EndpointCounts& c = endpoint->counts();
    replies += c.replies, retries += c.retries, prompt += c.prompt_tokens, reply += c.reply_tokens;
  }
  if (!watched_.empty()) out += ", " + std::to_string(replies) + " replies (" + rounded(static_cast<double>(replies) / seconds, 1) + " a second)";
  for (const auto& model : models_) {
    const local::Statistics s = model->statistics();
    prompt += static_cast<uint64_t>(s.prompt_tokens), reply += static_cast<uint64_t>(s.reply_tokens);
  }
  if (retries) out += ", " + std::to_string(retries) + (retries == 1 ? " retry" : " retries");
  if (prompt + reply) out += ", tokens " + std::to_string(prompt) + " + " + std::to_string(reply);
  if (!models_.empty()) out += " (" + rounded(static_cast<double>(prompt + reply) / seconds, 0) + " a second)";
  if (const double cost = cost_; cost > 0) out += ", cost " + rounded(cost, 4);
  if (last) out += ", " + duration(seconds);
  else if (done && done < total_) out += ", " + duration(seconds / static_cast<double>(done) * static_cast<double>(total_ - done)) + " left";
  if (!last && control_.no_new) out += control_.stop ? " (stopping)" : " (finishing what is under way; ^C again stops)";
  return out;
}

void Progress::run() {
  double shown = now();
  bool stopped = false;
  while (!ended_) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (control_.stop && !stopped) {
      stopped = true;
      if (transport_) transport_->stop();
      for (const auto& model : models_) model->stop();
    }
    if (now() - shown < (terminal_ ? 0.5 : 30)) continue;
    shown = now();
    if (terminal_) std::fprintf(stderr, "\r\x1b[K%s", line(false).c_str());
    else std::fprintf(stderr, "%s\n", line(false).c_str());
    std::fflush(stderr);
  }
}

void Progress::finish() {
  if (!wanted_ || ended_.exchange(true)) return;
  thread_.join();
  std::fprintf(stderr, "%s%s\n", terminal_ ? "\r\x1b[K" : "", line(true).c_str());
}

}  // namespace ppc::cli
