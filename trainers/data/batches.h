// Which examples make up which step, in which order. All of it is a function of the seed and a position, so that the position is all that a
// checkpoint needs.
//
// An epoch is as many examples as there are, in an order of its own. Without weights each comes once. With weights games get shares of the
// epoch: of each game so many examples as its share says, which come in rounds of their own, so that all have come before one comes
// again. A step takes the next examples of the epoch; which these are depends neither on how many processes there are nor on how much memory.
// An epoch's last step may be smaller.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "trainers/data/read.h"

namespace ppc::data {

/// What is known of an example, or a pair, here.
struct Item {
  int64_t tokens = 0;
  std::string game;
};
std::vector<Item> items_of(const std::vector<Example>&);
std::vector<Item> items_of(const std::vector<Pair>&);  // tokens of both

/// Of all that a step sees: ids, which are trained, the game. Other examples, or others before them, have another one, but by an accident of 1 in 2^64.
uint64_t digest(const std::vector<Example>&);
uint64_t digest(const std::vector<Pair>&);

struct BatchOptions {
  int64_t examples = 0;        // a step's, of all processes together; 0: by `tokens`
  int64_t tokens = 0;          // a step has at most so many, or one example; 0: by `examples`. Both: whichever is reached first
  int64_t at_once = 0;         // at most so many tokens are computed together by a process, or one example; 0: all of a step
  bool shuffle = true;         // else the order of the file, and with weights each game's
  uint64_t seed = 0;
  std::map<std::string, double> weights = {};  // of games, in any unit; empty: none. A game that is not named does not come
  int rank = 0, world = 1;     // this process, of how many
};

/// Where training is in the data: `index` examples of this epoch have been handed out.
struct Position {
  int64_t epoch = 0, index = 0;
  bool operator==(const Position&) const = default;
};

struct Batch {
  std::vector<size_t> all;                    // of all processes, in order
  std::vector<std::vector<size_t>> mine;      // this process's, in packs of at most `at_once` tokens; none where there are fewer examples than processes
  Position from, behind;
};

class Batches {
 public:
  /// Throws std::invalid_argument for options that make no sense, engine::InputError when there is no example, or a weight's game has none.
  Batches(std::vector<Item>, BatchOptions);
  /// The next step's; begins the next epoch behind the last.
  Batch next();
  Position position() const { return at_; }
  /// Throws std::invalid_argument for one that there is not.
  void seek(Position);
  int64_t size() const { return static_cast<int64_t>(items_.size()); }  // examples of an epoch
  /// Steps of the first so many epochs.
  int64_t steps(int64_t epochs) const;
  /// Examples of an epoch, in order.
  std::vector<size_t> order(int64_t epoch) const;

 private:
  struct Game { std::vector<size_t> members; int64_t share = 0; };
  size_t step_end(const std::vector<size_t>& order, size_t from) const;

  std::vector<Item> items_;
  BatchOptions options_;
  std::vector<Game> games_;        // all examples are one game where there are no weights
  Position at_;
  std::vector<size_t> order_;      // of at_.epoch
};

}  // namespace ppc::data
