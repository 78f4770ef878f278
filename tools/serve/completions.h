// Local models over HTTP in the form of OpenAI's API: POST /v1/chat/completions, GET /v1/models; docs/local.md.
#pragma once
#include <memory>
#include <vector>

#include "runtime/local/inference.h"
#include "runtime/net/server.h"

namespace ppc::serve {

class Completions {
 public:
  /// Each model goes by its name. Throws engine::InputError when two have the same.
  explicit Completions(std::vector<std::shared_ptr<local::Model>> models);
  /// Answers now, or when the reply has come; streams where that is wanted.
  void answer(std::shared_ptr<net::Exchange>) const;
  const std::vector<std::shared_ptr<local::Model>>& models() const { return models_; }

 private:
  void complete(const std::shared_ptr<net::Exchange>&) const;
  std::vector<std::shared_ptr<local::Model>> models_;
  int64_t created_;
};

}  // namespace ppc::serve
