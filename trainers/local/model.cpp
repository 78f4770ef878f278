#include "trainers/local/model.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <mutex>
#include <utility>

#include "runtime/engine/episode.h"
#include "trainers/decode/constraint.h"
#include "trainers/local/adapter.h"
#include "trainers/model/talker.h"
#include "trainers/sampling/generator.h"

namespace ppc::trainers {
namespace {

using local::Ask;
using local::Failure;
using local::Masking;
using local::Message;
using local::Reply;
using local::Sample;
using model::TokenId;

/// What all conversations of a model have in common.
struct Shared : model::Talker {
  std::string description;

  /// The tokens of a move's form. Most games have few forms, some one for each instance: the last ones are kept.
  std::shared_ptr<const decode::Constraint> constraint(const std::string& language) {
    std::lock_guard lock(mutex_);
    if (!vocabulary_) vocabulary_ = decode::make_vocabulary(*tokenizer, vocab_size);
    auto at = constraints_.find(language);
    if (at == constraints_.end()) {
      if (constraints_.size() >= kForms)
        constraints_.erase(std::min_element(constraints_.begin(), constraints_.end(), [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
      at = constraints_.emplace(language, Form{}).first;
    }
    at->second.used = ++uses_;
    std::shared_ptr<const decode::Constraint>& known = at->second.constraint;
    if (!known) known = decode::make_constraint(vocabulary_, decode::parse_language(language.empty() ? engine::Json() : engine::parse_json(language, "the move's language")));
    return known;
  }

  // Last, so that its thread ends first.
  std::unique_ptr<sampling::Generator> generator;

 private:
  std::mutex mutex_;
  std::shared_ptr<const decode::Vocabulary> vocabulary_;
  struct Form {
    std::shared_ptr<const decode::Constraint> constraint;
    uint64_t used = 0;
  };
  static constexpr size_t kForms = 64;
  std::map<std::string, Form> constraints_;
  uint64_t uses_ = 0;
};

class ReplyJob final : public sampling::Job {
 public:
  ReplyJob(Ask ask, std::shared_ptr<Shared> shared, std::vector<TokenId> ends, std::shared_ptr<const decode::Constraint> constraint,
           std::function<void(Reply, const End&)> done)
      : ask_(std::move(ask)), shared_(std::move(shared)), ends_(std::move(ends)), constraint_(std::move(constraint)), done_(std::move(done)),
        decoder_(*shared_->tokenizer, true) {
    if (constraint_) state_ = constraint_->start();
    for (const std::string& s : ask_.sampling.stop) longest_stop_ = std::max(longest_stop_, s.size());
  }
  const local::Sampling& sampling() const override { return ask_.sampling; }

  std::span<const uint64_t> allowed(int64_t left) override {
    if (!constraint_ || ask_.masking != Masking::On) return {};
    mask_.resize((static_cast<size_t>(shared_->vocab_size) + 63) / 64);
    constraint_->mask(state_, left, mask_);
    if (constraint_->may_end(state_))
      for (const TokenId t : ends_) mask_[static_cast<size_t>(t) / 64] |= uint64_t{1} << t % 64;
    return mask_;
  }

  bool chosen(const sampling::Choice& c) override {
    Sample& s = reply_.sample;
    s.ids.push_back(c.id);
    s.logprobs.push_back(c.logprob);
    if (ask_.sampling.top_logprobs > 0) s.top.push_back(c.top);
    const bool end = std::find(ends_.begin(), ends_.end(), c.id) != ends_.end();
    if (constraint_ && state_ != decode::Constraint::kOut) {
      const auto next = end ? state_ : constraint_->step(state_, c.id);
      if (end ? !constraint_->may_end(state_) : next == decode::Constraint::kOut) {
        if (ask_.masking == Masking::Diagnose) left(static_cast<int64_t>(s.ids.size()) - 1, end ? std::nullopt : std::optional(c.id));
        state_ = decode::Constraint::kOut;
      } else {
        state_ = next;
      }
    }
    if (end) return false;
    const std::string more = decoder_.push(c.id);
    text_ += more;
    return !stop_text(more.size()) && tell(false);
  }

  void over(const End& e) override {
    if (!stopped_) text_ += decoder_.finish();
    if (!e.failed) {
      if (!stopped_) tell(true);
      if (e.full && constraint_ && ask_.masking == Masking::Diagnose && state_ != decode::Constraint::kOut && !constraint_->may_end(state_))
        left(static_cast<int64_t>(reply_.sample.ids.size()), std::nullopt);
    }
    reply_.text = engine::lossy_utf8(text_);
    reply_.valid = reply_.text == text_;
    reply_.finish = e.full ? local::Finish::Length : local::Finish::Stop;
    reply_.sample.masking = ask_.masking;
    reply_.prompt_tokens = e.prompt_tokens;
    reply_.cached_tokens = e.cached_tokens;
    done_(std::move(reply_), e);
  }

 private:
  void left(int64_t at, std::optional<TokenId> token) {
    reply_.sample.left_at = at;
    reply_.sample.expected = constraint_->expected(state_, token);
  }

  /// Whether one of the stop texts is there, of which something came just now; cuts the text before it.
  bool stop_text(size_t more) {
    if (longest_stop_ == 0 || more == 0) return false;
    const size_t from = text_.size() - std::min(text_.size(), more + longest_stop_ - 1);
    size_t at = std::string::npos;
    for (const std::string& s : ask_.sampling.stop) at = std::min(at, text_.find(s, from));
    if (at == std::string::npos) return false;
    text_.resize(at);
    stopped_ = true;
    tell(true);
    return true;
  }

  /// What can be no beginning of a stop text goes out. False: no more is wanted.
  bool tell(bool all) {
    if (!ask_.on_text) return true;
    size_t keep = 0;
    if (!all)
      for (const std::string& s : ask_.sampling.stop)
        for (size_t n = std::min(s.size() - 1, text_.size() - told_); n > keep; --n)
          if (text_.compare(text_.size() - n, n, s, 0, n) == 0) keep = n;
    const size_t end = text_.size() - keep;
    if (end <= told_) return true;
    const std::string piece = engine::lossy_utf8(std::string_view(text_).substr(told_, end - told_));
    told_ = end;
    return ask_.on_text(piece);
  }

  Ask ask_;
  std::shared_ptr<Shared> shared_;
  std::vector<TokenId> ends_;
  std::shared_ptr<const decode::Constraint> constraint_;
  std::function<void(Reply, const End&)> done_;
  model::StreamDecoder decoder_;
  decode::Constraint::State state_ = decode::Constraint::kOut;
  std::vector<uint64_t> mask_;
  Reply reply_;
  std::string text_;
  size_t longest_stop_ = 0, told_ = 0;
  bool stopped_ = false;
};

class ModelSession final : public local::Session {
 public:
  explicit ModelSession(std::shared_ptr<Shared> shared)
      : shared_(std::move(shared)), talk_(shared_->begin()), line_(shared_->generator->open()) {}
  ModelSession(const ModelSession& other)
      : shared_(other.shared_), talk_(std::make_shared<model::Conversation>(*other.talk_)), line_(shared_->generator->fork(other.line_)), fed_(other.fed_) {}

  void ask(Ask ask, std::function<void(std::optional<Reply>, Failure)> done) override {
    std::vector<TokenId> prompt, ends;
    std::shared_ptr<const decode::Constraint> constraint;
    try {
      if (!ask.prompt.empty()) return continue_ids(ask, done);
      prompt = talk_->next(with(ask.messages));
      ends = talk_->ends();
      if (ask.language && ask.masking != Masking::Off) constraint = shared_->constraint(*ask.language);
      if (constraint && ask.masking == Masking::On && constraint->distance(constraint->start()) > ask.sampling.max_tokens)
        throw engine::InputError("the shortest reply of this form has " + std::to_string(constraint->distance(constraint->start())) + " tokens, and max_tokens is " +
                                 std::to_string(ask.sampling.max_tokens));
    } catch (const std::exception& e) {
      return done(std::nullopt, {.error = e.what()});
    }
    std::vector<TokenId> fed = std::exchange(fed_, {});
    fed.insert(fed.end(), prompt.begin(), prompt.end());
    auto job = std::make_shared<ReplyJob>(std::move(ask), shared_, std::move(ends), std::move(constraint),
                                          [talk = talk_, fed = std::move(fed), done = std::move(done)](Reply reply, const sampling::Job::End& end) mutable {
                                            if (end.failed) return done(std::nullopt, end.failure);
                                            reply.sample.prompt = std::move(fed);
                                            talk->replied(reply.text, reply.sample.ids);
                                            done(std::move(reply), {});
                                          });
    shared_->generator->submit(line_, std::move(prompt), std::move(job));
  }

  void replay(std::vector<Message> said, const std::string& reply, const Sample* sample) override {
    const std::vector<TokenId> prompt = talk_->next(with(said));
    shared_->generator->append(*line_, prompt);
    fed_.insert(fed_.end(), prompt.begin(), prompt.end());
    if (!sample) return talk_->given(reply);  // its ids come with the next request's
    if (std::exchange(fed_, {}) != sample->prompt)
      throw engine::InputError("the conversation was fed other tokens then: the model's tokenizer or template has changed, or the game");
    talk_->replied(reply, sample->ids);
    shared_->generator->append(*line_, sample->ids);
  }

  std::unique_ptr<Session> fork() const override { return std::make_unique<ModelSession>(*this); }

 private:
  /// Ids that somebody else has made of a conversation: no template, no text.
  void continue_ids(Ask& ask, std::function<void(std::optional<Reply>, Failure)>& done) {
    if (!ask.messages.empty() || !talk_->ids().empty()) throw std::invalid_argument("a conversation has ids of its own");
    if (ask.masking != Masking::Off) throw engine::InputError("ids are continued without a mask");
    auto known = [&](TokenId t) {
      if (t < 0 || t >= shared_->vocab_size) throw engine::InputError("the model has no token " + std::to_string(t) + ": its vocabulary has " + std::to_string(shared_->vocab_size));
    };
    for (const TokenId t : ask.prompt) known(t);
    for (const TokenId t : ask.ends) known(t);
    std::vector<TokenId> prompt = std::move(ask.prompt), ends = std::move(ask.ends);
    if (ask.own_ends) ends.insert(ends.end(), shared_->ends.begin(), shared_->ends.end());
    auto job = std::make_shared<ReplyJob>(std::move(ask), shared_, std::move(ends), nullptr, [prompt, done = std::move(done)](Reply reply, const sampling::Job::End& end) mutable {
      if (end.failed) return done(std::nullopt, end.failure);
      reply.sample.prompt = std::move(prompt);
      done(std::move(reply), {});
    });
    shared_->generator->submit(line_, std::move(prompt), std::move(job));
  }

  /// The whole conversation.
  std::vector<model::ChatMessage> with(const std::vector<Message>& more) const {
    std::vector<model::ChatMessage> out = talk_->messages();
    for (const Message& m : more) out.push_back({m.role, m.content});
    return out;
  }

  std::shared_ptr<Shared> shared_;
  std::shared_ptr<model::Conversation> talk_;
  std::shared_ptr<sampling::Line> line_;
  std::vector<TokenId> fed_;  // since the last reply that was sampled
};

class FolderModel final : public Model {
 public:
  explicit FolderModel(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  ~FolderModel() override { shared_->generator->stop(); }
  std::unique_ptr<local::Session> open() override { return std::make_unique<ModelSession>(shared_); }
  const std::string& name() const override { return shared_->name; }
  int64_t context() const override { return shared_->context; }
  std::string token_text(TokenId id) const override { return std::string(shared_->tokenizer->token_bytes(id)); }
  local::Statistics statistics() const override { return shared_->generator->statistics(); }
  std::string describe() const override { return shared_->description; }
  void stop() override { shared_->generator->stop(); }
  void reload(const nn::WeightSource& source) override { shared_->generator->reload(source); }
  void load(const std::string& folder, const std::string& adapter) override {
    const model::ModelConfig& config = shared_->generator->network().config();
    const model::Weights weights = model::Weights::open(folder);
    std::optional<Adapter> lora;
    if (!adapter.empty()) lora.emplace(adapter, config);
    for (const auto& [name, shape] : model::tensors_of(config)) weights.get(name, shape);  // what is missing is found before anything is changed
    try {
      shared_->generator->reload([&](const std::function<void(const model::TensorView&)>& take) {
        for (const auto& [name, shape] : model::tensors_of(config)) {
          const model::TensorView& t = weights.get(name, shape);
          if (lora) lora->merged(t, take);
          else take(t);
        }
      });
    } catch (const std::invalid_argument& e) {
      throw local::Busy(e.what());
    }
  }

 private:
  std::shared_ptr<Shared> shared_;
};

std::string in_units(int64_t bytes) {
  char text[32];
  if (bytes < int64_t{1} << 30) std::snprintf(text, sizeof text, "%.0f MB", static_cast<double>(bytes) / 1e6);
  else std::snprintf(text, sizeof text, "%.1f GB", static_cast<double>(bytes) / 1e9);
  return text;
}

}  // namespace

std::unique_ptr<Model> make_model(const local::ModelOptions& options, std::unique_ptr<nn::Network> network) {
  auto shared = std::make_shared<Shared>();
  const model::ModelConfig& config = network->config();
  static_cast<model::Talker&>(*shared) = model::load_talker(options.folder, config, options.template_variables);
  const nn::Network::Memory memory = network->memory();
  shared->description = shared->name + ": " + std::to_string(config.num_hidden_layers) + " layers of " + std::to_string(config.hidden_size) + ", vocabulary " +
                        std::to_string(config.vocab_size) + ", context " + std::to_string(config.max_position_embeddings) + "; weights " + in_units(memory.weights) + ", cache " +
                        in_units(memory.cache) + " for " + std::to_string(network->pages() * network->page_size()) + " tokens";
  sampling::Generator::Options g;
  if (options.batch > 0) g.batch = options.batch;
  if (options.device.rfind("cuda", 0) == 0) g.chunk = 8192;
  shared->generator = std::make_unique<sampling::Generator>(std::move(network), g);
  return std::make_unique<FolderModel>(std::move(shared));
}

}  // namespace ppc::trainers
