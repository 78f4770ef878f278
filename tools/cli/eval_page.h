// The HTML page of `ppc eval`.
#pragma once
#include <string>
#include <vector>

#include "tools/cli/evaluation.h"

namespace ppc::cli {

struct Reasons {
  struct Line {
    std::string game, model, outcome, what;
    size_t count = 0;
    double points = 0;
  };
  std::vector<Line> endings;  // why episodes were lost or aborted; points of the clemscore that they lost
  std::vector<Line> rules;    // broken rules; count: replies
  size_t unknown = 0;         // episodes of which nothing says which rules were broken
};

std::string evaluation_page(const Evaluation&, const Reasons&, const EvaluationOptions&);

}  // namespace ppc::cli
