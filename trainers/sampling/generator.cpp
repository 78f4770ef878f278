#include "trainers/sampling/generator.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <list>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <unordered_map>
#include <utility>

namespace ppc::sampling {

using nn::SequenceId;

namespace {
constexpr SequenceId kNone = -1;

/// A line's part that the generator's thread keeps, also when nobody holds the line any more: others may begin in the same way.
struct Kept {
  std::vector<TokenId> ids;        // all of them; the first `computed` lie in the sequence
  SequenceId sequence = kNone;
  int64_t computed = 0;
  std::vector<uint64_t> pages;     // of each full page computed: a hash of everything up to its end
  uint64_t used = 0;               // when, in steps
  bool running = false;
  bool lost = false;               // its sequence was taken back: what is computed now was computed before
  std::atomic<bool> held{true};    // somebody has the line
  std::shared_ptr<Kept> from;      // of a fork, until it is first computed
};

int64_t common(const std::vector<TokenId>& a, const std::vector<TokenId>& b, int64_t limit) {
  limit = std::min({limit, static_cast<int64_t>(a.size()), static_cast<int64_t>(b.size())});
  return std::mismatch(a.begin(), a.begin() + limit, b.begin()).first - a.begin();
}

uint64_t mixed(uint64_t h, TokenId id) {
  h = (h ^ static_cast<uint32_t>(id)) * 0x9E3779B97F4A7C15u;
  return h ^ (h >> 29);
}
}  // namespace

struct Line {
  std::shared_ptr<Kept> kept = std::make_shared<Kept>();
  std::vector<TokenId> appended;  // not yet the generator's: its thread may look at `kept->ids` for another's sake
  ~Line() { kept->held = false; }
};

namespace {
struct Task {
  std::shared_ptr<Line> line;
  std::shared_ptr<Job> job;
  std::vector<TokenId> fed;
  int64_t prompt = 0;    // ids before the reply
  int64_t cached = -1;   // of them, not computed for this reply; -1: not begun
  int64_t sampled = 0;
  Kept& kept() const { return *line->kept; }
  int64_t todo() const { return static_cast<int64_t>(kept().ids.size()) - kept().computed; }
};

/// A row of logits that a token is wanted from.
struct Row {
  Task* task = nullptr;
  int64_t left = 0;  // tokens that may come behind it
  std::span<const uint64_t> allowed = {};
  Choice choice = {};
  std::optional<std::string> error = {};
};
constexpr int64_t kShared = 8192;  // from so many logits on several threads choose: fewer take less time than waking them
}  // namespace

struct Generator::State {
  std::unique_ptr<nn::Network> network;
  Options options;
  mutable std::mutex mutex;
  std::condition_variable wake;
  std::deque<Task> incoming;                  // guarded by mutex, with stopped and statistics
  bool stopped = false, ending = false;
  struct Reload { const nn::WeightSource& source; std::exception_ptr error = {}; bool done = false; };
  Reload* reload = nullptr;                   // somebody waits for it
  std::condition_variable reloaded;
  local::Statistics statistics;

