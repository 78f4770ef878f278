/* Plays a game to its end with the game's own bots, and prints what is said and the scores. docs/library.md explains it.
 *
 *   play GAME [SEED]      a compiled game (.so), a source (.game), or the name of one that comes with ppc
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <ppc/ppc.h>

static void must(ppc_result result, const char *what) {
  if (result == PPC_OK) return;
  fprintf(stderr, "%s: %s\n", what, ppc_error());
  exit((int)result);
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: play GAME [SEED]\n");
    return 2;
  }
  if (ppc_api_version() != PPC_API_VERSION) {
    fprintf(stderr, "ppc.h has version %d, the library %" PRIu32 "\n", PPC_API_VERSION, ppc_api_version());
    return 3;
  }
  const uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;

  ppc_game *game = NULL;
  must(ppc_game_load(argv[1], NULL, &game), "load");
  ppc_instances *instances = NULL;
  must(ppc_instances_default(game, &instances), "instances");
  printf("%s, experiment %s, instance %s\n", ppc_game_name(game), ppc_instances_experiment(instances, 0), ppc_instances_id(instances, 0));

  /* The seed that `ppc play --seed` gives this instance: the same episode. */
  ppc_episode_options options = {.size = sizeof options, .seed = ppc_instances_seed(instances, 0, seed, 0)};
  ppc_episode *episode = NULL;
  must(ppc_episode_new(instances, 0, &options, &episode), "episode");

  ppc_turn turn;
  must(ppc_episode_turn(episode, &turn), "turn");
  while (!turn.done) {
    const char *player = ppc_game_player_name(game, turn.player);
    printf("GM -> %s: %s\n", player, turn.message);
    const int32_t bot = ppc_game_find_bot(game, turn.player, NULL);
    if (bot < 0) {
      fprintf(stderr, "%s\n", ppc_error());
      return 1;
    }
    const char *reply = NULL;
    size_t size = 0;
    must(ppc_episode_bot(episode, (uint32_t)bot, &reply, &size), "bot");
    printf("%s -> GM: %s\n", player, reply);
    must(ppc_episode_step(episode, reply, size, &turn), "step");
    if (turn.rule >= 0) {
      ppc_violation v;
      must(ppc_episode_violation(episode, &v), "violation");
      printf("  broke %s, %s %s: %s\n", v.move, v.kind, v.text, v.reason);
    }
  }

  static const char *const outcomes[] = {"running", "won", "lost", "aborted"};
  printf("outcome: %s%s%s\n", outcomes[turn.outcome], *ppc_episode_reason(episode) ? ": " : "", ppc_episode_reason(episode));
  size_t scores = 0;
  must(ppc_episode_score_count(episode, &scores), "scores");
  for (size_t i = 0; i < scores; ++i) {
    const char *name = NULL;
    double value = 0;
    must(ppc_episode_score_at(episode, i, &name, &value), "score");
    if (isnan(value)) printf("%s: none\n", name);
    else printf("%s: %g\n", name, value);
  }
  ppc_episode_free(episode);
  ppc_instances_free(instances);
  ppc_game_free(game);
  return 0;
}
