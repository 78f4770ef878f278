// What editors are told: names and their uses, completion where nothing parses, renaming, games of several files.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "compiler/ide/ide.h"
#include "compiler/ide/workspace.h"

using namespace ppc;
using namespace std::string_literals;
namespace fs = std::filesystem;

namespace {

const fs::path kPath = "/nowhere/g/g.game";

const char* const kGame = R"(/// Say it.
game tell_it

player describer as "Ann"
player guesser
player crowd scripted

enum Colour { red, green = "grün" }
record Card { word: text  worth: int = 1 }

instance {
  /// What is looked for.
  target : text secret describer from "target_word"
  rounds_max : int 1..9 = 3
}
state { tries : [text] = [] }

/// Lower case, without blanks.
fn plain(word: text) -> text = word.trimmed.lower

step log_try(what: text) { note "try" what }

move Clue by describer { format "CLUE:" {clue: text} else abort "form" }
move Guess by guesser {
  format "GUESS:" ( {guess: word} "!" | {guess: word} ) else abort "form"
  let small = plain(guess)
  expect small != "" else abort "empty"
  gives small
}

play {
  brief guesser "Guess."
  var best = Card { word = "", worth = 0 }
  let shade = Colour.red
  round r in 1..rounds_max {
    let clue = ask describer for Clue
    tell guesser clue.said
    let answer = ask guesser for Guess
    tries.add(answer.small)
    best.word = answer.small
    log_try(best.word)
    if plain(answer.guess) == reveal target and shade == Colour.red { win score 10 * best.worth * r }
    say crowd "{[t for t in tries if t.length > 2]}"
  }
  lose
}

bot guesser lazy { memory { seen: int = 0 } seen = seen + 1 say "GUESS: {seen}" }
)";

struct Asked {
  std::string text;
  uint32_t offset;
};
/// Cuts the mark out of a text.
Asked marked(std::string text) {
  size_t at = text.find("@@");
  EXPECT_NE(at, std::string::npos);
  text.erase(at, 2);
  return {text, static_cast<uint32_t>(at)};
}

ide::Instead of(std::string text) {
  return [text](const fs::path& p) { return p == kPath ? std::optional(text) : std::nullopt; };
}

uint32_t place(const std::string& text, const std::string& around, size_t within = 0) {
  size_t at = text.find(around);
  EXPECT_NE(at, std::string::npos) << around;
  return static_cast<uint32_t>(at + within);
}

std::string text_at(const ide::Analysis& a, Span s) { return std::string(a.sources()[s.file].text().substr(s.begin, s.end - s.begin)); }

/// `line:text` of all occurrences.
std::vector<std::string> all_of(const ide::Analysis& a, uint32_t offset) {
  ide::Meaning m = ide::meaning_at(a, 0, offset);
  std::vector<std::string> out;
  if (!m.declared) return out;
  for (const ide::Occurrence& o : ide::occurrences(a, *m.declared))
    out.push_back(std::to_string(a.sources()[0].line_column(o.span.begin).line) + ":" + text_at(a, o.span) + (o.declaration ? " declared" : o.changes ? " changed" : ""));
  return out;
}

std::vector<std::string> completed(const std::string& marked_text) {
  Asked asked = marked(marked_text);
  std::vector<std::string> out;
  for (const ide::Completion& c : ide::complete(kPath, of(asked.text), kPath, asked.offset).items) out.push_back(c.label);
  return out;
}
std::vector<std::string> completed_in(const std::string& from, const std::string& to) {
  std::string text = kGame;
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return completed(text.replace(at, from.size(), to));
}
bool has(const std::vector<std::string>& list, const std::string& x) { return std::find(list.begin(), list.end(), x) != list.end(); }

using Strings = std::vector<std::string>;

}  // namespace

