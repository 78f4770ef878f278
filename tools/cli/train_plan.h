// What a run of `ppc train` will take, from shapes alone.
#pragma once
#include <string>
#include <vector>

#include "trainers/model/config.h"
#include "trainers/train/config.h"

namespace ppc::cli {

struct Gpu {
  const char* name;
  double memory;     // GB (1e9 bytes)
  double flops;      // of dense bfloat16 matrix products, a second
  double bandwidth;  // bytes a second
};
/// By the makers' data sheets. Throws UsageError, with the names, for another name.
const Gpu& gpu_of(const std::string& name);

struct Plan {
  struct Item {
    std::string what;
    double bytes = 0;
  };
  double weights = 0, trained = 0;     // numbers
  std::vector<Item> memory;
  double bytes() const;                // all of it
  double train_flops = 0;              // of a token, forward and backward
  double play_flops = 0, play_bytes = 0;  // of a generated token; read from memory for a step of all conversations
};

Plan plan_of(const model::ModelConfig&, const train::Config&);
/// For people.
std::string plan_text(const Plan&, const train::Config&, const Gpu*);

}  // namespace ppc::cli
