// What a syntax error says, and where reading goes on. ANTLR's own strategy repairs single tokens and speaks of token sets;
// here an error travels up to the statement, field or declaration it is in, is reported once, and everything up to the next
// one is skipped.
#include <algorithm>
#include <map>

#include "compiler/syntax/internal.h"

namespace ppc::syntax {

using antlr4::InputMismatchException;
using antlr4::NoViableAltException;
using antlr4::Parser;
using antlr4::ParserRuleContext;
using antlr4::RecognitionException;
using antlr4::Token;

namespace {

using P = GameParser;

const std::map<std::string, std::string>& statement_forms() {
  static const std::map<std::string, std::string> forms = {
      {"let", "let NAME = VALUE"}, {"var", "var NAME = VALUE"}, {"if", "if CONDITION { … } else { … }"},
      {"for", "for NAME in LIST where CONDITION { … }"}, {"round", "round NAME in 1..LAST { … }"},
      {"repeat", "repeat at most N { … }"}, {"together", "together { let a = ask P for M  let b = ask Q for M }"}, {"return", "return VALUE"}, {"ask", "let NAME = ask PLAYER for MOVE"},
      {"tell", "tell PLAYER VALUE"}, {"brief", "brief PLAYER VALUE [answered VALUE]"}, {"say", "say PLAYER VALUE"},
      {"note", "note \"KEY\" VALUE"}, {"reward", "reward PLAYER NUMBER"}, {"win", "win score NUMBER \"REASON\""},
      {"lose", "lose score NUMBER \"REASON\""}, {"abort", "abort \"REASON\""}, {"retry", "retry N tell \"MESSAGE\" then abort \"REASON\""},
      {"read", "read TEXT"}, {"aim", "aim \"CLUE: \" {letters}"}, {"format", "format \"CLUE:\" {clue: text} else abort \"REASON\""},
      {"expect", "expect CONDITION else abort \"REASON\""}, {"forbid", "forbid CONDITION else lose \"REASON\""},
      {"gives", "gives VALUE"}, {"experiment", "experiment \"NAME\" { … }"}, {"instances", "instances N as i { … }"},
      {"resource", "resource NAME : TYPE = \"FILE\""}, {"break", ""}, {"pass", ""}};
  return forms;
}

const std::map<std::string, std::string>& declaration_forms() {
  static const std::map<std::string, std::string> forms = {
      {"game", "game NAME"}, {"include", "include \"FILE\""}, {"use", "use english (stem, stopwords)"},
      {"player", "player NAME as \"DISPLAY NAME\""}, {"record", "record Name { field : TYPE … }"},
      {"enum", "enum Name { a, b }"}, {"experiment", "experiment { NAME : TYPE … }"},
      {"instance", "instance { NAME : TYPE secret PLAYER … }"}, {"state", "state { NAME : TYPE = VALUE … }"},
      {"resource", "resource NAME : TYPE = \"FILE\""}, {"fn", "fn NAME(a: TYPE) -> TYPE = VALUE"},
      {"step", "step NAME(a: TYPE) { … }"}, {"move", "move Name by PLAYER { … }"}, {"play", "play { … }"},
      {"bot", "bot PLAYER NAME { … }"}, {"metric", "metric \"NAME\" = VALUE"}, {"key", "key \"NAME\" = VALUE"},
      {"generate", "generate { … }"}, {"world", "world { PREDICATE(term, …) … }"},
      {"grammar", "grammar Name { alternative : \"word\" {capture: Part}  Part : {word} }"}};
  return forms;
}

std::vector<std::string> words_of(const std::map<std::string, std::string>& forms) {
  std::vector<std::string> out;
  for (const auto& [word, form] : forms) out.push_back(word);
  return out;
}

/// Words of other languages, with ours.
std::string foreign_word(const std::string& word) {
  static const std::map<std::string, std::string> ours = {
      {"while", "loops are bounded: `for x in xs`, `round r in 1..n` or `repeat at most n`"},
      {"loop", "loops are bounded: `for x in xs`, `round r in 1..n` or `repeat at most n`"},
      {"function", "a function is declared by `fn`"}, {"func", "a function is declared by `fn`"},
      {"def", "a function is declared by `fn`"}, {"const", "a value that does not change is declared by `let`"},
      {"elif", "write `else if`"}, {"elsif", "write `else if`"}, {"elseif", "write `else if`"},
      {"switch", "write `match value { 1..3 -> a; else -> b }`"}, {"case", "write `match value { 1..3 -> a; else -> b }`"},
      {"print", "write `tell PLAYER value`, or `note \"key\" value` for the record"},
      {"import", "write `include \"FILE\"`"}, {"struct", "write `record Name { … }`"}, {"class", "write `record Name { … }`"},
      {"continue", "give the loop a condition: `for x in xs where …`"},
      {"assert", "in a move, write `expect CONDITION else …`"}, {"mut", "a variable is declared by `var`"}};
  auto at = ours.find(word);
  return at == ours.end() ? "" : at->second;
}

bool is_word(const Token* t) {
  std::string text = t->getText();
  return !text.empty() && (std::isalpha(static_cast<unsigned char>(text[0])) || text[0] == '_') && t->getType() != Token::EOF;
}

std::string seen(const Token* t) {
  switch (t->getType()) {
    case Token::EOF: return "the end of the file";
    case P::KwSayTo: return "`say`";
    case P::DotDotEnd: return "`..`";
    case P::PatternMinus: return "`-`";
    case P::TextOpen: case P::TripleOpen: return "a text";
    case P::TextChunk: case P::TextEscape: return "a text";
    case P::TextClose: case P::TripleClose: return "the end of the text";
    default: return "`" + t->getText() + "`";
  }
}

bool starts_statement(size_t type) {
  switch (type) {
    case P::KwLet: case P::KwVar: case P::KwIf: case P::KwFor: case P::KwRound: case P::KwRepeat: case P::KwTogether: case P::KwBreak: case P::KwReturn:
    case P::KwAsk: case P::KwTell: case P::KwBrief: case P::KwSay: case P::KwSayTo: case P::KwNote: case P::KwReward: case P::KwWin: case P::KwLose:
    case P::KwAbort: case P::KwPass: case P::KwRetry: case P::KwRead: case P::KwFormat: case P::KwAim: case P::KwExpect: case P::KwForbid:
    case P::KwGives: case P::KwExperiment: case P::KwInstances: case P::KwResource:
      return true;
    default:
      return false;
  }
}

bool starts_declaration(size_t type) {
  switch (type) {
    case P::KwGame: case P::KwInclude: case P::KwUse: case P::KwPlayer: case P::KwRecord: case P::KwEnum: case P::KwExperiment:
    case P::KwInstance: case P::KwState: case P::KwResource: case P::KwFn: case P::KwStep: case P::KwMove: case P::KwPlay:
    case P::KwBot: case P::KwMetric: case P::KwKey: case P::KwGenerate: case P::KwWorld: case P::KwGrammar:
      return true;
    default:
      return false;
  }
}

bool opens(size_t type) {
  return type == P::LBrace || type == P::LParen || type == P::LBracket || type == P::TextOpen || type == P::TripleOpen || type == P::TextOpenHole;
}
bool closes(size_t type) {
  return type == P::RBrace || type == P::RParen || type == P::RBracket || type == P::TextClose || type == P::TripleClose;
}
bool is_operator(size_t type) {
  switch (type) {
    case P::Star: case P::Slash: case P::KwDiv: case P::KwMod: case P::Plus: case P::Minus: case P::Ampersand: case P::Pipe: case P::DotDot:
    case P::Equal: case P::NotEqual: case P::Less: case P::LessEqual: case P::Greater: case P::GreaterEqual: case P::KwIn: case P::KwNot:
    case P::KwIs: case P::KwAnd: case P::KwOr: case P::Dot: case P::LBracket: case P::LParen: case P::Question: case P::Semicolon:
      return true;
    default:
      return false;
  }
}

class Strategy : public antlr4::ANTLRErrorStrategy {
 public:
  Strategy(const Offsets& offsets, const Limits& limits, const std::set<size_t>& bad_lines, diag::Emitter& emitter)
      : offsets_(offsets), limits_(limits), bad_lines_(bad_lines), emitter_(emitter), before_(emitter.errors()) {}

