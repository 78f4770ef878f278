/* Dialogue games as a library: the C interface of ppc, version 1 (docs/library.md is the tour).
 *
 *   ppc_game       a compiled game: its players, moves, bots, rules
 *   ppc_instances  what is played: the instances of an instance file, checked against the game
 *   ppc_episode    one play of an instance: who is asked what, a reply, the next question, …, the outcome, the scores
 *   ppc_writer     records on disk, in clembench's layout
 *
 * Errors. Functions that can fail return a ppc_result; ppc_error() then says what was wrong, for people. Those that return a
 * pointer or an index instead give NULL or -1. After a failure outputs are as they were, and so is an episode, unless the
 * function says otherwise. No function throws, prints, or ends the process. A NULL or a handle of another kind where a handle
 * is expected is PPC_E_USAGE; a handle that has been freed is beyond detection.
 *
 * Texts. All texts are UTF-8. A `const char *` that a function gives ends in a zero byte, belongs to the handle, and lives as long as
 * the handle, unless the function says otherwise. A `char **` is a new block with a zero byte behind it, for ppc_free; its
 * size, without that byte, goes to the `size_t *` next to it, which may be NULL. Replies may be any bytes, zeros included.
 *
 * Handles keep what they need: a game may be freed while its instances live, and these while their episodes live. The
 * functions that free take NULL.
 *
 * Threads. Games and instances never change: any number of threads may use them at once. An episode may be used by one thread at
 * a time, whichever that is; two at once are told so (PPC_E_USAGE), as far as it is noticed. Different episodes need no lock
 * of the caller. A writer is used by one thread at a time.
 *
 * Version. Functions and constants may be added under the same PPC_API_VERSION; what is here keeps its meaning. Structures that the
 * caller fills in begin with their size, so that they may grow.
 */
#ifndef PPC_PPC_H
#define PPC_PPC_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PPC_API_VERSION 1
#define PPC_API __attribute__((visibility("default")))

typedef struct ppc_game ppc_game;
typedef struct ppc_instances ppc_instances;
typedef struct ppc_episode ppc_episode;
typedef struct ppc_writer ppc_writer;

/* The same four as the exit codes of the program `ppc`, and one more. */
typedef enum ppc_result {
  PPC_OK = 0,
  PPC_E_INPUT = 1,    /* the input is at fault: a game with errors, an instance that does not fit, a damaged snapshot */
  PPC_E_USAGE = 2,    /* the call is: a NULL, an index out of range, a step of an episode that is over */
  PPC_E_SYSTEM = 3,   /* something outside failed: disk, memory, a plugin that is not there */
  PPC_E_INTERNAL = 4  /* a bug of ppc */
} ppc_result;

/* ---- in general ------------------------------------------------------------------------------------------------- */

/* PPC_API_VERSION of the library, to compare with the header's. */
PPC_API uint32_t ppc_api_version(void);
/* The version of ppc, such as "0.1.0". */
PPC_API const char *ppc_version(void);
/* What was wrong with this thread's last call that failed; empty if none has. Good until this thread's next failure. */
PPC_API const char *ppc_error(void);
/* Frees what a function gave as `char **`. */
PPC_API void ppc_free(void *block);

/* ---- games ------------------------------------------------------------------------------------------------------ */

typedef struct ppc_load_options {
  uint32_t size;          /* sizeof(ppc_load_options) */
  const char *engine;     /* of a source: "jit" or "interp"; NULL: "jit" */
  const char *resources;  /* a folder in place of the game's `resources`; NULL: the game's own */
  const char *cache;      /* where the JIT keeps what it has made; "" for nowhere; NULL: as the program does (~/.cache/ppc) */
} ppc_load_options;

/* Loads a game: a compiled one (ends in .so), a source (ends in .game), or the name of one that comes with ppc. Sources are
 * compiled by a plugin, libppc_compiler.so beside this library, which is loaded by the first of them; compiled games need neither
 * it nor LLVM. The game's resources are read and checked. `options` may be NULL.
 * PPC_E_INPUT: no such game, or one with errors: ppc_error() has the diagnostics. PPC_E_SYSTEM: there is no plugin.
 * A .so is code: load only what you would run. */
