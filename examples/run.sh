#!/bin/sh
# Servers on ports that are theirs from before they start until they end. Everything happens in a temporary directory, with a registry of
# its own.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
export PORTKEEPER_REGISTRY="$directory/registry.json"

say() { printf '\n# %s\n' "$1"; }
run() {
  printf '$ %s\n' "$*"
  "$@"
}

# Any server will do. This one asks itself for its page on each of its ports, and ends.
cat > server.py <<'PYTHON'
import sys, threading, urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"served")

    def log_message(self, *_):
        pass

host, *ports = sys.argv[1:]
for port in ports:
    server = HTTPServer((host, int(port)), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://{host}:{port}/"
    print(url, "says:", urllib.request.urlopen(url).read().decode(), flush=True)
PYTHON

say 'A port for one server. {HOST} and {PORT} are replaced in the arguments; the environment has HOST and PORT.'
run portkeeper run -- python3 server.py {HOST} {PORT}

say 'The ports of a config. Its files are written first; each key is a variable and a {KEY}.'
cat > pk.config.json <<'JSON'
{
  "ports": [
    { "key": "API_PORT", "preferred": 8600, "range": [8600, 8699] },
    { "key": "WEB_PORT", "preferred": 8700, "range": [8700, 8799] }
  ],
  "outputs": [{ "type": "env" }]
}
JSON
run portkeeper run -c pk.config.json -- python3 server.py {HOST} {API_PORT} {WEB_PORT}
run cat .env

say 'How the server got its port, and what that guarantees, in a file instead of a line on stderr.'
run portkeeper run --report report.json -- python3 server.py {HOST} {PORT}
run cat report.json

say 'The ports of the config have names that stay; the others ended with their servers.'
run portkeeper list
run portkeeper release --all
run portkeeper status --json
