// Reads and writes a results file in JSON Lines. The first record has the machine and the settings. Each other one is a trial, the
// samples of a case, or a failure.
import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";

const TYPES = ["run", "trial", "sample", "failure"];

/** Returns a function that appends a record to the file at once, so that an interruption loses no results. */
export function openResults(path) {
  mkdirSync(dirname(path), { recursive: true });
  return (record) => appendFileSync(path, `${JSON.stringify(record)}\n`);
}

/** The records of a file. Throws an Error that names the first invalid line. */
export function readResults(path) {
  return parseResults(readFileSync(path, "utf8"));
}

/** The records in the text of a file. Throws an Error that names the first invalid line. */
export function parseResults(text) {
  return text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    try {
      const record = JSON.parse(line);
      if (TYPES.includes(record?.type)) return [record];
    } catch {
      // Reported below, like a record of an unknown type.
    }
    throw new Error(`Expected a record of results on line ${index + 1} but found ${line.slice(0, 80)}`);
  });
}
