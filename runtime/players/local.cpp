#include "runtime/players/local.h"

#include <charconv>
#include <cmath>

#include "runtime/engine/language.h"

namespace ppc::players {
namespace {

using engine::InputError;
using engine::Json;

/// With the digits that a float needs, and not those that it would have as a double.
Json number(float value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  double out = value;
  if (error == std::errc()) std::from_chars(text, end, out);
  return Json(out);
}

class LocalPlayer final : public Player {
 public:
  LocalPlayer(std::shared_ptr<local::Model> m, std::shared_ptr<const LocalOptions> o, uint64_t seed)
      : model_(std::move(m)), options_(std::move(o)), session_(model_->open()), seed_(seed) {
    if (!options_->system.empty()) pending_.push_back({"system", options_->system});
  }
  bool waits() const override { return true; }

  void ask(const Request& r, std::function<void(Answer)> done) override {
    local::Ask ask;
    ask.sampling = options_->sampling;
    ask.masking = options_->masking;
    std::shared_ptr<local::Session> session = session_;
    try {
      catch_up(r);
      ask.sampling.seed = engine::mix_seed(seed_ + options_->sampling.seed, r.player, asked_, way_);
      ask.messages = pending_;
      // A side question is asked of a copy of the conversation, which is then forgotten.
      if (r.aside) {
        session = session_->fork();
        ask.messages.push_back({"user", std::string(r.message)});
      }
      if (ask.masking != local::Masking::Off) ask.language = language(r);
    } catch (const std::runtime_error& e) {  // the template does not allow for it, or what may stand in the form is not known
      return done(Unanswered{Unanswered::Why::Request, e.what()});
    }
    ++asked_;
    // Nothing else is done with this player until the answer has come.
    session->ask(std::move(ask), [this, session, aside = r.aside, done = std::move(done)](std::optional<local::Reply> reply, local::Failure failure) {
      using enum Unanswered::Why;
      if (!reply) return done(Unanswered{failure.stopped ? Stopped : failure.model ? Run : Unanswered::Why::Request, std::move(failure.error)});
      if (!aside) {
        pending_.clear();
        own_ = true;
      }
      Reply out;
      out.text = std::move(reply->text);
      out.valid = reply->valid;
      out.prompt_tokens = reply->prompt_tokens;
      out.reply_tokens = static_cast<int64_t>(reply->sample.ids.size());
      out.finish = reply->finish == local::Finish::Length ? Finish::Length : out.text.empty() ? Finish::Empty : Finish::Stop;
      out.sample = sample_json(reply->sample, options_->sampling);
      if (options_->logprobs) out.logprobs = spelled(reply->sample);
      out.model = model_->name();
      done(std::move(out));
    });
  }

  std::unique_ptr<Player> fork(Fork& f) const override {
    auto out = std::make_unique<LocalPlayer>(*this);
    out->session_ = session_->fork();
    out->way_ = engine::mix_seed(way_, f.way, 0, 0);
    return out;
  }

 private:
  /// Goes through what has happened since the last request.
  void catch_up(const Request& r) {
    for (; next_ < r.journal.entries.size(); ++next_) {
      const engine::Entry& e = r.journal.entries[next_];
      if (e.who != r.player || e.aside) continue;
      if (e.kind == PPC_EV_SEND) pending_.push_back({"user", e.text});
      if (e.kind != PPC_EV_GET && e.kind != PPC_EV_SAY) continue;
      if (e.kind == PPC_EV_GET && std::exchange(own_, false)) continue;
      // Of an earlier run that goes on here, or what the game said for the player.
      std::optional<local::Sample> sample;
      if (!e.sample.is_null()) sample = sample_of(e.sample);
      if (e.kind == PPC_EV_GET) ++asked_;
      session_->replay(std::exchange(pending_, {}), e.text, sample ? &*sample : nullptr);
    }
  }

  Json spelled(const local::Sample& s) const {
    auto token = [&](local::TokenId id, float logprob) {
      Json j = Json::object();
      const std::string bytes = model_->token_text(id), text = engine::lossy_utf8(bytes);
      j.add("token", text);
      j.add("logprob", number(logprob));
      if (text != bytes) {
        Json& list = j.add("bytes", Json::list());
        for (const char c : bytes) list.push(int64_t{static_cast<unsigned char>(c)});
      }
      return j;
    };
    Json out = Json::list();
    for (size_t i = 0; i < s.ids.size(); ++i) {
      Json one = token(s.ids[i], s.logprobs[i]);
      if (i < s.top.size() && !s.top[i].empty()) {
        Json& top = one.add("top_logprobs", Json::list());
        for (const local::Alternative& a : s.top[i]) top.push(token(a.id, a.logprob));
      }
      out.push(std::move(one));
    }
    return out;
  }

