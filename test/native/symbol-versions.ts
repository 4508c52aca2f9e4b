// The versions of system functions that a binary needs.
import { readFileSync } from "node:fs";

/**
 * The newest versions of each library's symbols on the oldest Linux that libtorch's wheels run on (manylinux_2_28):
 * glibc 2.28 and the libraries of GCC 8.
 */
const NEWEST: Readonly<Record<string, readonly number[]>> = {
  GLIBC: [2, 28],
  GLIBCXX: [3, 4, 25],
  CXXABI: [1, 3, 11],
  GCC: [8, 0, 0],
};

/** The versions that a binary requires, such as "GLIBC_2.14". Only these strings of a binary have this form. */
export function versionsIn(path: string): readonly string[] {
  const found = readFileSync(path, "latin1").match(/\b(GLIBC|GLIBCXX|CXXABI|GCC)_\d+(\.\d+)+(?=\0)/g);
  return [...new Set(found ?? [])];
}

/** Whether a version is newer than those of the oldest Linux. */
export function newerThanOldestLinux(version: string): boolean {
  const [library = "", number = ""] = version.split("_");
  const parts = number.split(".").map(Number);
  const newest = NEWEST[library] ?? [];
  const different = parts.findIndex((part, index) => part !== (newest[index] ?? 0));
  return different !== -1 && (parts[different] ?? 0) > (newest[different] ?? 0);
}
