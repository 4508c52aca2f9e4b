// Takes the lock of a folder several times: `contend.mjs <folder> <times> <release|die>`. Waits for a line on standard
// input to begin. Appends "acquire <pid>" and "release <pid>" to <folder>/log, and counts in <folder>/count in a way that
// loses counts if two processes hold the lock at once. With "die", it kills itself while it holds the lock.
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { argv, kill, pid, stdin, stdout } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { acquireLock, releaseLock } from "../../../scripts/setup/lock.mjs";

const [directory, times, ending] = argv.slice(2);
const [log, count] = [join(directory, "log"), join(directory, "count")];

stdout.write("ready\n");
await new Promise((resolve) => stdin.once("data", resolve));
stdin.destroy();
for (let time = 0; time < Number(times); time++) {
  await acquireLock({ directory, pollMs: 1 });
  appendFileSync(log, `acquire ${pid}\n`);
  const before = Number(readFileSync(count, "utf8"));
  await sleep(Math.random() * 3);
  writeFileSync(count, String(before + 1));
  if (ending === "die") kill(pid, "SIGKILL");
  appendFileSync(log, `release ${pid}\n`);
  releaseLock();
}
