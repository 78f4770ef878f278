#include "compiler/rules/passes.h"

#include <algorithm>
#include <cstdio>
#include <stdexcept>

namespace ppc::rules {

const std::vector<Pass>& passes() {
  static const std::vector<Pass> list = {
      {"inline-functions", inline_functions, "puts small functions where they are called"},
      {"fold-constants", fold_constants, "computes what is known, drops branches that are decided"},
      {"skip-unrecorded", skip_unrecorded, "composes notes and accepted values only when somebody records them"},
      {"hoist-invariants", hoist_invariants, "takes what does not change out of loops that do not suspend"},
      {"reuse-values", reuse_values, "computes the same value once between two suspensions"},
      {"remove-dead-code", remove_dead_code, "drops what nothing needs, joins blocks"},
      {"split-suspensions", split_suspensions, "keeps what is live over an ask in the episode's frame", true},
  };
  return list;
}

std::string check(const PassOptions& options) {
  auto find = [](const std::string& name) {
    return std::find_if(passes().begin(), passes().end(), [&](const Pass& p) { return name == p.name; });
  };
  for (const std::string& name : options.disabled) {
    auto pass = find(name);
    if (pass == passes().end()) return "there is no pass `" + name + "`";
    if (pass->required) return "the pass `" + name + "` cannot be disabled: every engine needs it";
  }
  const std::string& after = options.print_after;
  if (!after.empty() && after != "all" && after != "lower" && find(after) == passes().end())
    return "there is no pass `" + after + "`";
  return {};
}

void run(Program& p, const PassOptions& options) {
  auto verified = [&](const char* after) {
    auto problems = verify(p);
    if (problems.empty()) return;
    std::string what = std::string("broken Rule IR after ") + after + ":";
    for (const std::string& problem : problems) what += "\n  " + problem;
    throw std::logic_error(what);
  };
  auto print_after = [&](const char* name) {
    if (options.print && (options.print_after == "all" || options.print_after == name)) options.print(name, print(p));
  };
  verified("lower");
  print_after("lower");
  for (const Pass& pass : passes()) {
    if (!pass.required) {
      if (!options.optional) continue;
      if (std::find(options.disabled.begin(), options.disabled.end(), pass.name) != options.disabled.end()) continue;
    }
    pass.function(p);
    verified(pass.name);
    print_after(pass.name);
  }
  p.manifest.frame_slots = p.frame_slots;
  p.manifest.frame_types = p.frame_types;
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash(p)));
  p.manifest.hash = digits;
}

}  // namespace ppc::rules
