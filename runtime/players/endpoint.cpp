#include "runtime/players/endpoint.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>
#include <deque>
#include <random>

#include "runtime/engine/clock.h"
#include "runtime/engine/episode.h"
#include "runtime/text/utf8.h"

namespace ppc::players {

using engine::Json;

namespace {

constexpr double kLongestBackoff = 60, kLongestWait = 3600;

class HttpEndpoint final : public Endpoint, public std::enable_shared_from_this<HttpEndpoint> {
 public:
  HttpEndpoint(EndpointOptions o, std::shared_ptr<net::Transport> t) : options_(std::move(o)), transport_(std::move(t)) {
    url_ = options_.base_url;
    while (!url_.empty() && url_.back() == '/') url_.pop_back();
    url_ += "/chat/completions";
  }
  void ask(std::string body, std::function<void(Answer)> done) override {
    ++counts_.requests;
    auto job = std::make_shared<Job>(Job{std::move(body), std::move(done), 0, {}});
    transport_->later(0, [self = shared_from_this(), job] {
      self->waiting_.push_back(job);
      self->pump();
    });
  }
  const EndpointCounts& counts() const override { return counts_; }
  const EndpointOptions& options() const override { return options_; }

 private:
  struct Job {
    std::string body;
    std::function<void(Answer)> done;
    int attempts = 0;
    std::string sent;
  };
  using JobPtr = std::shared_ptr<Job>;

  // From here on everything runs on the transport's thread.
  void pump() {
    if (transport_->stopped()) {
      const std::deque<JobPtr> left = std::move(waiting_);
      waiting_.clear();
      for (const JobPtr& job : left) give_up(job, Unanswered::Why::Stopped, "stopped");
      return;
    }
    while (!waiting_.empty() && under_way_ < options_.concurrency) {
      const double now = engine::now();
      const double open = std::max(held_until_, next_slot_);
      if (open > now) {
        if (!woken_) {
          woken_ = true;
          transport_->later(open - now, [self = shared_from_this()] {
            self->woken_ = false;
            self->pump();
          });
        }
        return;
      }
      if (options_.rate > 0) next_slot_ = std::max(next_slot_, now - 1) + 60 / options_.rate;
      JobPtr job = std::move(waiting_.front());
      waiting_.pop_front();
      send(std::move(job));
    }
  }

  void send(JobPtr job) {
    ++under_way_;
    ++job->attempts;
    job->sent = engine::now_iso();
    net::HttpRequest r;
    r.url = url_;
    r.headers = options_.headers;
    r.headers.push_back("Content-Type: application/json");
    r.headers.push_back("Accept: application/json");
    r.headers.push_back("Expect:");
    if (!options_.key.empty()) r.headers.push_back("Authorization: Bearer " + options_.key);
    r.body = job->body;
    r.timeout = options_.timeout;
    r.connect_timeout = options_.connect_timeout;
    r.proxy = options_.proxy;
    r.ca_file = options_.ca_file;
    r.verify = options_.verify;
    r.connections = options_.concurrency;
    transport_->send(std::move(r), [self = shared_from_this(), job](net::HttpResponse response) {
      --self->under_way_;
      self->answered(job, std::move(response));
      self->pump();
    });
  }

