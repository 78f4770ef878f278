// Grammars made of bytes, a matcher that tries everything, and the real one: what test/unit/words_test.cpp and
// test/fuzz/words_fuzz.cpp compare.
#pragma once
#include <csetjmp>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/formats/words.h"
#include "runtime/abi/context.h"
#include "runtime/abi/segment.h"
#include "runtime/abi/words.h"
#include "runtime/text/utf8.h"

namespace ppc::words {

using ast::FormatItem;
using Kind = FormatItem::Kind;

inline std::string lower(std::string s) {
  for (char& c : s) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return s;
}

/// Bytes to a grammar that the compiler accepts, with parts, and with sets for its `{word in …}`.
class Maker {
 public:
  explicit Maker(std::string_view bytes) : in_(bytes) {
    decl.name.name = "G";
    const int parts = next() % 4;
    for (int p = parts; p-- > 0;) rule(std::string("P") + std::to_string(p));
    const int alternatives = 1 + next() % 3;
    for (int a = 0; a < alternatives; ++a) rule(std::string("a") + std::to_string(a));
  }

  ast::GrammarDecl decl;
  std::map<const ast::Expr*, std::set<std::string>> sets;

 private:
  uint8_t next() { return at_ < in_.size() ? static_cast<uint8_t>(in_[at_++]) : 0; }
  void rule(std::string name) {
    ast::GrammarRule r;
    r.name.name = std::move(name);
    r.branches = branches(0);
    if (formats::is_part(r.name.name)) parts_.push_back(r.name.name);
    decl.rules.push_back(std::move(r));
  }
  formats::GrammarBranches branches(int depth) {
    formats::GrammarBranches out(1 + next() % 3);
    for (auto& branch : out)
      for (int n = 1 + next() % 3; n > 0; --n) branch.push_back(item(depth));
    return out;
  }
  std::string word() {
    static const char* const words[] = {"a", "b", "c", "A"};
    return words[next() % 4];
  }
  FormatItem item(int depth) {
    FormatItem it;
    const uint8_t b = next();
    switch (b % 10) {
      case 0: case 1:
        it.text = b & 64 ? word() + " " + word() : word();
        it.ignore_case = b & 128;
        return it;
      case 2: case 3: case 4: case 5:
        it.kind = Kind::Capture;
        it.char_class = "word";
        if (b & 64) it.name = ast::Ident{std::string("c") + std::to_string(next() % 3), {}};
        if (b % 10 == 5 && !parts_.empty()) {
          it.char_class = parts_[next() % parts_.size()];
        } else if (b % 10 > 2) {
          it.among = std::make_shared<ast::Expr>();
          it.except = b % 10 == 4;
          auto& set = sets[it.among.get()];
          for (int n = 1 + next() % 2; n > 0; --n) set.insert(word());
        }
        return it;
      default:
        if (depth > 2) {
          it.text = word();
          return it;
        }
        it.kind = b % 10 == 6 ? Kind::Optional : b % 10 == 7 ? Kind::Choice : Kind::Repeat;
        it.once = it.kind == Kind::Repeat && (b & 64);
        it.branches = branches(depth + 1);
        if (it.kind == Kind::Repeat && formats::Emptiness(decl)(it.branches)) {
          FormatItem any;
          any.kind = Kind::Capture;
          any.char_class = "word";
          for (auto& branch : it.branches) branch.push_back(any);
        }
        return it;
    }
  }

  std::string_view in_;
  size_t at_ = 0;
  std::vector<std::string> parts_;
};

/// What a text is read as: the alternative, and the captures in the program's order.
struct Read {
  std::string rule;
  std::vector<std::string> captures;
  friend bool operator==(const Read&, const Read&) = default;
};

/// Tries every way in the order of preference, and nothing is remembered.
class Naive {
 public:
  Naive(const Maker& grammar, std::vector<std::string> words) : grammar_(grammar), words_(std::move(words)) {}

  /// False when it takes too long to tell.
  bool run(const std::vector<std::string>& captures, std::optional<Read>& out) {
    for (const ast::GrammarRule& r : grammar_.decl.rules) {
      if (formats::is_part(r.name.name)) continue;
      const bool fits = branches(r.branches, 0, {}, [&](size_t at, const Caught& caught) {
        if (at != words_.size()) return false;
        Read read{r.name.name, {}};
        for (const std::string& name : captures) {
          read.captures.emplace_back();
          auto found = caught.find(name);
          for (size_t i = found == caught.end() ? 0 : found->second.first; found != caught.end() && i < found->second.second; ++i)
            read.captures.back() += (i > found->second.first ? " " : "") + words_[i];
        }
        out = std::move(read);
        return true;
      });
      if (fits || steps_ > kSteps) break;
    }
    return steps_ <= kSteps;
  }

 private:
  static constexpr int kSteps = 20'000;
  using Caught = std::map<std::string, std::pair<size_t, size_t>>;
  using Then = std::function<bool(size_t, const Caught&)>;

