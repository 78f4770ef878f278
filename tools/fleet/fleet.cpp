#include "tools/fleet/fleet.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <deque>
#include <future>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "runtime/engine/clock.h"
#include "runtime/engine/episode.h"
#include "runtime/engine/json.h"
#include "runtime/players/endpoint.h"

namespace ppc::fleet {

using engine::InputError;
using engine::Json;
using engine::SystemError;
using players::Continuation;

namespace {

constexpr int kAttempts = 8;             // of a request that servers fail on, before it is what is wrong
constexpr int kStrikes = 3;              // failures in a row before a server is taken for gone
constexpr double kLongestPause = 10;     // seconds
constexpr double kLoading = 1800;        // seconds for a server to load weights

struct Server {
  std::string url, root;                 // .../v1; without it
  std::string name;                      // of the model there
  std::string fingerprint;               // of what it plays with; empty: unknown
  bool up = false;
  bool reviving = false;                 // is being asked whether it is back
  bool unfit = false;                    // it has not got the model
  int under_way = 0, strikes = 0, tries = 0;
  std::string why = "not asked yet";     // it is not up
  std::string adapter;                   // that was sent to it last
  int64_t context = INT64_MAX;
};

class HttpFleet final : public Fleet, public std::enable_shared_from_this<HttpFleet> {
 public:
  HttpFleet(FleetOptions o, std::shared_ptr<net::Transport> t, std::function<void(const std::string&)> note) : options_(std::move(o)), transport_(std::move(t)), note_(std::move(note)) {
    for (std::string url : options_.servers) {
      while (!url.empty() && url.back() == '/') url.pop_back();
      const bool http = url.starts_with("http://") || url.starts_with("https://");
      if (!http || std::any_of(url.begin(), url.end(), [](unsigned char c) { return c <= 0x20; }) || url.find('@') != std::string::npos)
        throw InputError("`" + url + "` is no base URL: expected something like http://127.0.0.1:8000/v1, and keys elsewhere");
      Server s;
      s.url = s.root = url;
      if (s.root.ends_with("/v1")) s.root.resize(s.root.size() - 3);
      if (std::any_of(servers_.begin(), servers_.end(), [&](const Server& other) { return other.url == s.url; })) throw InputError("`" + url + "` stands there twice");
      servers_.push_back(std::move(s));
    }
    if (servers_.empty()) throw InputError("there are no servers");
  }

  void connect() override {
    const auto errors = for_each([this](size_t i, std::function<void(std::string)> done) { discover(i, std::move(done)); });
    // What nobody puts right by waiting is said now.
    for (size_t i = 0; i < servers_.size(); ++i)
      if (servers_[i].unfit) throw InputError(servers_[i].url + ": " + errors[i]);
    none_is("no server answers", errors);
  }

  void publish(const Weights& weights) override {
    on_thread([&] { weights_ = weights; });
    const double began = engine::now();
    std::vector<std::string> errors;
    do {
      if (!errors.empty()) std::this_thread::sleep_for(std::chrono::duration<double>(options_.pause));
      errors = send_all();
    } while (!taken(errors) && !transport_->stopped() && engine::now() - began < options_.patience);
    none_is("no server has taken the new weights", errors);
  }

  std::vector<std::string> send_all() {
    return for_each([this](size_t i, std::function<void(std::string)> done) {
      Server& s = servers_[i];
      auto sync = [this, i, done](std::string error) {
        if (!error.empty()) return done(std::move(error));
        send_weights(i, 0, done);
      };
      if (s.name.empty()) discover(i, sync);  // it was not there before
      else sync("");
    });
  }

  std::vector<Probe> probe(const Request& request) override {
    std::vector<Probe> out(servers_.size());
    std::vector<char> asked(servers_.size());
    const auto errors = for_each([&](size_t i, std::function<void(std::string)> done) {
      if (!servers_[i].up) return done(servers_[i].why);
      asked[i] = 1;
      attempt_probe(i, request, 0, &out[i].continuation, std::move(done));
    });
    if (!misfit_.empty()) throw InputError(misfit_);
    none_is("no server replies", errors);
    std::vector<Probe> good;
    for (size_t i = 0; i < servers_.size(); ++i)
      if (asked[i] && errors[i].empty()) good.push_back({servers_[i].url, std::move(out[i].continuation)});
    return good;
  }

