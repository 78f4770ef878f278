// The words of a .game file. Texts are read by modes: `"` opens one, `{` inside it goes back to the default mode, and there
// every `{` goes one deeper and every `}` comes one back, so that texts and interpolations nest to any depth.
lexer grammar GameLexer;

// Made in lex.cpp, where a look at the next tokens spares the parser one through the whole expression: KwSayTo is a `say` in
// front of a player and a value, DotDotEnd a `..` in front of `]`, PatternMinus the sign of a pattern `-1 ->` or `-3..-1 ->`.
tokens { TextUnclosed, KwSayTo, DotDotEnd, PatternMinus }
channels { COMMENTS }

@lexer::members {
  // A mode's level is its place in the stack of modes; `first` is the level of the outermost text that a line's end closes.
  struct OpenText { size_t level, first; };
  std::vector<OpenText> texts;

  void pushMode(size_t m) override {
    Lexer::pushMode(m);
    size_t level = modeStack.size();
    if (m == TRIPLE) texts.push_back({level, 0});
    if (m == TEXT) texts.push_back({level, texts.empty() || texts.back().first == 0 ? level : texts.back().first});
  }
  size_t popMode() override {
    // An unmatched `}` has no mode to go back to; the parser's side reports it.
    if (modeStack.empty()) return mode;
    if (!texts.empty() && texts.back().level == modeStack.size()) texts.pop_back();
    return Lexer::popMode();
  }

  // A text in plain quotes, and every interpolation in it, ends with its line at the latest: one forgotten quote or brace
  // must not swallow the rest of the file.
  bool endLine() {
    if (texts.empty() || texts.back().first == 0) return false;
    size_t first = texts.back().first;
    while (!texts.empty() && texts.back().level >= first) texts.pop_back();
    mode = modeStack[first - 1];
    modeStack.resize(first - 1);
    return true;
  }

  // Reads on behind the `/*` to the next `*/`, if there is one. (A rule that looks for it would do so at every `/*` anew.)
  void readForeignComment() {
    if (noMoreEnds) return;
    ssize_t ahead = 1;
    while (_input->LA(ahead) != antlr4::Token::EOF && !(_input->LA(ahead) == '*' && _input->LA(ahead + 1) == '/')) ++ahead;
    noMoreEnds = _input->LA(ahead) == antlr4::Token::EOF;
    if (noMoreEnds) return;
    for (ssize_t n = 0; n <= ahead; ++n) getInterpreter<antlr4::atn::LexerATNSimulator>()->consume(_input);
  }
  bool noMoreEnds = false;
}

KwAbort: 'abort';
KwAim: 'aim';
KwAll: 'all';
KwAnd: 'and';
KwAnswered: 'answered';
KwAny: 'any';
KwAs: 'as';
KwAside: 'aside';
KwAsk: 'ask';
KwAt: 'at';
KwBot: 'bot';
KwBreak: 'break';
KwBrief: 'brief';
KwBy: 'by';
KwDiv: 'div';
KwElse: 'else';
KwEnum: 'enum';
KwExpect: 'expect';
KwExperiment: 'experiment';
KwFalse: 'false';
KwFn: 'fn';
KwFor: 'for';
KwForbid: 'forbid';
KwFormat: 'format';
KwFrom: 'from';
KwGame: 'game';
KwGenerate: 'generate';
KwGives: 'gives';
KwGrammar: 'grammar';
KwIf: 'if';
KwIn: 'in';
KwInclude: 'include';
KwInstance: 'instance';
KwInstances: 'instances';
KwIs: 'is';
KwKey: 'key';
KwLet: 'let';
KwLose: 'lose';
KwMatch: 'match';
KwMax: 'max';
KwMemory: 'memory';
KwMetric: 'metric';
KwMod: 'mod';
KwMost: 'most';
KwMove: 'move';
KwNan: 'nan';
KwNone: 'none';
KwNot: 'not';
KwNote: 'note';
KwNotes: 'notes';
KwOr: 'or';
KwPass: 'pass';
KwPlay: 'play';
KwPlayer: 'player';
KwRead: 'read';
KwRecord: 'record';
KwRepeat: 'repeat';
KwTogether: 'together';
KwResource: 'resource';
KwRetry: 'retry';
KwReturn: 'return';
KwReveal: 'reveal';
KwReward: 'reward';
KwRound: 'round';
KwSay: 'say';
KwScore: 'score';
KwScripted: 'scripted';
KwSecret: 'secret';
KwState: 'state';
KwStep: 'step';
KwTell: 'tell';
KwThen: 'then';
KwTrue: 'true';
KwUse: 'use';
KwVar: 'var';
KwWhere: 'where';
KwWin: 'win';
KwWorld: 'world';
KwWithout: 'without';

LBrace: '{' -> pushMode(DEFAULT_MODE);
RBrace: '}' -> popMode;
LParen: '(';
RParen: ')';
LBracket: '[';
RBracket: ']';
Comma: ',';
Semicolon: ';';
Colon: ':';
Dot: '.';
DotDot: '..';
Question: '?';
Tilde: '~';
Arrow: '->';
Assign: '=';
Equal: '==';
NotEqual: '!=';
LessEqual: '<=';
GreaterEqual: '>=';
Less: '<';
Greater: '>';
Plus: '+';
Minus: '-';
Star: '*';
Slash: '/';
Pipe: '|';
Ampersand: '&';

Float: [0-9]+ '.' [0-9]+ ([eE] [+-]? [0-9]+)?;
Int: [0-9]+;
BadNumber: [0-9]+ ('.' [0-9]+)? [a-zA-Z_] [a-zA-Z0-9_]*;
UpperName: [A-Z] [a-zA-Z0-9_]*;
LowerName: [a-z_] [a-zA-Z0-9_]*;

TripleOpen: '"""' -> pushMode(TRIPLE);
TextOpen: '"' -> pushMode(TEXT);

Comment: '//' ~[\r\n]* -> channel(COMMENTS);
Blank: [ \t\uFEFF]+ -> skip;
NewLine: ('\r' '\n'? | '\n') { if (endLine()) setType(TextUnclosed); else skip(); };

// Notations of other languages: read, so that the message can name ours.
ForeignAnd: '&&';
ForeignOr: '||';
ForeignNot: '!';
ForeignPower: '**';
ForeignPercent: '%';
ForeignStep: '++' | '--' | '+=' | '-=' | '*=' | '/=';
ForeignArrow: '=>';
ForeignSame: '===' | '!==';
ForeignComment: '#' ~[\r\n]*;
ForeignBlock: '/*' { readForeignComment(); } -> type(ForeignComment);
SingleQuoted: '\'' ~['\r\n]* '\'';
ForeignName: ~[\u0000-\u007F]+;
Unknown: .;

mode TEXT;
TextEscape: '\\' ('u{' [0-9a-fA-F]* '}' | ~[\r\n]);
TextOpenHole: '{' -> pushMode(DEFAULT_MODE);
TextClose: '"' -> popMode;
TextChunk: ~["\\{\r\n]+;
TextNewLine: ('\r' '\n'? | '\n') { endLine(); } -> type(TextUnclosed);
TextUnknown: . -> type(Unknown);

mode TRIPLE;
TripleEscape: '\\' ('u{' [0-9a-fA-F]* '}' | ~[\r\n]) -> type(TextEscape);
TripleOpenHole: '{' -> type(TextOpenHole), pushMode(DEFAULT_MODE);
TripleClose: '"""' -> popMode;
TripleChunk: ~["\\{]+ -> type(TextChunk);
TripleQuote: '"' -> type(TextChunk);
TripleUnknown: . -> type(Unknown);
