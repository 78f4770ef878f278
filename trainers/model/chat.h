// A model folder's chat template (`chat_template.jinja`, or `chat_template` of `tokenizer_config.json`): a conversation becomes
// the ids that the model was trained on.
//
// What people, other models and games say is text and nothing else: a special token that is written in a message does not become
// one. Only the template's own text is looked through for special tokens. Otherwise the ids are those of Hugging Face's
// `apply_chat_template`.
//
// Errors: engine::InputError, "FILE: what is wrong", for a template that cannot be read, or says no (raise_exception).
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/engine/json.h"
#include "trainers/model/tokenizer.h"

namespace ppc::model {

struct ChatMessage { std::string role, content; };  // "system", "user", "assistant"

/// A rendered text of pieces. `literal` ones come from messages; a role that is a common word counts as the template's.
struct ChatPiece {
  std::string text;
  bool literal = false;
  int message = -1;     // whose content it is from, if any's
  size_t offset = 0;    // bytes in that content
  bool changed = false; // not as it stands there: upper case, escapes, …
};

class ChatTemplate {
 public:
  /// Of a model folder: `chat_template.jinja`, else `chat_template` in `tokenizer_config.json` (of several the one named "default"). Throws
  /// where there is none.
  static ChatTemplate load(const std::string& folder);
  /// `variables`: bos_token, eos_token, … as the template sees them.
  static ChatTemplate parse(const std::string& source, const engine::Json& variables, const std::string& file);
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  /// The conversation, and with `add_generation_prompt` what stands before the assistant's next reply. `extra`: an object with more variables,
  /// such as enable_thinking; `strftime_now` in it is the date that the template sees, "2024-07-26" or "2024-07-26T12:00:00" (else it is now).
  std::vector<ChatPiece> render(std::span<const ChatMessage>, bool add_generation_prompt, const engine::Json& extra = {}) const;
  /// What messages begin with.
  const std::string& file() const;

 private:
  struct Data;
  explicit ChatTemplate(std::unique_ptr<Data>);
  std::unique_ptr<Data> data_;
};

/// The pieces as one text: special tokens are looked for in what is not literal only; merges go across the pieces' ends.
std::vector<TokenId> encode_chat(const Tokenizer&, std::span<const ChatPiece>);

/// A conversation as a model sees it grow: what was fed and sampled stays, ids and all, and only what is new is rendered and encoded.
///
/// The template is asked for the whole conversation each time. Where it writes an earlier reply of the model otherwise than it was
/// sampled, or what stands before it otherwise than it was fed (Qwen3 leaves out earlier thinking), the ids stay as they are, and `kept`
/// tells. Where it writes anything else otherwise, what was fed no longer holds, and next() throws.
///
/// A copy is an aside: it can be asked and thrown away.
class Conversation {
 public:
  /// `ends`: what the generation configuration has as ends of a text. Without a date in `extra` it is today's, for good.
  Conversation(std::shared_ptr<const Tokenizer>, std::shared_ptr<const ChatTemplate>, engine::Json extra = {}, std::vector<TokenId> ends = {});
  /// The ids to be fed before the assistant's next reply, behind everything that has been fed and sampled. `messages`: the whole
  /// conversation, that which is here already and more. Throws engine::InputError where the template would write what was fed in another
  /// way now, or says no; names the turn.
  std::vector<TokenId> next(std::span<const ChatMessage> messages);
  /// What the model replied: its text, without the end token, and the ids sampled, the end token included if it was sampled.
  void replied(const std::string& text, std::span<const TokenId> ids);
  /// A reply that someone else gave in its place: encoded as the template writes it, by the following next().
  void given(const std::string& text);

  const std::vector<TokenId>& ids() const { return ids_; }                    // all of them
  const std::vector<ChatMessage>& messages() const { return messages_; }
  /// Ids that end a reply: what the template writes behind one (its first token, if that is a special one), and those of the generation
  /// configuration.
  std::vector<TokenId> ends() const;
  /// Replies that the template would write otherwise by now, "turn 3 (assistant): …"; each once.
  const std::vector<std::string>& kept() const { return kept_; }

 private:
  struct Reply { size_t message; bool blank = false; std::string before; };  // before: the text rendered between the reply before and this one
  struct Cut;
  Cut cut(std::span<const ChatMessage>, bool add_generation_prompt, size_t replies);
  void check(const Cut&, size_t reply);
  size_t opening(size_t reply, const std::string& fed);
  void keep(size_t message, const std::string& why);
  std::string turn(size_t message) const;
  [[noreturn]] void refuse(const std::string& what) const;

  std::shared_ptr<const Tokenizer> tokenizer_;
  std::shared_ptr<const ChatTemplate> template_;
  engine::Json extra_;
  std::vector<TokenId> given_ends_;
  std::vector<ChatMessage> messages_;
  std::vector<TokenId> ids_;
  std::vector<Reply> replies_;       // sampled ones
  bool waiting_ = false;             // for a reply
  std::string open_;                 // text rendered behind the last sampled reply
  int given_ = -1;                   // message that was given behind open_
  TokenId end_ = -1;                 // special token that the last reply ended with
  std::string tail_;                 // what was sampled behind the last reply's text, but for the end token
  std::vector<std::string> kept_;
};

}  // namespace ppc::model
