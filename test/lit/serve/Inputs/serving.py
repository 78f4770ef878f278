"""Starts `ppc serve`, and asks it."""
import contextlib
import http.client
import json
import os
import signal
import subprocess
import urllib.parse


class Server:
    def __init__(self, command, environment=None):
        self.process = subprocess.Popen(command + ["--port", "0", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, **(environment or {})})
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{command}: {self.process.communicate()[1]}")
        self.said = json.loads(line)
        address = urllib.parse.urlsplit(self.said["url"])
        # For others it says the machine's name, which not every machine knows itself by.
        self.host, self.port = "127.0.0.1" if "0.0.0.0" in command else address.hostname, address.port

    def connect(self):
        return http.client.HTTPConnection(self.host, self.port, timeout=60)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors


@contextlib.contextmanager
def serving(*command, environment=None):
    server = Server(list(command), environment)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.process.communicate()


def ask(connection, method, path, body=None, headers=None):
    """Status and JSON (or text) of the answer."""
    headers = {"Content-Type": "application/json", **(headers or {})} if method == "POST" else headers or {}
    data = body if isinstance(body, (bytes, str)) or body is None else json.dumps(body)
    connection.request(method, path, data, headers)
    response = connection.getresponse()
    text = response.read()
    kind = response.headers.get("Content-Type", "")
    return response.status, json.loads(text) if kind.startswith("application/json") else text.decode()


def check(holds, *what):
    if not holds:
        raise SystemExit("broken: " + " ".join(str(w) for w in what)[:2000])
