"""port-for's interface: `pick` for its functions, global names for its store."""

from .api import (PortForException, available_good_ports, good_port_ranges, is_available, port_is_used,
                  select_random)
from .store import PortStore
