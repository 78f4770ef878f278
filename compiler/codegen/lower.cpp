#include "compiler/codegen/lower.h"

#include <llvm/BinaryFormat/Dwarf.h>
#include <llvm/IR/DIBuilder.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

namespace ppc::codegen {

using llvm::BasicBlock;
using llvm::Value;
using rules::Instr;
using rules::Op;
using rules::Terminator;

// ---- what is shared with automata -------------------------------------------------------------------------------------

Shared::Shared(llvm::Module& m) : module(m), context(m.getContext()) {
  i1 = llvm::Type::getInt1Ty(context);
  i8 = llvm::Type::getInt8Ty(context);
  i32 = llvm::Type::getInt32Ty(context);
  i64 = llvm::Type::getInt64Ty(context);
  f64 = llvm::Type::getDoubleTy(context);
  ptr = llvm::PointerType::get(context, 0);
  llvm::MDBuilder md(context);
  llvm::MDNode* root = md.createTBAARoot("ppc");
  auto tag = [&](const char* name) {
    llvm::MDNode* type = md.createTBAAScalarTypeNode(name, root);
    return md.createTBAAStructTagNode(type, type, 0);
  };
  context_memory = tag("context");
  segment_memory = tag("segments");
  likely = md.createLikelyBranchWeights();
  unlikely = md.createUnlikelyBranchWeights();
}

Value* Shared::load_context(llvm::IRBuilder<>& b, Value* ctx, size_t offset, llvm::Type* type, const char* name) {
  auto* load = b.CreateLoad(type, at(b, ctx, offset), name);
  load->setMetadata(llvm::LLVMContext::MD_tbaa, context_memory);
  return load;
}
void Shared::store_context(llvm::IRBuilder<>& b, Value* ctx, size_t offset, Value* v) {
  b.CreateStore(v, at(b, ctx, offset))->setMetadata(llvm::LLVMContext::MD_tbaa, context_memory);
}
Value* Shared::load_memory(llvm::IRBuilder<>& b, Value* address, llvm::Type* type, unsigned align, const char* name) {
  auto* load = b.CreateAlignedLoad(type, address, llvm::Align(align), name);
  load->setMetadata(llvm::LLVMContext::MD_tbaa, segment_memory);
  return load;
}
void Shared::store_memory(llvm::IRBuilder<>& b, Value* address, Value* v, unsigned align) {
  b.CreateAlignedStore(v, address, llvm::Align(align))->setMetadata(llvm::LLVMContext::MD_tbaa, segment_memory);
}
Value* Shared::segment(llvm::IRBuilder<>& b, Value* ctx, unsigned which) {
  return load_context(b, ctx, offsetof(ppc_ctx, seg) + sizeof(uint8_t*) * which, ptr, "segment");
}
Value* Shared::address_of(llvm::IRBuilder<>& b, Value* ctx, Value* reference) {
  Value* which = b.CreateLShr(reference, 61);
  Value* slot = b.CreateInBoundsGEP(ptr, at(b, ctx, offsetof(ppc_ctx, seg)), which);
  auto* base = b.CreateLoad(ptr, slot, "segment");
  base->setMetadata(llvm::LLVMContext::MD_tbaa, context_memory);
  Value* offset = b.CreateAnd(b.CreateLShr(reference, 28), 0xFFFFFFFFu);
  return b.CreateInBoundsGEP(i8, base, offset, "bytes");
}
Value* Shared::length_of(llvm::IRBuilder<>& b, Value* text) { return b.CreateAnd(text, PPC_MAX_TEXT, "length"); }

namespace {

constexpr unsigned kItemAlign = 1;  // what a host puts into a segment need not be aligned; x86 and ARM don't mind

// ---- places in the game's source ----------------------------------------------------------------------------------------

class Lines {
 public:
  Lines(llvm::Module& module, const rules::Program& program, bool wanted) : sources_(program.sources) {
    if (!wanted || !sources_ || sources_->size() == 0) return;
    module.addModuleFlag(llvm::Module::Warning, "Debug Info Version", llvm::DEBUG_METADATA_VERSION);
    module.addModuleFlag(llvm::Module::Max, "Dwarf Version", 4);
    builder_ = std::make_unique<llvm::DIBuilder>(module);
    for (uint32_t i = 0; i < sources_->size(); ++i) {
      std::error_code none;
      const auto path = std::filesystem::absolute((*sources_)[i].path(), none);
      files_.push_back(builder_->createFile(path.filename().string(), path.parent_path().string()));
    }
    builder_->createCompileUnit(llvm::dwarf::DW_LANG_C99, files_[0], "ppc", true, "", 0, "",
                                llvm::DICompileUnit::LineTablesOnly);
  }

  void begin(llvm::Function* f, const rules::Function& function) {
    if (!builder_) return;
    const Span span = function.span;
    llvm::DIFile* file = files_[std::min<size_t>(span.file, files_.size() - 1)];
    auto* type = builder_->createSubroutineType(builder_->getOrCreateTypeArray({}));
    const unsigned line = place(span).line;
    scope_ = builder_->createFunction(file, function.name, "", file, line, type, line, llvm::DINode::FlagZero,
                                      llvm::DISubprogram::SPFlagDefinition | llvm::DISubprogram::SPFlagLocalToUnit |
                                          llvm::DISubprogram::SPFlagOptimized);
    f->setSubprogram(scope_);
  }

  llvm::DebugLoc at(Span span) {
    if (!builder_) return {};
    const LineColumn p = place(span);
    return llvm::DILocation::get(scope_->getContext(), p.line, std::min(p.column, 65535u), scope(span.file));
  }

  void finish() {
    if (builder_) builder_->finalize();
  }

