// One reference for all test files of a run: it takes seconds to start, and tokenizers take seconds to make.
import { after } from "mocha";
import { RustTokenizers } from "./rust.js";

let rust: RustTokenizers | undefined;

/** The reference; its process begins with the first call. */
export function sharedRust(): RustTokenizers {
  rust ??= new RustTokenizers();
  return rust;
}

// Of the whole run: this file's hooks belong to no suite.
after(() => rust?.close());
