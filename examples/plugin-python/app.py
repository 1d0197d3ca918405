"""A portkeeper plugin in Python: the map as a module, for programs that `import ports`."""

import json
import keyword

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.types import Failure, Metadata, OutFile, Request, Response

HEAD = "# Written by portkeeper; what you change in here is lost.\n"

OPTIONS = {
    "type": "object",
    "properties": {
        "numbers": {"type": "boolean", "default": True, "description": "Write whole numbers as numbers instead of text"},
    },
    "additionalProperties": False,
}


def failure(code: str, message: str, help: str) -> Err:
    """What the interface calls a failure; nothing is written then."""
    return Err(Failure(code, message, help, None))


def line(key: str, value: str, numbers: bool) -> str:
    if not key.isidentifier() or keyword.iskeyword(key):
        raise failure("bad-map", f"`{key}` cannot be the name of a variable", "Use letters, digits and `_`, with no digit first.")
    is_number = numbers and value.isdecimal() and value.isascii() and str(int(value)) == value
    return f"{key} = {value if is_number else repr(value)}\n"


class Plugin(exports.Plugin):
    def describe(self) -> Metadata:
        return Metadata(
            name="python",
            version="0.1.0",
            description="A Python module with a variable for each entry",
            output_types=["python"],
            default_path="ports.py",
            options_schema=json.dumps(OPTIONS),
            attrs=[],
        )

    def render(self, req: Request) -> Response:
        numbers = json.loads(req.options).get("numbers", True)
        old = req.target.text or ""
        if old.strip() and not old.startswith(HEAD):
            raise failure("bad-target", "the file is not this plugin's: it has another first line", "Move it away, or choose another `path`.")
        text = HEAD + "".join(line(key, value, numbers) for key, value in req.entries)
        return Response(files=[OutFile(req.target.path, text, False)], diagnostics=[])