  // The thread's own.
  std::list<Task> waiting, running;
  std::list<std::shared_ptr<Kept>> kept;      // all with a sequence
  std::unordered_multimap<uint64_t, Kept*> begins;
  uint64_t step = 0;
  std::vector<Sampler> samplers;              // one for each of the network's threads, as rows
  std::vector<std::vector<float>> rows;
  std::thread thread;
};

Generator::Generator(std::unique_ptr<nn::Network> network, Options options) : state_(std::make_shared<State>()) {
  state_->network = std::move(network);
  state_->samplers.resize(static_cast<size_t>(state_->network->threads()));
  state_->rows.resize(state_->samplers.size());
  state_->options = options;
  state_->thread = std::thread([state = state_] { run(*state); });
}

Generator::~Generator() {
  stop();
  {
    std::lock_guard lock(state_->mutex);
    state_->ending = true;
  }
  state_->wake.notify_all();
  // What a job held may have been the last to hold this.
  if (state_->thread.get_id() == std::this_thread::get_id()) state_->thread.detach();
  else state_->thread.join();
}

const nn::Network& Generator::network() const { return *state_->network; }

std::shared_ptr<Line> Generator::open() { return std::make_shared<Line>(); }

std::shared_ptr<Line> Generator::fork(const std::shared_ptr<Line>& line) {
  auto out = std::make_shared<Line>();
  out->kept->ids = line->kept->ids;
  out->appended = line->appended;
  // A fork of a fork that was never used begins where that one does.
  out->kept->from = line->kept->from ? line->kept->from : line->kept;
  return out;
}

void Generator::append(Line& line, std::span<const TokenId> ids) { line.appended.insert(line.appended.end(), ids.begin(), ids.end()); }

void Generator::submit(std::shared_ptr<Line> line, std::vector<TokenId> prompt, std::shared_ptr<Job> job) {
  append(*line, prompt);
  Task task{.line = line, .job = std::move(job), .fed = std::exchange(line->appended, {})};
  task.prompt = static_cast<int64_t>(task.kept().ids.size() + task.fed.size());
  const int64_t context = network().config().max_position_embeddings;
  Job::End end{.prompt_tokens = task.prompt, .failed = true};
  if (task.prompt == 0) {
    end.failure.error = "there is nothing to be continued: the prompt is empty";
    return task.job->over(end);
  }
  if (task.prompt >= context) {
    end.failure.error = "the conversation has " + std::to_string(task.prompt) + " tokens, and the model takes " + std::to_string(context) + " with its reply";
    return task.job->over(end);
  }
  {
    std::lock_guard lock(state_->mutex);
    if (!state_->stopped) {
      state_->incoming.push_back(std::move(task));
      state_->wake.notify_one();
      return;
    }
  }
  end.failure = {.stopped = true, .error = "stopped"};
  task.job->over(end);
}

void Generator::reload(const nn::WeightSource& source) {
  State::Reload order{source};
  std::unique_lock lock(state_->mutex);
  state_->reloaded.wait(lock, [&] { return !state_->reload; });
  if (state_->stopped) throw std::invalid_argument("other weights: the model was stopped");
  state_->reload = &order;
  state_->wake.notify_one();
  state_->reloaded.wait(lock, [&] { return order.done; });
  if (order.error) std::rethrow_exception(order.error);
}

void Generator::stop() {
  std::lock_guard lock(state_->mutex);
  state_->stopped = true;
  state_->wake.notify_all();
}

local::Statistics Generator::statistics() const {
  std::lock_guard lock(state_->mutex);
  return state_->statistics;
}

void Generator::run(State& s) {
  nn::Network& net = *s.network;
  const int64_t page = net.page_size(), context = net.config().max_position_embeddings;

  auto unindex = [&](const Kept& k, uint64_t h) {
    for (auto [at, last] = s.begins.equal_range(h); at != last; ++at)
      if (at->second == &k) {
        s.begins.erase(at);
        return;
      }
  };
  auto forget = [&](Kept& k) {  // its sequence; the ids stay
    for (const uint64_t h : k.pages) unindex(k, h);
    k.pages.clear();
    net.release(k.sequence);
    k.sequence = kNone;
    k.computed = 0;
    k.lost = true;
    s.kept.remove_if([&](const std::shared_ptr<Kept>& p) { return p.get() == &k; });
  };
  std::vector<std::pair<std::shared_ptr<Job>, Job::End>> over;  // told at the end of a step
  auto end = [&](Task& t, Job::End e) {
    t.kept().running = false;
    e.prompt_tokens = t.prompt;
    e.cached_tokens = std::max<int64_t>(t.cached, 0);
    over.emplace_back(std::move(t.job), std::move(e));
  };
  auto fail = [&](Task& t, local::Failure f) { end(t, {.failure = std::move(f), .failed = true}); };
  auto tell = [&] {
    for (auto& [job, e] : over) job->over(e);
    over.clear();
  };
  // Those that nobody holds go first, then those that have not been used for the longest time.
  auto evict = [&] {
    Kept* best = nullptr;
    for (const auto& k : s.kept) {
      if (k->running) continue;
      if (!best || k->held < best->held || (k->held == best->held && k->used < best->used)) best = k.get();
    }
    if (best) forget(*best);
    return best != nullptr;
  };
  auto index = [&](Kept& k) {
    while (static_cast<int64_t>(k.pages.size() + 1) * page <= k.computed) {
      const size_t n = k.pages.size();
      uint64_t h = n ? k.pages.back() : 0x51ED270B;
      for (size_t i = n * static_cast<size_t>(page); i < (n + 1) * static_cast<size_t>(page); ++i) h = mixed(h, k.ids[i]);
      k.pages.push_back(h);
      s.begins.emplace(h, &k);
    }
  };
  // Gives a task its sequence; false: it is to wait, as another computes its beginning just now.
  auto begin = [&](Task& t) {
    Kept& k = t.kept();
    const int64_t wanted = static_cast<int64_t>(k.ids.size()) - 1;  // the last one has to be computed in any case
    if (k.sequence == kNone) {
      Kept* best = nullptr;
      int64_t length = 0;
      auto consider = [&](Kept& other) {
        if (&other == &k || other.sequence == kNone) return;
        const int64_t n = common(k.ids, other.ids, std::min(wanted, other.computed));
        if (n > length) best = &other, length = n;
      };
      if (k.from) consider(*k.from);
      uint64_t h = 0x51ED270B;
      Kept* found = nullptr;
      for (int64_t i = 0; (i + 1) * page <= wanted; ++i) {
        for (int64_t j = i * page; j < (i + 1) * page; ++j) h = mixed(h, k.ids[static_cast<size_t>(j)]);
        const auto at = s.begins.find(h);
        if (at == s.begins.end()) break;
        found = at->second;
      }
      if (found) consider(*found);
      for (const Task& other : s.running) {
        if (other.todo() <= 1) continue;
        const int64_t n = common(k.ids, other.kept().ids, wanted);
        if (n >= length + page && n > other.kept().computed) return false;
        consider(other.kept());
      }
      // One that would take the room of those that run waits until there is some. Its beginning is shared, whatever is let go of.
      const SequenceId sequence = best ? net.fork(best->sequence, length) : net.create();
      while (!s.running.empty() && net.pages_needed(sequence, wanted + 1 - length) > net.free_pages())
        if (!evict()) {
          net.release(sequence);
          return false;
        }
      k.sequence = sequence;
      k.computed = length;
      k.from.reset();
      s.kept.push_back(t.line->kept);
      index(k);
    } else if (k.computed > wanted) {  // asked again at the same place
      net.truncate(k.sequence, wanted);
      k.computed = wanted;
      for (; static_cast<int64_t>(k.pages.size()) * page > wanted; k.pages.pop_back()) unindex(k, k.pages.back());
    }
    if (t.cached < 0) t.cached = std::min(k.computed, t.prompt);
    k.running = true;
    return true;
  };

  std::vector<nn::Network::Item> items;
  std::vector<Task*> owners;
  std::vector<Row> rows;
  for (;;) {
    {
      std::unique_lock lock(s.mutex);
      s.wake.wait(lock, [&] { return !s.incoming.empty() || !s.waiting.empty() || !s.running.empty() || s.reload || s.stopped; });
      if (s.reload) {
        try {
          if (!s.incoming.empty() || !s.waiting.empty() || !s.running.empty()) throw std::invalid_argument("other weights: replies are being made");
          while (!s.kept.empty()) forget(*s.kept.front());
          net.load(s.reload->source);
        } catch (...) {
          s.reload->error = std::current_exception();
        }
        std::exchange(s.reload, nullptr)->done = true;
        s.reloaded.notify_all();
        continue;
      }
      for (Task& t : s.incoming) {
        std::vector<TokenId>& ids = t.kept().ids;
        ids.insert(ids.end(), t.fed.begin(), t.fed.end());
        s.waiting.push_back(std::move(t));
      }
      s.incoming.clear();
      if (s.stopped) {
        const bool ending = s.ending;
        if (s.waiting.empty() && s.running.empty()) {
          if (ending) break;
          s.wake.wait(lock, [&] { return s.ending || !s.incoming.empty(); });
          continue;
        }
        lock.unlock();
        s.waiting.splice(s.waiting.end(), s.running);
        for (Task& t : s.waiting) fail(t, {.stopped = true, .error = "stopped"});
        s.waiting.clear();
        tell();
        continue;
      }
    }
    ++s.step;
    const auto started = std::chrono::steady_clock::now();
    local::Statistics now;

    // Who has come is let in in its order, but nobody waits for one that waits for another's beginning.
    int64_t looked = 0;
    for (auto it = s.waiting.begin(); it != s.waiting.end() && static_cast<int64_t>(s.running.size()) < s.options.batch && looked < 4 * s.options.batch; ++looked) {
      if (begin(*it)) {
        s.running.splice(s.running.end(), s.waiting, it++);
      } else {
        ++it;
      }
    }

    // What is computed in this step: a token for each that is being continued, and pieces of prompts, oldest first.
    for (;;) {
      items.clear();
      owners.clear();
      int64_t needed = 0, room = s.options.chunk;
      for (Task& t : s.running) {
        Kept& k = t.kept();
        const int64_t todo = t.todo(), n = todo == 1 ? 1 : std::min(todo, room);
        if (n <= 0) continue;
        if (todo > 1) room -= n;
        items.push_back({k.sequence, std::span(k.ids).subspan(static_cast<size_t>(k.computed), static_cast<size_t>(n)), n == todo ? nn::Want::Last : nn::Want::None});
        owners.push_back(&t);
        needed += net.pages_needed(k.sequence, n);
      }
      bool fits = needed <= net.free_pages();
      while (!fits && evict()) fits = needed <= net.free_pages();
      if (fits) break;
      // The one that came last steps back; alone, it cannot be computed at all.
      Task& last = s.running.back();
      if (s.running.size() == 1) {
        const std::string tokens = std::to_string(last.kept().ids.size());
        forget(last.kept());
        fail(last, {.error = "the conversation has " + tokens + " tokens, and the cache holds " + std::to_string(net.pages() * page)});
        s.running.pop_back();
        tell();
        break;
      }
      forget(last.kept());
      last.kept().running = false;
      s.waiting.splice(s.waiting.begin(), s.running, std::prev(s.running.end()));
    }
    if (s.running.empty()) continue;

    nn::Network::Logits logits;
    try {
      logits = net.forward(items);
    } catch (const std::exception& e) {
      for (Task& t : s.running) {
        forget(t.kept());
        fail(t, {.model = true, .error = e.what()});
      }
      s.running.clear();
      tell();
      continue;
    }
    ++now.steps;
    for (size_t i = 0; i < items.size(); ++i) {
      Kept& k = owners[i]->kept();
      const auto n = static_cast<int64_t>(items[i].tokens.size());
      const int64_t replied = std::max<int64_t>(0, k.computed + n - std::max(k.computed, owners[i]->prompt));
      if (k.lost) now.recomputed_tokens += n;
      else if (replied < n) now.prompt_tokens += n - replied;
      k.computed += n;
      k.used = s.step;
      index(k);
    }
    // What is asked of jobs, and told to them, comes in the order of the items on this thread; rows are chosen from on all.
    rows.clear();
    for (size_t i = 0; i < items.size(); ++i) {
      if (items[i].want == nn::Want::None) continue;
      Task& t = *owners[i];
      t.kept().lost = false;
      Row& row = rows.emplace_back();
      row.task = &t;
      row.left = std::min(t.job->sampling().max_tokens - t.sampled, context - static_cast<int64_t>(t.kept().ids.size())) - 1;
      try {
        row.allowed = t.job->allowed(row.left);
      } catch (const std::exception& e) {
        row.error = e.what();
      }
    }
    auto choose = [&](int64_t i, int thread) {
      Row& row = rows[static_cast<size_t>(i)];
      if (row.error) return;
      const float* data = logits.data + i * logits.columns;
      std::vector<float>& copy = s.rows[static_cast<size_t>(thread)];
      try {
        copy.assign(data, data + logits.columns);
        const local::Sampling& sampling = row.task->job->sampling();
        row.choice = s.samplers[static_cast<size_t>(thread)].choose(copy, sampling, row.task->kept().ids, row.allowed, uniform(sampling.seed, static_cast<uint64_t>(row.task->sampled)));
      } catch (const std::exception& e) {
        row.error = e.what();
      }
    };
    if (static_cast<int64_t>(rows.size()) * logits.columns >= kShared) {
      net.share(static_cast<int64_t>(rows.size()), choose);
    } else {
      for (size_t i = 0; i < rows.size(); ++i) choose(static_cast<int64_t>(i), 0);
    }
    for (Row& row : rows) {
      Task& t = *row.task;
      const int64_t left = row.left;
      bool more = true;
      try {
        if (row.error) throw std::runtime_error(*row.error);
        t.kept().ids.push_back(row.choice.id);
        ++t.sampled;
        ++now.reply_tokens;
        more = t.job->chosen(row.choice);
      } catch (const std::exception& e) {
        fail(t, {.error = e.what()});
        continue;
      }
      if (more && left > 0) continue;
      now.cached_tokens += t.cached;
      end(t, {.full = more});
    }
    s.running.remove_if([](const Task& t) { return !t.job; });
    now.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    {
      std::lock_guard lock(s.mutex);
      s.statistics.prompt_tokens += now.prompt_tokens;
      s.statistics.cached_tokens += now.cached_tokens;
      s.statistics.recomputed_tokens += now.recomputed_tokens;
      s.statistics.reply_tokens += now.reply_tokens;
      s.statistics.steps += now.steps;
      s.statistics.seconds += now.seconds;
    }
    tell();
  }
  while (!s.kept.empty()) forget(*s.kept.front());
}

}  // namespace ppc::sampling