  void reset(Parser*) override { recovering_ = false; }
  bool inErrorRecoveryMode(Parser*) override { return recovering_; }
  void reportMatch(Parser*) override { recovering_ = false; }

  Token* recoverInline(Parser* parser) override { throw InputMismatchException(parser); }

  void reportError(Parser* parser, const RecognitionException& e) override {
    if (recovering_) return;
    recovering_ = true;
    if (bad_lines_.count(e.getOffendingToken()->getLine())) return;
    report(parser, e);
    enough(e.getOffendingToken());
  }

  void recover(Parser* parser, std::exception_ptr e) override {
    // Brackets match, so what has been opened since the statement's start is closed before the next one.
    int depth = 0;
    for (size_t i = parser->getContext()->getStart()->getTokenIndex(); i < parser->getCurrentToken()->getTokenIndex(); ++i) {
      size_t type = parser->getTokenStream()->get(i)->getType();
      depth += opens(type) ? 1 : closes(type) ? -1 : 0;
    }
    switch (parser->getContext()->getRuleIndex()) {
      case P::RuleStatement: skip_statement(parser, std::max(depth, 0)); break;
      case P::RuleField: skip_field(parser, std::max(depth, 0)); break;
      case P::RuleDeclaration: skip_declaration(parser, std::max(depth, 0)); break;
      case P::RuleFile: break;
      default: std::rethrow_exception(e);
    }
    recovering_ = false;
  }

