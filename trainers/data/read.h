// Lines of `ppc export` (docs/export.md), or of anyone else in TRL's forms, become what trainers learn from.
//
//   prompt, completion           conversational lists, or two texts; trained: the assistant's replies in `completion`
//   messages                     trained: all replies of the assistant
//   prompt, chosen, rejected     a pair
//
// With `ids` in the line its tokens are those that were sampled and fed. Without, the conversation grows as it does in play (model::Conversation):
// what stands before a reply is what the template writes before the assistant's next one, a reply is its text's tokens, and the token
// that ends it is the first that the template writes behind one. So the learner is trained on what it will be asked.
//
// Errors: engine::InputError, "FILE:LINE: `key`: what is wrong", lines from 1; engine::SystemError for a file that cannot be read to its end.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "runtime/engine/json.h"
#include "trainers/data/example.h"
#include "trainers/model/chat.h"

namespace ppc::data {

/// How the learner's model reads. Of a folder, or put together.
struct Encoder {
  std::shared_ptr<const model::Tokenizer> tokenizer;
  std::shared_ptr<const model::ChatTemplate> chat;  // null: there is none, and only texts and exact ids can be read
  engine::Json variables;                           // what the template sees beside messages; `strftime_now` fixes its date
  std::vector<TokenId> ends;                        // of the generation configuration: the first ends a reply where the template ends none
  int64_t vocab_size = 0;                           // of the model; 0: the tokenizer's
};
/// With a `strftime_now` of today where there is none. Whoever encodes again on another day, and wants the same ids, keeps it.
engine::Json dated(engine::Json variables);
/// Of a model folder. A missing chat template is no error yet.
Encoder load_encoder(const std::string& folder, engine::Json variables = {});

enum class Ids : uint8_t {
  Auto,    // those in the line where it has them, else the texts are encoded
  Exact,   // those in the line; one without is an error
  Encode,  // the texts are encoded, whatever the line has
};
enum class TooLong : uint8_t {
  Drop,  // leaves the example out
  Cut,   // ends it behind the last trained reply that fits; leaves it out when none does
};

/// Which lines, by their columns; of a pair by those of `chosen`. What is empty chooses all.
struct Filter {
  std::set<std::string> games, roles, models, outcomes;
  std::optional<double> min_score, max_score;  // of the Main Score; a line without one is left out
  bool clean = false;                          // no reply broke a rule
  bool operator()(const Origin&) const;
};

struct ReadOptions {
  Ids ids = Ids::Auto;
  int64_t max_length = 0;  // tokens of an example; 0: any
  TooLong too_long = TooLong::Drop;
  Filter filter = {};
};

struct Statistics {
  struct Sum { int64_t examples = 0, tokens = 0, trained = 0, replies = 0; };  // `trained` tokens in so many `replies`
  Sum all;                          // of what is kept; the two of a pair are two examples
  std::map<std::string, Sum> games;
  int64_t lines = 0;                // read
  int64_t pairs = 0;                // kept
  int64_t exact = 0;                // examples with the ids of their line
  int64_t filtered = 0;             // lines
  int64_t dropped = 0;              // examples that were too long; of pairs, pairs with one
  int64_t cut = 0, cut_replies = 0; // examples that were cut, and how many replies that cost
  int64_t rewritten = 0;            // examples of which the template would write earlier replies otherwise by now; they stay as they were said
  std::string rewritten_first;      // "FILE:LINE: turn 2 (assistant): …"
  std::vector<int64_t> lengths;     // tokens of every example before any was dropped or cut, ascending
  /// Nearest rank; 0 when there is none.
  int64_t length(double percent) const;
  engine::Json to_json() const;
  /// A few lines for people.
  std::string describe() const;
};

template <class T>
struct DataSet {
  std::vector<T> all;
  Statistics statistics;
};
using Examples = DataSet<Example>;
using Pairs = DataSet<Pair>;

/// `where` stands in front of errors.
Example read_example(const engine::Json& line, const std::string& where, const Encoder&, Ids = Ids::Auto);
Pair read_pair(const engine::Json& line, const std::string& where, const Encoder&, Ids = Ids::Auto);

/// Lines one by one, as they come: Reader<Example>, Reader<Pair>.
template <class T>
class Reader {
 public:
  Reader(Encoder, ReadOptions);
  /// `where` stands in front of errors; empty: what the line says to be its source, or which one it is.
  void add(const engine::Json& line, const std::string& where = "");
  DataSet<T> finish();  // once

 private:
  Encoder encoder_;
  ReadOptions options_;
  DataSet<T> out_;
};
extern template class Reader<Example>;
extern template class Reader<Pair>;

/// A JSON Lines file, line by line; empty lines are none.
void each_line(const std::string& file, const std::function<void(const engine::Json&, const std::string& where)>&);

Examples read_examples(const std::string& file, const Encoder&, const ReadOptions& = {});
Pairs read_pairs(const std::string& file, const Encoder&, const ReadOptions& = {});
/// Lines in memory; errors name `source` of the line, or its place.
Examples read_examples(std::span<const engine::Json> lines, const Encoder&, const ReadOptions& = {});
Pairs read_pairs(std::span<const engine::Json> lines, const Encoder&, const ReadOptions& = {});

}  // namespace ppc::data
