// Bytes as requests to the servers: games as environments, and two people's table. Each piece is a request; its first byte says of what kind.
// Whatever comes, every request is answered with JSON and no 5xx, and a player's view never holds another one's secret.
#include <set>

#include "runtime/engine/instances.h"
#include "runtime/net/gate.h"
#include "test/fuzz/common.h"
#include "tools/serve/env.h"
#include "tools/serve/table.h"

namespace {
using namespace ppc;

constexpr const char* kSecret = "zyxwvutsrq";

struct Game {
  std::shared_ptr<const engine::GameModule> module;
  std::shared_ptr<const engine::InstanceSet> set;
  std::vector<cli::Chosen> chosen;
  engine::SegmentPtr resources;
  Game(const std::string& folder, const std::string& instances) {
    const std::string home = fuzz::games_folder() + "/" + folder;
    module = fuzz::load(home + "/" + folder + ".game");
    set = std::make_shared<engine::InstanceSet>(engine::read_instances(*module, engine::parse_json(instances, "instances"), "instances"));
    for (const engine::Experiment& e : set->experiments)
      for (uint32_t i = 0; i < e.instances.size(); ++i) chosen.push_back({&e, &e.instances[i], i, 0});
    resources = engine::load_resources(*module, home, "", false);
  }
};

const Game& taboo() {
  static const Game game("taboo", R"({"experiments": [{"name": "e", "max_turns": 3, "describer_initial_prompt": "Describe $TARGET_WORD$.",
    "guesser_initial_prompt": "Guess.", "game_instances": [{"game_id": 0, "target_word": "zyxwvutsrq", "related_word": ["one", "two"]}]}]})");
  return game;
}

class Answered final : public net::Exchange {
 public:
  explicit Answered(net::ServerRequest r) : request_(std::move(r)) {}
  const net::ServerRequest& request() const override { return request_; }
  void respond(net::ServerResponse r) override {
    std::lock_guard lock(mutex_);
    fuzz::require(!answer, "a second answer");
    answer = std::move(r);
  }
  void begin(net::ServerResponse) override { fuzz::require(false, "a stream"); }
  bool write(std::string_view) override { return false; }
  void end() override {}
  bool gone() const override { return false; }
  void on_gone(std::function<void()>) override {}
  std::optional<net::ServerResponse> answer;

 private:
  net::ServerRequest request_;
  std::mutex mutex_;
};

void judge(const net::ServerResponse& r) {
  fuzz::require(r.status >= 200 && r.status < 500, "an answer that is an error of the server");
  if (r.type == "application/json" && r.status != 204) {
    const engine::Json json = engine::parse_json(r.body, "answer");
    fuzz::require(r.status < 400 || (json.find("error") && json.find("error")->find("message")), "an error that says nothing");
  }
}

/// "reset\nBODY", or "GET /path?name=value\nBODY".
net::ServerRequest request(std::string_view piece) {
  net::ServerRequest r;
  const size_t line = piece.find('\n');
  std::string_view head = piece.substr(0, line);
  r.body = line == std::string_view::npos ? "" : piece.substr(line + 1);
  const size_t space = head.find(' ');
  r.method = space == std::string_view::npos ? "POST" : head.substr(0, space);
  std::string_view path = space == std::string_view::npos ? head : head.substr(space + 1);
  const size_t question = path.find('?');
  if (question != std::string_view::npos) {
    std::string_view rest = path.substr(question + 1);
    while (!rest.empty()) {
      const std::string_view one = rest.substr(0, rest.find('&'));
      rest.remove_prefix(std::min(rest.size(), one.size() + 1));
      const size_t equals = one.find('=');
      r.query.emplace_back(one.substr(0, equals), equals == std::string_view::npos ? "" : one.substr(equals + 1));
    }
    path = path.substr(0, question);
  }
  r.path = "/" + std::string(path);
  r.headers = {{"Host", "localhost"}, {"Content-Type", "application/json"}};
  return r;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  fuzz::Pieces pieces(std::string_view(reinterpret_cast<const char*>(data) + 1, size - 1));
  const Game& g = taboo();
  const net::Gate gate({.hosts = {"localhost"}});
  if (data[0] & 1) {
    serve::EnvGame game{g.module, g.set, g.chosen, g.resources, std::vector<std::string>(g.module->manifest().players.size())};
    serve::EnvLimits limits;
    limits.sessions = 3;
    limits.budget = fuzz::budget();
    serve::EnvService service({game}, limits);
    for (int n = 0; n < 30 && !pieces.done(); ++n) {
      net::ServerRequest r = request(pieces.next());
      if (r.body.starts_with("say ")) r.body = "{\"action\": {\"message\": " + engine::to_text(engine::Json(engine::lossy_utf8(r.body.substr(4)))) + "}}";
      if (const auto no = gate.refuse(r)) judge(*no);
      judge(service.answer(r));
      fuzz::require(service.sessions() <= 3, "too many sessions");
    }
    service.expire();
    return 0;
  }
  serve::TableOptions options;
  options.module = g.module;
  options.episodes = 2;
  options.poll_seconds = 0;
  for (uint32_t i = 0; i < 2; ++i) options.seats.push_back({i, g.module->manifest().players[i].name, i == 0 ? "key-a" : "key-b"});
  options.begin = [&](size_t i) {
    const cli::Chosen& c = g.chosen[i % g.chosen.size()];
    auto setting = std::make_shared<engine::Setting>(engine::Setting{g.module, c.experiment->segment, c.instance->segment, g.resources});
    return std::make_unique<players::Sitting>(engine::Episode(setting, i), players::Cast(g.module->manifest().players.size()));
  };
  std::vector<std::pair<bool, std::shared_ptr<Answered>>> all;
  bool told = false;  // the secret, by whoever sends the requests
  serve::Table table(options);
  for (int n = 0; n < 30 && !pieces.done(); ++n) {
    std::string_view piece = pieces.next();
    const bool second = !piece.empty() && (piece[0] & 1);
    net::ServerRequest r = request(piece.substr(std::min<size_t>(1, piece.size())));
    r.headers.emplace_back("Authorization", second ? "Bearer key-b" : "Bearer key-a");
    if (r.body.starts_with("say ")) {  // to the question that it is: they are counted
      static const char digits[] = "123456789";
      r.path = "/reply";
      r.body = std::string("{\"episode\": 1, \"ask\": ") + digits[n % 9] + ", \"text\": " + engine::to_text(engine::Json(engine::lossy_utf8(r.body.substr(4)))) + "}";
    }
    told = told || r.body.find("zyxw") != std::string::npos;
    all.emplace_back(second, std::make_shared<Answered>(std::move(r)));
    table.answer(all.back().second);
    table.tick();
  }
  table.stop();
  for (const auto& [second, e] : all) {
    fuzz::require(e->answer.has_value(), "no answer");
    judge(*e->answer);
    fuzz::require(!second || told || e->answer->body.find(kSecret) == std::string::npos, "the guesser hears the secret");
  }
  return 0;
}
