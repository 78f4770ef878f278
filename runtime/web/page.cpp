#include "runtime/web/page.h"

#include "runtime/web/text.h"

namespace ppc::web {
namespace {

constexpr const char* kStyle = R"(
:root{color-scheme:light dark;--back:#fff;--soft:#f5f6f8;--line:#d9dce1;--text:#1d2129;--dim:#5d6673;--link:#0b57d0;
--won:#2e7d4f;--lost:#a86700;--aborted:#b3372f;--unknown:#6b717c;--score:#3566c0}
@media(prefers-color-scheme:dark){:root{--back:#15181d;--soft:#1e222a;--line:#353b46;--text:#e4e7ec;--dim:#9aa3b2;--link:#8ab4f8;
--won:#5cba85;--lost:#e0a84a;--aborted:#ea7b73;--unknown:#8a8f98;--score:#7da2ee}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1200px;margin:0 auto;padding:1rem 1.25rem 4rem}
h1{font-size:1.5rem;line-height:1.25;margin:.5rem 0 .25rem;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2.2rem 0 .5rem}h3{font-size:1rem;margin:1.2rem 0 .4rem}
p{margin:.4rem 0}a{color:var(--link)}
.dim{color:var(--dim)}.small{font-size:.85rem}.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.won{color:var(--won)}.lost{color:var(--lost)}.aborted{color:var(--aborted)}.unknown{color:var(--unknown)}
.scroll{overflow-x:auto;max-width:100%}
table{border-collapse:collapse;font-size:.9rem}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
thead th{border-bottom:2px solid var(--line);white-space:nowrap}
@media(max-width:640px){main{padding:.5rem .75rem 3rem}th,td{padding:.3rem .4rem}}
)";

// Search.js: boxes `data-filter` hide what does not match. transcribe.test checks that the page's policy names this script.
constexpr const char* kSearch = R"(
"use strict";
const box=document.querySelector("[data-search]"),pick=document.querySelector("[data-outcome]"),said=document.querySelector("[data-said]");
const items=[...document.querySelectorAll("[data-item]")].map(e=>[e,e.textContent.toLowerCase()]);
function filter(){const words=box.value.toLowerCase().split(/\s+/).filter(w=>w),outcome=pick?pick.value:"";let n=0;
for(const[e,t]of items){const on=words.every(w=>t.includes(w))&&(!outcome||e.dataset.item===outcome);e.hidden=!on;if(on)n++}
if(said)said.textContent=n===items.length?"":n+" of "+items.length}
if(box){box.addEventListener("input",filter);if(pick)pick.addEventListener("change",filter);filter()}
)";
// The base64 of the script's SHA-256, for the page's policy: nothing else can run, whatever a reply contains.
constexpr const char* kSearchHash = "SuaKUYmqGs8MFSMzMJsinK4Aoreb/uYLV8qmbK2LGKE=";

}  // namespace

std::string page(const std::string& title, const std::string& style, const std::string& body, Script script) {
  std::string out = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  out += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
  out += "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
  if (script == Script::Search) out += std::string("; script-src 'sha256-") + kSearchHash + "'";
  out += "\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<title>" + html(title) + "</title>\n<style>" + kStyle + style + "</style>\n</head>\n<body>\n<main>\n";
  out += body;
  out += "</main>\n";
  if (script == Script::Search) out += std::string("<script>") + kSearch + "</script>\n";
  return out + "</body>\n</html>\n";
}

}  // namespace ppc::web
