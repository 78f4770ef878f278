// Texts that spell out values: a normal form is read again as the same, and is logged as JSON that a reader takes; between zero
// bytes they are replies to a game that reads them as values of every type.
#include "runtime/text/notation.h"

#include "runtime/engine/journal.h"
#include "runtime/engine/json.h"
#include "runtime/engine/records.h"
#include "runtime/engine/scores.h"
#include "runtime/text/utf8.h"
#include "test/fuzz/common.h"

using namespace ppc;

namespace {

void check(std::string_view input, text::Notation notation) {
  text::Spelling first, second;
  if (!first.parse(input, notation)) return;
  // What is quadratic costs fuel in a game; here it would only cost time.
  if (first.pairs() > 1'000'000) return;
  std::string normal, again, buffer;
  first.write(first.root(), normal);
  // Ellipsis and inf are what Python's repr writes, and what no literal is.
  if (second.parse(normal, notation)) {
    second.write(second.root(), again);
    fuzz::require(normal == again, "a normal form that is not its own");
  } else {
    fuzz::require(notation == text::Notation::Python && (normal.find("Ellipsis") != std::string::npos || normal.find("inf") != std::string::npos),
                  "a normal form that cannot be read");
  }
  const std::string_view json = text::as_json(normal, buffer);
  fuzz::require(second.parse(json, text::Notation::Json), "what is logged is no JSON");
  engine::parse_json(std::string(json), "logged");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::shared_ptr<engine::GameModule> game = fuzz::load(PPC_SOURCE_DIR "/test/fuzz/notation.game");
  static const engine::InstanceSet instances =
      engine::read_instances(*game, engine::parse_json(R"({"experiments": [{"name": "e", "game_instances": [{"game_id": 0}]}]})", "one"), "one");
  static engine::Worker worker(fuzz::budget());
  const engine::Experiment& experiment = instances.experiments.at(0);
  auto setting = std::make_shared<engine::Setting>(engine::Setting{game, experiment.segment, experiment.instances.at(0).segment, nullptr});
  worker.collect_events(true);
  engine::Episode episode(setting, 1);
  engine::Record record;
  record.module = game;
  record.experiment = &experiment;
  record.instance = &experiment.instances.at(0);
  episode.start(worker);
  record.journal.collect(worker, episode);
  fuzz::Pieces pieces({reinterpret_cast<const char*>(data), size});
  while (episode.status() == engine::Status::Asking) {
    const std::string_view piece = pieces.next();
    if (text::check_utf8(piece).valid) {
      check(piece, text::Notation::Json);
      check(piece, text::Notation::Python);
    }
    episode.step(worker, std::string(piece));
    record.journal.collect(worker, episode);
  }
  record.scores = engine::score(worker, episode);
  record.outcome = episode.state().outcome;
  // A record of it can be written and read.
  engine::interactions_json(record);
  engine::parse_json(engine::episode_line(record), "line");
  return 0;
}
