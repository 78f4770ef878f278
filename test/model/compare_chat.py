#!/usr/bin/env python3
"""Compares our template engine with Jinja2, set up as transformers sets it up.

  compare_chat.py RENDER_CHAT [--count N] [--seed N]     our templates (test/model/templates) and random ones; exit 1 on a difference,
                                                         77 (skipped) without python3-jinja2
  compare_chat.py RENDER_CHAT FILE|FOLDER...             these templates too: *.jinja, tokenizer_config.json
"""
import argparse
import datetime
import json
import pathlib
import random
import subprocess
import sys

try:
    import jinja2
    import jinja2.ext
    import jinja2.nodes
    import jinja2.sandbox
except ImportError:
    print("skipped: no python3-jinja2")
    sys.exit(77)

DATE = "2024-07-26"


class Generation(jinja2.ext.Extension):
    """transformers' {% generation %}: what is inside, as it is."""
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_inside"), [], [], body).set_lineno(line)

    def _inside(self, caller):
        return caller()


def environment():
    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    env = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda f: datetime.datetime.fromisoformat(DATE).strftime(f)
    return env


ENV = environment()


class Ours:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


class Differences:
    def __init__(self):
        self.count = self.same = self.errors = self.refused = 0

    def compare(self, ours, request, theirs, what):
        got = ours(request)
        try:
            want = theirs()
        except RecursionError:
            return
        except Exception as error:     # whatever a template does wrong
            if "error" in got:
                self.errors += 1
                return
            self.show(what, request, got, f"{type(error).__name__}: {error}")
            return
        if got.get("text") == want:
            self.same += 1
        elif "not supported" in got.get("error", "") or "beyond" in got.get("error", ""):
            self.refused += 1
        else:
            self.show(what, request, got, want)

    def show(self, what, request, got, want):
        self.count += 1
        if self.count <= 10:
            print(f"{what}\n  {json.dumps(request)[:1500]}\n  ours   {got!r:.1500}\n  theirs {want!r:.1500}")


TEXTS = ["", " ", "\n", "Hello", "  both ends \n", "\n\n\nbefore", "after\t", "two\nlines", "GUESS: crane", "It's", 'say "no"', "back\\slash", "ünï çødé", "日本語", "😀👍🏽", "ΑΣ ΟΔΟΣ",
         "ß straße ﬁ", "\u00a0nbsp\u3000", "\u2028line", "<|im_end|>", "<|eot_id|><|start_header_id|>system", "{{ braces }}", "{% if %}", "{# no #}", "</s>", "[INST]",
         "<think>\nhm\n</think>\n\nyes", "<think>x", "</think>", "a</think>b</think>\n\nc", "<tool_response>a</tool_response>", "<tool_call>", "1", "-2", "3.5", "x" * 300,
         "a, b, c", "\x1c\x1d", "\r\n", "e\u0301", "\u200d", "\x00\x01\x7f", "%s %d", "&<>\"'"]


def conversation(r):
    out = []
    if r.random() < 0.5:
        out.append({"role": "system", "content": content(r)})
    for i in range(r.randrange(0, 7)):
        role = ("user", "assistant")[i % 2] if r.random() < 0.9 else r.choice(["user", "assistant", "system", "tool"])
        out.append({"role": role, "content": content(r)})
    return out


def content(r):
    return "".join(r.choice(TEXTS) for _ in range(r.choice([0, 1, 1, 1, 2, 3])))


def templates(paths):
    out = []
    for path in paths:
        path = pathlib.Path(path)
        files = sorted(path.rglob("*.jinja")) + sorted(path.rglob("tokenizer_config.json")) if path.is_dir() else [path]
        for f in files:
            if f.suffix == ".jinja":
                out.append((str(f), f.read_text(), {}))
                continue
            config = json.loads(f.read_text())
            given = config.get("chat_template")
            tokens = {k: v["content"] if isinstance(v, dict) else v for k, v in config.items() if k.endswith("_token") and v}
            for t in given if isinstance(given, list) else [{"name": "", "template": given}] if given else []:
                out.append((f"{f} {t['name']}", t["template"], tokens))
    return out


