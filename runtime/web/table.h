// Tables of pages.
#pragma once
#include <string>
#include <vector>

namespace ppc::web {

/// For `page`, where there are tables.
extern const char* const kTableStyle;

struct Column {
  std::string title;
  enum Kind { Name, Text, Number, Range } kind;  // Range: a number with its interval
  std::string tip = {};
};

/// A table whose rows are cards on a phone: names and texts take the whole width, numbers have their column's title beside them.
class Table {
 public:
  explicit Table(std::vector<Column> columns);
  /// A line above the rows that follow, when it is not that of the rows before.
  void group(const std::string& name);
  /// Cells are HTML.
  void row(const std::vector<std::string>& cells);
  std::string done() const { return out_ + "</tbody></table></div>\n"; }

 private:
  std::vector<Column> columns_;
  std::string out_, group_;
};

}  // namespace ppc::web
