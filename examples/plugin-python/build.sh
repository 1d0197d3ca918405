#!/bin/sh
# Builds app.py to python.wasm: `pip install componentize-py==0.25.1 && ./build.sh`.
set -eu
here=$(dirname "$0")
# --stub-wasi: nothing of what the interpreter would ask the world for. A plugin that imports anything else than portkeeper:output
# is refused.
componentize-py --wit-path "${PORTKEEPER_WIT:-$here/../../plugin-sdk/wit/v0.1}" --world output-plugin \
  componentize --stub-wasi --python-path "$here" app --output python.wasm
