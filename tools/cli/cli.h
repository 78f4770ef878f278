// What the verbs of `ppc` share. Each verb is one file with one function; it returns the exit code:
// 0 done, 1 the input is at fault, 2 wrong usage, 3 an outside part failed.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/engine/module.h"

namespace ppc::cli {

using Args = std::vector<std::string>;  // what stands behind the verb

int run_play(const Args&);
int run_replay(const Args&);
int run_list(const Args&);
int run_generate(const Args&);
int run_score(const Args&);
int run_eval(const Args&);
int run_transcribe(const Args&);
int run_export(const Args&);
int run_report(const Args&);
int run_tree(const Args&);
int run_train(const Args&);

/// Wrong usage: printed with a pointer to --help, exit code 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The arguments of a verb: `--name value` or `--name=value`, flags, and the rest.
class Options {
 public:
  /// Names with their dashes. Throws UsageError for what is in neither list, and for a missing value.
  Options(const Args&, std::vector<std::string> values, std::vector<std::string> flags);
  bool has(const std::string& name) const { return given_.count(name) != 0; }
  /// The last one given.
  std::string value(const std::string& name, const std::string& otherwise = "") const;
  std::vector<std::string> all(const std::string& name) const;
  uint64_t number(const std::string& name, uint64_t otherwise, uint64_t low = 0, uint64_t high = UINT64_MAX) const;
  const Args& rest() const { return rest_; }

 private:
  std::map<std::string, std::vector<std::string>> given_;
  Args rest_;
};

/// Prints the help when it is asked for; else runs the body and turns its exceptions into messages and exit codes.
int run_verb(const char* verb, const char* help, const Args&, const std::function<int()>& body);

/// Whether all that was printed arrived; says so on stderr when it did not (exit code 3).
bool finish_stdout();

struct Game {
  std::shared_ptr<const engine::GameModule> module;
  std::string folder;  // where resources and instances are
};
/// A stdlib game's name, a .game file or a compiled .so. `engine`: "interp", "jit", "so" or empty. Diagnostics go to stderr;
/// throws engine::InputError when the game cannot be had.
Game open_game(const std::string& name, const std::string& engine);

/// The folder of the games that come with ppc; PPC_STDLIB overrides it. May not exist.
std::string stdlib_folder();
bool colour_wanted(int fd);  // a terminal, and NO_COLOR is not set

}  // namespace ppc::cli
