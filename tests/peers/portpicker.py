"""portpicker with every look at a port, and every choice without a server, made by the program; its client of a port server is its own.

`PORTPICKER` names the file of the real module.
"""

import os
import sys

from program import ask, says_yes

with open(os.environ["PORTPICKER"], encoding="utf-8") as file:
    # Not as `__main__`: that would be over before anything is replaced.
    name, globals()["__name__"] = __name__, "portpicker"
    exec(compile(file.read(), file.name, "exec"))
    globals()["__name__"] = name


def is_free(port, protocol):
    # On every address of the machine: that is what the default host stands for when a port is chosen.
    return says_yes("pick", "--protocol", protocol, port)


def _is_port_free(port, return_sockets=None):
    return is_free(port, "tcp") and is_free(port, "udp")


def is_port_free(port):
    return _is_port_free(port)


def _pick_unused_port_without_server(bind_timeout=0):
    for _ in range(10):
        port = int(ask("pick", "--random")[1])
        if port not in _random_ports and is_free(port, "udp"):
            _random_ports.add(port)
            return port
    raise NoFreePortFoundError()


IsPortFree = is_port_free

if __name__ == "__main__":
    sys.exit(main(sys.argv))
