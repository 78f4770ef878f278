#include "trainers/nn/torch.h"  // first

#include "trainers/nn/group.h"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>

#include "runtime/engine/json.h"

// What this LibTorch has, groups.cmake finds out.
#ifdef PPC_GLOO
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#endif
#ifdef PPC_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

namespace ppc::nn {

#ifdef PPC_GLOO
namespace {

using torch::Tensor;

class Processes final : public Group {
 public:
  Processes(const learn::GroupOptions& o, torch::Device device) : rank_(o.rank), world_(o.world), device_(device) {
    const auto timeout = std::chrono::milliseconds(static_cast<int64_t>(o.timeout * 1000));
    const std::string place = o.address + ":" + std::to_string(o.port);
    try {
      c10d::TCPStoreOptions store;
      store.port = static_cast<uint16_t>(o.port);
      store.isServer = o.rank == 0 && !o.served;
      store.numWorkers = static_cast<size_t>(o.world);
      store.timeout = timeout;
      without_libuv(store);
      store_ = c10::make_intrusive<c10d::PrefixStore>("ppc/" + std::to_string(o.attempt), c10::make_intrusive<c10d::TCPStore>(o.address, store));
      auto options = c10d::ProcessGroupGloo::Options::create(timeout);
      // Gloo looks its own address up by the machine's name, which not every machine knows.
      const char* interface = std::getenv("GLOO_SOCKET_IFNAME");
      const bool here = o.address == "localhost" || o.address.rfind("127.", 0) == 0;
      options->devices.push_back(interface && *interface ? c10d::ProcessGroupGloo::createDeviceForInterface(interface)
                                 : here                  ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                                                         : c10d::ProcessGroupGloo::createDefaultDevice());
      gloo_ = c10::make_intrusive<c10d::ProcessGroupGloo>(c10::make_intrusive<c10d::PrefixStore>("gloo", store_), rank_, world_, options);
#ifdef PPC_NCCL
      if (device.is_cuda()) {
        auto nccl = c10d::ProcessGroupNCCL::Options::create();
        nccl->timeout = timeout;
        nccl_ = c10::make_intrusive<c10d::ProcessGroupNCCL>(c10::make_intrusive<c10d::PrefixStore>("nccl", store_), rank_, world_, nccl);
      }
#endif
    } catch (const std::exception& e) {
      throw engine::SystemError("process " + std::to_string(rank_) + " of " + std::to_string(world_) + " did not find the others at " + place +
                               " (MASTER_ADDR, MASTER_PORT) in " + std::to_string(static_cast<int64_t>(o.timeout)) + " s: " + first_line(e.what()));
    }
  }

  void sum(const Tensor& t) override {
    run(t, [](auto& group, std::vector<Tensor>& list) { return group.allreduce(list); });
  }
  void broadcast(const Tensor& t, int root) override {
    c10d::BroadcastOptions o;
    o.rootRank = root;
    run(t, [&](auto& group, std::vector<Tensor>& list) { return group.broadcast(list, o); });
  }
  std::vector<std::string> exchange(const std::string& mine) override {
    Tensor sizes = at::zeros({world_}, torch::kInt64);
    sizes[rank_] = static_cast<int64_t>(mine.size());
    on_cpu(sizes);
    int64_t all = 0, before = 0;
    std::vector<std::string> out;
    for (int r = 0; r < world_; ++r) {
      if (r < rank_) before += sizes[r].item<int64_t>();
      all += sizes[r].item<int64_t>();
    }
    // Each one's bytes where all others have zeros.
    Tensor bytes = at::zeros({all}, torch::kUInt8);
    if (!mine.empty()) std::memcpy(bytes.data_ptr<uint8_t>() + before, mine.data(), mine.size());
    if (all > 0) on_cpu(bytes);
    const char* at = reinterpret_cast<const char*>(bytes.data_ptr<uint8_t>());
    for (int r = 0; r < world_; ++r) {
      const auto n = static_cast<size_t>(sizes[r].item<int64_t>());
      out.emplace_back(at, n);
      at += n;
    }
    return out;
  }

 private:
  static std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

  /// LibTorch 2.4 and later take libuv to serve if nothing else is said, also where they were built without (Debian's).
  template <class Options>
  static void without_libuv(Options& o) {
    if constexpr (requires { o.useLibUV; }) o.useLibUV = false;
  }

  template <class F>
  void reached(const F& f) {
    try {
      f();
    } catch (const std::exception& e) {
      throw engine::SystemError("process " + std::to_string(rank_) + " of " + std::to_string(world_) + " lost another one of the run: " + first_line(e.what()));
    }
  }
  void on_cpu(Tensor& t) {
    std::vector<Tensor> list{t};
    reached([&] { gloo_->allreduce(list)->wait(); });
  }
  template <class F>
  void run(const Tensor& t, const F& f) {
#ifdef PPC_NCCL
    if (nccl_ && t.is_cuda()) {
      std::vector<Tensor> list{t};
      return reached([&] {
        f(*nccl_, list)->wait();
        if (t.numel()) t.view(-1)[0].item();  // errors come here and not later
      });
    }
#endif
    std::vector<Tensor> list{t.is_cpu() ? t : t.cpu()};
    reached([&] { f(*gloo_, list)->wait(); });
    if (!t.is_cpu()) t.copy_(list[0]);
  }

  const int rank_, world_;
  const torch::Device device_;
  c10::intrusive_ptr<c10d::Store> store_;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo_;
#ifdef PPC_NCCL
  c10::intrusive_ptr<c10d::ProcessGroupNCCL> nccl_;
#endif
};

}  // namespace

std::unique_ptr<Group> join(const learn::GroupOptions& o, torch::Device device) { return std::make_unique<Processes>(o, device); }

#else

std::unique_ptr<Group> join(const learn::GroupOptions&, torch::Device) {
  throw engine::SystemError("several processes need a LibTorch that was built with Gloo");
}

#endif

}  // namespace ppc::nn
