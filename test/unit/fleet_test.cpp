// Servers that fail, come back, and get weights: what a fleet does, with pretended ones.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "runtime/engine/episode.h"
#include "runtime/engine/json.h"
#include "tools/fleet/fleet.h"

using namespace ppc;
using namespace ppc::fleet;
using engine::Json;

namespace {

/// Answers from a thread of its own, with a clock that does not wait.
class Pretended final : public net::Transport {
 public:
  using Answer = std::function<net::HttpResponse(const net::HttpRequest&)>;
  explicit Pretended(Answer answer) : answer_(std::move(answer)), thread_([state = state_] { run(state); }) {}
  ~Pretended() override {
    {
      std::lock_guard lock(state_->mutex);
      state_->ending = true;
    }
    state_->wake.notify_all();
    // The last who had it may have been a task.
    if (thread_.get_id() == std::this_thread::get_id()) thread_.detach();
    else thread_.join();
  }
  void send(net::HttpRequest r, std::function<void(net::HttpResponse)> done) override {
    later(0.001, [this, r = std::move(r), done = std::move(done)] {
      net::HttpResponse out;
      if (stopped_) out.failure = net::Failure::Stopped;
      else out = answer_(r);
      if (r.url == slow.url && slow.asked == 0) {
        ++slow.asked;
        slow.over = [out = std::move(out), done = std::move(done)] { done(out); };
        return;
      }
      done(std::move(out));
    });
  }
  /// The first answer from there comes when `over` is called, on the transport's thread.
  struct Slow {
    std::string url;
    std::atomic<int> asked{0};
    std::function<void()> over;
  } slow;
  void later(double seconds, std::function<void()> task) override {
    std::lock_guard lock(state_->mutex);
    state_->tasks.emplace(state_->now + (stopped_ ? 0 : seconds), std::move(task));
    state_->wake.notify_all();
  }
  void stop() override { stopped_ = true; }
  bool stopped() const override { return stopped_; }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable wake;
    std::multimap<double, std::function<void()>> tasks;
    double now = 0;
    bool ending = false;
  };
  static void run(const std::shared_ptr<State>& s) {
    std::unique_lock lock(s->mutex);
    for (;;) {
      s->wake.wait(lock, [&] { return s->ending || !s->tasks.empty(); });
      if (s->ending) return;
      s->now = std::max(s->now, s->tasks.begin()->first);
      auto task = std::move(s->tasks.begin()->second);
      s->tasks.erase(s->tasks.begin());
      lock.unlock();
      task();
      task = nullptr;
      lock.lock();
    }
  }
  Answer answer_;
  std::shared_ptr<State> state_ = std::make_shared<State>();
  std::atomic<bool> stopped_{false};
  std::thread thread_;
};

net::HttpResponse said(const std::string& body, int status = 200) {
  net::HttpResponse r;
  r.status = status;
  r.body = body;
  return r;
}
net::HttpResponse failed(net::Failure f, const char* error) {
  net::HttpResponse r;
  r.failure = f;
  r.error = error;
  return r;
}

/// A server that replies with token 7 and the end, 2, and knows what it was sent.
struct Node {
  bool there = true;
  int replies = 0, broken = 0;        // of replies, so many more that break
  std::string weights = "base", adapter;
  std::string models = R"({"data": [{"id": "m", "max_model_len": 64}]})";
  std::function<std::string(const Json&)> reply;
  bool loading = false;

  net::HttpResponse answer(const net::HttpRequest& r) {
    if (!there) return failed(net::Failure::Connect, "connection refused");
    const std::string path = r.url.substr(r.url.find('/', 7));
    if (path == "/v1/models") return said(models);
    const Json body = engine::parse_json(r.body, "body");
    if (path == "/collective_rpc" && loading) return said(R"({"error": {"message": "loading"}})", 409);
    if (path == "/collective_rpc") return weights = body.find("kwargs")->find("weights_path")->as_text(), said("{}");
    if (path == "/reset_prefix_cache") return said("");
    if (path == "/v1/load_lora_adapter") return adapter = body.find("lora_name")->as_text(), said("ok");
    if (path == "/v1/unload_lora_adapter") return said("ok");
    if (path != "/v1/completions") return said(R"({"error": {"message": "no such path"}})", 404);
    if (const std::string& name = body.find("model")->as_text(); name != "m" && name != adapter) return said(R"({"error": {"message": "no such model"}})", 404);
    if (broken > 0) return --broken, failed(net::Failure::Broken, "the connection was reset");
    ++replies;
    if (reply) return said(reply(body));
    return said(R"({"system_fingerprint": ")" + weights + R"(", "choices": [{"finish_reason": "stop", "token_ids": [7, 2], "logprobs": {"token_logprobs": [-1, -2]}}]})");
  }
};

struct Nodes {
  std::mutex mutex;
  std::map<std::string, Node> nodes;
  std::vector<std::string> notes;
  std::shared_ptr<Fleet> fleet;
  std::shared_ptr<Pretended> transport;