  void ask(Request r, Done done) override {
    auto job = std::make_shared<Job>(Job{std::move(r), std::move(done)});
    transport_->later(0, [self = shared_from_this(), job] {
      self->waiting_.push_back(job);
      self->pump();
    });
  }

  void newest(int64_t version) override { newest_ = version; }
  FleetCounts counts() const override {
    std::lock_guard lock(mutex_);
    return counts_;
  }
  int64_t context() const override {
    std::lock_guard lock(mutex_);
    return context_;
  }

  std::string state() const override {
    Json out = Json::object();
    on_thread([&] {
      out.add("version", weights_.version);
      out.add("path", weights_.path);
      out.add("name", weights_.name);
      Json& list = out.add("servers", Json::list());
      for (const Server& s : servers_) {
        Json one = Json::object();
        one.add("up", s.up);
        one.add("why", s.why);
        one.add("name", s.name);
        one.add("fingerprint", s.fingerprint);
        one.add("context", s.context);
        list.push(std::move(one));
      }
    });
    return engine::to_text(out);
  }
  void adopt(const std::string& state) override {
    const Json j = engine::parse_json(state, "the servers' state");
    on_thread([&] {
      weights_ = {j.find("version")->as_int(), j.find("path")->as_text(), j.find("name")->as_text()};
      for (size_t i = 0; i < servers_.size(); ++i) {
        const Json& one = j.find("servers")->items().at(i);
        Server& s = servers_[i];
        s.name = one.find("name")->as_text();
        s.fingerprint = one.find("fingerprint")->as_text();
        s.context = one.find("context")->as_int();
        {
          std::lock_guard lock(mutex_);
          context_ = std::min(context_, s.context);
        }
        s.adapter = weights_.name;
        if (one.find("up")->as_bool()) up(i);
        else down(i, one.find("why")->as_text());
      }
    });
  }

  void stop() override { transport_->stop(); }

 private:
  struct Job {
    Request request;
    Done done;
    int attempts = 0;
    int last = -1;           // server that failed on it
  };
  using JobPtr = std::shared_ptr<Job>;

  // ---- for who waits ---------------------------------------------------------------------------------------------------

  void on_thread(const std::function<void()>& f) const {
    const auto done = std::make_shared<std::promise<void>>();
    transport_->later(0, [&f, done] {
      f();
      done->set_value();
    });
    done->get_future().wait();
  }

  /// Calls `f` for each server, and waits until all have told how it ended: empty, or what is wrong.
  std::vector<std::string> for_each(const std::function<void(size_t, std::function<void(std::string)>)>& f) {
    std::vector<std::string> errors(servers_.size());
    const auto all = std::make_shared<std::promise<void>>();
    size_t left = servers_.size();
    transport_->later(0, [&, all, self = shared_from_this()] {
      for (size_t i = 0; i < servers_.size(); ++i)
        f(i, [&, all, i](std::string error) {
          if (error.empty()) up(i);
          else down(i, error);
          errors[i] = std::move(error);
          // Later, as `f` may be at work still.
          if (--left == 0) transport_->later(0, [all] { all->set_value(); });
        });
    });
    all->get_future().wait();
    return errors;
  }

  static bool taken(const std::vector<std::string>& errors) {
    return std::any_of(errors.begin(), errors.end(), [](const std::string& e) { return e.empty(); });
  }
  void none_is(const std::string& what, const std::vector<std::string>& errors) const {
    if (taken(errors)) return;
    std::string out = what;
    for (size_t i = 0; i < errors.size(); ++i) out += (i ? "; " : ": ") + servers_[i].url + ": " + errors[i];
    throw SystemError(out);
  }

  // From here on everything runs on the transport's thread.

  // ---- one request -----------------------------------------------------------------------------------------------------

