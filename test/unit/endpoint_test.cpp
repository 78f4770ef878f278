#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <deque>
#include <fstream>
#include <future>
#include <thread>

#include "runtime/players/model.h"
#include "runtime/players/reply_log.h"
#include "runtime/players/run.h"
#include "test/unit/test_game.h"

using namespace ppc::engine;
using namespace ppc::players;
namespace net = ppc::net;

using test::error_of;

namespace {

net::HttpResponse response(int status, std::string body, std::string retry_after = "") {
  net::HttpResponse r;
  r.status = status;
  r.body = std::move(body);
  r.retry_after = std::move(retry_after);
  return r;
}
net::HttpResponse failure(net::Failure f) {
  net::HttpResponse r;
  r.failure = f;
  r.error = "it failed";
  return r;
}
std::string said(const std::string& text, const std::string& more = "") {
  return R"({"model": "m-1", "choices": [{"message": {"role": "assistant", "content": )" + to_text(Json(text)) +
         R"(}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 7, "completion_tokens": 2})" + more + "}";
}

/// Runs on the caller's thread, with a clock that only `run` moves.
class FakeTransport final : public net::Transport {
 public:
  void send(net::HttpRequest r, std::function<void(net::HttpResponse)> done) override {
    requests.push_back(r);
    times.push_back(now);
    most = std::max(most, ++under_way);
    if (stopped_) return finish(std::move(done), failure(net::Failure::Stopped));
    net::HttpResponse answer = answers.empty() ? response(200, said("hi")) : answers.front();
    if (!answers.empty()) answers.pop_front();
    later(1, [this, done = std::move(done), answer = std::move(answer)]() mutable { finish(std::move(done), std::move(answer)); });
  }
  void later(double seconds, std::function<void()> task) override { tasks.emplace(now + (stopped_ ? 0 : seconds), std::move(task)); }
  void stop() override { stopped_ = true; }
  bool stopped() const override { return stopped_; }
  void run() {
    while (!tasks.empty()) {
      auto first = tasks.begin();
      now = std::max(now, first->first);
      auto task = std::move(first->second);
      tasks.erase(first);
      task();
    }
  }
  std::vector<net::HttpRequest> requests;
  std::vector<double> times;
  std::deque<net::HttpResponse> answers;
  std::multimap<double, std::function<void()>> tasks;
  double now = 0;
  int under_way = 0, most = 0;

 private:
  void finish(std::function<void(net::HttpResponse)> done, net::HttpResponse r) {
    --under_way;
    done(std::move(r));
  }
  bool stopped_ = false;
};

struct Asking {
  explicit Asking(EndpointOptions o = {}) {
    o.name = "here";
    if (o.base_url.empty()) o.base_url = "http://x/v1/";
    transport = std::make_shared<FakeTransport>();
    endpoint = make_endpoint(o, transport);
  }
  void ask(std::string body = "{}") {
    endpoint->ask(std::move(body), [this](Answer a) { answers.push_back(std::move(a)); });
  }
  const Unanswered& none(size_t i = 0) { return std::get<Unanswered>(answers.at(i)); }
  std::shared_ptr<FakeTransport> transport;
  std::shared_ptr<Endpoint> endpoint;
  std::vector<Answer> answers;
};

}  // namespace

TEST(Transport, MayBeLetGoOfByWhatItCallsBack) {
  for (int i = 0; i < 50; ++i) {
    auto transport = net::make_transport();
    std::promise<void> called;
    transport->later(0, [transport, &called]() mutable {
      while (transport.use_count() > 1) std::this_thread::yield();
      called.set_value();  // what goes now with this task is the last
    });
    transport.reset();
    called.get_future().wait();
  }
}

TEST(Endpoint, AsksAsChatModelsWantIt) {
  EndpointOptions o;
  o.key = "secret-key";
  o.headers = {"X-Team: a"};
  Asking a(o);
  a.ask(R"({"model":"m"})");
  a.transport->run();
  ASSERT_EQ(a.transport->requests.size(), 1u);
  const net::HttpRequest& r = a.transport->requests[0];
  EXPECT_EQ(r.url, "http://x/v1/chat/completions");
  EXPECT_EQ(r.body, R"({"model":"m"})");
  EXPECT_EQ(std::count(r.headers.begin(), r.headers.end(), "Authorization: Bearer secret-key"), 1);
  EXPECT_EQ(std::count(r.headers.begin(), r.headers.end(), "X-Team: a"), 1);
  const Reply& reply = std::get<Reply>(a.answers.at(0));
  EXPECT_EQ(reply.text, "hi");
  EXPECT_EQ(reply.finish, Finish::Stop);
  EXPECT_EQ(reply.prompt_tokens, 7);
  EXPECT_EQ(reply.reply_tokens, 2);
  EXPECT_EQ(reply.model, "m-1");
  EXPECT_EQ(reply.attempts, 1);
}

