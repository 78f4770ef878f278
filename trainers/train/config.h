// What `ppc train` is told: docs/training.md has every key.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "trainers/learn/learner.h"

namespace ppc::train {

enum class Method : uint8_t { Sft, Dpo, Grpo };
const char* method_name(Method);  // "sft", "dpo", "grpo"

enum class Schedule : uint8_t { Constant, Linear, Cosine };
/// The learning rate of step `step` of `steps`, from 0, as a part of the highest: rises over the first `warmup` steps, then stays, or falls to
/// `last` (of the highest) along a line or half a cosine.
double rate_at(Schedule, int64_t step, int64_t steps, int64_t warmup, double last);

/// Where dialogues to learn from are, and which of them.
struct DataOptions {
  std::vector<std::string> from;                        // folders of records, episodes.jsonl, or JSON lines of `ppc export`
  std::vector<std::string> games, roles, models, outcomes;  // empty: all; outcomes: empty: as the method wants it
  std::optional<double> min_score, max_score;
  bool clean = false;                                   // only dialogues in which no rule was broken
  int64_t max_length = 0;                               // tokens; 0: what the model has room for
  bool cut = false;                                     // what is longer ends behind the last whole reply that fits; else it is left out
  std::string ids = "auto";                             // "auto": those recorded where there are any, "exact": nothing else, "encode": always the texts
  std::map<std::string, double> weights;                // by game; empty: each example once an epoch
  bool turns = false;                                   // dpo: pairs of replies to one history; sft: a reply an example
  int64_t pairs = 4;                                    // dpo: at most, of an instance and role, or of a history
  double min_gap = 0;                                   // dpo by score: above 0
};

/// A game that is played to learn from, or to see what was learned.
struct GameOptions {
  std::string game;                                     // a name, a .game file, or a compiled .so
  std::string instances;                                // a file; empty: the game's own
  std::vector<std::string> experiments;                 // empty: all
  int64_t generate = 0;                                 // fresh instances of each experiment in place of a file
  uint64_t generate_seed = 0;
  double weight = 1;                                    // how often it is played beside the others
  std::vector<std::string> learn;                       // roles whose replies are trained; empty: all that nobody else plays
  std::map<std::string, std::string> players;           // who plays the other roles: role -> "bot:NAME", "local:DIR", "openai:MODEL", "learner"
  int64_t episodes = 0;                                 // evaluation: of the instances, spread evenly; 0: all
};

struct SamplingOptions {
  double temperature = 1, top_p = 1, min_p = 0;
  int64_t top_k = 0, max_tokens = 256;
  std::string mask = "off";                             // "off", "diagnose", "on"
  std::vector<std::string> stop = {};                   // a reply ends before the first of these
};

/// What is not set has the objective's own default; what no loss that is chosen looks at is an error where it is set.
struct DpoOptions {
  std::string loss = "sigmoid";
  std::string divergence = "reverse_kl";
  double beta = 0.1, label_smoothing = 0;
  std::optional<double> alpha, discopop_tau;            // of alpha_divergence; of discopop
};

// Constants by the advantage's sign: τ; k and λ.
struct Sapo { double positive = 1, negative = 1.05; };
struct Vespo { double positive_k = 2, positive_lambda = 3, negative_k = 3, negative_lambda = 2; };

struct GrpoOptions {
  int64_t groups = 16, group_size = 8;                  // of a step
  std::string loss = "dapo";
  std::string level = "token";                          // of ratios: "token", "sequence" (GSPO)
  std::string scale_rewards = "group";                  // "group", "batch", "none"
  double scale_eps = 1e-4;                              // added to the deviation that rewards are divided by
  std::string combine = "sum_then_normalize";           // of score and rewards: "sum_then_normalize", "normalize_then_sum"
  double beta = 0;                                      // of the KL divergence from the reference
  bool kl_ratio = false;                                // the KL times the ratio
  std::optional<double> off_policy_kl;                  // leaves bad sequences out that have become this improbable
  double epsilon = 0.2;
  std::optional<double> epsilon_high, delta;            // epsilon_high: as epsilon
  int64_t max_trained_tokens = 0;                       // dr_grpo: the most that the learner may say in an episode
  std::optional<Sapo> sapo;
  std::optional<Vespo> vespo;
  int64_t updates = 1;                                  // steps of the optimizer on what was played
  std::string correction = "token_truncate";            // of what the sampler and the trainer compute differently: "none", "token_truncate", …
  double correction_cap = 2;
  std::optional<double> correction_floor;
  int64_t resample = 2;                                 // how many times as many groups as wanted are played at most, where all of a group fared the same
  double score_weight = 1, reward_weight = 0;           // score / 100, an abort 0; the sum of a player's `reward`s
  std::string baseline = "episode";                     // "episode": groups begin with the instance; "turn": where the episode is forked
  int64_t fork_rounds = 4;                              // "turn": groups fork in one of the first so many rounds
};

/// Servers that sample in place of the model here.
struct RolloutOptions {
  std::vector<std::string> servers;                     // base URLs; none: the model here samples
  std::string model;                                    // what they call it; empty: the one that they have
  std::string key_env, key_file, ca_file;
  int64_t in_flight = 64;                               // requests at each
  std::string sync = "auto";                            // how weights get there: "adapter", "weights", "command"; "auto": the first with LoRA, else the second
  std::vector<std::string> command;
  std::string folder, seen_as;                          // where weights are written for them; what they call that folder
  int64_t every = 1;                                    // steps between two times
  double check = 0.1;                                   // the largest mean difference of a probe's log-probabilities; 0: not looked at
  double timeout = 300, patience = 120;                 // seconds
};

struct EvaluationOptions {
  int64_t every = 0;                                    // steps; 0: before the first and behind the last only
  std::vector<GameOptions> games;
  SamplingOptions sampling{.temperature = 0};
  DataOptions data;                                     // sft, dpo: held out, for the loss
  int64_t patience = 0;                                 // ends when so many evaluations in a row brought nothing; 0: does not
};

struct Config {
  Method method = Method::Sft;
  std::string file;                                     // for messages
  std::string model;                                    // a Hugging Face folder
  std::string output;                                   // a folder: checkpoints, metrics, the model that came out
  std::string players;                                  // a players file: endpoints, and how models that are partners are asked
  int64_t cache_tokens = 0;                             // of the model that plays; 0: what fits
  uint64_t seed = 0;
  learn::LearnerOptions learner;
  std::string adapter;                                  // LoRA weights to begin with
  engine::Json variables = engine::Json::object();      // what the chat template sees beside messages

  int64_t steps = 0;                                    // of the optimizer; 0: see epochs
  double epochs = 0;                                    // sft, dpo: 0 with steps 0: one
  int64_t batch = 16;                                   // sft: examples, dpo: pairs in a step
  int64_t batch_tokens = 4096;                          // computed together at most; only time and memory depend on it
  double learning_rate = 1e-4, last_rate = 0;
  Schedule schedule = Schedule::Linear;
  double warmup = 0;                                    // steps; below 1: a part of all
  double max_grad_norm = 1;

  DataOptions data;
  std::string sft_loss = "nll";
  DpoOptions dpo;
  GrpoOptions grpo;
  std::vector<GameOptions> games;                       // grpo
  SamplingOptions sampling;                             // grpo
  std::optional<SamplingOptions> partner_sampling;      // grpo: of roles that the learner plays untrained; none: as sampling
  int64_t in_flight = 256;                              // episodes at a time
  RolloutOptions rollouts;                              // grpo
  EvaluationOptions evaluation;

  int64_t save_every = 0;                               // steps; 0: at the end only
  int64_t keep = 2;                                     // checkpoints, beside the best
};

}  // namespace ppc::train
