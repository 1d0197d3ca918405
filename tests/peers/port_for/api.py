"""Which ports are good, and which are used."""

from program import ask, says_yes


class PortForException(Exception):
    pass


def picked(*words):
    code, ports, reason = ask("pick", *words)
    if code:
        raise PortForException(reason)
    return [int(port) for port in ports.split()]


def listed(ports):
    return ",".join(map(str, sorted(ports)))


def select_random(ports=None, exclude_ports=None):
    among = ["-1"] if ports is None else [listed(ports)]
    exclude = ["--exclude", listed(exclude_ports)] if exclude_ports else []
    return picked("--random", *exclude, *among)[0]


def port_is_used(port, host="127.0.0.1"):
    return not says_yes("pick", "--host", host, port)


def is_available(port):
    return says_yes("pick", "--why", port)


def available_good_ports():
    return set(picked("--count", 10_000))


def good_port_ranges(ports=None, min_range_len=20, border=3):
    if ports is not None:
        raise NotImplementedError("the program has no question about a set of one's own")
    ports = available_good_ports()
    starts = [port for port in sorted(ports) if port - 1 not in ports]
    ends = [port for port in sorted(ports) if port + 1 not in ports]
    return list(zip(starts, ends))