def compare_templates(ours, found, count, r, d):
    for name, source, tokens in templates(found):
        tokens = {"bos_token": "<s>", "eos_token": "</s>"} | tokens
        compiled = ENV.from_string(source)
        for i in range(count):
            messages = conversation(r)
            extra = {}
            if r.random() < 0.3:
                extra["enable_thinking"] = r.random() < 0.5
            if r.random() < 0.2:
                extra["tools"] = r.choice([None, [], [{"name": "f", "parameters": {"a": [1, 2.5, None, True, "é<"]}}]])
            if r.random() < 0.1:
                extra["date_string"] = "1 May"
            prompt = r.random() < 0.5
            request = {"template": source, "variables": tokens, "messages": messages, "add_generation_prompt": prompt, "extra": extra | {"strftime_now": DATE}}
            d.compare(ours, request, lambda: compiled.render(messages=messages, add_generation_prompt=prompt, **({"tools": None, "documents": None} | tokens | extra)), name)


# Random templates.

VARIABLES = {
    "messages": [{"role": "user", "content": " hi\n"}, {"role": "assistant", "content": "Élan <x>"}, {"role": "tool", "content": "", "n": 3}],
    "text": "  Hello, wörld\nand ΑΣ  ", "empty": "", "comma": "a,b,,c", "n": 3, "zero": 0, "neg": -7, "real": 2.5, "yes": True, "no": False, "nothing": None,
    "d": {"a": 1, "b": "two", "c": [1, 2, {"x": None}], "é": 0.1}, "nums": [3, 1, 2, 2], "words": ["b", "A", "c", "a"], "nested": [[1, "x"], [2, "y"]], "items_": {"k": "v"},
}


ROUNDS = ["", "1", "2", "0, 'ceil'", "1, 'floor'"]


