// Which replies a move lets through, as far as formats say.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace ppc::formats {

/// A text that some function of the language leaves as it is: `said.trimmed_end` of what does not end in white space.
struct Unchanged {
  enum class By { TrimmedStart, TrimmedEnd, Lower, WithoutPunctuation, Replace } by;
  std::string text;  // Trimmed: these characters (empty: white space); Replace: what is replaced
};

/// A deterministic automaton over bytes, state 0 first; every reply that fits is valid UTF-8. engine::Language is the same.
struct Replies {
  struct Edge { uint8_t low, high; uint32_t to; };  // disjoint, ascending
  struct State {
    std::vector<Edge> edges;
    bool accepts = false;
    uint32_t wants = 0;           // of `wants`: what may stand here
    struct Hole { uint32_t hole, to; };
    std::vector<Hole> holes = {};  // which texts may stand here is known when the reply is asked for; then it goes on at `to`
  };
  std::vector<State> states;      // none: nothing fits, or a problem
  std::vector<std::string> wants; // as the formats have it: `"CLUE:"`, `{guess: line} or "\n"`
};

}  // namespace ppc::formats
