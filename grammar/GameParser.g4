// The grammar of a .game file. Layout plays no part: a statement starts with a keyword or a name, so nothing has to stand
// between two of them. It accepts a little too much; the builder and `sema` reject the rest with better words.
parser grammar GameParser;

options { tokenVocab = GameLexer; }

file: declaration* EOF;

declaration
  : gameDecl | includeDecl | useDecl | playerDecl | recordDecl | enumDecl | worldDecl | fieldsDecl | resourceDecl | fnDecl | stepDecl
  | moveDecl | playDecl | botDecl | metricDecl | keyDecl | generateDecl | grammarDecl
  ;

gameDecl: KwGame ident;
includeDecl: KwInclude text;
useDecl: KwUse ident (LParen ident (Comma ident)* RParen)?;
playerDecl: KwPlayer ident (KwAs text | KwScripted)*;
recordDecl: KwRecord ident fieldBlock;
enumDecl: KwEnum ident LBrace enumValue (Comma enumValue)* Comma? RBrace;
enumValue: ident (Assign text)?;
worldDecl: KwWorld LBrace predicate* RBrace;
predicate: predicateName LParen (ident (Comma ident)*)? RParen;
// A thing may lie in a box.
predicateName: ident | KwIn;
fieldsDecl: (KwExperiment | KwInstance | KwState) fieldBlock;
fieldBlock: LBrace field* RBrace;
field: ident Colon type fieldTail*;
fieldTail
  : Assign expression
  | KwFrom text (Comma text)*
  | audience
  ;
audience: KwSecret (ident (Comma ident)*)?;
resourceDecl: KwResource ident Colon type Assign expression audience?;
fnDecl: KwFn ident params Arrow type (Assign expression | block);
stepDecl: KwStep ident params? block;
params: LParen (param (Comma param)* Comma?)? RParen;
param: ident Colon type;
moveDecl: KwMove ident KwBy ident (Comma ident)* block;
playDecl: KwPlay block;
botDecl: KwBot ident ident LBrace memoryBlock? statement* RBrace;
memoryBlock: KwMemory fieldBlock;
metricDecl: KwMetric text? (KwAt ident KwIn expression)? Assign expression (KwIf expression)?;
keyDecl: KwKey text Assign expression;
generateDecl: KwGenerate block;
grammarDecl: KwGrammar ident LBrace grammarRule* RBrace;
grammarRule: grammarName Colon grammarBranch (Pipe grammarBranch)*;
// Alternatives are often verbs, so every word of the language can be one's name.
grammarName
  : ident
  | KwAbort | KwAnd | KwAsk | KwBreak | KwBrief | KwDiv | KwElse | KwExpect | KwFalse | KwFn | KwFor | KwForbid | KwGives | KwIf | KwIn | KwIs
  | KwLet | KwLose | KwMatch | KwMod | KwNan | KwNone | KwNot | KwOr | KwRetry | KwReturn | KwReveal | KwSay | KwTell | KwThen | KwTrue | KwVar | KwWin
  ;

// ---- types

type
  : ident typeRange?
  | ident Less type (Comma type)* Greater typeMax?
  | LBracket type RBracket typeMax?
  | LParen type (Comma type)+ RParen
  | type Question
  ;
typeRange: signedInt DotDot signedInt;
typeMax: KwMax signedInt;
signedInt: Minus? Int;

// ---- statements

block: LBrace statement* RBrace;

statement: (keywordStatement | nameStatement) Semicolon*;

keywordStatement
  : letStatement | ifStatement | forStatement | roundStatement | repeatStatement | togetherStatement | breakStatement | returnStatement
  | askStatement | tellStatement | briefStatement | sayStatement | noteStatement | rewardStatement | outcomeStatement
  | passStatement | retryStatement | readStatement | formatStatement | checkStatement | givesStatement
  | experimentStatement | instancesStatement | resourceStatement
  ;

// An assignment or a call; which of them, and whether it may stand alone, the builder says.
nameStatement: ident ((arguments suffix* | suffix+) (Assign expression)? | Assign expression);

