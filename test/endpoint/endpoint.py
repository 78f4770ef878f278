#!/usr/bin/env python3
"""An OpenAI-compatible endpoint for tests: answers like a model on loopback, and fails as real ones do.

usage: endpoint.py [--port N] [--replies FILE] [--delay S] [--faults KIND=SHARE,…] [--seed N] [--key KEY] [--log FILE] [--tls]

Prints `http://127.0.0.1:PORT/v1` once it listens. Only what one request says decides about its reply, never the order in which
requests come; with the same seed so do faults, by how often this very request has been tried.

  --replies FILE  JSON: {model: [rule…]}, a rule {"has": TEXT, "say": REPLY} (the first whose text is in the last message counts;
                  no "has": always). REPLY: a text, or {"text", "finish_reason", "refusal", "content"}, or a list of them of which the
                  request's `seed` picks one. Without a file, or a rule: a line made of a hash of the conversation. `{n}` in a reply is how
                  many messages the player has sent before, `{seed}` the request's seed.
  --faults        slow, 429, 500, 503, reset, half, html, nojson, nochoices, badutf8, wrongtype, endless, empty; a share of first and second
                  tries each: a request is never refused three times, but for `always:KIND`, which always comes
                  The model `long` refuses everything with 400.
  --delay S       seconds that a reply takes (a request says more by "slow" as the first word of its last message)
  --key KEY       refuse others (401)
  --log FILE      a line of JSON for each request: what came (without keys), what it got
  --tls           https, with localhost.pem beside this file: a certificate for 127.0.0.1 that only itself vouches for, good until 2126
"""
import argparse
import asyncio
import hashlib
import json
import pathlib
import ssl
import sys

KINDS = ("slow", "429", "500", "503", "reset", "half", "html", "nojson", "nochoices", "badutf8", "wrongtype", "endless", "empty")


def share(seed, *parts):
    """A number from 0 to 1 that depends on these alone."""
    digest = hashlib.sha256(repr((seed,) + parts).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


class Endpoint:
    def __init__(self, args):
        self.delay, self.seed, self.key = args.delay, args.seed, args.key
        self.replies = json.load(open(args.replies, encoding="utf-8")) if args.replies else {}
        self.log = open(args.log, "a", encoding="utf-8", buffering=1) if args.log else None
        self.faults, self.always = [], None
        for part in filter(None, (args.faults or "").split(",")):
            kind, _, amount = part.partition("=")
            if kind.startswith("always:"):
                self.always = kind[len("always:"):]
            else:
                self.faults.append((kind, float(amount or 1)))
            if (self.always or kind) not in KINDS:
                sys.exit(f"endpoint.py: no fault `{kind}`; there is {', '.join(KINDS)}")
        self.tries = {}

    def fault(self, body):
        if self.always:
            return self.always
        name = hashlib.sha256(body).digest()
        tries = self.tries.get(name, 0)
        self.tries[name] = tries + 1
        if tries >= 2:
            return None
        at = share(self.seed, name, tries)
        for kind, amount in self.faults:
            if at < amount:
                return kind
            at -= amount
        return None

    def reply(self, request):
        messages = request["messages"]
        last = messages[-1]["content"]
        before = sum(m["role"] == "assistant" for m in messages)
        said = None
        for rule in self.replies.get(request["model"], []):
            if rule.get("has", "") in last:
                said = rule["say"]
                break
        if said is None:
            said = "reply " + hashlib.sha256(json.dumps([request["model"], messages], sort_keys=True).encode()).hexdigest()[:12]
        seed = request.get("seed", 0)
        if isinstance(said, list):
            said = said[seed % len(said)]
        if isinstance(said, str):
            said = {"text": said}
        text = said.get("text", "").replace("{n}", str(before)).replace("{seed}", str(seed))
        message = {"role": "assistant", "content": said["content"] if "content" in said else text}
        if "refusal" in said:
            message["refusal"] = said["refusal"]
        choice = {"index": 0, "message": message, "finish_reason": said.get("finish_reason", "stop")}
        if request.get("logprobs"):
            choice["logprobs"] = {"content": [{"token": w, "logprob": -share(0, w) - 0.001} for w in text.split(" ")]}
        count = lambda t: len(t.split())
        usage = {"prompt_tokens": sum(count(m["content"]) for m in messages), "completion_tokens": count(text)}
        return {"id": "x", "object": "chat.completion", "model": request["model"] + "-test", "choices": [choice], "usage": usage}

    async def serve(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.decode("latin-1").split("\r\n")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:] if line)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                if not await self.answer(lines[0], headers, body, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def answer(self, line, headers, body, writer):
        """Returns whether the connection stays."""
        def send(status, payload, kind="application/json", more=""):
            raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
            writer.write(f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(raw)}\r\n{more}\r\n".encode() + raw)

        verb, path = line.split(" ")[:2]
        note = {"path": path}
        fault = None
        try:
            if verb != "POST" or not path.endswith("/chat/completions"):
                send("404 Not Found", {"error": {"message": f"no {path} here"}})
                return True
            if self.key and headers.get("authorization") != f"Bearer {self.key}":
                send("401 Unauthorized", {"error": {"message": "wrong key"}})
                return True
            request = json.loads(body)
            note["request"] = request
            fault = self.fault(body)
            last = request["messages"][-1]["content"]
            if request["model"] == "long":
                send("400 Bad Request", {"error": {"message": "this model's context is too short"}})
                return True
            await asyncio.sleep(self.delay * (20 if last.startswith("slow") else 1))
            payload = json.dumps(self.reply(request), ensure_ascii=False).encode()
            if fault == "slow":
                await asyncio.sleep(1)
            elif fault == "429":
                send("429 Too Many Requests", {"error": {"message": "too fast"}}, more="Retry-After: 0.05\r\n")
                return True
            elif fault in ("500", "503"):
                send(f"{fault} Error", {"error": {"message": "it broke"}})
                return True
            elif fault == "reset":
                writer.transport.abort()
                return False
            elif fault == "half":
                writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n".encode())
                writer.write(payload[: len(payload) // 2])
                await writer.drain()
                writer.transport.close()
                return False
            elif fault == "html":
                send("200 OK", b"<html><body>Bad gateway</body></html>", "text/html")
                return True
            elif fault == "nojson":
                send("200 OK", payload[:-3])
                return True
            elif fault == "nochoices":
                send("200 OK", {"object": "chat.completion", "choices": []})
                return True
            elif fault == "badutf8":
                send("200 OK", payload.replace(b'"content": "', b'"content": "\xff\xfe', 1))
                return True
            elif fault == "wrongtype":
                send("200 OK", payload, "text/plain")
                return True
            elif fault == "empty":
                send("200 OK", b"")
                return True
            elif fault == "endless":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
                chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
                while True:
                    writer.write(chunk)
                    await writer.drain()
            send("200 OK", payload)
            return True
        finally:
            if self.log:
                note["fault"] = fault
                self.log.write(json.dumps(note) + "\n")
            if not writer.is_closing():
                try:
                    await writer.drain()
                except ConnectionError:
                    pass


async def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--replies")
    p.add_argument("--delay", type=float, default=0)
    p.add_argument("--faults")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--key")
    p.add_argument("--log")
    p.add_argument("--tls", action="store_true")
    args = p.parse_args()
    endpoint = Endpoint(args)
    tls = None
    if args.tls:
        here = pathlib.Path(__file__).parent
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(here / "localhost.pem", here / "localhost-key.pem")
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", args.port, limit=1 << 26, backlog=4096, ssl=tls)
    print(f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
