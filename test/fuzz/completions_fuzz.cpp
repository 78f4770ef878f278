// Bytes as the body of POST /v1/chat/completions, of POST /v1/completions, and of what gives other weights. Whatever comes is answered once, with JSON, or as a stream of events that each are JSON;
// what reaches the model has settings that a model takes. The rest of the input is what the model replies.
#include <cmath>

#include "test/fuzz/common.h"
#include "tools/serve/completions.h"

namespace {
using namespace ppc;

struct FakeSession final : local::Session {
  explicit FakeSession(std::string_view r) : reply(r) {}
  void ask(local::Ask a, std::function<void(std::optional<local::Reply>, local::Failure)> done) override {
    const local::Sampling& s = a.sampling;
    fuzz::require(a.messages.empty() != a.prompt.empty(), "nothing was said, or in two ways");
    for (const auto* ids : {&a.prompt, &a.ends})
      for (const local::TokenId t : *ids) fuzz::require(t >= 0, "an id below 0");
    for (const local::Message& m : a.messages) fuzz::require(m.role == "system" || m.role == "user" || m.role == "assistant", "a role that no template knows");
    fuzz::require(s.temperature >= 0 && s.top_p > 0 && s.top_p <= 1 && s.min_p >= 0 && s.min_p <= 1 && s.top_k >= 0 && s.repetition_penalty > 0 &&
                      std::isfinite(s.temperature) && s.max_tokens >= 1 && s.top_logprobs >= 0 && s.top_logprobs <= 20,
                  "settings out of their ranges");
    for (const std::string& stop : s.stop) fuzz::require(!stop.empty(), "an empty stop text");
    if (reply.size() % 7 == 3) return done(std::nullopt, {.stopped = reply.size() % 2 == 0, .error = std::string(reply)});
    local::Reply r;
    r.text = reply;
    for (size_t i = 0; i < std::min<size_t>(reply.size(), 3); ++i) {
      r.sample.ids.push_back(static_cast<local::TokenId>(i));
      r.sample.logprobs.push_back(-0.5f);
      r.sample.top.push_back({{1, -0.25f}});
      if (a.on_text && !a.on_text(engine::lossy_utf8(reply.substr(i, 1)))) break;
    }
    r.finish = reply.size() % 2 ? local::Finish::Length : local::Finish::Stop;
    done(std::move(r), {});
  }
  void replay(std::vector<local::Message>, const std::string&, const local::Sample*) override {}
  std::unique_ptr<local::Session> fork() const override { return nullptr; }
  std::string_view reply;
};

struct FakeModel final : local::Model {
  std::unique_ptr<local::Session> open() override { return std::make_unique<FakeSession>(reply); }
  const std::string& name() const override { return called; }
  int64_t context() const override { return 100; }
  std::string token_text(local::TokenId id) const override { return id == 1 ? "\xE2\x82" : "a"; }
  local::Statistics statistics() const override { return {}; }
  std::string describe() const override { return "fake"; }
  void stop() override {}
  std::string called = "fake";
  std::string_view reply;
};

class Answered final : public net::Exchange {
 public:
  explicit Answered(net::ServerRequest r) : request_(std::move(r)) {}
  const net::ServerRequest& request() const override { return request_; }
  void respond(net::ServerResponse r) override {
    fuzz::require(!answered && !begun, "a second answer");
    answered = true;
    const engine::Json json = engine::parse_json(r.body, "answer");
    fuzz::require(r.status == 200 || (r.status >= 400 && json.find("error") && json.find("error")->find("message")), "an error that says nothing");
  }
  void begin(net::ServerResponse r) override {
    fuzz::require(!answered && !begun && r.type == "text/event-stream", "a second answer");
    begun = true;
  }
  bool write(std::string_view more) override {
    fuzz::require(begun && !answered, "text without a beginning");
    fuzz::require(more.starts_with("data: ") && more.ends_with("\n\n"), "no event");
    more = more.substr(6, more.size() - 8);
    if (more != "[DONE]") engine::parse_json(more, "event");
    return true;
  }
  void end() override {
    fuzz::require(begun && !answered, "a second end");
    answered = true;
  }
  bool gone() const override { return false; }
  void on_gone(std::function<void()>) override {}
  bool answered = false, begun = false;

 private:
  net::ServerRequest request_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const size_t cut = std::min(all.find('\0'), all.size());
  const auto model = std::make_shared<FakeModel>();
  const std::string reply = engine::lossy_utf8(all.substr(std::min(cut + 1, all.size())));
  model->reply = reply;
  for (const char* path : {"/v1/chat/completions", "/v1/completions", "/v1/load_lora_adapter", "/v1/unload_lora_adapter", "/collective_rpc"}) {
    const auto e = std::make_shared<Answered>(net::ServerRequest{"POST", path, {}, {}, std::string(all.substr(0, cut)), ""});
    {
      const serve::Completions service({model}, "/", "/proc/self");  // waits for what it began
      service.answer(e);
    }
    fuzz::require(e->answered, "no answer");
  }
  return 0;
}
