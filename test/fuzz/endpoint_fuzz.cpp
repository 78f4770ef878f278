// Bytes as what an endpoint answers: as a completion, as ids that were continued, and as status, headers and bodies of one attempt after the other.
#include <cmath>
#include <deque>

#include "runtime/players/continuation.h"
#include "runtime/players/endpoint.h"
#include "runtime/text/utf8.h"
#include "test/fuzz/common.h"

namespace {
using namespace ppc;

constexpr const char* kKey = "sk-a key";

/// Answers with the pieces of the input in turn; nothing takes any time.
class Pretended final : public net::Transport {
 public:
  explicit Pretended(std::string_view input) : pieces_(input) {}
  void send(net::HttpRequest, std::function<void(net::HttpResponse)> done) override {
    net::HttpResponse r;
    const std::string_view head = pieces_.next();
    const int kind = head.empty() ? 0 : static_cast<uint8_t>(head[0]);
    static constexpr int statuses[] = {200, 200, 200, 400, 401, 404, 408, 429, 500, 503, 302, 204};
    if (kind < 12) r.status = statuses[kind];
    else if (kind < 20) r.failure = static_cast<net::Failure>(1 + kind % 6), r.error = pieces_.next();
    else r.status = kind * 4;
    r.retry_after = head.substr(std::min<size_t>(1, head.size()));
    r.body = pieces_.next();
    tasks_.push_back([r = std::move(r), done = std::move(done)]() mutable { done(std::move(r)); });
  }
  void later(double seconds, std::function<void()> task) override {
    fuzz::require(seconds >= 0 && seconds <= 3601, "a wait of no length");
    tasks_.push_back(std::move(task));
  }
  void stop() override {}
  bool stopped() const override { return stopped_; }
  void run() {
    for (int steps = 0; !tasks_.empty(); ++steps) {
      if (steps > 1000) stopped_ = true;  // it waits as long as it was told to, by the clock
      fuzz::require(steps < 2000, "it does not end");
      auto task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
    }
  }

 private:
  fuzz::Pieces pieces_;
  std::deque<std::function<void()>> tasks_;
  bool stopped_ = false;
};

void check(const players::Reply& r) {
  fuzz::require(text::check_utf8(r.text).valid, "a reply that is no UTF-8");
  fuzz::require(r.finish != players::Finish::Unknown, "a reply that did not end");
  fuzz::require(r.prompt_tokens.value_or(0) >= 0 && r.reply_tokens.value_or(0) >= 0, "less than no tokens");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    check(players::parse_completion(bytes));
  } catch (const engine::InputError&) {
  }
  try {
    const players::Continuation c = players::parse_continuation(bytes);
    fuzz::require(c.ids.size() == c.logprobs.size(), "tokens without log-probabilities");
    for (const local::TokenId t : c.ids) fuzz::require(t >= 0, "an id below 0");
    for (const float l : c.logprobs) fuzz::require(std::isfinite(l) && l <= 0, "no log-probability");
  } catch (const engine::InputError&) {
  } catch (const players::NoTokenIds&) {
  }
  const auto wait = players::parse_retry_after(std::string(bytes), 1'000'000'000);
  fuzz::require(!wait || (*wait >= 0 && *wait <= 3600), "a wait of no length");

  auto transport = std::make_shared<Pretended>(bytes);
  players::EndpointOptions options;
  options.name = "e";
  options.base_url = "http://127.0.0.1:1/v1";
  options.key = kKey;
  options.retries = 2;
  options.backoff = 0;
  const auto endpoint = players::make_endpoint(options, transport);
  int answers = 0;
  for (int i = 0; i < 2; ++i) {
    endpoint->ask("{}", [&](players::Answer a) {
      ++answers;
      if (const auto* reply = std::get_if<players::Reply>(&a)) return check(*reply);
      const std::string& error = std::get<players::Unanswered>(a).error;
      fuzz::require(error.find(kKey) == std::string::npos, "the key in an error");
      fuzz::require(text::check_utf8(error).valid, "an error that is no UTF-8");
      for (const char c : error) fuzz::require(static_cast<uint8_t>(c) >= 0x20 && c != 0x7F, "an error that steers the terminal");
    });
  }
  transport->run();
  fuzz::require(answers == 2, "not one answer for each question");
  return 0;
}
