// Playpen in miniature: a model that is trained from nothing on bots' episodes, and what SFT, DPO and GRPO make of it.
#pragma once
#include <cstdint>
#include <string>

namespace ppc::cli {

struct MiniatureOptions {
  uint64_t seeds = 3;
  std::string folder = "runs/miniature";
  double scale = 1;    // of all numbers of steps and episodes: below 1 to try it out
  bool resume = false;
  std::string job;     // "seed-0/sft": only this one, of a folder in which what it needs is there
};
/// docs/training.md: Playpen in miniature. Returns the exit code.
int run_miniature(const MiniatureOptions&);

}  // namespace ppc::cli
