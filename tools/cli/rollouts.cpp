#include "tools/cli/rollouts.h"

#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "runtime/engine/clock.h"
#include "runtime/engine/episode.h"
#include "runtime/net/gate.h"
#include "runtime/players/model.h"
#include "tools/cli/train.h"

extern char** environ;

namespace ppc::cli {

namespace fs = std::filesystem;
using engine::InputError;
using engine::SystemError;

namespace {

std::string rounded(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", v);
  return text;
}

}  // namespace

Rollouts::Rollouts(const train::Config& c, const local::ModelOptions& how, learn::Learner& learner, int64_t step, std::function<void(const std::string&)> note)
    : config_(c), learner_(learner), step_(step) {
  const train::RolloutOptions& r = c.rollouts;
  sync_ = r.sync == "command" ? fleet::Sync::Command : r.sync == "adapter" || (r.sync == "auto" && c.learner.lora) ? fleet::Sync::Adapter : fleet::Sync::Weights;
  folder_ = fs::absolute(r.folder.empty() ? fs::path(c.output) / "rollouts" : fs::path(r.folder)).lexically_normal();
  seen_as_ = r.seen_as.empty() ? folder_.string() : r.seen_as;
  run_ = net::make_secret().substr(0, 8);
  fleet::FleetOptions o;
  o.servers = r.servers;
  o.model = r.model;
  o.ca_file = r.ca_file;
  o.in_flight = static_cast<int>(r.in_flight);
  o.sync = sync_;
  o.sends = c.learner.group.rank == 0;
  o.timeout = r.timeout;
  o.patience = r.patience;
  const std::string at = c.file + ": rollouts.";
  try {
    if (!r.key_file.empty()) o.key = players::load_key(r.key_file);
    if (!r.key_env.empty()) {
      const char* key = std::getenv(r.key_env.c_str());
      if (!key || !*key) throw InputError("the environment variable " + r.key_env + " is not set");
      if (std::any_of(key, key + std::strlen(key), [](unsigned char b) { return b <= 0x20 || b == 0x7F; }))
        throw InputError("the environment variable " + r.key_env + " holds a key with white space or control characters in it");
      o.key = key;
    }
  } catch (const InputError& e) {
    throw InputError(at + (r.key_file.empty() ? "key_env: " : "key_file: ") + e.what());
  }
  try {
    fleet_ = fleet::make_fleet(o, net::make_transport(), std::move(note));
    // One of all processes asks; the others are told.
    std::string error, state;
    if (c.learner.group.rank == 0) {
      try {
        fleet_->connect();
        state = fleet_->state();
      } catch (const std::exception& e) {
        if (c.learner.group.world == 1) throw;
        learner_.exchange("!");
        throw;
      }
    }
    const std::string said = learner_.exchange(state)[0];
    if (said == "!") throw SystemError("process 0 reaches no server");
    if (c.learner.group.rank != 0) fleet_->adopt(said);
  } catch (const InputError& e) {
    throw InputError(at + "servers: " + e.what());
  } catch (const SystemError& e) {
    throw SystemError(at + "servers: " + e.what());
  }
  model_ = fleet::make_fleet_model(how, fleet_);
  probe_ = fleet::probe_of(how);
  probe_.sampling.temperature = c.sampling.temperature;
  probe_.sampling.max_tokens = std::clamp<int64_t>(model_->context() - static_cast<int64_t>(probe_.prompt.size()), 1, 24);
}

void Rollouts::publish(int64_t every) {
  fleet_->newest(step_);
  if (sent_ >= 0 && step_ - sent_ < every) return;
  const double began = engine::now();
  std::string state;
  if (config_.learner.group.rank == 0) {
    try {
      send();
      state = fleet_->state();
    } catch (...) {
      if (config_.learner.group.world > 1) learner_.exchange("!");
      throw;
    }
  }
  // Nobody plays before the servers have the weights.
  const std::string said = learner_.exchange(state)[0];
  if (said == "!") throw SystemError("process 0 could not send the servers new weights");
  if (config_.learner.group.rank != 0) fleet_->adopt(said);
  sent_ = step_;
  seconds_ += engine::now() - began;
}

void Rollouts::send() {
  const std::string name = "ppc-" + run_ + "-step-" + std::to_string(step_);
  if (sent_ < 0) remove_old(name);
  write(folder_ / name);
  const std::string there = seen_as_ + "/" + name;
  if (sync_ == fleet::Sync::Command) run_command(there);
  fleet_->publish({step_, there, name});
  check();
  remove_old(name);  // servers have read what they were sent before
}

/// Weights of this run but for those of `name`; in its own folder those that it left when it was ended, too.
void Rollouts::remove_old(const std::string& name) const {
  const std::string ours = config_.rollouts.folder.empty() ? "ppc-" : "ppc-" + run_ + "-step-";
  std::error_code ec;
  std::vector<fs::path> old;
  for (const auto& entry : fs::directory_iterator(folder_, ec))
    if (const std::string other = entry.path().filename().string(); other.starts_with(ours) && other != name) old.push_back(entry.path());
  for (const fs::path& path : old) fs::remove_all(path, ec);
}

void Rollouts::write(const fs::path& folder) {
  std::error_code ec;
  fs::create_directories(folder, ec);
  if (ec) throw SystemError(folder.string() + ": " + ec.message());
  if (sync_ == fleet::Sync::Adapter) return learner_.save_adapter(folder.string(), config_.model);
  copy_rest(config_.model, folder);
  learner_.save_weights(folder.string());
  if (config_.learner.lora) learner_.save_adapter((folder / "adapter").string(), config_.model);
}

void Rollouts::run_command(const std::string& folder) const {
  std::vector<std::string> environment;
  for (char** e = environ; *e; ++e)
    if (std::string_view(*e).substr(0, 4) != "PPC_") environment.push_back(*e);
  std::string servers;
  for (const std::string& s : config_.rollouts.servers) servers += (servers.empty() ? "" : " ") + s;
  environment.insert(environment.end(), {"PPC_WEIGHTS=" + folder, "PPC_STEP=" + std::to_string(step_), "PPC_SERVERS=" + servers});
  std::vector<std::string> arguments = config_.rollouts.command;
  std::vector<char*> argv, envp;
  for (std::string& a : arguments) argv.push_back(a.data());
  for (std::string& e : environment) envp.push_back(e.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  const std::string called = "rollouts.command: " + arguments[0] + ": ";
  // In a group of its own: ^C at the terminal is for the run, which ends in order behind the step under way.
  posix_spawnattr_t how;
  posix_spawnattr_init(&how);
  posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&how, 0);
  pid_t child = 0;
  const int error = posix_spawnp(&child, argv[0], nullptr, &how, argv.data(), envp.data());
  posix_spawnattr_destroy(&how);
  if (error != 0) throw SystemError(called + std::strerror(error));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw SystemError(called + (WIFEXITED(status) ? "it ended with status " + std::to_string(WEXITSTATUS(status)) : "signal " + std::to_string(WTERMSIG(status)) + " ended it") +
                      ", so the servers have no new weights");
}

/// Whether servers compute what the learner computes.
void Rollouts::check() {
  probe_.sampling.seed = engine::mix_seed(config_.seed, 4, static_cast<uint64_t>(step_), 0);
  gap_ = 0;
  for (const auto& p : fleet_->probe(probe_)) {
    std::vector<learn::TokenId> ids = probe_.prompt;
    const std::vector<local::TokenId>& said = p.continuation.ids;
    ids.insert(ids.end(), said.begin(), said.end());
    for (const local::TokenId t : said)
      if (t >= learner_.config().vocab_size) throw InputError(p.server + ": it sampled token " + std::to_string(t) + ", and the model has " + std::to_string(learner_.config().vocab_size));
    std::vector<uint8_t> trained(ids.size(), 0);
    std::fill(trained.begin() + static_cast<ptrdiff_t>(probe_.prompt.size()), trained.end(), uint8_t{1});
    const learn::Sequence one[] = {{ids, trained, config_.sampling.temperature}};
    const learn::Learner::Tokens t = learner_.evaluate(one, learn::Policy::Current);
    double sum = 0;
    for (size_t i = 0; i < said.size(); ++i) sum += std::fabs(static_cast<double>(t.logprobs[i]) - p.continuation.logprobs[i]);
    const double gap = sum / static_cast<double>(said.size());
    gap_ = std::max(gap_, gap);
    if (config_.rollouts.check > 0 && !(gap <= config_.rollouts.check))
      throw InputError(p.server + ": its log-probabilities are " + rounded(gap) + " away from the learner's, in the mean of " + std::to_string(said.size()) + " tokens; `rollouts.check` allows " +
                       rounded(config_.rollouts.check) + ". It has not got the weights of step " + std::to_string(step_) + ", or another model" +
                       (config_.sampling.temperature != 1 ? ", or tells log-probabilities without the temperature (vLLM: --logprobs-mode processed_logprobs)" : ""));
  }
}

train::Metrics Rollouts::metrics() {
  const fleet::FleetCounts c = fleet_->counts();
  const double replies = static_cast<double>(std::max<int64_t>(1, c.replies - before_.replies));
  train::Metrics out = {{"servers", c.servers}, {"staleness", static_cast<double>(c.staleness - before_.staleness) / replies}, {"retries", static_cast<double>(c.retries - before_.retries)},
                        {"server_gap", gap_}, {"seconds/sync", seconds_}};
  before_ = c;
  seconds_ = 0;
  return out;
}

}  // namespace ppc::cli