 private:
  LineColumn place(Span span) const {
    return span.file < sources_->size() ? (*sources_)[span.file].line_column(span.begin) : LineColumn{};
  }
  // A function may hold pieces of another file, such as what it includes.
  llvm::DILocalScope* scope(uint32_t file) {
    if (file >= files_.size() || files_[file] == scope_->getFile()) return scope_;
    return builder_->createLexicalBlockFile(scope_, files_[file]);
  }

  const Sources* sources_;
  std::unique_ptr<llvm::DIBuilder> builder_;
  std::vector<llvm::DIFile*> files_;
  llvm::DISubprogram* scope_ = nullptr;
};

// ---- a program --------------------------------------------------------------------------------------------------------

class ProgramLowering {
 public:
  ProgramLowering(const rules::Program& program, llvm::Module& module, bool debug_info)
      : program(program), module(module), shared(module), lines(module, program, debug_info), frames(debug_info) {}

  void run();
  llvm::Function* runtime(ppc::Builtin);
  llvm::Function* runtime(const char* symbol, llvm::FunctionType*);
  llvm::Function* match(uint32_t automaton) {
    if (automaton >= matches_.size()) throw std::runtime_error("an automaton that is not there");
    return matches_[automaton];
  }

  const rules::Program& program;
  llvm::Module& module;
  Shared shared;
  Lines lines;
  bool frames;  // make stack traces possible
  std::vector<llvm::Function*> functions;

 private:
  llvm::Function* declare(const rules::Function&);
  void emit_module();
  llvm::GlobalVariable* bytes(std::string_view, const char* name, unsigned align);

  std::vector<llvm::Function*> matches_;
};

llvm::Function* ProgramLowering::runtime(const char* symbol, llvm::FunctionType* type) {
  if (auto* known = module.getFunction(symbol)) return known;
  auto* f = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, symbol, module);
  f->setDoesNotThrow();
  // No memory attributes: all of them may charge fuel, allocate and leave by longjmp.
  return f;
}
llvm::Function* ProgramLowering::runtime(ppc::Builtin builtin) {
  const BuiltinInfo& i = info(builtin);
  std::vector<llvm::Type*> params(1 + i.argc, shared.i64);
  params[0] = shared.ptr;
  return runtime(i.symbol, llvm::FunctionType::get(shared.i64, params, false));
}

// ---- a function -------------------------------------------------------------------------------------------------------

class FunctionLowering {
 public:
  FunctionLowering(ProgramLowering& program, const rules::Function& function, llvm::Function* f)
      : program_(program), s_(program.shared), function_(function), f_(f), b_(s_.context) {}

  void run() {
    ctx_ = f_->getArg(0);
    if (function_.blocks.empty()) fail("no blocks");
    constants();
    program_.lines.begin(f_, function_);
    BasicBlock* entry = BasicBlock::Create(s_.context, "entry", f_);
    for (const rules::Block& block : function_.blocks)
      blocks_.push_back(BasicBlock::Create(s_.context, block.label.empty() ? "block" : block.label, f_));
    b_.SetInsertPoint(entry);
    b_.SetCurrentDebugLocation(program_.lines.at(function_.span));
    for (const rules::RegInfo& r : function_.regs) registers_.push_back(b_.CreateAlloca(s_.i64, nullptr, r.name));
    size_t most = 0;
    for (const rules::Block& block : function_.blocks) {
      for (const Instr& i : block.instrs) {
        if (i.op == Op::Concat) most = std::max(most, i.args.size());
      }
    }
    if (most) texts_ = b_.CreateAlloca(llvm::ArrayType::get(s_.i64, most), nullptr, "texts");
    for (auto* r : registers_) b_.CreateStore(b_.getInt64(0), r);
    if (!function_.is_entry) {
      if (function_.params > registers_.size()) fail("more parameters than registers");
      for (uint32_t i = 0; i < function_.params; ++i) b_.CreateStore(f_->getArg(i + 1), registers_[i]);
    }
    b_.CreateBr(blocks_[0]);
    for (size_t i = 0; i < blocks_.size(); ++i) {
      b_.SetInsertPoint(blocks_[i]);
      known_place_ = false;
      for (const Instr& instr : function_.blocks[i].instrs) {
        b_.SetCurrentDebugLocation(program_.lines.at(instr.span));
        emit(instr);
      }
      b_.SetCurrentDebugLocation(program_.lines.at(function_.blocks[i].end.span));
      emit(function_.blocks[i].end);
    }
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error("function `" + function_.name + "`: " + what);
  }

  // ---- registers ------------------------------------------------------------------------------------------------------

  // Registers that hold one constant wherever they are read.
  void constants() {
    std::vector<unsigned> writes(function_.regs.size());
    values_.assign(function_.regs.size(), {});
    for (uint32_t i = 0; i < function_.params && i < writes.size(); ++i) ++writes[i];
    for (const rules::Block& block : function_.blocks) {
      for (const Instr& i : block.instrs) {
        if (i.dst == rules::kNoReg) continue;
        if (i.dst >= writes.size()) fail("a register that is not there");
        ++writes[i.dst];
        values_[i.dst] = i.op == Op::Const ? std::optional(i.imm) : std::nullopt;
      }
    }
    for (size_t r = 0; r < writes.size(); ++r) {
      if (writes[r] != 1) values_[r].reset();
    }
  }
  Value* get(rules::Reg r) {
    if (r >= registers_.size()) fail("a register that is not there");
    return b_.CreateLoad(s_.i64, registers_[r]);
  }
  Value* arg(const Instr& i, size_t n) {
    if (n >= i.args.size()) fail("an instruction without its arguments");
    return get(i.args[n]);
  }
  Value* float_arg(const Instr& i, size_t n) { return b_.CreateBitCast(arg(i, n), s_.f64); }
  void set(const Instr& i, Value* v) {
    if (i.dst == rules::kNoReg) return;
    if (i.dst >= registers_.size()) fail("a register that is not there");
    if (v->getType() == s_.f64) v = b_.CreateBitCast(v, s_.i64);
    if (v->getType() != s_.i64) v = b_.CreateZExt(v, s_.i64);
    b_.CreateStore(v, registers_[i.dst]);
  }
  BasicBlock* target(rules::BlockId id) {
    if (id >= blocks_.size()) fail("a block that is not there");
    return blocks_[id];
  }
  BasicBlock* block(const char* name) { return BasicBlock::Create(s_.context, name, f_); }