  net::HttpRequest request_to(const std::string& url, std::string body, double timeout) const {
    net::HttpRequest r;
    r.url = url;
    r.headers = {"Accept: application/json", "Expect:"};
    if (!body.empty()) r.headers.push_back("Content-Type: application/json");
    if (!options_.key.empty()) r.headers.push_back("Authorization: Bearer " + options_.key);
    r.body = std::move(body);
    r.timeout = timeout;
    r.connect_timeout = std::min(10.0, timeout);
    r.ca_file = options_.ca_file;
    r.connections = options_.in_flight * static_cast<int>(servers_.size());
    return r;
  }
  /// What went wrong, for people; empty: nothing did.
  std::string wrong(const net::HttpResponse& r, double timeout) const {
    if (r.failure == net::Failure::Timeout) return "no answer within " + std::to_string(static_cast<int>(timeout)) + " s";
    if (r.failure != net::Failure::None) return players::fit_to_print(r.error, options_.key);
    if (r.status >= 200 && r.status < 300) return {};
    const std::string said = players::said_of_error(r.body);
    return players::fit_to_print("status " + std::to_string(r.status) + (said.empty() ? "" : ": " + said), options_.key);
  }

  /// The model's name there, and the room it has.
  void discover(size_t i, std::function<void(std::string)> done) {
    const double timeout = std::min(30.0, options_.timeout);
    transport_->send(request_to(servers_[i].url + "/models", {}, timeout), [self = shared_from_this(), i, timeout, done = std::move(done)](net::HttpResponse r) {
      std::string error = self->wrong(r, timeout);
      if (error.empty()) {
        try {
          self->read_models(i, r.body);
        } catch (const InputError& e) {
          error = players::fit_to_print(e.what(), self->options_.key);
          self->servers_[i].unfit = true;
        }
      }
      done(std::move(error));
    });
  }

  void read_models(size_t i, const std::string& body) {
    const Json json = engine::parse_json(body, "GET /models");
    const Json* data = json.find("data");
    if (!data || !data->is_list()) throw InputError("GET /models: no `data`");
    std::string found, names;
    int count = 0;
    int64_t context = INT64_MAX;
    for (const Json& m : data->items()) {
      const Json *id = m.is_object() ? m.find("id") : nullptr, *parent = m.is_object() ? m.find("parent") : nullptr;
      if (!id || !id->is_text() || (parent && parent->is_text())) continue;  // an adapter has a parent
      names += (names.empty() ? "`" : ", `") + id->as_text() + "`";
      if (!options_.model.empty() && id->as_text() != options_.model) continue;
      found = id->as_text();
      ++count;
      if (const Json* n = m.find("max_model_len"); n && n->is_int() && n->as_int() > 0) context = n->as_int();
    }
    if (count == 0) throw InputError(options_.model.empty() ? "it has no model" : "it has no model `" + options_.model + "`" + (names.empty() ? "" : "; there is " + names));
    if (count > 1) throw InputError("it has several models: `rollouts.model` says which; there is " + names);
    servers_[i].name = found;
    servers_[i].context = context;
    std::lock_guard lock(mutex_);
    context_ = std::min(context_, context);
  }

  /// Tells the server where its weights are.
  void send_weights(size_t i, int tries, std::function<void(std::string)> done) {
    Server& s = servers_[i];
    if (weights_.version < 0 || options_.sync == Sync::Command) return done("");
    Json body = Json::object();
    std::string url;
    if (options_.sync == Sync::Adapter) {
      url = s.url + "/load_lora_adapter";
      body.add("lora_name", weights_.name);
      body.add("lora_path", weights_.path);
    } else {
      url = s.root + "/collective_rpc";
      body.add("method", "reload_weights");
      body.add("kwargs", Json::object()).add("weights_path", weights_.path);
    }
    transport_->send(request_to(url, engine::to_text(body, {.indent = -1}), kLoading), [self = shared_from_this(), i, tries, version = weights_.version, done = std::move(done)](net::HttpResponse r) {
      Server& s = self->servers_[i];
      if (version != self->weights_.version && r.failure != net::Failure::Stopped) return self->send_weights(i, 0, done);  // newer ones have come meanwhile
      std::string error = self->wrong(r, kLoading);
      // Something is under way there still, of somebody who has given up on it.
      if ((r.status == 409 || r.status == 429 || r.status == 503) && tries < 20)
        return self->transport_->later(0.5, [self, i, tries, done] { self->send_weights(i, tries + 1, done); });
      const bool adapter = self->options_.sync == Sync::Adapter;
      if (r.status == 400 && adapter && error.find("already") != std::string::npos) error.clear();
      if (r.status == 404)
        error += adapter ? " (vLLM takes adapters with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True, ppc serve model with --weights-from)"
                         : " (vLLM takes weights with VLLM_SERVER_DEV_MODE=1, ppc serve model with --weights-from)";
      if (!error.empty()) return done("new weights: " + error);
      s.fingerprint.clear();
      if (!adapter) {
        // What was computed with other weights. Ours forgets it itself; an answer is not needed.
        return self->transport_->send(self->request_to(s.root + "/reset_prefix_cache", "{}", 60), [done](net::HttpResponse) { done(""); });
      }
      const std::string before = std::exchange(s.adapter, self->weights_.name);
      if (before.empty() || before == s.adapter) return done("");
      Json body = Json::object();
      body.add("lora_name", before);
      self->transport_->send(self->request_to(s.url + "/unload_lora_adapter", engine::to_text(body, {.indent = -1}), 60), [done](net::HttpResponse) { done(""); });
    });
  }

