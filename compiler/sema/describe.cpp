// A line on each of the language's own functions and words, for editors. docs/language.md says the same at more length.
#include <map>

#include "compiler/sema/names.h"

namespace ppc::sema {

namespace {

using Lines = std::map<std::string, const char*>;

// A method's key is what it stands behind, a function's its name alone.
const Lines& lines() {
  static const Lines table = {
      {"text.length", "How many characters (code points) the text has."},
      {"text.lower", "The text in lower case."},
      {"text.upper", "The text in upper case."},
      {"text.capitalized", "The first character in upper case, the rest in lower case."},
      {"text.trimmed", "The text without white space at both ends, or without the characters of the argument there."},
      {"text.trimmed_start", "The text without white space at its beginning."},
      {"text.trimmed_end", "The text without white space at its end."},
      {"text.without_punctuation", "The text without ASCII punctuation."},
      {"text.letters", "The list of its characters."},
      {"text.lines", "The list of its lines."},
      {"text.words", "The list of its words, split at white space."},
      {"text.is_alpha", "Whether it is not empty and has letters only."},
      {"text.is_digit", "Whether it is not empty and has digits only."},
      {"text.is_alnum", "Whether it is not empty and has letters and digits only."},
      {"text.is_space", "Whether it is not empty and has white space only."},
      {"text.is_lower", "Whether it has letters, none of them in upper case."},
      {"text.is_upper", "Whether it has letters, none of them in lower case."},
      {"text.is_int", "Whether `int(…)` can read it."},
      {"text.is_empty", "Whether there is nothing in it."},
      {"text.starts_with", "Whether it begins with this text, or with a match of this pattern."},
      {"text.ends_with", "Whether it ends with this text."},
      {"text.contains", "Whether this text occurs in it."},
      {"text.count", "How often this text occurs in it, without overlaps."},
      {"text.find", "Where this text occurs first, counted from 0; -1 when it does not."},
      {"text.replace", "The text with the second argument in place of every occurrence of the first."},
      {"text.split", "The list of the pieces between the separators."},
      {"text.repeat", "The text so many times."},
      {"text.matches", "Whether the whole text fits the pattern."},
      {"text.finds", "Whether the pattern fits somewhere in the text."},
      {"text.group", "What the group of this name or number holds in the first match; \"\" if there is none."},
      {"[T].length", "How many elements it has."},
      {"[T].is_empty", "Whether there is nothing in it."},
      {"[T].first", "The first element; a fault when there is none."},
      {"[T].first_or_none", "The first element, or `none` when there is none: `[x for x in xs if …].first_or_none.or(y)`."},
      {"[T].last", "The last element; a fault when there is none."},
      {"[T].reversed", "The elements in opposite order."},
      {"[T].sorted", "The elements in rising order."},
      {"[T].contains", "Whether this is one of its elements."},
      {"[T].index_of", "Where this element is first, counted from 0; -1 when it is not in the list."},
      {"[T].count", "How often this is an element of it."},
      {"[T].add", "Adds an element at the end."},
      {"[T].remove", "Removes the first such element, if there is one."},
      {"[T].remove_at", "Removes the element at this place."},
      {"[T].insert", "Puts an element in front of this place."},
      {"set<T>.length", "How many elements it has."},
      {"set<T>.is_empty", "Whether there is nothing in it."},
      {"set<T>.contains", "Whether this is one of its elements."},
      {"set<T>.add", "Adds an element, if it is not there yet."},
      {"set<T>.remove", "Removes an element, if it is there."},
      {"map<K, V>.length", "How many entries it has."},
      {"map<K, V>.is_empty", "Whether there is nothing in it."},
      {"map<K, V>.keys", "The list of its keys, in the order in which they were put in."},
      {"map<K, V>.values", "The list of its values, in the order of the keys."},
      {"map<K, V>.get", "The value of a key, or the second argument when the key is not there."},
      {"map<K, V>.contains", "Whether it has this key."},
      {"map<K, V>.remove", "Removes a key and its value, if it is there."},
      {"T?.value", "The value; a fault when it is `none`."},
      {"T?.or", "The value, or the argument when it is `none`."},
      {"indices", "The places in a list or a text: 0 up to its length - 1."},
      {"count", "How many elements, entries or characters it has."},
      {"distinct", "The elements, each once, where it came first."},
      {"sum", "The sum of the numbers; 0 for none."},
      {"min", "The smallest element of a list, or the smaller of two values."},
      {"max", "The largest element of a list, or the larger of two values."},
      {"mean", "The mean of the numbers; nan for none."},
      {"join", "The texts, one behind the other, with the separator between them."},
      {"bullets", "The texts as lines that begin with `- `."},
      {"abs", "The number without its sign."},
      {"round", "The nearest `int`, or the `float` rounded to so many digits; halves go to the even neighbour, as in Python."},
      {"floor", "The largest `int` that is not above it."},
      {"ceil", "The smallest `int` that is not below it."},
      {"sqrt", "The square root."},
      {"exp", "The exponential function."},
      {"int", "The number as an `int`: a `float` is cut, a text is read (a fault when it is none), `true` is 1."},
      {"float", "The number as a `float`; `true` is 1."},
      {"text", "The value as an interpolation writes it."},
      {"set", "The set of the elements."},
      {"list", "The list of the elements, in the order in which they were put in."},
      {"is_nan", "Whether it is nan."},
      {"harmonic_mean", "The harmonic mean of the numbers."},
      {"json_text", "The value as JSON, everything beyond ASCII escaped."},
      {"document", "The value as a document: what notes and keys log may be put together from documents of different shapes."},
      {"any_case", "The pattern, regardless of case."},
      {"edit_distance", "How many nodes and edges have to be added or removed until the two graphs are alike, names aside."},
      {"stem", "The word's stem, by Snowball's English stemmer. Needs `use english (stem)`."},
      {"lemma", "The noun's base form, as WordNet has it. Needs `use english (lemma)`."},
      {"stopwords", "The English words that say little by themselves. Needs `use english (stopwords)`."},
      {"random", "A number from 0 to n - 1, by chance."},
      {"pick", "One of the elements, by chance."},
      {"shuffled", "The elements in an order by chance."},
      {"chance", "True a times in b, by chance."},
  };
  return table;
}

const Lines& words() {
  static const Lines table = {
      {"said", "The reply as text: in a move, what `read` made of it; behind a move's value, as it came."},
      {"accepted", "Whether the reply kept the move's rules: false after `pass`."},
      {"heard", "The message that the bot's player just received."},
      {"rounds", "How many rounds were begun."},
      {"requests", "How many replies were asked for."},
      {"requests_parsed", "How many replies had their form."},
      {"requests_violated", "How many replies broke a form or a rule for which there is no retry."},
      {"won", "Whether the episode was won."},
      {"lost", "Whether the episode was lost."},
      {"aborted", "Whether the episode was aborted."},
      {"score", "The score that `win` or `lose` gave."},
      {"notes", "The texts noted under a key."},
      {"json", "Reads a text as JSON, as the type that is wanted; `none` when it is something else."},
      {"literal", "Reads a text as a Python literal, as the type that is wanted; `none` when it is something else."},
      {"parse", "Reads a text by a grammar, as its record; `none` when the text does not fit."},
      {"rule", "The name of the grammar's alternative that the text fits."},
      {"fill", "Replaces in order: `t.fill(\"$A$\" = a, \"$B$\" = b)`; values of any type."},
      {"int", "A whole number of 64 bits; overflow is a fault. `int 1..20` is checked where instances are read, and bounds loops."},
      {"float", "An IEEE double; `nan` is one. Division by 0 is nan."},
      {"bool", "`true` or `false`."},
      {"text", "Unicode text; lengths and places count code points."},
      {"regex", "A pattern: Python's `re`, as PCRE2 has it."},
      {"document", "A value of any shape, which nobody declares: kept as it is written, stands where a text is wanted, and is logged as JSON."},
      {"set", "`set<T>`: each element once, in the order in which they were put in."},
      {"map", "`map<K, V>`: values by their keys, in the order in which they were put in."},
      {"line", "A capture of characters without a line break."},
      {"word", "A capture of characters without white space, not empty."},
      {"letters", "A capture of letters."},
      {"digits", "A capture of digits."},
      {"fact", "What can be true of a world, such as `at(\"me\", \"hall\")`: the list of the predicate's name and its terms."},
      {"english", "The library of English words: `stem`, `lemma`, `stopwords`."},
      {"stem", "The word's stem, by Snowball's English stemmer."},
      {"lemma", "The noun's base form, as WordNet has it."},
      {"stopwords", "The English words that say little by themselves."},
  };
  return table;
}

std::string found(const Lines& table, const std::string& key) {
  auto at = table.find(key);
  return at == table.end() ? "" : at->second;
}

}  // namespace

std::string describe(const Row& row) {
  if (row.form == Row::Form::Function) return found(lines(), row.name);
  return found(lines(), std::string(row.params[0]) + "." + row.name);
}

std::string describe(const std::string& word) { return found(words(), word); }

}  // namespace ppc::sema