  /// The form of the move that is asked for.
  std::shared_ptr<const std::string> language(const Request& r) {
    const auto& module = r.episode.setting().module;
    const engine::MoveInfo& move = module->manifest().moves.at(r.move);
    if (!move.holes_entry) return {module, &move.language};
    // What may stand in it depends on where the episode is; often it is the same as the last time.
    engine::HoleTexts texts = engine::hole_texts(r.episode, r.worker);
    // Nothing is asked of a free reply but the form: a diagnosis does not go by aims.
    const auto aims = options_->masking == local::Masking::On ? engine::Aims::Kept : engine::Aims::Left;
    if (!filled_ || filled_move_ != r.move || filled_with_ != texts) {
      filled_ = std::make_shared<std::string>(engine::to_text(engine::to_json(engine::fill(engine::parse_form(engine::parse_json(move.language, move.name)), texts, aims))));
      filled_move_ = r.move;
      filled_with_ = std::move(texts);
    }
    return filled_;
  }

  std::shared_ptr<local::Model> model_;
  std::shared_ptr<const LocalOptions> options_;
  std::shared_ptr<local::Session> session_;
  uint64_t seed_ = 0, asked_ = 0, way_ = 0;  // way_: the branches of a point have one each
  std::vector<local::Message> pending_;
  size_t next_ = 0;
  bool own_ = false;  // the next reply in the journal is the session's own
  std::shared_ptr<const std::string> filled_;  // the form of the move that was asked for last, and what it was made of
  uint32_t filled_move_ = 0;
  engine::HoleTexts filled_with_;
};

}  // namespace

std::unique_ptr<Player> make_local(std::shared_ptr<local::Model> model, std::shared_ptr<const LocalOptions> options, uint64_t seed) {
  return std::make_unique<LocalPlayer>(std::move(model), std::move(options), seed);
}

Json sample_json(const local::Sample& s, const local::Sampling& by) {
  Json out = Json::object();
  Json &prompt = out.add("prompt", Json::list());
  for (const local::TokenId t : s.prompt) prompt.push(int64_t{t});
  Json &ids = out.add("ids", Json::list());
  for (const local::TokenId t : s.ids) ids.push(int64_t{t});
  Json &logprobs = out.add("logprobs", Json::list());
  for (const float l : s.logprobs) logprobs.push(number(l));
  out.add("mask", local::masking_name(s.masking));
  // What it takes to have the same distribution again; what changes nothing is left out.
  out.add("temperature", by.temperature);
  if (by.top_p != 1) out.add("top_p", by.top_p);
  if (by.top_k != 0) out.add("top_k", by.top_k);
  if (by.min_p != 0) out.add("min_p", by.min_p);
  if (by.repetition_penalty != 1) out.add("repetition_penalty", by.repetition_penalty);
  if (s.left_at >= 0) {
    out.add("left_at", s.left_at);
    out.add("expected", s.expected);
  }
  if (s.weights >= 0) out.add("weights", s.weights);
  return out;
}

local::Sample sample_of(const Json& j) {
  auto list = [&](const char* key) -> const Json::List& {
    const Json* v = j.find(key);
    if (!v || !v->is_list()) throw InputError(std::string("a sample has a list `") + key + "`");
    return v->items();
  };
  local::Sample out;
  auto ids = [&](const char* key, std::vector<local::TokenId>& to) {
    for (const Json& v : list(key)) {
      if (!v.is_int() || v.as_int() < 0 || v.as_int() > INT32_MAX) throw InputError(std::string("a sample's `") + key + "` are token ids");
      to.push_back(static_cast<local::TokenId>(v.as_int()));
    }
  };
  ids("prompt", out.prompt);
  ids("ids", out.ids);
  for (const Json& v : list("logprobs")) {
    if (!v.is_number()) throw InputError("a sample's `logprobs` are numbers");
    out.logprobs.push_back(static_cast<float>(v.as_float()));
  }
  if (out.logprobs.size() != out.ids.size()) throw InputError("a sample has a log-probability for each of its `ids`");
  if (const Json* mask = j.find("mask"); mask && mask->is_text()) out.masking = local::masking_of(mask->as_text()).value_or(local::Masking::Off);
  if (const Json* at = j.find("left_at"); at && at->is_int()) out.left_at = at->as_int();
  if (const Json* what = j.find("expected"); what && what->is_text()) out.expected = what->as_text();
  if (const Json* weights = j.find("weights"); weights && weights->is_int()) out.weights = weights->as_int();
  return out;
}

local::Sampling sampling_of(const Json& j) {
  local::Sampling out;
  auto real = [&](const char* key, double& to) {
    const Json* v = j.find(key);
    if (!v) return;
    if (!v->is_number() || !std::isfinite(v->as_float()) || v->as_float() < 0) throw InputError("a sample's `" + std::string(key) + "` is a number");
    to = v->as_float();
  };
  real("temperature", out.temperature);
  real("top_p", out.top_p);
  real("min_p", out.min_p);
  real("repetition_penalty", out.repetition_penalty);
  if (const Json* k = j.find("top_k")) {
    if (!k->is_int() || k->as_int() < 0) throw InputError("a sample's `top_k` is a number");
    out.top_k = k->as_int();
  }
  return out;
}

}  // namespace ppc::players
