"""Names that keep their ports: a registry beside the file that port-for would have used."""

import shutil

from program import ask

from .api import PortForException


class PortStore:
    def __init__(self, config_filename):
        self.directory = f"{config_filename}.portkeeper"

    def __del__(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def ask(self, *words):
        code, answer, reason = ask(*words, PORTKEEPER_REGISTRY=f"{self.directory}/registry.json")
        if code:
            raise PortForException(reason)
        return answer

    def bind_port(self, app, port=None):
        return int(self.ask("port", "--global", app, *([] if port is None else ["--port", port])))

    def unbind_port(self, app):
        self.ask("release", "--global", app)

    def bound_ports(self):
        lines = self.ask("list", "--global").splitlines()
        return [(name, int(port)) for name, port in (line.split(": ") for line in lines)]
