// Builds plugin.js to esm.wasm: `npm install && npm run build`.

import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { componentize } from "@bytecodealliance/componentize-js";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const { component } = await componentize(await readFile(here("plugin.js"), "utf8"), {
  witPath: process.env.PORTKEEPER_WIT ?? here("../../plugin-sdk/wit/v0.1"),
  worldName: "output-plugin",
  // All of what the engine would ask the world for. A plugin that imports anything else than portkeeper:output is refused.
  disableFeatures: ["random", "stdio", "clocks", "http", "fetch-event"],
});
await writeFile("esm.wasm", component);
