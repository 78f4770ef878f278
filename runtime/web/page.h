// The frame of the HTML pages that ppc writes: one file each, nothing is fetched, light and dark, wide and narrow.
#pragma once
#include <string>

namespace ppc::web {

/// What can run in the page: nothing, or the one script of the transcripts.
enum class Script { None, Search };

/// `title` is text; `body` is HTML; `style` is added to the styles that all pages share.
std::string page(const std::string& title, const std::string& style, const std::string& body, Script = Script::None);

}  // namespace ppc::web
