#include "trainers/model/chat.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <optional>
#include <stdexcept>

#include "trainers/model/jinja.h"

namespace ppc::model {
using engine::InputError;
using engine::Json;

namespace {

// As transformers gives them to templates.
constexpr std::array kTokens = {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};
// Roles that are taken for the template's own words: some templates make special tokens of them ('<|' + role + '|>').
constexpr std::array kRoles = {"system", "user", "assistant", "tool", "developer", "ipython"};

std::tm parse_date(const std::string& s, const std::string& file) {
  std::tm t{};
  int end = 0;
  const int n = std::sscanf(s.c_str(), "%4d-%2d-%2d%n", &t.tm_year, &t.tm_mon, &t.tm_mday, &end);
  if (n == 3 && s.size() > static_cast<size_t>(end)) {
    int more = 0;
    if (std::sscanf(s.c_str() + end, "T%2d:%2d:%2d%n", &t.tm_hour, &t.tm_min, &t.tm_sec, &more) == 3) end += more;
  }
  t.tm_year -= 1900;
  t.tm_mon -= 1;
  const std::tm given = t;
  if (n != 3 || s.size() != static_cast<size_t>(end) || ::timegm(&t) == -1 || t.tm_mday != given.tm_mday || t.tm_mon != given.tm_mon || t.tm_hour != given.tm_hour)
    throw InputError(file + ": `strftime_now`: expected a date such as 2024-07-26, found `" + s.substr(0, 60) + "`");
  return t;
}
std::tm now() {
  const std::time_t t = std::time(nullptr);
  std::tm out{};
  ::localtime_r(&t, &out);
  return out;
}

/// A special token as tokenizer_config.json has it: its text, or an object with the text as `content`.
std::optional<Json> token_text(const Json* v) {
  if (v && v->is_object()) v = v->find("content");
  if (!v || !v->is_text() || v->as_text().empty()) return std::nullopt;
  return *v;
}

}  // namespace

struct ChatTemplate::Data {
  std::string file;
  jinja::Template source;
  jinja::Variables variables;
};
ChatTemplate::ChatTemplate(std::unique_ptr<Data> data) : data_(std::move(data)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;
const std::string& ChatTemplate::file() const { return data_->file; }

ChatTemplate ChatTemplate::load(const std::string& folder) {
  namespace fs = std::filesystem;
  const auto path = [&](const char* name) { return (fs::path(folder) / name).string(); };
  const auto json = [&](const char* name) {
    std::error_code ignored;
    if (!fs::exists(path(name), ignored)) return Json::object();
    Json j = engine::load_json(path(name));
    if (!j.is_object()) throw InputError(path(name) + ": expected an object, found " + engine::describe(j));
    return j;
  };
  const Json config = json("tokenizer_config.json"), map = json("special_tokens_map.json");
  Json variables = Json::object();
  for (const char* key : kTokens) {
    // What the configuration says to be null, is.
    const Json* v = config.find(key);
    if (auto t = token_text(v ? v : map.find(key))) variables.add(key, *std::move(t));
  }
  if (const Json* more = config.find("additional_special_tokens"); more && more->is_list()) {
    Json list = Json::list();
    for (const Json& v : more->items())
      if (auto t = token_text(&v)) list.push(*std::move(t));
    variables.add("additional_special_tokens", std::move(list));
  }

  std::error_code ignored;
  if (fs::exists(path("chat_template.jinja"), ignored)) return parse(engine::read_file(path("chat_template.jinja")), variables, path("chat_template.jinja"));
  const Json* given = config.find("chat_template");
  std::string file = path("tokenizer_config.json");
  const Json processor = given ? Json() : json("chat_template.json");
  if (!given && (given = processor.find("chat_template"))) file = path("chat_template.json");
  file += ": `chat_template`";
  if (given && given->is_list()) {
    std::string names;
    const Json* found = nullptr;
    for (const Json& v : given->items()) {
      const Json* name = v.find("name");
      if (!name || !name->is_text()) throw InputError(file + ": expected objects with `name` and `template`");
      names += (names.empty() ? "" : ", ") + name->as_text().substr(0, 60);
      if (name->as_text() == "default") found = v.find("template");
    }
    if (!found) throw InputError(file + ": there is none named `default` (" + (names.empty() ? "there are none" : "there are " + names) + ")");
    given = found;
  }
  if (!given || given->is_null())
    throw InputError(folder + ": no chat template: neither chat_template.jinja nor `chat_template` in tokenizer_config.json. A base model has none; put one that "
                     "fits its training into chat_template.jinja");
  if (!given->is_text()) throw InputError(file + ": expected a text, found " + engine::describe(*given));
  return parse(given->as_text(), variables, file);
}
ChatTemplate ChatTemplate::parse(const std::string& source, const Json& variables, const std::string& file) {
  auto data = std::make_unique<Data>(Data{file, jinja::Template::parse(source, file), {}});
  // Always there, as transformers has it.
  data->variables = {{"tools", {jinja::None{}}}, {"documents", {jinja::None{}}}};
  if (variables.is_object())
    for (const auto& [key, value] : variables.members()) data->variables.emplace_back(key, jinja::Value::of(value));
  return ChatTemplate(std::move(data));
}

std::vector<ChatPiece> ChatTemplate::render(std::span<const ChatMessage> messages, bool add_generation_prompt, const Json& extra) const {
  using jinja::Value;
  std::vector<Value> list;
  list.reserve(messages.size());
  static const Value role_key = Value::text("role"), content_key = Value::text("content");
  for (size_t i = 0; i < messages.size(); ++i) {
    const auto& [role, content] = messages[i];
    const bool known = std::find(kRoles.begin(), kRoles.end(), role) != kRoles.end();
    const auto n = static_cast<int32_t>(i + 1);  // contents are 1, 2, …; roles that may be anything -1, -2, …
    list.push_back(jinja::dict_of({{role_key, Value::text(role, known ? jinja::kTemplate : -n)}, {content_key, Value::text(content, n)}}));
  }
  jinja::Variables variables = data_->variables;
  std::tm date{};
  bool dated = false;
  if (extra.is_object())
    for (const auto& [key, value] : extra.members()) {
      if (key == "strftime_now") {
        if (!value.is_text()) throw InputError(data_->file + ": `strftime_now`: expected a date, found " + engine::describe(value));
        date = parse_date(value.as_text(), data_->file);
        dated = true;
      } else {
        variables.emplace_back(key, Value::of(value));
      }
    }
  variables.emplace_back("messages", jinja::list_of(std::move(list)));
  variables.emplace_back("add_generation_prompt", Value{add_generation_prompt});

  // A long conversation may take longer.
  uint64_t work = uint64_t{1} << 27;
  for (const ChatMessage& m : messages) work += (uint64_t{1} << 16) + 64 * m.content.size();
  const jinja::Text text = data_->source.render(variables, dated ? date : now(), work);
  std::vector<ChatPiece> out;
  uint32_t begin = 0;
  const auto add = [&](uint32_t end, int32_t source, uint32_t offset) {
    ChatPiece p{text.bytes().substr(begin, end - begin)};
    p.literal = source != jinja::kTemplate;
    p.message = source > 0 ? source - 1 : -1;
    p.changed = offset == jinja::kChanged;
    p.offset = p.changed ? 0 : offset;
    out.push_back(std::move(p));
    begin = end;
  };
  for (const jinja::Run& r : text.runs()) add(r.end, r.source, r.offset);
  if (begin < text.size()) add(static_cast<uint32_t>(text.size()), jinja::kTemplate, 0);
  return out;
}

std::vector<TokenId> encode_chat(const Tokenizer& tokenizer, std::span<const ChatPiece> pieces) {
  std::string text;
  std::vector<Stretch> literal;
  for (const ChatPiece& p : pieces) {
    if (p.literal && !p.text.empty()) {
      if (!literal.empty() && literal.back().end == text.size()) literal.back().end += p.text.size();
      else literal.push_back({text.size(), text.size() + p.text.size()});
    }
    text += p.text;
  }
  std::vector<TokenId> out;
  tokenizer.encode(text, literal, out);
  return out;
}

// Conversation

namespace {

std::string text_of(std::span<const ChatPiece> pieces) {
  std::string out;
  for (const ChatPiece& p : pieces) out += p.text;
  return out;
}
/// Without their first bytes.
std::vector<ChatPiece> behind(std::span<const ChatPiece> pieces, size_t bytes) {
  std::vector<ChatPiece> out;
  for (const ChatPiece& p : pieces) {
    const size_t gone = std::min(bytes, p.text.size());
    bytes -= gone;
    if (gone == p.text.size()) continue;
    out.push_back(p);
    out.back().text.erase(0, gone);
    out.back().offset += gone;
  }
  return out;
}
// What stands for a reply of which the template shows nothing (an empty one, one that is all thinking), to find its place.
const std::string kPlaceholder = "x";

/// Pieces of a message's content: from the first to behind the last.
struct Place { size_t begin = 0, end = 0; };
std::optional<Place> place_of(std::span<const ChatPiece> pieces, size_t message) {
  const auto from_it = [&](const ChatPiece& p) { return p.message == static_cast<int>(message); };
  const auto first = std::find_if(pieces.begin(), pieces.end(), from_it);
  if (first == pieces.end()) return std::nullopt;
  const auto last = std::find_if(pieces.rbegin(), pieces.rend(), from_it);
  return Place{static_cast<size_t>(first - pieces.begin()), static_cast<size_t>(pieces.rend() - last)};
}

}  // namespace

/// A rendered conversation, cut at the sampled replies.
struct Conversation::Cut {
  std::vector<ChatPiece> pieces;
  std::vector<Place> places;  // of replies
  std::span<const ChatPiece> before(size_t reply) const {  // what stands before it; reply == places.size(): behind the last
    const size_t begin = reply == 0 ? 0 : places[reply - 1].end, end = reply == places.size() ? pieces.size() : places[reply].begin;
    return std::span(pieces).subspan(begin, end - begin);
  }
};

Conversation::Conversation(std::shared_ptr<const Tokenizer> tokenizer, std::shared_ptr<const ChatTemplate> chat, Json extra, std::vector<TokenId> ends)
    : tokenizer_(std::move(tokenizer)), template_(std::move(chat)), extra_(std::move(extra)), given_ends_(std::move(ends)) {
  if (extra_.is_null()) extra_ = Json::object();
  if (!extra_.find("strftime_now")) {
    const std::tm today = now();
    char buffer[40];
    extra_.add("strftime_now", std::string(buffer, std::strftime(buffer, sizeof buffer, "%Y-%m-%dT%H:%M:%S", &today)));
  }
}

std::string Conversation::turn(size_t message) const {
  return "turn " + std::to_string(message + 1) + (message < messages_.size() ? " (" + messages_[message].role.substr(0, 40) + ")" : "");
}
void Conversation::refuse(const std::string& what) const { throw InputError(template_->file() + ": " + what); }
void Conversation::keep(size_t message, const std::string& why) {
  const std::string who = turn(message) + ": ";
  if (std::none_of(kept_.begin(), kept_.end(), [&](const std::string& k) { return k.starts_with(who); })) kept_.push_back(who + why);
}

Conversation::Cut Conversation::cut(std::span<const ChatMessage> messages, bool add_generation_prompt, size_t replies) {
  std::vector<ChatMessage> shown(messages.begin(), messages.end());
  for (;;) {
    for (size_t i = 0; i < replies; ++i)
      if (replies_[i].blank) shown[replies_[i].message].content = kPlaceholder;
    Cut out;
    out.pieces = template_->render(shown, add_generation_prompt, extra_);
    bool again = false;
    for (size_t i = 0; i < replies; ++i) {
      const size_t message = replies_[i].message;
      const auto place = place_of(out.pieces, message);
      if (!place) {
        if (replies_[i].blank) refuse(turn(message) + " is left out by the template, so it cannot be told where the conversation goes on");
        again = replies_[i].blank = true;
        continue;
      }
      size_t offset = 0;
      for (size_t k = place->begin; k < place->end; ++k) {
        const ChatPiece& p = out.pieces[k];
        if (p.message < 0) continue;
        if (p.message != static_cast<int>(message) || (!p.changed && p.offset < offset))
          refuse(turn(message) + " is written more than once by the template, or within another, so it cannot be told where the conversation goes on");
        if (!p.changed) offset = p.offset + p.text.size();
      }
      if (!out.places.empty() && place->begin < out.places.back().end) refuse(turn(message) + " is moved before an earlier one by the template");
      out.places.push_back(*place);
    }
    if (!again) return out;
  }
}

/// How much of what was fed before a reply stands before the assistant's turn, as far as the template tells.
size_t Conversation::opening(size_t reply, const std::string& fed) {
  const size_t message = reply < replies_.size() ? replies_[reply].message : static_cast<size_t>(given_);
  try {
    const Cut without = cut(std::span(messages_).first(message), false, reply);
    if (const std::string text = text_of(without.before(reply)); fed.starts_with(text)) return text.size();
  } catch (const InputError&) {  // a template that wants a user's turn last, or anything else
  }
  return fed.size();
}

/// Whether what was fed before a reply, and the reply, are still what the template writes.
void Conversation::check(const Cut& now, size_t reply) {
  Reply& r = replies_[reply];
  const std::string text = text_of(now.before(reply));
  if (text != r.before) {
    if (!text.starts_with(std::string_view(r.before).substr(0, opening(reply, r.before)))) {
      const size_t same = static_cast<size_t>(std::mismatch(text.begin(), text.end(), r.before.begin(), r.before.end()).first - text.begin());
      // Named is the turn that the difference is in, or follows.
      int where = -1;
      size_t at = 0;
      for (const ChatPiece& p : now.before(reply)) {
        if (p.message >= 0) where = p.message;
        if ((at += p.text.size()) > same && where >= 0) break;
      }
      refuse((where < 0 ? "what stands before " + turn(r.message) : turn(static_cast<size_t>(where))) +
             ": the template writes it in another way now that the conversation has gone on, but the model has read it as it was");
    }
    keep(r.message, "the template would now begin it in another way; it stays as it was sampled");
    r.before = text;
  }
  if (r.blank) {
    if (messages_[r.message].content.find_first_not_of(" \t\r\n") != std::string::npos) keep(r.message, "the template would leave it out now; it stays as it was sampled");
    return;
  }
  std::string there;
  bool changed = false;
  for (size_t k = now.places[reply].begin; k < now.places[reply].end; ++k) {
    const ChatPiece& p = now.pieces[k];
    if (p.message < 0) changed = true;
    else there += p.text;
  }
  const auto trimmed = [](const std::string& s) {
    const size_t begin = s.find_first_not_of(" \t\r\n"), end = s.find_last_not_of(" \t\r\n");
    return begin == std::string::npos ? std::string_view() : std::string_view(s).substr(begin, end + 1 - begin);
  };
  if (changed || trimmed(there) != trimmed(messages_[r.message].content))
    keep(r.message, "the template would now leave out or change a part of it; it stays as it was sampled");
}

std::vector<TokenId> Conversation::next(std::span<const ChatMessage> messages) {
  if (waiting_) throw std::logic_error("Conversation::next: the reply to the last one is missing");
  for (size_t i = 0; i < messages_.size(); ++i) {
    if (i >= messages.size()) refuse(turn(i) + " is missing now, but the model has read it");
    if (messages[i].role != messages_[i].role || messages[i].content != messages_[i].content) refuse(turn(i) + " is another one now than the model has read");
  }
  const Cut now = cut(messages, true, replies_.size());
  for (size_t i = 0; i < replies_.size(); ++i) check(now, i);

  const std::span<const ChatPiece> rest = now.before(replies_.size());
  std::string text = text_of(rest);
  std::vector<ChatPiece> news(rest.begin(), rest.end());
  if (!open_.empty()) {  // behind a reply that was given
    if (text.starts_with(open_)) {
      news = behind(rest, open_.size());
    } else {
      const size_t fixed = opening(replies_.size(), open_);
      const auto place = place_of(rest, static_cast<size_t>(given_));
      if (!place || !text.starts_with(std::string_view(open_).substr(0, fixed)))
        refuse(turn(static_cast<size_t>(given_)) + ": the template writes it in another way than it was begun");
      news.assign(rest.begin() + static_cast<ptrdiff_t>(place->begin), rest.end());
    }
  } else if (!tail_.empty() && text.starts_with(tail_)) {  // the model wrote on into the template's own text
    news = behind(rest, tail_.size());
  }
  std::vector<TokenId> out = encode_chat(*tokenizer_, news);
  if (end_ >= 0 && !out.empty() && out[0] == end_) out.erase(out.begin());

  messages_.assign(messages.begin(), messages.end());
  ids_.insert(ids_.end(), out.begin(), out.end());
  open_ = std::move(text);
  given_ = end_ = -1;
  tail_.clear();
  waiting_ = true;
  return out;
}

void Conversation::replied(const std::string& text, std::span<const TokenId> ids) {
  if (!waiting_) throw std::logic_error("Conversation::replied: nothing was asked");
  replies_.push_back({messages_.size(), false, std::exchange(open_, {})});
  messages_.push_back({"assistant", text});
  ids_.insert(ids_.end(), ids.begin(), ids.end());
  const bool ended = !ids.empty() && (tokenizer_->is_special(ids.back()) || std::find(given_ends_.begin(), given_ends_.end(), ids.back()) != given_ends_.end());
  end_ = ended ? ids.back() : -1;
  const std::string sampled = tokenizer_->decode(ids.first(ids.size() - ended));
  tail_ = sampled.starts_with(text) ? sampled.substr(text.size()) : "";
  waiting_ = false;
}
void Conversation::given(const std::string& text) {
  if (!waiting_) throw std::logic_error("Conversation::given: nothing was asked");
  given_ = static_cast<int>(messages_.size());
  messages_.push_back({"assistant", text});
  waiting_ = false;
}

std::vector<TokenId> Conversation::ends() const {
  std::vector<TokenId> out = given_ends_;
  const ChatMessage probe[] = {{"user", kPlaceholder}, {"assistant", kPlaceholder}};
  try {
    const std::vector<ChatPiece> pieces = template_->render(probe, false, extra_);
    if (const auto place = place_of(pieces, 1)) {
      const std::vector<TokenId> behind = encode_chat(*tokenizer_, std::span(pieces).subspan(place->end));
      if (!behind.empty() && tokenizer_->is_special(behind[0]) && std::find(out.begin(), out.end(), behind[0]) == out.end()) out.push_back(behind[0]);
    }
  } catch (const InputError&) {  // a template that refuses such a conversation tells nothing
  }
  return out;
}

}  // namespace ppc::model