  void answered(const JobPtr& job, net::HttpResponse r) {
    using F = net::Failure;
    if (r.failure == F::Stopped) return give_up(job, Unanswered::Why::Stopped, "stopped");
    if (r.failure == F::Tls && r.error.find("certificate") != std::string::npos)
      return give_up(job, Unanswered::Why::Run, r.error + " (a players file names others that vouch for it with `ca_file`)");
    if (r.failure == F::Url || r.failure == F::Tls || r.failure == F::Refused) return give_up(job, Unanswered::Why::Run, r.error);
    if (r.failure != F::None) {
      return again(job, r.failure == F::Timeout ? "no answer within " + std::to_string(static_cast<int>(options_.timeout)) + " s"
                                                : r.error, r.failure == F::Connect ? Unanswered::Why::Run : Unanswered::Why::Request, {});
    }
    if (r.status == 200) {
      try {
        Reply out = parse_completion(r.body);
        out.attempts = job->attempts;
        out.sent = job->sent;
        ++counts_.replies;
        counts_.prompt_tokens += static_cast<uint64_t>(std::max<int64_t>(0, out.prompt_tokens.value_or(0)));
        counts_.reply_tokens += static_cast<uint64_t>(std::max<int64_t>(0, out.reply_tokens.value_or(0)));
        given_up_ = 0;
        job->done(std::move(out));
      } catch (const engine::InputError& e) {
        again(job, std::string("its answer cannot be read: ") + e.what(), Unanswered::Why::Request, {});
      }
      return;
    }
    const std::string said = said_of_error(r.body);
    const std::string what = "status " + std::to_string(r.status) + (said.empty() ? "" : ": " + said);
    if (r.status == 408 || r.status == 409 || r.status == 425 || r.status == 429 || r.status >= 500) {
      return again(job, what, Unanswered::Why::Request, parse_retry_after(r.retry_after, std::time(nullptr)));
    }
    const bool ours_only = r.status == 400 || r.status == 413 || r.status == 422;
    give_up(job, ours_only ? Unanswered::Why::Request : Unanswered::Why::Run, what);
  }

  void again(const JobPtr& job, const std::string& what, Unanswered::Why kind, std::optional<double> wait) {
    if (job->attempts > options_.retries) {
      return give_up(job, kind, what + " (" + std::to_string(job->attempts) + " attempts)");
    }
    ++counts_.retries;
    double delay = std::min(kLongestBackoff, options_.backoff * std::exp2(std::min(job->attempts - 1, 30)));
    delay *= 0.5 + std::uniform_real_distribution<double>()(random_);
    if (wait) {
      delay = std::max(delay, *wait);
      held_until_ = std::max(held_until_, engine::now() + *wait);  // it asks everybody to wait
    }
    transport_->later(delay, [self = shared_from_this(), job] {
      self->waiting_.push_front(job);
      self->pump();
    });
  }

  void give_up(const JobPtr& job, Unanswered::Why kind, const std::string& what) {
    // When one request after the other is given up, the endpoint is what fails.
    if (kind == Unanswered::Why::Request && ++given_up_ >= kGivenUp) kind = Unanswered::Why::Run;
    job->done(Unanswered{kind, options_.name + " (" + options_.base_url + "): " + fit_to_print(what, options_.key)});
  }

