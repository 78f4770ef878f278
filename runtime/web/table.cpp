#include "runtime/web/table.h"

#include "runtime/web/text.h"

namespace ppc::web {

const char* const kTableStyle = R"(
td.name{overflow-wrap:anywhere;min-width:9rem}
td.num span.small{display:block}
tr.group th{padding-top:1rem;border-bottom:1px solid var(--line)}
@media(max-width:640px){
.stack,.stack tbody{display:block}.stack thead{display:none}
.stack tr{display:grid;grid-template-columns:1fr 1fr;gap:0 1.2rem;border-bottom:1px solid var(--line);padding:.4rem 0}
.stack tr.group{display:block;border:0;padding:.8rem 0 0}.stack tr.group th{display:block;border:0;padding:0;font-size:1rem}
.stack td{border:0;padding:.05rem 0}.stack td.wide{grid-column:1/-1}.stack td.name{font-weight:600}
.stack td.num{display:flex;justify-content:space-between;gap:.5rem;text-align:left}
.stack td.num::before{content:attr(data-label);color:var(--dim);white-space:normal}
.stack td.num>span{text-align:right}.stack td.num span.small{display:inline}
}
)";

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {
  out_ = "<div class=\"scroll\"><table class=\"stack\"><thead><tr>";
  for (const Column& c : columns_) {
    out_ += "<th" + std::string(c.kind >= Column::Number ? " class=\"num\"" : "") + (c.tip.empty() ? "" : " title=\"" + html(c.tip) + "\"") + ">" + html(c.title) + "</th>";
  }
  out_ += "</tr></thead><tbody>\n";
}

void Table::group(const std::string& name) {
  if (name != group_) out_ += "<tr class=\"group\"><th colspan=\"" + std::to_string(columns_.size()) + "\">" + html(name) + "</th></tr>\n";
  group_ = name;
}

void Table::row(const std::vector<std::string>& cells) {
  out_ += "<tr>";
  for (size_t i = 0; i < cells.size(); ++i) {
    switch (columns_[i].kind) {
      case Column::Name: out_ += "<td class=\"name wide\">" + cells[i]; break;
      case Column::Text: out_ += "<td class=\"wide\">" + cells[i]; break;
      case Column::Number:
      case Column::Range:
        out_ += "<td class=\"num" + std::string(columns_[i].kind == Column::Range ? " wide" : "") + "\" data-label=\"" + html(columns_[i].title) + "\"><span>" + cells[i] + "</span>";
        break;
    }
    out_ += "</td>";
  }
  out_ += "</tr>\n";
}

}  // namespace ppc::web
