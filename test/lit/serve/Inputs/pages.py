"""The page of `ppc serve play` in Chromium, two people at one table: one on a desktop, one on a phone in the dark.

With a folder as third argument, screenshots are put there."""
import os
import sys
import time

from browser import Browser
from serving import check, serving

ppc, chromium = sys.argv[1:3]
pictures = sys.argv[3] if len(sys.argv) > 3 else None
TURN = 'document.getElementById("status").textContent === "Your turn"'
WAITS = 'document.getElementById("status").textContent.startsWith("Waiting")'
FOCUS = "document.activeElement.id"


def picture(page, name):
    if pictures:
        os.makedirs(pictures, exist_ok=True)
        page.screenshot(f"{pictures}/{name}.png")


def entered(page, text):
    page.wait(TURN)
    page.type(text)
    page.key("Enter")


with serving(ppc, "serve", "play", "taboo", "--seed", "1", "--episodes", "2", "--time-limit", "600") as server:
    browser = Browser(chromium)
    try:
        describer = browser.page(server.said["seats"]["describer"])
        describer.wait(WAITS)
        check(describer.run(FOCUS) == "text", describer.run(FOCUS))
        picture(describer, "waiting")
        guesser = browser.page(server.said["seats"]["guesser"], 390, 800, dark=True, touch=True)
        describer.wait(TURN)
        card = describer.run('document.getElementById("log").innerText').split("The secret word is:")[1].split()
        secret = card[0]

        # Enter sends, Shift+Enter does not; the focus stays; markup is text.
        nasty = 'CLUE: <b>it</b> <img src=x onerror="document.title=1"> \u202e odd'
        describer.type(nasty)
        describer.key("Enter", 8)
        describer.type("and a second line")
        check("\n" in describer.run('document.getElementById("text").value'))
        picture(describer, "typed")
        describer.key("Enter")
        describer.wait(WAITS)
        check(describer.run('document.getElementById("text").value') == "" and describer.run(FOCUS) == "text")
        guesser.wait(TURN)
        picture(guesser, "phone")
        for page in (describer, guesser):
            text = page.run('document.getElementById("log").innerText')
            check('<b>it</b> <img src=x onerror="document.title=1"> \\u202e odd' in text and "and a second line" in text, text)
            check(page.run('document.querySelectorAll("#log b, #log img").length') == 0)
        check(secret not in guesser.run("document.documentElement.outerHTML"))

        # A page that is loaded again goes on where it was, with what was being written.
        guesser.type("GUESS: hou")
        guesser.call("Page.reload")
        guesser.wait('document.readyState === "complete" && ' + TURN)
        check(guesser.run('document.getElementById("text").value') == "GUESS: hou")
        check("and a second line" in guesser.run('document.getElementById("log").innerText'))
        guesser.run('document.getElementById("text").focus()')
        guesser.run('document.getElementById("text").setSelectionRange(99, 99)')
        guesser.type("se")
        guesser.key("Enter")

        entered(describer, "CLUE: " + "very " * 30 + "long " + "x" * 200)
        guesser.wait(TURN)
        for page, width in ((describer, 1280), (guesser, 390)):
            check(page.run("document.scrollingElement.scrollWidth") <= width and page.run('document.getElementById("scroll").scrollWidth <= document.getElementById("scroll").clientWidth'), "wider than", width)
        entered(guesser, "house")
        for page in (describer, guesser):
            page.wait('!document.getElementById("result").hidden')
            check(page.run('document.getElementById("outcome").textContent') == "Aborted")
            check(page.run(FOCUS) == "next", page.run(FOCUS))
            page.wait('document.getElementById("result").getBoundingClientRect().bottom <= document.querySelector("footer").getBoundingClientRect().top + 1', "the result is in sight")
        check("Not accepted" in guesser.run('document.getElementById("log").innerText'))
        check("Not accepted" not in describer.run('document.getElementById("log").innerText'))
        picture(describer, "result")
        picture(guesser, "phone-result")

        # Enter on both begins the next one.
        describer.key("Enter")
        describer.wait(WAITS)
        guesser.key("Enter")
        describer.wait(TURN)
        check(describer.run(FOCUS) == "text" and describer.run('document.getElementById("episode").textContent') == "2 of 2")
        check(describer.run('document.getElementById("result").hidden'))
        word = describer.run('document.getElementById("log").innerText').split("The secret word is:")[1].split()[0]
        entered(describer, "CLUE: say it")
        entered(guesser, "GUESS: " + word)
        for page in (describer, guesser):
            page.wait('document.getElementById("outcome").textContent === "Won"')
            check(page.run('document.getElementById("next").hidden && document.getElementById("form").hidden'))
            check(not page.complaints(), page.complaints())
            check(all(u.startswith(server.said["url"] + "/") for u in page.requests()), page.requests())
        picture(guesser, "phone-won")

        # The server goes and the page says so; a wrong link says what is wrong.
        stranger = browser.page(server.said["url"] + "/#0123", 390, 800)
        stranger.wait('document.getElementById("status").textContent.includes("link")')
        server.stop()
        describer.wait('document.getElementById("status").textContent.includes("stopped")')
    finally:
        browser.close()
print("good")