  // ---- faults, fuel, places ---------------------------------------------------------------------------------------------

  // Before whatever may fault, or records where it was.
  void store_place(Span span) {
    const uint32_t loc = place(span);
    if (known_place_ && loc == place_) return;
    s_.store_context(b_, ctx_, offsetof(ppc_ctx, loc), b_.getInt32(loc));
    known_place_ = true;
    place_ = loc;
  }
  uint32_t place(Span span) {
    if (span != span_) {
      span_ = span;
      span_loc_ = rules::loc_of(program_.program.sources, span);
    }
    return span_loc_;
  }
  // Where a fault of this kind at this place is raised. The place is stored there, not before.
  BasicBlock* fault(uint32_t kind, Span span) {
    BasicBlock*& b = faults_[{kind, place(span)}];
    if (b) return b;
    b = block("fault");
    llvm::IRBuilder<>::InsertPointGuard keep(b_);
    b_.SetInsertPoint(b);
    s_.store_context(b_, ctx_, offsetof(ppc_ctx, loc), b_.getInt32(place(span)));
    auto* type = llvm::FunctionType::get(b_.getVoidTy(), {s_.ptr, s_.i32}, false);
    llvm::Function* f = program_.runtime("ppc_rt_fault", type);
    f->setDoesNotReturn();
    f->addFnAttr(llvm::Attribute::Cold);
    b_.CreateCall(f, {ctx_, b_.getInt32(kind)})->setDoesNotReturn();
    b_.CreateUnreachable();
    return b;
  }
  void fault_if(Value* condition, uint32_t kind, Span span) {
    BasicBlock* on = block("on");
    b_.CreateCondBr(condition, fault(kind, span), on, s_.unlikely);
    b_.SetInsertPoint(on);
  }
  void charge(Span span) {
    Value* fuel = s_.load_context(b_, ctx_, offsetof(ppc_ctx, fuel), s_.i64, "fuel");
    Value* left = b_.CreateSub(fuel, b_.getInt64(1));
    s_.store_context(b_, ctx_, offsetof(ppc_ctx, fuel), left);
    fault_if(b_.CreateICmpSLT(left, b_.getInt64(0)), PPC_FAULT_STEPS, span);
  }

  // ---- state ------------------------------------------------------------------------------------------------------------

  // Read anew each time: the state moves when it grows.
  Value* state(size_t offset) { return s_.at(b_, s_.segment(b_, ctx_, PPC_STATE), offset); }
  Value* slot(int64_t index) {
    if (index < 0 || index > INT32_MAX) fail("a slot that is not there");
    return state(PPC_SLOT_OFFSET(index));
  }
  Value* game_slot(int64_t index) {
    return slot(index + 2 * static_cast<int64_t>(program_.program.manifest.players.size()));
  }
  void set_state(size_t offset, uint32_t v) { s_.store_memory(b_, state(offset), b_.getInt32(v), 4); }

  // ---- instructions -------------------------------------------------------------------------------------------------------