  /// Called where a loop begins or goes on: what starts nothing there is reported and skipped in place.
  void sync(Parser* parser) override {
    size_t rule = parser->getContext()->getRuleIndex();
    if (rule != P::RuleBlock && rule != P::RuleFile && rule != P::RuleFieldBlock && rule != P::RuleBotDecl) return;
    size_t kind = parser->getInterpreter<antlr4::atn::ParserATNSimulator>()->atn.states[parser->getState()]->getStateType();
    if (kind != antlr4::atn::ATNState::STAR_LOOP_ENTRY && kind != antlr4::atn::ATNState::STAR_LOOP_BACK) return;
    const auto& atn = parser->getATN();
    for (;;) {
      Token* t = parser->getCurrentToken();
      if (t->getType() == Token::EOF) return;
      if (rule == P::RuleFile ? starts_declaration(t->getType()) : t->getType() == P::RBrace) return;
      if (rule != P::RuleFile && atn.nextTokens(atn.states[parser->getState()]).contains(t->getType())) return;
      recovering_ = true;
      if (!bad_lines_.count(t->getLine())) {
        if (rule == P::RuleFile) not_a_declaration(t);
        else if (rule == P::RuleFieldBlock) not_a_field(t);
        else not_a_statement(parser, t);
        enough(t);
      }
      size_t index = t->getTokenIndex();
      if (rule == P::RuleFile) skip_declaration(parser, 0);
      else if (rule == P::RuleFieldBlock) skip_field(parser, 0);
      else skip_statement(parser, 0);
      if (parser->getCurrentToken()->getTokenIndex() == index) parser->consume();
      recovering_ = false;
    }
  }

 private:
  void enough(const Token* at) {
    if (emitter_.errors() - before_ < limits_.errors) return;
    emitter_.emit(kTooManyErrors, offsets_.span(at), {std::to_string(limits_.errors)});
    throw GiveUp{};
  }

  static ParserRuleContext* above(ParserRuleContext* context, std::initializer_list<size_t> rules) {
    for (auto* c = context; c != nullptr; c = static_cast<ParserRuleContext*>(c->parent))
      if (std::find(rules.begin(), rules.end(), c->getRuleIndex()) != rules.end()) return c;
    return nullptr;
  }

