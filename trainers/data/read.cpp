#include "trainers/data/read.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <limits>
#include <type_traits>

#include "runtime/engine/episode.h"
#include "trainers/model/config.h"

namespace ppc::data {
namespace {

using engine::describe;
using engine::InputError;
using engine::Json;
using model::ChatMessage;

constexpr size_t kMaxLine = size_t{128} << 20;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
const char* const kEncode = "; `data.ids: encode` encodes the texts instead";

[[noreturn]] void fail(const std::string& where, const std::string& key, const std::string& what) { throw InputError(where + ": `" + key + "`: " + what); }
[[noreturn]] void wrong(const std::string& where, const std::string& key, const std::string& expected, const Json* found) {
  fail(where, key, "expected " + expected + ", found " + (found ? describe(*found) : "nothing"));
}

// ---- what a line says

struct Said : ChatMessage {
  bool trained = false;
  std::string key;  // "completion[2]"
};

std::vector<Said> read_messages(const Json& line, const std::string& key, const std::string& where, bool trained) {
  const Json* list = line.find(key);
  if (!list || !list->is_list()) wrong(where, key, "a list of messages", list);
  std::vector<Said> out;
  for (size_t i = 0; i < list->items().size(); ++i) {
    const Json& m = list->items()[i];
    Said s;
    s.key = key + "[" + std::to_string(i) + "]";
    if (!m.is_object()) wrong(where, s.key, "an object with `role` and `content`", &m);
    const Json *role = m.find("role"), *content = m.find("content");
    if (!role || !role->is_text()) wrong(where, s.key + ".role", "text", role);
    if (role->as_text() != "system" && role->as_text() != "user" && role->as_text() != "assistant") wrong(where, s.key + ".role", "system, user or assistant", role);
    if (!content || !content->is_text()) wrong(where, s.key + ".content", "text", content);
    s.role = role->as_text();
    s.content = content->as_text();
    s.trained = trained && s.role == "assistant";
    out.push_back(std::move(s));
  }
  return out;
}

std::string text_or(const Json& line, const std::string& key) {
  const Json* v = line.find(key);
  return v && v->is_text() ? v->as_text() : "";
}
/// Lines of others may use these names for anything: what is of another type says nothing.
Origin read_origin(const Json& line, const std::string& prefix) {
  Origin o;
  o.game = text_or(line, "game");
  o.experiment = text_or(line, "experiment");
  o.instance_id = text_or(line, "instance_id");
  o.role = text_or(line, "role");
  o.source = text_or(line, prefix + "source");
  o.episode = text_or(line, prefix + "episode");
  o.model = text_or(line, prefix + "model");
  o.outcome = text_or(line, prefix + "outcome");
  o.violation = text_or(line, prefix + "violation");
  const Json *score = line.find(prefix + "score"), *reward = line.find(prefix + "reward");
  o.score = score && score->is_number() ? score->as_float() : std::nan("");
  o.reward = reward && reward->is_number() ? reward->as_float() : 0;
  return o;
}

// ---- ids that the line has

bool has_ids(const Json& line, const std::string& prefix) {
  const Json* ids = line.find(prefix + "ids");
  return ids && !ids->is_null();
}

Sampled read_sampled(const Json& line, const std::string& key, const std::string& where) {
  Sampled out;
  const Json* v = line.find(key);
  if (!v || v->is_null()) return out;
  if (!v->is_object()) wrong(where, key, "an object", v);
  const Json* mask = v->find("mask");
  if (mask) {
    if (!mask->is_text() || (mask->as_text() != "off" && mask->as_text() != "diagnose" && mask->as_text() != "on")) wrong(where, key + ".mask", "off, diagnose or on", mask);
    out.mask = mask->as_text();
  }
  auto real = [&](const char* name, double otherwise) {
    const Json* x = v->find(name);
    if (!x) return otherwise;
    if (!x->is_number() || !std::isfinite(x->as_float()) || x->as_float() < 0) wrong(where, key + "." + name, "a number from 0", x);
    return x->as_float();
  };
  out.temperature = real("temperature", 1);
  out.top_p = real("top_p", 1);
  out.min_p = real("min_p", 0);
  out.repetition_penalty = real("repetition_penalty", 1);
  if (const Json* k = v->find("top_k")) {
    if (!k->is_int() || k->as_int() < 0) wrong(where, key + ".top_k", "an int from 0", k);
    out.top_k = k->as_int();
  }
  return out;
}

std::string_view trim(std::string_view s) {
  const size_t begin = s.find_first_not_of(" \t\r\n");
  return begin == std::string_view::npos ? std::string_view() : s.substr(begin, s.find_last_not_of(" \t\r\n") + 1 - begin);
}
std::string shown(std::string_view text) {
  std::string s(text.substr(0, 60));
  while (!s.empty() && text.size() > s.size() && (text[s.size()] & 0xC0) == 0x80) s.pop_back();
  if (s.size() < text.size()) s += "…";
  return engine::to_text(s);
}

/// Whether the ids say what the messages say: those of another tokenizer say something else.
void check_texts(const Example& e, const std::vector<Said>& said, const std::string& key, const std::string& where, const model::Tokenizer& tokenizer) {
  auto text = [&](size_t from, size_t to) {
    return engine::lossy_utf8(tokenizer.decode(std::span(e.ids).subspan(from, to - from), true));
  };
  // What a tokenizer makes of a text: some normalize it, or have no token for a byte.
  auto as_read = [&](std::string_view s) { return engine::lossy_utf8(tokenizer.decode(tokenizer.encode(s, {.parse_special = false}), true)); };
  auto no = [&](const Said& m, std::string_view found) {
    fail(where, key, "decoded, they do not say what `" + m.key + "` says: " + shown(trim(m.content)) + " is not in " + shown(found) +
                         ". They are of another tokenizer than the learner's, or the template changes messages" + kEncode);
  };
  size_t at = 0, offset = 0;
  std::string fed;
  auto feed = [&] {  // what was fed up to the next reply that is trained
    const size_t from = at;
    while (at < e.ids.size() && !e.trained[at]) ++at;
    fed = text(from, at);
    offset = 0;
  };
  auto find = [&](std::string_view message) {  // behind it, in what was fed
    const std::string_view content = trim(message);
    const size_t found = fed.find(content, offset);
    if (found != std::string::npos) return found + content.size();
    const std::string read = as_read(content);
    const size_t again = fed.find(read, offset);
    return again == std::string::npos ? again : again + read.size();
  };
  feed();
  for (const Said& m : said) {
    if (!m.trained) {
      if (at == e.ids.size() && offset == 0 && fed.empty()) continue;  // behind the last reply: nobody has read it
      size_t behind = find(m.content);
      // Messages that came one after the other are one in the line, with an empty line between.
      for (std::string_view rest = m.content; behind == std::string::npos;) {
        const size_t n = rest.find("\n\n");
        if (n == std::string_view::npos && rest.size() == m.content.size()) break;
        const size_t part = find(rest.substr(0, n));
        if (part == std::string::npos) break;
        offset = part;
        if (n == std::string_view::npos) behind = part;
        else rest.remove_prefix(n + 2);
      }
      if (behind == std::string::npos) no(m, std::string_view(fed).substr(offset));
      offset = behind;
      continue;
    }
    if (at == e.ids.size()) fail(where, key, "`trained` has fewer replies than there are messages of the learner: `" + m.key + "` is missing" + kEncode);
    const size_t from = at;
    while (at < e.ids.size() && e.trained[at]) ++at;
    const std::string reply = text(from, at);
    if (!reply.starts_with(m.content) && !reply.starts_with(as_read(m.content))) no(m, reply);
    feed();
  }
  if (at != e.ids.size()) fail(where, key, "`trained` has more replies than there are messages of the learner" + std::string(kEncode));
}

void number_replies(Example& e) {
  e.turn.assign(e.ids.size(), -1);
  int32_t reply = -1;
  for (size_t i = 0; i < e.ids.size(); ++i) {
    if (!e.trained[i]) continue;
    if (!e.trained[i - 1]) ++reply;  // the first is never trained
    e.turn[i] = reply;
  }
}

Example read_exact(const Json& line, const std::string& prefix, const std::vector<Said>& said, const std::string& where, const Encoder& encoder) {
  Example e;
  e.exact = true;
  const std::string key = prefix + "ids";
  const Json *ids = line.find(key), *trained = line.find(prefix + "trained"), *logprobs = line.find(prefix + "logprobs");
  if (!ids->is_list()) wrong(where, key, "a list of token ids", ids);
  const int64_t most = encoder.vocab_size > 0 ? encoder.vocab_size : static_cast<int64_t>(encoder.tokenizer->size());
  for (const Json& v : ids->items()) {
    if (!v.is_int()) wrong(where, key, "token ids", &v);
    if (v.as_int() < 0 || v.as_int() >= most) {
      fail(where, key, "the learner has no token " + std::to_string(v.as_int()) + ", its vocabulary has " + std::to_string(most) + ": they are of another tokenizer" + kEncode);
    }
    e.ids.push_back(static_cast<TokenId>(v.as_int()));
  }
  if (!trained || !trained->is_list()) wrong(where, prefix + "trained", "a list of 0 and 1", trained);
  if (trained->items().size() != e.ids.size()) {
    fail(where, prefix + "trained", "has " + std::to_string(trained->items().size()) + " of 0 and 1, and `" + key + "` has " + std::to_string(e.ids.size()));
  }
  for (const Json& v : trained->items()) {
    if (!v.is_int() || (v.as_int() != 0 && v.as_int() != 1)) wrong(where, prefix + "trained", "0 or 1", &v);
    e.trained.push_back(static_cast<uint8_t>(v.as_int()));
  }
  if (!e.trained.empty() && e.trained[0]) fail(where, prefix + "trained", "the first id has nothing before it, and cannot be trained");
  const auto count = static_cast<size_t>(std::count(e.trained.begin(), e.trained.end(), 1));
  if (count == 0) fail(where, prefix + "trained", "nothing is trained");
  if (logprobs && !logprobs->is_null()) {
    if (!logprobs->is_list()) wrong(where, prefix + "logprobs", "a list of numbers", logprobs);
    if (logprobs->items().size() != count) {
      fail(where, prefix + "logprobs", "has " + std::to_string(logprobs->items().size()) + " numbers, and " + std::to_string(count) + " ids are trained");
    }
    size_t next = 0;
    e.logprobs.assign(e.ids.size(), kNan);
    for (size_t i = 0; i < e.ids.size(); ++i) {
      if (!e.trained[i]) continue;
      const Json& v = logprobs->items()[next++];
      if (v.is_null()) continue;
      // A little above 0 is rounding; far below float's range is no probability.
      if (!v.is_number() || !(v.as_float() <= 1e-3) || v.as_float() < -1e30) wrong(where, prefix + "logprobs", "log-probabilities, or null", &v);
      e.logprobs[i] = static_cast<float>(v.as_float());
    }
  }
  e.sampled = read_sampled(line, prefix + "sampled", where);
  check_texts(e, said, key, where, *encoder.tokenizer);
  return e;
}

// ---- texts that become ids

TokenId end_of_reply(const Encoder& encoder, const std::string& where) {
  if (encoder.chat) {
    const std::vector<TokenId> ends = model::Conversation(encoder.tokenizer, encoder.chat, encoder.variables).ends();
    if (!ends.empty()) return ends[0];
  }
  if (!encoder.ends.empty()) return encoder.ends[0];
  throw InputError(where + ": " + (encoder.chat ? encoder.chat->file() + ": the template writes no special token behind a reply, and" : "there is no chat template, and") +
                   " the model's configuration names no `eos_token_id`: the learner could not learn to end a reply");
}

void push(Example& e, std::span<const TokenId> ids, bool trained) {
  e.ids.insert(e.ids.end(), ids.begin(), ids.end());
  e.trained.insert(e.trained.end(), ids.size(), trained);
}

Example encode_messages(const std::vector<Said>& said, const std::string& where, const Encoder& encoder, std::string* rewritten) {
  if (!encoder.chat) throw InputError(where + ": the model's folder has no chat template, and without one messages cannot be encoded; put one that fits the model into its chat_template.jinja");
  Example e;
  try {
    const TokenId end = end_of_reply(encoder, where);
    model::Conversation talk(encoder.tokenizer, encoder.chat, encoder.variables, encoder.ends);
    const std::vector<ChatMessage> messages(said.begin(), said.end());
    for (size_t i = 0; i < said.size(); ++i) {
      if (said[i].role != "assistant") continue;
      push(e, talk.next(std::span(messages).first(i)), false);
      std::vector<TokenId> ids = encoder.tokenizer->encode(said[i].content, {.parse_special = false});
      ids.push_back(end);
      talk.replied(said[i].content, ids);
      push(e, ids, said[i].trained);
    }
    if (!talk.kept().empty() && rewritten) *rewritten = talk.kept()[0];
  } catch (const InputError& error) {
    const std::string what = error.what();
    throw InputError(what.starts_with(where) ? what : where + ": " + what);
  } catch (const std::length_error&) {
    throw InputError(where + ": too long to be encoded");
  }
  return e;
}

Example encode_texts(const std::string& prompt, const std::string& completion, const std::string& where, const Encoder& encoder) {
  Example e;
  std::vector<TokenId> ids;
  try {
    ids = encoder.tokenizer->encode(prompt, {.parse_special = true, .add_special_tokens = true});
    push(e, ids, false);
    ids = encoder.tokenizer->encode(completion, {.parse_special = false});
  } catch (const std::length_error&) {
    throw InputError(where + ": too long to be encoded");
  }
  ids.push_back(end_of_reply(encoder, where));
  push(e, ids, true);
  return e;
}

// ---- lines

bool is_text(const Json& line, const char* key) {
  const Json* v = line.find(key);
  return v && v->is_text();
}

/// The first token has nothing before it; what stands behind the last reply teaches nothing.
void finish(Example& e, const std::string& where, const std::string& key) {
  if (!e.trained.empty()) e.trained[0] = 0;
  const auto last = std::find(e.trained.rbegin(), e.trained.rend(), 1);
  const auto n = static_cast<size_t>(e.trained.rend() - last);
  if (n == 0) fail(where, key, "nothing is trained: there is no reply of the assistant");
  e.ids.resize(n);
  e.trained.resize(n);
  if (!e.logprobs.empty()) e.logprobs.resize(n);
  number_replies(e);
}

Example read_side(const Json& line, const std::string& where, const Encoder& encoder, Ids ids, const char* answer, const std::string& prefix, std::string* rewritten) {
  if (!line.is_object()) throw InputError(where + ": expected an object, found " + describe(line));
  Example e;
  const bool pair = !prefix.empty(), whole = !pair && line.find("messages");
  if (!whole && !line.find(answer)) {
    if (pair) throw InputError(where + ": no `" + std::string(answer) + "`: a line has `prompt`, `chosen` and `rejected` (ppc export --format dpo)");
    throw InputError(where + ": neither `messages` nor `completion`: a line has `messages`, or `prompt` and `completion` (ppc export --format sft)");
  }
  const bool exact = ids != Ids::Encode && has_ids(line, prefix);
  if (ids == Ids::Exact && !exact) {
    fail(where, prefix + "ids", "missing: the line does not say which tokens were sampled (ppc export --ids)" + std::string(kEncode));
  }
  if (!whole && is_text(line, "prompt") && is_text(line, answer)) {
    if (exact) fail(where, prefix + "ids", "of texts there are none: `prompt` and `" + std::string(answer) + "` have to be lists of messages" + kEncode);
    e = encode_texts(line.find("prompt")->as_text(), line.find(answer)->as_text(), where, encoder);
  } else {
    std::vector<Said> said;
    if (whole) {
      said = read_messages(line, "messages", where, true);
    } else {
      said = read_messages(line, "prompt", where, false);
      std::vector<Said> more = read_messages(line, answer, where, true);
      said.insert(said.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    }
    if (std::none_of(said.begin(), said.end(), [](const Said& s) { return s.trained; })) fail(where, whole ? "messages" : answer, "nothing is trained: there is no reply of the assistant");
    e = exact ? read_exact(line, prefix, said, where, encoder) : encode_messages(said, where, encoder, rewritten);
  }
  finish(e, where, whole ? "messages" : answer);
  e.origin = read_origin(line, prefix);
  return e;
}

// ---- many lines

int64_t replies_of(const Example& e) { return e.turn.empty() ? 0 : *std::max_element(e.turn.begin(), e.turn.end()) + 1; }

/// False: not even the first reply fits.
bool shorten(Example& e, int64_t most) {
  size_t keep = 0;
  for (size_t i = 0; i < e.ids.size() && static_cast<int64_t>(i) < most; ++i)
    if (e.trained[i] && (i + 1 == e.ids.size() || e.turn[i + 1] != e.turn[i])) keep = i + 1;
  if (keep == 0) return false;
  e.ids.resize(keep);
  e.trained.resize(keep);
  e.turn.resize(keep);
  if (!e.logprobs.empty()) e.logprobs.resize(keep);
  return true;
}

/// False: it is too long.
bool fits(Example& e, const ReadOptions& o, Statistics& s) {
  if (o.max_length == 0 || static_cast<int64_t>(e.ids.size()) <= o.max_length) return true;
  const int64_t before = replies_of(e);
  if (o.too_long == TooLong::Drop || !shorten(e, o.max_length)) return false;
  ++s.cut;
  s.cut_replies += before - replies_of(e);
  return true;
}
void note(Statistics& s, const std::string& rewritten, const std::string& where) {
  if (rewritten.empty()) return;
  if (s.rewritten++ == 0) s.rewritten_first = where + ": " + rewritten;
}
void count(Statistics& s, const Example& e) {
  for (Statistics::Sum* sum : {&s.all, &s.games[e.origin.game]}) {
    ++sum->examples;
    sum->tokens += static_cast<int64_t>(e.ids.size());
    sum->trained += std::count(e.trained.begin(), e.trained.end(), 1);
    sum->replies += replies_of(e);
  }
  s.exact += e.exact;
}

void read_one(const Json& line, const std::string& where, const Encoder& encoder, const ReadOptions& o, Examples& to) {
  Statistics& s = to.statistics;
  std::string rewritten;
  Example e = read_side(line, where, encoder, o.ids, "completion", "", &rewritten);
  note(s, rewritten, where);
  s.lengths.push_back(static_cast<int64_t>(e.ids.size()));
  if (!fits(e, o, s)) return void(++s.dropped);
  count(s, e);
  to.all.push_back(std::move(e));
}
void read_one(const Json& line, const std::string& where, const Encoder& encoder, const ReadOptions& o, Pairs& to) {
  Statistics& s = to.statistics;
  std::string rewritten[2];
  Pair p{read_side(line, where, encoder, o.ids, "chosen", "chosen_", &rewritten[0]), read_side(line, where, encoder, o.ids, "rejected", "rejected_", &rewritten[1])};
  for (const std::string& r : rewritten) note(s, r, where);
  for (const Example* e : {&p.chosen, &p.rejected}) s.lengths.push_back(static_cast<int64_t>(e->ids.size()));
  Statistics cut;
  // Cut, both may say the same.
  if (!fits(p.chosen, o, cut) || !fits(p.rejected, o, cut) || p.chosen.ids == p.rejected.ids) return void(++s.dropped);
  s.cut += cut.cut;
  s.cut_replies += cut.cut_replies;
  count(s, p.chosen);
  count(s, p.rejected);
  ++s.pairs;
  to.all.push_back(std::move(p));
}

template <class T>
constexpr const char* kPrefix = std::is_same_v<T, Pair> ? "chosen_" : "";

template <class T>
DataSet<T> read_file(const std::string& file, const Encoder& encoder, const ReadOptions& options) {
  Reader<T> reader(encoder, options);
  each_line(file, [&](const Json& line, const std::string& where) { reader.add(line, where); });
  DataSet<T> out = reader.finish();
  if (out.statistics.lines == 0) throw InputError(file + ": no line there");
  return out;
}
template <class T>
DataSet<T> read_lines(std::span<const Json> lines, const Encoder& encoder, const ReadOptions& options) {
  Reader<T> reader(encoder, options);
  for (const Json& line : lines) reader.add(line);
  return reader.finish();
}

}  // namespace

Json dated(Json variables) {
  if (variables.is_null()) variables = Json::object();
  if (!variables.is_object()) throw InputError("the chat template's variables: expected an object, found " + describe(variables));
  if (!variables.find("strftime_now")) {
    const std::time_t now = std::time(nullptr);
    std::tm day{};
    char date[16];
    variables.add("strftime_now", std::string(date, std::strftime(date, sizeof date, "%Y-%m-%d", localtime_r(&now, &day))));
  }
  return variables;
}

Encoder load_encoder(const std::string& folder, Json variables) {
  Encoder out;
  out.tokenizer = std::make_shared<const model::Tokenizer>(model::Tokenizer::load(folder));
  out.variables = dated(std::move(variables));
  const model::ModelConfig config = model::load_config(folder);
  out.vocab_size = config.vocab_size;
  if (static_cast<int64_t>(out.tokenizer->size()) > config.vocab_size) {
    throw InputError(folder + ": the tokenizer has ids up to " + std::to_string(out.tokenizer->size() - 1) + ", and the model a vocabulary of " + std::to_string(config.vocab_size));
  }
  for (const int64_t t : model::load_generation_config(folder, config).eos_token_id) {
    if (t < 0 || t >= config.vocab_size) throw InputError(folder + "/generation_config.json: `eos_token_id`: the model has no token " + std::to_string(t));
    out.ends.push_back(static_cast<TokenId>(t));
  }
  // A base model has none; exact ids and plain texts do not need one.
  std::error_code ec;
  const std::filesystem::path path(folder);
  bool there = std::filesystem::exists(path / "chat_template.jinja", ec) || std::filesystem::exists(path / "chat_template.json", ec);
  if (!there && std::filesystem::exists(path / "tokenizer_config.json", ec)) {
    const Json tokens = engine::load_json((path / "tokenizer_config.json").string());
    const Json* chat = tokens.find("chat_template");
    there = chat && !chat->is_null();
  }
  if (there) out.chat = std::make_shared<const model::ChatTemplate>(model::ChatTemplate::load(folder));
  return out;
}

bool Filter::operator()(const Origin& o) const {
  if (!games.empty() && !games.contains(o.game)) return false;
  if (!roles.empty() && !roles.contains(o.role)) return false;
  if (!models.empty() && !models.contains(o.model)) return false;
  if (!outcomes.empty() && !outcomes.contains(o.outcome)) return false;
  if (clean && !o.violation.empty()) return false;
  if (min_score && !(o.score >= *min_score)) return false;
  return !max_score || o.score <= *max_score;
}

Example read_example(const Json& line, const std::string& where, const Encoder& encoder, Ids ids) {
  return read_side(line, where, encoder, ids, "completion", "", nullptr);
}
Pair read_pair(const Json& line, const std::string& where, const Encoder& encoder, Ids ids) {
  return {read_side(line, where, encoder, ids, "chosen", "chosen_", nullptr), read_side(line, where, encoder, ids, "rejected", "rejected_", nullptr)};
}

void each_line(const std::string& file, const std::function<void(const Json&, const std::string&)>& f) {
  std::error_code ec;
  if (std::filesystem::is_directory(file, ec)) throw InputError(file + ": a folder; expected a JSON Lines file");
  std::ifstream in(file, std::ios::binary);
  if (!in) throw InputError(file + (std::filesystem::exists(file, ec) ? ": cannot be read" : ": no such file or folder"));
  std::string text;
  for (size_t number = 1; std::getline(in, text); ++number) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = file + ":" + std::to_string(number);
    if (text.size() > kMaxLine) throw InputError(where + ": a line of more than 128 MiB");
    Json line;
    try {
      line = engine::parse_json(text, "");
    } catch (const InputError& e) {  // ":1:COLUMN: what"
      const std::string what = e.what();
      throw InputError(where + (what.starts_with(":1:") ? what.substr(2) : ": " + what));
    }
    f(line, where);
  }
  if (in.bad()) throw engine::SystemError(file + ": cannot be read to its end");
}

template <class T>
Reader<T>::Reader(Encoder encoder, ReadOptions options) : encoder_(std::move(encoder)), options_(std::move(options)) {
  if (options_.max_length < 0) throw std::invalid_argument("max_length: below 0");
}
template <class T>
void Reader<T>::add(const Json& line, const std::string& where) {
  Statistics& s = out_.statistics;
  ++s.lines;
  const Origin origin = read_origin(line, kPrefix<T>);
  if (line.is_object() && !options_.filter(origin)) return void(++s.filtered);
  const std::string place = !where.empty() ? where : !origin.source.empty() ? origin.source : "line " + std::to_string(s.lines);
  read_one(line, place, encoder_, options_, out_);
}
template <class T>
DataSet<T> Reader<T>::finish() {
  std::sort(out_.statistics.lengths.begin(), out_.statistics.lengths.end());
  return std::move(out_);
}
template class Reader<Example>;
template class Reader<Pair>;

Examples read_examples(const std::string& file, const Encoder& encoder, const ReadOptions& options) { return read_file<Example>(file, encoder, options); }
Pairs read_pairs(const std::string& file, const Encoder& encoder, const ReadOptions& options) { return read_file<Pair>(file, encoder, options); }
Examples read_examples(std::span<const Json> lines, const Encoder& encoder, const ReadOptions& options) { return read_lines<Example>(lines, encoder, options); }
Pairs read_pairs(std::span<const Json> lines, const Encoder& encoder, const ReadOptions& options) { return read_lines<Pair>(lines, encoder, options); }

int64_t Statistics::length(double percent) const {
  if (lengths.empty()) return 0;
  const double rank = std::ceil(percent / 100 * static_cast<double>(lengths.size()));
  return lengths[static_cast<size_t>(std::clamp(rank, 1.0, static_cast<double>(lengths.size()))) - 1];
}

Json Statistics::to_json() const {
  auto sum = [](const Sum& s) {
    Json j = Json::object();
    j.add("examples", s.examples);
    j.add("tokens", s.tokens);
    j.add("trained", s.trained);
    j.add("replies", s.replies);
    return j;
  };
  Json out = Json::object();
  out.add("lines", lines);
  out.add("pairs", pairs);
  const Json together = sum(all);
  for (const auto& [key, value] : together.members()) out.add(key, value);
  out.add("exact", exact);
  out.add("filtered", filtered);
  out.add("dropped", dropped);
  out.add("cut", cut);
  out.add("cut_replies", cut_replies);
  out.add("rewritten", rewritten);
  Json& percentiles = out.add("length", Json::object());
  for (const int p : {50, 90, 95, 99}) percentiles.add("p" + std::to_string(p), length(p));
  percentiles.add("max", length(100));
  Json& by_game = out.add("games", Json::object());
  for (const auto& [game, s] : games) by_game.add(game, sum(s));
  return out;
}

std::string Statistics::describe() const {
  auto n = [](int64_t k, const char* what) { return std::to_string(k) + " " + what + (k == 1 ? "" : "s"); };
  std::string out = pairs ? n(pairs, "pair") : n(all.examples, "example");
  out += ", " + n(all.tokens, "token") + ", " + std::to_string(all.trained) + " of them trained, in " + (all.replies == 1 ? "1 reply" : std::to_string(all.replies) + " replies");
  if (all.examples > 0) out += exact == all.examples ? "; ids as sampled" : exact == 0 ? "; encoded from text" : "; " + std::to_string(exact) + " with ids as sampled";
  out += "\nlength: median " + std::to_string(length(50)) + ", p95 " + std::to_string(length(95)) + ", longest " + std::to_string(length(100));
  if (dropped) out += "; " + std::to_string(dropped) + " too long, left out";
  if (cut) out += "; " + std::to_string(cut) + " cut, which cost " + (cut_replies == 1 ? "1 reply" : std::to_string(cut_replies) + " replies");
  if (filtered) out += "\n" + n(filtered, "line") + " not chosen";
  if (rewritten) out += "\n" + n(rewritten, "example") + " with replies that the template would write otherwise once the conversation goes on; they stay as they were said. The first: " + rewritten_first;
  if (games.size() > 1)
    for (const auto& [game, s] : games) out += "\n  " + (game.empty() ? "(no game)" : game) + ": " + n(s.examples, "example") + ", " + std::to_string(s.trained) + " trained tokens";
  return out;
}

}  // namespace ppc::data
