#include "trainers/nn/pages.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

namespace ppc::nn {

Pages::Pages(int64_t pages, int64_t page_size) : page_size_(page_size) {
  if (pages < 0 || page_size < 1 || pages > std::numeric_limits<PageId>::max())
    throw std::invalid_argument("pages: " + std::to_string(pages) + " of " + std::to_string(page_size) + " tokens");
  users_.resize(static_cast<size_t>(pages));
  for (int64_t page = pages; page > 0; page--) free_.push_back(static_cast<PageId>(page - 1));  // the first page is taken first
}

const Pages::Sequence& Pages::at(SequenceId id) const {
  auto found = sequences_.find(id);
  if (found == sequences_.end()) throw std::invalid_argument("no sequence " + std::to_string(id));
  return found->second;
}

SequenceId Pages::add(Sequence sequence) {
  // Ids are not used again soon, so that one that was kept too long is noticed.
  while (sequences_.contains(next_)) next_ = next_ == std::numeric_limits<SequenceId>::max() ? 0 : next_ + 1;
  SequenceId id = next_;
  sequences_.emplace(id, std::move(sequence));
  next_ = id == std::numeric_limits<SequenceId>::max() ? 0 : id + 1;
  return id;
}

PageId Pages::take() {
  PageId page = free_.back();
  free_.pop_back();
  users_[static_cast<size_t>(page)] = 1;
  return page;
}

void Pages::drop(PageId page) {
  if (--users_[static_cast<size_t>(page)] == 0) free_.push_back(page);
}

SequenceId Pages::create() { return add({}); }

SequenceId Pages::fork(SequenceId id, int64_t length) {
  const Sequence& from = at(id);
  if (length < 0 || length > from.length)
    throw std::invalid_argument("a fork of length " + std::to_string(length) + " of a sequence of length " + std::to_string(from.length));
  Sequence to;
  to.length = length;
  to.table.assign(from.table.begin(), from.table.begin() + pages_of(length));
  SequenceId result = add(std::move(to));
  for (PageId page : at(result).table) users_[static_cast<size_t>(page)]++;
  return result;
}

void Pages::truncate(SequenceId id, int64_t length) {
  Sequence& sequence = at(id);
  if (length < 0 || length > sequence.length)
    throw std::invalid_argument("a sequence of length " + std::to_string(sequence.length) + " cannot be truncated to " + std::to_string(length));
  size_t keep = static_cast<size_t>(pages_of(length));
  for (; sequence.table.size() > keep; sequence.table.pop_back()) drop(sequence.table.back());
  sequence.length = length;
}

void Pages::release(SequenceId id) {
  truncate(id, 0);
  sequences_.erase(id);
}

int64_t Pages::length(SequenceId id) const { return at(id).length; }

std::span<const PageId> Pages::table(SequenceId id) const { return at(id).table; }

bool Pages::writes_into_shared(const Sequence& sequence, int64_t tokens) const {
  return tokens > 0 && sequence.length % page_size_ != 0 && users_[static_cast<size_t>(sequence.table.back())] > 1;
}

int64_t Pages::pages_needed(SequenceId id, int64_t tokens) const {
  const Sequence& sequence = at(id);
  if (tokens < 0 || tokens > std::numeric_limits<int64_t>::max() / 2 - sequence.length)
    throw std::invalid_argument(std::to_string(tokens) + " new tokens");
  return pages_of(sequence.length + tokens) - pages_of(sequence.length) + writes_into_shared(sequence, tokens);
}

std::vector<Pages::Copy> Pages::grow(std::span<const Growth> growths) {
  // What those need that share a page depends on the others: the last of its users writes into it as it is.
  int64_t needed = 0;
  std::vector<SequenceId> named;
  std::vector<PageId> shared;
  for (const Growth& growth : growths) {
    needed += pages_needed(growth.sequence, growth.tokens);
    named.push_back(growth.sequence);
    const Sequence& sequence = at(growth.sequence);
    if (writes_into_shared(sequence, growth.tokens)) shared.push_back(sequence.table.back());
  }
  std::sort(named.begin(), named.end());
  if (auto twice = std::adjacent_find(named.begin(), named.end()); twice != named.end())
    throw std::invalid_argument("sequence " + std::to_string(*twice) + " twice");
  std::sort(shared.begin(), shared.end());
  for (auto at = shared.begin(); at != shared.end();) {
    auto end = std::upper_bound(at, shared.end(), *at);
    if (end - at == users_[static_cast<size_t>(*at)]) needed--;
    at = end;
  }
  if (needed > free_pages())
    throw std::runtime_error("the cache is full: " + std::to_string(needed) + " pages needed, " + std::to_string(free_pages()) + " of " +
                             std::to_string(pages()) + " free");
  std::vector<Copy> copies;
  for (const Growth& growth : growths) {
    Sequence& sequence = at(growth.sequence);
    if (writes_into_shared(sequence, growth.tokens)) {
      PageId from = sequence.table.back();
      sequence.table.back() = take();
      users_[static_cast<size_t>(from)]--;  // others have it still
      copies.push_back({from, sequence.table.back(), sequence.length % page_size_});
    }
    sequence.length += growth.tokens;
    while (static_cast<int64_t>(sequence.table.size()) < pages_of(sequence.length)) sequence.table.push_back(take());
  }
  return copies;
}

}  // namespace ppc::nn
