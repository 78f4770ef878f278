#include <algorithm>
#include <utility>

#include "runtime/engine/episode.h"
#include "tools/fleet/fleet.h"
#include "trainers/model/talker.h"

namespace ppc::fleet {
namespace {

using engine::InputError;
using local::Ask;
using local::Failure;
using local::Message;
using local::Reply;
using local::Sample;
using local::TokenId;

/// What all conversations have in common.
struct Shared : model::Talker {
  std::shared_ptr<Fleet> fleet;
};

model::Talker talker_of(const local::ModelOptions& options) { return model::load_talker(options.folder, model::load_config(options.folder), options.template_variables); }

class FleetSession final : public local::Session {
 public:
  explicit FleetSession(std::shared_ptr<const Shared> shared)
      : shared_(std::move(shared)), talk_(shared_->begin()), home_(std::make_shared<int>(-1)) {}
  FleetSession(const FleetSession& other)
      : shared_(other.shared_), talk_(std::make_shared<model::Conversation>(*other.talk_)), home_(std::make_shared<int>(*other.home_)), fed_(other.fed_) {}

  void ask(Ask ask, std::function<void(std::optional<Reply>, Failure)> done) override {
    Fleet::Request request;
    std::vector<TokenId> fed;
    try {
      if (ask.masking != local::Masking::Off || ask.sampling.top_logprobs > 0) throw InputError("servers that sample take no masks, and tell no alternatives");
      const std::vector<TokenId> prompt = talk_->next(with(ask.messages));
      fed = std::exchange(fed_, {});
      fed.insert(fed.end(), prompt.begin(), prompt.end());
      request.prompt = talk_->ids();
      request.ends = talk_->ends();
      const int64_t context = std::min(shared_->context, shared_->fleet->context()), length = static_cast<int64_t>(request.prompt.size());
      if (length == 0) throw InputError("there is nothing to be continued: the prompt is empty");
      if (length >= context)
        throw InputError("the conversation has " + std::to_string(length) + " tokens, and the model takes " + std::to_string(context) + " with its reply");
      request.sampling = std::move(ask.sampling);
      request.sampling.max_tokens = std::min(request.sampling.max_tokens, context - length);
      request.home = *home_;
    } catch (const std::runtime_error& e) {
      return done(std::nullopt, {.error = e.what()});
    }
    const int64_t length = static_cast<int64_t>(request.prompt.size());
    const std::vector<TokenId> ends = request.ends;
    const std::vector<std::string> stops = request.sampling.stop;
    shared_->fleet->ask(std::move(request), [shared = shared_, talk = talk_, home = home_, ends, stops, fed = std::move(fed), length,
                                             done = std::move(done)](std::optional<Fleet::Answer> answer, Failure failure) mutable {
      if (!answer) return done(std::nullopt, std::move(failure));
      Sample s{.prompt = std::move(fed), .ids = std::move(answer->continuation.ids), .logprobs = std::move(answer->continuation.logprobs)};
      s.weights = answer->version;
      if (const auto at = std::find_if(s.ids.begin(), s.ids.end(), [&](TokenId t) { return t >= shared->vocab_size; }); at != s.ids.end())
        return done(std::nullopt, {.model = true, .error = "a server sampled token " + std::to_string(*at) + ", and the model has " + std::to_string(shared->vocab_size)});
      *home = answer->server;
      const bool ended = std::find(ends.begin(), ends.end(), s.ids.back()) != ends.end();
      model::StreamDecoder decoder(*shared->tokenizer, true);
      std::string text;
      bool stopped = false;
      for (size_t i = 0; i < s.ids.size() - ended && !stopped; ++i) {
        text += decoder.push(s.ids[i]);
        size_t at = std::string::npos;
        for (const std::string& stop : stops) at = std::min(at, text.find(stop));
        if (at == std::string::npos) continue;
        // The token that completed a stop text is the last, as it is here.
        stopped = true;
        text.resize(at);
        s.ids.resize(i + 1);
        s.logprobs.resize(i + 1);
      }
      if (!stopped) text += decoder.finish();
      if (!stopped && !ended && answer->continuation.finish == "stop")
        return done(std::nullopt, {.model = true, .error = "a server ended a reply with token " + std::to_string(s.ids.back()) + ", which ends none of this model, and without a stop text"});
      Reply out;
      out.text = engine::lossy_utf8(text);
      out.valid = out.text == text;
      out.finish = ended || stopped ? local::Finish::Stop : local::Finish::Length;
      out.prompt_tokens = length;
      talk->replied(out.text, s.ids);
      out.sample = std::move(s);
      done(std::move(out), {});
    });
  }

  void replay(std::vector<Message> said, const std::string& reply, const Sample* sample) override {
    const std::vector<TokenId> prompt = talk_->next(with(said));
    fed_.insert(fed_.end(), prompt.begin(), prompt.end());
    if (!sample) return talk_->given(reply);  // its ids come with the next request's
    if (std::exchange(fed_, {}) != sample->prompt)
      throw InputError("the conversation was fed other tokens then: the model's tokenizer or template has changed, or the game");
    talk_->replied(reply, sample->ids);
  }

  std::unique_ptr<Session> fork() const override { return std::make_unique<FleetSession>(*this); }

 private:
  std::vector<model::ChatMessage> with(const std::vector<Message>& more) const {
    std::vector<model::ChatMessage> out = talk_->messages();
    for (const Message& m : more) out.push_back({m.role, m.content});
    return out;
  }

  std::shared_ptr<const Shared> shared_;
  std::shared_ptr<model::Conversation> talk_;
  std::shared_ptr<int> home_;  // the server that replied last; -1: none
  std::vector<TokenId> fed_;   // since the last reply that was sampled
};

class FleetModel final : public local::Model {
 public:
  explicit FleetModel(Shared shared) : shared_(std::make_shared<const Shared>(std::move(shared))) {}
  ~FleetModel() override { shared_->fleet->stop(); }
  std::unique_ptr<local::Session> open() override { return std::make_unique<FleetSession>(shared_); }
  const std::string& name() const override { return shared_->name; }
  int64_t context() const override { return std::min(shared_->context, shared_->fleet->context()); }
  std::string token_text(TokenId id) const override { return std::string(shared_->tokenizer->token_bytes(id)); }
  local::Statistics statistics() const override {
    const FleetCounts c = shared_->fleet->counts();
    return {.prompt_tokens = c.prompt_tokens, .reply_tokens = c.reply_tokens, .seconds = c.seconds};
  }
  std::string describe() const override { return shared_->name + ": on " + std::to_string(shared_->fleet->counts().servers) + " servers"; }
  void stop() override { shared_->fleet->stop(); }

 private:
  std::shared_ptr<const Shared> shared_;
};

}  // namespace

std::shared_ptr<local::Model> make_fleet_model(const local::ModelOptions& options, std::shared_ptr<Fleet> fleet) {
  return std::make_shared<FleetModel>(Shared{talker_of(options), std::move(fleet)});
}

Fleet::Request probe_of(const local::ModelOptions& options) {
  const auto talk = talker_of(options).begin();
  const model::ChatMessage hello[] = {{"user", "Say what you like."}};
  talk->next(hello);
  Fleet::Request out;
  out.prompt = talk->ids();
  out.ends = talk->ends();
  return out;
}

}  // namespace ppc::fleet
