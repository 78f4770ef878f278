// A server as a sampler: it is sent ids and answers with the ids that it sampled. POST /completions of OpenAI's API, with what vLLM and `ppc serve model`
// add to it.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/local/inference.h"

namespace ppc::players {

struct ContinuationRequest {
  std::string model;                       // what the server calls it
  std::span<const local::TokenId> prompt;  // at least one
  std::span<const local::TokenId> ends;    // ids that end the reply
  local::Sampling sampling;                // all of it is sent, so that no default of the server's counts
};
/// The body, JSON.
std::string continuation_body(const ContinuationRequest&);

struct Continuation {
  std::vector<local::TokenId> ids;         // sampled
  std::vector<float> logprobs;             // of each
  std::optional<std::vector<local::TokenId>> prompt;  // what the server read, where it tells
  std::string finish;                      // "stop", "length", …; empty where it does not tell
  std::string fingerprint;                 // of the server and its weights, where it tells
};

/// There are no token ids in an answer: the server does not know, or does not do, what the request asks for.
struct NoTokenIds : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Reads the body of a successful response. Throws engine::InputError saying what is wrong with it, NoTokenIds where everything else is right.
Continuation parse_continuation(std::string_view body);

}  // namespace ppc::players
