// Replies from a file: a list for one player, or a conversation of all of them.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "runtime/players/player.h"

namespace ppc::players {

/// A YAML or JSON list of texts: the replies of one player in order. Throws engine::InputError.
std::vector<std::string> load_replies(const std::string& path);
/// After the last reply, empty ones.
std::unique_ptr<Player> make_script(std::shared_ptr<const std::vector<std::string>> replies);

/// `--script FILE`: lines `role: response` in the order they are asked.
///
///   # a comment; empty lines do not matter
///   describer: CLUE: it is cold            one space behind the first colon is left out
///   guesser: GUESS:\ta\nb                  \n \t \r \\ and \xHH are escapes
///   guesser: |                             a block: the lines that follow and are indented, without their
///     explanation: it fits                 common indentation; escapes mean nothing in it
///     guess: crane
///   @0.1                                   what follows is said in branch 0.1, from where it leaves
struct ScriptLine {
  std::string role, text;
  uint32_t line = 0;
  std::string part = {};  // the branch; empty: before the first `@`
};
/// Throws engine::InputError with file and line.
std::vector<ScriptLine> parse_script(std::string_view text, const std::string& name);

/// Where a conversation stands; shared by the players of an episode.
struct Conversation {
  std::shared_ptr<const std::vector<ScriptLine>> lines;
  std::string name;
  size_t next = 0;
  std::string part = {};  // which one is read
};
/// Answers with the next line, which must be of this role; after the last one of its part, with empty replies. A branch goes on where it
/// left, but for one that has a part of its own.
std::unique_ptr<Player> make_speaker(std::shared_ptr<Conversation>, std::string role);

}  // namespace ppc::players