  static constexpr int kGivenUp = 20;
  EndpointOptions options_;
  std::shared_ptr<net::Transport> transport_;
  std::string url_;
  EndpointCounts counts_;
  std::deque<JobPtr> waiting_;
  int under_way_ = 0, given_up_ = 0;
  bool woken_ = false;
  double held_until_ = 0, next_slot_ = 0;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace

std::string said_of_error(const std::string& body) {
  std::string text;
  try {
    const Json json = engine::parse_json(body, "");
    const Json* error = json.find("error");
    const Json* message = error && error->is_object() ? error->find("message") : error ? error : json.find("message");
    if (!message) message = json.find("detail");
    if (message) text = message->is_text() ? message->as_text() : engine::to_text(*message);
  } catch (const engine::InputError&) {
    text = body;
  }
  return text.substr(0, 300);
}

std::string fit_to_print(std::string text, const std::string& key) {
  auto hide = [&](std::string& in) {
    for (size_t at = 0; !key.empty() && (at = in.find(key, at)) != std::string::npos;) in.replace(at, key.size(), "(the key)");
  };
  hide(text);
  std::string line;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto b = static_cast<uint8_t>(text[i]);
    const bool c1 = b == 0xC2 && i + 1 < text.size() && static_cast<uint8_t>(text[i + 1]) < 0xA0;
    if (c1) ++i;
    line += b < 0x20 || b == 0x7F || c1 ? ' ' : text[i];
  }
  line = engine::lossy_utf8(line);
  hide(line);  // what was replaced may have made one
  return line;
}

std::shared_ptr<Endpoint> make_endpoint(EndpointOptions o, std::shared_ptr<net::Transport> t) {
  const bool http = o.base_url.rfind("http://", 0) == 0 || o.base_url.rfind("https://", 0) == 0;
  bool clean = true;
  for (const char c : o.base_url) clean = clean && static_cast<unsigned char>(c) > 0x20;
  if (!http || !clean) throw engine::InputError("`" + o.base_url + "` is no base URL: expected something like http://127.0.0.1:8000/v1");
  if (o.base_url.find('@') != std::string::npos) throw engine::InputError("the base URL of `" + o.name + "` holds a user or password, which would show in errors: give a key");
  return std::make_shared<HttpEndpoint>(std::move(o), std::move(t));
}

Reply parse_completion(std::string_view body) {
  auto fail = [](const std::string& what) -> Reply { throw engine::InputError(what); };
  Reply out;
  std::string whole;
  Json json;
  if (!text::check_utf8(body).valid) {
    // A model that writes broken bytes: what can be read of it is kept, and marked.
    whole = engine::lossy_utf8(body);
    body = whole;
    out.finish = Finish::Invalid;
    out.valid = false;
  }
  json = engine::parse_json(body, "response");
  const Json* choices = json.find("choices");
  if (!choices || !choices->is_list() || choices->items().empty()) return fail("no `choices`");
  const Json& choice = choices->items()[0];
  const Json* message = choice.find("message");
  if (!message || !message->is_object()) return fail("no `choices[0].message`");
  const Json* content = message->find("content");
  if (content && content->is_text()) {
    out.text = content->as_text();
  } else if (content && content->is_list()) {  // parts
    for (const Json& part : content->items())
      if (const Json* t = part.find("text"); t && t->is_text()) out.text += t->as_text();
  } else if (content && !content->is_null()) {
    return fail("`choices[0].message.content` is " + engine::describe(*content));
  } else if (!content && !message->find("refusal") && !message->find("tool_calls")) {
    return fail("no `choices[0].message.content`");
  }
  const Json* reason = choice.find("finish_reason");
  const std::string ended = reason && reason->is_text() ? reason->as_text() : "";
  const Json* refusal = message->find("refusal");
  const bool refused = (refusal && refusal->is_text() && !refusal->as_text().empty()) || ended == "content_filter";
  if (refused && out.text.empty() && refusal && refusal->is_text()) out.text = refusal->as_text();
  if (out.finish != Finish::Invalid) {
    out.finish = refused ? Finish::Refusal : ended == "length" ? Finish::Length : out.text.empty() ? Finish::Empty : Finish::Stop;
  }
  if (const Json* usage = json.find("usage"); usage && usage->is_object()) {
    auto count = [&](const char* name) -> std::optional<int64_t> {
      const Json* n = usage->find(name);
      return n && n->is_int() && n->as_int() >= 0 ? std::optional(n->as_int()) : std::nullopt;
    };
    out.prompt_tokens = count("prompt_tokens");
    out.reply_tokens = count("completion_tokens");
  }
  if (const Json* logprobs = choice.find("logprobs"); logprobs && logprobs->is_object())
    if (const Json* tokens = logprobs->find("content"); tokens && tokens->is_list()) out.logprobs = *tokens;
  if (const Json* model = json.find("model"); model && model->is_text()) out.model = model->as_text();
  return out;
}

std::optional<double> parse_retry_after(const std::string& text, int64_t now_unix) {
  if (text.empty()) return std::nullopt;
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error == std::errc() && end == text.data() + text.size()) {
    if (!(seconds >= 0)) return std::nullopt;
    return std::min(seconds, kLongestWait);
  }
  std::tm tm{};
  if (!strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &tm)) return std::nullopt;
  return std::clamp(static_cast<double>(timegm(&tm) - now_unix), 0.0, kLongestWait);
}

}  // namespace ppc::players
