#!/usr/bin/env python3
"""A port server for portpicker's clients: each port is leased to the client's process with `port --for-pid`."""

import argparse
import logging
import os
import signal
import socket

from program import ask, says_yes

stats = {"client-request-errors": 0, "denied-allocations": 0, "total-allocations": 0}
log = logging.getLogger("portserver")


def lease(pid, pool):
    """A port that is free for TCP and UDP on both families; none for what is no process."""
    if pid <= 1 or not os.path.exists(f"/proc/{pid}"):
        return None
    for _ in range(10):
        code, port, _ = ask("port", "--for-pid", pid, "--range", pool)
        if code:
            return None
        if says_yes("pick", "--protocol", "udp", port):
            return port
    return None


def answer(client, pool):
    try:
        request = client.recv(100)
        if len(request) > 20:
            raise ValueError("too long for a pid")
        pid = int(request)
    except (OSError, ValueError):
        stats["client-request-errors"] += 1
        return
    port = lease(pid, pool)
    stats["total-allocations" if port else "denied-allocations"] += 1
    if port:
        client.sendall(f"{port}\n".encode())


def dump(*_):
    for name, count in stats.items():
        log.info("%s %d", name, count)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--portserver_address", "--portserver_unix_socket_address", default="@unittest-portserver")
    options.add_argument("--portserver_static_pool", default="15000-24999")
    options = options.parse_args()
    logging.basicConfig(level=logging.INFO)
    signal.signal(signal.SIGUSR1, dump)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(options.portserver_address.replace("@", "\0", 1))
    server.listen(64)
    try:
        while True:
            client, _ = server.accept()
            with client:
                answer(client, options.portserver_static_pool)
    except KeyboardInterrupt:
        dump()


if __name__ == "__main__":
    main()
