"""check_html.py FILE…: pages that cannot do harm, whatever was said in an episode.

Only known elements and attributes, properly nested; no address outside of the folder; nothing runs but the script that the
page's policy names by its hash. Prints how many times a hostile text of test/lit/tools/transcribe.test is shown as text.
"""
import base64
import hashlib
import html.parser
import pathlib
import re
import sys

ELEMENTS = set("html head meta title style body main h1 h2 h3 p div span small b i code pre table thead tbody tr th td a details summary "
               "input select option br script svg rect path text circle section ol li".split())
ATTRIBUTES = set("lang charset name content http-equiv class style data-item data-search data-outcome data-said dir href rel type "
                 "placeholder aria-label value open title viewbox preserveaspectratio role x y width height d fill r cx cy text-anchor "
                 "transform colspan data-label".split())
VOID = {"meta", "input", "br"}
HOSTILE = ("<script>alert(1)</script>", "\"><img src=x onerror=alert(2)>", "</span></div></details></main><h1>gone</h1>", "&lt;b&gt;", "<!-- --!>")


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.text, self.scripts, self.policy = [], [], [], ""

    def handle_starttag(self, tag, attributes):
        assert tag in ELEMENTS, (tag, self.getpos())
        values = dict(attributes)
        for name, value in attributes:
            assert name in ATTRIBUTES, (tag, name, self.getpos())
            assert name != "href" or re.fullmatch(r"[\w.-]+\.html", value), value
            assert name != "style" or re.fullmatch(r"grid-column:\d+|grid-template-columns:[\w(), ]+", value), value
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif not self.open or self.open[-1] != "style":
            self.text.append(data)

    def handle_comment(self, data):
        raise AssertionError(("comment", data, self.getpos()))


shown = 0
for path in map(pathlib.Path, sys.argv[1:]):
    source = path.read_text(encoding="utf-8")
    page = Page()
    page.feed(source)
    page.close()
    assert not page.open, page.open
    assert page.policy.startswith("default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"), page.policy
    named = re.findall(r"'sha256-([^']+)'", page.policy)
    assert len(page.scripts) == len(named) <= 1
    for script in page.scripts:
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() == named[0], path
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", source), path
    shown += sum("".join(page.text).count(h) for h in HOSTILE)
print(len(sys.argv) - 1, "pages,", shown, "hostile texts shown")