  void emit(const Instr& i) {
    switch (i.op) {
      case Op::Const: return set(i, b_.getInt64(static_cast<uint64_t>(i.imm)));
      case Op::Move: return set(i, arg(i, 0));
      case Op::AddInt: return checked(i, llvm::Intrinsic::sadd_with_overflow, arg(i, 0), arg(i, 1));
      case Op::SubInt: return checked(i, llvm::Intrinsic::ssub_with_overflow, arg(i, 0), arg(i, 1));
      case Op::MulInt: return checked(i, llvm::Intrinsic::smul_with_overflow, arg(i, 0), arg(i, 1));
      case Op::NegInt: return checked(i, llvm::Intrinsic::ssub_with_overflow, b_.getInt64(0), arg(i, 0));
      case Op::AddFloat: return set(i, b_.CreateFAdd(float_arg(i, 0), float_arg(i, 1)));
      case Op::SubFloat: return set(i, b_.CreateFSub(float_arg(i, 0), float_arg(i, 1)));
      case Op::MulFloat: return set(i, b_.CreateFMul(float_arg(i, 0), float_arg(i, 1)));
      case Op::NegFloat: return set(i, b_.CreateFNeg(float_arg(i, 0)));
      case Op::IntToFloat: return set(i, b_.CreateSIToFP(arg(i, 0), s_.f64));
      case Op::EqInt: return set(i, b_.CreateICmpEQ(arg(i, 0), arg(i, 1)));
      case Op::LtInt: return set(i, b_.CreateICmpSLT(arg(i, 0), arg(i, 1)));
      case Op::LeInt: return set(i, b_.CreateICmpSLE(arg(i, 0), arg(i, 1)));
      case Op::EqFloat: return set(i, b_.CreateFCmpOEQ(float_arg(i, 0), float_arg(i, 1)));
      case Op::LtFloat: return set(i, b_.CreateFCmpOLT(float_arg(i, 0), float_arg(i, 1)));
      case Op::LeFloat: return set(i, b_.CreateFCmpOLE(float_arg(i, 0), float_arg(i, 1)));
      case Op::Not: return set(i, b_.CreateICmpEQ(arg(i, 0), b_.getInt64(0)));
      case Op::LoadSlot: return set(i, s_.load_memory(b_, game_slot(i.imm), s_.i64, 8, "slot"));
      case Op::StoreSlot: return s_.store_memory(b_, game_slot(i.imm), arg(i, 0), 8);
      case Op::LoadFrame: return set(i, s_.load_memory(b_, slot(i.imm), s_.i64, 8, "frame"));
      case Op::StoreFrame: return s_.store_memory(b_, slot(i.imm), arg(i, 0), 8);
      case Op::LoadField: {
        if (i.imm2 > 7 || i.imm < 0 || i.imm > INT32_MAX) fail("a field that is not there");
        Value* field = s_.at(b_, s_.segment(b_, ctx_, i.imm2), 8 + 8 * static_cast<uint64_t>(i.imm));
        return set(i, s_.load_memory(b_, field, s_.i64, kItemAlign, "field"));
      }
      case Op::Reply: return set(i, s_.load_context(b_, ctx_, offsetof(ppc_ctx, reply), s_.i64, "reply"));
      case Op::Argument: {
        if (!function_.is_entry || i.imm < 0 || i.imm > INT32_MAX) fail("an argument outside of an entry");
        Value* at = s_.at(b_, f_->getArg(1), 8 * static_cast<uint64_t>(i.imm));
        return set(i, b_.CreateLoad(s_.i64, at, "argument"));
      }
      case Op::Call: return call(i);
      case Op::Builtin: return builtin(i);
      case Op::Concat: return concat(i);
      case Op::Match: return match(i);
      case Op::Capture: return capture(i);
      case Op::Outcome:
        return set(i, s_.load_memory(b_, state(offsetof(ppc_state, outcome)), s_.i32, 4, "outcome"));
      case Op::WantEvents: {
        Value* want = s_.load_context(b_, ctx_, offsetof(ppc_ctx, want_events), s_.i32, "want");
        Value* result = b_.CreateICmpNE(want, b_.getInt32(0));
        for (size_t k = 0; k < i.args.size(); ++k) {
          Value* longer = b_.CreateICmpSGT(s_.length_of(b_, arg(i, k)), b_.getInt64(static_cast<uint64_t>(i.imm)));
          result = b_.CreateOr(result, longer);
        }
        return set(i, result);
      }
      case Op::LoadFuel: return set(i, s_.load_context(b_, ctx_, offsetof(ppc_ctx, fuel), s_.i64, "fuel"));
      case Op::StoreFuel: return s_.store_context(b_, ctx_, offsetof(ppc_ctx, fuel), arg(i, 0));
    }
    fail("an instruction that the code generator does not know");
  }

  void checked(const Instr& i, llvm::Intrinsic::ID op, Value* a, Value* b) {
    Value* both = b_.CreateBinaryIntrinsic(op, a, b);
    Value* result = b_.CreateExtractValue(both, 0);
    fault_if(b_.CreateExtractValue(both, 1), PPC_FAULT_OVERFLOW, i.span);
    set(i, result);
  }

  void call(const Instr& i) {
    if (i.imm < 0 || static_cast<size_t>(i.imm) >= program_.functions.size()) fail("a call of what is not there");
    const rules::Function& callee = program_.program.functions[static_cast<size_t>(i.imm)];
    if (i.args.size() != callee.params || callee.is_entry) fail("a call that does not fit `" + callee.name + "`");
    charge(i.span);
    std::vector<Value*> args{ctx_};
    for (size_t k = 0; k < i.args.size(); ++k) args.push_back(arg(i, k));
    set(i, b_.CreateCall(program_.functions[static_cast<size_t>(i.imm)], args));
    known_place_ = false;
  }

  Value* call_runtime(const Instr& i) {
    const BuiltinInfo& f = info(i.builtin);
    if (i.args.size() != f.argc) fail(std::string("a call that does not fit `") + f.symbol + "`");
    store_place(i.span);
    std::vector<Value*> args{ctx_};
    for (size_t k = 0; k < i.args.size(); ++k) args.push_back(arg(i, k));
    return b_.CreateCall(program_.runtime(i.builtin), args);
  }

