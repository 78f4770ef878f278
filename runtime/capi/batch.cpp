// Many episodes in one call.
#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>
#include <thread>

#include "runtime/capi/handles.h"

namespace ppc::capi {
namespace {

// Episodes that a thread takes at a time: a step is a microsecond, a thread costs twenty.
constexpr size_t kChunk = 32;

/// Calls body(i) for 0..count-1, each guarded. Gives the first failure by position, with its message.
template <class F>
ppc_result each(size_t count, uint32_t threads, ppc_result* results, F&& body) {
  std::atomic<size_t> next{0};
  std::mutex mutex;
  size_t first = SIZE_MAX;
  ppc_result code = PPC_OK;
  std::string message;
  auto work = [&]() noexcept {
    while (true) {
      const size_t from = next.fetch_add(kChunk, std::memory_order_relaxed);
      if (from >= count) return;
      for (size_t i = from; i < std::min(count, from + kChunk); ++i) {
        const ppc_result r = guarded([&] { body(i); });
        if (results) results[i] = r;
        if (r == PPC_OK) continue;
        std::lock_guard lock(mutex);
        if (i > first) continue;
        first = i;
        code = r;
        try {
          message = ppc_error();
        } catch (...) {
          message.clear();
        }
      }
    }
  };
  if (threads == 0) threads = std::max(1u, std::thread::hardware_concurrency());
  const size_t useful = std::min<size_t>({threads, (count + kChunk - 1) / kChunk, 1024});
  std::vector<std::thread> pool;
  try {
    for (size_t t = 1; t < useful; ++t) pool.emplace_back(work);
  } catch (...) {
    // The system has no more threads: those that there are do it.
  }
  work();
  for (std::thread& t : pool) t.join();
  return code == PPC_OK ? code : failed(code, message.c_str());
}

/// All of them in use. Throws, and uses none, when one is not there, is in use, or is there twice.
std::vector<Use> use_all(ppc_episode* const* episodes, size_t count) {
  if (!episodes && count > 0) throw UsageError("NULL where a list of episodes is expected");
  std::vector<Use> used;
  used.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    try {
      used.emplace_back(episode_of(const_cast<const ppc_episode*>(episodes[i])));
    } catch (const UsageError& e) {
      throw UsageError("episode " + std::to_string(i) + ": " + e.what());
    }
  }
  return used;
}

template <class F>
ppc_result all_of(ppc_episode* const* episodes, size_t count, uint32_t threads, ppc_result* results, F&& body) {
  ppc_result code = PPC_OK;
  const ppc_result before = guarded([&] {
    const std::vector<Use> used = use_all(episodes, count);
    code = each(count, threads, results, body);
  });
  return before == PPC_OK ? code : before;
}

void some(const void* list, size_t count, const char* what) {
  if (!list && count > 0) throw UsageError(std::string("NULL where a list of ") + what + " is expected");
}

}  // namespace
}  // namespace ppc::capi

using namespace ppc;
using namespace ppc::capi;

