// Who has which page of keys and values: sequences, their lengths and page tables. The pages' contents lie elsewhere.
//
// Sequences share pages after a fork. A shared page is copied when one of them is about to write into it, so that a fork
// costs nothing until then and never fails.
//
// Errors: std::invalid_argument for an unknown sequence or a length it does not have; std::runtime_error without enough free pages.
#pragma once
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "trainers/nn/network.h"

namespace ppc::nn {

using PageId = int32_t;

class Pages {
 public:
  /// `pages` of `page_size` tokens each, all free.
  Pages(int64_t pages, int64_t page_size);

  SequenceId create();
  SequenceId fork(SequenceId, int64_t length);
  void truncate(SequenceId, int64_t length);
  void release(SequenceId);
  int64_t length(SequenceId) const;

  int64_t sequences() const { return static_cast<int64_t>(sequences_.size()); }
  int64_t page_size() const { return page_size_; }
  int64_t pages() const { return static_cast<int64_t>(users_.size()); }
  int64_t free_pages() const { return static_cast<int64_t>(free_.size()); }
  /// What `grow` takes for this sequence alone. Several that share the page they write into take at most the sum.
  int64_t pages_needed(SequenceId, int64_t tokens) const;

  struct Growth {
    SequenceId sequence;
    int64_t tokens;  // new ones, at least 0
  };
  struct Copy {
    PageId from, to;
    int64_t tokens;  // the first of the page; what follows need not be copied
  };
  /// Lengthens the sequences, each named at most once. The caller does the copies, in this order, before it writes. Throws
  /// having changed nothing.
  std::vector<Copy> grow(std::span<const Growth>);

  /// The sequence's pages: token t lies in page t / page_size(), at t % page_size(). Good until the sequence changes.
  std::span<const PageId> table(SequenceId) const;

 private:
  struct Sequence {
    int64_t length = 0;
    std::vector<PageId> table;
  };
  SequenceId add(Sequence);
  const Sequence& at(SequenceId) const;
  Sequence& at(SequenceId id) { return const_cast<Sequence&>(static_cast<const Pages*>(this)->at(id)); }
  PageId take();
  void drop(PageId);
  int64_t pages_of(int64_t tokens) const { return (tokens + page_size_ - 1) / page_size_; }
  bool writes_into_shared(const Sequence&, int64_t tokens) const;

  int64_t page_size_;
  std::vector<int32_t> users_;  // of each page: in how many tables it stands
  std::vector<PageId> free_;
  std::unordered_map<SequenceId, Sequence> sequences_;
  SequenceId next_ = 0;
};

}  // namespace ppc::nn