TEST(Names, EveryUseKnowsItsDeclaration) {
  ide::Analysis a(kPath, of(kGame));
  for (const auto& r : a.reports()) ADD_FAILURE() << r.message;
  EXPECT_TRUE(a.names().sound);
  std::string text = kGame;
  auto at = [&](const std::string& around, size_t within = 0) { return all_of(a, place(text, around, within)); };
  EXPECT_EQ(at("tries : [text]"), (Strings{"16:tries declared", "39:tries changed", "43:tries"}));
  EXPECT_EQ(at("small = plain"), (Strings{"26:small declared", "27:small", "28:small", "39:small", "40:small"}));
  EXPECT_EQ(at("{guess: word} \"!\"", 1), (Strings{"25:guess declared", "25:guess", "26:guess", "42:guess"}));
  EXPECT_EQ(at("word: text  worth", 0), (Strings{"9:word declared", "33:word", "40:word changed", "41:word"}));
  EXPECT_EQ(at("plain(word: text)"), (Strings{"19:plain declared", "26:plain", "42:plain"}));
  EXPECT_EQ(at("guesser\nplayer crowd"), (Strings{"5:guesser declared", "24:guesser", "32:guesser", "37:guesser", "38:guesser", "48:guesser"}));
  EXPECT_EQ(at("red, green"), (Strings{"8:red declared", "34:red", "42:red"}));
  EXPECT_EQ(at("Colour { red"), (Strings{"8:Colour declared", "34:Colour", "42:Colour"}));
  EXPECT_EQ(at("t in tries if t"), (Strings{"43:t", "43:t declared", "43:t"}));
  EXPECT_EQ(at("seen: int"), (Strings{"48:seen declared", "48:seen changed", "48:seen", "48:seen"}));
  EXPECT_EQ(at("Guess by"), (Strings{"24:Guess declared", "38:Guess"}));
  EXPECT_EQ(at("log_try(what"), (Strings{"21:log_try declared", "41:log_try"}));
}

TEST(Names, InGrammars) {
  const std::string text = R"(game g
player p
resource colours : [text] = "colours.json"
/// What to do.
grammar Order {
  take : "take" [{Which}] {thing: Name} | "get" {thing: word}
  /// Of several.
  Which : {word in [c for c in colours]}
  Name  : {word}+
}
move Say by p {
  format {said_so: text} else abort "form"
  let order = parse(said_so) as Order else abort "no order"
  gives order.thing
}
play {
  let x = ask p for Say
  if x.order.rule == "take" { win }
  lose
}
)";
  ide::Analysis a(kPath, of(text));
  for (const auto& r : a.reports()) ADD_FAILURE() << r.message;
  auto at = [&](const std::string& around, size_t within = 0) { return all_of(a, place(text, around, within)); };
  EXPECT_EQ(at("thing: Name"), (Strings{"6:thing declared", "6:thing", "14:thing"}));
  EXPECT_EQ(at("{Which}", 1), (Strings{"6:Which", "8:Which declared"}));
  EXPECT_EQ(at("Order {"), (Strings{"5:Order declared", "13:Order"}));
  EXPECT_EQ(at("colours]"), (Strings{"3:colours declared", "8:colours"}));
  auto hover = [&](const std::string& around, size_t within = 0) {
    auto d = ide::hover(a, 0, place(text, around, within));
    if (!d) return std::string("nothing");
    std::string out = d->code + "|" + d->doc;
    for (const std::string& note : d->notes) out += note;
    return out;
  };
  EXPECT_EQ(hover("{Which}", 1), "Which : {word in [c for c in colours]}|Of several.");
  EXPECT_EQ(hover("Order else"), "grammar Order {\n  take : \"take\" [{Which}] {thing: Name} | \"get\" {thing: word}\n"
                                 "  Which : {word in [c for c in colours]}\n  Name : {word}+\n}|What to do.");
  EXPECT_NE(hover("parse(").find("grammar"), std::string::npos);
  EXPECT_NE(hover("rule =="), "nothing");
  std::vector<ide::Symbol> symbols = ide::symbols(a, 0);
  auto grammar = std::find_if(symbols.begin(), symbols.end(), [](const ide::Symbol& s) { return s.name == "Order"; });
  ASSERT_NE(grammar, symbols.end());
  EXPECT_EQ(grammar->children.size(), 3u);
}