PPC_API ppc_result ppc_game_load(const char *game, const ppc_load_options *options, ppc_game **out);
PPC_API void ppc_game_free(ppc_game *game);

PPC_API const char *ppc_game_name(const ppc_game *game);
/* The folder that its instances and resources are in. */
PPC_API const char *ppc_game_folder(const ppc_game *game);
/* "so", "jit" or "interp". */
PPC_API const char *ppc_game_engine(const ppc_game *game);
/* All that is said below, and more, as JSON: {name, doc, hash, engine, folder, players: [{name, display, scripted}], moves: [{name,
 * form, grammar, players}], bots: [{name, player, doc}], rules: [{move, kind, text, line}], metrics: [name], experiment, instance,
 * resources: [{name, type, doc}], bounds: {moves, total, rounds}, generates}. Players are named; a game without bounds has none. */
PPC_API ppc_result ppc_game_info(const ppc_game *game, char **json, size_t *size);

/* Players count from 0, in the order of "Player 1", "Player 2", …; 8 at most. A scripted one is voiced by the game and never asked. */
PPC_API uint32_t ppc_game_player_count(const ppc_game *game);
PPC_API const char *ppc_game_player_name(const ppc_game *game, uint32_t player);
PPC_API const char *ppc_game_player_display(const ppc_game *game, uint32_t player);
PPC_API int ppc_game_player_scripted(const ppc_game *game, uint32_t player);
/* By name or display name; -1 if there is none. */
PPC_API int32_t ppc_game_find_player(const ppc_game *game, const char *name);

PPC_API uint32_t ppc_game_move_count(const ppc_game *game);
PPC_API const char *ppc_game_move_name(const ppc_game *game, uint32_t move);
/* The form of a reply, for people. */
PPC_API const char *ppc_game_move_form(const ppc_game *game, uint32_t move);
/* The same as a GBNF grammar, for constrained decoding. */
PPC_API const char *ppc_game_move_grammar(const ppc_game *game, uint32_t move);

/* Bots are a part of the game; each plays one player. */
PPC_API uint32_t ppc_game_bot_count(const ppc_game *game);
PPC_API const char *ppc_game_bot_name(const ppc_game *game, uint32_t bot);
/* The player that it plays; -1 for an index out of range. */
PPC_API int32_t ppc_game_bot_player(const ppc_game *game, uint32_t bot);
/* A player's bot of that name, or its first one when `name` is NULL; -1 if there is none. */
PPC_API int32_t ppc_game_find_bot(const ppc_game *game, uint32_t player, const char *name);

/* ---- instances -------------------------------------------------------------------------------------------------- */

/* The file instances/instances.json (or .yaml, .yml) in the game's folder; one instance of the declared defaults when there is none. */
PPC_API ppc_result ppc_instances_default(const ppc_game *game, ppc_instances **out);
/* An instance file, YAML (.yaml, .yml) or JSON: {experiments: [{name, …, game_instances: [{game_id, …}]}]}, clembench's layout.
 * PPC_E_INPUT: a line for each problem, with its place in the file. */
PPC_API ppc_result ppc_instances_load(const ppc_game *game, const char *path, ppc_instances **out);
/* The same from a JSON text. */
PPC_API ppc_result ppc_instances_parse(const ppc_game *game, const char *json, size_t size, ppc_instances **out);
/* One instance: a JSON object such as {"target_word": "winter"}; `experiment` is an object with the experiment's fields, or NULL. */
PPC_API ppc_result ppc_instances_one(const ppc_game *game, const char *instance, size_t instance_size, const char *experiment,
                                     size_t experiment_size, ppc_instances **out);
/* Fresh ones from the game's `generate` block: `count` in every experiment (-1: as many as the game says); the same seed makes the
 * same ones, and the same as `ppc generate --seed`. */
