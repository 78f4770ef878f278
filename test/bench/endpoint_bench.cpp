// Requests a second to an endpoint, with 10 to 10,000 episodes in flight, beside a plain curl-multi loop that only sends the same bodies
// over as many connections (the limit). The endpoint is another process on loopback that answers at once, so that what is measured is what
// the client costs. The game is wordle, whose guesser always says the same valid word: six requests an episode, each with the whole
// conversation so far.
//
// Both sides run in turns, each in a process of its own, so that memory is its own, too.
#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <curl/curl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <mutex>

#include "compiler/driver/driver.h"
#include "runtime/engine/instances.h"
#include "runtime/net/server.h"
#include "runtime/players/model.h"
#include "runtime/players/run.h"
#include "test/bench/lines.h"
#include "test/bench/stdlib.h"

using namespace ppc;

namespace {

constexpr const char* kAnswer = R"({"id": "x", "object": "chat.completion", "model": "m", "choices": [{"index": 0, "finish_reason": "stop",)"
                                R"( "message": {"role": "assistant", "content": "explanation: a word with common letters\nguess: crane"}}],)"
                                R"( "usage": {"prompt_tokens": 100, "completion_tokens": 12, "total_tokens": 112}})";

[[noreturn]] void fail(const std::string& what) {
  std::cerr << "endpoint_bench: " << what << "\n";
  std::exit(1);
}

void many_files() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/// Answers until it is killed. Writes its port to `out`.
[[noreturn]] void serve(int out) {
  many_files();
  net::ServerOptions options;
  options.connections = 12'000;
  auto server = net::make_server(options, [](std::shared_ptr<net::Exchange> e) { e->respond({200, kAnswer}); });
  const uint16_t port = server->port();
  if (write(out, &port, sizeof port) != sizeof port) _exit(1);
  for (;;) pause();
}

struct Cost {
  double seconds = 0, processor = 0, memory = 0;  // bytes at the peak, over those before
  double requests = 0;
};

/// Of the whole process.
template <class F>
Cost cost_of(F&& run) {
  auto peak = [] {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
      if (line.rfind("VmHWM:", 0) == 0) return 1024.0 * std::atof(line.c_str() + 6);
    return 0.0;
  };
  auto processor = [] {
    rusage u{};
    getrusage(RUSAGE_SELF, &u);
    return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-6 * static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
  };
  malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak begins again here
  Cost c;
  const double memory = peak(), before = processor();
  c.seconds = bench::seconds([&] { c.requests = run(); });
  c.processor = processor() - before;
  c.memory = peak() - memory;
  return c;
}

/// Runs it in a process of its own.
template <class F>
Cost apart(F&& run) {
  int ends[2];
  if (pipe(ends) != 0) fail("no pipe");
  const pid_t child = fork();
  if (child == 0) {
    many_files();
    const Cost c = run();
    _exit(write(ends[1], &c, sizeof c) == sizeof c ? 0 : 1);
  }
  close(ends[1]);
  Cost c;
  if (read(ends[0], &c, sizeof c) != sizeof c) fail("a side ended early");
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return c;
}

struct Game {
  std::vector<std::shared_ptr<const engine::Setting>> settings;
  Game() {
    Sources sources;
    diag::Emitter emitter(sources);
    driver::LoadOptions options;
    options.engine = "jit";
    options.cache_dir = std::string();
    auto module = driver::load_game(bench::game_file("wordle"), options, emitter);
    if (!module) fail("cannot load wordle");
    const std::string folder = bench::game_folder("wordle");
    const auto resources = engine::load_resources(*module, folder, "", false);
    const auto set = engine::load_instances(*module, folder + "/instances/instances.json");
    for (const auto& e : set.experiments)
      for (const auto& i : e.instances)
        if (settings.size() < 10) settings.push_back(std::make_shared<engine::Setting>(engine::Setting{module, e.segment, i.segment, resources}));
  }
};

/// Our side: `episodes` of them, `in_flight` at a time, each waiting for its own request.
Cost scheduler(const Game& game, const std::string& url, size_t episodes, size_t in_flight, std::vector<std::string>* bodies) {
  return cost_of([&] {
    players::EndpointOptions options;
    options.name = "bench";
    options.base_url = url;
    options.concurrency = static_cast<int>(in_flight);
    std::shared_ptr<net::Transport> transport = net::make_transport();
    struct Keep final : players::Endpoint {  // what is sent
      std::shared_ptr<players::Endpoint> inner;
      std::vector<std::string>* bodies;
      std::mutex mutex;
      void ask(std::string body, std::function<void(players::Answer)> done) override {
        {
          std::lock_guard lock(mutex);
          bodies->push_back(body);
        }
        inner->ask(std::move(body), std::move(done));
      }
      const players::EndpointCounts& counts() const override { return inner->counts(); }
      const players::EndpointOptions& options() const override { return inner->options(); }
    };
    std::shared_ptr<players::Endpoint> endpoint = players::make_endpoint(options, transport), asked = endpoint;
    if (bodies) {
      auto keep = std::make_shared<Keep>();
      keep->inner = endpoint;
      keep->bodies = bodies;
      asked = keep;
    }
    auto model = std::make_shared<players::ModelOptions>();
    model->model = "m";
    players::RunControl control;
    size_t not_aborted = 0;
    auto begin = [&](size_t i) {
      players::Cast cast;
      cast.push_back(players::make_model(asked, model));
      return std::make_unique<players::Sitting>(engine::Episode(game.settings[i % game.settings.size()], i), std::move(cast));
    };
    std::mutex mutex;
    auto over = [&](size_t, players::Sitting& sitting, engine::Worker&) {
      std::lock_guard lock(mutex);
      not_aborted += sitting.episode.state().outcome != PPC_ABORTED;
    };
    const players::RunResult result = players::run_episodes(episodes, {1, in_flight}, control, begin, over);
    if (result.over != episodes || not_aborted != episodes) fail("episodes went wrong: " + result.first_error);
    return static_cast<double>(endpoint->counts().replies.load());
  });
}

/// The limit: the same bodies, nothing else.
Cost plain(const std::string& url, const std::vector<std::string>& bodies, size_t in_flight) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  return cost_of([&] {
    CURLM* multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(in_flight));
    curl_slist* headers = nullptr;
    for (const char* h : {"Content-Type: application/json", "Accept: application/json", "Expect:"}) headers = curl_slist_append(headers, h);
    size_t next = 0, done = 0;
    const std::string target = url + "/chat/completions";
    auto send = [&](CURL* easy) {
      const std::string& body = bodies[next++];
      curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.data());
      curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
      curl_multi_add_handle(multi, easy);
    };
    std::vector<CURL*> all;
    for (size_t i = 0; i < in_flight && next < bodies.size(); ++i) {
      CURL* easy = curl_easy_init();
      curl_easy_setopt(easy, CURLOPT_URL, target.c_str());
      curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
      curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
      curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, +[](char*, size_t, size_t n, void*) { return n; });
      send(easy);
      all.push_back(easy);
    }
    int running = 0, left = 0;
    while (done < bodies.size()) {
      curl_multi_perform(multi, &running);
      bool any = false;
      while (CURLMsg* m = curl_multi_info_read(multi, &left)) {
        if (m->msg != CURLMSG_DONE) continue;
        if (m->data.result != CURLE_OK) fail(std::string("the plain loop: ") + curl_easy_strerror(m->data.result));
        any = true;
        ++done;
        CURL* easy = m->easy_handle;
        curl_multi_remove_handle(multi, easy);
        if (next < bodies.size()) send(easy);
      }
      if (!any) curl_multi_poll(multi, nullptr, 0, 1000, nullptr);
    }
    for (CURL* easy : all) curl_easy_cleanup(easy);
    curl_multi_cleanup(multi);
    curl_slist_free_all(headers);
    return static_cast<double>(done);
  });
}

}  // namespace

