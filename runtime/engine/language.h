// The replies that a move's formats let through, as a deterministic automaton over bytes: what a module knows of them, for
// whoever makes replies. Every reply that fits is valid UTF-8.
//
// Where formats have holes, `{text in …}`, a module knows a form, and what may stand in the holes when the reply is asked for.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/engine/json.h"

namespace ppc::engine {

class Episode;
class Worker;
struct MoveInfo;

struct Language {
  struct Edge { uint8_t low, high; uint32_t to; };  // disjoint, ascending; a byte without an edge leaves the form
  struct Hole { uint32_t hole, to; };               // of a form's part: behind one of the hole's texts
  struct State {
    std::vector<Edge> edges;
    bool accepts = false;
    uint32_t wants = 0;             // of `wants`: what may stand here
    std::vector<Hole> holes = {};
  };
  std::vector<State> states;        // state 0 is the start
  std::vector<std::string> wants;   // in the words of the format: `"CLUE:"`, `{guess: line} or "\n"`
  bool exact = true;                // false: the move's `read` may make something else of a reply that fits
};

/// A reply must fit all parts but aims, and is best like those, too.
struct ReplyForm {
  std::vector<Language> parts;
  uint32_t aims = 0;                // so many of the last parts
  std::vector<std::string> holes;   // as the format has them: `{text in words}`
  std::vector<uint32_t> patterns;   // the holes for which a regular expression is given: any text that it fits as a whole
};

/// {"states": [[wants, accepts, low, high, to, low, high, to, …], …], "wants": […], "exact": false}, the last where it is so; of a
/// part with holes also "holes": [[state, hole, to], …].
Json to_json(const Language&);
/// {"parts": […], "holes": […], "aims": 1, "patterns": […]}, the last two where there are some.
Json to_json(const ReplyForm&);
/// Throws InputError, "NAME: what is wrong". At most 2 million edges.
Language parse_language(const Json&, const std::string& name = "language");
/// Of a language, too, which is the only part then.
ReplyForm parse_form(const Json&, const std::string& name = "form");
/// Any valid UTF-8: of a move without a format.
Language any_text();

using HoleTexts = std::vector<std::vector<std::string>>;
enum class Aims { Kept, Left };
/// The language that the form is with these texts. A hole without texts lets nothing through; nor does a form that no reply fits: no state
/// accepts then. Where a pattern has what pattern.h does not read, any text may stand. Aims are left when they let nothing through, or
/// make the language too large. Throws InputError when it is too large without them (a million edges), or a text is no valid UTF-8.
Language fill(const ReplyForm&, const HoleTexts&, Aims = Aims::Kept);
/// What may stand in the holes of the move that the episode asks for now; none where it has no holes. Throws std::runtime_error when
/// the game's own code for it fails.
HoleTexts hole_texts(const Episode&, Worker&);

}  // namespace ppc::engine