PPC_API ppc_result ppc_instances_generate(const ppc_game *game, int64_t count, uint64_t seed, ppc_instances **out);
PPC_API void ppc_instances_free(ppc_instances *instances);

/* Instances of all experiments, in the order of the file. */
PPC_API size_t ppc_instances_count(const ppc_instances *instances);
/* The name of its experiment. */
PPC_API const char *ppc_instances_experiment(const ppc_instances *instances, size_t index);
/* Its game_id, as text. */
PPC_API const char *ppc_instances_id(const ppc_instances *instances, size_t index);
/* The first one with that experiment's name and that game_id; NULL stands for any. -1 if there is none. */
PPC_API int64_t ppc_instances_find(const ppc_instances *instances, const char *experiment, const char *id);
/* {"experiment": {name, …}, "instance": {game_id, …}}, as in the file. */
PPC_API ppc_result ppc_instances_json(const ppc_instances *instances, size_t index, char **json, size_t *size);
/* The seed that `ppc play --seed SEED` gives the instance in its repeat-th repeat: with it an episode here is that episode. */
PPC_API uint64_t ppc_instances_seed(const ppc_instances *instances, size_t index, uint64_t seed, uint32_t repeat);

/* ---- episodes --------------------------------------------------------------------------------------------------- */

typedef enum ppc_outcome_code {
  PPC_OUTCOME_RUNNING = 0,
  PPC_OUTCOME_WON = 1,
  PPC_OUTCOME_LOST = 2,
  PPC_OUTCOME_ABORTED = 3
} ppc_outcome_code;

#define PPC_PLAYERS_MAX 8

/* Where an episode stands. */
typedef struct ppc_turn {
  uint32_t done;          /* 0: a player is asked; 1: the episode is over */
  uint32_t player;        /* who is asked; when it is over: who was asked last */
  uint32_t move;          /* for which move */
  uint32_t aside;         /* 1: a side question, which the player's memory should keep neither of nor the answer to */
  uint32_t round;         /* the round that it is in; 0 before the first */
  uint32_t requests;      /* replies asked for so far, this one included */
  uint32_t outcome;       /* ppc_outcome_code */
  int32_t rule;           /* the rule that the last reply given to the episode broke, else -1; see ppc_episode_violation */
  double score;           /* the main score, 0..100; NaN while it runs and when it was aborted */
  double rewards[PPC_PLAYERS_MAX]; /* what the game's `reward` gave each player since the reply before */
  const char *message;    /* what the asked player is told; "" when it is over. Good until the next call that changes the episode */
  size_t message_size;    /* bytes */
} ppc_turn;

typedef struct ppc_episode_options {
  uint32_t size;          /* sizeof(ppc_episode_options) */
  uint32_t record;        /* 1: keep a journal, for ppc_episode_record and writers. It costs more than the step itself */
  uint64_t seed;          /* of all chance; see ppc_instances_seed */
  const int32_t *bots;    /* for each player the bot that plays it, -1 for the caller; NULL: the caller plays all */
  size_t bot_count;       /* entries of `bots`: 0, or the number of players */
} ppc_episode_options;

/* An episode of an instance, played up to its first question. `options` may be NULL: seed 0, no journal, no bots. Players that bots
 * play are never asked: the episode goes on until the caller's next turn. */
PPC_API ppc_result ppc_episode_new(const ppc_instances *instances, size_t index, const ppc_episode_options *options, ppc_episode **out);
PPC_API void ppc_episode_free(ppc_episode *episode);

/* Where it stands. */
PPC_API ppc_result ppc_episode_turn(const ppc_episode *episode, ppc_turn *out);
/* Gives the reply of the player who is asked, and goes on to the next question or the end. `out` may be NULL. A reply that breaks a
 * rule is no error: the game decides what comes of it, and the turn's `rule` says so. PPC_E_USAGE: the episode is over. */