  std::string body_of(const Server& s, const Request& r) const {
    players::ContinuationRequest c;
    c.model = options_.sync == Sync::Adapter && weights_.version >= 0 ? weights_.name : s.name;
    c.prompt = r.prompt;
    c.ends = r.ends;
    c.sampling = r.sampling;
    return players::continuation_body(c);
  }

  /// Reads an answer. Throws InputError for one that is broken; Misfit where a server does not do what it must.
  struct Misfit : std::runtime_error {
    using std::runtime_error::runtime_error;
  };
  Continuation read(const Request& r, const std::string& body) const {
    Continuation c;
    try {
      c = players::parse_continuation(body);
    } catch (const players::NoTokenIds& e) {
      throw Misfit(std::string(e.what()) + ": without them it cannot be trained what was sampled. vLLM gives them from version 0.10.2 on, as does `ppc serve model`");
    }
    if (c.prompt && *c.prompt != r.prompt)
      throw Misfit("it has read " + std::to_string(c.prompt->size()) + " tokens that are not the " + std::to_string(r.prompt.size()) + " that were sent (`prompt_token_ids`)");
    auto ends = [&](local::TokenId id) { return std::find(r.ends.begin(), r.ends.end(), id) != r.ends.end(); };
    if (c.ids.empty()) throw InputError("it has no tokens");
    if (static_cast<int64_t>(c.ids.size()) > r.sampling.max_tokens) throw Misfit("it has " + std::to_string(c.ids.size()) + " tokens, more than `max_tokens`");
    if (const auto at = std::find_if(c.ids.begin(), c.ids.end(), ends); at != c.ids.end() && at + 1 != c.ids.end())
      throw Misfit("its reply goes on behind token " + std::to_string(*at) + ", which ends one (`stop_token_ids`)");
    if (c.finish == "abort") throw InputError("it gave the reply up");
    // With stop texts who asked looks for them.
    if (c.finish == "stop" && !ends(c.ids.back()) && r.sampling.stop.empty())
      throw Misfit("its reply ends with token " + std::to_string(c.ids.back()) + ", which ends none of this model: has the server another tokenizer, or stop texts of its own?");
    return c;
  }

  void attempt_probe(size_t i, const Request& request, int tries, Continuation* out, std::function<void(std::string)> done) {
    transport_->send(request_to(servers_[i].url + "/completions", body_of(servers_[i], request), options_.timeout),
                     [this, self = shared_from_this(), i, &request, tries, out, done = std::move(done)](net::HttpResponse r) {
                       std::string error = wrong(r, options_.timeout);
                       if (error.empty()) {
                         try {
                           *out = read(request, r.body);
                           servers_[i].fingerprint = out->fingerprint;
                         } catch (const Misfit& e) {
                           misfit_ = servers_[i].url + ": " + players::fit_to_print(e.what(), options_.key);
                           error = e.what();
                         } catch (const InputError& e) {
                           error = std::string("its answer cannot be read: ") + e.what();
                         }
                       } else if ((r.status == 429 || r.status >= 500) && tries < 3) {
                         return transport_->later(0.5, [this, self, i, &request, tries, out, done] { attempt_probe(i, request, tries + 1, out, done); });
                       }
                       done(std::move(error));
                     });
  }

