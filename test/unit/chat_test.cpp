// Chat templates: the engine, what of a rendered text is a message's, ids, conversations that grow. Against Jinja2: test/model/compare_chat.py.
#include "trainers/model/chat.h"

#include <gtest/gtest.h>

#include <array>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <random>

#include "test/unit/folder.h"
#include "trainers/model/jinja.h"

using namespace ppc::model;
using ppc::Folder;
using ppc::engine::InputError;
using ppc::engine::Json;
using ppc::engine::parse_json;

namespace {

std::string render(const std::string& source, const std::string& variables = "{}") {
  jinja::Variables v;
  const Json json = parse_json(variables, "variables");
  for (const auto& [key, value] : json.members()) v.emplace_back(key, jinja::Value::of(value));
  std::tm day{};
  day.tm_year = 124, day.tm_mon = 6, day.tm_mday = 26;
  return jinja::Template::parse(source, "t").render(v, day).bytes();
}
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const InputError& e) {
    return e.what();
  }
  return "no error";
}
std::string error(const std::string& source, const std::string& variables = "{}") {
  return error_of([&] { render(source, variables); });
}
#define EXPECT_HAS(text, part) EXPECT_NE(std::string(text).find(part), std::string::npos) << text

std::string template_file(const std::string& name) { return ppc::engine::read_file(PPC_SOURCE_DIR "/test/model/templates/" + name + ".jinja"); }
std::shared_ptr<const ChatTemplate> chat(const std::string& name) {
  return std::make_shared<const ChatTemplate>(ChatTemplate::parse(template_file(name), parse_json(R"({"bos_token": "<|begin|>", "eos_token": "<|im_end|>"})", "v"), name));
}
std::shared_ptr<const ChatTemplate> chat_of(const std::string& source) {
  return std::make_shared<const ChatTemplate>(ChatTemplate::parse(source, parse_json(R"({"eos_token": "<|im_end|>"})", "v"), "t"));
}
/// The small tokenizer of tokenizer_test, with Llama's special tokens, too.
std::shared_ptr<const Tokenizer> tokenizer() {
  static const auto made = [] {
    Json json = *ppc::engine::load_json(PPC_SOURCE_DIR "/test/unit/data/tokenizers.json").find("base");
    int id = 700;
    for (const char* content : {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>", "<start_of_turn>", "<end_of_turn>"}) {
      Json t = Json::object();
      t.add("id", id++);
      t.add("content", content);
      t.add("special", true);
      t.add("normalized", false);
      json.find("added_tokens")->push(std::move(t));
    }
    return std::make_shared<const Tokenizer>(Tokenizer::parse(json, "tokenizer.json"));
  }();
  return made;
}
TokenId id(const char* name) { return *tokenizer()->id_of(name); }
std::vector<TokenId> plain(const std::string& text) { return tokenizer()->encode(text, {.parse_special = false}); }
std::string shown(const std::vector<TokenId>& ids) { return tokenizer()->decode(ids); }
std::string text_of(const std::vector<ChatPiece>& pieces) {
  std::string out;
  for (const ChatPiece& p : pieces) out += p.text;
  return out;
}
/// Pieces as text, what is literal in ⟨ ⟩.
std::string marked(const std::vector<ChatPiece>& pieces) {
  std::string out;
  for (const ChatPiece& p : pieces) out += p.literal ? "⟨" + p.text + "⟩" : p.text;
  return out;
}

/// A model that says what it is told, token-exact.
struct Game {
  std::shared_ptr<const ChatTemplate> chat;
  Conversation model;
  std::vector<ChatMessage> messages;
  std::vector<TokenId> fed;  // all ids, in order
  Game(std::shared_ptr<const ChatTemplate> c, Json extra = {}) : chat(c), model(tokenizer(), c, std::move(extra)) {}
  std::string ask(const std::string& text) {
    messages.push_back({"user", text});
    const std::vector<TokenId> ids = model.next(messages);
    fed.insert(fed.end(), ids.begin(), ids.end());
    return shown(ids);
  }
  void reply(const std::string& text, TokenId end = -1) {
    std::vector<TokenId> ids = plain(text);
    if (end >= 0) ids.push_back(end);
    model.replied(text, ids);
    messages.push_back({"assistant", text});
    fed.insert(fed.end(), ids.begin(), ids.end());
  }
};

}  // namespace

