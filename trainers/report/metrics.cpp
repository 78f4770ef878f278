#include "trainers/report/metrics.h"

#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <set>
#include <stdexcept>

#include "runtime/engine/json.h"

namespace ppc::report {
namespace {

using engine::Json;
namespace fs = std::filesystem;

MetricsLine read_line(std::string_view text, const std::string& name) {
  const Json json = engine::parse_json(text, name);
  const Json* step = json.find("step");
  if (!step || !step->is_int()) throw engine::InputError(name + ": `step`: expected a whole number");
  MetricsLine line{step->as_int(), std::numeric_limits<double>::quiet_NaN(), {}, {}};
  for (const Json::Member& m : json.members()) {
    if (m.key == "step") continue;
    if (m.value.is_text()) {
      line.texts.emplace_back(m.key, m.value.as_text());
      continue;
    }
    if (!m.value.is_number() && !m.value.is_null()) throw engine::InputError(name + ": `" + m.key + "`: expected a number, found " + engine::describe(m.value));
    const double value = m.value.is_null() ? std::numeric_limits<double>::quiet_NaN() : m.value.as_float();
    if (m.key == "time") line.time = value;
    else line.values.emplace_back(m.key, value);
  }
  return line;
}

/// How many bytes of the file are lines of steps before this one.
size_t kept(const std::string& path, int64_t first_step) {
  std::error_code ec;
  if (first_step <= 0 || !fs::exists(path, ec)) return 0;
  const std::string text = engine::read_file(path);
  size_t at = 0, number = 0;
  for (size_t end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    const MetricsLine line = read_line(std::string_view(text).substr(at, end - at), path + ":" + std::to_string(++number));
    if (line.step >= first_step) break;
  }
  return at;
}

}  // namespace

MetricsFile::MetricsFile(const std::string& path, int64_t first_step) : path_(path) {
  const size_t size = kept(path, first_step);
  file_.reset(std::fopen(path.c_str(), "ab"));
  if (!file_ || ftruncate(fileno(file_.get()), static_cast<off_t>(size)) != 0) throw engine::SystemError(path + ": " + std::strerror(errno));
}

void MetricsFile::write(int64_t step, double time, std::span<const Metric> values) {
  Json line = Json::object();
  line.add("step", step);
  line.add("time", time);
  std::set<std::string_view> names = {"step", "time"};
  for (const auto& [name, value] : values) {
    if (!names.insert(name).second) throw std::invalid_argument("metric `" + name + "` twice");
    line.add(name, value);
  }
  const std::string text = engine::to_text(line, {.nan_as_null = true}) + "\n";
  if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size() || std::fflush(file_.get()) != 0) throw engine::SystemError(path_ + ": " + std::strerror(errno));
}

