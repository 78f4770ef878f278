#!/usr/bin/env python3
"""An HTTP proxy for tests, on loopback: passes on what it is asked for, and makes tunnels (CONNECT).

usage: proxy.py [--log FILE] [--refuses STATUS]

Prints its URL once it listens. --log: a line for each request, its first line and whether it had a Proxy-Authorization.
--refuses STATUS: answers everything so.
"""
import argparse
import asyncio
import urllib.parse

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--log")
p.add_argument("--refuses")
args = p.parse_args()
log = open(args.log, "a", encoding="utf-8", buffering=1) if args.log else None


async def message(reader):
    """The first line, headers and body of a request or a response; None when the connection has ended."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head[:-4].decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        return first, headers, await reader.readexactly(int(headers.get("content-length", 0)))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def text(first, headers, body):
    return (first + "\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n").encode("latin-1") + body


async def pour(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def serve(reader, writer):
    to = None  # the connection to where the last request went
    try:
        while request := await message(reader):
            first, headers, body = request
            verb, target, version = first.split(" ")
            authorized = headers.pop("proxy-authorization", None)
            if log:
                log.write(f"{first}{', authorized' if authorized else ''}\n")
            if args.refuses:
                writer.write(f"HTTP/1.1 {args.refuses} No\r\nContent-Length: 0\r\n\r\n".encode())
            elif verb == "CONNECT":
                host, _, port = target.rpartition(":")
                there = await asyncio.open_connection(host, int(port))
                writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
                await asyncio.gather(pour(reader, there[1]), pour(there[0], writer))
                return
            else:
                url = urllib.parse.urlsplit(target)
                to = to or await asyncio.open_connection(url.hostname, url.port or 80)
                to[1].write(text(f"{verb} {url.path} {version}", headers, body))
                response = await message(to[0])
                if not response:
                    return
                writer.write(text(*response))
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
        if to:
            to[1].close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 26, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    async with server:
        await server.serve_forever()


try:
    asyncio.run(main())
except KeyboardInterrupt:
    pass
