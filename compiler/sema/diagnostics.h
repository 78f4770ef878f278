// Every diagnostic of the checker, in one place: names E02xx, types E03xx, audiences E04xx, paths and bounds E05xx.
#pragma once
#include "compiler/diag/diag.h"

namespace ppc::sema {

using diag::Diagnostic;
using diag::Severity;

// ---- names --------------------------------------------------------------------------------------------------------
inline const Diagnostic kUnknownName{"E0201", "unknown-name", Severity::Error, "unknown name `{0}`"};
inline const Diagnostic kUnknownType{"E0202", "unknown-type", Severity::Error, "unknown type `{0}`"};
inline const Diagnostic kUnknownFunction{"E0203", "unknown-function", Severity::Error, "unknown function `{0}`"};
inline const Diagnostic kUnknownMember{"E0204", "unknown-member", Severity::Error, "`{0}` has no `{1}`"};
inline const Diagnostic kDuplicate{"E0205", "duplicate-name", Severity::Error, "`{0}` is declared twice"};
inline const Diagnostic kShadowing{"E0206", "shadowing", Severity::Error, "`{0}` is the name of something else already"};
inline const Diagnostic kUnknownPlayer{"E0207", "unknown-player", Severity::Error, "unknown player `{0}`"};
inline const Diagnostic kUnknownMove{"E0208", "unknown-move", Severity::Error, "unknown move `{0}`"};
inline const Diagnostic kUnknownStep{"E0209", "unknown-step", Severity::Error, "unknown step `{0}`"};
inline const Diagnostic kNotHere{"E0210", "not-known-here", Severity::Error, "`{0}` is not known in {1}"};
inline const Diagnostic kMissingPart{"E0211", "missing-part", Severity::Error, "the game has no {0}"};
inline const Diagnostic kMissingUse{"E0212", "missing-use", Severity::Error, "`{0}` belongs to a library that is not used"};
inline const Diagnostic kUnknownLibrary{"E0213", "unknown-library", Severity::Error, "unknown library `{0}`"};
inline const Diagnostic kUnknownField{"E0214", "unknown-field", Severity::Error, "`{0}` is not a field of {1}"};
inline const Diagnostic kMissingFields{"E0215", "missing-fields", Severity::Error, "{0} needs {1}"};
inline const Diagnostic kDependsOnItself{"E0216", "depends-on-itself", Severity::Error,
                                         "the value of `{0}` is needed to find out what it is"};
inline const Diagnostic kTooManyPlayers{"E0217", "too-many-players", Severity::Error,
                                        "a game has at most {0} players, this one has {1}"};
inline const Diagnostic kContainsItself{"E0218", "contains-itself", Severity::Error, "a value of `{0}` contains another one"};
inline const Diagnostic kUnknownPredicate{"E0219", "unknown-predicate", Severity::Error, "the world has no `{0}`"};
inline const Diagnostic kUnknownPart{"E0220", "unknown-part", Severity::Error, "the grammar `{0}` has no part `{1}`"};
inline const Diagnostic kRecursivePart{"E0221", "recursive-part", Severity::Error, "the part `{0}` stands in itself: {1}"};
inline const Diagnostic kUnused{"W0201", "unused", Severity::Warning, "{0} `{1}` is never used"};

// ---- types --------------------------------------------------------------------------------------------------------
inline const Diagnostic kTypeMismatch{"E0301", "type-mismatch", Severity::Error, "expected `{0}`, found `{1}`"};
inline const Diagnostic kOperands{"E0302", "operands", Severity::Error, "`{0}` does not work on {1}"};
inline const Diagnostic kTypeNotKnown{"E0303", "type-not-known", Severity::Error, "the type of `{0}` is not known here"};
inline const Diagnostic kArguments{"E0304", "wrong-arguments", Severity::Error, "`{0}` takes {1}, found {2}"};
inline const Diagnostic kNotWalkable{"E0305", "not-walkable", Severity::Error, "`for` cannot go through `{0}`"};
inline const Diagnostic kNotIndexable{"E0306", "not-indexable", Severity::Error, "`{0}` cannot be indexed"};
inline const Diagnostic kNotConstant{"E0307", "not-constant", Severity::Error, "this is not a constant"};
inline const Diagnostic kNotChangeable{"E0308", "not-changeable", Severity::Error, "`{0}` cannot be changed: {1}"};
inline const Diagnostic kMatchElse{"E0309", "match-without-else", Severity::Error, "this `match` has no `else`"};
inline const Diagnostic kRangePlace{"E0310", "range-place", Severity::Error,
                                    "a range stands in `for`, `in` and `match`, not here"};
inline const Diagnostic kLimitPlace{"E0311", "limit-place", Severity::Error,
                                    "a range or a maximum stands on a field's own type, not here"};
inline const Diagnostic kUnsupported{"E0312", "not-yet-supported", Severity::Error, "{0}: not yet supported"};
inline const Diagnostic kBranches{"E0313", "branches-differ", Severity::Error, "one branch is `{0}`, another is `{1}`"};
inline const Diagnostic kTakingApart{"E0314", "taking-apart", Severity::Error,
                                     "`{0}` cannot be taken apart into {1} names"};
inline const Diagnostic kStatementPlace{"E0315", "statement-place", Severity::Error, "`{0}` does not stand in {1}"};
inline const Diagnostic kValueUnused{"E0316", "value-unused", Severity::Error, "the value of this is not used"};
inline const Diagnostic kChance{"E0317", "chance-place", Severity::Error, "`{0}` draws by chance, which {1} may not do"};
inline const Diagnostic kFormat{"E0318", "bad-format", Severity::Error, "{0}"};
inline const Diagnostic kNotTheirMove{"E0319", "not-their-move", Severity::Error, "`{0}` may not make the move `{1}`"};
inline const Diagnostic kScripted{"E0320", "scripted-player", Severity::Error, "`{0}` {1}"};
inline const Diagnostic kOutOfRange{"E0321", "out-of-range", Severity::Error, "{0} is outside {1}"};
inline const Diagnostic kNoReply{"E0322", "no-reply-fits", Severity::Error, "no reply fits all formats of `{0}`"};
inline const Diagnostic kGivesLast{"E0323", "gives-last", Severity::Error, "`gives` stands once, at the end of a move"};
inline const Diagnostic kReadFirst{"E0324", "read-first", Severity::Error, "`read` stands once, at the beginning of a move"};
inline const Diagnostic kEnumSpelling{"E0325", "duplicate-spelling", Severity::Error,
                                      "two values of `{0}` are spelled \"{1}\""};
inline const Diagnostic kPattern{"E0326", "bad-pattern", Severity::Error, "not a regular expression: {0}"};
inline const Diagnostic kGrammar{"E0327", "bad-grammar", Severity::Error, "{0}"};
inline const Diagnostic kNoWord{"W0301", "no-word", Severity::Warning, "\"{0}\" is not one word, so no word of a text is in here"};

// ---- audiences ----------------------------------------------------------------------------------------------------
inline const Diagnostic kSecretTold{"E0401", "secret-told", Severity::Error, "`{0}` may not know `{1}`, which this tells"};
inline const Diagnostic kSecretRead{"E0402", "secret-read-by-bot", Severity::Error,
                                    "this bot plays `{0}`, who may not know `{1}`"};
inline const Diagnostic kNeedlessReveal{"W0401", "needless-reveal", Severity::Warning, "`reveal` of something that is no secret"};

// ---- paths and bounds ---------------------------------------------------------------------------------------------
inline const Diagnostic kNoOutcome{"E0501", "no-outcome", Severity::Error, "play can come to its end without an outcome"};
inline const Diagnostic kNoReturn{"E0502", "no-return", Severity::Error, "`{0}` can come to its end without a `return`"};
inline const Diagnostic kNoSay{"E0503", "no-say", Severity::Error, "the bot `{0}` can come to its end without a `say`"};
inline const Diagnostic kOpenConsequence{"E0504", "open-consequence", Severity::Error,
                                         "this consequence does not decide what happens"};
inline const Diagnostic kNoConsequence{"E0505", "no-consequence", Severity::Error,
                                       "nothing says what happens when this {0} fails"};
inline const Diagnostic kRecursion{"E0506", "recursion", Severity::Error, "`{0}` calls itself: {1}"};
inline const Diagnostic kUnbounded{"E0507", "unbounded", Severity::Error, "this {0} has no bound that the compiler knows"};
inline const Diagnostic kStepAsks{"E0508", "move-asks", Severity::Error, "the step `{0}` asks, which a move cannot"};
inline const Diagnostic kTooLarge{"E0509", "too-large", Severity::Error,
                                  "with its steps and moves written out, {0} has more than {1} statements"};
inline const Diagnostic kBreakPlace{"E0510", "break-place", Severity::Error, "`break` leaves a `repeat`, and there is none around it"};
inline const Diagnostic kEndsOutside{"E0511", "end-outside-consequence", Severity::Error,
                                     "the step `{0}` can end the game, outside the consequence of a rule"};
inline const Diagnostic kTooDeep{"E0512", "calls-too-deep", Severity::Error, "calls from `{0}` go more than {1} deep"};
inline const Diagnostic kTogether{"E0513", "not-together", Severity::Error, "{0} cannot stand in `together`: {1}"};
inline const Diagnostic kOpenElse{"E0514", "open-else", Severity::Error, "this `else` can come to its end, and then `{0}` has no value"};
inline const Diagnostic kUnreachable{"W0501", "unreachable", Severity::Warning, "this is never reached"};
inline const Diagnostic kConstantCondition{"W0502", "constant-condition", Severity::Warning, "this is always {0}"};

}  // namespace ppc::sema
