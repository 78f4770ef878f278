/* Tosses a coin a thousand times: outside COIN.so */
#include <ppc/ppc.h>
#include <stdio.h>
#include <stdlib.h>

static void must(ppc_result result) {
  if (result == PPC_OK) return;
  fprintf(stderr, "%s\n", ppc_error());
  exit((int)result);
}

enum { COUNT = 1000 };

int main(int argc, char **argv) {
  static size_t indices[COUNT];          /* all of them the first instance */
  static uint64_t seeds[COUNT];
  static ppc_episode *episodes[COUNT];
  static const char *replies[COUNT];
  static size_t sizes[COUNT];
  static ppc_turn turns[COUNT];

  ppc_game *game = NULL;
  ppc_instances *instances = NULL;
  must(ppc_game_load(argc > 1 ? argv[1] : "coin.so", NULL, &game));
  must(ppc_instances_default(game, &instances));
  for (size_t i = 0; i < COUNT; ++i) {
    seeds[i] = i;
    replies[i] = i % 2 ? "heads" : "tails";
    sizes[i] = 5;
  }
  must(ppc_episodes_new(instances, indices, seeds, COUNT, NULL, 0, episodes, NULL));
  must(ppc_episodes_step(episodes, replies, sizes, COUNT, 0, turns, NULL));
  int won = 0;
  for (size_t i = 0; i < COUNT; ++i) won += turns[i].done && turns[i].outcome == PPC_OUTCOME_WON;
  printf("%s by %s: won %d of %d\n", ppc_game_name(game), ppc_game_engine(game), won, COUNT);
  ppc_episodes_free(episodes, COUNT);
  ppc_instances_free(instances);
  ppc_game_free(game);
  return won > 400 && won < 600 ? 0 : 1;
}
