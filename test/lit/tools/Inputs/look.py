"""Opens a page in headless Chromium in several widths and colours.  look.py CHROMIUM PAGE"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "serve/Inputs"))
from browser import Browser  # noqa: E402

chromium, path = sys.argv[1:3]
browser = Browser(chromium)
wrong = []
try:
    for width in (390, 768, 1280):
        for dark in (False, True):
            page = browser.page(pathlib.Path(path).resolve().as_uri(), width=width, dark=dark, touch=width < 500)
            page.wait("document.readyState === 'complete' && document.querySelectorAll('svg.chart').length > 5")
            size = page.run("[document.documentElement.scrollWidth, getComputedStyle(document.body).backgroundColor]")
            if size[0] > width:
                wrong.append(f"{width}: {size[0]} wide")
            if (size[1] == "rgb(255, 255, 255)") == dark:
                wrong.append(f"{width}: {size[1]} in the {'dark' if dark else 'light'}")
            bad = page.run("[...document.querySelectorAll('svg *')].filter(e => [...e.attributes].some(a => /nan|inf/i.test(a.value) && a.name !== 'aria-label')).length")
            if bad:
                wrong.append(f"{bad} elements with no numbers")
            wrong += page.complaints()
            wrong += ["fetched " + url for url in page.requests() if not url.startswith("file:")]
finally:
    browser.close()
print("\n".join(wrong) or "good")