  // A few short texts: those that are constants are stored as they are, of the others 16 bytes are copied however long
  // they are, within one page so that nothing is read that can't be. What grows piece by piece grows in place. Long
  // texts, for which fuel is charged, and whatever else does not fit go to the runtime, which has the same result.
  void concat(const Instr& i) {
    constexpr size_t kMost = 8;
    constexpr uint64_t kWide = 16, kFree = 64;
    struct Part {
      Value *text, *length;
      std::string bytes;  // of a constant
      bool constant, ascii;
    };
    std::vector<Part> parts;
    size_t certain = 0, widest = 0;  // parts that are not empty, and what the constants come to
    for (rules::Reg r : i.args) {
      Part part{get(r), nullptr, {}, false, false};
      const std::optional<int64_t> known = r < values_.size() ? values_[r] : std::nullopt;
      const std::string& pool = program_.program.pool;
      if (known && (*known == 0 || PPC_SEGMENT(*known) == PPC_POOL)) {
        const uint64_t from = PPC_OFFSET(*known), n = PPC_LENGTH(*known);
        if (from + n > pool.size()) fail("a constant outside of the pool");
        if (n == 0) continue;
        part.constant = true;
        part.ascii = PPC_ASCII(*known) != 0;
        part.bytes = pool.substr(from, n);
        widest += n;
        ++certain;
      }
      part.length = s_.length_of(b_, part.text);
      parts.push_back(std::move(part));
    }
    if (parts.size() < 2 || parts.size() > kMost || widest >= kFree) return set(i, call_concat(i));
    Value* const none = b_.getInt64(0);
    Value* top = b_.CreateZExt(s_.load_context(b_, ctx_, offsetof(ppc_ctx, scratch_top), s_.i32, "top"), s_.i64);
    Value* cap = b_.CreateZExt(s_.load_context(b_, ctx_, offsetof(ppc_ctx, scratch_cap), s_.i32, "cap"), s_.i64);
    Value *start = top, *total = none, *ascii = b_.getInt64(~uint64_t{0}), *crosses = none, *count = none;
    Value* can = b_.getTrue();
    for (size_t k = 0; k < parts.size(); ++k) {
      Part& part = parts[k];
      total = b_.CreateAdd(total, part.length);
      if (part.constant) {
        if (!part.ascii) ascii = b_.CreateAnd(ascii, ~(uint64_t{1} << 60));
        continue;
      }
      Value* empty = b_.CreateICmpEQ(part.length, none);
      ascii = b_.CreateAnd(ascii, b_.CreateSelect(empty, b_.getInt64(~uint64_t{0}), part.text));
      count = b_.CreateAdd(count, b_.CreateZExt(b_.CreateNot(empty), s_.i64));
      if (k == 0) {  // on top already: nothing of it is copied
        Value* from = b_.CreateAnd(b_.CreateLShr(part.text, 28), 0xFFFFFFFFu);
        Value* scratch = b_.CreateICmpEQ(b_.CreateLShr(part.text, 61), b_.getInt64(PPC_SCRATCH));
        Value* grows = b_.CreateAnd(scratch, b_.CreateICmpEQ(b_.CreateAdd(from, part.length), top));
        start = b_.CreateSelect(grows, from, start);
        part.length = b_.CreateSelect(grows, none, part.length);
      }
      can = b_.CreateAnd(can, b_.CreateICmpULE(part.length, b_.getInt64(kWide)));
      Value* address = b_.CreatePtrToInt(s_.address_of(b_, ctx_, part.text), s_.i64);
      crosses = b_.CreateOr(crosses, b_.CreateXor(address, b_.CreateAdd(address, b_.getInt64(kWide - 1))));
    }
    can = b_.CreateAnd(can, b_.CreateICmpULT(total, b_.getInt64(kFree)));
    can = b_.CreateAnd(can, b_.CreateICmpEQ(b_.CreateAnd(crosses, 4096), none));
    can = b_.CreateAnd(can, b_.CreateICmpULE(b_.CreateAdd(top, b_.getInt64(kFree + 2 * kWide)), cap));
    if (certain < 2) can = b_.CreateAnd(can, b_.CreateICmpUGE(count, b_.getInt64(2 - certain)));
    quick_or(i, can, [&]() -> Value* {
      Value *base = s_.segment(b_, ctx_, PPC_SCRATCH), *to = top;
      for (const Part& part : parts) {
        Value* address = b_.CreateInBoundsGEP(s_.i8, base, to);
        if (part.constant) {
          for (size_t at = 0; at < part.bytes.size(); at += 8) {
            uint64_t word = 0;
            const size_t n = std::min<size_t>(8, part.bytes.size() - at);
            for (size_t k = 0; k < n; ++k) word |= uint64_t{static_cast<uint8_t>(part.bytes[at + k])} << 8 * k;
            Value* v = n == 1 ? static_cast<Value*>(b_.getInt8(static_cast<uint8_t>(word))) : b_.getInt64(word);
            s_.store_memory(b_, s_.at(b_, address, at), v, 1);
          }
        } else {
          auto* wide = llvm::FixedVectorType::get(s_.i8, kWide);
          Value* from = s_.address_of(b_, ctx_, part.text);
          s_.store_memory(b_, address, s_.load_memory(b_, from, wide, 1, "wide"), 1);
        }
        to = b_.CreateAdd(to, part.length);
      }
      s_.store_context(b_, ctx_, offsetof(ppc_ctx, scratch_top), b_.CreateTrunc(to, s_.i32));
      Value* head = b_.CreateOr(b_.CreateAnd(ascii, uint64_t{1} << 60), uint64_t{PPC_SCRATCH} << 61);
      return b_.CreateOr(b_.CreateOr(head, b_.CreateShl(start, 28)), total);
    }, [&] { return call_concat(i); });
  }
  Value* call_concat(const Instr& i) {
    for (size_t k = 0; k < i.args.size(); ++k) b_.CreateStore(arg(i, k), s_.at(b_, texts_, 8 * k));
    store_place(i.span);
    auto* type = llvm::FunctionType::get(s_.i64, {s_.ptr, s_.ptr, s_.i64}, false);
    Value* texts = texts_ ? static_cast<Value*>(texts_) : llvm::ConstantPointerNull::get(s_.ptr);
    return b_.CreateCall(program_.runtime("ppc_rt_concat", type), {ctx_, texts, b_.getInt64(i.args.size())});
  }

  void match(const Instr& i) {
    if (i.imm < 0 || i.imm > INT32_MAX) fail("an automaton that is not there");
    llvm::Function* automaton = program_.match(static_cast<uint32_t>(i.imm));
    Value* text = arg(i, 0);
    if (i.imm2 != 1) return set(i, b_.CreateCall(automaton, {ctx_, text}));
    Value* valid = s_.load_context(b_, ctx_, offsetof(ppc_ctx, reply_valid), s_.i32, "valid");
    BasicBlock *before = b_.GetInsertBlock(), *look = block("match"), *on = block("on");
    b_.CreateCondBr(b_.CreateICmpNE(valid, b_.getInt32(0)), look, on, s_.likely);
    b_.SetInsertPoint(look);
    Value* matches = b_.CreateCall(automaton, {ctx_, text});
    b_.CreateBr(on);
    b_.SetInsertPoint(on);
    auto* result = b_.CreatePHI(s_.i1, 2);
    result->addIncoming(b_.getFalse(), before);
    result->addIncoming(matches, look);
    set(i, result);
  }