  void report(Parser* parser, const RecognitionException& e) {
    Token* offending = e.getOffendingToken();
    auto* context = static_cast<ParserRuleContext*>(e.getCtx());
    Token* start = context->getStart();

    // A name and something that neither assigns nor calls: most often a misspelt keyword.
    if (context->getRuleIndex() == P::RuleNameStatement && parser->getTokenStream()->LT(-1) == start) {
      not_a_statement(parser, start, offending);
      return;
    }
    std::string expected = expectation(parser, e, context);
    auto builder = emitter_.emit(kUnexpected, offsets_.span(offending), {seen(offending), expected});
    hints(builder, context, offending, expected);
  }

  void hints(diag::Emitter::Builder& builder, ParserRuleContext* context, Token* offending, const std::string& expected) {
    size_t type = offending->getType();
    std::string word = is_word(offending) ? offending->getText() : "";
    auto* statement = above(context, {P::RuleStatement, P::RuleField, P::RuleDeclaration, P::RuleConsequence});
    size_t first = statement ? statement->getStart()->getType() : 0;
    bool condition = first == P::KwIf || first == P::KwExpect || first == P::KwForbid || first == P::KwFor;
    if (type == P::Assign && condition) {
      builder.hint("values are compared with `==`").fix("write `==`", offsets_.span(offending), "==");
    } else if (type == P::Comma && (context->getRuleIndex() == P::RuleField || context->getRuleIndex() == P::RuleFieldTail ||
                                    context->getRuleIndex() == P::RuleFieldBlock)) {
      builder.hint("fields need no comma between them");
    } else if (type == P::Comma && statement && statement->getRuleIndex() == P::RuleStatement) {
      builder.hint("statements need no comma between them");
    } else if (type == P::KwAsk) {
      builder.hint("`ask` stands alone or behind `let NAME =`");
    } else if (!word.empty() && expected.find('`') != std::string::npos) {
      // Expected keywords stand in backticks.
      std::vector<std::string> candidates;
      for (size_t i = expected.find('`'); i != std::string::npos; i = expected.find('`', i)) {
        size_t end = expected.find('`', i + 1);
        if (end == std::string::npos) break;
        candidates.push_back(expected.substr(i + 1, end - i - 1));
        i = end + 1;
      }
      std::string near = diag::closest(word, candidates);
      if (!near.empty()) builder.meant(word, near);
    }
    if (statement == nullptr) return;
    std::string keyword = statement->getStart()->getText();
    const auto& forms = statement->getRuleIndex() == P::RuleDeclaration ? declaration_forms() : statement_forms();
    if (statement->getRuleIndex() == P::RuleField) {
      builder.hint("a field is written `name : TYPE`, then `= VALUE`, `from \"PATH\"` or `secret PLAYER` where wanted");
    } else if (auto form = forms.find(keyword); form != forms.end() && !form->second.empty()) {
      builder.hint("the form is `" + form->second + "`");
    }
  }

