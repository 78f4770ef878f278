// Text for pages.
#pragma once
#include <string>
#include <string_view>

namespace ppc::web {

/// For element content and quoted attributes: `& < > " '` as entities, control characters (but tab and line break) as
/// `\x1b`, those that turn the direction of writing as `\u202e`, invalid UTF-8 as U+FFFD. Nothing that comes out of it can
/// begin a tag or end an attribute.
std::string html(std::string_view);

/// With so many decimals; "–" for NaN.
std::string fixed(double, int decimals);

}  // namespace ppc::web
