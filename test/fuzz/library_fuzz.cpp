// Calls of ppc.h in any order: the first byte is the game, then an operation a byte, with its argument up to the next zero byte. Four places
// for episodes, forks and snapshots between them; whatever is done, forks are equal, snapshots come back, batches do what single calls do.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "runtime/include/ppc/ppc.h"
#include "test/fuzz/common.h"

using namespace ppc;

namespace {

struct Played {
  ppc_game* game = nullptr;
  ppc_instances* instances = nullptr;
};
const std::vector<Played>& games() {
  static const std::vector<Played>& all = []() -> const std::vector<Played>& {
    auto& out = *new std::vector<Played>;  // never freed, so that what is in it is reachable to the end
    for (const char* name : {"hellogame", "taboo", "wordle", "kuhn_poker"}) {
      const std::string path = fuzz::games_folder() + "/" + name + "/" + name + ".game";
      ppc_load_options options = {sizeof options, "interp", nullptr, nullptr};
      Played p;
      if (ppc_game_load(path.c_str(), &options, &p.game) || ppc_instances_default(p.game, &p.instances)) {
        fprintf(stderr, "%s\n", ppc_error());
        abort();
      }
      out.push_back(p);
    }
    return out;
  }();
  return all;
}

ppc_turn turn_of(const ppc_episode* e) {
  ppc_turn t;
  fuzz::require(ppc_episode_turn(e, &t) == PPC_OK, "a turn");
  fuzz::require(t.message && t.message[t.message_size] == 0, "a message without its end");
  fuzz::require(!t.done || t.outcome != PPC_OUTCOME_RUNNING, "an end without an outcome");
  return t;
}
std::string snapshot_of(ppc_episode* e) {
  char* bytes = nullptr;
  size_t size = 0;
  fuzz::require(ppc_episode_snapshot(e, &bytes, &size) == PPC_OK, "a snapshot");
  std::string out(bytes, size);
  ppc_free(bytes);
  return out;
}

const char* const kForms[] = {"", "CLUE: ", "GUESS: ", "explanation: so\nguess: ", "GREET: ", "MOVE: ", "MOVE: check", "MOVE: call", "guess:crane\n"};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const Played& p = games()[data[0] % games().size()];
  std::array<ppc_episode*, 4> at{};
  std::array<std::string, 4> saved;
  std::array<bool, 4> records{};
  const size_t index = data[1] % ppc_instances_count(p.instances);
  fuzz::Pieces pieces({reinterpret_cast<const char*>(data) + 2, size - 2});
  for (int n = 0; n < 64 && !pieces.done(); ++n) {
    const std::string_view piece = pieces.next();
    if (piece.empty()) continue;
    const auto code = static_cast<uint8_t>(piece[0]);
    const std::string argument(piece.substr(1));
    const size_t i = (code >> 4) & 3, j = code >> 6;
    ppc_episode*& e = at[i];
    const std::string reply = kForms[argument.size() % std::size(kForms)] + argument;
    switch (code & 15) {
      case 0:
      case 1: {
        ppc_episode_free(e);
        e = nullptr;
        int32_t bots[PPC_PLAYERS_MAX];
        std::fill(bots, bots + PPC_PLAYERS_MAX, -1);
        const auto player = static_cast<uint32_t>(argument.size() % ppc_game_player_count(p.game));
        if (j & 1) bots[player] = ppc_game_find_bot(p.game, player, nullptr);
        records[i] = code & 1;
        const ppc_episode_options options = {sizeof options, records[i], argument.size(), bots, ppc_game_player_count(p.game)};
        fuzz::require(ppc_episode_new(p.instances, index, &options, &e) == PPC_OK, "an episode");
        break;
      }
      case 2:
      case 3:
      case 4: {
        ppc_turn t;
        const bool over = e && turn_of(e).done;
        const ppc_result r = ppc_episode_step(e, reply.data(), reply.size(), &t);
        fuzz::require(r == (e && !over ? PPC_OK : PPC_E_USAGE), "a step");
        break;
      }
      case 5: {
        const char* said = nullptr;
        size_t length = 0;
        const int32_t bot = e && !turn_of(e).done ? ppc_game_find_bot(p.game, turn_of(e).player, nullptr) : -1;
        if (bot >= 0 && ppc_episode_bot(e, static_cast<uint32_t>(bot), &said, &length) == PPC_OK) {
          const std::string copy(said, length);
          fuzz::require(ppc_episode_step(e, copy.data(), copy.size(), nullptr) == PPC_OK, "a bot's step");
        }
        break;
      }
      case 6: {
        if (!e || i == j) break;
        ppc_episode_free(at[j]);
        at[j] = nullptr;
        fuzz::require(ppc_episode_fork(e, &at[j]) == PPC_OK, "a fork");
        records[j] = records[i];
        fuzz::require(snapshot_of(e) == snapshot_of(at[j]), "a fork that differs");
        break;
      }
      case 7:
        if (e) saved[j] = snapshot_of(e);
        break;
      case 8: {
        if (!e) break;
        ppc_turn t;
        const ppc_result r = ppc_episode_restore(e, saved[j].data(), saved[j].size(), &t);
        fuzz::require(records[i] ? r == PPC_E_USAGE : r == (saved[j].empty() ? PPC_E_INPUT : PPC_OK), "a restored snapshot");
        turn_of(e);
        break;
      }
      case 9: {
        std::string broken = saved[j];
        if (!e || broken.empty() || argument.empty()) break;
        broken[argument.size() * 7919 % broken.size()] ^= static_cast<char>(1 + (argument[0] & 127));
        fuzz::require(ppc_episode_restore(e, broken.data(), broken.size(), nullptr) != PPC_OK, "a damaged snapshot was taken");
        break;
      }
      case 10: {
        // A batch of those that are there, beside a fork of each.
        std::vector<ppc_episode*> all, forks;
        for (ppc_episode* x : at)
          if (x) all.push_back(x);
        for (ppc_episode* x : all) fuzz::require(ppc_episode_fork(x, &forks.emplace_back()) == PPC_OK, "a fork");
        std::vector<const char*> texts(all.size(), reply.data());
        std::vector<size_t> sizes(all.size(), reply.size());
        std::vector<ppc_turn> turns(all.size());
        std::vector<ppc_result> results(all.size());
        ppc_episodes_step(all.data(), texts.data(), sizes.data(), all.size(), static_cast<uint32_t>(j + 1), turns.data(), results.data());
        for (size_t k = 0; k < all.size(); ++k) {
          fuzz::require(ppc_episode_step(forks[k], reply.data(), reply.size(), nullptr) == results[k], "a batch's result");
          fuzz::require(snapshot_of(all[k]) == snapshot_of(forks[k]), "a batch that plays something else");
        }
        ppc_episodes_free(forks.data(), forks.size());
        break;
      }
      case 11:
        if (e) fuzz::require(ppc_episode_restart(e, argument.size(), nullptr) == PPC_OK, "a restart");
        break;
      case 12:
        if (e && j == 0) fuzz::require(ppc_episode_abandon(e, argument.c_str()) == PPC_OK && turn_of(e).done, "an abandoned episode");
        break;
      case 13: {
        const char* const parts[] = {"episode", "interactions", "requests", "scores"};
        char* json = nullptr;
        if (e && ppc_episode_record(e, parts[j], &json, nullptr) == PPC_OK) fuzz::require(records[i] && json, "a record");
        ppc_free(json);
        json = nullptr;
        if (e && ppc_episode_conversation(e, 0, &json, nullptr) == PPC_OK) fuzz::require(json[0] == '[', "a conversation");
        ppc_free(json);
        if (e) ppc_episode_annotate(e, argument.data(), argument.size());
        break;
      }
      case 14: {
        double value = 0;
        if (e) fuzz::require((ppc_episode_score(e, "Main Score", &value) == PPC_OK) == (turn_of(e).done != 0), "a score");
        ppc_violation v;
        if (e) fuzz::require(ppc_episode_violation(e, &v) == PPC_OK && (v.rule < 0) == (v.move == nullptr), "a violation");
        break;
      }
      default: {
        ppc_instances* made = nullptr;
        const ppc_result r = j & 1 ? ppc_instances_one(p.game, argument.data(), argument.size(), nullptr, 0, &made)
                                   : ppc_instances_parse(p.game, argument.data(), argument.size(), &made);
        fuzz::require((r == PPC_OK) == (made != nullptr), "instances");
        ppc_instances_free(made);
      }
    }
  }
  ppc_episodes_free(at.data(), at.size());
  return 0;
}