class Random:
    def __init__(self, r):
        self.r = r
        self.names = ["x", "y", "z"]

    def any(self, depth):
        return self.r.choice([self.text, self.text, self.number, self.boolean, self.list, self.dict, self.name])(depth)

    def name(self, depth):
        return self.r.choice(list(VARIABLES) + ["missing"] + self.names)

    def literal(self):
        t = self.r.choice(TEXTS)
        return json.dumps(t, ensure_ascii=self.r.random() < 0.2) if all(ord(c) < 0xffff for c in t) else "'x'"

    def text(self, depth):
        r = self.r
        if depth <= 0:
            return r.choice(["text", "empty", "comma", "messages[0].content", "messages[1]['role']", "d.b", self.literal()])
        t = self.text
        k = depth - 1
        return r.choice([
            lambda: f"{t(k)} + {t(k)}", lambda: f"{t(k)} ~ {self.any(k)}", lambda: f"({t(k)}).{r.choice(['strip', 'lstrip', 'rstrip', 'upper', 'lower', 'title', 'capitalize'])}()",
            lambda: f"({t(k)}).{r.choice(['strip', 'lstrip', 'rstrip'])}({t(0)})", lambda: f"({t(k)})|{r.choice(['trim', 'upper', 'lower', 'capitalize', 'title', 'string', 'reverse', 'first', 'last'])}",
            lambda: f"({t(k)})[{self.number(0)}]", lambda: f"({t(k)})[{self.bound()}:{self.bound()}]", lambda: f"({t(k)})[{self.bound()}:{self.bound()}:{r.choice(['-1', '2', '-2', '1', ''])}]",
            lambda: f"({t(k)}).replace({t(0)}, {t(0)})", lambda: f"({t(k)})|replace({t(0)}, {t(0)}{r.choice(['', ', 1', ', 2'])})", lambda: f"({self.list(k)})|join({r.choice(['', t(0)])})",
            lambda: f"({self.any(k)})|tojson{r.choice(['', '(indent=2)', '(ensure_ascii=true)', '(sort_keys=true)'])}", lambda: f"({self.any(k)})|string", lambda: f"({t(k)})|default({t(0)})",
            lambda: f"({t(k)} if {self.boolean(k)} else {t(k)})", lambda: f"({t(k)}) * {r.choice(['0', '1', '2', '-1'])}", lambda: f"({t(k)})|indent({r.choice(['', '2', 'first=true', '3, true, true'])})",
            lambda: f"({t(k)}).split({t(0)})[{r.choice(['0', '-1', '1'])}]", lambda: f"({t(k)}).join({self.list(k)})", lambda: f"({t(k)}).removeprefix({t(0)})", lambda: f"messages[{self.number(0)}].content",
            lambda: f"({self.list(k)})|map('string')|join('-')", lambda: f"({t(k)}).partition({t(0)})[{r.choice(['0', '1', '2'])}]",
        ])()

    def bound(self):
        return self.r.choice(["", "", "0", "1", "2", "-1", "-2", "5", "100", "-100", "n"])

    def number(self, depth):
        r = self.r
        if depth <= 0:
            return r.choice(["0", "1", "2", "-1", "n", "zero", "neg", "real", "1.5", "10", "1e3", "0.1", "1_000", "0x1F", "true"])
        k = depth - 1
        return r.choice([
            lambda: f"({self.number(k)} {r.choice(['+', '-', '*', '/', '//', '%'])} {self.number(k)})", lambda: f"{r.choice(['-', '+'])}({self.number(k)})", lambda: f"({self.any(k)})|length",
            lambda: f"({self.any(k)})|int", lambda: f"({self.any(k)})|int({r.choice(['5', 'default=2', '0, 16'])})", lambda: f"({self.any(k)})|float", lambda: f"({self.number(k)})|abs",
            lambda: f"({self.number(k)})|round({r.choice(ROUNDS)})", lambda: f"({self.list(k)})|sum", lambda: f"nums|{r.choice(['min', 'max', 'sum', 'first', 'last', 'length'])}",
            lambda: f"({self.text(k)}).{r.choice(['find', 'count', 'rfind'])}({self.text(0)})", lambda: f"({self.number(k)}) ** {r.choice(['2', '0', '3'])}", lambda: f"({self.list(k)}).index({self.any(0)})",
        ])()

    def boolean(self, depth):
        r = self.r
        if depth <= 0:
            return r.choice(["yes", "no", "true", "false", "none", "nothing", "missing", "n", "empty"])
        k = depth - 1
        tests = ["defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "number", "integer", "float", "boolean", "true", "false", "callable", "lower", "upper"]
        return r.choice([
            lambda: f"({self.any(k)} {r.choice(['==', '!='])} {self.any(k)})", lambda: f"({self.number(k)} {r.choice(['<', '<=', '>', '>='])} {self.number(k)})",
            lambda: f"({self.text(k)} {r.choice(['<', '<=', '>', '>='])} {self.text(k)})", lambda: f"({self.text(k)} {r.choice(['in', 'not in'])} {self.text(k)})",
            lambda: f"({self.any(k)} {r.choice(['in', 'not in'])} {self.list(k)})", lambda: f"({self.text(0)} in {self.dict(k)})", lambda: f"not {self.boolean(k)}",
            lambda: f"({self.boolean(k)} {r.choice(['and', 'or'])} {self.boolean(k)})", lambda: f"({self.any(k)} is {r.choice(['', 'not '])}{r.choice(tests)})", lambda: f"({self.any(k)}) is {r.choice(tests)}",
            lambda: f"({self.number(k)}) is {r.choice(['odd', 'even', 'divisibleby 2', 'divisibleby(3)', 'eq 3', 'in [1, 3]', 'gt(1)', 'le 2'])}",
            lambda: f"({self.text(k)}).{r.choice(['startswith', 'endswith'])}({self.text(0)})", lambda: f"({self.text(k)}).{r.choice(['isdigit', 'isalpha', 'isspace', 'isupper', 'islower', 'isalnum', 'isdecimal'])}()",
            lambda: f"({self.number(0)} < {self.number(0)} <= {self.number(0)})", lambda: f"missing.x is defined" if r.random() < 0.1 else "d.missing is defined",
        ])()

    def list(self, depth):
        r = self.r
        if depth <= 0:
            return r.choice(["messages", "nums", "words", "nested", "d.c", "[]", "[1, 'a', none]", "('x', 'y')", "range(4)|list"])
        k = depth - 1
        return r.choice([
            lambda: "[" + ", ".join(self.any(k) for _ in range(r.randrange(4))) + "]", lambda: f"({self.text(k)}).split({r.choice(['', self.text(0), 'none, 1', self.text(0) + ', 1'])})",
            lambda: f"({self.text(k)}).rsplit({r.choice(['', self.text(0), 'none, 1', self.text(0) + ', 1'])})", lambda: f"({self.text(k)})|list", lambda: f"({self.list(k)})[{self.bound()}:{self.bound()}:{r.choice(['', '-1', '2'])}]",
            lambda: f"({self.list(k)})|{r.choice(['sort', 'reverse', 'unique', 'sort(reverse=true)'])}|list", lambda: f"{self.list(k)} + {self.list(k)}", lambda: f"({self.dict(k)})|{r.choice(['items', 'dictsort', 'list'])}|list",
            lambda: f"({self.dict(k)}).{r.choice(['items', 'keys', 'values'])}()|list", lambda: f"range({self.number(0)}, {r.choice(['5', 'n', '9'])}{r.choice(['', ', 2', ', -1'])})|list",
            lambda: f"messages|map(attribute='{r.choice(['role', 'content', 'n', 'content.0'])}'{r.choice(['', ', default=1'])})|list", lambda: f"({self.list(k)})|{r.choice(['select', 'reject'])}('{r.choice(['string', 'number', 'defined', 'odd', 'none'])}')|list",
            lambda: f"messages|{r.choice(['selectattr', 'rejectattr'])}('{r.choice(['role', 'content', 'n'])}'{r.choice(['', ', ' + repr('equalto') + ', ' + repr('user'), ', ' + repr('defined')])})|list",
            lambda: f"({self.text(k)}).splitlines()", lambda: f"words|map('{r.choice(['upper', 'length', 'lower', 'first'])}')|list", lambda: f"messages|sort(attribute='{r.choice(['role', 'content'])}')",
        ])()

    def dict(self, depth):
        r = self.r
        if depth <= 0:
            return r.choice(["d", "messages[0]", "items_", "{}", "{'k': 1}", "dict(a=1)"])
        k = depth - 1
        return r.choice([lambda: "{" + ", ".join(f"{r.choice([self.literal(), self.number(0)])}: {self.any(k)}" for _ in range(r.randrange(4))) + "}", lambda: f"messages[{self.number(0)}]"])()

    # Statements

    def sign(self):
        return self.r.choice(["", "", "", "-", "+"])

    def tag(self, inside):
        end = self.r.choice(["", "", "", "-", "+"])
        return f"{{%{self.sign()} {inside} {end}%}}"

    def space(self):
        return self.r.choice(["", "", "\n", "  ", "\n  ", "  \n", " x\n", "text", "\n\n    ", "\t", "é ", "{", "}"])

    def printed(self, depth):
        return f"{{{{{self.r.choice(['', '', '-', '+'])} {self.any(depth)} {self.r.choice(['', '', '-'])}}}}}"

    def block(self, depth, loop=False):
        r = self.r
        out = self.space()
        for _ in range(r.randrange(1, 4)):
            kind = r.randrange(13) if depth > 0 else 0
            if kind <= 3:
                out += self.printed(r.randrange(3))
            elif kind == 4:
                out += self.tag(f"set {r.choice(self.names)} = {self.any(2)}")
            elif kind == 5:
                out += self.tag(f"if {self.boolean(2)}") + self.block(depth - 1, loop)
                if r.random() < 0.3:
                    out += self.tag(f"elif {self.boolean(1)}") + self.block(depth - 1, loop)
                if r.random() < 0.5:
                    out += self.tag("else") + self.block(depth - 1, loop)
                out += self.tag("endif")
            elif kind in (6, 7):
                what = r.choice(self.names)
                test = f" if {self.boolean(1)}" if r.random() < 0.3 else ""
                out += self.tag(f"for {what} in {r.choice([self.list, self.text, self.dict])(1)}{test}")
                out += self.block(depth - 1, True)
                if r.random() < 0.5:
                    out += "{{ loop." + r.choice(["index", "index0", "first", "last", "length", "revindex", "revindex0", "previtem", "nextitem", "depth", "cycle('a', 'b')"]) + " }}"
                if r.random() < 0.2:
                    out += self.tag("else") + self.block(depth - 1)
                out += self.tag("endfor")
            elif kind == 8:
                out += self.tag(f"set {r.choice(self.names)}{r.choice(['', '|upper', '|trim'])}") + self.block(depth - 1) + self.tag("endset")
            elif kind == 9:
                name = r.choice(["f", "g"])
                out += self.tag(f"macro {name}(a, b={self.any(1)})") + self.block(depth - 1) + "{{ a }}{{ b }}" + self.tag("endmacro")
                out += f"{{{{ {name}({self.any(1)}{r.choice(['', ', 1', ', b=2'])}) }}}}"
            elif kind == 10:
                out += self.tag("set ns = namespace(k=0)") + self.tag("for i in range(3)") + self.tag("set ns.k = ns.k + i") + self.tag("endfor") + "{{ ns.k }}"
            elif kind == 11:
                out += r.choice([f"{{#{self.sign()} {self.space()} {r.choice(['', '-'])}#}}", self.tag("raw") + "{{ x }}{%- y %}" + self.tag("endraw"),
                                 self.tag(f"with {r.choice(self.names)} = {self.any(1)}") + self.block(depth - 1, loop) + self.tag("endwith"),
                                 self.tag(f"filter {r.choice(['upper', 'trim', 'replace(' + repr('a') + ', ' + repr('b') + ')'])}") + self.block(depth - 1) + self.tag("endfilter"),
                                 self.tag("generation") + self.block(depth - 1) + self.tag("endgeneration")])
            elif loop:
                out += self.tag(f"if {self.boolean(1)}") + self.tag(r.choice(["break", "continue"])) + self.tag("endif")
            out += self.space()
        return out


def compare_random(ours, count, r, d):
    make = Random(r)
    for i in range(count):
        source = "{{ " + make.any(r.randrange(1, 4)) + " }}" if i % 2 else make.block(r.randrange(1, 4))
        d.compare(ours, {"template": source, "variables": VARIABLES}, lambda: ENV.from_string(source).render(**VARIABLES), "random template")


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("program")
    p.add_argument("found", nargs="*")
    p.add_argument("--count", type=int, default=300)
    p.add_argument("--seed", type=int, default=1)
    args = p.parse_args()
    ours = Ours(args.program)
    r = random.Random(args.seed)
    wrong = 0
    for what, compare in {"templates": lambda d: compare_templates(ours, [pathlib.Path(__file__).parent / "templates", *args.found], args.count, r, d),
                          "random": lambda d: compare_random(ours, args.count * 10, r, d)}.items():
        d = Differences()
        compare(d)
        print(f"{what}: {d.same} equal, {d.errors} errors in both, {d.refused} refused as not supported, {d.count} different")
        wrong += d.count
    print("Jinja2", jinja2.__version__)
    sys.exit(1 if wrong else 0)


main()
