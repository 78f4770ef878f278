// Regular expressions as automata over bytes, to make texts that they fit: not to decide whether one does, which PCRE2 does.
//
// What is read: literals, escapes, classes, groups with and without names, alternatives, repetition (greedy or lazy), `^` and `$` at
// the ends, (?i). Every text that the automaton lets through fits; not all that fit are let through: \w, \d, \s and their
// complements are those of ASCII, and (?i) folds ASCII letters only.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace ppc::engine {

struct ByteAutomaton {
  struct Edge { uint8_t low, high; uint32_t to; };
  struct State {
    std::vector<Edge> edges;  // may overlap: it is nondeterministic
    bool accepts = false;
  };
  std::vector<State> states;  // state 0 is the start
};

/// Of the texts that the pattern fits as a whole. Nothing where it has other things, such as looking around or back, or is large.
std::optional<ByteAutomaton> automaton_of(std::string_view pattern);

}  // namespace ppc::engine
