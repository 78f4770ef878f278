// What one sees of a long run, on stderr; and ^C.
#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "runtime/local/inference.h"
#include "runtime/players/endpoint.h"
#include "runtime/players/run.h"

namespace ppc::cli {

/// "3 min 20 s".
std::string duration(double seconds);

/// A line that is rewritten on a terminal, one every half a minute elsewhere. While it lives, ^C lets the episodes under way come
/// to their end; a second one stops them.
class Progress {
 public:
  /// `wanted` false: shows nothing and leaves ^C alone.
  Progress(size_t total, size_t before, bool wanted, std::shared_ptr<net::Transport>, players::RunControl&);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// An endpoint's counts are shown, once.
  void watch(std::shared_ptr<players::Endpoint>);
  void watch(std::shared_ptr<local::Model>);
  /// An episode is over. Thread-safe.
  void over(bool played, uint64_t violations, double cost);
  /// The last line.
  void finish();

 private:
  void run();
  std::string line(bool last) const;

  const size_t total_, before_;
  const bool wanted_, terminal_;
  std::shared_ptr<net::Transport> transport_;
  players::RunControl& control_;
  std::vector<std::shared_ptr<players::Endpoint>> watched_;
  std::vector<std::shared_ptr<local::Model>> models_;
  std::atomic<uint64_t> done_{0}, played_{0}, violations_{0};
  std::atomic<double> cost_{0};
  double began_ = 0;
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

}  // namespace ppc::cli
