// Pages of keys and values: who shares what, what is copied, what comes back; random histories against a plain model of the contents.
#include "trainers/nn/pages.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <stdexcept>

using ppc::nn::PageId;
using ppc::nn::Pages;
using ppc::nn::SequenceId;

namespace {

std::vector<Pages::Copy> grow(Pages& pages, SequenceId sequence, int64_t tokens) {
  Pages::Growth growth{sequence, tokens};
  return pages.grow({&growth, 1});
}

TEST(Pages, ASequenceTakesPagesAsItGrowsAndGivesThemBack) {
  Pages pages(4, 8);
  SequenceId a = pages.create();
  EXPECT_EQ(pages.length(a), 0);
  EXPECT_EQ(pages.pages_needed(a, 0), 0);
  EXPECT_EQ(pages.pages_needed(a, 8), 1);
  EXPECT_EQ(pages.pages_needed(a, 9), 2);
  grow(pages, a, 8);
  EXPECT_EQ(pages.table(a).size(), 1u);
  EXPECT_EQ(pages.pages_needed(a, 1), 1);
  grow(pages, a, 1);
  EXPECT_EQ(pages.pages_needed(a, 7), 0);
  EXPECT_EQ(pages.free_pages(), 2);
  pages.truncate(a, 8);
  EXPECT_EQ(pages.free_pages(), 3);
  pages.release(a);
  EXPECT_EQ(pages.free_pages(), 4);
}

TEST(Pages, AForkSharesAndCopiesOnlyThePageItWritesInto) {
  Pages pages(10, 4);
  SequenceId a = pages.create();
  grow(pages, a, 10);  // 3 pages, the last with 2 tokens
  SequenceId b = pages.fork(a, 10);
  SequenceId c = pages.fork(a, 8);
  EXPECT_EQ(pages.free_pages(), 7);
  EXPECT_EQ(pages.pages_needed(b, 1), 1);  // the copy
  EXPECT_EQ(pages.pages_needed(c, 1), 1);  // a new page: its last one is full
  auto copies = grow(pages, b, 1);
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_EQ(copies[0].from, pages.table(a)[2]);
  EXPECT_EQ(copies[0].to, pages.table(b)[2]);
  EXPECT_EQ(copies[0].tokens, 2);
  EXPECT_EQ(pages.table(a)[1], pages.table(b)[1]);
  EXPECT_TRUE(grow(pages, c, 1).empty());
  EXPECT_EQ(pages.pages_needed(a, 1), 0);  // nobody else has its last page any more
  EXPECT_TRUE(grow(pages, a, 1).empty());
  pages.release(a);
  EXPECT_EQ(pages.length(b), 11);
  pages.release(b);
  pages.release(c);
  EXPECT_EQ(pages.free_pages(), 10);
}

TEST(Pages, TruncatedIntoASharedPageItIsCopied) {
  Pages pages(3, 4);
  SequenceId a = pages.create();
  grow(pages, a, 8);
  SequenceId b = pages.fork(a, 8);
  pages.truncate(b, 6);
  auto copies = grow(pages, b, 2);
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_EQ(copies[0].tokens, 2);
  EXPECT_NE(pages.table(a)[1], pages.table(b)[1]);
}

TEST(Pages, AllUsersOfAPageThatGrowTogetherLeaveItToTheLast) {
  Pages pages(3, 4);
  SequenceId a = pages.create();
  grow(pages, a, 2);
  SequenceId b = pages.fork(a, 2), c = pages.fork(a, 2);
  EXPECT_EQ(pages.pages_needed(a, 1) + pages.pages_needed(b, 1) + pages.pages_needed(c, 1), 3);
  std::vector<Pages::Growth> all{{a, 1}, {b, 1}, {c, 1}};
  EXPECT_EQ(pages.grow(all).size(), 2u);
  EXPECT_EQ(pages.free_pages(), 0);
}

TEST(Pages, WithoutEnoughPagesNothingChanges) {
  Pages pages(3, 4);
  SequenceId a = pages.create(), b = pages.create();
  grow(pages, a, 6);
  std::vector<Pages::Growth> both{{a, 2}, {b, 5}};
  EXPECT_THROW(pages.grow(both), std::runtime_error);
  EXPECT_EQ(pages.length(a), 6);
  EXPECT_EQ(pages.length(b), 0);
  EXPECT_EQ(pages.free_pages(), 1);
  both[1].tokens = 4;
  pages.grow(both);
  EXPECT_EQ(pages.free_pages(), 0);
  EXPECT_THROW(grow(pages, a, 1), std::runtime_error);
  pages.truncate(a, 0);
  grow(pages, b, 1);
}

TEST(Pages, WhatACallerCouldHaveKnown) {
  Pages pages(2, 4);
  EXPECT_THROW(pages.length(0), std::invalid_argument);
  SequenceId a = pages.create();
  grow(pages, a, 3);
  EXPECT_THROW(pages.fork(a, 4), std::invalid_argument);
  EXPECT_THROW(pages.fork(a, -1), std::invalid_argument);
  EXPECT_THROW(pages.truncate(a, 4), std::invalid_argument);
  EXPECT_THROW(grow(pages, a, -1), std::invalid_argument);
  std::vector<Pages::Growth> twice{{a, 1}, {a, 1}};
  EXPECT_THROW(pages.grow(twice), std::invalid_argument);
  pages.release(a);
  EXPECT_THROW(pages.release(a), std::invalid_argument);
  EXPECT_NE(pages.create(), a);  // an id that was kept too long stays unknown
  EXPECT_THROW(Pages(-1, 4), std::invalid_argument);
  EXPECT_THROW(Pages(4, 0), std::invalid_argument);
}

// Every sequence writes its own numbers into the pages; after any history each still reads what it wrote.
TEST(Pages, RandomHistories) {
  std::mt19937 random(5);
  for (int round = 0; round < 200; round++) {
    const int64_t size = 1 + random() % 5, count = 1 + random() % 30;
    Pages pages(count, size);
    std::vector<int> memory(static_cast<size_t>(count * size), -1);
    std::map<SequenceId, std::vector<int>> expected;
    int written = 0;
    auto any = [&] { return std::next(expected.begin(), static_cast<long>(random() % expected.size())); };
    for (int step = 0; step < 300; step++) {
      unsigned what = random() % 10;
      if (expected.empty() || what == 0) {
        expected[pages.create()];
      } else if (what == 1) {
        auto from = any();
        size_t length = random() % (from->second.size() + 1);
        std::vector<int> contents(from->second.begin(), from->second.begin() + static_cast<long>(length));
        expected[pages.fork(from->first, static_cast<int64_t>(length))] = contents;
      } else if (what == 2) {
        auto one = any();
        size_t length = random() % (one->second.size() + 1);
        one->second.resize(length);
        pages.truncate(one->first, static_cast<int64_t>(length));
      } else if (what == 3) {
        auto one = any();
        pages.release(one->first);
        expected.erase(one);
      } else {
        std::vector<Pages::Growth> growths;
        int64_t sum = 0;
        for (auto& [id, contents] : expected)
          if (random() % 2) {
            growths.push_back({id, static_cast<int64_t>(random() % 4)});
            sum += pages.pages_needed(id, growths.back().tokens);
          }
        const int64_t before = pages.free_pages();
        std::vector<Pages::Copy> copies;
        try {
          copies = pages.grow(growths);
        } catch (const std::runtime_error&) {
          EXPECT_GT(sum, before);
          EXPECT_EQ(pages.free_pages(), before);
          continue;
        }
        EXPECT_LE(before - pages.free_pages(), sum);
        for (auto& copy : copies)
          for (int64_t t = 0; t < copy.tokens; t++) memory[static_cast<size_t>(copy.to * size + t)] = memory[static_cast<size_t>(copy.from * size + t)];
        for (auto& growth : growths)
          for (int64_t t = 0; t < growth.tokens; t++) {
            auto& contents = expected[growth.sequence];
            PageId page = pages.table(growth.sequence)[contents.size() / static_cast<size_t>(size)];
            memory[static_cast<size_t>(page * size) + contents.size() % static_cast<size_t>(size)] = written;
            contents.push_back(written++);
          }
      }
      for (auto& [id, contents] : expected) {
        ASSERT_EQ(pages.length(id), static_cast<int64_t>(contents.size()));
        auto table = pages.table(id);
        for (size_t t = 0; t < contents.size(); t++)
          ASSERT_EQ(memory[static_cast<size_t>(table[t / static_cast<size_t>(size)] * size) + t % static_cast<size_t>(size)], contents[t]);
      }
    }
    while (!expected.empty()) {
      pages.release(expected.begin()->first);
      expected.erase(expected.begin());
    }
    EXPECT_EQ(pages.free_pages(), count);
  }
}

}  // namespace
