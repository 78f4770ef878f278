// The runtime's matcher of formats with holes, `{text in …}`: what test/unit/formats_test.cpp and test/fuzz/format_fuzz.cpp compare with formats
// that have choices in these places.
#pragma once
#include <csetjmp>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/formats/formats.h"
#include "runtime/abi/context.h"
#include "runtime/abi/heap.h"
#include "runtime/abi/segment.h"
#include "runtime/text/utf8.h"

namespace ppc::forms {

class Real {
 public:
  Real(const formats::HoleProgram& program, const std::map<const ast::Expr*, std::vector<std::string>>& lists) : ctx_(size_t{16} << 20) {
    rt::SegmentBuilder pool(PPC_POOL, 0, kTypes, nullptr);
    std::vector<int64_t> all;
    for (const ast::FormatItem* hole : program.holes) {
      std::vector<int64_t> texts;
      for (const std::string& t : lists.at(hole->among.get())) texts.push_back(pool.make_text(t));
      all.push_back(pool.make_list(texts));
    }
    lists_ = pool.make_list(all);
    code_ = pool.make_list(program.code);
    const std::string bytes = pool.bytes();
    pool_.resize(bytes.size() / 8 + 1);
    std::memcpy(pool_.data(), bytes.data(), bytes.size());
    ctx_->types = kTypes;
    ctx_->seg[PPC_POOL] = reinterpret_cast<uint8_t*>(pool_.data());
  }

  /// The fault it ended in, PPC_FAULT_NONE if it came back; `out`: the captures' texts, or nothing.
  uint32_t run(const std::string& reply, std::optional<std::vector<std::string>>& out, int64_t fuel = int64_t{1} << 40) {
    ctx_.reset_step();
    const int64_t v = ctx_.scratch_text(reply, text::check_utf8(reply).ascii);
    jmp_buf back;
    ctx_->fuel = fuel;
    ctx_->fault = PPC_FAULT_NONE;
    ctx_->on_fault = &back;
    volatile int64_t result = 0;
    if (setjmp(back) == 0) result = ppc_rt_text_form(ctx_.get(), v, code_, lists_);
    ctx_->on_fault = nullptr;
    out.reset();
    if (ctx_->fault != PPC_FAULT_NONE || result == 0) return ctx_->fault;
    const rt::List list = rt::list(ctx_.get(), rt::record_field(ctx_.get(), result, 0));
    out.emplace();
    for (uint32_t k = 0; k < list.n; ++k) out->emplace_back(rt::view(ctx_.get(), list[k]));
    return PPC_FAULT_NONE;
  }

 private:
  static constexpr ppc_type kTypes[] = {{PPC_K_TEXT, 0, 0, 0, 0}};
  rt::Context ctx_;
  std::vector<uint64_t> pool_;
  int64_t code_ = 0, lists_ = 0;
};

}  // namespace ppc::forms
