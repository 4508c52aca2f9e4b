// Takes the lock of a folder once: `hold.mjs <folder> [<milliseconds until a lock of another place is stale>]`. Prints the
// name of its lock's file, and holds the lock until standard input ends.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { argv, stdin, stdout } from "node:process";
import { acquireLock } from "../../../scripts/setup/lock.mjs";

const [directory, staleMs] = argv.slice(2);
await acquireLock({ directory, pollMs: 1, ...(staleMs !== undefined && { staleMs: Number(staleMs) }) });
stdout.write(`${readdirSync(join(directory, "lock")).join()}\n`);
stdin.resume();