  void not_a_statement(Parser* parser, Token* t, Token* next = nullptr) {
    std::string word = t->getText();
    if (!is_word(t)) {
      auto b = emitter_.emit(kUnexpected, offsets_.span(t), {seen(t), "a statement or `}`"});
      if (t->getType() == P::Comma) b.hint("statements need no comma between them");
      Token* before = parser->getTokenStream()->LT(t == parser->getCurrentToken() ? -1 : -2);
      if (t->getType() == P::LParen && before != nullptr && before->getType() == P::RParen && before->getLine() == t->getLine())
        b.hint("only a name can be called");
      if (before != nullptr && (before->getType() == P::KwWin || before->getType() == P::KwLose))
        b.hint("the form is `" + statement_forms().at(before->getText()) + "`");
      return;
    }
    if (t->getType() == P::KwElse) {
      emitter_.emit(kUnexpected, offsets_.span(t), {"`else`", "a statement or `}`"})
          .hint("`else` belongs to an `if`, a `format`, an `expect` or a `forbid` right in front of it");
      return;
    }
    if (starts_declaration(t->getType()) && !starts_statement(t->getType())) {
      emitter_.emit(kUnexpected, offsets_.span(t), {"`" + word + "`", "a statement or `}`"})
          .hint("declarations stand outside of blocks; is a `}` missing in front of it?");
      return;
    }
    std::string hint = foreign_word(word);
    std::vector<std::string> candidates = words_of(statement_forms());
    Token* before = parser->getTokenStream()->LT(t == parser->getCurrentToken() ? -1 : -2);
    if (next != nullptr && t->getType() == P::KwScore && before != nullptr && (before->getType() == P::KwWin || before->getType() == P::KwLose)) {
      emitter_.emit(kUnexpected, offsets_.span(next), {seen(next), "a value"}).hint("the form is `" + statement_forms().at(before->getText()) + "`");
      return;
    }
    // In the middle of an expression the mistake is an operator.
    bool same_line = before != nullptr && before->getLine() == t->getLine() && before->getType() != P::LBrace && before->getType() != P::RBrace;
    if (same_line)
      for (const char* op : {"and", "or", "div", "mod", "in", "not", "is", "then", "where", "else"}) candidates.emplace_back(op);
    std::string near = diag::closest(word, candidates);
    auto b = emitter_.emit(kUnknownStatement, offsets_.span(t), {word});
    if (!hint.empty()) b.hint(hint);
    else if (!near.empty()) b.meant(word, near);
    else if (next != nullptr && (next->getType() == P::RBrace || starts_statement(next->getType())))
      b.hint("a step is called with parentheses: `" + word + "()`");
    else b.hint("a statement starts with a keyword, or is an assignment `name = value` or a call `name(…)`");
  }

  void not_a_declaration(Token* t) {
    std::string word = t->getText();
    if (!is_word(t)) {
      auto b = emitter_.emit(kUnexpected, offsets_.span(t), {seen(t), "a declaration"});
      if (t->getType() == P::Comma || t->getType() == P::Semicolon) b.hint("declarations need nothing between them");
      return;
    }
    std::string hint = foreign_word(word);
    std::string near = diag::closest(word, words_of(declaration_forms()));
    if (hint.empty() && !near.empty()) {
      emitter_.emit(kUnknownDeclaration, offsets_.span(t), {word}).meant(word, near);
      return;
    }
    if (hint.empty() && statement_forms().count(word)) hint = "`" + word + "` is a statement: it stands in `play`, a `move`, a `step` or a `bot`";
    if (hint.empty() && (word == "and" || word == "or" || word == "in" || word == "is" || word == "then" || word == "else")) hint = "the declaration in front of it has already ended";
    auto b = emitter_.emit(kUnknownDeclaration, offsets_.span(t), {word});
    if (!hint.empty()) b.hint(hint);
  }

  void not_a_field(Token* t) {
    auto b = emitter_.emit(kUnexpected, offsets_.span(t), {seen(t), "a field or `}`"});
    if (t->getType() == P::Comma || t->getType() == P::Semicolon) b.hint("fields need nothing between them");
    else b.hint("a field is written `name : TYPE`, then `= VALUE`, `from \"PATH\"` or `secret PLAYER` where wanted");
  }

