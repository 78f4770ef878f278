#include "tools/cli/train_report.h"

#include <filesystem>

#include "tools/cli/report.h"
#include "trainers/model/safetensors.h"

namespace ppc::cli {

namespace fs = std::filesystem;

void write_report(const train::Config& config, const train::Outcome& outcome) {
  report::Report page = report_of({{"", config.output}});
  const std::string method = train::method_name(config.method);
  page.title = method + ": " + fs::absolute(config.output).lexically_normal().filename().string();
  page.facts.insert(page.facts.begin(), {"method", method});
  if (!outcome.last.empty()) page.facts.emplace_back("output", outcome.last);
  if (outcome.stopped) page.notes.push_back("The run was stopped before its end.");
  if (outcome.early) page.notes.push_back("The run ended early: evaluations had not become better for a while. The best model is in " + outcome.best + ".");
  model::write_file_atomically((fs::path(config.output) / "report.html").string(), report::report_page(page));
}

}  // namespace ppc::cli
