#!/bin/sh
# Starts a web server on a port that nobody else is given, asks it for its page, and gives the port back.
set -eu
directory=$(mktemp -d)
port=$(portkeeper port --profile service --owner run_server.sh)
echo 'served on a reserved port' > "$directory/index.html"

python3 -m http.server "$port" --bind 127.0.0.1 --directory "$directory" 2>/dev/null &
server=$!
trap 'kill "$server"; portkeeper release "$port" >/dev/null; rm -rf "$directory"' EXIT

# Ask until the server is up. The reservation lasts 60 seconds without a listener, and then as long as there is one.
python3 - "$port" <<'PYTHON'
import sys, time, urllib.request

url = f"http://127.0.0.1:{sys.argv[1]}/"
for attempt in range(100):
    try:
        print(url, "says:", urllib.request.urlopen(url).read().decode().strip())
        break
    except OSError:
        time.sleep(0.05)
else:
    sys.exit(f"{url} does not answer")
PYTHON

portkeeper status --format table