TEST(Endpoint, TriesAgainWhatMayPass) {
  for (const net::HttpResponse& bad :
       {response(500, ""), response(503, "{"), response(429, R"({"error": {"message": "slow down"}})"), response(408, ""), response(200, "<html>"),
        response(200, ""), response(200, R"({"choices": []})"), failure(net::Failure::Connect), failure(net::Failure::Timeout),
        failure(net::Failure::Broken), failure(net::Failure::TooLarge)}) {
    Asking a;
    a.transport->answers = {bad, bad};
    a.ask();
    a.transport->run();
    ASSERT_EQ(a.answers.size(), 1u);
    EXPECT_EQ(std::get<Reply>(a.answers[0]).attempts, 3) << bad.status;
    EXPECT_EQ(a.endpoint->counts().retries, 2u);
  }
}

TEST(Endpoint, GivesUpWhatWillNotPass) {
  struct Case {
    net::HttpResponse bad;
    Unanswered::Why why;
    size_t attempts;
    std::string error;
  };
  EndpointOptions o;
  o.retries = 2;
  o.key = "secret-key";
  for (const Case& c : std::vector<Case>{
           {response(401, R"({"error": {"message": "wrong\nkey"}})"), Unanswered::Why::Run, 1, "here (http://x/v1/): status 401: wrong key"},
           {response(404, "no such\tpage"), Unanswered::Why::Run, 1, "here (http://x/v1/): status 404: no such page"},
           {response(400, R"({"detail": "too long"})"), Unanswered::Why::Request, 1, "here (http://x/v1/): status 400: too long"},
           {response(500, ""), Unanswered::Why::Request, 3, "here (http://x/v1/): status 500 (3 attempts)"},
           {failure(net::Failure::Tls), Unanswered::Why::Run, 1, "here (http://x/v1/): it failed"},
           {failure(net::Failure::Refused), Unanswered::Why::Run, 1, "here (http://x/v1/): it failed"},
           {failure(net::Failure::Connect), Unanswered::Why::Run, 3, "here (http://x/v1/): it failed (3 attempts)"},
           {response(200, "\xff"), Unanswered::Why::Request, 3, ""}}) {
    Asking a(o);
    a.transport->answers = std::deque<net::HttpResponse>(5, c.bad);
    a.ask();
    a.transport->run();
    ASSERT_EQ(a.answers.size(), 1u);
    EXPECT_EQ(a.none().why, c.why) << c.error;
    EXPECT_EQ(a.transport->requests.size(), c.attempts) << c.error;
    if (!c.error.empty()) { EXPECT_EQ(a.none().error, c.error); }
    EXPECT_EQ(a.none().error.find("secret"), std::string::npos);
  }
}

TEST(Endpoint, WhenAllFailTheRunDoes) {
  EndpointOptions o;
  o.retries = 0;
  for (const int status : {500, 400}) {  // 400: a model that is not there, at some
    Asking a(o);
    a.transport->answers = std::deque<net::HttpResponse>(20, response(status, ""));
    for (int i = 0; i < 20; ++i) a.ask();
    a.transport->run();
    EXPECT_EQ(a.none(0).why, Unanswered::Why::Request);
    EXPECT_EQ(a.none(19).why, Unanswered::Why::Run);
  }
}

TEST(Endpoint, KeepsItsLimits) {
  EndpointOptions o;
  o.concurrency = 3;
  Asking a(o);
  for (int i = 0; i < 10; ++i) a.ask(std::to_string(i));
  a.transport->run();
  EXPECT_EQ(a.answers.size(), 10u);
  EXPECT_EQ(a.transport->most, 3);
  for (size_t i = 0; i < 10; ++i) EXPECT_EQ(a.transport->requests[i].body, std::to_string(i)) << "in the order in which they came";
}

TEST(Endpoint, WaitsAsLongAsItIsAskedTo) {
  EXPECT_EQ(parse_retry_after("3", 0), 3);
  EXPECT_EQ(parse_retry_after("0.5", 0), 0.5);
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", 784111777 - 20), 20);
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", 784111777 + 20), 0);
  EXPECT_EQ(parse_retry_after("1e9", 0), 3600);
  for (const char* bad : {"", "soon", "-1", "nan", "3 s"}) EXPECT_EQ(parse_retry_after(bad, 0), std::nullopt) << bad;
}

