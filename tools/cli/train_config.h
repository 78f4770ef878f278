// The YAML of `ppc train`: reading it, and showing all of it.
#pragma once
#include <string>
#include <vector>

#include "runtime/engine/json.h"
#include "trainers/train/config.h"

namespace ppc::cli {

/// Reads the file (YAML or JSON); `settings`: "optimizer.learning_rate=1e-5", "games.0.weight=2", which go before what it says. Paths in it are
/// relative to where the program runs. Throws engine::InputError with file and key.
train::Config load_config(train::Method, const std::string& file, const std::vector<std::string>& settings);
/// All keys with their values, as YAML that reads the same.
std::string config_text(const train::Config&);

}  // namespace ppc::cli
