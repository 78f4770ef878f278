// Walks over the checked model.
#pragma once
#include "compiler/sema/model.h"

namespace ppc::sema {

/// Calls `visit` for every value below (and including) `v`, outer ones first; stops going down where it returns false.
template <class F>
void each_value(const Value& v, F&& visit) {
  if (!visit(v)) return;
  for (const ValuePtr& a : v.args)
    if (a) each_value(*a, visit);
  for (const Walk& w : v.walks) {
    if (w.source) each_value(*w.source, visit);
    if (w.source2) each_value(*w.source2, visit);
    if (w.condition) each_value(*w.condition, visit);
  }
}
/// Calls `visit` for every value that stands directly in `s` (not in its blocks).
template <class F>
void each_root(const Statement& s, F&& visit) {
  if (s.value) visit(*s.value);
  if (s.value2) visit(*s.value2);
  for (const ValuePtr& a : s.args)
    if (a) visit(*a);
  for (const Place::Part& p : s.place.path)
    if (p.value) visit(*p.value);
  if (s.walk) {
    if (s.walk->source) visit(*s.walk->source);
    if (s.walk->source2) visit(*s.walk->source2);
    if (s.walk->condition) visit(*s.walk->condition);
  }
}
template <class F>
void each_statement(const Statements& list, F&& visit) {
  for (const Statement& s : list) {
    visit(s);
    each_statement(s.body, visit);
    each_statement(s.otherwise, visit);
  }
}

}  // namespace ppc::sema
