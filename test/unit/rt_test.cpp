// The runtime functions that games call. Tables of expected text behaviour were made with CPython 3.11.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/abi/chance.h"
#include "runtime/abi/context.h"
#include "runtime/abi/hashed.h"
#include "runtime/abi/segment.h"
#include "runtime/abi/table.h"
#include "runtime/text/english.h"
#include "runtime/text/utf8.h"

namespace {

using ppc::rt::Context;
using ppc::rt::SegmentBuilder;
using ppc::rt::view;

enum Type : uint32_t {
  kInt,
  kFloat,
  kBool,
  kText,
  kTexts,
  kInts,
  kTextSet,
  kTextInt,
  kMaybeText,
  kPair,
  kNested,
  kIntSet,
  kTextTexts,
  kIntInt,
  kPairs,
  kFloats
};
const uint32_t kFields[] = {kText, kInt};
const ppc_type kTypes[] = {
    {PPC_K_INT, 0, 0, 0, 0},           {PPC_K_FLOAT, 0, 0, 0, 0},         {PPC_K_BOOL, 0, 0, 0, 0},
    {PPC_K_TEXT, 0, 0, 0, 0},          {PPC_K_LIST, kText, 0, 0, 0},      {PPC_K_LIST, kInt, 0, 0, 0},
    {PPC_K_SET, kText, 0, 0, 0},       {PPC_K_MAP, kText, kInt, 0, 0},    {PPC_K_OPTIONAL, kText, 0, 0, 0},
    {PPC_K_TUPLE, 0, 0, 0, 2},         {PPC_K_LIST, kTexts, 0, 0, 0},     {PPC_K_SET, kInt, 0, 0, 0},
    {PPC_K_MAP, kText, kTexts, 0, 0},  {PPC_K_MAP, kInt, kInt, 0, 0},     {PPC_K_SET, kPair, 0, 0, 0},
    {PPC_K_LIST, kFloat, 0, 0, 0}};

constexpr uint32_t kPlayers = 2, kSlots = 2 * kPlayers + 4;

// An episode as a host keeps it. Every growth moves the block, so that stale pointers show.
class Rt : public ::testing::Test {
 public:
  Rt() : ctx(size_t{8} << 20), block(ppc::rt::state_size(kSlots) / 8 + 8) {
    ppc::rt::init_state(reinterpret_cast<uint8_t*>(block.data()), kSlots, 7, 42);
    c = ctx.get();
    c->types = kTypes;
    c->type_fields = kFields;
    c->player_count = kPlayers;
    c->fuel = int64_t{1} << 40;
    c->seg[PPC_STATE] = reinterpret_cast<uint8_t*>(block.data());
    c->state_cap = static_cast<uint32_t>(8 * block.size());
    c->state_limit = 1 << 20;
    c->host = this;
    c->want_events = 1;
    c->grow_state = [](void* host, ppc_ctx* x, uint32_t need) -> uint8_t* {
      auto* self = static_cast<Rt*>(host);
      std::vector<uint64_t> bigger(need / 8 + 2, 0xEEEEEEEEEEEEEEEEu);
      std::memcpy(bigger.data(), self->block.data(), x->state_cap);
      std::fill(self->block.begin(), self->block.end(), 0xDDDDDDDDDDDDDDDDu);
      self->block.swap(bigger);
      x->state_cap = static_cast<uint32_t>(8 * self->block.size());
      return reinterpret_cast<uint8_t*>(self->block.data());
    };
  }

  int64_t t(std::string_view s) { return ctx.scratch_text(s, ppc::text::check_utf8(s).ascii); }
  /// The same text, not known to be ASCII.
  int64_t unknown(std::string_view s) { return ctx.scratch_text(s, false); }
  std::string s(int64_t v) const {
    const std::string bytes(view(c, v));
    const auto check = ppc::text::check_utf8(bytes);
    EXPECT_TRUE(check.valid);
    EXPECT_TRUE(check.ascii || !PPC_ASCII(v)) << bytes;  // the flag must never lie
    return bytes;
  }
  int64_t list(const std::vector<std::string>& texts) {
    int64_t l = ppc_rt_list_new(c, 0);
    for (const auto& x : texts) l = ppc_rt_list_push(c, l, t(x), kTexts);
    return l;
  }
  template <class Values>
  int64_t ints(const Values& values) {
    int64_t l = ppc_rt_list_new(c, 0);
    for (const int64_t x : values) l = ppc_rt_list_push(c, l, x, kInts);
    return l;
  }
  int64_t ints(std::initializer_list<int64_t> values) { return ints<std::initializer_list<int64_t>>(values); }
  int64_t floats(const std::vector<double>& values) {
    int64_t l = ppc_rt_list_new(c, 0);
    for (const auto x : values) l = ppc_rt_list_push(c, l, SegmentBuilder::make_float(x), kFloats);
    return l;
  }
  std::vector<std::string> texts(int64_t l) const {
    std::vector<std::string> out;
    for (uint32_t i = 0; i < ppc::rt::list_length(c, l); ++i) out.push_back(s(ppc::rt::list_item(c, l, i)));
    return out;
  }
  std::vector<int64_t> numbers(int64_t l) const {
    std::vector<int64_t> out;
    for (uint32_t i = 0; i < ppc::rt::list_length(c, l); ++i) out.push_back(ppc::rt::list_item(c, l, i));
    return out;
  }
  std::vector<std::string> members(int64_t set) const {
    std::vector<std::string> out;
    for (uint32_t i = 0; i < ppc::rt::set_length(c, set); ++i) out.push_back(s(ppc::rt::set_item(c, set, i)));
    return out;
  }
  ppc_state* state() const { return reinterpret_cast<ppc_state*>(c->seg[PPC_STATE]); }
  int64_t& slot(uint32_t i) { return state()->slots[2 * kPlayers + i]; }

  /// The fault that `action` ends in, PPC_FAULT_NONE if it comes back. A fault jumps: nothing in `action` may need
  /// its destructor.
  uint32_t fault_of(const std::function<void()>& action) {
    jmp_buf out;
    c->on_fault = &out;
    c->fault = PPC_FAULT_NONE;
    if (setjmp(out) == 0) action();
    c->on_fault = nullptr;
    return c->fault;
  }

