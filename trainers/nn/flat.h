// The weights of a model in one row of numbers, so that optimizers, norms and files have one loop over them. The same for their gradients.
#pragma once
#include "trainers/nn/torch.h"  // first

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "trainers/model/config.h"

namespace ppc::nn {

using torch::Tensor;

/// Where a tensor lies.
struct Place {
  std::string name;            // Hugging Face's
  std::vector<int64_t> shape;
  int64_t at = 0, size = 0;    // elements
};

/// The projections of a layer that adapters can be put on.
enum Projection : uint8_t { kQuery, kKey, kValue, kOutput, kGate, kUp, kDown, kProjections };
struct ProjectionName { const char *name, *path; };  // "q_proj", "self_attn.q_proj"
constexpr std::array<ProjectionName, kProjections> kProjectionNames = {{{"q_proj", "self_attn.q_proj"}, {"k_proj", "self_attn.k_proj"},
                                                                        {"v_proj", "self_attn.v_proj"}, {"o_proj", "self_attn.o_proj"},
                                                                        {"gate_proj", "mlp.gate_proj"}, {"up_proj", "mlp.up_proj"},
                                                                        {"down_proj", "mlp.down_proj"}}};

/// Matrices come first, which decay, then norms and biases, which do not. Matrices that are multiplied with the same inputs lie one behind
/// another, so that one product does for them. There are gaps, which stay 0.
struct Layout {
  std::vector<Place> places;
  int64_t size = 0;            // with the gaps
  int64_t decaying = 0;        // the first so many decay
  int64_t numbers = 0;         // without the gaps

  void add(const std::string& name, const std::vector<int64_t>& shape, bool gap = true);
  const Place* find(const std::string& name) const;
};

Layout layout_of(const model::ModelConfig&);
/// Low-rank matrices `model.layers.N.PATH.lora_A.weight` [r, in] and `….lora_B.weight` [out, r].
Layout adapter_layout(const model::ModelConfig&, int64_t r, const std::array<bool, kProjections>& targets);
/// Of a layer's projection: [out, in].
std::pair<int64_t, int64_t> shape_of(const model::ModelConfig&, Projection);

struct LayerView {
  Tensor input_norm, middle_norm;  // before attention, before the feed-forward part
  Tensor q_norm, k_norm;           // or undefined
  Tensor qkv, o, gate_up, down;    // [out, in]: queries, keys and values one below the other; gate and up, too
  Tensor qkv_bias, o_bias, gate_up_bias, down_bias;  // or undefined
};
/// Tensors of a model that lie in `flat`. An undefined `flat` makes a view of nothing: weights that have no gradients.
struct ModelView {
  Tensor flat, embedding, norm, head;
  std::vector<LayerView> layers;

  ModelView() = default;
  ModelView(const Layout&, const model::ModelConfig&, Tensor flat);
};

struct AdapterView {
  struct Pair { Tensor a, b; };    // undefined where there is none
  Tensor flat;
  std::vector<std::array<Pair, kProjections>> layers;

  AdapterView() = default;
  AdapterView(const Layout&, const model::ModelConfig&, Tensor flat);
};

inline Tensor part(const Tensor& flat, const Place& p) { return flat.narrow(0, p.at, p.size).view(p.shape); }

}  // namespace ppc::nn
