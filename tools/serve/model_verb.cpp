// ppc serve model
#include <cstdio>

#include "runtime/players/model.h"
#include "tools/serve/completions.h"
#include "tools/serve/serve.h"

namespace ppc::cli {
namespace {

const std::string kHelp = std::string(R"(usage: ppc serve model DIR… [options]

Offers local models over HTTP in the form of OpenAI's API: POST /v1/chat/completions, POST /v1/completions, GET /v1/models; docs/local.md. DIR is a Hugging
Face model's folder, or ORGANISATION/NAME in Hugging Face's cache. Requests are continued together; what conversations have in common is
computed once.

  --local NAME=VALUE    device, precision, threads, cache_tokens, batch, … (docs/local.md)
  --weights-from DIR    requests may load other weights, from folders in DIR (docs/local.md); without it they may not
  --token-file FILE     the token that requests must have (or PPC_SERVE_TOKEN); with --host there is always one
)") + kServerHelp + R"(
Examples:
  ppc serve model ~/models/Qwen3-0.6B --port 8000
  ppc play taboo --player openai:Qwen3-0.6B --base-url http://127.0.0.1:8000/v1 --out records
)";

int serve_models(const Args& args) {
  const Options options(args, server_options({"--local", "--token-file", "--weights-from"}), {"--json"});
  if (options.rest().empty()) throw UsageError("which model? Give a folder");
  std::vector<std::shared_ptr<local::Model>> models;
  const bool json = options.has("--json");
  for (const std::string& name : options.rest()) {
    local::ModelOptions o = players::local_options(name, {}, options.all("--local")).model;
    o.folder = local::model_folder(name);
    try {
      models.push_back(local::load_model(o));
    } catch (const std::runtime_error& e) {
      throw engine::InputError(e.what());
    }
    if (!json) std::printf("%s\n", models.back()->describe().c_str());
  }
  const auto service = std::make_shared<serve::Completions>(models, local::model_folder(options.rest()[0]), options.value("--weights-from"));
  Served served;
  served.open = {"/health", "/v1/health"};
  served.handler = [service](std::shared_ptr<net::Exchange> e) { service->answer(std::move(e)); };
  served.stopping = [models] {
    for (const auto& m : models) m->stop();
  };
  served.ready = [&](const std::string& url, bool) {
    if (json) {
      engine::Json out = engine::Json::object();
      out.add("url", url);
      engine::Json& list = out.add("models", engine::Json::list());
      for (const auto& m : models) list.push(m->name());
      std::printf("%s\n", engine::to_text(out).c_str());
    } else {
      std::printf("%s/v1/chat/completions\n", url.c_str());
    }
  };
  return serve(options, std::move(served));
}

}  // namespace

int serve_model(const Args& args) {
  return run_verb("serve model", kHelp.c_str(), args, [&] { return serve_models(args); });
}

}  // namespace ppc::cli
