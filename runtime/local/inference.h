// Language models that compute in this process. What computes (LibTorch and all that) is a plugin: it takes longer to load than all
// of ppc, so that only a run with a local model loads it.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace ppc::local {

using TokenId = int32_t;

struct Message { std::string role, content; };  // "system", "user", "assistant"

/// How the next token is chosen, in this order: repetition penalty, mask, temperature, top_k, top_p, min_p.
struct Sampling {
  double temperature = 1;         // 0: the most likely token
  double top_p = 1, min_p = 0;
  int64_t top_k = 0;              // 0: all
  double repetition_penalty = 1;  // of all tokens that the conversation has so far (Keskar et al., arXiv:1909.05858)
  int64_t max_tokens = 512;       // new ones
  std::vector<std::string> stop = {};  // the reply ends before the first of these
  uint64_t seed = 0;              // the same seed, conversation and settings: the same reply
  int top_logprobs = 0;           // alternatives to each token that are wanted, at most 20
};

/// What a move's format does to the tokens. Diagnose: nothing, but the first token that leaves it is told.
enum class Masking : uint8_t { Off, Diagnose, On };
const char* masking_name(Masking);                     // "off", "diagnose", "on"
std::optional<Masking> masking_of(const std::string&);

struct Alternative { TokenId id; float logprob; };

/// What was fed and what was sampled. Strung together, those of a session's replies are all ids that the model has seen.
struct Sample {
  std::vector<TokenId> prompt;    // fed since the last reply
  std::vector<TokenId> ids;       // sampled, with the one that ended the reply
  std::vector<float> logprobs;    // of `ids`, under the distribution that they were sampled from: mask, temperature and the others included; at
                                  // temperature 0 under that of temperature 1
  std::vector<std::vector<Alternative>> top = {};  // of `ids`, where wanted; the likeliest first
  Masking masking = Masking::Off;
  int64_t left_at = -1;           // Diagnose: index of the first of `ids` that left the form; as many as there are: the reply ended too early; -1: none
  std::string expected = {};      // Diagnose: what the form wanted there
  int64_t weights = -1;           // of a model that is being trained, on a server: the step that its weights were of; -1: not known
};

enum class Finish : uint8_t { Stop, Length };  // Stop: the model ended the reply, or a stop text came

struct Reply {
  std::string text;        // valid UTF-8; bad bytes are U+FFFD
  bool valid = true;       // false: there were such
  Finish finish = Finish::Stop;
  Sample sample;
  int64_t prompt_tokens = 0, cached_tokens = 0;  // of the whole conversation before the reply; how many of them were not computed anew
};

struct Failure {
  bool stopped = false;    // by Model::stop
  bool model = false;      // not this request alone: the device failed
  std::string error;
};

struct Ask {
  std::vector<Message> messages;   // since the last reply
  Sampling sampling;
  Masking masking = Masking::Off;
  std::shared_ptr<const std::string> language = {};  // the move's, as the manifest has it (JSON); null: none
  std::function<bool(const std::string& text)> on_text = {};  // called with more text of the reply as it comes; false: no more is wanted
  std::vector<TokenId> prompt = {};  // in place of messages, in a session that has been asked nothing: these ids, as they are
  std::vector<TokenId> ends = {};    // tokens that end the reply, beside the model's own
  bool own_ends = true;              // false: only `ends`
};

/// A conversation. Only what is new in it is computed. One thread at a time; `ask` not before the last `done`.
class Session {
 public:
  virtual ~Session() = default;
  /// `done` is called once, in any case, from the model's thread. Without a reply the failure says why.
  virtual void ask(Ask, std::function<void(std::optional<Reply>, Failure)> done) = 0;
  /// What was asked and replied in an earlier run, or what someone else replied: `sample` null, then the text is encoded. Throws
  /// std::runtime_error where the template does not allow for it.
  virtual void replay(std::vector<Message> messages, const std::string& reply, const Sample* sample) = 0;
  /// A conversation that begins with this one. It shares what was computed. Not while this has been asked.
  virtual std::unique_ptr<Session> fork() const = 0;
};

struct ModelOptions {
  std::string folder;
  std::string device;              // "cpu", "cuda", "cuda:1"; empty: cuda where there is one
  std::string precision;           // "float32", "bfloat16"; empty: bfloat16 on cuda, else float32
  int threads = 0;                 // on the CPU; 0: as many as the machine has
  int64_t cache_tokens = 0;        // tokens of all conversations whose keys and values are kept; 0: half of the free memory
  int64_t batch = 0;               // conversations that are continued at once at most; 0: 256
  std::string template_variables;  // JSON object: what the chat template sees beside messages, such as {"enable_thinking": false}
  bool operator==(const ModelOptions&) const = default;
};

struct Statistics {
  int64_t prompt_tokens = 0, cached_tokens = 0, recomputed_tokens = 0, reply_tokens = 0, steps = 0;
  double seconds = 0;              // computing
};

class Model {
 public:
  virtual ~Model() = default;
  virtual std::unique_ptr<Session> open() = 0;
  /// "Qwen3-0.6B": the folder's name.
  virtual const std::string& name() const = 0;
  virtual int64_t context() const = 0;     // tokens
  virtual std::string token_text(TokenId) const = 0;  // its bytes
  virtual Statistics statistics() const = 0;
  virtual std::string describe() const = 0;  // one line: shape, precision, device, memory
  /// The weights of another folder with the same shapes, with an adapter (PEFT's layout) where one is named. Waits until it is done. Throws Busy while
  /// replies are being made, std::runtime_error for what does not fit, after which it must be given others before it plays.
  virtual void load(const std::string& folder, const std::string& adapter) {
    (void)folder, (void)adapter;
    throw std::runtime_error("this model takes no other weights");
  }
  /// What has been asked and all that follows fails as stopped.
  virtual void stop() = 0;
};
struct Busy : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The folder that a name stands for: the folder itself, or "ORGANISATION/NAME" in Hugging Face's cache (HF_HUB_CACHE, HF_HOME/hub,
/// ~/.cache/huggingface/hub). "~/" is the user's folder. A name that stands for none is given back as it is.
std::string model_folder(const std::string& name);
/// The names in that cache, in alphabetical order.
std::vector<std::string> cached_models();

/// Loads the plugin, and the model. Throws std::runtime_error, "FILE: what is wrong".
std::shared_ptr<Model> load_model(const ModelOptions&);

/// What the plugin exports under the name `ppc_load_model`. Null: *error says why.
using LoadModel = Model* (*)(int version, const ModelOptions&, std::string* error);
constexpr int kModelVersion = 2;

}  // namespace ppc::local