  // ---- many ------------------------------------------------------------------------------------------------------------

  void fail(const JobPtr& job, local::Failure f) { job->done(std::nullopt, std::move(f)); }
  void fail_all(const local::Failure& f) {
    const std::deque<JobPtr> left = std::move(waiting_);
    waiting_.clear();
    for (const JobPtr& job : left) fail(job, f);
  }

  bool any_up() const {
    return std::any_of(servers_.begin(), servers_.end(), [](const Server& s) { return s.up; });
  }

  /// Who continues a job now; -1: nobody has room.
  int server_for(const Job& job) const {
    auto room = [&](int i) { return servers_[static_cast<size_t>(i)].up && servers_[static_cast<size_t>(i)].under_way < options_.in_flight; };
    if (job.request.home >= 0 && job.request.home != job.last && room(job.request.home)) return job.request.home;
    int best = -1;
    for (int i = 0; i < static_cast<int>(servers_.size()); ++i) {
      if (!room(i)) continue;
      // One that has failed on it is better than none.
      auto rank = [&](int k) { return std::pair(k == job.last, servers_[static_cast<size_t>(k)].under_way); };
      if (best < 0 || rank(i) < rank(best)) best = i;
    }
    return best;
  }

  void pump() {
    if (transport_->stopped()) return fail_all({.stopped = true, .error = "stopped"});
    if (!misfit_.empty()) return fail_all({.model = true, .error = misfit_});
    if (!any_up()) {
      const double now = engine::now();
      if (!waiting_.empty() && now - none_since_ >= options_.patience) {
        std::string error = "no server is left";
        for (const Server& s : servers_) error += (&s == &servers_[0] ? ": " : "; ") + s.url + ": " + s.why;
        return fail_all({.model = true, .error = error});
      }
      if (!waiting_.empty() && !std::exchange(watching_, true))
        transport_->later(std::max(0.05, none_since_ + options_.patience - now), [self = shared_from_this()] {
          self->watching_ = false;
          self->pump();
        });
      return;
    }
    while (!waiting_.empty()) {
      const int to = server_for(*waiting_.front());
      if (to < 0) return;
      JobPtr job = std::move(waiting_.front());
      waiting_.pop_front();
      send(std::move(job), static_cast<size_t>(to));
    }
  }

  void send(JobPtr job, size_t i) {
    Server& s = servers_[i];
    ++s.under_way;
    if (under_way_++ == 0) busy_since_ = engine::now();
    const int64_t version = weights_.version;
    transport_->send(request_to(s.url + "/completions", body_of(s, job->request), options_.timeout), [self = shared_from_this(), job, i, version](net::HttpResponse r) {
      --self->servers_[i].under_way;
      if (--self->under_way_ == 0) {
        std::lock_guard lock(self->mutex_);
        self->counts_.seconds += engine::now() - self->busy_since_;
      }
      self->answered(job, i, version, r);
      self->pump();
    });
  }

  void answered(const JobPtr& job, size_t i, int64_t version, const net::HttpResponse& r) {
    using F = net::Failure;
    Server& s = servers_[i];
    if (r.failure == F::Stopped) return fail(job, {.stopped = true, .error = "stopped"});
    std::string error = wrong(r, options_.timeout);
    if (error.empty()) {
      try {
        Answer out{read(job->request, r.body), version, static_cast<int>(i)};
        if (!s.fingerprint.empty() && out.continuation.fingerprint != s.fingerprint) {
          down(i, "it has other weights than it was sent: it was started anew, perhaps");
          return again(job, i, false);
        }
        s.fingerprint = out.continuation.fingerprint;
        s.strikes = 0;
        {
          std::lock_guard lock(mutex_);
          ++counts_.replies;
          counts_.staleness += std::max<int64_t>(0, newest_ - version);
          counts_.prompt_tokens += static_cast<int64_t>(job->request.prompt.size());
          counts_.reply_tokens += static_cast<int64_t>(out.continuation.ids.size());
        }
        return job->done(std::move(out), {});
      } catch (const Misfit& e) {
        misfit_ = s.url + ": " + players::fit_to_print(e.what(), options_.key);
        return fail(job, {.model = true, .error = misfit_});
      } catch (const InputError& e) {
        error = players::fit_to_print(std::string("its answer cannot be read: ") + e.what(), options_.key);
      }
    } else if (r.failure == F::Connect || r.failure == F::Url || r.failure == F::Tls || r.failure == F::Refused) {
      down(i, error);
      return again(job, i, false);
    } else if (r.status == 400 || r.status == 413 || r.status == 422) {
      return fail(job, {.error = s.url + ": " + error});  // this one is at fault
    } else if (r.status == 401 || r.status == 403 || r.status == 404) {
      down(i, error);  // 404: it has not got the adapter, as it was started anew
      return again(job, i, false);
    }
    if (++s.strikes >= kStrikes) down(i, error);
    if (++job->attempts >= kAttempts) return fail(job, {.error = s.url + ": " + error + " (" + std::to_string(job->attempts) + " attempts)"});
    again(job, i, true);
  }