  /// What could have stood there, in a reader's words.
  std::string expectation(Parser* parser, const RecognitionException& e, ParserRuleContext* context) {
    size_t rule = context->getRuleIndex();
    const auto& atn = parser->getATN();
    antlr4::misc::IntervalSet set;
    size_t state = e.getOffendingState();
    if (state < atn.states.size()) set = atn.getExpectedTokens(state, context);
    if (auto* no_way = dynamic_cast<const NoViableAltException*>(&e); no_way && no_way->getStartToken() != e.getOffendingToken()) {
      // The decision failed further on; what it expected at its start says nothing about here.
      Token* start = no_way->getStartToken();
      if (rule == P::RuleStatement || rule == P::RuleKeywordStatement) return "the rest of a `" + start->getText() + "` statement";
      if (rule == P::RuleField || rule == P::RuleFieldTail || rule == P::RuleFieldBlock) return "a field";
      return "something else after `" + start->getText() + "`";
    }
    if (rule == P::RuleFile) return "a declaration";
    std::vector<std::string> parts;
    bool value = set.contains(static_cast<size_t>(P::Int)) && set.contains(static_cast<size_t>(P::KwTrue));
    bool name = set.contains(static_cast<size_t>(P::LowerName));
    bool after_value = set.contains(static_cast<size_t>(P::Star)) && set.contains(static_cast<size_t>(P::KwAnd));
    bool statement = set.contains(static_cast<size_t>(P::KwLet));
    bool type = (rule == P::RuleType || rule == P::RuleField || rule == P::RuleParam || rule == P::RuleLetStatement || rule == P::RuleFnDecl) &&
                name && set.contains(static_cast<size_t>(P::LBracket)) && !value;
    if (statement) parts.push_back(after_value ? "an operator or the next statement" : rule == P::RuleConsequence || rule == P::RuleOtherwise ? "a statement, a block or the name of a step" : "a statement");
    else if (value) parts.push_back("a value");
    else if (type) parts.push_back("a type");
    else if (name && !after_value) parts.push_back("a name");
    for (ssize_t t : set.toList()) {
      auto token = static_cast<size_t>(t);
      if (token == Token::EOF || parts.size() > 5) continue;
      bool word = token < static_cast<size_t>(P::LBrace);
      if (statement && (word || token == P::LBrace)) continue;
      if ((value || after_value || statement) && is_operator(token)) continue;
      if (value && (token == P::LBrace || token == P::LBracket || token == P::LParen)) continue;
      if (type && (token == P::LBracket || token == P::LParen)) continue;
      if (name && is_soft_keyword(token)) continue;
      if (value && word) {
        switch (token) {
          case P::KwThen: case P::KwElse: case P::KwFor: case P::KwWhere: case P::KwAs: break;
          default: continue;
        }
      }
      switch (token) {
        case P::LowerName: case P::UpperName: continue;
        case P::Int: case P::Float:
          if (!value && (parts.empty() || parts.back() != "a number")) parts.push_back("a number");
          continue;
        case P::TextOpen:
          if (!value) parts.push_back("a text");
          continue;
        case P::TripleOpen: case P::TextChunk: case P::TextEscape: case P::TextOpenHole: continue;
        case P::TextClose: case P::TripleClose: parts.push_back("the end of the text"); continue;
        default: break;
      }
      std::string literal = parser->getVocabulary().getLiteralName(token);
      if (literal.size() > 2) parts.push_back("`" + literal.substr(1, literal.size() - 2) + "`");
    }
    if (parts.empty()) return after_value ? "an operator or the end of the value" : "something else";
    if (parts.size() > 5) parts.resize(5);
    std::string out = parts[0];
    for (size_t i = 1; i < parts.size(); ++i) out += (i + 1 == parts.size() ? " or " : ", ") + parts[i];
    return out;
  }

  static bool line_start(Parser* parser, Token* t) {
    Token* before = parser->getTokenStream()->LT(-1);
    return before == nullptr || before->getLine() != t->getLine();
  }

  /// To the next statement: a keyword or a name that begins a line or follows `;`, or the block's `}`.
  void skip_statement(Parser* parser, int depth) {
    bool ended = false;
    for (bool first = true;; first = false) {
      Token* t = parser->getCurrentToken();
      size_t type = t->getType();
      if (type == Token::EOF) return;
      if (depth == 0) {
        if (type == P::RBrace || ended) return;
        if (!first && line_start(parser, t) && (starts_statement(type) || is_word(t)) && type != P::KwElse && type != P::KwThen) return;
        ended = !first && type == P::Semicolon;
      }
      if (opens(type)) ++depth;
      if (closes(type) && depth > 0) --depth;
      parser->consume();
    }
  }

