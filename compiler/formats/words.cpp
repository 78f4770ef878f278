#include "compiler/formats/words.h"

#include <algorithm>
#include <map>

#include "compiler/formats/codeset.h"
#include "runtime/abi/words.h"

namespace ppc::formats {
namespace {

using ast::FormatItem;
using Kind = FormatItem::Kind;
using rt::WordOp;

std::map<std::string, const ast::GrammarRule*> by_name(const ast::GrammarDecl& grammar) {
  std::map<std::string, const ast::GrammarRule*> out;
  for (const ast::GrammarRule& r : grammar.rules) out.emplace(r.name.name, &r);
  return out;
}

class Compiler {
 public:
  Compiler(const ast::GrammarDecl& grammar, size_t limit) : grammar_(grammar), rules_(by_name(grammar)), limit_(limit) {
    for (const ast::GrammarRule& rule : grammar.rules)
      each_item(rule.branches, [&](const FormatItem& item) {
        if (item.name && captures_.emplace(item.name->name, captures_.size()).second)
          out_.captures.push_back(item.name->name);
        if (item.among) {
          among_[&item] = static_cast<int64_t>(out_.among.size());
          out_.among.push_back(item.among.get());
        }
      });
  }

  WordProgram run() {
    std::vector<const ast::GrammarRule*> alternatives;
    for (const ast::GrammarRule& rule : grammar_.rules)
      if (!is_part(rule.name.name)) alternatives.push_back(&rule);
    choose(alternatives.size(), [&](size_t i) {
      emit(WordOp::Rule, text(alternatives[i]->name.name, false));
      any_of(alternatives[i]->branches);
      emit(WordOp::Done);
    }, /*joins=*/false);
    if (out_.too_large) out_.code.clear();
    return std::move(out_);
  }

 private:
  size_t here() const { return out_.code.size(); }
  void emit(WordOp op, int64_t argument = 0) {
    if (here() >= limit_) out_.too_large = true;
    if (!out_.too_large) out_.code.push_back(rt::word_instruction(op, argument));
  }
  /// An instruction whose target is still to come.
  size_t forward(WordOp op) {
    emit(op);
    return here() - 1;
  }
  void land(size_t from) {
    if (!out_.too_large) out_.code[from] += 16 * static_cast<int64_t>(here());
  }
  int64_t text(const std::string& t, bool any_case) {
    auto [at, added] = texts_.try_emplace({t, any_case}, static_cast<int64_t>(out_.texts.size()));
    if (added) out_.texts.push_back({t, any_case});
    return at->second;
  }

  template <class F>
  void choose(size_t n, F&& branch, bool joins = true) {
    std::vector<size_t> ends;
    for (size_t i = 0; i < n && !out_.too_large; ++i) {
      if (i + 1 == n) {
        branch(i);
        break;
      }
      const size_t next = forward(WordOp::Split);
      branch(i);
      if (joins) ends.push_back(forward(WordOp::Jump));
      land(next);
    }
    for (size_t end : ends) land(end);
  }
  void any_of(const GrammarBranches& branches) {
    choose(branches.size(), [&](size_t i) {
      for (const FormatItem& it : branches[i]) item(it);
    });
  }

  void item(const FormatItem& it) {
    if (out_.too_large) return;
    switch (it.kind) {
      case Kind::Literal:
        for (const std::string& w : literal_words(it.text))
          emit(it.ignore_case ? WordOp::AnyCase : WordOp::Literal, text(w, it.ignore_case));
        break;
      case Kind::Capture: {
        const int64_t capture = it.name ? static_cast<int64_t>(captures_.at(it.name->name)) : 0;
        const uint32_t inside = depth_;
        if (it.name) {
          emit(WordOp::Begin, inside);
          out_.open = std::max(out_.open, ++depth_);
        }
        if (it.among) emit(it.except ? WordOp::Except : WordOp::Among, among_.at(&it));
        else if (it.char_class == "word") emit(WordOp::Word);
        else any_of(rules_.at(it.char_class)->branches);
        depth_ = inside;
        if (it.name) emit(WordOp::End, capture * rt::kOpenCaptures + inside);
        break;
      }
      case Kind::Optional: {
        const size_t split = forward(WordOp::Split);
        any_of(it.branches);
        land(split);
        break;
      }
      case Kind::Choice: any_of(it.branches); break;
      case Kind::Repeat: {
        const size_t start = here(), split = it.once ? 0 : forward(WordOp::Split);
        any_of(it.branches);
        if (it.once) {
          const size_t more = forward(WordOp::Split);
          emit(WordOp::Jump, static_cast<int64_t>(start));
          land(more);
        } else {
          emit(WordOp::Jump, static_cast<int64_t>(start));
          land(split);
        }
        break;
      }
    }
  }

  const ast::GrammarDecl& grammar_;
  std::map<std::string, const ast::GrammarRule*> rules_;
  size_t limit_;
  WordProgram out_;
  uint32_t depth_ = 0;  // captures that are open
  std::map<std::string, size_t> captures_;
  std::map<const FormatItem*, int64_t> among_;
  std::map<std::pair<std::string, bool>, int64_t> texts_;
};

}  // namespace

bool is_part(const std::string& name) {
  const size_t first = name.find_first_not_of('_');
  return first != std::string::npos && name[first] >= 'A' && name[first] <= 'Z';
}

std::vector<std::string> literal_words(const std::string& literal) {
  static const CodeSet inside = *class_set("word");
  std::vector<std::string> words;
  bool within = false;
  for (uint32_t c : decode(literal).value_or(std::vector<uint32_t>())) {
    if (inside.contains(c)) {
      if (!within) words.emplace_back();
      append_utf8(words.back(), c);
    }
    within = inside.contains(c);
  }
  return words;
}

WordProgram compile(const ast::GrammarDecl& grammar, size_t limit) { return Compiler(grammar, limit).run(); }

Emptiness::Emptiness(const ast::GrammarDecl& grammar) : rules_(by_name(grammar)) {}

bool Emptiness::operator()(const GrammarBranches& branches) {
  return std::any_of(branches.begin(), branches.end(), [&](const std::vector<FormatItem>& branch) {
    return std::all_of(branch.begin(), branch.end(), [&](const FormatItem& i) { return of(i); });
  });
}

bool Emptiness::of(const FormatItem& item) {
  switch (item.kind) {
    case Kind::Literal: return literal_words(item.text).empty();
    case Kind::Optional: return true;
    case Kind::Choice: return (*this)(item.branches);
    case Kind::Repeat: return !item.once || (*this)(item.branches);
    case Kind::Capture: {
      if (item.char_class == "word") return false;
      auto [known, fresh] = parts_.try_emplace(item.char_class, false);
      auto part = rules_.find(item.char_class);
      if (fresh && part != rules_.end()) known->second = (*this)(part->second->branches);
      return known->second;
    }
  }
  return false;
}

}  // namespace ppc::formats