  void again(const JobPtr& job, size_t i, bool wait) {
    {
      std::lock_guard lock(mutex_);
      ++counts_.retries;
    }
    job->last = static_cast<int>(i);
    const double delay = wait ? std::min(30.0, 0.2 * std::exp2(job->attempts)) * (0.5 + std::uniform_real_distribution<double>()(random_)) : 0;
    transport_->later(delay, [self = shared_from_this(), job] {
      self->waiting_.push_front(job);
      self->pump();
    });
  }

  // ---- who is there ----------------------------------------------------------------------------------------------------

  void up(size_t i) {
    Server& s = servers_[i];
    if (!s.up && s.tries > 0) note_(s.url + " is back");
    s.up = true;
    s.strikes = s.tries = 0;
    s.why.clear();
    count_servers();
  }

  void down(size_t i, const std::string& why) {
    Server& s = servers_[i];
    const bool was_up = s.up || s.tries == 0, was_any = any_up();
    s.why = why;
    s.up = false;
    if (was_any && !any_up()) none_since_ = engine::now();
    if (was_up) note_(s.url + " is left out until it is back: " + why);
    count_servers();
    if (s.reviving) return;
    s.reviving = true;
    const double pause = std::min(kLongestPause, options_.pause * std::exp2(std::min(s.tries++, 10)));
    transport_->later(pause, [self = shared_from_this(), i] { self->revive(i); });
  }

  void revive(size_t i) {
    Server& s = servers_[i];
    s.reviving = false;
    if (transport_->stopped() || s.up) return;
    // What others have sent it is not known here: it waits for the next weights. Adapters tell by their names.
    if ((options_.sync == Sync::Command || (options_.sync == Sync::Weights && !options_.sends)) && weights_.version >= 0) return;
    s.reviving = true;
    auto ended = [self = shared_from_this(), i](std::string error) {
      Server& s = self->servers_[i];
      s.reviving = false;
      if (self->transport_->stopped() || s.up) return;
      if (error.empty()) self->up(i);
      else self->down(i, error);
      self->pump();
    };
    discover(i, [self = shared_from_this(), i, ended](std::string error) {
      if (!error.empty() || !self->options_.sends) return ended(std::move(error));
      self->send_weights(i, 0, ended);
    });
  }

  void count_servers() {
    std::lock_guard lock(mutex_);
    counts_.servers = static_cast<int>(std::count_if(servers_.begin(), servers_.end(), [](const Server& s) { return s.up; }));
  }

  const FleetOptions options_;
  std::shared_ptr<net::Transport> transport_;
  std::function<void(const std::string&)> note_;
  std::vector<Server> servers_;
  Weights weights_;
  std::deque<JobPtr> waiting_;
  std::string misfit_;              // what makes the run end
  double none_since_ = engine::now(), busy_since_ = 0;
  int under_way_ = 0;
  bool watching_ = false;           // until patience ends
  std::minstd_rand random_{std::random_device{}()};

  std::atomic<int64_t> newest_{-1};
  mutable std::mutex mutex_;        // of these
  FleetCounts counts_;
  int64_t context_ = INT64_MAX;
};

}  // namespace

std::shared_ptr<Fleet> make_fleet(FleetOptions o, std::shared_ptr<net::Transport> t, std::function<void(const std::string&)> note) {
  return std::make_shared<HttpFleet>(std::move(o), std::move(t), std::move(note));
}

}  // namespace ppc::fleet
