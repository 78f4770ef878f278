// The replies that a move's formats let through, as a deterministic automaton over bytes: what a module knows of them, for
// whoever makes replies. Every reply that fits is valid UTF-8.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/engine/json.h"

namespace ppc::engine {

struct Language {
  struct Edge { uint8_t low, high; uint32_t to; };  // disjoint, ascending; a byte without an edge leaves the form
  struct State {
    std::vector<Edge> edges;
    bool accepts = false;
    uint32_t wants = 0;             // of `wants`: what may stand here
  };
  std::vector<State> states;        // state 0 is the start
  std::vector<std::string> wants;   // in the words of the format: `"CLUE:"`, `{guess: line} or "\n"`
  bool exact = true;                // false: the move's `read` may make something else of a reply that fits
};

/// {"states": [[wants, accepts, low, high, to, low, high, to, …], …], "wants": […], "exact": false}, the last where it is so.
Json to_json(const Language&);
/// Throws InputError, "NAME: what is wrong". At most 2 million edges.
Language parse_language(const Json&, const std::string& name = "language");
/// Any valid UTF-8: of a move without a format.
Language any_text();

}  // namespace ppc::engine