  // The part of a text; the empty one is 0.
  Value* part(Value* text, Value* from, Value* length) {
    Value* head = b_.CreateAnd(text, ~uint64_t{PPC_MAX_TEXT});  // segment, ASCII, offset
    Value* moved = b_.CreateAdd(head, b_.CreateShl(from, 28));
    return b_.CreateOr(moved, length);
  }

  void capture(const Instr& i) {
    if (i.imm < 0 || i.imm > 31) fail("a capture that is not there");
    const size_t at = offsetof(ppc_ctx, captures) + 8 * static_cast<size_t>(i.imm);
    Value* begin = b_.CreateZExt(s_.load_context(b_, ctx_, at, s_.i32, "begin"), s_.i64);
    Value* end = b_.CreateZExt(s_.load_context(b_, ctx_, at + 4, s_.i32, "end"), s_.i64);
    Value* length = b_.CreateSub(end, begin);
    Value* text = part(arg(i, 0), begin, length);
    set(i, b_.CreateSelect(b_.CreateICmpEQ(length, b_.getInt64(0)), b_.getInt64(0), text));
  }

  // ---- builtins that have a short way -------------------------------------------------------------------------------------

  // Takes `quick` when `can`, else the runtime's function, which has the same result and charges the same where both
  // could be taken.
  template <class Quick>
  void quick_or_call(const Instr& i, Value* can, Quick quick) {
    quick_or(i, can, quick, [&] { return call_runtime(i); });
  }
  template <class Quick, class Slow>
  void quick_or(const Instr& i, Value* can, Quick quick, Slow call) {
    BasicBlock *fast = block("fast"), *slow = block("slow"), *on = block("on");
    b_.CreateCondBr(can, fast, slow, s_.likely);
    b_.SetInsertPoint(fast);
    Value* a = quick();
    BasicBlock* from = b_.GetInsertBlock();
    b_.CreateBr(on);
    b_.SetInsertPoint(slow);
    const bool known = known_place_;
    const uint32_t place = place_;
    Value* b = call();
    known_place_ = known && place == place_;
    BasicBlock* from_slow = b_.GetInsertBlock();
    b_.CreateBr(on);
    b_.SetInsertPoint(on);
    auto* result = b_.CreatePHI(s_.i64, 2);
    result->addIncoming(a->getType() == s_.i64 ? a : zext_before(a, from), from);
    result->addIncoming(b, from_slow);
    set(i, result);
  }
  Value* zext_before(Value* v, BasicBlock* at_end_of) {
    llvm::IRBuilder<>::InsertPointGuard keep(b_);
    b_.SetInsertPoint(at_end_of->getTerminator());
    return b_.CreateZExt(v, s_.i64);
  }
  Value* is_ascii(Value* text) { return b_.CreateTrunc(b_.CreateLShr(text, 60), s_.i1); }

  void builtin(const Instr& i) {
    if (i.args.size() == info(i.builtin).argc) {
      switch (i.builtin) {
        case Builtin::TextEq: {
          // Texts of 64 bytes and more are charged for.
          Value *a = arg(i, 0), *b = arg(i, 1);
          Value *n = s_.length_of(b_, a), *same = b_.CreateICmpEQ(a, b);
          Value* differ = b_.CreateICmpNE(n, s_.length_of(b_, b));
          Value* decided = b_.CreateAnd(b_.CreateOr(same, differ), b_.CreateICmpULT(n, b_.getInt64(64)));
          // Letters are compared in place. (An empty text refers to where the state begins, which can be read too.)
          Value* letters = b_.CreateAnd(b_.CreateNot(differ), b_.CreateICmpEQ(n, b_.getInt64(1)));
          return quick_or_call(i, b_.CreateOr(decided, letters), [&]() -> Value* {
            Value* x = s_.load_memory(b_, s_.address_of(b_, ctx_, a), s_.i8, 1, "letter");
            Value* y = s_.load_memory(b_, s_.address_of(b_, ctx_, b), s_.i8, 1, "letter");
            return b_.CreateSelect(letters, b_.CreateICmpEQ(x, y), same);
          });
        }
        case Builtin::TextTrimmed:
        case Builtin::TextTrimmedStart:
        case Builtin::TextTrimmedEnd: {
          // Nothing to trim at an ASCII character that is no white space; nothing is charged for it either.
          Value *a = arg(i, 0), *n = s_.length_of(b_, a);
          Value *bytes = s_.address_of(b_, ctx_, a), *some = b_.CreateICmpNE(n, b_.getInt64(0)), *can = some;
          auto stays = [&](Value* address) {
            Value* ch = s_.load_memory(b_, address, s_.i8, 1, "ch");
            can = b_.CreateAnd(can, b_.CreateICmpSGT(ch, b_.getInt8(' ')));
          };
          if (i.builtin != Builtin::TextTrimmedEnd) stays(bytes);
          if (i.builtin != Builtin::TextTrimmedStart)
            stays(b_.CreateInBoundsGEP(s_.i8, bytes, b_.CreateSub(n, b_.CreateZExt(some, s_.i64))));
          return quick_or_call(i, can, [&] { return a; });
        }
        case Builtin::ListSet: {
          // In the scratch, where nothing has to be persisted.
          Value *list = arg(i, 0), *k = arg(i, 1);
          Value* mine = b_.CreateICmpEQ(b_.CreateLShr(list, 61), b_.getInt64(PPC_SCRATCH));
          Value *can = inside(list, k, b_.CreateAnd(mine, is_object(list))), *v = arg(i, 2);
          return quick_or_call(i, can, [&] {
            s_.store_memory(b_, item_at(list, k), v, kItemAlign);
            return list;
          });
        }
        case Builtin::TextLength: {
          Value* a = arg(i, 0);
          return quick_or_call(i, is_ascii(a), [&] { return s_.length_of(b_, a); });
        }
        case Builtin::TextAt: {
          Value *a = arg(i, 0), *k = arg(i, 1);
          Value* can = b_.CreateAnd(is_ascii(a), b_.CreateICmpULT(k, s_.length_of(b_, a)));
          return quick_or_call(i, can, [&] { return part(a, k, b_.getInt64(1)); });
        }
        case Builtin::ListLength: {
          Value* list = arg(i, 0);
          return quick_or_call(i, is_object(list), [&] { return list_length(list); });
        }
        case Builtin::ListAt: {
          Value *list = arg(i, 0), *k = arg(i, 1), *can = inside(list, k, is_object(list));
          return quick_or_call(i, can, [&] { return s_.load_memory(b_, item_at(list, k), s_.i64, kItemAlign, "item"); });
        }
        case Builtin::RecordGet: {
          Value* index = b_.CreateAnd(arg(i, 1), 0xFFFFFFFFu);
          Value* field = b_.CreateInBoundsGEP(s_.i64, s_.address_of(b_, ctx_, arg(i, 0)), index);
          return set(i, s_.load_memory(b_, field, s_.i64, kItemAlign, "field"));
        }
        case Builtin::IsNone: return set(i, b_.CreateICmpEQ(arg(i, 0), b_.getInt64(0)));
        case Builtin::ValueOf: {
          Value* a = arg(i, 0);
          fault_if(b_.CreateICmpEQ(a, b_.getInt64(0)), PPC_FAULT_NONE_VALUE, i.span);
          return set(i, s_.load_memory(b_, s_.address_of(b_, ctx_, a), s_.i64, kItemAlign, "value"));
        }
        case Builtin::Persist: {
          // What is not in the scratch or the reply stays where it is.
          const engine::TypeInfo* type = type_of(i.args[1]);
          if (!type) break;
          Value* a = arg(i, 0);
          const std::string& k = type->kind;
          if (k == "int" || k == "bool" || k == "enum" || k == "float") return set(i, a);
          Value* which = b_.CreateLShr(a, 61);
          const uint64_t temporary = uint64_t{1} << PPC_SCRATCH | uint64_t{1} << PPC_REPLY;
          Value* stays = b_.CreateTrunc(b_.CreateLShr(b_.getInt64(~temporary & 0xFF), which), s_.i1);
          if (k != "text" && k != "regex" && k != "document") stays = b_.CreateAnd(stays, is_object(a));
          return quick_or_call(i, stays, [&] { return a; });
        }
        default: break;
      }
    }
    set(i, call_runtime(i));
  }