  explicit Nodes(Sync sync = Sync::Weights, double patience = 0, bool sends = true) {
    nodes["http://a:1"];
    nodes["http://b:1"];
    transport = std::make_shared<Pretended>([this](const net::HttpRequest& r) {
      std::lock_guard lock(mutex);
      return nodes.at(r.url.substr(0, r.url.find('/', 7))).answer(r);
    });
    FleetOptions o;
    o.servers = {"http://a:1/v1", "http://b:1/v1/"};
    o.sync = sync;
    o.sends = sends;
    o.patience = patience;
    o.pause = 0.01;
    fleet = make_fleet(o, transport, [this](const std::string& note) {
      std::lock_guard lock(mutex);
      notes.push_back(note);
    });
  }
  ~Nodes() {
    fleet->stop();
    // What is under way still looks at this.
    std::promise<void> over;
    transport->later(0, [&] { over.set_value(); });
    over.get_future().wait();
  }
  Node& a() { return nodes["http://a:1"]; }
  Node& b() { return nodes["http://b:1"]; }
  template <class F>
  void change(const F& f) {
    std::lock_guard lock(mutex);
    f();
  }
  Fleet::Request request() const {
    Fleet::Request r;
    r.prompt = {1, 3};
    r.ends = {2};
    return r;
  }
  /// Which server replied, or the error.
  std::string ask(int home = -1, bool* model = nullptr) {
    Fleet::Request r = request();
    r.home = home;
    std::promise<std::string> out;
    fleet->ask(r, [&](std::optional<Fleet::Answer> a, local::Failure f) {
      if (model) *model = f.model;
      out.set_value(a ? std::string(1, static_cast<char>('a' + a->server)) + std::to_string(a->version) : f.error);
    });
    return out.get_future().get();
  }
};

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "";
}

TEST(Fleet, a_conversation_stays_where_it_was) {
  Nodes n;
  n.fleet->connect();
  EXPECT_EQ(n.fleet->context(), 64);
  n.fleet->publish({3, "/w/3", "x"});
  EXPECT_EQ(n.a().weights, "/w/3");
  EXPECT_EQ(n.b().weights, "/w/3");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(n.ask(1), "b3");
  EXPECT_EQ(n.ask(0), "a3");
  n.fleet->newest(5);
  EXPECT_EQ(n.ask(0), "a3");
  EXPECT_EQ(n.fleet->counts().staleness, 2);
  EXPECT_EQ(n.fleet->counts().servers, 2);
}

TEST(Fleet, who_is_gone_is_left_out_and_gets_the_weights_when_back) {
  Nodes n(Sync::Weights, 1e9);
  n.fleet->connect();
  n.fleet->publish({0, "/w/0", "x"});
  n.change([&] { n.a().there = false; });
  EXPECT_EQ(n.ask(0), "b0");
  EXPECT_EQ(n.fleet->counts().servers, 1);
  n.fleet->publish({1, "/w/1", "x"});  // one is enough
  n.change([&] { n.a().there = true; });
  while (n.fleet->counts().servers < 2) std::this_thread::yield();
  EXPECT_EQ(n.a().weights, "/w/1");
  EXPECT_EQ(n.ask(0), "a1");
  ASSERT_GE(n.notes.size(), 2u);
  EXPECT_EQ(n.notes[0], "http://a:1/v1 is left out until it is back: connection refused");
  EXPECT_EQ(n.notes.back(), "http://a:1/v1 is back");
}

TEST(Fleet, replies_of_other_weights_are_not_taken) {
  Nodes n(Sync::Weights, 1e9);
  n.fleet->connect();
  n.fleet->publish({1, "/w/1", "x"});
  EXPECT_EQ(n.fleet->probe(n.request()).size(), 2u);
  n.change([&] { n.a().weights = "base"; });  // started anew, so fast that nobody saw it
  EXPECT_EQ(n.ask(0), "b1");
  while (n.fleet->counts().servers < 2) std::this_thread::yield();
  EXPECT_EQ(n.a().weights, "/w/1");
}

TEST(Fleet, adapters_have_a_name_each) {
  Nodes n(Sync::Adapter, 1e9);
  n.fleet->connect();
  n.fleet->publish({1, "/w/1", "one"});
  EXPECT_EQ(n.ask(0), "a1");
  n.fleet->publish({2, "/w/2", "two"});
  EXPECT_EQ(n.ask(0), "a2");
  n.change([&] { n.a().adapter.clear(); });  // started anew
  EXPECT_EQ(n.ask(0), "b2");
  while (n.fleet->counts().servers < 2) std::this_thread::yield();
  EXPECT_EQ(n.a().adapter, "two");
}

TEST(Fleet, what_breaks_is_asked_again_elsewhere) {
  Nodes n;
  n.fleet->connect();
  n.change([&] { n.a().broken = 1; });
  EXPECT_EQ(n.ask(0), "b-1");
  EXPECT_EQ(n.fleet->counts().retries, 1);
  // A request that all servers break on is what is wrong.
  n.change([&] { n.a().broken = n.b().broken = 1000; });
  bool model = true;
  const std::string error = n.ask(-1, &model);
  EXPECT_TRUE(error.find("attempts") != std::string::npos || error.find("no server is left") != std::string::npos) << error;
}