TEST(Names, EveryNameOfEveryGameMeansSomething) {
  // Words that are names, in games without a mistake, are declarations, uses, or the language's own.
  size_t games = 0;
  for (const auto& entry : fs::recursive_directory_iterator(PPC_SOURCE_DIR "/stdlib-games")) {
    if (entry.path().extension() != ".game" || entry.path().stem() != entry.path().parent_path().filename()) continue;
    ++games;
    ide::Analysis a(entry.path(), nullptr);
    EXPECT_TRUE(a.names().sound) << entry.path();
    auto in_world = [&](Span s) {  // the terms of predicates only say what they are
      for (const ast::Decl& d : a.tree_of(s.file)->decls)
        if (std::get_if<ast::WorldDecl>(&d.node) && d.span.begin <= s.begin && s.end <= d.span.end) return true;
      return false;
    };
    for (uint32_t f = 0; f < a.sources().size(); ++f)
      for (const syntax::Word& w : a.words(f)) {
        if (w.kind != syntax::Word::Kind::Name) continue;
        std::string word = text_at(a, w.span);
        if (word == "_" || in_world(w.span) || ide::meaning_at(a, f, w.span.begin).found() || ide::hover(a, f, w.span.begin)) continue;
        EXPECT_TRUE(a.files()[0].game && a.files()[0].game->name == word) << entry.path() << ": " << word << " at line " << a.sources()[f].line_column(w.span.begin).line;
      }
  }
  EXPECT_GE(games, 15u);
}

TEST(Builtins, AllAreDescribed) {
  for (const sema::Row& row : sema::rows()) EXPECT_FALSE(sema::describe(row).empty()) << row.name << " " << (row.params.empty() ? "" : row.params[0]);
}

TEST(Hover, SaysTypeLabelAndFormat) {
  ide::Analysis a(kPath, of(kGame));
  std::string text = kGame;
  auto at = [&](const std::string& around, size_t within = 0) {
    auto d = ide::hover(a, 0, place(text, around, within));
    if (!d) return std::string("nothing");
    std::string out = d->code;
    for (const auto& n : d->notes) out += "\n" + n;
    return out + (d->doc.empty() ? "" : "\n" + d->doc);
  };
  EXPECT_EQ(at("target and shade"),
            "instance target : text\nsecret: only `describer` and the game master may know it\nread from `target_word`\nWhat is looked for.");
  EXPECT_EQ(at("rounds_max {"), "instance rounds_max : int 1..9 = 3\nknown to everybody");
  EXPECT_EQ(at("tries.add"), "state tries : [text] = []\nknown to everybody");
  EXPECT_EQ(at("Guess\n    tries"),
            "move Guess by guesser\n  format  GUESS:(<guess>! | <guess>)\nits value has `said: text`, `accepted: bool`, `guess: text`, `small: text`");
  EXPECT_EQ(at("plain(answer"), "fn plain(word: text) -> text\nLower case, without blanks.");
  EXPECT_EQ(at("answer = ask"), "let answer : Guess\nthe reply of `guesser`");
  EXPECT_EQ(at("best.worth"), "var best : Card");
  EXPECT_EQ(at("trimmed.lower"), "text.trimmed -> text\nThe text without white space at both ends, or without the characters of the argument there.");
  EXPECT_EQ(at("describer as"), "player describer as \"Ann\"\nPlayer 1 of 3");
  EXPECT_EQ(at("Colour.red\n"), "enum Colour { red, green = \"grün\" }");
  EXPECT_EQ(at("round r in"), "round NAME in 1..LAST { … }");
  EXPECT_EQ(at("said\n"), "said\nThe reply as text: in a move, what `read` made of it; behind a move's value, as it came.");
}

