#include <list>
#include <mutex>
#include <unordered_map>

#include "runtime/engine/episode.h"
#include "trainers/decode/constraint.h"

namespace ppc::decode {

struct Constraints::Data {
  struct Entry {
    std::shared_ptr<const engine::GameModule> module;  // its address is part of the key, so it stays
    std::shared_ptr<const Constraint> constraint;
    std::list<std::string>::iterator order;
  };
  std::shared_ptr<const Vocabulary> vocabulary;
  std::mutex mutex;
  std::unordered_map<std::string, Entry> entries;
  std::list<std::string> order;  // the last one wanted first
};

Constraints::Constraints(std::shared_ptr<const Vocabulary> vocabulary) : data_(std::make_unique<Data>()) {
  data_->vocabulary = std::move(vocabulary);
}
Constraints::~Constraints() = default;

std::shared_ptr<const Constraint> Constraints::of(const engine::Episode& episode, engine::Worker& worker) {
  const auto& module = episode.setting().module;
  const engine::MoveInfo& move = module->manifest().moves.at(episode.asked_move());
  const engine::HoleTexts texts = engine::hole_texts(episode, worker);
  // Texts hold any bytes, so each is behind its length.
  std::string key = std::to_string(reinterpret_cast<uintptr_t>(module.get())) + " " + std::to_string(episode.asked_move());
  for (const auto& hole : texts) {
    key += "\n" + std::to_string(hole.size());
    for (const std::string& t : hole) key.append(" ").append(std::to_string(t.size())).append(":").append(t);
  }
  {
    std::lock_guard lock(data_->mutex);
    if (auto at = data_->entries.find(key); at != data_->entries.end()) {
      data_->order.splice(data_->order.begin(), data_->order, at->second.order);
      return at->second.constraint;
    }
  }
  auto made = make_constraint(data_->vocabulary, language_of(move, texts));
  std::lock_guard lock(data_->mutex);
  auto [at, is_new] = data_->entries.try_emplace(key);
  if (!is_new) return at->second.constraint;
  data_->order.push_front(key);
  at->second = {module, made, data_->order.begin()};
  if (data_->order.size() > kMost) {
    data_->entries.erase(data_->order.back());
    data_->order.pop_back();
  }
  return made;
}

}  // namespace ppc::decode
