"""portend's interface: `wait`, and `pick` for its available port."""

import sys

from program import ask


class Timeout(IOError):
    pass


class PortNotFree(IOError):
    pass


class HostPort(str):
    @classmethod
    def from_addr(cls, addr):
        return cls(target(addr[0], addr[1]))


def target(host, port):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def wait(host, port, state, timeout, error):
    if not host:
        raise ValueError("a host is needed")
    patience = [] if timeout in (None, float("inf")) else ["-t", f"{timeout}s"]
    code, _, words = ask("wait", *patience, target(host, port), state)
    if code:
        raise error(words)


class Checker:
    def __init__(self, timeout=1.0):
        self.timeout = timeout

    def assert_free(self, host, port=None):
        if port is None:
            host, port = host[:2]
        wait(host, port, "free", 0, PortNotFree)


def free(host, port, timeout=None):
    wait(host, port, "free", timeout, Timeout)


def occupied(host, port, timeout=None):
    wait(host, port, "occupied", timeout, Timeout)


def find_available_local_port():
    return int(ask("pick", "--random")[1])


def _main(args=None):
    code, _, words = ask("wait", *(sys.argv[1:] if args is None else args))
    if code:
        print(words, file=sys.stderr)
        raise SystemExit(code)