int main(int argc, char** argv) {
  (void)argc, (void)argv;
  int port_pipe[2];
  if (pipe(port_pipe) != 0) fail("no pipe");
  const pid_t server = fork();
  if (server == 0) serve(port_pipe[1]);
  uint16_t port = 0;
  if (read(port_pipe[0], &port, sizeof port) != sizeof port) fail("the server did not start");
  const std::string url = "http://127.0.0.1:" + std::to_string(port) + "/v1";
  const Game game;
  for (const auto& [in_flight, episodes, rounds] : {std::tuple<size_t, size_t, int>{10, 2'000, 3}, {100, 2'000, 3}, {1'000, 3'000, 3}, {10'000, 10'000, 1}}) {
    std::vector<std::string> bodies;
    // What is sent, once, with few under way: bodies in some order of play.
    {
      std::vector<std::string> some;
      scheduler(game, url, 100, 10, &some);
      for (size_t i = 0; i < 6 * episodes; ++i) bodies.push_back(some[i % some.size()]);
    }
    std::vector<double> rate, limit, cpu, cpu_limit, memory, memory_limit;
    for (int r = 0; r < rounds; ++r) {
      const Cost theirs = apart([&] { return plain(url, bodies, in_flight); });
      const Cost ours = apart([&] { return scheduler(game, url, episodes, in_flight, nullptr); });
      if (ours.requests != theirs.requests) fail("the sides sent different numbers of requests");
      rate.push_back(ours.requests / ours.seconds), limit.push_back(theirs.requests / theirs.seconds);
      cpu.push_back(1e6 * ours.processor / ours.requests), cpu_limit.push_back(1e6 * theirs.processor / theirs.requests);
      memory.push_back(ours.memory / static_cast<double>(in_flight) / 1024), memory_limit.push_back(theirs.memory / static_cast<double>(in_flight) / 1024);
    }
    const std::string name = "endpoint/" + std::to_string(in_flight) + "-in-flight/";
    bench::line(name + "requests", bench::median(rate), "requests/s", bench::median(limit));
    bench::line(name + "processor", bench::median(cpu), "us/request", bench::median(cpu_limit), bench::Better::Less);
    bench::line(name + "memory", bench::median(memory), "KiB/episode", bench::median(memory_limit), bench::Better::Less);
  }
  kill(server, SIGKILL);
  waitpid(server, nullptr, 0);
}
