// A results file: JSON Lines. The first line tells machine and settings, each other one a trial, a case's samples, or a failure.
import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";

const TYPES = ["run", "trial", "sample", "failure"];

/** A function that appends records to the file, each at once: what was measured survives an interruption. */
export function openResults(path) {
  mkdirSync(dirname(path), { recursive: true });
  return (record) => appendFileSync(path, `${JSON.stringify(record)}\n`);
}

/** The records of a file; throws on a line that is none, by its number. */
export function readResults(path) {
  return parseResults(readFileSync(path, "utf8"));
}

/** The records of a file's text. */
export function parseResults(text) {
  return text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    try {
      const record = JSON.parse(line);
      if (TYPES.includes(record?.type)) return [record];
    } catch {
      // Told below, as a record of no known type is.
    }
    throw new Error(`Expected a record of results on line ${index + 1} but found ${line.slice(0, 80)}`);
  });
}
