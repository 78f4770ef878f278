// ppc export
#include "tools/cli/export.h"

#include <charconv>
#include <cmath>
#include <cstdio>

#include "tools/cli/cli.h"
#include "tools/cli/text.h"

namespace ppc::cli {
namespace {

using namespace engine;

constexpr const char* kHelp =
    R"(usage: ppc export DIR… --format sft|dpo|grpo [options]

Training data from recorded episodes, in the conversational JSON Lines that TRL documents; a line is what one player saw and
said ("user" is the game master, "assistant" the player). Each line also says where it comes from. What the player did not say
itself is never a target: replies that the game gave are only in prompts. A side question is a line of its own, asked in the
context that the player had then, and later lines do not have it.

  --format sft     {"prompt": […], "completion": […]}: a line for each dialogue, from the player's first reply to its last; with
                   --turn for each reply; with --messages {"messages": […]}, whole dialogues
  --format dpo     {"prompt": […], "chosen": […], "rejected": […]}: two episodes of the same instance and role, a won one
                   against one that was lost or aborted; with --turn two replies to exactly the same history, one accepted
                   and one that broke a rule; branches (ppc play --branch) have such histories
  --format grpo    {"prompt": […]} and the game, instance, seed, …: a line for each first prompt; with --turn for each prompt

  --turn           single replies instead of dialogues
  --messages       of sft: one list of messages; leaves out side questions, and dialogues with replies that the game gave
  --by KEY         of dpo: outcome (default), or score: the episode with the higher Main Score (an abort counts 0); with --turn also two
                   accepted replies, by the mean score of the ends that came after them
  --min-gap X      of dpo with --by score: the scores differ by at least X (default 1)
  --pairs N        of dpo: at most N pairs for the same instance and role, or for the same history (default 4)
  --ids            of sft and dpo: also the tokens that the player's model was fed and sampled, which of them are trained, and their
                   log-probabilities; every reply has to be a local model's (local:DIR)
  --clean          of sft: no reply that broke a rule; leaves out dialogues with one (with --turn such replies)

Which episodes (each may be given several times; of dpo they choose who may be `chosen`, and --game, --role, --model also
who may be rejected):
  --game NAME  --role ROLE  --model NAME
  --outcome won|lost|aborted|any   (default: won for sft, any for dpo and grpo)
  --min-score X  --max-score X     of the Main Score; an aborted episode has none

  -o FILE          default: stdout
  --resources GAME=DIR  in place of the game's resources folder, where clembench's folders are played again to name broken rules
  --json           with -o: prints what was written and left out as one JSON value

Exit code 1 when no line comes out.

Examples:
  ppc export records --format sft --game taboo --role guesser --min-score 50 -o sft.jsonl
  ppc export records --format dpo --turn -o pairs.jsonl
)";

std::optional<double> number(const Options& options, const char* name) {
  if (!options.has(name)) return {};
  const std::string text = options.value(name);
  double d = 0;
  const auto r = std::from_chars(text.data(), text.data() + text.size(), d);
  if (r.ec != std::errc() || r.ptr != text.data() + text.size() || std::isnan(d)) {
    throw UsageError("`" + std::string(name) + "` needs a number, not `" + text + "`");
  }
  return d;
}

int export_data(const Args& args) {
  const Options options(args,
                        {"--format", "--by", "--min-gap", "--pairs", "--game", "--role", "--model", "--outcome", "--min-score", "--max-score", "--resources",
                         "-o"},
                        {"--turn", "--messages", "--ids", "--clean", "--json"});
  if (options.rest().empty()) throw UsageError("which folder?");
  const std::string format = options.value("--format");
  if (format != "sft" && format != "dpo" && format != "grpo") {
    throw UsageError(format.empty() ? "`--format` is missing: sft, dpo or grpo" : "`--format` takes sft, dpo or grpo, not `" + format + "`");
  }
  const bool dpo = format == "dpo", turns = options.has("--turn");
  for (const char* name : {"--by", "--min-gap", "--pairs"})
    if (options.has(name) && !dpo) throw UsageError("`" + std::string(name) + "` is for --format dpo");
  if (options.has("--clean") && format != "sft") throw UsageError("`--clean` is for --format sft");
  if (options.has("--messages") && format != "sft") throw UsageError("`--messages` is for --format sft");
  if (options.has("--messages") && turns) throw UsageError("`--messages` and `--turn` exclude each other");
  if (options.has("--ids") && format == "grpo") throw UsageError("`--ids` is for --format sft and dpo");
  ExportOptions o;
  o.format = format == "sft" ? ExportOptions::Format::Sft : dpo ? ExportOptions::Format::Dpo : ExportOptions::Format::Grpo;
  o.turns = turns;
  o.messages = options.has("--messages");
  o.clean = options.has("--clean");
  if (options.has("--ids")) o.ids = ExportOptions::Ids::All;
  const std::string by = options.value("--by", "outcome");
  if (by != "outcome" && by != "score") throw UsageError("`--by` takes outcome or score, not `" + by + "`");
  o.by_score = by == "score";
  if (options.has("--min-gap") && !o.by_score) throw UsageError("`--min-gap` is for --by score");
  o.min_gap = number(options, "--min-gap").value_or(1);
  if (o.min_gap <= 0) throw UsageError("`--min-gap` needs a number above 0");
  const std::string path = options.value("-o", "-");
  if (options.has("--json") && path == "-") throw UsageError("`--json` needs -o FILE: the data go to stdout");
  auto set = [&](const char* name) {
    const std::vector<std::string> all = options.all(name);
    return std::set<std::string>(all.begin(), all.end());
  };
  o.games = set("--game");
  o.roles = set("--role");
  o.models = set("--model");
  o.outcomes = set("--outcome");
  if (o.outcomes.empty() && format == "sft") o.outcomes = {"won"};
  for (const std::string& outcome : o.outcomes) {
    if (outcome != "won" && outcome != "lost" && outcome != "aborted" && outcome != "any") {
      throw UsageError("`--outcome` takes won, lost, aborted or any, not `" + outcome + "`");
    }
  }
  if (o.outcomes.count("any")) o.outcomes.clear();
  o.min_score = number(options, "--min-score");
  o.max_score = number(options, "--max-score");
  o.pairs = options.number("--pairs", 4, 1, 1'000'000);
  o.resources = options.all("--resources");

  std::string text;
  const ExportSummary summary = export_lines(options.rest(), o, [&](Json&& line) { text += to_text(line, {.indent = -1, .nan_as_null = true}) + "\n"; });
  if (!summary.warning.empty()) std::fprintf(stderr, "warning: %s\n", summary.warning.c_str());
  if (summary.lines == 0) throw InputError("nothing to export: " + summary.describe());
  write_output(path, text);
  if (options.has("--json")) {
    Json json = Json::object();
    json.add("file", path);
    json.add("lines", static_cast<uint64_t>(summary.lines));
    json.add("episodes", static_cast<uint64_t>(summary.episodes));
    Json& left = json.add("left_out", Json::object());
    for (const auto& [reason, n] : summary.left_out) left.add(reason, static_cast<uint64_t>(n));
    std::printf("%s\n", to_text(json).c_str());
  } else {
    std::fprintf(stderr, "%s\n", summary.describe().c_str());
  }
  return 0;
}

}  // namespace

int run_export(const Args& args) {
  return run_verb("export", kHelp, args, [&] { return export_data(args); });
}

}  // namespace ppc::cli
