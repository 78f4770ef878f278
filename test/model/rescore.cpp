// Computes the replies of a record anew, each conversation in one pass, and compares the log-probabilities with those recorded.
//
//   rescore FOLDER MAX_TOKENS GAME… < episodes.jsonl     of the players whose model is the folder's; MAX_TOKENS: the run's; GAME: .game files, for
//                                                        the forms of their moves
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>

#include "compiler/driver/driver.h"
#include "runtime/players/local.h"
#include "trainers/decode/constraint.h"
#include "trainers/nn/network.h"
#include "trainers/sampling/sample.h"

using namespace ppc;
using engine::Json;

namespace {

struct Rescorer {
  explicit Rescorer(const std::string& folder)
      : network(nn::load_network(folder, {.cache_tokens = 20000})), tokenizer(model::Tokenizer::load(folder)), name(std::filesystem::path(folder).filename()),
        ends(model::load_generation_config(folder, network->config()).eos_token_id), vocabulary(decode::make_vocabulary(tokenizer, network->config().vocab_size)) {}

  void reply(const std::vector<local::TokenId>& before, const Json& recorded, const engine::MoveInfo* move) {
    const local::Sample s = players::sample_of(recorded);
    local::Sampling by = players::sampling_of(recorded);
    by.max_tokens = static_cast<int64_t>(s.ids.size());
    std::vector<local::TokenId> ids = before;
    ids.insert(ids.end(), s.prompt.begin(), s.prompt.end());
    const size_t prompt = ids.size();
    ids.insert(ids.end(), s.ids.begin(), s.ids.end());
    const nn::SequenceId sequence = network->create();
    const nn::Network::Item item{sequence, std::span(ids).first(ids.size() - 1), nn::Want::All};
    const nn::Network::Logits logits = network->forward({&item, 1});
    std::shared_ptr<const decode::Constraint> constraint;
    if (s.masking == local::Masking::On && move) constraint = decode::make_constraint(vocabulary, decode::language_of(*move));
    auto state = constraint ? constraint->start() : 0;
    std::vector<uint64_t> mask(static_cast<size_t>(logits.columns + 63) / 64);
    for (size_t i = 0; i < s.ids.size(); ++i) {
      std::vector<float> row(logits.data + static_cast<int64_t>(prompt + i - 1) * logits.columns, logits.data + static_cast<int64_t>(prompt + i) * logits.columns);
      if (constraint) {
        constraint->mask(state, most_tokens - static_cast<int64_t>(i) - 1, mask);
        if (constraint->may_end(state))
          for (const int64_t e : ends) mask[static_cast<size_t>(e) / 64] |= uint64_t{1} << e % 64;
        if (std::find(ends.begin(), ends.end(), s.ids[i]) == ends.end()) state = constraint->step(state, s.ids[i]);
      }
      local::Sampling all = by;
      all.top_logprobs = static_cast<int>(logits.columns);
      float now = std::nanf("");
      for (const local::Alternative& a : sampler.choose(row, all, std::span(ids).first(prompt + i), constraint ? mask : std::vector<uint64_t>{}, 0.5).top)
        if (a.id == s.ids[i]) now = a.logprob;
      worst = std::isnan(now) ? INFINITY : std::max(worst, static_cast<double>(std::abs(now - s.logprobs[i])));
      ++tokens;
    }
    ++replies;
    network->release(sequence);
  }

  std::unique_ptr<nn::Network> network;
  model::Tokenizer tokenizer;
  std::string name;
  std::vector<int64_t> ends;
  std::shared_ptr<const decode::Vocabulary> vocabulary;
  sampling::Sampler sampler;
  int64_t most_tokens = 0, replies = 0, tokens = 0;  // most_tokens: max_tokens of the run
  double worst = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return std::fprintf(stderr, "usage: rescore FOLDER MAX_TOKENS GAME… < episodes.jsonl\n"), 2;
  Rescorer r(argv[1]);
  r.most_tokens = std::stoll(argv[2]);
  std::map<std::string, std::shared_ptr<const engine::GameModule>> games;
  for (int i = 3; i < argc; ++i) {
    Sources sources;
    diag::Emitter out(sources);
    driver::LoadOptions options;
    options.engine = "interp";
    const std::shared_ptr<const engine::GameModule> game = driver::load_game(argv[i], options, out);
    if (!game) return std::fprintf(stderr, "%s: cannot be compiled\n", argv[i]), 1;
    games[game->manifest().game] = game;
  }
  for (std::string line; std::getline(std::cin, line);) {
    const Json episode = engine::parse_json(line, "episodes.jsonl");
    std::map<std::string, std::string> models;
    for (const Json& p : episode.find("players")->items()) models[p.find("name")->as_text()] = p.find("model")->as_text();
    const auto game = games.find(episode.find("game")->as_text());
    std::map<std::string, std::vector<local::TokenId>> said;  // of each player: what its model has seen
    for (const Json& m : episode.find("messages")->items()) {
      const std::string& from = m.find("from")->as_text();
      const Json* sample = m.find("sample");
      if (!sample || models[from] != r.name) continue;
      const engine::MoveInfo* move = nullptr;
      if (game != games.end())
        for (const engine::MoveInfo& v : game->second->manifest().moves)
          if (const Json* name = m.find("move"); name && name->is_text() && name->as_text() == v.name) move = &v;
      r.reply(said[from], *sample, move);
      if (m.find("aside")) continue;  // forgotten
      const local::Sample s = players::sample_of(*sample);
      said[from].insert(said[from].end(), s.prompt.begin(), s.prompt.end());
      said[from].insert(said[from].end(), s.ids.begin(), s.ids.end());
    }
  }
  std::printf("%lld replies, %lld tokens, %s\n", static_cast<long long>(r.replies), static_cast<long long>(r.tokens),
              r.worst < 1e-5 ? "log-probabilities as recorded" : ("largest difference " + std::to_string(r.worst)).c_str());
  return r.worst < 1e-5 && r.tokens > 0 ? 0 : 1;
}
