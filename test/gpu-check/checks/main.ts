// Runs one check in its own process: `node --import tsx main.ts <check> <settings as JSON>`. Prints each finding as a
// line of JSON as soon as it is made, so that a later crash loses none.
import { argv, stdout } from "node:process";
import { ends } from "./ends.js";
import { lostDevice, outOfMemory } from "./failures.js";
import { forward } from "./forward.js";
import { generation } from "./generation.js";
import { memory } from "./memory.js";
import { parity } from "./parity.js";
import { refusals } from "./refusals.js";
import { replicas } from "./replicas.js";
import { results } from "./results.js";
import { sessions } from "./sessions.js";
import type { Check, Settings } from "./settings.js";
import { sideBySide } from "./side-by-side.js";

const CHECKS: Readonly<Record<string, Check>> = {
  forward,
  sessions,
  generation,
  results,
  refusals,
  parity,
  ends,
  memory,
  replicas,
  "side-by-side": sideBySide,
  "out-of-memory": outOfMemory,
  "lost-gpu": lostDevice,
};

const [name = "", settings = ""] = argv.slice(2);
const check = CHECKS[name];
if (check === undefined) throw new Error(`Expected one of ${Object.keys(CHECKS).join(", ")} but received "${name}"`);
for await (const finding of check(JSON.parse(settings) as Settings)) stdout.write(`${JSON.stringify(finding)}\n`);