  void skip_field(Parser* parser, int depth) {
    for (bool first = true;; first = false) {
      Token* t = parser->getCurrentToken();
      size_t type = t->getType();
      if (type == Token::EOF) return;
      if (depth == 0) {
        if (type == P::RBrace) return;
        if (!first && is_word(t) && parser->getTokenStream()->LA(2) == P::Colon) return;
      }
      if (opens(type)) ++depth;
      if (closes(type) && depth > 0) --depth;
      parser->consume();
    }
  }

  void skip_declaration(Parser* parser, int depth) {
    for (bool first = true;; first = false) {
      Token* t = parser->getCurrentToken();
      size_t type = t->getType();
      if (type == Token::EOF) return;
      if (depth <= 0 && !first && line_start(parser, t) && starts_declaration(type)) return;
      if (opens(type)) ++depth;
      if (closes(type) && depth > 0) --depth;
      parser->consume();
    }
  }

  const Offsets& offsets_;
  const Limits& limits_;
  const std::set<size_t>& bad_lines_;
  diag::Emitter& emitter_;
  size_t before_;
  bool recovering_ = false;
};

}  // namespace

bool is_soft_keyword(size_t token) {
  switch (token) {
    case P::KwAim: case P::KwAll: case P::KwAnswered: case P::KwAny: case P::KwAs: case P::KwAside: case P::KwAt: case P::KwBot: case P::KwBy: case P::KwEnum: case P::KwExperiment: case P::KwFormat:
    case P::KwFrom: case P::KwGame: case P::KwGenerate: case P::KwGrammar: case P::KwInclude: case P::KwInstance: case P::KwInstances: case P::KwKey:
    case P::KwMax: case P::KwMemory: case P::KwMetric: case P::KwMost: case P::KwMove: case P::KwNote: case P::KwNotes: case P::KwPass:
    case P::KwPlay: case P::KwPlayer: case P::KwRead: case P::KwRecord: case P::KwRepeat: case P::KwResource: case P::KwReward:
    case P::KwRound: case P::KwScore: case P::KwScripted: case P::KwSecret: case P::KwState: case P::KwStep: case P::KwTogether: case P::KwUse:
    case P::KwWhere: case P::KwWithout: case P::KwWorld:
      return true;
    default:
      return false;
  }
}

std::shared_ptr<antlr4::ANTLRErrorStrategy> make_error_strategy(const Offsets& offsets, const Limits& limits, const std::set<size_t>& bad_lines,
                                                                diag::Emitter& emitter) {
  return std::make_shared<Strategy>(offsets, limits, bad_lines, emitter);
}

std::string statement_form(const std::string& keyword) {
  auto at = statement_forms().find(keyword);
  return at == statement_forms().end() ? "" : at->second.empty() ? keyword : at->second;
}
std::string declaration_form(const std::string& keyword) {
  auto at = declaration_forms().find(keyword);
  return at == declaration_forms().end() ? "" : at->second;
}

bool is_hard_keyword(const std::string& word) {
  static const std::set<std::string> hard = [] {
    std::set<std::string> out;
    antlr4::ANTLRInputStream nothing{std::string()};
    GameLexer lexer(&nothing);
    for (size_t t = GameLexer::KwAbort; t < GameLexer::LBrace; ++t) {
      std::string name = lexer.getVocabulary().getLiteralName(t);
      if (!is_soft_keyword(t) && name.size() > 2) out.insert(name.substr(1, name.size() - 2));
    }
    return out;
  }();
  return hard.count(word) != 0;
}

const std::vector<std::string>& keywords() {
  static const std::vector<std::string> list = [] {
    std::vector<std::string> out;
    for (const auto& [word, form] : statement_forms()) out.push_back(word);
    for (const auto& [word, form] : declaration_forms()) out.push_back(word);
    for (const char* word : {"all", "and", "answered", "any", "as", "aside", "at", "by", "div", "else", "false", "from", "in", "is", "match", "max", "memory",
                             "mod", "most", "nan", "none", "not", "notes", "or", "reveal", "score", "scripted", "secret", "then", "true", "where", "without"})
      out.emplace_back(word);
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  }();
  return list;
}

}  // namespace ppc::syntax