// The engine

TEST(Jinja, RendersWhatJinja2Does) {
  const std::string variables = R"({"m": [{"role": "user", "content": " a\n"}, {"role": "x", "content": "ÄßΣ"}], "n": 3, "d": {"b": 1, "a": null}, "s": "a,b,,c"})";
  const std::pair<const char*, const char*> cases[] = {
      {"a\n{% if n %}\n  b\n{% endif %}\nc\n", "a\n  b\nc"},
      {"a\n   {% if n %} b {%- endif -%}  \n c", "a\n bc"},
      {"a {#- x -#} b{# y #}\nc", "abc"},
      {"  {%+ if n %}x{% endif +%}\ny", "  x\ny"},
      {"{% for x in m %}{{ loop.index }}{{ x.role }}{{ ', ' if not loop.last }}{% endfor %}", "1user, 2x"},
      {"{% for x in [1, 2, 3] if x != 2 %}{{ x }}{{ loop.length }}{% else %}no{% endfor %}", "1232"},
      {"{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "b=1;a=None;"},
      {"{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{% endfor %}{{ x }}", "1"},
      {"{% set ns = namespace(x=1) %}{% for i in range(3) %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}", "4"},
      {"{% macro f(a, b='-') %}{{ a ~ b }}{% endmacro %}{{ f(1) }}{{ f(b=2, a=1) }}", "1-12"},
      {"{{ s.split(',')|join('|') }} {{ s[::-1] }} {{ s[-1] }} {{ s[1:3] }}", "a|b||c c,,b,a c ,b"},
      {"{{ m[1].content|lower }} {{ m[1].content|upper }} {{ m[1].content|length }}", "äßς ÄSSΣ 3"},
      {"{{ d|tojson }} {{ [1.0, 'é\"', true]|tojson }}", "{\"b\": 1, \"a\": null} [1.0, \"é\\\"\", true]"},
      {"{{ ['a', none, 1.5, true] }} {{ (1,) }} {{ {'k': \"it's\"} }}", "['a', None, 1.5, True] (1,) {'k': \"it's\"}"},
      {"{{ missing }}{{ m[5] }}{{ n.x }}{{ missing|default('d') }}{{ '' | default('e', true) }}", "de"},
      {"{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 1 / 2 }} {{ 2 ** 3 }} {{ 1e20 }} {{ 1 < 2 <= 2 }}", "3 -4 2 0.5 8 1e+20 True"},
      {"{{ strftime_now('%d %b %Y') }}", "26 Jul 2024"},
      {"{% for i in range(9) %}{% if i == 1 %}{% continue %}{% elif i > 3 %}{% break %}{% endif %}{{ i }}{% endfor %}", "023"},
      {"{% set t %} x {% endset %}[{{ t }}]{% generation %}g{% endgeneration %}{% raw %}{{ r }}{% endraw %}", "[ x ]g{{ r }}"},
      {"{{ 'a' 'b' }}{{ '\\x41\\u00e9\\n' }}{{ \"\\q\" }}", "abAé\n\\q"},
      {"{{ m|map(attribute='role')|list }} {{ m|selectattr('role', 'eq', 'x')|list|length }} {{ m is iterable and m is not string and d is mapping }}", "['user', 'x'] 1 True"},
  };
  for (const auto& [source, expected] : cases) EXPECT_EQ(error_of([&] { EXPECT_EQ(render(source, variables), expected) << source; }), "no error") << source;
}

TEST(Jinja, SaysWhatIsWrongAndWhere) {
  const std::pair<const char*, const char*> cases[] = {
      {"a\n{% if x %}", "t: line 2: the template ends without `endif`"},
      {"a\n\n{{ x + }}", "t: line 3: expected an expression, found `}}`"},
      {"{% include 'x' %}", "t: line 1: `include` is not supported"},
      {"{% frob %}", "t: line 1: an unknown tag: `frob`"},
      {"\n{{ 1|frob }}", "t: line 2: an unknown filter: `frob`"},
      {"{{ 1 is frob }}", "t: line 1: an unknown test: `frob`"},
      {"{{ 'a'|wordwrap }}", "t: line 1: the filter `wordwrap` is not supported"},
      {"{{ 'a'.swapcase() }}", "t: line 1: the method `swapcase` of a text is not supported"},
      {"{{ 'a'.upper }}", "t: line 1: the method `upper` of a text without a call is not supported"},
      {"{{ ''.__class__ }}", "t: line 1: the method `__class__`"},
      {"{{ [].append(1) }}", "t: line 1: the method `append` of a list is not supported"},
      {"{{ missing.x }}", "t: line 1: `missing` is not defined"},
      {"{{ frob(1) }}", "t: line 1: `frob` is not defined"},
      {"{{ 1 + 'a' }}", "t: line 1: `+` is not for a number and a text"},
      {"{{ 'a' < 1 }}", "t: line 1: neither is less"},
      {"\n{{ raise_exception('only two\nroles') }}", "t: line 2: the template refuses this conversation: only two roles"},
      {"{% set x.y = 1 %}", "t: line 1: only a namespace's members can be set: `x` is an undefined value"},
      {"{% for a in [1] recursive %}{% endfor %}", "t: line 1: `recursive` loops are not supported"},
      {"{{ f(*x) }}", "t: line 1: arguments from a list or a dictionary are not supported"},
      {"{{ 1 // 0 }}", "t: line 1: a division by zero"},
      {"{{ 9223372036854775807 + 1 }}", "t: line 1: a number beyond 64 bits"},
      {"{{ 'a }}", "t: line 1: a text without an end"},
      {"{# x", "t: line 1: a comment without an end"},
      {"{{ (1 }}", "t: line 1: `}` closes nothing"},
      {"{{ 1 ? 2 }}", "t: line 1: unexpected `?`"},
      {"{% break %}", "t: line 1: `break` outside of a loop"},
      {"{{ strftime_now('%') + strftime_now(3) }}", "t: line 1: `strftime_now`"},
  };
  for (const auto& [source, expected] : cases) EXPECT_TRUE(error(source).starts_with(expected)) << source << "\n" << error(source);
}

TEST(Jinja, EndsWhateverATemplateDoes) {
  const std::string deep(100'000, '('), minus(100'000, '-'), brackets(100'000, '[');
  std::string nots, pluses = "1", dots = "x", pipes = "x", ifs, elses;
  for (int i = 0; i < 20'000; ++i) nots += "not ", pluses += "+1", dots += ".a", pipes += "|trim", ifs += "{% if x %}", elses += " if x else 1";
  for (const std::string& source : {
           "{{ " + deep + " }}", "{{ " + minus + "1 }}", "{{ " + brackets + " }}", "{{ " + nots + "x }}", "{{ " + pluses + " }}", "{{ " + dots + " }}", "{{ " + pipes + " }}", ifs,
           "{{ 1" + elses + " }}",
           std::string("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"),
           std::string("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}"),
           std::string("{{ 'a' * 10000000000 }}"), std::string("{{ [1] * 10000000000 }}"), std::string("{{ range(1000000) }}"),
           std::string("{% set ns = namespace(t='aaaaaaaa') %}{% for i in range(100) %}{% set ns.t = ns.t + ns.t %}{% endfor %}"),
           std::string("{% set ns = namespace(t=[1]) %}{% for i in range(100) %}{% set ns.t = [ns.t, ns.t] %}{% endfor %}{{ ns.t }}"),
           std::string("{% set ns = namespace(t=[1]) %}{% for i in range(100000) %}{% set ns.t = [ns.t] %}{% endfor %}"),
           std::string("{% set ns = namespace(t='a') %}{% for i in range(100) %}{% set ns.t = ns.t|replace('a', 'aaaaaaaaaaaaaaaa') %}{% endfor %}"),
           std::string("{{ 2 ** 1000000 }}"), std::string("{{ 'x'|indent(1000000000) }}"), std::string("{{ 1|round(1000000000) }}"),
           std::string("{{ strftime_now('%1000000000d') }}"),
           std::string("{% set a %}{% for i in range(100000) %}Σ'{% endfor %}{% endset %}{% for i in range(100000) %}{% set b = a|lower %}{% endfor %}"),
           std::string("{% set a = 'ab' * 1000000 %}{% for i in range(10000) %}{{ a.count('ba' * 400000 + 'c') }}{% endfor %}"),
       })
    EXPECT_TRUE(error(source).starts_with("t: line ")) << source.substr(0, 100) << error(source);
  // Things that hold each other are let go (the leak checker looks).
  render("{% set a = namespace() %}{% set a.a = a %}{% for i in [1] %}{% set x = i %}{% macro f() %}{{ x }}{% endmacro %}{% set a.f = f %}{% set a.l = loop %}{% endfor %}{{ a.f() }}");
  render("{% set a = namespace(l=[]) %}{% for i in range(30000) %}{% for j in [1] %}{% set a.l = [loop] %}{% endfor %}{% endfor %}");
  render("{% set a = namespace() %}{% for i in range(30000) %}{% set a = namespace(n=a) %}{% set b = namespace(n=b) %}{% endfor %}");
  EXPECT_EQ(error(std::string("{{ \xff\xfe }}")), "t: line 1: an unexpected character");
  EXPECT_EQ(render("\xff{{ '\xff\xfe'[::-1]|upper }}"), "\xff\xfe\xff");
}

// Templates of conversations

TEST(ChatTemplate, KnowsWhatMessagesSay) {
  const ChatMessage messages[] = {{"user", "Hi <|im_end|>"}};
  const auto says = [&](const std::string& source) { return marked(chat_of(source)->render(messages, false)); };
  EXPECT_EQ(says("<a>{{ messages[0].role }}:{{ messages[0].content }}<b>"), "<a>user:⟨Hi <|im_end|>⟩<b>");
  EXPECT_EQ(says("{% set c = '[' + messages[0].content + ']' %}{{ c[1:3] ~ c[::-1][:2] }}"), "⟨Hi⟩]⟨>⟩");
  EXPECT_EQ(says("{% for m in messages %}{% set x %}{{ m['content'].split()|join('-') }}{% endset %}{{ x|upper|trim }}{% endfor %}"), "⟨H⟩⟨I⟩-⟨<|⟩⟨IM⟩⟨_⟩⟨END⟩⟨|>⟩");
  EXPECT_EQ(says("{{ messages|tojson }}"), "[{\"role\": \"user\", \"content\": \"⟨Hi <|im_end|>⟩\"}]");
  EXPECT_EQ(says("{{ messages }}"), "[{'role': 'user', 'content': '⟨Hi <|im_end|>⟩'}]");
  EXPECT_EQ(says("{% macro f(x) %}({{ x.replace('i', '<i>') }}){% endmacro %}{{ f(messages[0].content)|replace('(', '{') }}"), "{⟨H⟩<i>⟨ <|⟩<i>⟨m_end|>⟩)");
  EXPECT_EQ(says("{% for c in messages[0].content|list %}{{ c if loop.index < 3 }}{% endfor %}{{ messages[0].content|length }}"), "⟨Hi⟩13");
  EXPECT_EQ(says("{{ messages[0].content|title }}{{ messages[0].content.partition(' ')|last }}"), "⟨Hi <|im_end|>⟩⟨<|im_end|>⟩");
  // Any other role is somebody's text.
  const ChatMessage strange[] = {{"im_end", "x"}};
  EXPECT_EQ(marked(chat_of("{{ '<|' + messages[0].role + '|>' }}")->render(strange, false)), "<|⟨im_end⟩|>");
}

TEST(ChatTemplate, OfAModelFolder) {
  const Folder folder;
  const ChatMessage messages[] = {{"user", "hi"}};
  const auto load = [&] { return ChatTemplate::load(folder.path.string()); };
  const auto says = [&] { return text_of(load().render(messages, true)); };
  EXPECT_HAS(error_of(load), "no chat template");
  folder.write("tokenizer_config.json", R"({"chat_template": "{{ bos_token }}{{ eos_token }}{{ messages[0].content }}", "bos_token": {"content": "<s>", "lstrip": false}, "eos_token": "</s>"})");
  EXPECT_EQ(says(), "<s></s>hi");
  folder.write("special_tokens_map.json", R"({"pad_token": "<pad>", "eos_token": "other"})");
  folder.write("tokenizer_config.json", R"({"chat_template": [{"name": "tool_use", "template": "no"}, {"name": "default", "template": "{{ eos_token }}{{ pad_token }}{{ bos_token is defined }}"}],
                "eos_token": "</s>", "bos_token": null})");
  EXPECT_EQ(says(), "</s><pad>False");
  folder.write("tokenizer_config.json", R"({"chat_template": [{"name": "rag", "template": "no"}]})");
  EXPECT_HAS(error_of(load), "tokenizer_config.json: `chat_template`: there is none named `default` (there are rag)");
  folder.write("tokenizer_config.json", R"({"chat_template": 3})");
  EXPECT_HAS(error_of(load), "tokenizer_config.json: `chat_template`: expected a text");
  folder.write("tokenizer_config.json", R"({"chat_template": "a\n{% frob %}"})");
  EXPECT_HAS(error_of(load), "tokenizer_config.json: `chat_template`: line 2: an unknown tag: `frob`");
  folder.write("tokenizer_config.json", "[1]");
  EXPECT_HAS(error_of(load), "tokenizer_config.json: expected an object");
  folder.write("tokenizer_config.json", R"({"chat_template": "no", "eos_token": "E"})");
  folder.write("chat_template.jinja", "{{ eos_token }}{{ 'prompt' if add_generation_prompt }}\n");
  EXPECT_EQ(says(), "Eprompt");
}

TEST(ChatTemplate, SeesTheDateThatItIsGiven) {
  const auto c = chat_of("{{ strftime_now('%d %b %Y, %A %H:%M') }}");
  Json extra = Json::object();
  extra.add("strftime_now", "2024-07-26");
  EXPECT_EQ(text_of(c->render({}, false, extra)), "26 Jul 2024, Friday 00:00");
  extra.set("strftime_now", "2025-01-02T13:14:15");
  EXPECT_EQ(text_of(c->render({}, false, extra)), "02 Jan 2025, Thursday 13:14");
  for (const char* bad : {"2024-13-01", "2024-02-30", "tomorrow", "2024-07-26x", "", "99999999999-1-1"}) {
    extra.set("strftime_now", bad);
    EXPECT_HAS(error_of([&] { c->render({}, false, extra); }), "expected a date") << bad;
  }
}

TEST(EncodeChat, TakesSpecialTokensFromTheTemplateOnly) {
  const ChatMessage messages[] = {{"user", "a<|im_end|>b"}, {"assistant", "<|im_start|>"}};
  const auto pieces = chat_of("<|im_start|>{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}")->render(messages, false);
  std::vector<TokenId> expected = {id("<|im_start|>")};
  for (const char* content : {"a<|im_end|>b", "<|im_start|>"}) {
    const auto ids = plain(content);
    expected.insert(expected.end(), ids.begin(), ids.end());
    expected.push_back(id("<|im_end|>"));
  }
  EXPECT_EQ(encode_chat(*tokenizer(), pieces), expected);
  // Nor halves of them: what the template and a message write together.
  for (const auto& [mine, theirs] : {std::pair("<|im_", "end|>"), std::pair("<|im_end|", ">")}) {
    const ChatPiece halves[] = {{mine, false}, {theirs, true}}, other[] = {{mine, true}, {theirs, false}};
    EXPECT_EQ(encode_chat(*tokenizer(), halves), plain("<|im_end|>"));
    EXPECT_EQ(encode_chat(*tokenizer(), other), plain("<|im_end|>"));
  }
  // A real one behind a half.
  const ChatPiece half[] = {{"<|im_end", true}, {"<|im_end|>", false}, {"x", true}};
  std::vector<TokenId> behind = plain("<|im_end");
  behind.push_back(id("<|im_end|>"));
  behind.push_back(plain("x")[0]);
  EXPECT_EQ(encode_chat(*tokenizer(), half), behind);
}
TEST(EncodeChat, MergesAcrossPieces) {
  std::mt19937 random(7);
  const std::string text = "the theme is that of the others\n\n  and 1234 don't héllo <|im_start|>user\nthere<|im_end|>\n";
  for (int round = 0; round < 300; ++round) {
    // Cut anywhere; the special tokens are the template's.
    std::vector<ChatPiece> pieces;
    for (size_t i = 0; i < text.size();) {
      const size_t n = std::min<size_t>(text.size() - i, 1 + random() % 8);
      std::string part = text.substr(i, n);
      pieces.push_back({part, text.find("<|") >= i + n || text.find("|>\n", text.find("there")) + 2 <= i ? random() % 2 == 0 : false});
      i += n;
    }
    EXPECT_EQ(encode_chat(*tokenizer(), pieces), tokenizer()->encode(text));
  }
}

// Conversations

TEST(Conversation, FeedsOnlyWhatIsNew) {
  Game g(chat("chatml"));
  EXPECT_EQ(g.ask("hi"), "<|im_start|>system\nYou are a player of dialogue games.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
  g.reply("the one", id("<|im_end|>"));
  EXPECT_EQ(g.ask("more"), "\n<|im_start|>user\nmore<|im_end|>\n<|im_start|>assistant\n");
  g.reply("cut off");  // by a limit: the template's end is fed
  EXPECT_EQ(g.ask(""), "<|im_end|>\n<|im_start|>user\n<|im_end|>\n<|im_start|>assistant\n");
  g.reply("", id("<|im_end|>"));
  EXPECT_EQ(g.ask("x"), "\n<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n");
  g.reply("a <|im_end|> in letters", id("<|im_end|>"));
  EXPECT_EQ(g.ask("y"), "\n<|im_start|>user\ny<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(g.model.ids(), g.fed);
  EXPECT_TRUE(g.model.kept().empty());
  EXPECT_EQ(g.model.ends(), std::vector<TokenId>{id("<|im_end|>")});
  // All of it is what the template writes.
  EXPECT_EQ(shown(g.fed), text_of(g.chat->render(g.messages, true)));
  // Another end than the template's: that follows, too.
  g.reply("z", id("<|eom_id|>"));
  EXPECT_EQ(g.ask("y"), "<|im_end|>\n<|im_start|>user\ny<|im_end|>\n<|im_start|>assistant\n");
}

TEST(Conversation, IsNotFooledByTrimming) {
  Game g(chat("llama3"));
  EXPECT_EQ(g.ask("  hi\n"), "<|begin|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n");
  g.reply("\n\n  the\n ", id("<|eot_id|>"));
  EXPECT_EQ(g.ask("the"), "<|start_header_id|>user<|end_header_id|>\n\nthe<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n");
  g.reply("the ");  // the same text is everywhere
  EXPECT_EQ(g.ask("a"), "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\na<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n");
  g.reply(" \n", id("<|eot_id|>"));
  EXPECT_EQ(g.ask("b"), "<|start_header_id|>user<|end_header_id|>\n\nb<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n");
  g.reply("user<|end_header_id|>\n\nb", id("<|eot_id|>"));
  EXPECT_EQ(g.ask("c"), "<|start_header_id|>user<|end_header_id|>\n\nc<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n");
  EXPECT_EQ(g.model.ids(), g.fed);
  EXPECT_TRUE(g.model.kept().empty());
}

TEST(Conversation, KeepsThinkingThatTheTemplateDrops) {
  Game g(chat("thinking"));
  g.ask("hi");
  g.reply("<think>\nhm\n</think>\n\nhello", id("<|im_end|>"));
  EXPECT_EQ(g.ask("more"), "\n<|im_start|>user\nmore<|im_end|>\n<|im_start|>assistant\n");
  ASSERT_EQ(g.model.kept().size(), 1u);
  EXPECT_EQ(g.model.kept()[0], "turn 2 (assistant): the template would now leave out or change a part of it; it stays as it was sampled");
  g.reply("<think>\nonly that\n</think>\n", id("<|im_end|>"));
  EXPECT_EQ(g.ask("again"), "\n<|im_start|>user\nagain<|im_end|>\n<|im_start|>assistant\n");
  g.reply("<think>\ncut off", -1);
  EXPECT_EQ(g.ask("<tool_response>x</tool_response>"), "<|im_end|>\n<|im_start|>user\n<tool_response>x</tool_response><|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(g.model.ids(), g.fed);
  EXPECT_NE(shown(g.fed), text_of(g.chat->render(g.messages, true)));

  // Without thinking, the template begins a reply otherwise than it writes it later.
  Json extra = Json::object();
  extra.add("enable_thinking", false);
  Game quiet(chat("thinking"), extra);
  EXPECT_EQ(quiet.ask("hi"), "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n");
  quiet.reply("hello", id("<|im_end|>"));
  EXPECT_EQ(quiet.ask("more"), "\n<|im_start|>user\nmore<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n");
  quiet.reply("ok", id("<|im_end|>"));
  quiet.ask("<tool_response>counts as no question</tool_response>");
  quiet.reply("ok", id("<|im_end|>"));
  quiet.ask("and so on");
  EXPECT_EQ(quiet.model.ids(), quiet.fed);
  EXPECT_EQ(quiet.model.kept().front(), "turn 2 (assistant): the template would now begin it in another way; it stays as it was sampled");
  EXPECT_EQ(quiet.model.kept().size(), 3u);
}

TEST(Conversation, RefusesWhatNoLongerHolds) {
  // The system message moves to the last user turn.
  Game moved(chat("instruct"));
  moved.messages = {{"system", "rules"}};
  EXPECT_EQ(moved.ask("hi"), "<|begin|>[INST] rules\n\nhi[/INST]");
  moved.reply("ok", id("<|im_end|>"));
  EXPECT_EQ(error_of([&] { moved.ask("more"); }),
            "instruct: turn 2 (user): the template writes it in another way now that the conversation has gone on, but the model has read it as it was");
  // Without one it goes on; the space that the template writes before a reply is not there when the model begins it.
  Game g(chat("instruct"));
  EXPECT_EQ(g.ask("hi"), "<|begin|>[INST] hi[/INST]");
  g.reply("ok", id("<|im_end|>"));
  EXPECT_EQ(g.ask("more"), "[INST] more[/INST]");
  EXPECT_EQ(g.model.kept().size(), 1u);
  EXPECT_HAS(error_of([&] {
               Game twice(chat("instruct"));
               twice.messages = {{"user", "a"}};
               twice.ask("b");
             }),
             "the template refuses this conversation: Roles must alternate");
  // A count of messages; a history that was changed; a template that leaves replies out, repeats or moves them.
  const auto second = [](const char* source, auto change) {
    return error_of([&] {
      Game x(chat_of(source));
      x.messages = {{"system", "s"}};
      x.ask("hi");
      x.reply("ok", id("<|im_end|>"));
      change(x.messages);
      x.ask("more");
    });
  };
  const auto as_it_is = [](auto&) {};
  const char* const good = "{% for m in messages %}[{{ m.content }}]{% endfor %}";
  EXPECT_EQ(second(good, as_it_is), "no error");
  EXPECT_EQ(second(good, [](auto& m) { m[0].content = "other"; }), "t: turn 1 (system) is another one now than the model has read");
  EXPECT_EQ(second(good, [](auto& m) { m[2].content += " "; }), "t: turn 3 (assistant) is another one now than the model has read");
  EXPECT_EQ(second(good, [](auto& m) { m.resize(1); }), "t: turn 2 (user) is another one now than the model has read");
  EXPECT_HAS(second("{% for m in messages %}{{ m.content }}{{ messages|length }}{% endfor %}", as_it_is), "t: turn 1 (system): the template writes it in another way now");
  EXPECT_HAS(second("{{ messages|length }}{% for m in messages %}{{ m.content }}{% endfor %}", as_it_is), "t: turn 1 (system): the template writes it in another way");
  EXPECT_HAS(second("{% for m in messages if m.role != 'assistant' %}{{ m.content }}{% endfor %}", as_it_is), "t: turn 3 (assistant) is left out by the template");
  EXPECT_HAS(second("{% for m in messages %}[{{ m.content }}{{ m.content }}]{% endfor %}", as_it_is), "t: turn 3 (assistant) is written more than once");
  Game x(chat_of(good));
  EXPECT_THROW(x.model.replied("x", {}), std::logic_error);
  x.ask("x");
  EXPECT_THROW(x.ask("y"), std::logic_error);
}

TEST(Conversation, TakesRepliesOfOthers) {
  for (const char* name : {"chatml", "llama3", "thinking", "turns", "instruct"}) {
    Game g(chat(name));
    g.ask("hi");
    g.reply("one", g.model.ends().at(0));
    g.ask("more");
    g.model.given(" two ");
    g.messages.push_back({"assistant", " two "});
    const std::string text = g.ask("and");
    EXPECT_HAS(text, "two");
    g.reply("three", g.model.ends().at(0));
    g.ask("so on");
    EXPECT_EQ(g.model.ids(), g.fed);
    if (name != std::string("instruct")) {
      EXPECT_EQ(shown(g.fed), text_of(g.chat->render(g.messages, true)));
    }
  }
  Json extra = Json::object();
  extra.add("enable_thinking", false);
  Game quiet(chat("thinking"), extra);
  quiet.ask("hi");
  quiet.model.given("two");
  quiet.messages.push_back({"assistant", "two"});
  EXPECT_EQ(quiet.ask("and"), "two<|im_end|>\n<|im_start|>user\nand<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n");
  quiet.reply("three", id("<|im_end|>"));
  EXPECT_EQ(quiet.ask("go"), "\n<|im_start|>user\ngo<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n");
}

TEST(Conversation, BeginsInTheMiddle) {
  Game g(chat("llama3"));
  g.messages = {{"system", "s"}, {"user", "a"}, {"assistant", "b "}};
  const std::string text = g.ask("c");
  EXPECT_EQ(text, text_of(g.chat->render(g.messages, true)));
  g.reply("d");
  g.ask("e");
  EXPECT_EQ(shown(g.fed), text_of(g.chat->render(g.messages, true)));
}

TEST(Conversation, HasAsides) {
  Game g(chat("chatml"));
  g.ask("hi");
  g.reply("hello", id("<|im_end|>"));
  Conversation aside = g.model;
  std::vector<ChatMessage> messages = g.messages;
  messages.push_back({"user", "by the way"});
  EXPECT_EQ(shown(aside.next(messages)), "\n<|im_start|>user\nby the way<|im_end|>\n<|im_start|>assistant\n");
  aside.replied("what", plain("what"));
  EXPECT_EQ(g.ask("more"), "\n<|im_start|>user\nmore<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(g.model.ids(), g.fed);
}

TEST(Conversation, GoesOnWhereTheModelRanIntoTheTemplate) {
  // A stop string of a template without special tokens: the reply is what stands before it, the ids have a part of it.
  Game g(chat_of("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"));
  EXPECT_EQ(g.ask("hi"), "user: hi\nassistant:");
  g.model.replied(" well", plain(" well\nuser:"));
  g.messages.push_back({"assistant", " well"});
  EXPECT_EQ(g.ask("go"), " go\nassistant:");
  EXPECT_TRUE(g.model.ends().empty());
}

TEST(Conversation, AnyConversation) {
  // What is fed and sampled is what the template writes, however the texts are; the model may stop itself or be stopped.
  std::mt19937 random(11);
  const std::vector<std::string> parts = {"", " ", "\n", "the", "user", "assistant\n", "<|im_end|>", "<|im_start|>assistant\n", "{{ x }}", "é", "😀", "<think>", "</think>", "x", "\xff", "  a  "};
  const auto text = [&](bool trimmed) {
    std::string out;
    for (unsigned n = random() % 5; n-- > 0;) out += parts[random() % parts.size()];
    while (trimmed && !out.empty() && std::isspace(static_cast<unsigned char>(out.front()))) out.erase(0, 1);
    while (trimmed && !out.empty() && std::isspace(static_cast<unsigned char>(out.back()))) out.pop_back();
    return out;
  };
  for (int round = 0; round < 300; ++round) {
    const std::string name = std::array{"chatml", "llama3", "thinking"}[static_cast<size_t>(round) % 3];
    Game g(chat(name));
    const TokenId end = g.model.ends().at(0);
    if (random() % 2) g.messages.push_back({"system", text(false)});
    for (int turn = 0; turn < 6; ++turn) {
      ASSERT_EQ(error_of([&] { g.ask(text(false)); }), "no error");
      if (name != "thinking") {  // it leaves out thinking
        EXPECT_EQ(shown(g.fed), text_of(g.chat->render(g.messages, true))) << name;
      }
      EXPECT_EQ(g.model.ids(), g.fed);
      const std::string said = text(name == "llama3");
      switch (random() % 3) {
        case 0: g.reply(said); break;
        case 1: g.reply(said, end); break;
        default:
          g.model.given(said);
          g.messages.push_back({"assistant", said});
      }
    }
  }
}
