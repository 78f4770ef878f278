// The diagnostics of reading source text.
#pragma once
#include "compiler/diag/diag.h"

namespace ppc::syntax {

using diag::Diagnostic;
using diag::Severity;

inline const Diagnostic kUnexpected{"E0101", "unexpected", Severity::Error, "found {0}, expected {1}"};
inline const Diagnostic kUnclosedText{"E0102", "unclosed-text", Severity::Error, "{0}"};
inline const Diagnostic kUnknownCharacter{"E0103", "unknown-character", Severity::Error, "{0} has no meaning here"};
inline const Diagnostic kForeignNotation{"E0104", "foreign-notation", Severity::Error, "`{0}` is not part of the language"};
inline const Diagnostic kUnclosedBracket{"E0105", "unclosed-bracket", Severity::Error, "`{0}` is never closed"};
inline const Diagnostic kStrayBracket{"E0106", "stray-bracket", Severity::Error, "`{0}` closes nothing"};
inline const Diagnostic kUnknownStatement{"E0107", "unknown-statement", Severity::Error, "`{0}` starts no statement"};
inline const Diagnostic kUnknownDeclaration{"E0108", "unknown-declaration", Severity::Error, "`{0}` starts no declaration"};
inline const Diagnostic kTooDeep{"E0109", "too-deep", Severity::Error, "nested more than {0} levels deep"};
inline const Diagnostic kTooLarge{"E0110", "too-large", Severity::Error, "the file has more than {0} bytes"};
inline const Diagnostic kNotUtf8{"E0111", "not-utf8", Severity::Error, "byte {0} is not UTF-8"};
inline const Diagnostic kNulByte{"E0112", "nul-byte", Severity::Error, "a NUL byte in the file"};
inline const Diagnostic kBadEscape{"E0113", "bad-escape", Severity::Error, "`{0}` is not an escape"};
inline const Diagnostic kBadNumber{"E0114", "bad-number", Severity::Error, "`{0}` {1}"};
inline const Diagnostic kNotPlain{"E0115", "text-not-plain", Severity::Error, "{0} cannot hold `{…}`"};
inline const Diagnostic kUnknownClass{"E0116", "unknown-class", Severity::Error, "`{0}` is not a class of characters"};
inline const Diagnostic kNotAssignable{"E0117", "not-assignable", Severity::Error, "only a variable or an element of one can be assigned to"};
inline const Diagnostic kUnusedValue{"E0118", "unused-value", Severity::Error, "this value goes nowhere"};
inline const Diagnostic kChainedComparison{"E0119", "chained-comparison", Severity::Error, "comparisons do not chain"};
inline const Diagnostic kGameNotFirst{"E0120", "game-not-first", Severity::Error, "{0}"};
inline const Diagnostic kTwice{"E0121", "given-twice", Severity::Error, "`{0}` is given twice"};
inline const Diagnostic kTooManyErrors{"E0122", "too-many-errors", Severity::Error, "more than {0} errors, the rest of the file is not looked at"};

// ---- files --------------------------------------------------------------------------------------------------------
inline const Diagnostic kCannotRead{"E0601", "cannot-read", Severity::Error, "cannot read `{0}`: {1}"};
inline const Diagnostic kIncludeOutside{"E0602", "include-outside", Severity::Error,
                                        "`{0}` lies outside `{1}`, the folder around the game's"};
inline const Diagnostic kIncludeCycle{"E0603", "include-cycle", Severity::Error, "`{0}` includes itself: {1}"};

}  // namespace ppc::syntax
