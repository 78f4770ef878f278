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

/// A rendered text of pieces; `literal` ones come from messages.
struct ChatPiece { std::string text; bool literal = false; };

class ChatTemplate {
 public:
  /// Of a model folder. Throws where there is none.
  static ChatTemplate load(const std::string& folder);
  /// `variables`: bos_token, eos_token, … as the template sees them.
  static ChatTemplate parse(const std::string& source, const engine::Json& variables, const std::string& file);
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  /// The conversation, and with `add_generation_prompt` what stands before the assistant's next reply. `extra`: more variables, such as
  /// enable_thinking.
  std::vector<ChatPiece> render(std::span<const ChatMessage>, bool add_generation_prompt, const engine::Json& extra = {}) const;

 private:
  struct Data;
  explicit ChatTemplate(std::unique_ptr<Data>);
  std::unique_ptr<Data> data_;
};

/// The pieces as one text: special tokens are looked for in what is not literal only; merges go across the pieces' ends.
std::vector<TokenId> encode_chat(const Tokenizer&, std::span<const ChatPiece>);

/// A conversation as a model sees it grow: what was fed and sampled stays, ids and all, and only what is new is rendered and encoded.
class Conversation {
 public:
  Conversation(std::shared_ptr<const Tokenizer>, std::shared_ptr<const ChatTemplate>, engine::Json extra = {});
  /// The ids to be fed before the assistant's next reply, behind everything that has been fed and sampled. Throws engine::InputError
  /// where the template would write earlier turns in another way now, so that what was fed no longer holds; says which.
  std::vector<TokenId> next(std::span<const ChatMessage> messages);
  /// What the model replied: its text, and the ids sampled, the end token included if it was sampled.
  void replied(const std::string& text, std::span<const TokenId> ids);
  /// A reply that someone else gave in its place: encoded as the template writes it.
  void given(const std::string& text);

  const std::vector<TokenId>& ids() const { return ids_; }                    // all of them
  const std::vector<ChatMessage>& messages() const { return messages_; }
  /// Ids that end a reply, as the template writes it behind one (the first token), with those of the generation configuration.
  std::vector<TokenId> ends() const;

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::shared_ptr<const ChatTemplate> template_;
  engine::Json extra_;
  std::vector<ChatMessage> messages_;
  std::vector<TokenId> ids_;
};

}  // namespace ppc::model
