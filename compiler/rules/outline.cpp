#include "compiler/rules/outline.h"

#include <algorithm>
#include <functional>
#include <map>

#include "compiler/sema/walk.h"

namespace ppc::rules {
namespace {

using sema::Statement;
using sema::Value;

constexpr uint64_t kWorth = 60;               // statements and values that copies may come to
constexpr uint64_t kMany = uint64_t{1} << 40; // more than any count that matters

/// A step or a move; a move is written out wherever it is asked for.
struct Node {
  std::map<size_t, uint64_t> calls;  // which others it comes to, and how often
  uint64_t size = 0;                 // statements and values, those of what it calls included
  uint64_t copies = 0;
  bool apart = true;                 // could be a function
};

}  // namespace

std::vector<bool> outlined_steps(const sema::Game& game) {
  const size_t steps = game.steps.size();
  auto node_of = [&](const sema::Body& body) {
    Node n;
    sema::each_statement(body.statements, [&](const Statement& s) {
      using O = Statement::Op;
      ++n.size;
      if (s.op == O::Step) ++n.calls[s.step];
      if (s.op == O::Ask) ++n.calls[steps + s.move];
      if (s.op == O::Ask || s.op == O::Retry || s.op == O::Pass || s.op == O::Gives || s.op == O::Format) n.apart = false;
      sema::each_root(s, [&](const Value& root) {
        sema::each_value(root, [&](const Value& v) {
          ++n.size;
          if (v.op == Value::Op::Reply) n.apart = false;
          return true;
        });
      });
    });
    return n;
  };
  std::vector<Node> nodes;
  for (const sema::Step& s : game.steps) nodes.push_back(node_of(s.body));
  for (const sema::Move& m : game.moves) nodes.push_back(node_of(m.body));
  nodes.push_back(node_of(game.play));

  std::vector<size_t> order;  // callees first; there is no recursion
  std::vector<bool> seen(nodes.size());
  std::function<void(size_t)> visit = [&](size_t i) {
    if (seen[i]) return;
    seen[i] = true;
    for (const auto& [callee, times] : nodes[i].calls) {
      visit(callee);
      nodes[i].size = std::min(kMany, nodes[i].size + times * nodes[callee].size);
      nodes[i].apart = nodes[i].apart && nodes[callee].apart;
    }
    order.push_back(i);
  };
  for (size_t i = 0; i < nodes.size(); ++i) visit(i);

  std::vector<bool> outlined(steps);
  nodes.back().copies = 1;
  std::reverse(order.begin(), order.end());
  for (size_t i : order) {
    Node& n = nodes[i];
    if (i < steps && n.apart && n.copies > 1 && (n.copies - 1) * n.size > kWorth) outlined[i] = true, n.copies = 1;
    for (const auto& [callee, times] : n.calls)
      nodes[callee].copies = std::min(kMany, nodes[callee].copies + n.copies * times);
  }
  return outlined;
}

}  // namespace ppc::rules
