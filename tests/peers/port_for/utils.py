"""What port-for's tests make their input with."""


def ranges_to_set(ranges):
    return {port for low, high in ranges for port in range(low, high + 1)}
