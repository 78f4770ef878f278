/* Every function of ppc.h with arguments that are wrong: an error each, no crash, nothing changed.
 *
 *   abuse GAME.so OTHER.so BROKEN.game TEMPORARY_FOLDER */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ppc/ppc.h>

static int failures = 0;
#define CHECK(condition)                                                         \
  do {                                                                           \
    if (!(condition)) {                                                          \
      fprintf(stderr, "abuse.c:%d: %s (%s)\n", __LINE__, #condition, ppc_error()); \
      ++failures;                                                                \
    }                                                                            \
  } while (0)
#define GIVES(result, call) CHECK((call) == (result))
static int says(const char *part) { return strstr(ppc_error(), part) != NULL; }

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  ppc_game *game = NULL, *other = NULL, *none = (ppc_game *)(uintptr_t)1;
  CHECK(ppc_error()[0] == 0);
  CHECK(ppc_version()[0] != 0);

  /* Games. */
  GIVES(PPC_E_USAGE, ppc_game_load(NULL, NULL, &none));
  GIVES(PPC_E_USAGE, ppc_game_load(argv[1], NULL, NULL));
  GIVES(PPC_E_INPUT, ppc_game_load("", NULL, &none));
  GIVES(PPC_E_INPUT, ppc_game_load("no_such_game", NULL, &none));
  CHECK(says("ppc list games"));
  GIVES(PPC_E_INPUT, ppc_game_load("no/such.so", NULL, &none));
  GIVES(PPC_E_INPUT, ppc_game_load("no/such.game", NULL, &none));
  GIVES(PPC_E_INPUT, ppc_game_load("/dev/null/x.so", NULL, &none));
  GIVES(PPC_E_INPUT, ppc_game_load(argv[3], NULL, &none));
  CHECK(says("E0") && says("error[") && says("1 error"));
  CHECK(none == (ppc_game *)(uintptr_t)1); /* outputs are as they were */
  ppc_load_options load = {.size = 1};
  GIVES(PPC_E_USAGE, ppc_game_load(argv[1], &load, &none));
  load.size = sizeof load;
  load.engine = "fast";
  GIVES(PPC_E_USAGE, ppc_game_load(argv[1], &load, &none));
  load.engine = "interp";
  GIVES(PPC_E_USAGE, ppc_game_load(argv[1], &load, &none));
  load.engine = NULL;
  load.resources = "/no/such/folder";
  GIVES(PPC_OK, ppc_game_load(argv[1], NULL, &game));
  GIVES(PPC_OK, ppc_game_load(argv[2], NULL, &other));
  if (!game || !other) return 1;
  CHECK(ppc_game_name(NULL) == NULL && says("NULL"));
  CHECK(ppc_game_folder(NULL) == NULL && ppc_game_engine(NULL) == NULL);
  CHECK(ppc_game_player_count(NULL) == 0);
  CHECK(ppc_game_player_name(game, 99) == NULL && says("99"));
  CHECK(ppc_game_player_display(game, 99) == NULL && ppc_game_player_scripted(game, 99) == -1);
  CHECK(ppc_game_find_player(game, "nobody") == -1 && ppc_game_find_player(game, NULL) == -1);
  CHECK(ppc_game_move_count(NULL) == 0 && ppc_game_move_name(game, 99) == NULL && ppc_game_move_form(game, 99) == NULL &&
        ppc_game_move_grammar(game, 99) == NULL);
  CHECK(ppc_game_bot_count(NULL) == 0 && ppc_game_bot_name(game, 99) == NULL && ppc_game_bot_player(game, 99) == -1);
  CHECK(ppc_game_find_bot(game, 0, "no such bot") == -1 && ppc_game_find_bot(game, 99, NULL) == -1);
  char *text = NULL;
  size_t size = 0;
  GIVES(PPC_E_USAGE, ppc_game_info(NULL, &text, &size));
  GIVES(PPC_E_USAGE, ppc_game_info(game, NULL, &size));
  GIVES(PPC_OK, ppc_game_info(game, &text, NULL));
  ppc_free(text);
  ppc_free(NULL);

  /* Instances. */
  ppc_instances *instances = NULL, *others = NULL, *nothing = NULL;
  GIVES(PPC_E_USAGE, ppc_instances_default(NULL, &nothing));
  GIVES(PPC_E_USAGE, ppc_instances_default(game, NULL));
  GIVES(PPC_E_INPUT, ppc_instances_load(game, "/no/such/file.json", &nothing));
  GIVES(PPC_E_USAGE, ppc_instances_load(game, NULL, &nothing));
  GIVES(PPC_E_INPUT, ppc_instances_parse(game, "{", 1, &nothing));
  GIVES(PPC_E_INPUT, ppc_instances_parse(game, "{\"experiments\": 3}", 18, &nothing));
  GIVES(PPC_E_USAGE, ppc_instances_parse(game, NULL, 10, &nothing));
  GIVES(PPC_E_INPUT, ppc_instances_parse(game, NULL, 0, &nothing));
  GIVES(PPC_E_INPUT, ppc_instances_one(game, "[]", 2, NULL, 0, &nothing));
  GIVES(PPC_E_INPUT, ppc_instances_one(game, "{}", 2, "7", 1, &nothing));
  GIVES(PPC_E_USAGE, ppc_instances_generate(game, 0, 1, &nothing));
  GIVES(PPC_E_USAGE, ppc_instances_generate(game, INT64_MAX, 1, &nothing));
  GIVES(PPC_E_USAGE, ppc_instances_default((const ppc_game *)nothing, &nothing));
  CHECK(nothing == NULL);
  GIVES(PPC_OK, ppc_instances_default(game, &instances));
  GIVES(PPC_OK, ppc_instances_default(other, &others));
  if (!instances || !others) return 1;
  GIVES(PPC_E_USAGE, ppc_game_info((const ppc_game *)(const void *)instances, &text, &size)); /* a handle of another kind */
  CHECK(ppc_instances_count(NULL) == 0 && ppc_instances_count((const ppc_instances *)(const void *)game) == 0);
  CHECK(ppc_instances_id(instances, SIZE_MAX) == NULL && ppc_instances_experiment(instances, SIZE_MAX) == NULL);
  CHECK(ppc_instances_find(instances, "no such experiment", NULL) == -1);
  CHECK(ppc_instances_find(instances, NULL, NULL) == 0);
  GIVES(PPC_E_USAGE, ppc_instances_json(instances, SIZE_MAX, &text, &size));

  /* Episodes. */
  ppc_episode *e = NULL, *f = NULL;
  ppc_turn turn;
  GIVES(PPC_E_USAGE, ppc_episode_new(NULL, 0, NULL, &e));
  GIVES(PPC_E_USAGE, ppc_episode_new(instances, SIZE_MAX, NULL, &e));
  GIVES(PPC_E_USAGE, ppc_episode_new(instances, 0, NULL, NULL));
  ppc_episode_options options = {0};
  GIVES(PPC_E_USAGE, ppc_episode_new(instances, 0, &options, &e));
  const int32_t bots[] = {1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000};
  options = (ppc_episode_options){.size = sizeof options, .bots = bots, .bot_count = 77};
  GIVES(PPC_E_USAGE, ppc_episode_new(instances, 0, &options, &e));
  options.bot_count = ppc_game_player_count(game);
  GIVES(PPC_E_USAGE, ppc_episode_new(instances, 0, &options, &e));
  CHECK(says("no bot 1000"));
  CHECK(e == NULL);
  GIVES(PPC_OK, ppc_episode_new(instances, 0, NULL, &e));
  GIVES(PPC_E_USAGE, ppc_episode_turn(NULL, &turn));
  GIVES(PPC_E_USAGE, ppc_episode_turn(e, NULL));
  GIVES(PPC_E_USAGE, ppc_episode_turn((const ppc_episode *)(const void *)game, &turn));
  GIVES(PPC_E_USAGE, ppc_episode_step(NULL, "x", 1, &turn));
  GIVES(PPC_E_USAGE, ppc_episode_step(e, NULL, 1, &turn));
  GIVES(PPC_E_USAGE, ppc_episode_bot(e, 1000, (const char **)&text, &size));
  GIVES(PPC_E_USAGE, ppc_episode_bot(e, 0, NULL, &size));
  GIVES(PPC_E_USAGE, ppc_episode_violation(e, NULL));
  ppc_violation violation;
  GIVES(PPC_OK, ppc_episode_violation(e, &violation));
  CHECK(violation.rule == -1 && violation.move == NULL);
  GIVES(PPC_E_USAGE, ppc_episode_fork(NULL, &f));
  GIVES(PPC_E_USAGE, ppc_episode_fork(e, NULL));
  double value = 3;
  GIVES(PPC_E_USAGE, ppc_episode_score(e, "Main Score", &value)); /* not over yet */
  GIVES(PPC_E_USAGE, ppc_episode_scores(e, &text, &size));
  GIVES(PPC_E_USAGE, ppc_episode_score_count(e, &size));
  GIVES(PPC_E_USAGE, ppc_episode_record(e, "episode", &text, &size)); /* no journal */
  GIVES(PPC_E_USAGE, ppc_episode_conversation(e, 0, &text, &size));
  GIVES(PPC_E_USAGE, ppc_episode_set_model(e, 0, "m"));
  GIVES(PPC_E_USAGE, ppc_episode_annotate(e, "{}", 2));
  CHECK(value == 3);

  /* Snapshots. */
  GIVES(PPC_OK, ppc_episode_snapshot(e, &text, &size));
  GIVES(PPC_OK, ppc_episode_restore(e, text, size, &turn));
  GIVES(PPC_E_USAGE, ppc_episode_restore(e, NULL, size, NULL));
  for (size_t cut = 0; cut < size; cut += 1 + size / 97) GIVES(PPC_E_INPUT, ppc_episode_restore(e, text, cut, NULL));
  for (size_t at = 0; at < size; at += 1 + size / 199) { /* one bit, anywhere */
    text[at] ^= 4;
    GIVES(PPC_E_INPUT, ppc_episode_restore(e, text, size, NULL));
    text[at] ^= 4;
  }
  GIVES(PPC_OK, ppc_episode_new(others, 0, NULL, &f));
  GIVES(PPC_E_INPUT, ppc_episode_restore(f, text, size, NULL));
  CHECK(says("another game"));
  ppc_episode_free(f);
  f = NULL;
  if (ppc_instances_count(instances) > 1) {
    GIVES(PPC_OK, ppc_episode_new(instances, 1, NULL, &f));
    GIVES(PPC_E_INPUT, ppc_episode_restore(f, text, size, NULL));
    CHECK(says("another instance"));
    ppc_episode_free(f);
    f = NULL;
  }

  /* Many. */
  ppc_episode *two[] = {e, e};
  const char *replies[] = {"x", "y"};
  const size_t sizes[] = {1, 1};
  ppc_turn turns[2];
  ppc_result results[2] = {PPC_OK, PPC_OK};
  GIVES(PPC_E_USAGE, ppc_episodes_step(two, replies, sizes, 2, 2, turns, results)); /* twice the same */
  GIVES(PPC_E_USAGE, ppc_episodes_step(NULL, replies, sizes, 2, 2, turns, results));
  GIVES(PPC_E_USAGE, ppc_episodes_step(two, NULL, sizes, 2, 2, turns, results));
  two[1] = NULL;
  GIVES(PPC_E_USAGE, ppc_episodes_step(two, replies, sizes, 2, 2, turns, results));
  CHECK(says("episode 1"));
  GIVES(PPC_OK, ppc_episode_turn(e, &turn));
  CHECK(turn.requests == 1); /* nothing was done, and nothing is still in use */
  GIVES(PPC_OK, ppc_episodes_step(NULL, NULL, NULL, 0, 0, NULL, NULL));
  size_t offsets[] = {5, 2};
  GIVES(PPC_E_USAGE, ppc_episodes_restore(two, text, offsets, 1, 1, NULL, NULL));
  GIVES(PPC_E_USAGE, ppc_episodes_fork(e, 3, NULL));
  GIVES(PPC_E_USAGE, ppc_episodes_new(instances, NULL, NULL, 2, NULL, 0, two, NULL));
  const size_t indices[] = {0, SIZE_MAX};
  ppc_episode *made[2] = {e, e};
  GIVES(PPC_E_USAGE, ppc_episodes_new(instances, indices, NULL, 2, NULL, 0, made, results));
  CHECK(made[0] != NULL && made[1] == NULL && results[0] == PPC_OK && results[1] == PPC_E_USAGE);
  ppc_episodes_free(made, 2);
  ppc_episodes_free(NULL, 5);

  /* Replies of every kind, to the end; then what is over is over. */
  GIVES(PPC_OK, ppc_episode_turn(e, &turn));
  static char large[1 << 20];
  memset(large, 'x', sizeof large);
  for (int i = 0; !turn.done && i < 10000; ++i) {
    const char *const kinds[] = {"", "\0\0\0", "\xff\xfe\x80", large, "%s%n", "\xed\xa0\x80"};
    const size_t bytes[] = {0, 3, 3, sizeof large, 4, 3};
    CHECK(ppc_episode_step(e, kinds[i % 6], bytes[i % 6], &turn) == PPC_OK);
  }
  CHECK(turn.done && turn.message[0] == 0 && turn.message_size == 0);
  GIVES(PPC_E_USAGE, ppc_episode_step(e, "x", 1, &turn));
  CHECK(says("over"));
  GIVES(PPC_E_USAGE, ppc_episode_bot(e, 0, (const char **)&replies[0], &size));
  GIVES(PPC_OK, ppc_episode_abandon(e, "again"));
  GIVES(PPC_E_USAGE, ppc_episode_score(e, "no such score", &value));
  GIVES(PPC_E_USAGE, ppc_episode_score(e, NULL, &value));
  GIVES(PPC_E_USAGE, ppc_episode_score_at(e, 1000, NULL, &value));
  GIVES(PPC_OK, ppc_episode_score(e, "Aborted", &value));
  two[0] = e;
  double values[1];
  GIVES(PPC_OK, ppc_episodes_score(two, 1, "Aborted", 0, values, NULL));
  CHECK(values[0] == value);
  const char *skip[] = {NULL};
  GIVES(PPC_OK, ppc_episodes_step(two, skip, sizes, 1, 0, turns, NULL)); /* left as it is */
  CHECK(turns[0].done);

  /* Records. */
  ppc_writer *writer = NULL;
  GIVES(PPC_E_USAGE, ppc_writer_open(NULL, &writer));
  GIVES(PPC_E_SYSTEM, ppc_writer_open("/dev/null/records", &writer));
  CHECK(writer == NULL);
  GIVES(PPC_OK, ppc_writer_open(argv[4], &writer));
  GIVES(PPC_E_USAGE, ppc_writer_write(writer, e, 0, 1)); /* no journal */
  options = (ppc_episode_options){.size = sizeof options, .record = 1};
  GIVES(PPC_OK, ppc_episode_new(instances, 0, &options, &f));
  GIVES(PPC_E_USAGE, ppc_writer_write(writer, f, 0, 1)); /* not over */
  GIVES(PPC_E_USAGE, ppc_episode_annotate(f, "{}", 2)); /* no reply yet */
  GIVES(PPC_E_USAGE, ppc_episode_restore(f, text, 100, NULL));
  GIVES(PPC_E_USAGE, ppc_episode_set_model(f, 99, "m"));
  GIVES(PPC_E_USAGE, ppc_episode_conversation(f, 99, &text, &size));
  GIVES(PPC_E_USAGE, ppc_episode_record(f, "everything", &text, &size));
  GIVES(PPC_OK, ppc_episode_set_model(f, 0, "../../evil\xff"));
  GIVES(PPC_OK, ppc_episode_step(f, "x", 1, &turn));
  GIVES(PPC_E_INPUT, ppc_episode_annotate(f, "{\"reply_tokens\": -1}", 20));
  GIVES(PPC_E_INPUT, ppc_episode_annotate(f, "{\"finish\": \"odd\"}", 17));
  GIVES(PPC_E_INPUT, ppc_episode_annotate(f, "nonsense", 8));
  GIVES(PPC_OK, ppc_episode_annotate(f, "{\"reply_tokens\": 7, \"finish\": \"stop\"}", 37));
  GIVES(PPC_OK, ppc_episode_abandon(f, "the player left"));
  GIVES(PPC_E_USAGE, ppc_writer_write(writer, f, 1, 1));
  GIVES(PPC_E_USAGE, ppc_writer_write(NULL, f, 0, 1));
  GIVES(PPC_OK, ppc_writer_write(writer, f, 0, 1));
  GIVES(PPC_OK, ppc_writer_close(writer));
  GIVES(PPC_E_USAGE, ppc_writer_close(NULL));

  /* What is needed is kept. */
  ppc_game_free(game);
  ppc_instances_free(instances);
  GIVES(PPC_OK, ppc_episode_restart(f, 7, &turn));
  CHECK(!turn.done && turn.message_size > 0);
  GIVES(PPC_OK, ppc_episode_abandon(f, "the player left"));
  CHECK(strcmp(ppc_episode_reason(f), "the player left") == 0);
  ppc_episode_free(f);
  ppc_episode_free(e);
  ppc_instances_free(others);
  ppc_game_free(other);
  ppc_free(text);
  ppc_episode_free(NULL);
  ppc_instances_free(NULL);
  ppc_game_free(NULL);
  if (!failures) puts("every mistake was told");
  return failures != 0;
}
