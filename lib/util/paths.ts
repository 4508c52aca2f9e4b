// Paths that a model's own files name.

/** Whether a path with slashes leads to a file inside its directory, on every platform. */
export function isInside(path: string): boolean {
  const parts = path.split("/");
  return !/[\\:\0]/.test(path) && parts.every((part) => part !== "" && part !== "." && part !== "..");
}
