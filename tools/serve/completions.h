// Local models over HTTP in the form of OpenAI's API: POST /v1/chat/completions, POST /v1/completions, GET /v1/models; docs/local.md.
#pragma once
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/local/inference.h"
#include "runtime/net/server.h"

namespace ppc::serve {

class Completions {
 public:
  /// Each model goes by its name. Throws engine::InputError when two have the same. `weights_from`: requests may give the only model other weights, from
  /// folders in this one; empty: they may not. `folder`: of the model.
  explicit Completions(std::vector<std::shared_ptr<local::Model>> models, std::string folder = {}, std::string weights_from = {});
  /// Answers now, or when the reply has come; streams where that is wanted.
  void answer(std::shared_ptr<net::Exchange>) const;
  const std::vector<std::shared_ptr<local::Model>>& models() const { return models_; }

 private:
  void complete(const std::shared_ptr<net::Exchange>&) const;
  void continue_ids(const std::shared_ptr<net::Exchange>&) const;
  void change(const std::shared_ptr<net::Exchange>&, bool adapter, bool without) const;
  std::shared_ptr<local::Model> model_of(const std::string& name) const;
  std::vector<std::shared_ptr<local::Model>> models_;
  int64_t created_;
  std::string folder_, weights_from_;
  mutable std::mutex mutex_;             // of these
  mutable std::string playing_ = folder_;  // what the weights are from
  mutable std::string adapter_;          // its name; empty: none
  mutable bool changing_ = false;        // other weights are being loaded
  mutable std::future<void> loading_;    // last: what it does uses the others
};

}  // namespace ppc::serve
