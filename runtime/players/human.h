// A human at a terminal, or at the other end of a pipe.
#pragma once
#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include "runtime/players/player.h"

namespace ppc::players {

/// Where a human's lines come from.
class LineReader {
 public:
  virtual ~LineReader() = default;
  /// A line without its end; nothing when the human has gone (end of input, ^D, ^C).
  virtual std::optional<std::string> line(const std::string& prompt) = 0;
};
/// Line editing with libedit when `input` and `output` are the terminal's, else plain lines of the file descriptor.
std::unique_ptr<LineReader> make_line_reader(int input, std::ostream& output, bool terminal);

/// From now on ^C is a wish to leave, not the end of the program.
void catch_interrupts();

/// Shows that player's own messages only. `/rules` shows what the game says of itself, `/quit` leaves; a line that ends with
/// a backslash goes on in the next one.
std::unique_ptr<Player> make_human(std::shared_ptr<LineReader>, std::ostream&, const engine::Manifest&, uint32_t player, bool colour);

/// Control characters, but line breaks and tabs, as `\x1b`: what others say must not steer a terminal.
std::string for_terminal(std::string_view text);

/// What `/rules` shows: the game's description, and the player's moves with their forms and rules.
std::string rules_text(const engine::Manifest&, uint32_t player);

}  // namespace ppc::players
