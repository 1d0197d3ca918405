// A portkeeper plugin in JavaScript: the map as a module, for programs that `import * as ports from "./ports.mjs"`.

const HEAD = "// Written by portkeeper; what you change in here is lost.\n";

const OPTIONS = {
  type: "object",
  properties: {
    numbers: { type: "boolean", default: true, description: "Write whole numbers as numbers instead of text" },
  },
  additionalProperties: false,
};

/** What the interface calls a failure; nothing is written then. */
const failure = (code, message, help) => ({ code, message, help, line: undefined });

function line([key, value], numbers) {
  if (!/^[A-Za-z_$][\w$]*$/.test(key)) {
    throw failure("bad-map", `\`${key}\` cannot be the name of a constant`, "Use letters, digits and `_`, with no digit first.");
  }
  const isNumber = numbers && /^(0|[1-9]\d{0,14})$/.test(value);
  return `export const ${key} = ${isNumber ? value : JSON.stringify(value)};\n`;
}

export const plugin = {
  describe: () => ({
    name: "esm",
    version: "0.1.0",
    description: "A JavaScript module with a constant for each entry",
    outputTypes: ["esm"],
    defaultPath: "ports.mjs",
    optionsSchema: JSON.stringify(OPTIONS),
    attrs: [],
  }),

  render(request) {
    const { numbers = true } = JSON.parse(request.options);
    const old = request.target.text ?? "";
    if (old.trim() !== "" && !old.startsWith(HEAD)) {
      throw failure("bad-target", "the file is not this plugin's: it has another first line", "Move it away, or choose another `path`.");
    }
    const text = HEAD + request.entries.map((entry) => line(entry, numbers)).join("");
    return { files: [{ path: request.target.path, text, sensitive: false }], diagnostics: [] };
  },
};
