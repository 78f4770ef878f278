// The processes of a run, on c10d: Gloo on the CPU, NCCL between GPUs.
#pragma once
#include "trainers/nn/torch.h"  // first

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "trainers/learn/learner.h"

namespace ppc::nn {

/// All functions are called by all processes in the same order. engine::SystemError where another process is gone, or was not heard of in time.
class Group {
 public:
  virtual ~Group() = default;
  /// Adds up t, contiguous, of all processes, in place: the same bits in each.
  virtual void sum(const torch::Tensor& t) = 0;
  /// t, contiguous, becomes what it is in the process `root`.
  virtual void broadcast(const torch::Tensor& t, int root) = 0;
  /// What each process says, in their order.
  virtual std::vector<std::string> exchange(const std::string& mine) = 0;
};

/// Waits until all are there. engine::SystemError where they do not come, or LibTorch was built without what the device needs.
std::unique_ptr<Group> join(const learn::GroupOptions&, torch::Device);

}  // namespace ppc::nn
