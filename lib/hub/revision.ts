// Revisions: branches, tags and commits.
import { expected } from "../util/validation.js";

export const DEFAULT_REVISION = "main";

const COMMIT = /^[0-9a-f]{40}$/;
const MAX_LENGTH = 255;

/** Whether a text is the full hash of a commit. */
export function isCommit(text: unknown): text is string {
  return typeof text === "string" && COMMIT.test(text);
}

/**
 * A name that git allows for a branch or tag, or a commit. It becomes a path in the cache, so this excludes paths that
 * lead elsewhere. Throws ERR_INVALID_ARGUMENT.
 */
export function checkRevision(value: unknown, name: string): string {
  if (typeof value === "string" && isRevision(value)) return value;
  throw expected("a branch, tag or commit", name, value);
}

function isRevision(text: string): boolean {
  if (text.length > MAX_LENGTH || !/^[\p{L}\p{N}_./@+#=!%(),-]+$/u.test(text) || text.includes("..")) return false;
  return text.split("/").every((part) => part !== "" && !part.startsWith(".") && !part.endsWith(".lock"));
}