  Value* is_object(Value* reference) {
    return b_.CreateICmpNE(b_.CreateAnd(reference, uint64_t{0xFFFFFFFF} << 28), b_.getInt64(0));
  }
  Value* list_length(Value* list) {
    Value* n = s_.load_memory(b_, s_.address_of(b_, ctx_, list), s_.i32, kItemAlign, "n");
    return b_.CreateZExt(n, s_.i64);
  }
  /// Whether `k` is a place in the list, as far as `known` holds; only then the list's length is looked at: one with offset 0 is
  /// empty, and what lies there is not its length.
  Value* inside(Value* list, Value* k, Value* known) {
    BasicBlock *look = block("list"), *before = b_.GetInsertBlock(), *on = block("bounds");
    b_.CreateCondBr(known, look, on, s_.likely);
    b_.SetInsertPoint(look);
    Value* yes = b_.CreateICmpULT(k, list_length(list));
    b_.CreateBr(on);
    b_.SetInsertPoint(on);
    auto* can = b_.CreatePHI(s_.i1, 2);
    can->addIncoming(b_.getFalse(), before);
    can->addIncoming(yes, look);
    return can;
  }
  Value* item_at(Value* list, Value* k) { return b_.CreateInBoundsGEP(s_.i64, s_.at(b_, s_.address_of(b_, ctx_, list), 8), k); }
  const engine::TypeInfo* type_of(rules::Reg r) const {
    const auto& types = program_.program.manifest.types;
    if (r >= values_.size() || !values_[r] || *values_[r] < 0) return nullptr;
    return static_cast<size_t>(*values_[r]) < types.size() ? &types[static_cast<size_t>(*values_[r])] : nullptr;
  }

  // ---- ends of blocks -------------------------------------------------------------------------------------------------------

  void emit(const Terminator& t) {
    switch (t.kind) {
      case Terminator::Kind::Jump:
        if (t.back_edge) charge(t.span);
        b_.CreateBr(target(t.to));
        return;
      case Terminator::Kind::Branch:
        b_.CreateCondBr(b_.CreateICmpNE(get(t.cond), b_.getInt64(0)), target(t.to), target(t.otherwise));
        return;
      case Terminator::Kind::Return:
        b_.CreateRet(t.value == rules::kNoReg ? b_.getInt64(0) : get(t.value));
        return;
      case Terminator::Kind::Suspend:
        set_state(offsetof(ppc_state, pc), static_cast<uint32_t>(t.imm));
        set_state(offsetof(ppc_state, status), PPC_ASKING);
        b_.CreateRet(b_.getInt64(PPC_ASKING));
        return;
      case Terminator::Kind::Done:
        set_state(offsetof(ppc_state, status), PPC_DONE);
        b_.CreateRet(b_.getInt64(PPC_DONE));
        return;
      case Terminator::Kind::Resume: {
        Value* pc = s_.load_memory(b_, state(offsetof(ppc_state, pc)), s_.i32, 4, "pc");
        auto* choice = b_.CreateSwitch(pc, fault(PPC_FAULT_CLAIM, t.span), static_cast<unsigned>(t.cases.size()));
        for (size_t k = 0; k < t.cases.size(); ++k)
          choice->addCase(b_.getInt32(static_cast<uint32_t>(k)), target(t.cases[k]));
        return;
      }
      case Terminator::Kind::Unreachable: b_.CreateBr(fault(PPC_FAULT_CLAIM, t.span)); return;
      case Terminator::Kind::Ask: break;
    }
    fail("an `ask` that split-suspensions left");
  }