  bool branches(const formats::GrammarBranches& list, size_t at, const Caught& caught, const Then& then) {
    for (const auto& branch : list)
      if (items(branch, 0, at, caught, then)) return true;
    return false;
  }
  bool items(const std::vector<FormatItem>& list, size_t i, size_t at, const Caught& caught, const Then& then) {
    if (i == list.size()) return then(at, caught);
    return item(list[i], at, caught, [&](size_t to, const Caught& c) { return items(list, i + 1, to, c, then); });
  }
  bool item(const FormatItem& it, size_t at, const Caught& caught, const Then& then) {
    if (++steps_ > kSteps) return false;
    switch (it.kind) {
      case Kind::Literal: {
        for (const std::string& w : formats::literal_words(it.text)) {
          if (at == words_.size() || (it.ignore_case ? lower(words_[at]) != lower(w) : words_[at] != w)) return false;
          ++at;
        }
        return then(at, caught);
      }
      case Kind::Capture: {
        const Then caught_here = [&](size_t to, const Caught& c) {
          if (!it.name) return then(to, c);
          Caught more = c;
          more[it.name->name] = {at, to};
          return then(to, more);
        };
        if (it.char_class == "word") {
          if (at == words_.size()) return false;
          if (it.among && (grammar_.sets.at(it.among.get()).count(words_[at]) != 0) == it.except) return false;
          return caught_here(at + 1, caught);
        }
        for (const ast::GrammarRule& r : grammar_.decl.rules)
          if (r.name.name == it.char_class) return branches(r.branches, at, caught, caught_here);
        return false;
      }
      case Kind::Optional: return branches(it.branches, at, caught, then) || then(at, caught);
      case Kind::Choice: return branches(it.branches, at, caught, then);
      case Kind::Repeat: return repeat(it, it.once, at, caught, then);
    }
    return false;
  }
  bool repeat(const FormatItem& it, bool must, size_t at, const Caught& caught, const Then& then) {
    if (++steps_ > kSteps) return false;
    if (branches(it.branches, at, caught, [&](size_t to, const Caught& c) { return repeat(it, false, to, c, then); }))
      return true;
    return !must && then(at, caught);
  }

  const Maker& grammar_;
  std::vector<std::string> words_;
  int steps_ = 0;
};

/// The grammar's program in a pool, and the runtime's matcher on it.
class Real {
 public:
  Real(const formats::WordProgram& program, const std::map<const ast::Expr*, std::set<std::string>>& sets)
      : captures(program.captures), ctx_(size_t{64} << 20) {
    rt::SegmentBuilder pool(PPC_POOL, 0, kTypes, nullptr);
    std::vector<int64_t> code = {static_cast<int64_t>(captures.size()), program.open, kTextSet, 0}, texts, among;
    code.insert(code.end(), program.code.begin(), program.code.end());
    for (const auto& t : program.texts) {
      code[3] |= t.any_case;
      texts.push_back(pool.make_text(t.any_case ? lower(t.text) : t.text));
    }
    for (const ast::Expr* e : program.among) {
      std::vector<int64_t> items;
      for (const std::string& w : sets.at(e)) items.push_back(pool.make_text(w));
      among.push_back(pool.make_set(items, kTextSet));
    }
    program_ = pool.make_list(code);
    texts_ = pool.make_list(texts);
    sets_ = pool.make_list(among);
    const std::string bytes = pool.bytes();
    pool_.resize(bytes.size() / 8 + 1);
    std::memcpy(pool_.data(), bytes.data(), bytes.size());
    ctx_->types = kTypes;
    ctx_->seg[PPC_POOL] = reinterpret_cast<uint8_t*>(pool_.data());
  }

  /// The fault it ended in, PPC_FAULT_NONE if it came back; `used` is the fuel that it took.
  uint32_t run(const std::string& text, std::optional<Read>& out, int64_t fuel = int64_t{1} << 40) {
    ctx_.reset_step();
    const int64_t v = ctx_.scratch_text(text, text::check_utf8(text).ascii);
    jmp_buf back;
    ctx_->fuel = fuel;
    ctx_->fault = PPC_FAULT_NONE;
    ctx_->on_fault = &back;
    volatile int64_t result = 0;
    if (setjmp(back) == 0) result = ppc_rt_text_parse(ctx_.get(), v, program_, texts_, sets_);
    ctx_->on_fault = nullptr;
    used = fuel - ctx_->fuel;
    out.reset();
    if (ctx_->fault != PPC_FAULT_NONE || result == 0) return ctx_->fault;
    const int64_t record = rt::record_field(ctx_.get(), result, 0);
    auto field = [&](uint32_t i) { return std::string(rt::view(ctx_.get(), rt::record_field(ctx_.get(), record, i))); };
    out = Read{field(0), {}};
    for (uint32_t k = 0; k < captures.size(); ++k) out->captures.push_back(field(k + 1));
    return PPC_FAULT_NONE;
  }

  std::vector<std::string> captures;
  int64_t used = 0;

 private:
  static constexpr uint32_t kText = 0, kTextSet = 1;
  static constexpr ppc_type kTypes[] = {{PPC_K_TEXT, 0, 0, 0, 0}, {PPC_K_SET, kText, 0, 0, 0}};
  rt::Context ctx_;
  std::vector<uint64_t> pool_;
  int64_t program_ = 0, texts_ = 0, sets_ = 0;
};

}  // namespace ppc::words