TEST(Tolerance, BrokenFilesKeepTheirSymbols) {
  auto names = [](const std::string& text) {
    ide::Analysis a(kPath, of(text));
    EXPECT_FALSE(a.reports().empty());
    std::string out;
    for (const ide::Symbol& s : ide::symbols(a, 0)) out += s.name + " ";
    return out;
  };
  const std::string all = "tell_it describer guesser crowd Colour Card instance state plain log_try Clue Guess play lazy ";
  auto with = [](const std::string& from, const std::string& to) {
    std::string text = kGame;
    size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  EXPECT_EQ(names(with("let shade = Colour.red", "let shade = Colour.")), all);
  EXPECT_EQ(names(with("let shade = Colour.red", "let shade = plain(")), all);       // a bracket that is never closed
  EXPECT_EQ(names(with("let shade = Colour.red", "let shade = \"red")), all);        // a text that is never closed
  EXPECT_EQ(names(with("let shade = Colour.red", "let shade = [plain(\"{Colour")), all);
  EXPECT_EQ(names(with("  lose\n}", "  lose\n")), all);                              // a brace that is never closed
  EXPECT_EQ(names(with("round r in 1..rounds_max {", "round r in 1..rounds_max")), all);
  EXPECT_EQ(names(with("abort \"empty\"", "abort \"empty\" }")), all);               // one too many
  EXPECT_EQ(names(with("note \"try\" what }", "note \"try\" ")), all);
}

TEST(Completion, KnowsWhatFits) {
  EXPECT_EQ(completed_in("ask guesser for Guess", "ask @@"), (Strings{"describer", "guesser"}));
  EXPECT_EQ(completed_in("ask guesser for Guess", "ask guesser for @@"), (Strings{"Guess", "Clue"}));
  EXPECT_EQ(completed_in("ask guesser for Guess", "ask guesser for Gu@@"), (Strings{"Guess", "Clue"}));
  EXPECT_EQ(completed_in("tell guesser clue.said", "tell @@"), (Strings{"describer", "guesser", "crowd"}));
  EXPECT_EQ(completed_in("say crowd", "say @@"), (Strings{"crowd"}));
  EXPECT_EQ(completed_in("move Clue by describer", "move Clue by @@"), (Strings{"describer", "guesser", "crowd"}));
  EXPECT_EQ(completed_in("Colour.red {", "Colour.@@ {"), (Strings{"red", "green"}));
  EXPECT_EQ(completed_in("let shade = Colour.red", "let shade = Colour.@@"), (Strings{"red", "green"}));
  EXPECT_EQ(completed_in("{clue: text}", "{clue: @@}"), (Strings{"text", "line", "word", "letters", "digits", "int"}));
  EXPECT_TRUE(has(completed_in("move Clue by describer {", "move Clue by describer { @@"), "aim"));
  EXPECT_EQ(completed_in("move Clue by describer {", "move Clue by describer { aim \"CLUE:\" {@@}"), (Strings{"text", "line", "word", "letters", "digits", "int"}));
  EXPECT_TRUE(has(completed_in("what: text", "what: @@"), "Colour"));
  EXPECT_TRUE(has(completed_in("tries : [text]", "tries : [@@]"), "text"));
  EXPECT_FALSE(has(completed_in("tries : [text]", "tries : [@@]"), "let"));
  EXPECT_TRUE(completed_in("Say it.", "Say @@ it.").empty());
  EXPECT_TRUE(completed_in("\"Guess.\"", "\"Gu@@ess.\"").empty());
  auto top = completed_in("bot guesser lazy", "@@\nbot guesser lazy");
  EXPECT_TRUE(has(top, "metric") && has(top, "bot") && !has(top, "let"));
}

TEST(Completion, MembersOfAnyReceiver) {
  auto said = completed_in("tell guesser clue.said", "tell guesser clue.@@");
  EXPECT_TRUE(has(said, "said") && has(said, "clue") && has(said, "accepted") && !has(said, "length"));
  EXPECT_TRUE(has(completed_in("log_try(best.word)", "best.@@"), "worth"));
  EXPECT_TRUE(has(completed_in("log_try(best.word)", "best.wo@@"), "worth"));
  EXPECT_TRUE(has(completed_in("log_try(best.word)", "if best.@@"), "worth"));          // a statement that does not parse
  EXPECT_TRUE(has(completed_in("log_try(best.word)", "if tries.@@\n    let z = 1"), "length"));
  auto list = completed_in("log_try(best.word)", "tries.@@");
  EXPECT_TRUE(has(list, "add") && has(list, "sorted") && !has(list, "lower"));
  EXPECT_FALSE(has(completed_in("log_try(best.word)", "log_try(tries.@@)"), "add"));     // no statement
  EXPECT_TRUE(has(completed_in("log_try(best.word)", "log_try(plain(answer.guess).@@)"), "trimmed"));
  EXPECT_TRUE(has(completed_in("log_try(best.word)", "log_try(tries[0].@@)"), "upper"));
  EXPECT_TRUE(has(completed_in("log_try(best.word)", "log_try(\"a {r}\".@@"), "split"));  // a bracket is open, too
  EXPECT_TRUE(has(completed_in("t.length > 2", "t.@@"), "length"));
  EXPECT_TRUE(has(completed_in("\"{[t for", "\"{answer.@@} {[t for"), "small"));
}

TEST(Completion, NamesInScope) {
  auto inside = completed_in("log_try(best.word)", "log_try(@@)");
  for (const char* x : {"answer", "clue", "r", "best", "shade", "tries", "target", "plain", "shuffled", "not"}) EXPECT_TRUE(has(inside, x)) << x;
  for (const char* x : {"t", "seen", "small", "what", "heard", "said", "zz_probe"}) EXPECT_FALSE(has(inside, x)) << x;
  auto begin = completed_in("    let clue = ask", "    @@\n    let clue = ask");
  for (const char* x : {"best", "r", "let", "log_try", "round", "tell"}) EXPECT_TRUE(has(begin, x)) << x;
  for (const char* x : {"answer", "clue", "format", "metric"}) EXPECT_FALSE(has(begin, x)) << x;
  auto move = completed_in("expect small", "expect @@small");
  for (const char* x : {"said", "guess", "plain"}) EXPECT_TRUE(has(move, x)) << x;
  EXPECT_FALSE(has(move, "shuffled"));  // no chance in a move
  EXPECT_TRUE(has(completed_in("seen + 1", "seen + @@"), "seen"));
  auto behind = completed_in("guesser \"Guess.\"", "guesser \"Guess.\" @@");
  EXPECT_TRUE(has(behind, "answered"));
  // A file that breaks off.
  EXPECT_TRUE(has(completed("game g\nplayer a\nplay {\n  let word = 1\n  let other = wo@@"), "word"));
  EXPECT_TRUE(has(completed("@@"), "game"));
}

TEST(Rename, LocalNamesOnly) {
  std::string text = kGame;
  auto refused = [&](const std::string& around, size_t within = 0) {
    ide::Analysis a(kPath, of(text));
    auto result = ide::renamable(a, 0, place(text, around, within));
    auto* r = std::get_if<ide::Refusal>(&result);
    return r ? r->reason : "";
  };
  EXPECT_EQ(refused("best.worth"), "");
  EXPECT_EQ(refused("what: text"), "");
  EXPECT_EQ(refused("seen + 1"), "");
  EXPECT_EQ(refused("target and"), "`target` is a field of the instance: only local names can be renamed (variables, parameters, memory of bots)");
  EXPECT_EQ(refused("small != "), "`small` is a part of what its move gives: replies and records know it by this name");
  EXPECT_EQ(refused("trimmed"), "`trimmed` is a name of the language");
  EXPECT_EQ(refused("round r"), "there is no name here that is known");

  auto renamed = [&](const std::string& around, const std::string& name) -> std::string {
    ide::Analysis a(kPath, of(text));
    auto result = ide::rename(a, kPath, of(text), 0, place(text, around), name);
    if (auto* r = std::get_if<ide::Refusal>(&result)) return r->reason;
    auto edits = std::get<std::vector<ide::Edit>>(result);
    std::string out = text;
    for (size_t i = edits.size(); i-- > 0;) out.replace(edits[i].span.begin, edits[i].span.end - edits[i].span.begin, edits[i].text);
    ide::Analysis after(kPath, of(out));
    EXPECT_TRUE(after.names().sound);
    return std::to_string(edits.size()) + " edits";
  };
  EXPECT_EQ(renamed("best.worth", "winner"), "4 edits");
  EXPECT_EQ(renamed("t in tries if t", "one"), "3 edits");
  EXPECT_EQ(renamed("what: text", "line_of_note"), "2 edits");
  EXPECT_EQ(renamed("best.worth", "tries"), "then `tries` is the name of something else already");
  EXPECT_EQ(renamed("best.worth", "shade"), "then `shade` is the name of something else already");
  EXPECT_EQ(renamed("best.worth", "if"), "`if` is a word of the language");
  EXPECT_EQ(renamed("best.worth", "1x"), "`1x` is no name: a name is made of the letters a to z, digits and `_`, and begins with no digit");
  EXPECT_EQ(renamed("best.worth", "größe").substr(0, 10), "`größe` is"s.substr(0, 10));
}

TEST(Workspace, SharedPartsBelongToTheirGames) {
  const fs::path games = fs::weakly_canonical(PPC_SOURCE_DIR "/stdlib-games");
  ide::Workspace w;
  const fs::path rules = games / "wordle/rules.game";
  EXPECT_EQ(w.roots(rules), (std::vector<fs::path>{games / "wordle/wordle.game", games / "wordle_withclue/wordle_withclue.game",
                                                   games / "wordle_withcritic/wordle_withcritic.game"}));
  EXPECT_EQ(w.roots(games / "taboo/taboo.game"), (std::vector<fs::path>{games / "taboo/taboo.game"}));
  // An unsaved text counts, in all of them.
  EXPECT_TRUE(w.analysis(games / "wordle/wordle.game").names().sound);
  std::ifstream in(rules);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  text.replace(text.find("fn target()"), 11, "fn aim()");
  w.set(rules, text);
  const ide::Analysis& broken = w.analysis(games / "wordle/wordle.game");
  EXPECT_FALSE(broken.names().sound);
  ASSERT_FALSE(broken.reports().empty());
  EXPECT_EQ(broken.reports()[0].message, "unknown function `target`");
  w.drop(rules);
  EXPECT_TRUE(w.analysis(games / "wordle/wordle.game").names().sound);
  // The definition of what a game uses lies in the shared part.
  const ide::Analysis& a = w.analysis(games / "wordle/wordle.game");
  std::string own(a.sources()[0].text());
  auto to = ide::definition(a, 0, place(own, "marks(last"));
  ASSERT_TRUE(to.has_value());
  EXPECT_EQ(a.path_of(to->file), rules);
  to = ide::definition(a, 0, place(own, "rules.game"));
  ASSERT_TRUE(to.has_value());
  EXPECT_EQ(a.path_of(to->file), rules);
}

TEST(Fixes, CanBeApplied) {
  auto fixed = [](std::string text) {
    ide::Analysis a(kPath, of(text));
    for (const auto& r : a.reports())
      for (const diag::Fix& f : r.fixes) return text.replace(f.span.begin, f.span.end - f.span.begin, f.text);
    return std::string("no fix");
  };
  auto game = [](const std::string& body) { return "game g\nplayer a\nplay {\n  " + body + "\n  lose\n}\n"; };
  EXPECT_EQ(fixed(game("breif a \"x\"")), game("brief a \"x\""));
  EXPECT_EQ(fixed(game("let word = 1 note \"k\" (wrod)")), game("let word = 1 note \"k\" (word)"));
  EXPECT_EQ(fixed(game("let word = 1 note \"k\" word.lenght")), "no fix");
  EXPECT_EQ(fixed(game("let word = \"\" note \"k\" word.lenght")), game("let word = \"\" note \"k\" word.length"));
  EXPECT_EQ(fixed(game("if 1==1&&2==2 { win }")), game("if 1==1 and 2==2 { win }"));
  EXPECT_EQ(fixed(game("if 1 = 1 { win }")), game("if 1 == 1 { win }"));
  EXPECT_EQ(fixed(game("let x = 1 x = 2")), game("var x = 1 x = 2"));
  EXPECT_EQ(fixed(game("let x = 1")), game("let _x = 1"));
  EXPECT_EQ(fixed(game("note \"k\" stem(\"x\")")), "game g\nuse english (stem)\nplayer a\nplay {\n  note \"k\" stem(\"x\")\n  lose\n}\n");
}
