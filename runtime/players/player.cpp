#include "runtime/players/player.h"

namespace ppc::players {
namespace {

class Bot final : public Player {
 public:
  explicit Bot(uint32_t entry) : entry_(entry) {}
  Reply reply(const Request& r) override {
    // A bot that faults has ended the episode; there is nothing to say any more.
    return {r.episode.ask_bot(r.worker, entry_, r.player, r.message).value_or("")};
  }
  // Its memory and its chance are in the episode.
  std::unique_ptr<Player> fork(Fork&) const override { return std::make_unique<Bot>(*this); }

 private:
  uint32_t entry_;
};

}  // namespace

namespace {
constexpr const char* kFinish[] = {"", "stop", "length", "refusal", "empty", "invalid"};
}
const char* finish_name(Finish f) { return kFinish[static_cast<int>(f)]; }
Finish finish_of(const std::string& name) {
  for (int i = 1; i < 6; ++i)
    if (name == kFinish[i]) return static_cast<Finish>(i);
  return Finish::Unknown;
}

std::string Spec::model_name() const {
  if (kind != "local") return kind == "bot" ? "bot-" + argument : kind == "openai" ? argument : kind;
  const std::string folder = argument.substr(0, argument.find_last_not_of('/') + 1);
  return folder.substr(folder.rfind('/') + 1);
}

Spec parse_spec(const std::string& text) {
  const size_t at = text.find(':');
  Spec spec{text.substr(0, at), at == std::string::npos ? "" : text.substr(at + 1)};
  const bool known = spec.kind == "bot" || spec.kind == "script" || spec.kind == "openai" || spec.kind == "local";
  if (spec.kind == "human" && at == std::string::npos) return spec;
  if (!known || spec.argument.empty()) {
    throw engine::InputError("`" + text + "` is no player: expected bot:NAME, script:FILE, human, openai:MODEL or local:DIR");
  }
  return spec;
}

std::unique_ptr<Player> make_bot(const engine::Manifest& m, uint32_t player, const std::string& name) {
  std::string there;
  for (const engine::BotInfo& b : m.bots) {
    if (b.player != player) continue;
    if (b.name == name) return std::make_unique<Bot>(b.entry);
    there += (there.empty() ? "`" : ", `") + b.name + "`";
  }
  throw engine::InputError("`" + m.players[player].name + "` has no bot `" + name + "`: " +
                           (there.empty() ? "it has none" : "there is " + there));
}

}  // namespace ppc::players