  Context ctx;
  std::vector<uint64_t> block;
  ppc_ctx* c;
};

using Strings = std::vector<std::string>;

std::string named(const char* prefix, uint64_t n) {
  std::string x = prefix;
  x += std::to_string(n);
  return x;
}

// ---- texts --------------------------------------------------------------------------------------------------------

struct CaseRow {
  const char *in, *lower, *upper, *capitalized, *trimmed;
  int alpha, digit, alnum, space, is_lower, is_upper;
};
const CaseRow kCases[] = {
    {"", "", "", "", "", 0, 0, 0, 0, 0, 0},
    {"abc", "abc", "ABC", "Abc", "abc", 1, 0, 1, 0, 1, 0},
    {"ABC", "abc", "ABC", "Abc", "ABC", 1, 0, 1, 0, 0, 1},
    {"aBc1", "abc1", "ABC1", "Abc1", "aBc1", 0, 0, 1, 0, 0, 0},
    {"  x ", "  x ", "  X ", "  x ", "x", 0, 0, 0, 0, 1, 0},
    {"\tx\x1c\x1d\x1e\x1f", "\tx\x1c\x1d\x1e\x1f", "\tX\x1c\x1d\x1e\x1f", "\tx\x1c\x1d\x1e\x1f", "x", 0, 0, 0, 0, 1, 0},
    {"\u00a0x\u2003", "\u00a0x\u2003", "\u00a0X\u2003", "\u00a0x\u2003", "x", 0, 0, 0, 0, 1, 0},
    {"\u200bx", "\u200bx", "\u200bX", "\u200bx", "\u200bx", 0, 0, 0, 0, 1, 0},
    {"ß", "ß", "SS", "Ss", "ß", 1, 0, 1, 0, 1, 0},
    {"ẞ", "ß", "ẞ", "ẞ", "ẞ", 1, 0, 1, 0, 0, 1},
    {"İ", "i\u0307", "İ", "İ", "İ", 1, 0, 1, 0, 0, 1},
    {"ΑΣ", "ας", "ΑΣ", "Ας", "ΑΣ", 1, 0, 1, 0, 0, 1},
    {"ΑΣΑ", "ασα", "ΑΣΑ", "Ασα", "ΑΣΑ", 1, 0, 1, 0, 0, 1},
    {"Σ", "σ", "Σ", "Σ", "Σ", 1, 0, 1, 0, 0, 1},
    {"ΑΣ.", "ας.", "ΑΣ.", "Ας.", "ΑΣ.", 0, 0, 0, 0, 0, 1},
    {"ΑΣ b", "ας b", "ΑΣ B", "Ας b", "ΑΣ b", 0, 0, 0, 0, 0, 0},
    {"ǆa", "ǆa", "ǄA", "ǅa", "ǆa", 1, 0, 1, 0, 1, 0},
    {"ŉX", "ŉx", "ʼNX", "ʼNx", "ŉX", 1, 0, 1, 0, 0, 0},
    {"ﬁN", "ﬁn", "FIN", "Fin", "ﬁN", 1, 0, 1, 0, 0, 0},
    {"É", "é", "É", "É", "É", 1, 0, 1, 0, 0, 1},
    {"éa", "éa", "ÉA", "Éa", "éa", 1, 0, 1, 0, 1, 0},
    {"日本", "日本", "日本", "日本", "日本", 1, 0, 1, 0, 0, 0},
    {"٣", "٣", "٣", "٣", "٣", 0, 1, 1, 0, 0, 0},
    {"²", "²", "²", "²", "²", 0, 1, 1, 0, 0, 0},
    {"½", "½", "½", "½", "½", 0, 0, 1, 0, 0, 0},
    {"Ⅷ", "ⅷ", "Ⅷ", "Ⅷ", "Ⅷ", 0, 0, 1, 0, 0, 1},
    {"a1", "a1", "A1", "A1", "a1", 0, 0, 1, 0, 1, 0},
    {"1", "1", "1", "1", "1", 0, 1, 1, 0, 0, 0},
    {"١٢", "١٢", "١٢", "١٢", "١٢", 0, 1, 1, 0, 0, 0},
    {"x²", "x²", "X²", "X²", "x²", 0, 0, 1, 0, 1, 0},
    {"Kelvin K", "kelvin k", "KELVIN K", "Kelvin k", "Kelvin K", 0, 0, 0, 0, 0, 0},
    {"İI", "i\u0307i", "İI", "İi", "İI", 1, 0, 1, 0, 0, 1},
    {"ǅ", "ǆ", "Ǆ", "ǅ", "ǅ", 1, 0, 1, 0, 0, 0},
    {"ªb", "ªb", "ªB", "ªb", "ªb", 1, 0, 1, 0, 1, 0},
    {"Ab Cd", "ab cd", "AB CD", "Ab cd", "Ab Cd", 0, 0, 0, 0, 0, 0},
    {"hello World", "hello world", "HELLO WORLD", "Hello world", "hello World", 0, 0, 0, 0, 0, 0},
    {"123abc", "123abc", "123ABC", "123abc", "123abc", 0, 0, 1, 0, 1, 0},
    {"-", "-", "-", "-", "-", 0, 0, 0, 0, 0, 0},
    {"a-B", "a-b", "A-B", "A-b", "a-B", 0, 0, 0, 0, 0, 0},
    {"𐐀x", "𐐨x", "𐐀X", "𐐀x", "𐐀x", 1, 0, 1, 0, 0, 0},
    {"\xc2\x85x\xc2\x85", "\xc2\x85x\xc2\x85", "\xc2\x85X\xc2\x85", "\xc2\x85x\xc2\x85", "x", 0, 0, 0, 0, 1, 0},
    {"ΌΣΟΣ", "όσος", "ΌΣΟΣ", "Όσος", "ΌΣΟΣ", 1, 0, 1, 0, 0, 1},
    {"i\u0307", "i\u0307", "I\u0307", "I\u0307", "i\u0307", 0, 0, 0, 0, 1, 0},
    {"ʰ", "ʰ", "ʰ", "ʰ", "ʰ", 1, 0, 1, 0, 1, 0},
    {"Ⓐ", "ⓐ", "Ⓐ", "Ⓐ", "Ⓐ", 0, 0, 0, 0, 0, 1},
    {"ⓐ", "ⓐ", "Ⓐ", "Ⓐ", "ⓐ", 0, 0, 0, 0, 1, 0},
    {" \t\x0a", " \t\x0a", " \t\x0a", " \t\x0a", "", 0, 0, 0, 1, 0, 0},
    {"\u3000", "\u3000", "\u3000", "\u3000", "", 0, 0, 0, 1, 0, 0},
};

const std::pair<double, const char*> kFloatTexts[] = {
    {0.0, "0.0"}, {-0.0, "-0.0"}, {1.0, "1.0"}, {0.5, "0.5"}, {1e+16, "1e+16"},
    {1000000000000000.0, "1000000000000000.0"}, {1.2345678901234568e+17, "1.2345678901234568e+17"},
    {9999999999999998.0, "9999999999999998.0"}, {0.0001, "0.0001"}, {1e-05, "1e-05"}, {0.00012345, "0.00012345"},
    {0.3333333333333333, "0.3333333333333333"}, {33.333333333333336, "33.333333333333336"},
    {0.6666666666666666, "0.6666666666666666"}, {1e+22, "1e+22"}, {1e+23, "1e+23"}, {5e-324, "5e-324"},
    {1.7976931348623157e+308, "1.7976931348623157e+308"}, {INFINITY, "inf"}, {-INFINITY, "-inf"}, {NAN, "nan"},
    {12.0, "12.0"}, {-2.5, "-2.5"}, {33.33, "33.33"}, {1e+100, "1e+100"}, {0.1, "0.1"},
    {0.30000000000000004, "0.30000000000000004"}, {1234567.0, "1234567.0"}, {1e-07, "1e-07"}, {1.23e-05, "1.23e-05"},
};

struct RoundRow {
  double x;
  int digits;
  double result;
};
const RoundRow kRounds[] = {
    {2.675, 2, 2.67}, {0.5, 0, 0.0}, {1.5, 0, 2.0}, {2.5, 0, 2.0}, {-0.5, 0, -0.0}, {1.005, 2, 1.0},
    {33.333333333333336, 2, 33.33}, {66.66666666666667, 2, 66.67}, {0.125, 2, 0.12}, {0.375, 2, 0.38},
    {25.0, -1, 20.0}, {35.0, -1, 40.0}, {15.0, -1, 20.0}, {14.9, -1, 10.0}, {5.0, -1, 0.0}, {4.9, -1, 0.0},
    {15.000001, -1, 20.0}, {25.000001, -1, 30.0}, {1234.5, -2, 1200.0}, {1250.0, -2, 1200.0}, {1350.0, -2, 1400.0},
    {-1250.0, -2, -1200.0}, {99.5, -2, 100.0}, {9.5, -1, 10.0}, {950.0, -2, 1000.0}, {49.0, -2, 0.0},
    {51.0, -2, 100.0}, {1e+300, -300, 1e+300}, {1.5e+300, -300, 2e+300}, {1234567890123456.8, 1, 1234567890123456.8},
    {0.1, 20, 0.1}, {1e-320, 322, 1e-320}, {5e-324, 323, 0.0}, {123.456, 400, 123.456}, {123.456, -400, 0.0},
    {1e+22, 2, 1e+22}, {0.045, 2, 0.04}, {8.345, 2, 8.35}, {14.285714285714286, 2, 14.29},
    {-14.285714285714286, 2, -14.29}, {999.995, 2, 1000.0}, {4503599627370498.0, 0, 4503599627370498.0},
    {0.9999999, 3, 1.0},
};

TEST_F(Rt, CaseAndClassesAreAsInPython) {
  for (const CaseRow& row : kCases) {
    for (const int64_t v : {t(row.in), unknown(row.in)}) {
      SCOPED_TRACE(row.in);
      EXPECT_EQ(s(ppc_rt_text_lower(c, v)), row.lower);
      EXPECT_EQ(s(ppc_rt_text_upper(c, v)), row.upper);
      EXPECT_EQ(s(ppc_rt_text_capitalized(c, v)), row.capitalized);
      EXPECT_EQ(s(ppc_rt_text_trimmed(c, v)), row.trimmed);
      EXPECT_EQ(s(ppc_rt_text_trimmed_start(c, ppc_rt_text_trimmed_end(c, v))), row.trimmed);
      EXPECT_EQ(ppc_rt_text_is_alpha(c, v), row.alpha);
      EXPECT_EQ(ppc_rt_text_is_digit(c, v), row.digit);
      EXPECT_EQ(ppc_rt_text_is_alnum(c, v), row.alnum);
      EXPECT_EQ(ppc_rt_text_is_space(c, v), row.space);
      EXPECT_EQ(ppc_rt_text_is_lower(c, v), row.is_lower);
      EXPECT_EQ(ppc_rt_text_is_upper(c, v), row.is_upper);
    }
  }
}

TEST_F(Rt, WhatDoesNotChangeIsNotCopied) {
  const int64_t v = t("  already lower, really ");
  const int64_t mixed = t("Äpfel und ß");
  const uint32_t before = c->scratch_top;
  EXPECT_EQ(ppc_rt_text_lower(c, v), v);
  EXPECT_EQ(ppc_rt_text_replace(c, v, 0, v), v);
  EXPECT_EQ(s(ppc_rt_text_trimmed(c, v)), "already lower, really");
  EXPECT_EQ(s(ppc_rt_text_at(c, v, 2)), "a");
  EXPECT_EQ(s(ppc_rt_text_slice(c, v, 2, 9)), "already");
  EXPECT_EQ(s(ppc_rt_text_at(c, mixed, 10)), "ß");
  EXPECT_EQ(s(ppc_rt_text_slice(c, mixed, 0, 5)), "Äpfel");
  EXPECT_EQ(s(ppc_rt_text_without_punctuation(c, ppc_rt_text_slice(c, v, 10, 16))), "lower");
  EXPECT_EQ(c->scratch_top, before);
  EXPECT_EQ(s(ppc_rt_text_without_punctuation(c, v)), "  already lower really ");
  EXPECT_EQ(c->scratch_top, before + 23);
}

TEST_F(Rt, TrimsGivenCharacters) {
  EXPECT_EQ(s(ppc_rt_text_trimmed_of(c, t("\n.é a..b é."), t(".\né"))), " a..b ");
  EXPECT_EQ(s(ppc_rt_text_trimmed_of(c, t("èa\u00a9"), t("é©"))), "èa");
  EXPECT_EQ(s(ppc_rt_text_trimmed_of(c, t("..."), t("."))), "");
  EXPECT_EQ(s(ppc_rt_text_trimmed_of(c, t(" a "), t(""))), " a ");
}

TEST_F(Rt, CharactersAreCodePoints) {
  const Strings want = {"a", "ß", "日", "𐐀", "z"};
  const int64_t v = t("aß日𐐀z");
  EXPECT_EQ(ppc_rt_text_length(c, v), 5);
  EXPECT_EQ(texts(ppc_rt_text_letters(c, v)), want);
  EXPECT_EQ(texts(ppc_rt_text_split(c, v, 0)), want);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(s(ppc_rt_text_at(c, v, i)), want[static_cast<size_t>(i)]);
  EXPECT_EQ(s(ppc_rt_text_slice(c, v, 1, 4)), "ß日𐐀");
  EXPECT_EQ(s(ppc_rt_text_slice(c, v, -3, 99)), "aß日𐐀z");
  EXPECT_EQ(s(ppc_rt_text_slice(c, v, 4, 2)), "");
  EXPECT_EQ(ppc_rt_text_find(c, v, t("𐐀")), 3);
  EXPECT_EQ(ppc_rt_text_find(c, v, t("x")), -1);
  for (const int64_t i : {int64_t{5}, int64_t{-1}, INT64_MIN, INT64_MAX}) {
    EXPECT_EQ(fault_of([&] { ppc_rt_text_at(c, v, i); }), PPC_FAULT_INDEX);
    EXPECT_EQ(fault_of([&] { ppc_rt_text_at(c, t("abcde"), i); }), PPC_FAULT_INDEX);
  }
  EXPECT_EQ(texts(ppc_rt_text_letters(c, unknown("abc"))), (Strings{"a", "b", "c"}));
}

TEST_F(Rt, WhiteSpaceOfBothKindsIsTrimmed) {
  const Strings spaces = {"", " ", "\u00a0", " \u00a0", "\u00a0 ", " \u2003 ", "\n\u3000\t\u0085", "\x1c\u2029\x1f"};
  for (const std::string& before : spaces) {
    for (const std::string& behind : spaces) {
      for (const std::string core : {"", "x", "é", "a \u00a0 b", "éé"})
        EXPECT_EQ(s(ppc_rt_text_trimmed(c, t(before + core + behind))), core);
    }
  }
}

TEST_F(Rt, ShortWordsGiveWhatLongOnesGive) {
  for (size_t n = 0; n <= 10; ++n) {
    for (size_t at = 0; at < n; ++at) {
      for (int b = 0; b < 128; ++b) {
        std::string word(n, 'q');
        word[at] = static_cast<char>(b);
        std::string lower = word;
        if (b >= 'A' && b <= 'Z') lower[at] = static_cast<char>(b + 32);
        const bool letter = (b >= 'A' && b <= 'Z') || (b >= 'a' && b <= 'z');
        EXPECT_EQ(s(ppc_rt_text_lower(c, t(word))), lower);
        EXPECT_EQ(ppc_rt_text_is_alpha(c, t(word)) != 0, letter);
      }
    }
  }
}

TEST_F(Rt, LongTextsAreIndexedByCodePoint) {
  std::mt19937 random(3);
  const Strings alphabet = {"a", "b", "é", "日", "𐐀"};
  Strings points;
  std::string all;
  for (int i = 0; i < 300; ++i) {
    points.push_back(alphabet[random() % alphabet.size()]);
    all += points.back();
  }
  const int64_t v = t(all);
  EXPECT_EQ(ppc_rt_text_length(c, v), 300);
  for (size_t i = 0; i < 300; ++i) {
    EXPECT_EQ(s(ppc_rt_text_at(c, v, static_cast<int64_t>(i))), points[i]);
    const size_t end = std::min<size_t>(300, i + random() % 20);
    std::string want;
    for (size_t k = i; k < end; ++k) want += points[k];
    EXPECT_EQ(s(ppc_rt_text_slice(c, v, static_cast<int64_t>(i), static_cast<int64_t>(end))), want);
  }
}

TEST_F(Rt, SearchAndReplace) {
  const auto replaced = [&](const char* a, const char* b, const char* with) {
    return s(ppc_rt_text_replace(c, t(a), t(b), t(with)));
  };
  EXPECT_EQ(replaced("aaaa", "aa", "b"), "bb");
  EXPECT_EQ(replaced("CLUE: red", "CLUE:", ""), " red");
  EXPECT_EQ(replaced("CLUE: CLUE:", "CLUE:", ""), " ");
  EXPECT_EQ(replaced("red CLUE:", "CLUE:", ""), "red ");
  EXPECT_EQ(replaced("aXbXc", "X", "ß"), "aßbßc");
  EXPECT_EQ(replaced("aßb", "ß", "X"), "aXb");
  EXPECT_EQ(replaced("abc", "", "-"), "abc");
  EXPECT_EQ(replaced("abc", "abc", ""), "");
  EXPECT_EQ(ppc_rt_text_count(c, t("aaaa"), t("aa")), 2);
  EXPECT_EQ(ppc_rt_text_count(c, t("aßa"), 0), 4);
  EXPECT_EQ(ppc_rt_text_count(c, t("abc"), t("abcd")), 0);
  EXPECT_EQ(ppc_rt_text_contains(c, t("abc"), 0), 1);
  EXPECT_EQ(ppc_rt_text_contains(c, 0, 0), 1);
  EXPECT_EQ(ppc_rt_text_contains(c, t("abc"), t("bc")), 1);
  EXPECT_EQ(ppc_rt_text_contains(c, t("bc"), t("abc")), 0);
  EXPECT_EQ(ppc_rt_text_starts_with(c, t("abc"), t("ab")), 1);
  EXPECT_EQ(ppc_rt_text_starts_with(c, t("ab"), t("abc")), 0);
  EXPECT_EQ(ppc_rt_text_ends_with(c, t("abc"), t("bc")), 1);
  EXPECT_EQ(ppc_rt_text_ends_with(c, t("bc"), t("abc")), 0);
  EXPECT_EQ(ppc_rt_text_ends_with(c, t("abc"), 0), 1);
  EXPECT_EQ(s(ppc_rt_text_repeat(c, t("ab"), 5)), "ababababab");
  EXPECT_EQ(s(ppc_rt_text_repeat(c, t("ab"), -1)), "");
}

TEST_F(Rt, SearchFindsWhatAPlainSearchFinds) {
  std::mt19937 random(9);
  for (int n = 0; n < 20000; ++n) {
    std::string in, what;
    for (size_t k = random() % 80; k > 0; --k) in += static_cast<char>('a' + random() % 2);
    if (random() % 2 && !in.empty()) what = in.substr(random() % in.size(), 1 + random() % 40);
    else for (size_t k = 1 + random() % 6; k > 0; --k) what += static_cast<char>('a' + random() % 2);
    const size_t at = in.find(what);
    ASSERT_EQ(ppc_rt_text_find(c, t(in), t(what)), at == std::string::npos ? -1 : static_cast<int64_t>(at))
        << in << " " << what;
    int64_t count = 0;
    for (size_t i = at; i != std::string::npos; i = in.find(what, i + what.size())) ++count;
    ASSERT_EQ(ppc_rt_text_count(c, t(in), t(what)), count);
    ctx.reset_step();
  }
}

// What looks at many bytes at a time gives what looking at each does, whatever the length and the place.
TEST_F(Rt, WholeWordsGiveWhatSingleBytesGive) {
  std::mt19937 random(10);
  const std::string some = "aZ ,.m09A@[`{~/:zM\x1f\x7f";
  for (int n = 0; n < 20000; ++n) {
    std::string in, lower, upper, plain, longer;
    for (size_t k = random() % 70; k > 0; --k) in += random() % 3 ? 'b' : some[random() % some.size()];
    Strings parts{""}, pieces;
    for (const char ch : in) {
      lower += static_cast<char>(std::tolower(static_cast<unsigned char>(ch)));
      upper += static_cast<char>(std::toupper(static_cast<unsigned char>(ch)));
      if (!std::ispunct(static_cast<unsigned char>(ch))) plain += ch;
      if (ch == ' ') parts.emplace_back();
      else parts.back() += ch;
    }
    ASSERT_EQ(s(ppc_rt_text_lower(c, t(in))), lower) << in;
    ASSERT_EQ(s(ppc_rt_text_upper(c, unknown(in))), upper) << in;
    ASSERT_EQ(s(ppc_rt_text_without_punctuation(c, t(in))), plain) << in;
    ASSERT_EQ(texts(ppc_rt_text_split(c, t(in), t(" "))), parts) << in;
    std::vector<int64_t> refs;
    for (size_t k = random() % 6; k > 0; --k) {
      const size_t at = random() % (in.size() + 1);
      pieces.push_back(in.substr(at, random() % 24));
      refs.push_back(t(pieces.back()));
      longer += pieces.back();
    }
    ASSERT_EQ(s(ppc_rt_concat(c, refs.data(), static_cast<int64_t>(refs.size()))), longer);
    for (size_t k = 0; k < refs.size(); ++k) ASSERT_EQ(s(refs[k]), pieces[k]);
    std::string broken = in;
    if (!in.empty()) broken[random() % in.size()] = '\x80';
    ASSERT_EQ(ppc::text::check_utf8(broken).valid, in.empty());
    ASSERT_TRUE(ppc::text::check_utf8(in).ascii);
    ctx.reset_step();
  }
}

TEST_F(Rt, SplitAndJoin) {
  EXPECT_EQ(texts(ppc_rt_text_split(c, t("a,,b,"), t(","))), (Strings{"a", "", "b", ""}));
  EXPECT_EQ(texts(ppc_rt_text_split(c, t("a--b-c"), t("--"))), (Strings{"a", "b-c"}));
  EXPECT_EQ(texts(ppc_rt_text_split(c, 0, t(","))), (Strings{""}));
  EXPECT_EQ(texts(ppc_rt_text_lines(c, t("a\n\nb"))), (Strings{"a", "", "b"}));
  EXPECT_EQ(texts(ppc_rt_text_words(c, t(" a  b\t\nc\u2003d "))), (Strings{"a", "b", "c", "d"}));
  EXPECT_EQ(texts(ppc_rt_text_words(c, t(" \n"))), Strings{});
  EXPECT_EQ(s(ppc_rt_text_join(c, list({"a", "ß", "c"}), t(", "))), "a, ß, c");
  EXPECT_EQ(s(ppc_rt_text_join(c, list({}), t(", "))), "");
  EXPECT_EQ(s(ppc_rt_text_bullets(c, list({"cold", "snow"}))), "- cold\n- snow");
  EXPECT_EQ(s(ppc_rt_text_without_punctuation(c, t("a-b, \"c\" (d)!"))), "ab c d");
  EXPECT_EQ(s(ppc_rt_text_without_punctuation(c, t("…ä!"))), "…ä");
  EXPECT_EQ(s(ppc_rt_text_without_punctuation(c, t("!?"))), "");
}

TEST_F(Rt, ConcatGrowsInPlace) {
  int64_t v = 0;
  std::string want;
  for (int i = 0; i < 1000; ++i) {
    const std::string piece = i % 7 ? "x" : "ü";
    const int64_t pieces[] = {v, piece == "x" ? PPC_TEXT(PPC_POOL, 1, 8, 1) : PPC_TEXT(PPC_POOL, 0, 9, 2)};
    static uint8_t pool[] = "\0\0\0\0\0\0\0\0xü";
    c->seg[PPC_POOL] = pool;
    const uint32_t before = c->scratch_top;
    v = ppc_rt_concat(c, pieces, 2);
    want += piece;
    if (i > 2) {
      EXPECT_EQ(c->scratch_top, before + piece.size());
    }
  }
  EXPECT_EQ(s(v), want);
  const int64_t a = t("ab"), b = t("cd");
  const int64_t twice[] = {b, b, a, 0};
  EXPECT_EQ(s(ppc_rt_concat(c, twice, 4)), "cdcdab");
  const int64_t one[] = {0, a, 0};
  EXPECT_EQ(ppc_rt_concat(c, one, 3), a);
  EXPECT_EQ(ppc_rt_concat(c, one, 0), 0);
  EXPECT_EQ(s(b), "cd");
}

TEST_F(Rt, OrderIsByCodePoint) {
  const Strings sorted = {"", "Z", "a", "aa", "b", "ß", "日", "\uFFFD", "𐐀"};
  for (size_t i = 0; i < sorted.size(); ++i) {
    for (size_t k = 0; k < sorted.size(); ++k) {
      EXPECT_EQ(ppc_rt_text_less(c, t(sorted[i]), t(sorted[k])), i < k);
      EXPECT_EQ(ppc_rt_text_eq(c, t(sorted[i]), unknown(sorted[k])), i == k);
    }
  }
}

TEST_F(Rt, IntsAreReadAsInPython) {
  const std::pair<const char*, int64_t> good[] = {
      {" 12 ", 12}, {"+5", 5}, {"-7", -7}, {"1_000", 1000}, {"٣٤", 34}, {"007", 7}, {"\u00a07\u2003", 7},
      {"9223372036854775807", INT64_MAX}, {"-9223372036854775808", INT64_MIN}};
  for (const auto& [in, want] : good) {
    EXPECT_EQ(ppc_rt_text_is_int(c, t(in)), 1) << in;
    EXPECT_EQ(ppc_rt_text_to_int(c, t(in)), want) << in;
  }
  for (const char* in :
       {"", " ", "x", "1.0", "_1", "1__0", "1_", "- 1", "--1", "0x1", "9223372036854775808", "+", "²", "1\x1c"}) {
    EXPECT_EQ(ppc_rt_text_is_int(c, t(in)), 0) << in;
    EXPECT_EQ(fault_of([&] { ppc_rt_text_to_int(c, t(in)); }), PPC_FAULT_NUMBER) << in;
  }
}

TEST_F(Rt, NumbersPrintAsInPython) {
  for (const auto& [x, want] : kFloatTexts) EXPECT_EQ(s(ppc_rt_float_to_text(c, SegmentBuilder::make_float(x))), want);
  EXPECT_EQ(s(ppc_rt_int_to_text(c, INT64_MIN)), "-9223372036854775808");
  EXPECT_EQ(s(ppc_rt_bool_to_text(c, 1)), "true");
  EXPECT_EQ(s(ppc_rt_to_text(c, ints({1, -2}), kInts)), "[1, -2]");
  EXPECT_EQ(s(ppc_rt_to_text(c, list({"a", "é"}), kTexts)), "[a, é]");
  EXPECT_EQ(s(ppc_rt_to_text(c, floats({1, 0.5}), kFloats)), "[1.0, 0.5]");
  EXPECT_EQ(s(ppc_rt_to_text(c, ppc_rt_map_set(c, ppc_rt_map_new(c, 0), t("k"), 3, kTextInt), kTextInt)), "{k: 3}");
  EXPECT_EQ(s(ppc_rt_to_text(c, 0, kMaybeText)), "none");
  EXPECT_EQ(s(ppc_rt_to_text(c, ppc_rt_some(c, t("x")), kMaybeText)), "x");
}

TEST_F(Rt, StemsOfWords) {
  for (const auto& [word, want] : {std::pair{"Responsibility", "respons"}, {"running", "run"}, {"army", "armi"},
                                   {"reliability", "reliabl"}, {"", ""}, {"it\u2019s", "it"}, {"naïve", "naïv"}}) {
    EXPECT_EQ(s(ppc_rt_stem(c, t(word))), want);
    EXPECT_EQ(s(ppc_rt_stem(c, t(word))), want);  // now remembered
  }
}

TEST_F(Rt, LemmasOfNouns) {
  for (const auto& [word, want] : {std::pair{"stars", "star"}, {"geese", "goose"}, {"glasses", "glass"}, {"axes", "ax"}, {"aurar", "eyrir"},
                                   {"species", "specie"}, {"men", "men"}, {"dogsss", "dog"}, {"pigmens", "pigman"}, {"major-axes", "major_axis"},
                                   {"qwertys", "qwertys"}, {"Stars", "Stars"}, {"na\u00efves", "na\u00efves"}, {"", ""}, {"s", "s"}}) {
    EXPECT_EQ(s(ppc_rt_lemma(c, t(word))), want);
  }
  EXPECT_EQ(s(ppc_rt_lemma(c, t(std::string(100000, 's')))), "sss");
  const std::string longer = "qqq" + std::string(100000, 's');
  EXPECT_TRUE(s(ppc_rt_lemma(c, t(longer))) == longer);
}

// Reads `"key": "text"` and `"key": ["text", …]` pairs; enough for these files.
std::vector<std::pair<std::string, Strings>> fields_of(const std::string& json) {
  std::vector<std::pair<std::string, Strings>> out;
  size_t i = 0;
  const auto skip = [&] {
    while (i < json.size() && (std::isspace(static_cast<unsigned char>(json[i])) || json[i] == ',')) ++i;
  };
  const auto quoted = [&] {
    std::string x;
    for (++i; json[i] != '"'; ++i) {
      if (json[i] == '\\') ++i;
      x += json[i];
    }
    ++i;
    return x;
  };
  while ((i = json.find('"', i)) != std::string::npos) {
    const std::string key = quoted();
    skip();
    if (json[i] != ':') continue;
    ++i;
    skip();
    Strings values;
    if (json[i] == '"') values.push_back(quoted());
    if (json[i] == '[') {
      for (++i, skip(); json[i] == '"'; skip()) values.push_back(quoted());
    }
    out.emplace_back(key, values);
  }
  return out;
}

TEST_F(Rt, StemsAreThoseOfTheInstanceFiles) {
  namespace fs = std::filesystem;
  const char* shared = std::getenv("PPC_SHARED");
  const fs::path folder = fs::path(shared ? shared : PPC_SOURCE_DIR "/../shared") / "clembench/instances/taboo";
  if (!fs::exists(folder)) GTEST_SKIP() << "no instance files at " << folder;
  // The stems of version 1.6 come from NLTK's Snowball stemmer. Those of instances.json do not altogether: it has
  // "fly", "energy", "football" as they are and "fortif" for "fortify", 35 of 240 that no Snowball stemmer gives.
  for (const auto& [name, allowed] : {std::pair{"instances_v1.6.json", 0}, {"instances.json", 35}}) {
    int checked = 0, different = 0;
    std::ifstream in(folder / name);
    std::stringstream bytes;
    bytes << in.rdbuf();
    std::map<std::string, Strings> last;
    for (const auto& [key, values] : fields_of(bytes.str())) {
      last[key] = values;
      if (key != "target_word_stem" && key != "related_word_stem") continue;
      const Strings& words = last[key.substr(0, key.size() - 5)];
      ASSERT_EQ(words.size(), values.size());
      for (size_t i = 0; i < words.size(); ++i) {
        const std::string stem = s(ppc_rt_stem(c, t(words[i])));
        if (allowed == 0) {
          EXPECT_EQ(stem, values[i]) << words[i] << " in " << name;
        }
        different += stem != values[i];
        ++checked;
      }
      ctx.reset_step();
    }
    EXPECT_EQ(checked, 240) << name;
    EXPECT_LE(different, allowed) << name;
  }
}

TEST_F(Rt, Stopwords) {
  const int64_t words = ppc_rt_stopwords(c);
  EXPECT_EQ(ppc_rt_set_length(c, words), 179);
  for (const char* w : {"i", "the", "wouldn't", "now"})
    EXPECT_EQ(ppc_rt_set_contains(c, words, t(w), kTextSet), 1) << w;
  for (const char* w : {"", "The", "word"}) EXPECT_EQ(ppc_rt_set_contains(c, words, t(w), kTextSet), 0) << w;
}

// ---- UTF-8 --------------------------------------------------------------------------------------------------------

// By the table of well-formed byte sequences in the Unicode Standard.
bool valid_by_table(const std::string& x) {
  const auto in = [](unsigned char b, int low, int high) { return b >= low && b <= high; };
  for (size_t i = 0; i < x.size();) {
    const auto at = [&](size_t k) {
      return i + k < x.size() ? static_cast<unsigned char>(x[i + k]) : static_cast<unsigned char>(0);
    };
    const unsigned char b = at(0);
    if (b < 0x80) i += 1;
    else if (in(b, 0xC2, 0xDF) && in(at(1), 0x80, 0xBF)) i += 2;
    else if (b == 0xE0 && in(at(1), 0xA0, 0xBF) && in(at(2), 0x80, 0xBF)) i += 3;
    else if ((in(b, 0xE1, 0xEC) || in(b, 0xEE, 0xEF)) && in(at(1), 0x80, 0xBF) && in(at(2), 0x80, 0xBF)) i += 3;
    else if (b == 0xED && in(at(1), 0x80, 0x9F) && in(at(2), 0x80, 0xBF)) i += 3;
    else if (b == 0xF0 && in(at(1), 0x90, 0xBF) && in(at(2), 0x80, 0xBF) && in(at(3), 0x80, 0xBF)) i += 4;
    else if (in(b, 0xF1, 0xF3) && in(at(1), 0x80, 0xBF) && in(at(2), 0x80, 0xBF) && in(at(3), 0x80, 0xBF)) i += 4;
    else if (b == 0xF4 && in(at(1), 0x80, 0x8F) && in(at(2), 0x80, 0xBF) && in(at(3), 0x80, 0xBF)) i += 4;
    else return false;
  }
  return true;
}

TEST(Utf8, ValidationAgreesWithTheTable) {
  std::mt19937 random(11);
  const unsigned char interesting[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF,
                                       0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};
  int valid = 0;
  for (int n = 0; n < 200000; ++n) {
    std::string x(random() % 20, 'a');
    for (size_t k = random() % 5; k > 0; --k) {
      x.insert(x.begin() + static_cast<long>(random() % (x.size() + 1)),
               static_cast<char>(interesting[random() % sizeof interesting]));
    }
    if (n % 3 == 0) {
      uint8_t bytes[4];
      const uint32_t k = ppc::text::encode(0x80 + random() % 0xD000, bytes);
      x.insert(random() % (x.size() + 1), std::string(bytes, bytes + k));
    }
    const auto check = ppc::text::check_utf8(x);
    const bool ascii = std::all_of(x.begin(), x.end(), [](char b) { return static_cast<unsigned char>(b) < 0x80; });
    ASSERT_EQ(check.valid, valid_by_table(x));
    ASSERT_EQ(check.ascii, ascii);
    ASSERT_EQ(ppc::text::is_ascii(reinterpret_cast<const uint8_t*>(x.data()), x.size()), ascii);
    valid += check.valid;
  }
  EXPECT_GT(valid, 1000);
}

TEST(Utf8, EveryCodePointRoundTrips) {
  for (uint32_t point = 0; point < 0x110000; ++point) {
    if (point >= 0xD800 && point < 0xE000) continue;
    uint8_t bytes[4];
    const uint32_t n = ppc::text::encode(point, bytes);
    uint32_t length = 0;
    ASSERT_EQ(ppc::text::decode(bytes, n, &length), point);
    ASSERT_EQ(length, n);
    ASSERT_EQ(ppc::text::point_length(bytes, n), n);
    ASSERT_TRUE(ppc::text::check_utf8(bytes, n).valid);
    if (n > 1) {
      ASSERT_FALSE(ppc::text::check_utf8(bytes, n - 1).valid);
    }
  }
}

TEST_F(Rt, BrokenBytesAreHarmless) {
  std::mt19937 random(5);
  for (int n = 0; n < 5000; ++n) {
    std::string x;
    for (size_t k = random() % 12; k > 0; --k)
      x += static_cast<char>(random() % 2 ? random() % 256 : 'a' + random() % 3);
    const int64_t v = unknown(x);
    ppc_rt_text_length(c, v);
    ppc_rt_text_letters(c, v);
    ppc_rt_text_words(c, v);
    ppc_rt_text_lower(c, v);
    ppc_rt_text_upper(c, v);
    ppc_rt_text_capitalized(c, v);
    ppc_rt_text_trimmed(c, v);
    ppc_rt_text_slice(c, v, 1, 3);
    ppc_rt_text_is_alpha(c, v);
    ppc_rt_text_is_int(c, v);
    ppc_rt_stem(c, v);
    ppc_rt_lemma(c, v);
    ctx.reset_step();
  }
}

// ---- lists --------------------------------------------------------------------------------------------------------

TEST_F(Rt, ListsBehaveAsVectors) {
  std::mt19937_64 random(1);
  for (const bool in_state : {false, true}) {
    int64_t l = ppc_rt_list_new(c, 0);
    if (in_state) l = ppc_rt_persist(c, l, kTexts);
    Strings want;
    for (int n = 0; n < 4000; ++n) {
      const std::string word = named("w", random() % 40);
      const size_t i = want.empty() ? 0 : random() % want.size();
      switch (random() % 8) {
        case 0:
        case 1:
        case 2:
          l = ppc_rt_list_push(c, l, t(word), kTexts);
          want.push_back(word);
          break;
        case 3:
          l = ppc_rt_list_insert(c, l, static_cast<int64_t>(i), t(word), kTexts);
          want.insert(want.begin() + static_cast<long>(i), word);
          break;
        case 4:
          l = ppc_rt_list_remove(c, l, t(word), kTexts);
          if (const auto it = std::find(want.begin(), want.end(), word); it != want.end()) want.erase(it);
          break;
        case 5:
          if (want.empty()) break;
          l = ppc_rt_list_remove_at(c, l, static_cast<int64_t>(i));
          want.erase(want.begin() + static_cast<long>(i));
          break;
        case 6:
          if (want.empty()) break;
          l = ppc_rt_list_set(c, l, static_cast<int64_t>(i), t(word), kTexts);
          want[i] = word;
          break;
        default: {
          const auto it = std::find(want.begin(), want.end(), word);
          ASSERT_EQ(ppc_rt_list_index_of(c, l, t(word), kTexts), it == want.end() ? -1 : it - want.begin());
          ASSERT_EQ(ppc_rt_list_contains(c, l, t(word), kTexts), it != want.end());
          ASSERT_EQ(ppc_rt_list_count_of(c, l, t(word), kTexts), std::count(want.begin(), want.end(), word));
        }
      }
      if (in_state) {
        slot(0) = l;
        ASSERT_EQ(PPC_SEGMENT(l), PPC_STATE);
        if (n % 50 == 0) ctx.reset_step();  // nothing of it may have stayed in the scratch
        if (n % 50 == 0) std::memset(c->seg[PPC_SCRATCH], 0xAA, 4096);
      }
      if (n % 20 == 0) {
        ASSERT_EQ(texts(l), want);
      }
    }
    EXPECT_EQ(texts(l), want);
  }
}

TEST_F(Rt, ListFunctions) {
  EXPECT_EQ(numbers(ppc_rt_list_concat(c, ints({1, 2}), ints({3}))), (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(numbers(ppc_rt_list_repeat(c, ints({1, 2}), 2)), (std::vector<int64_t>{1, 2, 1, 2}));
  EXPECT_EQ(texts(ppc_rt_list_repeat(c, list({"red"}), 3)), (Strings{"red", "red", "red"}));
  EXPECT_EQ(numbers(ppc_rt_list_repeat(c, ints({1}), -2)), (std::vector<int64_t>{}));
  EXPECT_EQ(numbers(ppc_rt_list_slice(c, ints({1, 2, 3, 4}), 1, 3)), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(numbers(ppc_rt_list_slice(c, ints({1, 2}), -5, 99)), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(numbers(ppc_rt_list_slice(c, ints({1, 2}), 2, 1)), (std::vector<int64_t>{}));
  EXPECT_EQ(numbers(ppc_rt_list_reversed(c, ints({1, 2, 3}))), (std::vector<int64_t>{3, 2, 1}));
  EXPECT_EQ(numbers(ppc_rt_list_range(c, -1, 2)), (std::vector<int64_t>{-1, 0, 1, 2}));
  EXPECT_EQ(numbers(ppc_rt_list_range(c, 2, 1)), (std::vector<int64_t>{}));
  EXPECT_EQ(numbers(ppc_rt_list_range(c, INT64_MAX, INT64_MAX)), (std::vector<int64_t>{INT64_MAX}));
  EXPECT_EQ(ppc_rt_list_sum_int(c, ints({1, 2, -4})), -1);
  EXPECT_EQ(ppc_rt_list_last(c, ints({1, 2})), 2);
  EXPECT_EQ(ppc_rt_list_min(c, ints({3, 1, 2}), kInts), 1);
  EXPECT_EQ(ppc_rt_list_max(c, ints({3, 1, 2}), kInts), 3);
  EXPECT_EQ(s(ppc_rt_list_max(c, list({"b", "c", "a"}), kTexts)), "c");
  EXPECT_EQ(fault_of([&] { ppc_rt_list_at(c, ints({1}), 1); }), PPC_FAULT_INDEX);
  EXPECT_EQ(fault_of([&] { ppc_rt_list_at(c, ints({1}), -1); }), PPC_FAULT_INDEX);
  EXPECT_EQ(fault_of([&] { ppc_rt_list_set(c, ints({1}), 1, 0, kInts); }), PPC_FAULT_INDEX);
  EXPECT_EQ(fault_of([&] { ppc_rt_list_remove_at(c, ints({}), 0); }), PPC_FAULT_INDEX);
  EXPECT_EQ(fault_of([&] { ppc_rt_list_insert(c, ints({}), 1, 0, kInts); }), PPC_FAULT_INDEX);
  for (const auto f : {ppc_rt_list_min, ppc_rt_list_max}) {
    EXPECT_EQ(fault_of([&] { f(c, ints({}), kInts); }), PPC_FAULT_EMPTY);
  }
  EXPECT_EQ(fault_of([&] { ppc_rt_list_last(c, ints({})); }), PPC_FAULT_EMPTY);
  EXPECT_EQ(fault_of([&] { ppc_rt_list_sum_int(c, ints({INT64_MAX, 1})); }), PPC_FAULT_OVERFLOW);
  EXPECT_EQ(fault_of([&] { ppc_rt_list_new(c, INT64_MAX); }), PPC_FAULT_MEMORY);
  EXPECT_EQ(fault_of([&] { ppc_rt_list_range(c, INT64_MIN, INT64_MAX); }), PPC_FAULT_MEMORY);
}

TEST_F(Rt, SortingIsStableAndDistinctKeepsOrder) {
  std::mt19937_64 random(2);
  for (const size_t n : {0, 1, 2, 7, 8, 9, 16, 17, 100, 1000}) {
    Strings words;
    std::vector<int64_t> values;
    for (size_t i = 0; i < n; ++i) {
      words.push_back(named("w", random() % (n + 1)));
      values.push_back(static_cast<int64_t>(random() % (n + 1)) - 5);
    }
    const int64_t l = list(words);
    Strings sorted = words;
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(texts(ppc_rt_list_sorted(c, l, kTexts)), sorted);
    std::sort(values.begin(), values.end(), std::greater<>());
    const int64_t numbers_sorted = ppc_rt_list_sorted(c, ints(values), kInts);
    std::sort(values.begin(), values.end());
    EXPECT_EQ(numbers(numbers_sorted), values);
    Strings distinct;
    for (const auto& w : words) {
      if (std::find(distinct.begin(), distinct.end(), w) == distinct.end()) distinct.push_back(w);
    }
    EXPECT_EQ(texts(ppc_rt_list_distinct(c, l, kTexts)), distinct);
    EXPECT_EQ(members(ppc_rt_list_to_set(c, l, kTextSet)), distinct);
    EXPECT_EQ(texts(l), words);
  }
  // 0.0 and -0.0 are equal and of different bits: they show whether equals keep their order.
  const int64_t zeros = ppc_rt_list_sorted(c, floats({1.0, 0.0, -0.0, 0.0, -1.0, -0.0}), kFloats);
  EXPECT_EQ(s(ppc_rt_to_text(c, zeros, kFloats)), "[-1.0, 0.0, -0.0, 0.0, -0.0, 1.0]");
}

TEST_F(Rt, SumsAndMeansAreExact) {
  const auto sum = [&](const std::vector<double>& x) { return ppc::rt::float_of(ppc_rt_list_sum_float(c, floats(x))); };
  EXPECT_EQ(sum({1e100, 1.0, -1e100}), 1.0);
  EXPECT_EQ(sum(std::vector<double>(10, 0.1)), 1.0);
  EXPECT_EQ(sum({1e16, 1.0, 1e-16}), 1.0000000000000002e+16);
  EXPECT_EQ(sum({0.1, 0.2, 0.3, -0.6}), 2.7755575615628914e-17);
  EXPECT_EQ(sum({1.0, 1.1102230246251565e-16, 1.232595164407831e-32}), 1.0000000000000002);
  EXPECT_EQ(sum({}), 0.0);
  EXPECT_EQ(sum({INFINITY, 1.0}), INFINITY);
  EXPECT_TRUE(std::isnan(sum({INFINITY, -INFINITY})));
  const auto mean = [&](const std::vector<double>& x) { return ppc::rt::float_of(ppc_rt_harmonic(c, floats(x))); };
  EXPECT_EQ(mean({40, 60}), 48.0);
  EXPECT_EQ(mean({100.0, 33.33, 12.5}), 24.99937495312148);
  EXPECT_EQ(mean({3.3}), 3.3);
  EXPECT_EQ(mean({0.0, 3.0}), 0.0);
  EXPECT_TRUE(std::isnan(mean({})));
}

// ---- sets and maps ------------------------------------------------------------------------------------------------

TEST_F(Rt, SetsKeepTheirOrderAndMembers) {
  std::mt19937_64 random(4);
  for (const bool in_state : {false, true}) {
    for (const size_t range : {6, 60, 600}) {
      int64_t set = ppc_rt_set_new(c, 0);
      if (in_state) set = ppc_rt_persist(c, set, kTextSet);
      Strings want;
      for (int n = 0; n < 3000; ++n) {
        const std::string word = std::string(random() % 3 * 7, 'x') + std::to_string(random() % range);
        const auto it = std::find(want.begin(), want.end(), word);
        ASSERT_EQ(ppc_rt_set_contains(c, set, t(word), kTextSet), it != want.end());
        if (random() % 5 < 3) {
          set = ppc_rt_set_add(c, set, t(word), kTextSet);
          if (it == want.end()) want.push_back(word);
        } else {
          set = ppc_rt_set_remove(c, set, t(word), kTextSet);
          if (it != want.end()) want.erase(it);
        }
        if (in_state) slot(0) = set;
        if (in_state && n % 50 == 0) ctx.reset_step();
        if (n % 100 == 0) {
          ASSERT_EQ(members(set), want);
        }
      }
      EXPECT_EQ(members(set), want);
      EXPECT_EQ(texts(ppc_rt_set_to_list(c, set)), want);
    }
  }
}

TEST_F(Rt, MapsBehaveAsMaps) {
  std::mt19937_64 random(6);
  for (const bool in_state : {false, true}) {
    int64_t map = ppc_rt_map_new(c, 0);
    if (in_state) map = ppc_rt_persist(c, map, kIntInt);
    std::map<int64_t, int64_t> want;
    for (int n = 0; n < 8000; ++n) {
      const int64_t k = static_cast<int64_t>(random() % 300) * (int64_t{1} << 40), v = static_cast<int64_t>(random());
      ASSERT_EQ(ppc_rt_map_has(c, map, k, kIntInt), static_cast<int64_t>(want.count(k)));
      ASSERT_EQ(ppc_rt_map_get_or(c, map, k, -1, kIntInt), want.count(k) ? want[k] : -1);
      if (random() % 5 < 3) {
        map = ppc_rt_map_set(c, map, k, v, kIntInt);
        want[k] = v;
      } else {
        map = ppc_rt_map_remove(c, map, k, kIntInt);
        want.erase(k);
      }
      ASSERT_EQ(ppc_rt_map_length(c, map), static_cast<int64_t>(want.size()));
    }
    std::map<int64_t, int64_t> got;
    for (uint32_t i = 0; i < ppc::rt::map_length(c, map); ++i) {
      got[ppc_rt_map_key_at(c, map, i)] = ppc_rt_map_value_at(c, map, i);
    }
    EXPECT_EQ(got, want);
    EXPECT_EQ(ppc::rt::list_length(c, ppc_rt_map_values(c, map)), want.size());
    EXPECT_EQ(fault_of([&] { ppc_rt_map_get(c, map, 12345, kIntInt); }), PPC_FAULT_KEY);
    EXPECT_EQ(fault_of([&] { ppc_rt_map_key_at(c, map, static_cast<int64_t>(want.size())); }), PPC_FAULT_INDEX);
  }
}

TEST_F(Rt, SetAlgebra) {
  std::mt19937_64 random(8);
  for (int n = 0; n < 200; ++n) {
    Strings a, b;
    for (size_t k = random() % 30; k > 0; --k) a.push_back(std::to_string(random() % 30));
    for (size_t k = random() % 30; k > 0; --k) b.push_back(std::to_string(random() % 30));
    const int64_t x = ppc_rt_list_to_set(c, list(a), kTextSet), y = ppc_rt_list_to_set(c, list(b), kTextSet);
    const std::set<std::string> xs(a.begin(), a.end()), ys(b.begin(), b.end());
    const auto same = [&](int64_t got, const std::set<std::string>& want) {
      const Strings m = members(got);
      EXPECT_EQ(std::set<std::string>(m.begin(), m.end()), want);
      EXPECT_EQ(m.size(), want.size());
    };
    std::set<std::string> all = xs, common, rest;
    all.insert(ys.begin(), ys.end());
    for (const auto& w : xs) (ys.count(w) ? common : rest).insert(w);
    const int64_t both = ppc_rt_set_union(c, x, y, kTextSet), shared = ppc_rt_set_intersect(c, x, y, kTextSet);
    same(both, all);
    same(shared, common);
    same(ppc_rt_set_minus(c, x, y, kTextSet), rest);
    EXPECT_EQ(ppc_rt_set_subset(c, x, y, kTextSet), rest.empty());
    EXPECT_EQ(ppc_rt_set_subset(c, shared, x, kTextSet), 1);
    EXPECT_EQ(ppc_rt_equal(c, both, ppc_rt_set_union(c, y, x, kTextSet), kTextSet), 1);
    EXPECT_EQ(ppc_rt_equal(c, x, y, kTextSet), xs == ys);
  }
}

TEST_F(Rt, SetsOfTuplesAreRelations) {
  const auto pair = [&](const char* a, int64_t b) {
    const int64_t r = ppc_rt_record_new(c, 2);
    ppc_rt_record_set(c, r, 0, t(a));
    return ppc_rt_record_set(c, r, 1, b);
  };
  int64_t set = ppc_rt_set_new(c, 4);
  for (int64_t i = 0; i < 50; ++i) set = ppc_rt_set_add(c, set, pair(i % 2 ? "hall" : "kitchen", i / 2), kPairs);
  EXPECT_EQ(ppc_rt_set_length(c, set), 50);
  EXPECT_EQ(ppc_rt_set_contains(c, set, pair("hall", 7), kPairs), 1);
  EXPECT_EQ(ppc_rt_set_contains(c, set, pair("hall", 25), kPairs), 0);
  EXPECT_EQ(ppc_rt_less(c, pair("hall", 7), pair("hall", 8), kPair), 1);
  EXPECT_EQ(ppc_rt_less(c, pair("kitchen", 7), pair("hall", 8), kPair), 0);
}

TEST_F(Rt, TheEmptyReferenceIsTheEmptyCollection) {
  EXPECT_EQ(ppc_rt_list_length(c, 0), 0);
  EXPECT_EQ(ppc_rt_set_length(c, 0), 0);
  EXPECT_EQ(ppc_rt_map_has(c, 0, t("a"), kTextInt), 0);
  EXPECT_EQ(numbers(ppc_rt_list_push(c, 0, 5, kInts)), (std::vector<int64_t>{5}));
  EXPECT_EQ(members(ppc_rt_set_add(c, 0, t("a"), kTextSet)), Strings{"a"});
  EXPECT_EQ(ppc_rt_list_length(c, ppc_rt_persist(c, 0, kInts)), 0);
  EXPECT_NE(ppc_rt_persist(c, 0, kInts), 0);
}

// ---- state --------------------------------------------------------------------------------------------------------

TEST_F(Rt, WhatIsPersistedOutlivesTheStepAndABlockMayBeMoved) {
  int64_t map = ppc_rt_map_new(c, 0);
  for (int i = 0; i < 40; ++i) {
    map = ppc_rt_map_set(c, map, t(named("key", static_cast<uint64_t>(i))),
                         list({named("a", static_cast<uint64_t>(i)), "ü"}), kTextTexts);
  }
  const int64_t kept = ppc_rt_persist(c, map, kTextTexts);
  slot(0) = kept;
  slot(1) = ppc_rt_persist(c, ppc_rt_some(c, t("maybe")), kMaybeText);
  const uint32_t top = state()->top;
  EXPECT_EQ(ppc_rt_persist(c, kept, kTextTexts), kept);
  EXPECT_EQ(ppc_rt_persist(c, slot(1), kMaybeText), slot(1));
  EXPECT_EQ(state()->top, top);  // nothing to do the second time

  std::memset(c->seg[PPC_SCRATCH], 0xAA, c->scratch_top);
  ctx.reset_step();
  // A fork: the bytes, somewhere else.
  std::vector<uint64_t> fork(top / 8 + 1);
  std::memcpy(fork.data(), c->seg[PPC_STATE], top);
  std::fill(block.begin(), block.end(), 0xDDDDDDDDDDDDDDDDu);
  block = fork;
  c->seg[PPC_STATE] = reinterpret_cast<uint8_t*>(block.data());
  c->state_cap = top;
  EXPECT_EQ(ppc_rt_map_length(c, slot(0)), 40);
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(texts(ppc_rt_map_get(c, slot(0), t(named("key", static_cast<uint64_t>(i))), kTextTexts)),
              (Strings{named("a", static_cast<uint64_t>(i)), "ü"}));
  }
  EXPECT_EQ(s(ppc_rt_value_of(c, slot(1))), "maybe");
  // Both go on by themselves.
  slot(0) = ppc_rt_map_set(c, slot(0), t("new"), list({"x"}), kTextTexts);
  EXPECT_EQ(ppc_rt_map_length(c, slot(0)), 41);
}

TEST_F(Rt, EqualPlaysGiveEqualBytes) {
  const auto play = [&](uint8_t garbage) {
    std::fill(block.begin(), block.end(), 0x0101010101010101u * garbage);
    ppc::rt::init_state(c->seg[PPC_STATE], kSlots, 7, 42);
    ctx.reset_step();
    std::memset(c->seg[PPC_SCRATCH], garbage, 65536);
    int64_t l = ppc_rt_persist(c, ppc_rt_list_new(c, 0), kTexts);
    int64_t set = ppc_rt_persist(c, ppc_rt_set_new(c, 3), kTextSet);
    for (int i = 0; i < 30; ++i) {
      l = ppc_rt_list_push(c, l, t(named("abc", static_cast<uint64_t>(i))), kTexts);
      set = ppc_rt_set_add(c, set, t(named("k", static_cast<uint64_t>(i))), kTextSet);
      ppc_rt_tell(c, 0, t("hello"));
      if (i % 3 == 0) ppc_rt_ask(c, 0, 0);
      if (i % 4 == 0) l = ppc_rt_list_remove_at(c, l, 0);
      if (i % 5 == 0) set = ppc_rt_set_remove(c, set, t(named("k", static_cast<uint64_t>(i))), kTextSet);
    }
    slot(0) = l;
    slot(1) = set;
    return std::string(reinterpret_cast<const char*>(c->seg[PPC_STATE]), state()->top);
  };
  const std::string first = play(0x11);
  EXPECT_EQ(first, play(0xEE));
}

TEST_F(Rt, ConstantsAreReferredToAndNeverChanged) {
  SegmentBuilder builder(PPC_INSTANCE, 5, kTypes, kFields);
  std::vector<int64_t> words;
  for (int i = 0; i < 500; ++i) words.push_back(builder.make_text(named("word", i % 400)));
  builder.set_field(0, builder.make_text("tärget"));
  builder.set_field(1, builder.make_list(words));
  builder.set_field(2, builder.make_set(words, kTextSet));
  builder.set_field(3, builder.make_map({words[0], words[1], words[400]}, {1, 2, 3}, kTextInt));
  builder.set_field(4, builder.make_some(words[7]));
  EXPECT_THROW(builder.set_field(5, 0), std::out_of_range);
  std::string bytes = builder.bytes();
  std::vector<uint64_t> aligned(bytes.size() / 8 + 1);
  std::memcpy(aligned.data(), bytes.data(), bytes.size());
  c->seg[PPC_INSTANCE] = reinterpret_cast<uint8_t*>(aligned.data());
  const auto field = [&](int i) { return reinterpret_cast<const int64_t*>(c->seg[PPC_INSTANCE])[1 + i]; };

  EXPECT_EQ(s(field(0)), "tärget");
  EXPECT_EQ(ppc_rt_list_length(c, field(1)), 500);
  EXPECT_EQ(ppc_rt_set_length(c, field(2)), 400);
  EXPECT_EQ(ppc_rt_set_contains(c, field(2), t("word399"), kTextSet), 1);
  EXPECT_EQ(ppc_rt_set_contains(c, field(2), t("word400"), kTextSet), 0);
  EXPECT_EQ(ppc_rt_map_get(c, field(3), t("word0"), kTextInt), 3);
  EXPECT_EQ(ppc_rt_map_length(c, field(3)), 2);
  EXPECT_EQ(s(ppc_rt_value_of(c, field(4))), "word7");
  const uint32_t top = state()->top;
  for (int i = 0; i < 5; ++i) {
    const uint32_t types[] = {kText, kTexts, kTextSet, kTextInt, kMaybeText};
    EXPECT_EQ(ppc_rt_persist(c, field(i), types[i]), field(i));
  }
  EXPECT_EQ(state()->top, top);

  EXPECT_EQ(ppc_rt_list_length(c, ppc_rt_list_push(c, field(1), t("x"), kTexts)), 501);
  EXPECT_EQ(ppc_rt_list_length(c, ppc_rt_list_remove_at(c, field(1), 3)), 499);
  EXPECT_EQ(ppc_rt_set_length(c, ppc_rt_set_add(c, field(2), t("x"), kTextSet)), 401);
  EXPECT_EQ(ppc_rt_set_length(c, ppc_rt_set_remove(c, field(2), t("word5"), kTextSet)), 399);
  EXPECT_EQ(ppc_rt_map_get(c, ppc_rt_map_set(c, field(3), t("word0"), 9, kTextInt), t("word0"), kTextInt), 9);
  EXPECT_EQ(std::memcmp(aligned.data(), bytes.data(), bytes.size()), 0);
}

TEST_F(Rt, CopiesAreIndependent) {
  int64_t outer = ppc_rt_list_new(c, 0);
  outer = ppc_rt_list_push(c, outer, list({"a"}), kNested);
  const int64_t copy = ppc_rt_copy(c, outer, kNested);
  EXPECT_EQ(ppc_rt_equal(c, outer, copy, kNested), 1);
  ppc_rt_list_set(c, ppc_rt_list_at(c, copy, 0), 0, t("b"), kTexts);
  EXPECT_EQ(s(ppc_rt_list_at(c, ppc_rt_list_at(c, outer, 0), 0)), "a");
  EXPECT_EQ(ppc_rt_equal(c, outer, copy, kNested), 0);
  EXPECT_EQ(ppc_rt_less(c, outer, copy, kNested), 1);
  const int64_t kept = ppc_rt_persist(c, copy, kNested);
  EXPECT_EQ(PPC_SEGMENT(ppc_rt_copy(c, kept, kNested)), PPC_SCRATCH);
  EXPECT_EQ(fault_of([&] { ppc_rt_value_of(c, 0); }), PPC_FAULT_NONE_VALUE);
  EXPECT_EQ(ppc_rt_is_none(c, 0), 1);
  EXPECT_EQ(ppc_rt_is_none(c, ppc_rt_some(c, 0)), 0);
}

// ---- budgets ------------------------------------------------------------------------------------------------------

TEST_F(Rt, BudgetsEndInFaults) {
  const int64_t l = list({"a", "b"});
  // Scratch.
  EXPECT_EQ(fault_of([&] {
              int64_t v = t("0123456789");
              while (true) v = ppc_rt_text_join(c, ppc_rt_list_repeat(c, l, 1000), v);
            }),
            PPC_FAULT_MEMORY);
  ctx.reset_step();
  EXPECT_EQ(fault_of([&] { ppc_rt_text_repeat(c, t("ab"), INT64_MAX); }), PPC_FAULT_MEMORY);
  EXPECT_EQ(fault_of([&] { ppc_rt_list_repeat(c, ints({1, 2}), INT64_MAX); }), PPC_FAULT_MEMORY);
  EXPECT_EQ(fault_of([&] { ppc_rt_set_new(c, INT64_MAX); }), PPC_FAULT_MEMORY);
  std::string iotas;
  for (int i = 0; i < 1500000; ++i) iotas += "\u0390";  // its upper-case form is three times as long
  const int64_t long_upper = t(iotas);
  EXPECT_EQ(fault_of([&] { ppc_rt_text_upper(c, long_upper); }), PPC_FAULT_MEMORY);
  // State.
  ctx.reset_step();
  EXPECT_EQ(fault_of([&] {
              while (true) ppc_rt_tell(c, 0, PPC_TEXT(PPC_SCRATCH, 0, 16, 1000));
            }),
            PPC_FAULT_MEMORY);
  EXPECT_LE(state()->top, c->state_limit);
  EXPECT_EQ(fault_of([&] {
              int64_t all = ppc_rt_persist(c, ppc_rt_list_new(c, 0), kInts);
              while (true) all = ppc_rt_list_push(c, all, 1, kInts);
            }),
            PPC_FAULT_MEMORY);
  // Steps: work costs, whatever function does it.
  ctx.reset_step();
  const int64_t big = t(std::string(1 << 20, 'x')), big_unknown = unknown(std::string(1 << 20, 'x')),
                items = ppc_rt_list_range(c, 1, 10000);
  const std::function<void()> work[] = {
      [&] { ppc_rt_text_contains(c, big, t("y")); }, [&] { ppc_rt_text_length(c, big_unknown); },
      [&] { ppc_rt_text_lower(c, big); },            [&] { ppc_rt_list_contains(c, items, -1, kInts); },
      [&] { ppc_rt_list_sorted(c, items, kInts); },  [&] { ppc_rt_list_to_set(c, items, kIntSet); },
      [&] { ppc_rt_equal(c, items, ppc_rt_list_range(c, 1, 10000), kInts); },
      [&] { ppc_rt_tell(c, 0, big); },               [&] { ppc_rt_persist(c, items, kInts); }};
  for (const auto& w : work) {
    c->fuel = 1000;
    EXPECT_EQ(fault_of(w), PPC_FAULT_STEPS);
    EXPECT_LT(c->fuel, 0);
  }
}

TEST_F(Rt, CollidingKeysPayForTheirSearches) {
  std::vector<int64_t> colliding, spread;
  for (int64_t i = 0; colliding.size() < 600; ++i) {
    const uint32_t h = ppc::rt::fold(ppc::rt::hash(c, i, kInt));
    if ((h & 0xFFF) == 5) colliding.push_back(i);
    if (spread.size() < 600) spread.push_back(i);
  }
  const auto cost = [&](const std::vector<int64_t>& keys) {
    int64_t set = ppc_rt_list_to_set(c, ints(keys), kIntSet);
    const int64_t before = c->fuel;
    for (const int64_t k : keys) EXPECT_EQ(ppc_rt_set_contains(c, set, k, kIntSet), 1);
    return before - c->fuel;
  };
  EXPECT_LT(cost(spread), 20);
  EXPECT_GT(cost(colliding), 600 * 300 / 16 - 600);
}

// ---- numbers ------------------------------------------------------------------------------------------------------

TEST_F(Rt, IntArithmetic) {
  EXPECT_EQ(ppc_rt_int_div(c, 7, 2), 3);
  EXPECT_EQ(ppc_rt_int_div(c, -7, 2), -4);
  EXPECT_EQ(ppc_rt_int_div(c, 7, -2), -4);
  EXPECT_EQ(ppc_rt_int_div(c, -8, 2), -4);
  EXPECT_EQ(ppc_rt_int_mod(c, -7, 2), 1);
  EXPECT_EQ(ppc_rt_int_mod(c, 7, -2), -1);
  EXPECT_EQ(ppc_rt_int_mod(c, 6, -2), 0);
  EXPECT_EQ(ppc_rt_int_mod(c, INT64_MIN, -1), 0);
  EXPECT_EQ(ppc_rt_int_pow(c, -2, 63), INT64_MIN);
  EXPECT_EQ(ppc_rt_int_pow(c, 0, 0), 1);
  EXPECT_EQ(ppc_rt_int_pow(c, -1, INT64_MIN + 1), -1);
  EXPECT_EQ(fault_of([&] { ppc_rt_int_div(c, 1, 0); }), PPC_FAULT_ZERO);
  EXPECT_EQ(fault_of([&] { ppc_rt_int_mod(c, 1, 0); }), PPC_FAULT_ZERO);
  EXPECT_EQ(fault_of([&] { ppc_rt_int_div(c, INT64_MIN, -1); }), PPC_FAULT_OVERFLOW);
  EXPECT_EQ(fault_of([&] { ppc_rt_int_pow(c, 2, 63); }), PPC_FAULT_OVERFLOW);
  EXPECT_EQ(fault_of([&] { ppc_rt_int_pow(c, 2, -1); }), PPC_FAULT_OVERFLOW);
  EXPECT_EQ(fault_of([&] { ppc_rt_int_pow(c, 0, -1); }), PPC_FAULT_ZERO);
}

TEST_F(Rt, FloatsRoundAsInPython) {
  const auto f = [](double x) { return SegmentBuilder::make_float(x); };
  for (const RoundRow& row : kRounds) {
    const double got = ppc::rt::float_of(ppc_rt_float_round(c, f(row.x), row.digits));
    EXPECT_EQ(got, row.result) << "round(" << row.x << ", " << row.digits << ")";
    EXPECT_EQ(std::signbit(got), std::signbit(row.result)) << row.x;
  }
  EXPECT_EQ(ppc_rt_float_round_int(c, f(2.5)), 2);
  EXPECT_EQ(ppc_rt_float_round_int(c, f(-3.5)), -4);
  EXPECT_EQ(ppc_rt_float_to_int(c, f(-2.9)), -2);
  EXPECT_EQ(ppc_rt_float_floor(c, f(-2.1)), -3);
  EXPECT_EQ(ppc_rt_float_ceil(c, f(-2.9)), -2);
  EXPECT_EQ(ppc_rt_float_to_int(c, f(-9223372036854775808.0)), INT64_MIN);
  for (const double x : {double(NAN), double(INFINITY), 9223372036854775808.0, -1e300}) {
    EXPECT_EQ(fault_of([&] { ppc_rt_float_to_int(c, f(x)); }), PPC_FAULT_OVERFLOW);
    EXPECT_EQ(fault_of([&] { ppc_rt_float_round_int(c, f(x)); }), PPC_FAULT_OVERFLOW);
  }
  EXPECT_TRUE(std::isnan(ppc::rt::float_of(ppc_rt_float_div(c, f(1), f(0)))));
  EXPECT_EQ(ppc::rt::float_of(ppc_rt_float_div(c, f(1), f(4))), 0.25);
  EXPECT_TRUE(std::isnan(ppc::rt::float_of(ppc_rt_float_sqrt(c, f(-1)))));
  EXPECT_EQ(ppc::rt::float_of(ppc_rt_float_sqrt(c, f(9))), 3);
}

// ---- chance -------------------------------------------------------------------------------------------------------

TEST(Chance, PhiloxGivesThePublishedVectors) {  // Random123's kat_vectors, philox4x32 with 10 rounds
  using Four = std::array<uint32_t, 4>;
  EXPECT_EQ(ppc::rt::philox({0, 0, 0, 0}, {0, 0}), (Four{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(ppc::rt::philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}), (Four{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(ppc::rt::philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Four{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST_F(Rt, DrawsAreFairSeededAndCounted) {
  std::vector<int> hits(6);
  for (int i = 0; i < 60000; ++i) ++hits[static_cast<size_t>(ppc_rt_draw(c, 6))];
  for (const int h : hits) EXPECT_NEAR(h, 10000, 500);
  EXPECT_GE(state()->draws[0], 60000u);
  std::vector<int64_t> first, again, other, stream;
  const auto ten = [&](std::vector<int64_t>& to) {
    std::memset(state()->draws, 0, sizeof state()->draws);
    for (int i = 0; i < 10; ++i) to.push_back(ppc_rt_draw(c, 1000));
  };
  ten(first);
  ten(again);
  c->stream = 1;
  ten(stream);
  EXPECT_EQ(state()->draws[1], 10u);
  c->stream = 0;
  state()->seed = 43;
  ten(other);
  EXPECT_EQ(first, again);
  EXPECT_NE(first, other);
  EXPECT_NE(first, stream);
  EXPECT_EQ(ppc_rt_draw(c, 1), 0);
  EXPECT_LT(ppc_rt_draw(c, INT64_MAX), INT64_MAX);
  EXPECT_EQ(fault_of([&] { ppc_rt_draw(c, 0); }), PPC_FAULT_EMPTY);
}

TEST_F(Rt, DrawsOfSeed42StayAsTheyAre) {  // recorded episodes depend on it
  std::vector<int64_t> got;
  for (int i = 0; i < 8; ++i) got.push_back(ppc_rt_draw(c, 100));
  EXPECT_EQ(got, (std::vector<int64_t>{46, 32, 65, 67, 83, 29, 74, 40}));
}

TEST_F(Rt, ShufflesAndScripts) {
  const std::vector<int64_t> in = {1, 2, 3, 4, 5, 6, 7, 8};
  const int64_t l = ints(in);
  std::vector<int64_t> out = numbers(ppc_rt_shuffled(c, l));
  EXPECT_EQ(numbers(l), in);
  std::sort(out.begin(), out.end());
  EXPECT_EQ(out, in);
  static std::vector<int64_t> script;
  script = {0, 1, 0};
  c->draw = [](void*, uint32_t, int64_t) {
    if (script.empty()) return int64_t{-1};
    const int64_t x = script.front();
    script.erase(script.begin());
    return x;
  };
  EXPECT_EQ(numbers(ppc_rt_shuffled(c, ints({1, 2, 3, 4}))), (std::vector<int64_t>{3, 4, 2, 1}));
  EXPECT_LT(ppc_rt_draw(c, 5), 5);  // the script has run out
  script = {7};
  EXPECT_EQ(fault_of([&] { ppc_rt_draw(c, 5); }), PPC_FAULT_INDEX);
}

// ---- play ---------------------------------------------------------------------------------------------------------

TEST_F(Rt, MessagesAreComposed) {
  ppc_rt_brief(c, 0, t("brief"));
  ppc_rt_tell(c, 0, t("one"));
  ppc_rt_tell(c, 0, t("twö"));
  ppc_rt_tell(c, 1, t("other"));
  ctx.reset_step();
  std::memset(c->seg[PPC_SCRATCH], 0xAA, 4096);
  ppc_rt_ask(c, 0, 3);
  EXPECT_EQ(s(c->message), "brief\n\none\ntwö");
  EXPECT_EQ(state()->requests, 1u);
  EXPECT_EQ(state()->ask_player, 0u);
  EXPECT_EQ(state()->ask_move, 3u);
  ppc_rt_ask(c, 0, 3);
  EXPECT_EQ(s(c->message), "");
  ppc_rt_ask(c, 1, 2);
  EXPECT_EQ(s(c->message), "other");
  ppc_rt_brief(c, 1, t("only"));
  ppc_rt_ask(c, 1, 2);
  EXPECT_EQ(s(c->message), "only");
  ppc_rt_tell(c, 1, 0);
  ppc_rt_tell(c, 1, t("x"));
  ppc_rt_ask(c, 1, 2);
  EXPECT_EQ(s(c->message), "\nx");
  EXPECT_EQ(c->event_count, 5u);
  EXPECT_EQ(c->events[0].kind, static_cast<uint32_t>(PPC_EV_SEND));
  EXPECT_EQ(s(c->events[0].a), "brief\n\none\ntwö");
  EXPECT_EQ(fault_of([&] { ppc_rt_ask(c, 2, 0); }), PPC_FAULT_INDEX);
  EXPECT_EQ(fault_of([&] { ppc_rt_tell(c, -1, 0); }), PPC_FAULT_INDEX);
}

TEST_F(Rt, MessagesGiveTheirSpaceBackAndHarmNothing) {
  const int64_t kept = ppc_rt_persist(c, t("kept"), kText);
  slot(0) = kept;
  const uint32_t top = state()->top;
  for (int i = 0; i < 100; ++i) {
    ppc_rt_tell(c, 0, kept);  // a text of the state itself: the slot takes a copy
    ppc_rt_tell(c, 0, t("more"));
    ppc_rt_brief(c, 0, t("brief"));
    ppc_rt_ask(c, 0, 0);
    ASSERT_EQ(s(c->message), "brief\n\nkept\nmore");
    ASSERT_EQ(s(kept), "kept");
    ASSERT_EQ(state()->top, top);
  }
  ppc_rt_tell(c, 0, kept);
  ppc_rt_ask(c, 0, 0);
  const int64_t message = c->message;
  slot(1) = ppc_rt_persist(c, t("over the place where it was"), kText);
  EXPECT_EQ(s(message), "kept");
  // With something behind it, a pending text is copied to grow.
  ppc_rt_tell(c, 0, t("a"));
  slot(2) = ppc_rt_persist(c, t("between"), kText);
  ppc_rt_tell(c, 1, t("for the other"));
  ppc_rt_tell(c, 0, t("b"));
  ppc_rt_ask(c, 0, 0);
  EXPECT_EQ(s(c->message), "a\nb");
  EXPECT_EQ(s(slot(2)), "between");
  ppc_rt_ask(c, 1, 0);
  EXPECT_EQ(s(c->message), "for the other");
}

TEST_F(Rt, EventsAndCounts) {
  static const uint8_t reply[] = "the reply";
  c->seg[PPC_REPLY] = const_cast<uint8_t*>(reply);
  c->reply = PPC_TEXT(PPC_REPLY, 1, 0, 9);
  c->loc = 5 << 12 | 3;
  ppc_rt_round_start(c, 2);
  EXPECT_EQ(ppc_rt_got(c, 1, 4), c->reply);
  ppc_rt_note(c, t("key"), t("value"));
  ppc_rt_tell(c, 1, t("hear"));
  ppc_rt_say(c, 1, t("said"));
  ppc_rt_say(c, 1, t("again"));
  ppc_rt_violation(c, 0, 6, 0);
  ppc_rt_count_violated(c);
  ppc_rt_count_parsed(c);
  ppc_rt_accept(c, 0, 1, list({"word", "x"}));
  ppc_rt_reward(c, 0, SegmentBuilder::make_float(0.5));
  ppc_rt_finish(c, PPC_WON, SegmentBuilder::make_float(50), t("why"));
  const std::vector<uint32_t> want = {PPC_EV_ROUND, PPC_EV_GET, PPC_EV_NOTE, PPC_EV_SEND, PPC_EV_SAY, PPC_EV_SAY,
                                      PPC_EV_VIOLATION, PPC_EV_ACCEPT, PPC_EV_REWARD, PPC_EV_OUTCOME};
  std::vector<uint32_t> got;
  for (uint32_t i = 0; i < c->event_count; ++i) got.push_back(c->events[i].kind);
  EXPECT_EQ(got, want);
  EXPECT_EQ(s(c->events[1].a), "the reply");
  EXPECT_EQ(c->events[1].b, 4);
  EXPECT_EQ(c->events[1].who, 1u);
  EXPECT_EQ(c->events[1].loc, 5u << 12 | 3);
  EXPECT_EQ(c->events[1].round, 2u);
  EXPECT_EQ(s(c->events[3].a), "hear");
  EXPECT_EQ(ppc_rt_get_rounds(c), 2);
  EXPECT_EQ(ppc_rt_get_violated(c), 1);
  EXPECT_EQ(ppc_rt_get_parsed(c), 2);
  EXPECT_EQ(ppc_rt_get_outcome(c), PPC_WON);
  EXPECT_EQ(ppc::rt::float_of(ppc_rt_get_score(c)), 50);
  EXPECT_EQ(PPC_SEGMENT(state()->reason), PPC_STATE);
  EXPECT_EQ(s(state()->reason), "why");
  ppc_rt_finish(c, PPC_ABORTED, SegmentBuilder::make_float(50), 0);
  EXPECT_TRUE(std::isnan(state()->score));

  ctx.reset_step();
  c->want_events = 0;
  ppc_rt_note(c, t("key"), t("value"));
  ppc_rt_say(c, 0, t("said"));
  EXPECT_EQ(c->event_count, 0u);
  ppc_rt_violation(c, 0, 3, t("why"));  // these reach whoever trains, recorded or not
  ppc_rt_reward(c, 0, SegmentBuilder::make_float(0.5));
  EXPECT_EQ(c->event_count, 2u);
  c->want_events = 1;
  EXPECT_EQ(fault_of([&] {
              while (true) ppc_rt_note(c, 0, 0);
            }),
            PPC_FAULT_MEMORY);
}

TEST_F(Rt, GeneratorsReportToTheHost) {
  static std::vector<std::string> log;
  log.clear();
  ppc_rt_gen_instance(c);  // nobody listens
  c->gen = [](void* host, uint32_t kind, uint32_t index, int64_t value) {
    auto* self = static_cast<Rt*>(host);
    const std::string x = kind == PPC_GEN_EXPERIMENT ? std::string(view(self->c, value)) : std::to_string(value);
    log.push_back(std::to_string(kind) + ":" + std::to_string(index) + ":" + x);
  };
  ppc_rt_gen_experiment(c, t("easy"));
  ppc_rt_gen_field(c, 0, 2, 5);
  ppc_rt_gen_instance(c);
  ppc_rt_gen_field(c, 1, 1, 7);
  EXPECT_EQ(log, (Strings{"0:0:easy", "2:2:5", "1:0:0", "3:1:7"}));
}

// ---- the table ----------------------------------------------------------------------------------------------------

TEST_F(Rt, TheTableNamesEveryFunction) {
  EXPECT_GT(ppc::rt::builtin_count(), 100u);
  std::set<std::string> symbols;
  for (uint32_t i = 0; i < ppc::rt::builtin_count(); ++i) {
    const auto& f = ppc::rt::builtins()[i];
    EXPECT_NE(f.address, nullptr);
    EXPECT_TRUE(symbols.insert(f.symbol).second) << f.symbol;
    if (std::string(f.name) == "IntDiv") {
      const int64_t args[4] = {7, 2, 0, 0};
      EXPECT_EQ(f.argc, 2);
      EXPECT_EQ(f.flags, 1);
      EXPECT_EQ(ppc::rt::call(f, c, args), 3);
    }
  }
  EXPECT_EQ(ppc::rt::support_count(), 2u);
}

TEST(Threads, StemsAndStopwordsAreForAll) {
  std::vector<std::thread> threads;
  for (int k = 0; k < 4; ++k) {
    threads.emplace_back([] {
      Context ctx(1 << 20);
      ctx->types = kTypes;
      ctx->fuel = 1 << 30;
      for (int i = 0; i < 2000; ++i) {
        const std::string word = "running" + std::string(static_cast<size_t>(i % 5), 's');
        ppc_rt_stem(ctx.get(), ctx.scratch_text(word, true));
        EXPECT_EQ(ppc_rt_set_contains(ctx.get(), ppc_rt_stopwords(ctx.get()), ctx.scratch_text("the", true), kTextSet),
                  1);
        ctx.reset_step();
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
