#include "runtime/text/notation.h"

#include <gtest/gtest.h>

using ppc::text::Notation;
using ppc::text::Spelling;

namespace {

// The normal form, "" when the text is not in the notation.
std::string normal(std::string_view text, Notation notation) {
  Spelling s;
  std::string out;
  if (s.parse(text, notation)) s.write(s.root(), out);
  return out;
}
std::string python(std::string_view text) { return normal(text, Notation::Python); }
std::string json(std::string_view text) { return normal(text, Notation::Json); }

// Left what is read, right what repr(ast.literal_eval(…)) of CPython 3.11 gives.
TEST(Notation, PythonAsLiteralEval) {
  const char* const cases[][2] = {
      {"1", "1"}, {"-0", "0"}, {"+7", "7"}, {"- 3", "-3"}, {"1_0", "10"}, {"0xff", "255"}, {"0b1_1", "3"}, {"0o17", "15"}, {"000", "0"},
      {"1.", "1.0"}, {".5", "0.5"}, {"1e16", "1e+16"}, {"1_0.2_5", "10.25"}, {"-1e-5", "-1e-05"}, {"1e400", "inf"},
      {"12345678901234567890123", "12345678901234567890123"},
      {"'a' \"b\"", "'ab'"}, {"u'x'", "'x'"}, {"R'\\n'", "'\\\\n'"}, {"'''a'b'''", "\"a'b\""}, {"'\\q\\101\\x42\\u00e9'", "'\\\\qABé'"},
      {"'\\t\\r\\n\\0'", "'\\t\\r\\n\\x00'"}, {"'\\u2028\\U0001F600\\xad'", "'\\u2028😀\\xad'"}, {"'\"\\''", "'\"\\''"},
      {"()", "()"}, {"(1)", "1"}, {"(1,)", "(1,)"}, {"1,", "(1,)"}, {"1, 2", "(1, 2)"}, {"[1, 2,]", "[1, 2]"}, {"[]", "[]"},
      {"{}", "{}"}, {"{1}", "{1}"}, {"set()", "set()"}, {"{1: 2, 'a': [3]}", "{1: 2, 'a': [3]}"}, {"{1: 2, True: 3, 1.0: 4}", "{1: 4}"},
      {"{(1, 2): None}", "{(1, 2): None}"}, {"[True, False, None, ...]", "[True, False, None, Ellipsis]"},
      {" \t[1 # one\n, 2]\n", "[1, 2]"}};
  for (const auto& [from, to] : cases) EXPECT_EQ(python(from), to) << from;
}

TEST(Notation, NoPythonLiteral) {
  for (const char* text : {"", " ", "a", "true", "null", "[1", "1]", "[1 2]", "{1: 2, 3}", "{1, 2: 3}", "{[1]}", "{{}: 1}", "{([],): 1}", "012",
                           "1__0", "1_", "0x", "1a", "--1", "1 + 1", "+", "-'a'", "'a", "'a\nb'", "'''a", "f'a'", "b'a'", "'\\x4'", "'\\u12'",
                           "'\\U00110000'", "'\\N{BULLET}'", "(,)", "[,]", "{,}", "1 1", "[*[1]]", "set(1)", "print()", "'a' 1"})
    EXPECT_EQ(python(text), "") << text;
}

TEST(Notation, Json) {
  const char* const cases[][2] = {{" [1, 2.5, -3e2]\r\n", "[1, 2.5, -300.0]"},
                                  {"{\"a\": null, \"b\": [true, false], \"a\": 1}", "{\"a\": 1, \"b\": [true, false]}"},
                                  {"\"\\ud83d\\ude00\\u00e9\\/\\\"\\n\"", "\"😀é/\\\"\\n\""}, {"\"\\ud83d\"", "\"\xEF\xBF\xBD\""},
                                  {"[NaN, -Infinity]", "[NaN, -Infinity]"}, {"99999999999999999999", "99999999999999999999"}};
  for (const auto& [from, to] : cases) EXPECT_EQ(json(from), to) << from;
  for (const char* text : {"", "'a'", "[1,]", "{\"a\": 1,}", "{1: 2}", "01", "1.", ".5", "+1", "\"\t\"", "\"\\x41\"", "\"\\u12\"", "True", "[1] 2",
                           "{\"a\"}", "(1)", "// c\n1", "nul", "-", "1e", "\"a"})
    EXPECT_EQ(json(text), "") << text;
}

TEST(Notation, NormalFormsAsJson) {
  const char* const cases[][2] = {{"[1, 2.5]", "[1, 2.5]"}, {"{\"a b\": {}}", "{\"a b\": {}}"}, {"NaN", "NaN"}, {"{'a': (1, {2})}", "{\"a\": [1, [2]]}"},
                                  {"{\"it's\"}", "[\"it's\"]"}, {"{\"it's\": 1}", "{\"it's\": 1}"}, {"{1: 2}", "{\"1\": 2}"}, {"set()", "[]"},
                                  {"(1,)", "[1]"}, {"{(1, 'a'): None}", "{\"(1, 'a')\": null}"}, {"[True]", "[true]"}, {"'\\x41\"'", "\"A\\\"\""},
                                  {"inf", "\"inf\""}, {"[inf]", "\"[inf]\""}, {"Ellipsis", "\"Ellipsis\""}, {"99999999999999999999", "99999999999999999999"},
                                  {"\"(True)\"", "\"(True)\""}, {"", "\"\""}};
  std::string buffer;
  for (const auto& [from, to] : cases) EXPECT_EQ(ppc::text::as_json(from, buffer), to) << from;
  const std::string deep = std::string(300, '[') + std::string(300, ']');
  EXPECT_EQ(ppc::text::as_json(deep, buffer), '"' + deep + '"') << "no reader takes it";
}

TEST(Notation, DepthIsBounded) {
  for (const Notation notation : {Notation::Json, Notation::Python}) {
    EXPECT_NE(normal(std::string(150, '[') + std::string(150, ']'), notation), "");
    EXPECT_EQ(normal(std::string(100'000, '['), notation), "");
    EXPECT_EQ(normal(std::string(100'000, '{'), notation), "");
  }
  EXPECT_EQ(python(std::string(100'000, '(')), "");
}

TEST(Notation, TheNormalFormReadsAsItself) {
  for (const char* text : {"{'a': ('b', \"it's\"), 1: [2.5, None, {3}]}", "['\\\\', '\\x00', '\\u2028']"}) {
    EXPECT_EQ(python(text), text);
    EXPECT_EQ(python(python(text)), python(text));
  }
}

}  // namespace
