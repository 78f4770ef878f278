#include "runtime/players/script.h"

#include <set>

namespace ppc::players {
namespace {

class Script final : public Player {
 public:
  explicit Script(std::shared_ptr<const std::vector<std::string>> replies) : replies_(std::move(replies)) {}
  Reply reply(const Request&) override { return {next_ < replies_->size() ? (*replies_)[next_++] : std::string(), {}, {}}; }
  std::unique_ptr<Player> fork(Fork&) const override { return std::make_unique<Script>(*this); }

 private:
  std::shared_ptr<const std::vector<std::string>> replies_;
  size_t next_ = 0;
};

class Speaker final : public Player {
 public:
  Speaker(std::shared_ptr<Conversation> all, std::string role) : all_(std::move(all)), role_(std::move(role)) {}
  Reply reply(const Request&) override {
    if (all_->next >= all_->lines->size() || (*all_->lines)[all_->next].part != all_->part) return {};
    const ScriptLine& line = (*all_->lines)[all_->next];
    if (line.role != role_) {
      throw engine::InputError(all_->name + ":" + std::to_string(line.line) + ": `" + line.role + "` answers here, but `" +
                               role_ + "` is asked");
    }
    ++all_->next;
    return {line.text, {}, {}};
  }
  std::unique_ptr<Player> fork(Fork& f) const override {
    std::shared_ptr<void>& copy = f.shared[all_.get()];
    if (!copy) {
      auto made = std::make_shared<Conversation>(*all_);
      for (size_t i = 0; i < made->lines->size(); ++i) {
        if ((*made->lines)[i].part != f.name) continue;
        made->part = f.name;
        made->next = i;
        break;
      }
      copy = std::move(made);
    }
    return std::make_unique<Speaker>(std::static_pointer_cast<Conversation>(copy), role_);
  }

 private:
  std::shared_ptr<Conversation> all_;
  std::string role_;
};

int hex(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/// "0.1": numbers as branch_name writes them, the last one not 0.
bool is_branch(std::string_view name) {
  bool number = false, zero = true;
  for (const char c : name) {
    if (c >= '0' && c <= '9') {
      zero = number ? zero && c == '0' : c == '0';
      number = true;
    } else {
      if (c != '.' || !number) return false;
      number = false;
    }
  }
  return number && !zero;
}

size_t indentation(std::string_view line) {
  const size_t n = line.find_first_not_of(" \t");
  return n == std::string_view::npos ? line.size() : n;
}

}  // namespace

std::vector<std::string> load_replies(const std::string& path) {
  const engine::Json json = engine::load_json(path);
  if (!json.is_list()) throw engine::InputError(path + ": expected a list of texts, found " + engine::describe(json));
  std::vector<std::string> out;
  for (size_t i = 0; i < json.items().size(); ++i) {
    const engine::Json& item = json.items()[i];
    if (!item.is_text()) {
      throw engine::InputError(path + ": [" + std::to_string(i) + "]: expected text, found " + engine::describe(item));
    }
    out.push_back(item.as_text());
  }
  return out;
}

std::unique_ptr<Player> make_script(std::shared_ptr<const std::vector<std::string>> replies) {
  return std::make_unique<Script>(std::move(replies));
}

std::vector<ScriptLine> parse_script(std::string_view text, const std::string& name) {
  std::vector<std::string_view> lines;
  for (size_t from = 0; from <= text.size();) {
    const size_t end = std::min(text.find('\n', from), text.size());
    std::string_view line = text.substr(from, end - from);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    lines.push_back(line);
    from = end + 1;
  }
  std::vector<ScriptLine> out;
  std::string part;
  std::set<std::string> parts;
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string_view line = lines[i];
    auto fail = [&](const std::string& what) {
      throw engine::InputError(name + ":" + std::to_string(i + 1) + ": " + what);
    };
    if (indentation(line) == line.size() || line[0] == '#') continue;
    if (line[0] == ' ' || line[0] == '\t') fail("an indented line outside of a `|` block");
    if (line[0] == '@') {
      part = std::string(line.substr(1));
      while (!part.empty() && part.back() == ' ') part.pop_back();
      if (!is_branch(part)) fail("`@" + part + "` is no branch: expected a name such as @1 or @0.2");
      if (!parts.insert(part).second) fail("branch `" + part + "` has a part already");
      continue;
    }
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) fail("expected `role: response`");
    ScriptLine entry;
    entry.role = std::string(line.substr(0, colon));
    while (!entry.role.empty() && entry.role.back() == ' ') entry.role.pop_back();
    entry.line = static_cast<uint32_t>(i + 1);
    entry.part = part;
    std::string_view rest = line.substr(colon + 1);
    if (!rest.empty() && rest[0] == ' ') rest.remove_prefix(1);
    if (rest == "|") {
      size_t end = i + 1, common = SIZE_MAX, last = i;
      for (; end < lines.size(); ++end) {
        const size_t indent = indentation(lines[end]);
        if (indent == lines[end].size()) continue;
        if (indent == 0) break;
        common = std::min(common, indent);
        last = end;
      }
      for (size_t k = i + 1; k <= last; ++k) {
        if (k > i + 1) entry.text += '\n';
        if (lines[k].size() > common) entry.text += lines[k].substr(common);
      }
      i = last;
    } else {
      for (size_t k = 0; k < rest.size(); ++k) {
        if (rest[k] != '\\') {
          entry.text += rest[k];
          continue;
        }
        const char c = ++k < rest.size() ? rest[k] : '\0';
        if (c == 'n') entry.text += '\n';
        else if (c == 't') entry.text += '\t';
        else if (c == 'r') entry.text += '\r';
        else if (c == '\\') entry.text += '\\';
        else if (c == 'x' && k + 2 < rest.size() && hex(rest[k + 1]) >= 0 && hex(rest[k + 2]) >= 0) {
          entry.text += static_cast<char>(hex(rest[k + 1]) * 16 + hex(rest[k + 2]));
          k += 2;
        } else {
          fail("unknown escape; there are \\n \\t \\r \\\\ and \\xHH");
        }
      }
    }
    out.push_back(std::move(entry));
  }
  return out;
}

std::unique_ptr<Player> make_speaker(std::shared_ptr<Conversation> all, std::string role) {
  return std::make_unique<Speaker>(std::move(all), std::move(role));
}

}  // namespace ppc::players