  ProgramLowering& program_;
  Shared& s_;
  const rules::Function& function_;
  llvm::Function* f_;
  llvm::IRBuilder<> b_;
  Value* ctx_ = nullptr;
  std::vector<llvm::AllocaInst*> registers_;
  std::vector<std::optional<int64_t>> values_;
  llvm::AllocaInst* texts_ = nullptr;
  std::vector<BasicBlock*> blocks_;
  std::map<std::pair<uint32_t, uint32_t>, BasicBlock*> faults_;
  bool known_place_ = false;  // ctx->loc is place_
  uint32_t place_ = 0;
  Span span_{UINT32_MAX, 0, 0};
  uint32_t span_loc_ = 0;
};

// ---- the module ---------------------------------------------------------------------------------------------------------

llvm::Function* ProgramLowering::declare(const rules::Function& function) {
  std::vector<llvm::Type*> params{shared.ptr};
  if (function.is_entry) {
    params.push_back(shared.ptr);
  } else {
    params.insert(params.end(), function.params, shared.i64);
  }
  auto* type = llvm::FunctionType::get(shared.i64, params, false);
  // The runtime's names and LLVM's own can't be had.
  const bool taken = function.name.starts_with("llvm.") || function.name.starts_with("ppc_") || function.name.empty();
  auto* f = llvm::Function::Create(type, llvm::GlobalValue::InternalLinkage,
                                   (taken ? "game " : "") + function.name, module);
  f->setDoesNotThrow();
  f->getArg(0)->setName("ctx");
  llvm::AttrBuilder ctx(shared.context);
  ctx.addAttribute(llvm::Attribute::NonNull).addAttribute(llvm::Attribute::NoUndef);
  ctx.addDereferenceableAttr(sizeof(ppc_ctx)).addAlignmentAttr(llvm::Align(alignof(ppc_ctx)));
  f->addParamAttrs(0, ctx);
  if (frames) {
    f->setUWTableKind(llvm::UWTableKind::Default);
    f->addFnAttr("frame-pointer", "all");
  }
  return f;
}

llvm::GlobalVariable* ProgramLowering::bytes(std::string_view data, const char* name, unsigned align) {
  auto* value = llvm::ConstantDataArray::getString(shared.context, {data.data(), data.size()}, true);
  auto* v = new llvm::GlobalVariable(module, value->getType(), true, llvm::GlobalValue::InternalLinkage, value, name);
  v->setAlignment(llvm::Align(align));
  return v;
}

// The struct ppc_module of abi.h, under that name.
void ProgramLowering::emit_module() {
  const std::string manifest = engine::to_json(program.manifest);
  std::vector<llvm::Constant*> entries;
  for (uint32_t index : program.entries) {
    if (index >= functions.size()) throw std::runtime_error("an entry that is not there");
    if (!program.functions[index].is_entry)
      throw std::runtime_error("function `" + program.functions[index].name + "`: an entry that is none");
    entries.push_back(functions[index]);
  }
  auto* table_type = llvm::ArrayType::get(shared.ptr, entries.size());
  auto* table = new llvm::GlobalVariable(module, table_type, true, llvm::GlobalValue::InternalLinkage,
                                         llvm::ConstantArray::get(table_type, entries), "ppc_entries");
  auto* size = shared.i64;
  auto* type = llvm::StructType::create({shared.i32, shared.i32, shared.ptr, size, shared.ptr, size, shared.ptr},
                                        "ppc_module");
  auto number = [](llvm::Type* t, uint64_t n) { return llvm::ConstantInt::get(t, n); };
  auto* value = llvm::ConstantStruct::get(
      type, {number(shared.i32, PPC_ABI_VERSION), number(shared.i32, entries.size()),
             bytes(manifest, "ppc_manifest", 1), number(size, manifest.size()),
             bytes(program.pool, "ppc_pool", 16), number(size, program.pool.size()), table});
  new llvm::GlobalVariable(module, type, true, llvm::GlobalValue::ExternalLinkage, value, "ppc_module");
}

void ProgramLowering::run() {
  for (const rules::Function& f : program.functions) functions.push_back(declare(f));
  for (size_t i = 0; i < program.automata.size(); ++i)
    matches_.push_back(lower_automaton(shared, program.automata[i], "match " + std::to_string(i)));
  for (size_t i = 0; i < functions.size(); ++i) FunctionLowering(*this, program.functions[i], functions[i]).run();
  emit_module();
  lines.finish();
}

}  // namespace

std::unique_ptr<llvm::Module> lower(const rules::Program& program, llvm::LLVMContext& context,
                                    const llvm::TargetMachine& target, bool debug_info) {
  auto module = std::make_unique<llvm::Module>(program.manifest.game.empty() ? "game" : program.manifest.game, context);
  module->setTargetTriple(target.getTargetTriple().str());
  module->setDataLayout(target.createDataLayout());
  module->setPICLevel(llvm::PICLevel::BigPIC);
  ProgramLowering(program, *module, debug_info).run();
  std::string problem;
  llvm::raw_string_ostream out(problem);
  if (llvm::verifyModule(*module, &out))
    throw std::runtime_error("the code generator made bad LLVM IR: " + out.str());
  return module;
}

}  // namespace ppc::codegen