extern "C" {

ppc_result ppc_episodes_new(const ppc_instances* instances, const size_t* indices, const uint64_t* seeds, size_t count,
                            const ppc_episode_options* options, uint32_t threads, ppc_episode** out, ppc_result* results) {
  ppc_result code = PPC_OK;
  const ppc_result before = guarded([&] {
    const Instances& all = instances_of(instances);
    check_options(options);
    some(indices, count, "instances");
    some(out, count, "results");
    const Seats seats = seats_of(*all.game, options);
    std::fill(out, out + count, nullptr);
    code = each(count, threads, results, [&](size_t i) {
      out[i] = begin(instances->it, indices[i], seeds ? seeds[i] : options ? options->seed : 0, seats, options && options->record).release();
    });
  });
  return before == PPC_OK ? code : before;
}

ppc_result ppc_episodes_turn(ppc_episode* const* episodes, size_t count, ppc_turn* turns) {
  return guarded([&] {
    const std::vector<Use> used = use_all(episodes, count);
    some(turns, count, "turns");
    for (size_t i = 0; i < count; ++i) turn_of(*episodes[i], &turns[i]);
  });
}

ppc_result ppc_episodes_step(ppc_episode* const* episodes, const char* const* replies, const size_t* sizes, size_t count, uint32_t threads,
                             ppc_turn* turns, ppc_result* results) {
  const ppc_result before = guarded([&] {
    some(replies, count, "replies");
    some(sizes, count, "sizes");
  });
  if (before != PPC_OK) return before;
  return all_of(episodes, count, threads, results, [&](size_t i) {
    struct Told {  // also when the step was not possible
      const ppc_episode& e;
      ppc_turn* turn;
      ~Told() { turn_of(e, turn); }
    } told{*episodes[i], turns ? &turns[i] : nullptr};
    if (replies[i]) step(*episodes[i], {replies[i], sizes[i]});
  });
}

ppc_result ppc_episodes_restart(ppc_episode* const* episodes, const uint64_t* seeds, size_t count, uint32_t threads, ppc_turn* turns,
                                ppc_result* results) {
  const ppc_result before = guarded([&] { some(seeds, count, "seeds"); });
  if (before != PPC_OK) return before;
  return all_of(episodes, count, threads, results, [&](size_t i) {
    restart(*episodes[i], seeds[i]);
    turn_of(*episodes[i], turns ? &turns[i] : nullptr);
  });
}

ppc_result ppc_episodes_fork(const ppc_episode* episode, size_t count, ppc_episode** out) {
  return guarded([&] {
    const Use use(episode_of(episode));
    some(out, count, "results");
    std::vector<std::unique_ptr<ppc_episode>> made(count);
    for (auto& one : made) one = std::make_unique<ppc_episode>(*episode);
    for (size_t i = 0; i < count; ++i) out[i] = made[i].release();
  });
}

ppc_result ppc_episodes_snapshot(ppc_episode* const* episodes, size_t count, char** bytes, size_t* offsets) {
  return guarded([&] {
    const std::vector<Use> used = use_all(episodes, count);
    wanted(offsets);
    wanted(bytes);
    std::string all;
    offsets[0] = 0;
    for (size_t i = 0; i < count; ++i) {
      snapshot(*episodes[i], all);
      offsets[i + 1] = all.size();
    }
    *bytes = give(all);
  });
}

ppc_result ppc_episodes_restore(ppc_episode* const* episodes, const char* bytes, const size_t* offsets, size_t count, uint32_t threads,
                                ppc_turn* turns, ppc_result* results) {
  const ppc_result before = guarded([&] {
    some(bytes, count, "snapshots");
    wanted(offsets);
    for (size_t i = 0; i < count; ++i)
      if (offsets[i] > offsets[i + 1]) throw UsageError("offsets go back at " + std::to_string(i));
  });
  if (before != PPC_OK) return before;
  return all_of(episodes, count, threads, results, [&](size_t i) {
    restore(*episodes[i], {bytes + offsets[i], offsets[i + 1] - offsets[i]});
    turn_of(*episodes[i], turns ? &turns[i] : nullptr);
  });
}

ppc_result ppc_episodes_score(ppc_episode* const* episodes, size_t count, const char* name, uint32_t threads, double* values, ppc_result* results) {
  const ppc_result before = guarded([&] {
    if (!name) throw UsageError("NULL where the name of a score is expected");
    some(values, count, "values");
  });
  if (before != PPC_OK) return before;
  return all_of(episodes, count, threads, results, [&](size_t i) {
    values[i] = std::numeric_limits<double>::quiet_NaN();
    if (episodes[i]->episode.status() != engine::Status::Done) return;
    values[i] = scores_of(*episodes[i]).get(name);
  });
}

void ppc_episodes_free(ppc_episode* const* episodes, size_t count) {
  for (size_t i = 0; episodes && i < count; ++i) ppc_episode_free(episodes[i]);
}

}  // extern "C"