PPC_API ppc_result ppc_episode_step(ppc_episode *episode, const char *reply, size_t size, ppc_turn *out);
/* What a bot would say here; it must play the player who is asked. To let it play: ppc_episode_step with what it said. A bot has its own
 * chance and memory, so it changes the episode: ask it only for what you may use. A fault in it ends the episode (PPC_E_INPUT).
 * The reply is good until the next call that changes the episode. */
PPC_API ppc_result ppc_episode_bot(ppc_episode *episode, uint32_t bot, const char **reply, size_t *size);

typedef struct ppc_violation {
  int32_t rule;           /* the index in ppc_game_info's `rules`; -1: none was broken, and all else is NULL or 0 */
  const char *move;       /* its name */
  const char *kind;       /* "format", "expect" or "forbid" */
  const char *text;       /* the rule as in the source */
  uint32_t line;          /* in the source */
  const char *reason;     /* the game's, or "". Good until the next call that changes the episode */
} ppc_violation;
/* The rule that the last reply given to the episode broke. */
PPC_API ppc_result ppc_episode_violation(const ppc_episode *episode, ppc_violation *out);

/* Ends it as aborted; the reason is the caller's ("the player left"). Nothing happens to one that is over. */
PPC_API ppc_result ppc_episode_abandon(ppc_episode *episode, const char *reason);
/* Why it ended: the game's reason, a fault's or a budget's; "" when there is none. Good until the next call that changes the episode. */
PPC_API const char *ppc_episode_reason(const ppc_episode *episode);

/* The same instance from its beginning; nothing is allocated. The journal begins anew. `out` may be NULL. */
PPC_API ppc_result ppc_episode_restart(ppc_episode *episode, uint64_t seed, ppc_turn *out);
/* A second episode that stands where the first does, its chance and journal included. It takes microseconds or less. */
PPC_API ppc_result ppc_episode_fork(const ppc_episode *episode, ppc_episode **out);
/* All of it but the journal, as bytes that any episode of the same instance and the same compiled game can go on from, also in another
 * process. */
PPC_API ppc_result ppc_episode_snapshot(const ppc_episode *episode, char **bytes, size_t *size);
/* PPC_E_INPUT: no snapshot, a damaged one, or one of another game or instance. Damage is found by a checksum, forgery is not: take
 * snapshots from where you would take code. An episode that keeps a journal cannot be restored (PPC_E_USAGE); fork it instead.
 * `out` may be NULL. */
PPC_API ppc_result ppc_episode_restore(ppc_episode *episode, const char *bytes, size_t size, ppc_turn *out);

/* The scores of an episode that is over (else PPC_E_USAGE): the standard ones of clembench, then the game's metrics. */
PPC_API ppc_result ppc_episode_score_count(ppc_episode *episode, size_t *out);
/* `value` is NaN where there is none, and for a metric that is no number; ppc_episode_scores has those. */
PPC_API ppc_result ppc_episode_score_at(ppc_episode *episode, size_t index, const char **name, double *value);
/* PPC_E_USAGE when no episode score has that name. */
PPC_API ppc_result ppc_episode_score(ppc_episode *episode, const char *name, double *value);
/* As scores.json has them: {"turn scores": {"0": {…}}, "episode scores": {…}}; NaN is written NaN, as Python reads it. */
PPC_API ppc_result ppc_episode_scores(ppc_episode *episode, char **json, size_t *size);

/* ---- records ---------------------------------------------------------------------------------------------------- */

/* Needs ppc_episode_options.record. `part` is "episode" (a line of episodes.jsonl: strict JSON), "interactions", "requests",
 * "scores" (only when it is over), "instance" or "experiment": the files of docs/records.md. Before the end it is the record so far. */
PPC_API ppc_result ppc_episode_record(ppc_episode *episode, const char *part, char **json, size_t *size);
/* What a player has heard and said, as its memory keeps it, for a model that is to reply: [{"role": "user" or "assistant", "content": …}].
 * The message that now waits for its reply is the last, a side question, too; earlier side questions are not there. Needs a journal. */