TEST(Fleet, nobody_is_left) {
  Nodes n;
  n.fleet->connect();
  n.change([&] { n.a().there = n.b().there = false; });
  bool model = false;
  EXPECT_EQ(n.ask(-1, &model), "no server is left: http://a:1/v1: connection refused; http://b:1/v1: connection refused");
  EXPECT_TRUE(model);
  EXPECT_EQ(error_of([&] { n.fleet->publish({1, "/w", "x"}); }),
            "no server has taken the new weights: http://a:1/v1: new weights: connection refused; http://b:1/v1: new weights: connection refused");
}

TEST(Fleet, answers_that_cannot_be_used_end_the_run) {
  const std::string logprobs = R"("logprobs": {"token_logprobs": [-1, -2]})";
  const std::pair<std::string, const char*> cases[] = {
      {R"("text": "a")", "no token ids in its answer"},
      {R"("token_ids": [7, 2], "prompt_token_ids": [1, 4], )" + logprobs, "it has read 2 tokens that are not the 2 that were sent"},
      {R"("token_ids": [2, 7], )" + logprobs, "goes on behind token 2"},
      {R"("token_ids": [7, 9], "finish_reason": "stop", )" + logprobs, "ends with token 9"},
  };
  for (const auto& [choice, says] : cases) {
    Nodes n;
    n.fleet->connect();
    n.a().reply = n.b().reply = [choice = choice](const Json&) { return R"({"choices": [{)" + choice + "}]}"; };
    bool model = false;
    EXPECT_NE(n.ask(0, &model).find(says), std::string::npos) << says;
    EXPECT_TRUE(model);
    EXPECT_NE(error_of([&] { n.fleet->probe(n.request()); }).find(says), std::string::npos) << says;
  }
}

TEST(Fleet, the_model_is_found) {
  Nodes n;
  n.a().models = R"({"data": [{"id": "m"}, {"id": "lora", "parent": "m"}]})";
  n.fleet->connect();
  Nodes several;
  several.b().models = R"({"data": [{"id": "m"}, {"id": "k"}]})";
  EXPECT_EQ(error_of([&] { several.fleet->connect(); }), "http://b:1/v1: it has several models: `rollouts.model` says which; there is `m`, `k`");
  Nodes none;
  none.a().there = none.b().there = false;
  EXPECT_EQ(error_of([&] { none.fleet->connect(); }), "no server answers: http://a:1/v1: connection refused; http://b:1/v1: connection refused");
}

TEST(Fleet, who_comes_back_while_weights_are_sent_gets_the_newest) {
  Nodes n(Sync::Weights, 1e9);
  n.transport->slow.url = "http://a:1/collective_rpc";
  n.transport->slow.asked = 1;
  n.fleet->connect();
  n.fleet->publish({0, "/w/0", "x"});
  n.change([&] { n.a().there = false; });
  EXPECT_EQ(n.ask(0), "b0");
  n.transport->slow.asked = 0;  // it loads what it missed, slowly
  n.change([&] { n.a().there = true; });
  while (n.transport->slow.asked == 0) std::this_thread::yield();
  n.change([&] { n.a().loading = true; });
  n.fleet->publish({1, "/w/1", "x"});
  EXPECT_EQ(n.a().weights, "/w/0");
  n.change([&] { n.a().loading = false; });
  n.transport->later(0, [&] { std::exchange(n.transport->slow.over, nullptr)(); });
  while (n.fleet->counts().servers < 2) std::this_thread::yield();
  EXPECT_EQ(n.ask(0), "a1");
  EXPECT_EQ(n.a().weights, "/w/1");
}

TEST(Fleet, a_process_that_does_not_send_waits_for_who_does) {
  Nodes n(Sync::Weights, 1e9, false);
  n.fleet->connect();
  n.fleet->publish({0, "/w/0", "x"});
  n.change([&] { n.a().there = false; });
  EXPECT_EQ(n.ask(0), "b0");
  n.change([&] {
    n.a().there = true;
    n.a().weights = "/w/1";  // of another process, which is further
  });
  for (int i = 0; i < 50; ++i) EXPECT_EQ(n.ask(0), "b0");
  EXPECT_EQ(n.a().weights, "/w/1");
  // Adapters have names.
  Nodes adapters(Sync::Adapter, 1e9, false);
  adapters.fleet->connect();
  adapters.fleet->publish({0, "/w/0", "zero"});
  adapters.change([&] { adapters.a().there = false; });
  EXPECT_EQ(adapters.ask(0), "b0");
  adapters.change([&] { adapters.a().there = true; });
  while (adapters.fleet->counts().servers < 2) std::this_thread::yield();
  EXPECT_EQ(adapters.ask(0), "a0");
}

TEST(Fleet, another_process_is_told) {
  Nodes n, other;
  n.fleet->connect();
  n.fleet->publish({4, "/w/4", "x"});
  n.fleet->probe(n.request());
  other.a().weights = other.b().weights = "/w/4";
  other.fleet->adopt(n.fleet->state());
  EXPECT_EQ(other.ask(0), "a4");
  EXPECT_EQ(other.fleet->context(), 64);
}

}  // namespace