std::vector<MetricsLine> read_metrics(const std::string& path) {
  const std::string text = engine::read_file(path);
  std::vector<MetricsLine> out;
  size_t at = 0;
  for (size_t end; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
    out.push_back(read_line(std::string_view(text).substr(at, end - at), path + ":" + std::to_string(out.size() + 1)));
  return out;
}

const std::vector<MetricInfo>& known_metrics() {
  static const std::vector<MetricInfo> all = {
      {"eval/clemscore", "clemscore, evaluation", "clemscore", "% played / 100 × score, both averages over games, on the instances of the evaluation"},
      {"eval/played", "% played, evaluation", "all", "episodes that were not aborted"},
      {"eval/score", "score, evaluation", "all", "mean Main Score of the episodes that were played to their end"},
      {"eval/violations", "broken rules, evaluation", "all", "how often in an episode"},
      {"held_out/loss", "loss", "held out", "the same loss on dialogues that are not trained on: when it rises while the other falls, they are being memorised"},
      {"held_out/accuracy", "accuracy", "held out", "as accuracy, on pairs that are not trained on"},
      {"reward", "reward", "all", "mean of the episodes that were played to learn from, 0 to 1; an abort is 0"},
      {"played", "% played", "played", "episodes played to learn from that were not aborted"},
      {"won", "% played", "won", "of all episodes"},
      {"score", "score", "all", "mean Main Score of the episodes that were played to their end"},
      {"violations", "broken rules", "all", "by the learner, how often in an episode"},
      {"loss", "loss", "loss", "what is minimised; in GRPO it says little by itself"},
      {"perplexity", "perplexity", "perplexity", "e to the mean negative log-probability of a trained token"},
      {"accuracy", "accuracy", "accuracy", "pairs of which the chosen reply has gained more than the rejected one"},
      {"margin", "margin of rewards", "margin", "beta · (what the chosen reply has gained − what the rejected one has), in nats"},
      {"chosen_reward", "implicit rewards", "chosen", "beta · (log-probability − the reference's)"},
      {"rejected_reward", "implicit rewards", "rejected", "where both fall, replies of neither kind become likely"},
      {"chosen_logprob", "log-probabilities", "chosen", "of a whole reply, in nats"},
      {"rejected_logprob", "log-probabilities", "rejected", "of a whole reply, in nats"},
      {"kl", "KL to the reference", "KL", "k3 estimate in nats a token: how far the learner has gone from where it began"},
      {"entropy", "entropy", "entropy", "of the distributions that tokens are drawn from, in nats; near 0 there is nothing left to find out"},
      {"flat_groups", "groups", "flat", "all members fared the same, so they taught nothing; others were played in their place"},
      {"groups", "groups", "played", "of a step"},
      {"unforked_groups", "groups", "not forked", "episodes that ended before their fork"},
      {"group_deviation", "deviation of rewards", "in a group", "mean over groups: what advantages are made of"},
      {"reward_deviation", "deviation of rewards", "of all", "of all episodes"},
      {"old_kl", "off policy", "KL", "k3 estimate in nats a token: from the weights that played to those of now; 0 at the first of several updates"},
      {"ratio_max", "greatest ratio", "ratio", "of a token's probability now and when it was played"},
      {"ratio", "mean ratio", "ratio", "of a token's probability now and when it was played; about 1"},
      {"clipped_low", "clipped", "below", "part of the tokens whose gradient a clip took away, as they had become less likely already; far above 0.2 the steps are too large"},
      {"clipped_high", "clipped", "above", "the same of those that had become more likely"},
      {"sampler_gap", "sampler and trainer", "mean", "how far apart the log-probabilities are that the two compute for the same token and weights"},
      {"sampler_gap_max", "sampler and trainer", "largest", "one token of many may be far off; a mean that grows is a mistake"},
      {"effective_sample_size", "effective sample size", "part", "of the corrected tokens: 1 where all weigh the same"},
      {"reply_cut", "replies cut off", "part", "ended by the limit of tokens; they mostly break a rule: raise max_tokens"},
      {"replies", "replies of an episode", "replies", "of the learner"},
      {"gradient_norm", "gradient's norm", "norm", "before clipping; single peaks do no harm, a rise without end does"},
      {"skipped", "steps skipped", "skipped", "1 where a gradient was not finite or there was nothing to learn from"},
      {"learning_rate", "learning rate", "rate", "of this step"},
      {"epoch", "epoch", "epoch", "how often each example was seen"},
      {"tokens_per_second", "tokens a second", "tokens", "computed in training, prompts included"},
      {"tokens", "tokens of a step", "all", "prompts included"},
      {"trained_tokens", "tokens of a step", "trained", "the learner's own"},
      {"examples", "sequences of a step", "examples", "dialogues in a step"},
      {"pairs", "sequences of a step", "pairs", "pairs in a step"},
      {"sequences", "sequences of a step", "sequences", "episodes and roles with something to learn"},
      {"episodes", "sequences of a step", "episodes", "played to learn from"},
      {"seconds", "seconds of a step", "all", "time of a step"},
      {"eval/seconds", "seconds of an evaluation", "seconds", "time of an evaluation"},
  };
  return all;
}

const MetricInfo* find_metric(std::string_view name) {
  const MetricInfo* found = nullptr;
  for (const MetricInfo& m : known_metrics())
    if (name.starts_with(m.name) && (name.size() == m.name.size() || name[m.name.size()] == '/') && (!found || found->name.size() < m.name.size())) found = &m;
  return found;
}

}  // namespace ppc::report