PPC_API ppc_result ppc_episode_conversation(const ppc_episode *episode, uint32_t player, char **json, size_t *size);
/* Who plays, for records: the name of a model. Bots have theirs; others are "programmatic" unless told. */
PPC_API ppc_result ppc_episode_set_model(ppc_episode *episode, uint32_t player, const char *name);
/* What is known of the last reply given, for records: an object with any of prompt_tokens, reply_tokens, finish ("stop", "length",
 * "refusal", "empty", "invalid"), model, attempts, logprobs ([{token, logprob}]). */
PPC_API ppc_result ppc_episode_annotate(ppc_episode *episode, const char *json, size_t size);

/* A folder for records; it is made when it is not there. Others may have been written there before. */
PPC_API ppc_result ppc_writer_open(const char *folder, ppc_writer **out);
/* Writes an episode that is over: MODELS/GAME/EXPERIMENT/episode_K, and a line of episodes.jsonl. K is the instance's position in its experiment
 * times `repeats`, plus `repeat`, as `ppc play --repeat` has it; play an instance once: 0 of 1. */
PPC_API ppc_result ppc_writer_write(ppc_writer *writer, ppc_episode *episode, uint32_t repeat, uint32_t repeats);
/* Forces the lines to the disk and frees the writer, whatever the result. */
PPC_API ppc_result ppc_writer_close(ppc_writer *writer);

/* ---- many at once ----------------------------------------------------------------------------------------------- */

/* Each does what its namesake does, for `count` episodes on `threads` threads (0: as many as the machine has; 1: the caller's alone; fewer
 * are used where it would not pay). The result of each goes to `results`, which may be NULL, as may `turns`. What is returned is the first
 * that is not PPC_OK, by position; ppc_error() is that one's. The others are done all the same. No episode may be there twice
 * (PPC_E_USAGE; then nothing is done). Which thread plays which episode makes no difference to any of them. */

/* One episode of instance indices[i] with seed seeds[i] (NULL: options->seed for all). After a failure out[i] is NULL. */
PPC_API ppc_result ppc_episodes_new(const ppc_instances *instances, const size_t *indices, const uint64_t *seeds, size_t count,
                                    const ppc_episode_options *options, uint32_t threads, ppc_episode **out, ppc_result *results);
PPC_API ppc_result ppc_episodes_turn(ppc_episode *const *episodes, size_t count, ppc_turn *turns);
/* A NULL reply: the episode is left as it is, and its turn is given; so those that are over may stay in the batch. */
PPC_API ppc_result ppc_episodes_step(ppc_episode *const *episodes, const char *const *replies, const size_t *sizes, size_t count,
                                     uint32_t threads, ppc_turn *turns, ppc_result *results);
PPC_API ppc_result ppc_episodes_restart(ppc_episode *const *episodes, const uint64_t *seeds, size_t count, uint32_t threads,
                                        ppc_turn *turns, ppc_result *results);
/* One episode `count` ways; all or none. */
PPC_API ppc_result ppc_episodes_fork(const ppc_episode *episode, size_t count, ppc_episode **out);
/* All snapshots in one block: that of episode i is offsets[i] … offsets[i + 1]; `offsets` has count + 1 entries. */
PPC_API ppc_result ppc_episodes_snapshot(ppc_episode *const *episodes, size_t count, char **bytes, size_t *offsets);
PPC_API ppc_result ppc_episodes_restore(ppc_episode *const *episodes, const char *bytes, const size_t *offsets, size_t count,
                                        uint32_t threads, ppc_turn *turns, ppc_result *results);
/* One score by name: values[i]; NaN for those that are not over. */
PPC_API ppc_result ppc_episodes_score(ppc_episode *const *episodes, size_t count, const char *name, uint32_t threads, double *values,
                                      ppc_result *results);
PPC_API void ppc_episodes_free(ppc_episode *const *episodes, size_t count);

#ifdef __cplusplus
}
#endif
#endif