TEST(Endpoint, StopsAtOnce) {
  EndpointOptions o;
  o.concurrency = 1;
  Asking a(o);
  for (int i = 0; i < 3; ++i) a.ask();
  a.transport->answers = {response(500, "")};
  a.transport->stop();
  a.transport->run();
  ASSERT_EQ(a.answers.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(a.none(i).why, Unanswered::Why::Stopped);
}

TEST(Endpoint, RefusesABaseUrlThatIsNone) {
  for (const char* bad : {"", "localhost:8000", "ftp://x/v1", "http://a b", "https://user:word@x/v1"}) {
    EndpointOptions o;
    o.base_url = bad;
    EXPECT_NE(error_of([&] { make_endpoint(o, std::make_shared<FakeTransport>()); }), "") << bad;
  }
}

TEST(Completion, TellsHowAReplyEnded) {
  auto finish = [](const std::string& choice) { return parse_completion(R"({"choices": [)" + choice + "]}"); };
  EXPECT_EQ(finish(R"({"message": {"content": "a"}, "finish_reason": "length"})").finish, Finish::Length);
  EXPECT_EQ(finish(R"({"message": {"content": ""}, "finish_reason": "stop"})").finish, Finish::Empty);
  EXPECT_EQ(finish(R"({"message": {"content": null, "refusal": "I won't"}, "finish_reason": "stop"})").finish, Finish::Refusal);
  EXPECT_EQ(finish(R"({"message": {"content": null, "refusal": "I won't"}})").text, "I won't");
  EXPECT_EQ(finish(R"({"message": {"content": "x"}, "finish_reason": "content_filter"})").finish, Finish::Refusal);
  EXPECT_EQ(finish(R"({"message": {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}})").text, "ab");
  const Reply broken = parse_completion("{\"choices\": [{\"message\": {\"content\": \"a\xff\"}}]}");
  EXPECT_EQ(broken.finish, Finish::Invalid);
  EXPECT_FALSE(broken.valid);
  EXPECT_EQ(broken.text, "a\uFFFD");
  const Reply sure = finish(R"({"message": {"content": "a"}, "logprobs": {"content": [{"token": "a", "logprob": -0.5}]}})");
  EXPECT_EQ(to_text(sure.logprobs), R"([{"token": "a", "logprob": -0.5}])");
  for (const char* bad : {"", "[]", "{}", R"({"choices": 3})", R"({"choices": [{}]})", R"({"choices": [{"message": 1}]})",
                          R"({"choices": [{"message": {"content": 1}}]})", R"({"choices": [{"message": {}}]})"})
    EXPECT_NE(error_of([&] { parse_completion(bad); }), "") << bad;
}

TEST(PlayersFile, SaysHowModelsAreAsked) {
  const std::string path = testing::TempDir() + "ppc-endpoint-" + std::to_string(getpid()) + ".yaml";
  auto load = [&](const std::string& text) {
    std::ofstream(path) << text;
    return load_players(path);
  };
  setenv("PPC_TEST_KEY", "k-1", 1);
  const PlayersConfig c = load(R"(
endpoints:
  a: {base_url: "http://x/v1", key_env: PPC_TEST_KEY, concurrency: 3, rate: 60, timeout: 5, verify: false, headers: {X-A: b}}
players:
  guesser: {model: m, endpoint: a, temperature: 0.5, stop: ["x"], logprobs: 2, system: s, price: {prompt: 1, reply: 2}, extra: {top_k: 5}}
  host: bot:echo
)");
  EXPECT_EQ(c.endpoints.at("a").key, "k-1");
  EXPECT_EQ(c.endpoints.at("a").concurrency, 3);
  EXPECT_FALSE(c.endpoints.at("a").verify);
  EXPECT_EQ(c.endpoints.at("a").headers, std::vector<std::string>{"X-A: b"});
  EXPECT_EQ(c.players.at("guesser").spec, "openai:m");
  EXPECT_EQ(to_text(c.players.at("guesser").options.body),
            R"({"temperature": 0.5, "stop": ["x"], "logprobs": true, "top_logprobs": 2, "top_k": 5})");
  EXPECT_EQ(c.players.at("host").spec, "bot:echo");
  auto error = [&](const std::string& text) {
    const std::string e = error_of([&] { load(text); });
    return e.rfind(path, 0) == 0 ? e.substr(path.size() + 2) : "no place: " + e;
  };
  EXPECT_EQ(error("endpoints: {a: {base_url: 3}}"), "endpoints.a.base_url: expected a text, found 3");
  EXPECT_EQ(error("endpoints: {a: {}}"), "endpoints.a.base_url: missing: expected something like http://127.0.0.1:8000/v1");
  EXPECT_EQ(error("endpoints: {a: {base_url: x, concurrency: 0}}"), "endpoints.a.concurrency: expected a number from 1 to 100000, found 0");
  EXPECT_EQ(error("endpoints: {a: {base_url: x, key: abc}}").find("abc"), std::string::npos);
  EXPECT_NE(error("endpoints: {a: {base_url: x, retrys: 3}}").find("endpoints.a.retrys: not known here; there is"), std::string::npos);
  EXPECT_EQ(error("endpoints: {a: {base_url: x, key_env: PPC_NO_SUCH_KEY}}"), "endpoints.a.key_env: the environment variable PPC_NO_SUCH_KEY is not set");
  EXPECT_EQ(error("players: {g: {model: m, endpoint: b}}"), "players.g.endpoint: no endpoint `b`; there is none");
  EXPECT_EQ(error("players: {g: {model: m, temperature: hot}}"), "players.g.temperature: expected a number from 0 to 100, found text \"hot\"");
  EXPECT_EQ(error("players: {g: {model: m, extra: {messages: []}}}"), "players.g.extra.messages: this is not for the file to say");
  EXPECT_EQ(error("players: {g: {}}"), "players.g.model: missing: the model's name at its endpoint");
  unlink(path.c_str());
}

TEST(PlayersFile, AKeyFileIsItsOwnersOnly) {
  const std::string path = testing::TempDir() + "ppc-key-" + std::to_string(getpid());
  std::ofstream(path) << " k-2\n";
  chmod(path.c_str(), 0644);
  EXPECT_NE(error_of([&] { load_key(path); }).find("chmod 600"), std::string::npos);
  chmod(path.c_str(), 0600);
  EXPECT_EQ(load_key(path), "k-2");
  std::ofstream(path) << "k 2\n";
  EXPECT_EQ(error_of([&] { load_key(path); }).find("k 2"), std::string::npos);
  EXPECT_NE(error_of([&] { load_key(path); }), "");
  unlink(path.c_str());
  EXPECT_NE(error_of([&] { load_key(path); }), "");
}

// ---- many episodes --------------------------------------------------------------------------------------------------

namespace {

std::shared_ptr<const test::Game> game() {
  static const auto g = std::make_shared<test::Game>();
  return g;
}

std::unique_ptr<Sitting> sitting(std::unique_ptr<Player> player, uint64_t seed) {
  static const InstanceSet set = read_instances(
      *game(), parse_json(R"({"experiments": [{"name": "a", "game_instances": [{"target_word": "tree"}]}]})", "i"), "i");
  auto setting = std::make_shared<Setting>(Setting{game(), set.experiments[0].segment, set.experiments[0].instances[0].segment, nullptr});
  Cast cast(2);
  cast[0] = std::move(player);
  return std::make_unique<Sitting>(Episode(setting, seed), std::move(cast));
}

/// Answers on threads of its own, in any order.
class Slow final : public Player {
 public:
  explicit Slow(size_t n, std::atomic<int>* waiting = nullptr) : n_(n), waiting_(waiting) {}
  bool waits() const override { return true; }
  void ask(const Request& r, std::function<void(Answer)> done) override {
    const std::string text = n_ % 7 == 3 && asked_ == 1 ? "GUESS: tree" : "GUESS: " + std::to_string(n_) + "-" + std::to_string(asked_);
    ++asked_;
    EXPECT_FALSE(r.message.empty());
    if (n_ % 3 == 0) return done(Reply{text});  // at once
    if (waiting_) ++*waiting_;
    std::thread([text, n = n_, waiting = waiting_, done = std::move(done)] {
      std::this_thread::sleep_for(std::chrono::microseconds((n * 7919) % 3000));
      if (waiting) --*waiting;
      if (n % 11 == 5) done(Unanswered{Unanswered::Why::Request, "no " + std::to_string(n)});
      else done(Reply{text});
    }).detach();
  }

 private:
  size_t n_;
  std::atomic<int>* waiting_;
  int asked_ = 0;
};

std::string told(const Sitting& s) {
  std::string out;
  for (const Entry& e : s.journal.entries) out += std::to_string(e.kind) + e.text + e.value + "\n";
  return out + s.episode.reason();
}

}  // namespace

TEST(Run, GivesTheSameWhateverTheOrder) {
  std::map<size_t, std::string> first;
  for (const auto& [threads, in_flight] : std::vector<std::pair<unsigned, size_t>>{{1, 1}, {1, 50}, {4, 7}, {3, 300}}) {
    std::mutex mutex;
    std::map<size_t, std::string> seen;
    std::set<size_t> failed;
    RunControl control;
    const RunResult result = run_episodes(
        200, {threads, in_flight}, control, [](size_t i) { return sitting(std::make_unique<Slow>(i), i); },
        [&](size_t i, Sitting& s, Worker&) {
          std::lock_guard lock(mutex);
          EXPECT_TRUE(seen.emplace(i, told(s)).second);
        },
        [&](size_t i) {
          std::lock_guard lock(mutex);
          failed.insert(i);
        });
    EXPECT_EQ(result.begun, 200u);
    EXPECT_EQ(result.over, seen.size());
    EXPECT_EQ(result.failed, failed.size());
    EXPECT_EQ(seen.size() + failed.size(), 200u);
    EXPECT_TRUE(failed.count(5) && !failed.count(6));
    EXPECT_EQ(result.first_error.rfind("no ", 0), 0u);
    if (first.empty()) first = seen;
    EXPECT_EQ(seen, first);
  }
}

TEST(Run, BeginsNoMoreThanItMay) {
  std::atomic<int> live{0}, most{0};
  RunControl control;
  run_episodes(
      100, {2, 5}, control,
      [&](size_t i) {
        int now = ++live, old = most;
        while (now > old && !most.compare_exchange_weak(old, now)) {
        }
        return sitting(std::make_unique<Slow>(i), i);
      },
      [&](size_t, Sitting&, Worker&) { --live; }, [&](size_t) { --live; });
  EXPECT_LE(most, 5);
  EXPECT_GE(most, 2);
}

TEST(Run, StopsWhenToldTo) {
  RunControl control;
  std::atomic<size_t> over{0};
  const RunResult result = run_episodes(
      1000, {2, 10}, control, [](size_t i) { return sitting(std::make_unique<Slow>(i * 3), i); },
      [&](size_t, Sitting&, Worker&) {
        if (++over == 50) control.no_new = true;
      });
  EXPECT_GE(result.over, 50u);
  EXPECT_LE(result.over, 60u);
  EXPECT_EQ(result.begun, result.over) << "what has begun is played to its end";
}

TEST(Run, AnErrorOfTheHostEndsIt) {
  RunControl control;
  EXPECT_THROW(run_episodes(
                   100, {3, 10}, control, [](size_t i) { return sitting(std::make_unique<Slow>(i), i); },
                   [](size_t i, Sitting&, Worker&) {
                     if (i > 20) throw SystemError("full");
                   }),
               SystemError);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // what is under way still calls back
}

TEST(ReplyLog, GivesBackWhatCame) {
  const std::string path = testing::TempDir() + "ppc-log-" + std::to_string(getpid());
  unlink(path.c_str());
  {
    ReplyLog log(path, false);
    Reply r{"one\nline \"x\""};
    r.prompt_tokens = 3;
    r.finish = Finish::Length;
    r.valid = false;
    r.logprobs = parse_json(R"([{"token": "a", "logprob": -1.5}])", "");
    log.append("e 1", 0, r);
    log.append("e 1", 1, Reply{"other"});
    log.append("e 1", 0, Reply{"two"});
  }
  std::ofstream(path, std::ios::app) << "{\"episode\": \"e 1\", \"pla";  // cut off
  EXPECT_NE(error_of([&] { ReplyLog log(path, false); }).find("--resume"), std::string::npos);
  auto log = std::make_shared<ReplyLog>(path, true);
  log->append("e 2", 0, Reply{"after the cut"});
  const std::vector<Reply> replies = log->take("e 1", 0);
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_EQ(replies[0].text, "one\nline \"x\"");
  EXPECT_EQ(replies[0].prompt_tokens, 3);
  EXPECT_EQ(replies[0].finish, Finish::Length);
  EXPECT_FALSE(replies[0].valid);
  EXPECT_EQ(to_text(replies[0].logprobs), R"([{"token": "a", "logprob": -1.5}])");
  EXPECT_EQ(replies[1].text, "two");
  EXPECT_TRUE(log->take("e 1", 0).empty()) << "once";
  EXPECT_EQ(ReplyLog(path, true).take("e 2", 0).size(), 1u);
  log->remove();
  EXPECT_NE(access(path.c_str(), F_OK), 0);
}
