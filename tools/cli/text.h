// Text for the outside: HTML, CSV, Markdown, numbers as Python writes them, and whole files.
#pragma once
#include <string>
#include <string_view>

#include "runtime/engine/json.h"
#include "runtime/web/text.h"

namespace ppc::cli {

using web::fixed;
using web::html;

/// A field of a CSV file, in quotes where it needs them, as Python's csv module does.
std::string csv_field(std::string_view);
/// For a cell of a Markdown table.
std::string markdown(std::string_view);

/// As Python's repr of a float: shortest digits that read back to the same number; "nan", "inf".
std::string python_number(double);

/// episode_2 before episode_10: runs of digits compare as numbers.
bool natural_less(std::string_view, std::string_view);

/// Whole or not at all: a crash in the middle leaves the old file. Throws engine::SystemError.
void write_file(const std::string& path, const std::string& content);
/// To a file, or to stdout for "-".
void write_output(const std::string& path, const std::string& content);

}  // namespace ppc::cli
