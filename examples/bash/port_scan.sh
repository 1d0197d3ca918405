#!/usr/bin/env bash
# Shows the hosts of the local network with their open and free ports, and reserves one that is free.
# Usage: port_scan.sh [RANGE] [more options of `portkeeper scan`, such as --host 127.0.0.1]
# Scan only networks that are yours, or whose owners agree.
set -eu
range=${1:-8000-8050}
[ $# -eq 0 ] || shift

# As it is found: one JSON document a line.
portkeeper scan --range "$range" --stream "$@" | while read -r event; do
  case $event in
    *'"state":"open"'*) printf 'open: %s\n' "$event" ;;
  esac
done

# All of it, for people. The same with --json for programs.
portkeeper scan --range "$range" --format table "$@"

# A port that is free on one of these hosts, our own addresses first, reserved for a minute.
portkeeper reserve-network --range "$range" --owner port_scan.sh "$@"
