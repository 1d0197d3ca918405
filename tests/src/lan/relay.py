"""Carries frames between two interfaces, each a while late: relay.py ONE OTHER MILLISECONDS. Says `ready`; ends with its input."""
import heapq, select, socket, sys, time

SOL_PACKET, VNET_HDR, IGNORE_OUTGOING = 263, 15, 23  # linux/if_packet.h; the header keeps checksums that are still to be made
one, other, late = sys.argv[1], sys.argv[2], float(sys.argv[3]) / 1000

def tap(name):
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    tap.setsockopt(SOL_PACKET, VNET_HDR, 1)
    tap.setsockopt(SOL_PACKET, IGNORE_OUTGOING, 1)
    tap.bind((name, 3))
    tap.setblocking(False)
    return tap

one, other = tap(one), tap(other)
across = {one: other, other: one}
waiting, number = [], 0
print("ready", flush=True)
while True:
    rest = max(0, waiting[0][0] - time.monotonic()) if waiting else None
    for source in select.select([one, other, sys.stdin], [], [], rest)[0]:
        if source is sys.stdin:
            sys.exit()
        try:
            while True:
                number += 1
                heapq.heappush(waiting, (time.monotonic() + late, number, across[source], source.recv(70000)))
        except BlockingIOError:
            pass
    while waiting and waiting[0][0] <= time.monotonic():
        _, _, target, frame = heapq.heappop(waiting)
        try:
            target.send(frame)
        except OSError:
            pass
