#!/bin/sh
# A walk through the commands. Everything happens in a temporary directory, with a registry of its own.
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

say 'A port, as JSON: 8888 if it is free, else the next one.'
run portkeeper reserve --preferred 8888 --range 8888-8988 --owner walkthrough

say 'Just the number, for command lines.'
run portkeeper port --profile frontend --owner walkthrough

say 'Three ports, or none.'
run portkeeper reserve --count 3 --range 5000-5100 --owner walkthrough

say 'A port with a name, written into .env. Asked for again, it is the same one.'
run portkeeper reserve --profile service --write-env
run portkeeper reserve --profile service --write-env
run cat .env

say 'A name of your own: the same port tomorrow, and in every directory. Without --global it is one of the project.'
run portkeeper port --global walkthrough/web
run portkeeper port --global walkthrough/web
run portkeeper list --global

say 'Free ports without reserving them, and what speaks against one.'
run portkeeper pick -n 3
run portkeeper pick --why 6000 || true

say 'What is reserved, and what listens there.'
run portkeeper status --format table

say 'A whole stack: its ports and its files.'
cat > pk.config.json <<'JSON'
{
  "ports": [
    { "key": "API_PORT", "preferred": 8888, "range": [8888, 8988] },
    { "key": "WEB_PORT", "preferred": 8080, "range": [8080, 8180] }
  ],
  "outputs": [
    { "type": "env" },
    { "type": "json", "map": { "api": { "url": "http://localhost:${API_PORT}" } } },
    { "type": "runtime_js", "map": { "apiUrl": "http://localhost:${API_PORT}" } }
  ]
}
JSON
run portkeeper prepare --dry-run
run portkeeper prepare
run cat .env config.json runtime-config.js

say 'Again: the same ports, and nothing to write. In CI, --check makes that an exit code.'
run portkeeper prepare --check

say 'A file that was edited by hand: --diff shows what the next prepare would put right, and changes nothing.'
echo 'API_PORT=1' > .env
run portkeeper prepare --diff

say 'Giving back.'
run portkeeper release --owner walkthrough
run portkeeper release --all
run portkeeper status --json
