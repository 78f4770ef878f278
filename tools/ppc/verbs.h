// The verbs that need the compiler; those that play are in tools/cli/cli.h.
#pragma once
#include <string>

#include "compiler/diag/diag.h"
#include "tools/cli/cli.h"
#include "tools/cli/text.h"

namespace ppc::cli {

int run_check(const Args&);
int run_compile(const Args&);
int run_fmt(const Args&);
int run_lsp(const Args&);
int run_new(const Args&);
int run_doctor(const Args&);
int run_serve(const Args&);

/// The .game file that a name means: a path, or a game that comes with ppc. Throws engine::InputError.
std::string game_file(const std::string& name);

/// All reports, to stderr, in colour on a terminal; and how many errors there were beyond those kept.
/// --max-errors: 20 unless said, SIZE_MAX for 0.
size_t max_errors(const Options&);
void print_reports(const diag::Emitter&);

std::string read_file(const std::string& path);  // throws engine::InputError
std::string json_text(const std::string&);       // with its quotes

}  // namespace ppc::cli
