/* The contract between generated code (JIT, ahead-of-time, interpreter) and the runtime.
 *
 * Every value is 64 bits:
 *   int    two's complement           float  IEEE double, its bits        bool  0 or 1        enum  ordinal
 *   text   packed reference: segment(3) | known-ASCII(1) | offset(32) | byte length(28), from the top bit down; UTF-8
 *   list, set, map, record, optional: packed reference with length 0; 0 is `none` (offset 0 of a segment is never an object)
 *
 * References are offsets into segments, never pointers, so an episode's state is one relocatable block: snapshot, fork
 * and restore are a memcpy. What a step computes lives in SCRATCH, which is emptied after the step; what outlives the
 * step is copied ("persisted") into STATE. The other segments are immutable and shared between episodes and threads.
 *
 * list:   { u32 length, u32 capacity, i64 items[capacity] }      record, tuple: { i64 fields[n] }     some(x): { i64 x }
 * sets and maps are opaque (insertion-ordered hash tables); use the ppc_rt_set_* and ppc_rt_map_* functions.
 *
 * No C++ in this header: generated code, the C API and Python read the same layout.
 */
#ifndef PPC_ABI_H
#define PPC_ABI_H
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PPC_ABI_VERSION 1u
#define PPC_MAX_PLAYERS 8

enum ppc_segment {
  PPC_STATE = 0,      /* the episode's block: header, slots, heap */
  PPC_SCRATCH = 1,    /* this step's temporaries; a thread has one, it never moves */
  PPC_POOL = 2,       /* the game's constants */
  PPC_INSTANCE = 3,   /* fields of the instance: i64 at 8 + 8 * index, then what they refer to */
  PPC_EXPERIMENT = 4, /* fields of the experiment, same layout */
  PPC_RESOURCE = 5,   /* the game's resources, same layout */
  PPC_REPLY = 6,      /* the reply being read */
  PPC_LIBRARY = 7     /* data of the runtime itself, such as stop words */
};

#define PPC_TEXT(segment, ascii, offset, length) \
  ((int64_t)(((uint64_t)(segment) << 61) | ((uint64_t)((ascii) ? 1 : 0) << 60) | ((uint64_t)(uint32_t)(offset) << 28) | \
             ((uint64_t)(length) & 0xFFFFFFFu)))
#define PPC_REF(segment, offset) PPC_TEXT(segment, 0, offset, 0)
#define PPC_SEGMENT(v) ((unsigned)((uint64_t)(v) >> 61))
#define PPC_ASCII(v) ((unsigned)(((uint64_t)(v) >> 60) & 1u))
#define PPC_OFFSET(v) ((uint32_t)((uint64_t)(v) >> 28))
#define PPC_LENGTH(v) ((uint32_t)((uint64_t)(v) & 0xFFFFFFFu))
#define PPC_MAX_TEXT 0xFFFFFFFu /* bytes */

enum ppc_status { PPC_START = 0, PPC_ASKING = 1, PPC_DONE = 2 };
enum ppc_outcome { PPC_RUNNING = 0, PPC_WON = 1, PPC_LOST = 2, PPC_ABORTED = 3 };

enum ppc_fault {
  PPC_FAULT_NONE = 0,
  PPC_FAULT_STEPS,       /* step budget used up: "aborted: budget (steps)" */
  PPC_FAULT_MEMORY,      /* state, scratch or text too large: "aborted: budget (memory)" */
  PPC_FAULT_INDEX,       /* list or text index out of range */
  PPC_FAULT_KEY,         /* map has no such key */
  PPC_FAULT_OVERFLOW,    /* int arithmetic beyond 64 bits, or a float out of int's range */
  PPC_FAULT_ZERO,        /* int division by zero (a float one gives nan) */
  PPC_FAULT_NONE_VALUE,  /* value of an absent optional */
  PPC_FAULT_EMPTY,       /* pick, min, max, last of an empty collection */
  PPC_FAULT_NUMBER,      /* int("x"): not a number */
  PPC_FAULT_CLAIM        /* a broken `never` claim or an unreachable place */
};

/* Runtime type descriptors, built from the manifest; `a` and `b` index the table. */
enum ppc_kind {
  PPC_K_INT, PPC_K_FLOAT, PPC_K_BOOL, PPC_K_TEXT, PPC_K_LIST, PPC_K_SET, PPC_K_MAP, PPC_K_OPTIONAL, PPC_K_RECORD,
  PPC_K_ENUM, PPC_K_TUPLE, PPC_K_REGEX,
  PPC_K_DOCUMENT /* a value of any shape, as the text that spells it: JSON, or a Python literal when it came as one */
};
typedef struct ppc_type {
  uint32_t kind;         /* ppc_kind */
  uint32_t a, b;         /* list, set, optional: a = element; map: a = key, b = value */
  uint32_t first, count; /* record, tuple: fields are types type_fields[first .. first + count); record, enum: names likewise */
} ppc_type;

enum ppc_event_kind {
  PPC_EV_ROUND,     /* a = round number from 1 */
  PPC_EV_SEND,      /* who = player, a = text: a message from the game master; b = 1: an aside */
  PPC_EV_GET,       /* who = player, a = text: the reply as it came, b = move index */
  PPC_EV_SAY,       /* who = player, a = text: the game speaks for a scripted player, or answers for one of the others */
  PPC_EV_NOTE,      /* a = key text, b = text; who = 1: the text is a JSON document */
  PPC_EV_VIOLATION, /* who = player, a = rule index (manifest.rules), b = reason text or 0 */
  PPC_EV_ACCEPT,    /* who = player, a = move index, b = what the move gives (a list of [name, text] pairs flattened: list of text) */
  PPC_EV_REWARD,    /* who = player, a = float bits */
  PPC_EV_OUTCOME    /* a = ppc_outcome, b = reason text or 0 */
};
typedef struct ppc_event {
  uint32_t kind, who;
  uint32_t loc; /* line << 12 | column, of the statement */
  uint32_t round;
  int64_t a, b;
} ppc_event;

