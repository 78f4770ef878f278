// What servers that sample are sent, and how their answers are read.
#include <gtest/gtest.h>

#include "runtime/engine/episode.h"
#include "runtime/engine/json.h"
#include "runtime/players/continuation.h"

using namespace ppc;
using namespace ppc::players;
using Ids = std::vector<local::TokenId>;

namespace {

std::string answer(const std::string& choice, const std::string& more = "") { return R"({"choices": [{"index": 0, )" + choice + "}]" + more + "}"; }

std::string error_of(const std::string& body) {
  try {
    parse_continuation(body);
  } catch (const engine::InputError& e) {
    return e.what();
  } catch (const NoTokenIds& e) {
    return std::string("no ids: ") + e.what();
  }
  return "";
}

TEST(Continuation, everything_that_changes_the_reply_is_sent) {
  local::Sampling s;
  s.temperature = 0.7;
  s.max_tokens = 9;
  s.seed = UINT64_MAX;
  const Ids prompt = {3, 1, 4}, ends = {2};
  const engine::Json j = engine::parse_json(continuation_body({.model = "m", .prompt = prompt, .ends = ends, .sampling = s}), "body");
  EXPECT_EQ(j.find("prompt")->items().size(), 3u);
  EXPECT_EQ(j.find("prompt")->items()[2].as_int(), 4);
  EXPECT_EQ(j.find("stop_token_ids")->items()[0].as_int(), 2);
  EXPECT_TRUE(j.find("ignore_eos")->as_bool());
  EXPECT_EQ(j.find("temperature")->as_float(), 0.7);
  EXPECT_EQ(j.find("seed")->as_int(), -1);
  // Servers have defaults of their own for these (vLLM takes generation_config.json's): no cut-off has to be said.
  EXPECT_EQ(j.find("top_k")->as_int(), -1);
  EXPECT_EQ(j.find("top_p")->as_float(), 1);
  EXPECT_EQ(j.find("min_p")->as_float(), 0);
  EXPECT_EQ(j.find("repetition_penalty")->as_float(), 1);
}

TEST(Continuation, answers_of_vllm_and_ours) {
  const Continuation c = parse_continuation(answer(
      R"("text": "ab", "finish_reason": "stop", "stop_reason": 2, "logprobs": {"text_offset": [0, 1], "token_logprobs": [-0.5, 1e-6], "tokens": ["a", ""], "top_logprobs": [{"a": -0.5}, null]},
         "token_ids": [7, 2], "prompt_token_ids": [3, 1, 4])",
      R"(, "system_fingerprint": "f", "usage": {})"));
  EXPECT_EQ(c.ids, (Ids{7, 2}));
  EXPECT_EQ(c.logprobs, (std::vector<float>{-0.5f, 0.0f}));
  EXPECT_EQ(c.prompt, (Ids{3, 1, 4}));
  EXPECT_EQ(c.finish, "stop");
  EXPECT_EQ(c.fingerprint, "f");
}

TEST(Continuation, older_vllm_spells_ids_as_tokens) {
  const Continuation c = parse_continuation(answer(R"("text": "ab", "logprobs": {"token_logprobs": [-0.5, -1], "tokens": ["token_id:7", "token_id:12"]})"));
  EXPECT_EQ(c.ids, (Ids{7, 12}));
  EXPECT_FALSE(c.prompt);
}

TEST(Continuation, what_is_wrong_is_said) {
  const std::string logprobs = R"("logprobs": {"token_logprobs": [-0.5], "tokens": ["a"]})";
  EXPECT_EQ(error_of(answer(R"("text": "a", )" + logprobs)), "no ids: there are no token ids in its answer (`choices[0].token_ids`)");
  EXPECT_EQ(error_of(answer(R"("text": "a", "token_ids": null, "logprobs": null)")), "no ids: there are no token ids in its answer (`choices[0].token_ids`)");
  EXPECT_EQ(error_of(answer(R"("logprobs": {"token_logprobs": [-0.5], "tokens": ["token_id:-3"]})")).substr(0, 6), "no ids");
  EXPECT_EQ(error_of(answer(R"("token_ids": [1, 2], )" + logprobs)), "it has 2 token ids and 1 log-probabilities");
  EXPECT_EQ(error_of(answer(R"("token_ids": [1])")), "no `choices[0].logprobs.token_logprobs`");
  EXPECT_NE(error_of(answer(R"("token_ids": [1.5], )" + logprobs)).find("`choices[0].token_ids` has"), std::string::npos);
  EXPECT_NE(error_of(answer(R"("token_ids": [99999999999], )" + logprobs)).find("`choices[0].token_ids` has"), std::string::npos);
  EXPECT_NE(error_of(answer(R"("token_ids": "1", )" + logprobs)).find("not a list"), std::string::npos);
  for (const char* bad : {"null", "0.5", "\"x\"", "1e999"})
    EXPECT_NE(error_of(answer(std::string(R"("token_ids": [1], "logprobs": {"token_logprobs": [)") + bad + "]}")), "") << bad;
  EXPECT_EQ(error_of(R"({"choices": []})"), "no `choices`");
  EXPECT_EQ(error_of(R"({"choices": [3]})"), "`choices[0]` is 3");
  EXPECT_EQ(error_of(R"([1])"), "no `choices`");
  EXPECT_NE(error_of("<html>"), "");
}

}  // namespace
