// Instances: from files, texts, and generators.
#include <filesystem>

#include "runtime/capi/handles.h"
#include "runtime/engine/generate.h"

namespace ppc::capi {
namespace {

using engine::InstanceSet;
using engine::Json;

ppc_instances* handle_of(std::shared_ptr<const Game> game, InstanceSet set) {
  auto all = std::make_shared<Instances>();
  all->game = std::move(game);
  all->set = std::move(set);
  auto hashed = [](uint64_t h, const engine::SegmentPtr& s) {
    return s ? hash_bytes(h, {reinterpret_cast<const char*>(s->data()), s->size()}) : h;
  };
  for (const engine::Experiment& e : all->set.experiments) {
    const uint64_t of_experiment = hashed(all->game->fingerprint, e.segment);
    for (uint32_t i = 0; i < e.instances.size(); ++i) {
      const engine::Instance& instance = e.instances[i];
      auto setting = std::make_shared<engine::Setting>(engine::Setting{all->game->module, e.segment, instance.segment, all->game->resources});
      all->items.push_back({&e, &instance, i, std::move(setting), hashed(of_experiment, instance.segment)});
    }
  }
  auto handle = std::make_unique<ppc_instances>();
  handle->it = std::move(all);
  return handle.release();
}

const Item& item_of(const ppc_instances* h, size_t index) {
  const Instances& all = instances_of(h);
  if (index >= all.items.size()) throw UsageError("no instance " + std::to_string(index) + ": there are " + std::to_string(all.items.size()));
  return all.items[index];
}

InstanceSet default_instances(const Game& game) {
  namespace fs = std::filesystem;
  std::error_code ec;
  for (const char* name : {"instances.json", "instances.yaml", "instances.yml"}) {
    const fs::path path = fs::path(game.folder) / "instances" / name;
    if (fs::exists(path, ec)) return engine::load_instances(*game.module, path.string());
  }
  return engine::read_instances(*game.module, engine::parse_json(R"({"experiments": [{"name": "default", "game_instances": [{"game_id": 0}]}]})", ""),
                                "(no instance file)");
}

}  // namespace
}  // namespace ppc::capi

using namespace ppc;
using namespace ppc::capi;

extern "C" {

ppc_result ppc_instances_default(const ppc_game* game, ppc_instances** out) {
  return guarded([&] {
    wanted(out);
    *out = handle_of(checked(game, Kind::Game, "game").it, default_instances(game_of(game)));
  });
}
ppc_result ppc_instances_load(const ppc_game* game, const char* path, ppc_instances** out) {
  return guarded([&] {
    if (!path) throw UsageError("NULL where a path is expected");
    wanted(out);
    *out = handle_of(checked(game, Kind::Game, "game").it, engine::load_instances(*game_of(game).module, path));
  });
}
ppc_result ppc_instances_parse(const ppc_game* game, const char* json, size_t size, ppc_instances** out) {
  return guarded([&] {
    const Game& g = game_of(game);
    wanted(out);
    *out = handle_of(game->it, engine::read_instances(*g.module, engine::parse_json(taken(json, size), "(instances)"), "(instances)"));
  });
}
ppc_result ppc_instances_one(const ppc_game* game, const char* instance, size_t instance_size, const char* experiment, size_t experiment_size,
                             ppc_instances** out) {
  return guarded([&] {
    const Game& g = game_of(game);
    auto object = [](std::string_view text, const char* name) {
      Json json = engine::parse_json(text, name);
      if (!json.is_object()) throw engine::InputError(std::string(name) + ": expected an object, found " + engine::describe(json));
      return json;
    };
    Json one = object(taken(instance, instance_size), "(instance)");
    Json around = experiment ? object(taken(experiment, experiment_size), "(experiment)") : Json::object();
    if (!around.find("name")) around.add("name", "default");
    Json list = Json::list();
    list.push(std::move(one));
    around.set("game_instances", std::move(list));
    Json document = Json::object();
    document.add("experiments", Json::list()).push(std::move(around));
    wanted(out);
    *out = handle_of(game->it, engine::read_instances(*g.module, std::move(document), "(instance)"));
  });
}
ppc_result ppc_instances_generate(const ppc_game* game, int64_t count, uint64_t seed, ppc_instances** out) {
  return guarded([&] {
    const Game& g = game_of(game);
    if (count < -1 || count == 0 || count > 1'000'000) throw UsageError("how many? 1 to 1000000, or -1 for as many as the game says");
    if (!g.manifest().generate_entry) throw engine::InputError(g.manifest().game + ": the game has no `generate` block");
    auto setting = std::make_shared<engine::Setting>();
    setting->module = g.module;
    setting->resources = engine::load_resources(*g.module, g.folder, g.replacement, true);
    Json document = engine::generate_instances(setting, count, seed);
    wanted(out);
    *out = handle_of(game->it, engine::read_instances(*g.module, std::move(document), g.manifest().game + ": generated"));
  });
}
void ppc_instances_free(ppc_instances* instances) {
  if (!instances || instances->kind != Kind::Instances) return;
  instances->kind = Kind::None;
  delete instances;
}

size_t ppc_instances_count(const ppc_instances* instances) {
  return guarded_or<size_t>(0, [&] { return instances_of(instances).items.size(); });
}
const char* ppc_instances_experiment(const ppc_instances* instances, size_t index) {
  return guarded_or<const char*>(nullptr, [&] { return item_of(instances, index).experiment->name.c_str(); });
}
const char* ppc_instances_id(const ppc_instances* instances, size_t index) {
  return guarded_or<const char*>(nullptr, [&] { return item_of(instances, index).instance->id.c_str(); });
}
int64_t ppc_instances_find(const ppc_instances* instances, const char* experiment, const char* id) {
  return guarded_or<int64_t>(-1, [&]() -> int64_t {
    const Instances& all = instances_of(instances);
    for (size_t i = 0; i < all.items.size(); ++i)
      if ((!experiment || all.items[i].experiment->name == experiment) && (!id || all.items[i].instance->id == id)) return static_cast<int64_t>(i);
    throw UsageError(all.set.file + ": no instance" + (experiment ? " in an experiment `" + std::string(experiment) + "`" : "") +
                     (id ? " with the game_id `" + std::string(id) + "`" : ""));
  });
}
ppc_result ppc_instances_json(const ppc_instances* instances, size_t index, char** json, size_t* size) {
  return guarded([&] {
    const Item& item = item_of(instances, index);
    Json both = Json::object();
    both.add("experiment", item.experiment->document);
    both.add("instance", item.instance->document);
    give(engine::to_text(both), json, size);
  });
}
uint64_t ppc_instances_seed(const ppc_instances* instances, size_t index, uint64_t seed, uint32_t repeat) {
  return guarded_or<uint64_t>(0, [&] {
    const Item& item = item_of(instances, index);
    return engine::mix_seed(seed, item.experiment->index, item.position, repeat);
  });
}

}  // extern "C"