letStatement: (KwLet | KwVar) ident (Colon type)? Assign (ask | expression (KwAs type)? otherwise?);
ask: KwAsk ident (KwAside expression)? KwFor ident;
ifStatement: KwIf expression block (KwElse (ifStatement | block))?;
forStatement: KwFor names KwIn expression (KwWhere expression)? block;
roundStatement: KwRound ident KwIn expression block;
repeatStatement: KwRepeat KwAt KwMost expression block;
togetherStatement: KwTogether block;
breakStatement: KwBreak;
returnStatement: KwReturn expression;
askStatement: ask;
tellStatement: KwTell ident expression;
briefStatement: KwBrief ident expression (KwAnswered expression)?;
sayStatement: KwSay expression | KwSayTo ident expression;
noteStatement: KwNote text expression;
rewardStatement: KwReward ident expression;
outcomeStatement: (KwWin | KwLose | KwAbort) (KwScore expression)? text?;
passStatement: KwPass;
retryStatement: KwRetry expression (KwTell expression)? KwThen consequence;
readStatement: KwRead expression;
formatStatement: (KwFormat | KwAim) formatItem+ otherwise?;
checkStatement: (KwExpect | KwForbid) expression otherwise?;
givesStatement: KwGives expression (Comma expression)*;
experimentStatement: KwExperiment expression block;
instancesStatement: KwInstances expression (KwAs ident)? block;
resourceStatement: KwResource ident Colon type Assign expression;

otherwise: KwElse consequence;
consequence: block | keywordStatement | stepCall;
stepCall: ident arguments?;

formatItem
  : Tilde? text
  | LBrace (ident Colon)? ident (KwIn expression | formatWithout*) RBrace
  | LBracket formatItem+ RBracket
  | LParen formatBranch (Pipe formatBranch)* RParen Star?
  ;
formatBranch: formatItem+;
formatWithout: KwWithout Tilde? text;

grammarBranch: grammarItem+;
grammarItem
  : (Tilde? text | LBrace (ident Colon)? ident (KwNot? KwIn expression)? RBrace | LParen grammarBranch (Pipe grammarBranch)* RParen)
    (Star | Plus)?
  | LBracket grammarBranch (Pipe grammarBranch)* RBracket
  ;

// ---- expressions

// Operators and operands in a row, without their precedence: the builder brings them into a tree. So every decision here is
// made on one or two tokens, which keeps the first parse of a process short (left recursion cost 5 of 7 ms).
expression: prefix* (postfix (infix expression)? | ifExpr | quantifiedExpr);
prefix: Minus | KwNot | KwReveal;
infix
  : Star | Slash | KwDiv | KwMod | Plus | Minus | Ampersand | Pipe | DotDot
  | Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual | KwIn | KwNot KwIn | KwIs
  | KwAnd | KwOr
  ;
ifExpr: KwIf expression KwThen expression KwElse expression;
quantifiedExpr: (KwAny | KwAll) names KwIn expression Colon expression;

postfix: primary suffix*;
suffix
  : Dot member arguments?
  | LBracket subscript RBracket
  ;
subscript
  : expression DotDotEnd?
  | DotDot expression
  | DotDotEnd
  ;

primary
  : Int
  | Float
  | KwTrue
  | KwFalse
  | KwNan
  | KwNone
  | text
  | KwNotes text
  | matchExpr
  | UpperName LBrace recordField* RBrace
  | ident arguments?
  | KwIn arguments
  | LParen expression (Comma expression)* Comma? RParen
  | LBracket (expression (generator+ | (Comma expression)* Comma?))? RBracket
  | LBrace (entry (generator+ | (Comma entry)* Comma?))? RBrace
  ;

matchExpr: KwMatch expression LBrace matchArm+ RBrace;
matchArm: (KwElse | pattern) Arrow expression Semicolon*;
// No brackets: an arm's value would go on with them.
pattern: patternValue (DotDot patternValue)?;
patternValue: PatternMinus? (Int | Float) | KwTrue | KwFalse | KwNone | text | ident (Dot ident)?;
recordField: ident Assign expression Comma?;
entry: expression (Colon expression)?;
generator: KwFor names KwIn expression (KwIf expression)?;
arguments: LParen (argument (Comma argument)* Comma?)? RParen;
argument: expression (Assign expression)?;
names: ident (Comma ident)* | LParen ident (Comma ident)+ RParen | predicateName LParen (expression (Comma expression)*)? RParen;

text
  : TextOpen textPart* TextClose
  | TripleOpen textPart* TripleClose
  ;
textPart
  : TextChunk
  | TextEscape
  | TextOpenHole expression RBrace
  ;

// `x.or(y)` is the one method whose name is an operator's.
member: ident | KwOr;

// Words of the language that stay usable as names.
ident
  : LowerName | UpperName
  | KwAim | KwAll | KwAnswered | KwAny | KwAs | KwAside | KwAt | KwBot | KwBy | KwEnum | KwExperiment | KwFormat | KwFrom | KwGame | KwGenerate | KwGrammar | KwInclude
  | KwInstance | KwInstances | KwKey | KwMax | KwMemory | KwMetric | KwMost | KwMove | KwNote | KwNotes | KwPass | KwPlay
  | KwPlayer | KwRead | KwRecord | KwRepeat | KwResource | KwReward | KwRound | KwScore | KwScripted | KwSecret | KwState
  | KwStep | KwTogether | KwUse | KwWhere | KwWithout | KwWorld
  ;