/* The head of an episode's block. Everything an episode is, is in here and behind it. */
typedef struct ppc_state {
  uint32_t magic; /* 'PPC1' little-endian */
  uint32_t abi;
  uint32_t top;  /* bytes in use, header included: a snapshot is the first `top` bytes */
  uint32_t slot_count;
  uint64_t module_hash;
  uint64_t seed;
  uint32_t pc;     /* where play resumes; 0 = the beginning */
  uint32_t status; /* ppc_status */
  uint32_t outcome, round;
  uint32_t requests, parsed, violated; /* replies asked for; read and not aborting; aborting */
  uint32_t ask_player, ask_move, fault, fault_loc;
  uint32_t ask_aside; /* 1: a side question, which the player's memory does not keep */
  double score; /* 0..100; nan when aborted */
  int64_t reason; /* text */
  int64_t steps; /* fuel used so far */
  uint32_t draws[PPC_MAX_PLAYERS + 1]; /* random numbers drawn: play, then each player's bot */
  uint32_t kept; /* bytes that were in use after the block was last compacted */
  int64_t slots[]; /* [0, P): pending message a player; [P, 2P): pending brief; then the game's own slots */
} ppc_state;
#define PPC_STATE_MAGIC 0x31435050u
#define PPC_SLOT_OFFSET(i) ((uint32_t)(offsetof(ppc_state, slots) + 8u * (uint32_t)(i)))

typedef struct ppc_ctx ppc_ctx;
struct ppc_ctx {
  uint8_t* seg[8]; /* base of each segment; seg[PPC_STATE] may move when the state grows */
  int64_t fuel;    /* steps left; checked at loop back edges and charged by runtime functions for the work they do */
  uint32_t loc;    /* the statement being executed, line << 12 | column (both saturating) */
  uint32_t scratch_top, scratch_cap;
  uint32_t state_cap;    /* bytes allocated behind seg[PPC_STATE] */
  uint32_t state_limit;  /* the memory budget of an episode's state */
  uint32_t want_events;  /* 0: only VIOLATION and REWARD are collected; whoever trains wants them at each step */
  uint32_t stream;       /* whose random stream: 0 play, 1 + player for a bot */
  int64_t reply;         /* text in PPC_REPLY: the reply, always valid UTF-8 */
  uint32_t reply_valid;  /* 0: the reply was not valid UTF-8; every format fails */
  uint32_t reply_player;
  int64_t message;       /* text: what ppc_rt_ask composed for the asked player */
  uint32_t captures[2 * 32]; /* begin, end (byte offsets into the matched text) of each capture of the last match */
  ppc_event* events;
  uint32_t event_count, event_cap;
  const ppc_type* types;
  const uint32_t* type_fields;
  uint32_t player_count;
  uint32_t fault;        /* set before the jump */
  jmp_buf* on_fault;
  /* Chance from a script: returns 0..n-1, or -1 when the script has run out. Null: the episode's own generator. */
  int64_t (*draw)(void* host, uint32_t stream, int64_t n);
  uint8_t* (*grow_state)(void* host, ppc_ctx*, uint32_t need); /* gives at least `need` bytes at seg[PPC_STATE], or null */
  void* host;
  /* What a `generate` entry makes; null: thrown away. The value is good only during the call. */
  void (*gen)(void* host, uint32_t kind /* ppc_gen_kind */, uint32_t index, int64_t value);
  const char* const* type_names; /* beside type_fields: names of fields, spellings of an enum's values; null: not known */
};
enum ppc_gen_kind {
  PPC_GEN_EXPERIMENT,       /* value = name: what follows belongs to it */
  PPC_GEN_INSTANCE,         /* begins an instance */
  PPC_GEN_EXPERIMENT_FIELD, /* index = field, value of the field's type */
  PPC_GEN_INSTANCE_FIELD
};

/* An entry point: step, bot, metric, key, generator. Arguments as the manifest says. */
typedef int64_t (*ppc_entry)(ppc_ctx*, const int64_t* args);

/* What a compiled game exports under the name `ppc_module`. */
typedef struct ppc_module {
  uint32_t abi_version;
  uint32_t entry_count;
  const char* manifest; /* JSON, see runtime/engine/manifest.h */
  uint64_t manifest_size;
  const uint8_t* pool;
  uint64_t pool_size;
  const ppc_entry* entries;
} ppc_module;

/* Ends the step: never returns. */
#ifdef __cplusplus
[[noreturn]]
#else
_Noreturn
#endif
void ppc_rt_fault(ppc_ctx*, uint32_t fault);

/* The functions of builtins.def. All take and return 64-bit values. */
#define PPC_A0
#define PPC_A1 , int64_t
#define PPC_A2 , int64_t, int64_t
#define PPC_A3 , int64_t, int64_t, int64_t
#define PPC_A4 , int64_t, int64_t, int64_t, int64_t
#define PPC_RT(id, symbol, argc, flags) int64_t symbol(ppc_ctx* PPC_A##argc);
#include "runtime/abi/builtins.def"
#undef PPC_RT
/* Concatenates `n` texts. */
int64_t ppc_rt_concat(ppc_ctx*, const int64_t* texts, int64_t n);

#ifdef __cplusplus
}
#endif
#endif
