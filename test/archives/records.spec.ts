import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { demoModel, T5ForConditionalGeneration } from "torch-t5";
import { updateManifest, withModelCopy } from "../support/directory.js";
import { pythonPath } from "../support/python.js";

const EDITOR = fileURLToPath(new URL("./edit_records.py", import.meta.url));

/** libtorch's own words. */
const LARGER =
  "Tensor: sizes 16777215 128, strides 128 1, storage offset 0 and itemsize 4 require a storage of at least " +
  "8589934080 bytes, but storage only has 204288 bytes";

/** Each edit of edit_records.py, and the reason that the error states. */
const edits: readonly (readonly [promise: string, edit: string, reason: string])[] = [
  ["a record has an absolute path", "absolute", "a record with the path /etc/version"],
  ["a record is outside of the folder", "parent", "a record with the path model/../../version"],
  ["a record has a path of Windows", "backslash", "a record with a bad name"],
  ["records are in two folders", "folders", "records in several folders"],
  ["two records have one name", "duplicate", "two records with the name model/version"],
  ["two records have one name but for capitals", "capitals", "two records with the name model/VERSION"],
  ["a tensor is compressed", "compressed", "the compressed tensor model/data/0"],
  ["its code is large when it is decompressed", "bomb", "more than 16 MiB of code"],
  ["a record has two sizes", "sizes", "two sizes of the record model/data/0"],
  ["a record is larger than the file", "outside", "two sizes of the record model/data/0"],
  ["a record contains others", "overlap", "two sizes of the record model/data/0"],
  ["a record begins in another", "offset", "no header of the record model/data/0"],
  ["a record is encrypted", "encrypted", "the encrypted record model/data/0"],
  ["the directory is cut", "truncated", "a zip file whose directory is elsewhere"],
  ["the directory is not at the end", "appended", "no directory at the end of the zip file"],
  ["a tensor's data are missing", "missing", "a pickle with a tensor of the data 0, which the archive lacks"],
  ["a tensor's shape is larger than its data", "larger", LARGER],
  ["lists are not closed", "nested", "a pickle with more than one value"],
  ["values are nested deeply", "deep", "a pickle with values in values, more than 64 deep"],
  ["each value is used twice", "doubled", "a pickle with more than 5000000 values"],
  ["a list contains itself", "cyclic", "a pickle with a container that changes after its use"],
  ["a key has no value", "key", "a pickle with a key without a value"],
  ["a value is stored at a far number", "memo", "a pickle with a number that is not the next one"],
  ["an instruction has no operand", "stack", "a pickle with an instruction without its mark"],
  ["a text is longer than the pickle", "early", "a pickle with an early end"],
];

const untrusted: readonly (readonly [promise: string, edit: string, received: string])[] = [
  ["calls a function of Python", "foreign", "posix.system"],
  ["makes a tensor of unchecked indices", "sparse", "torch._utils._rebuild_sparse_tensor"],
];

describe("an archive whose records were edited, in a directory whose manifest has its digest", () => {
  async function expectRefusal(edit: string, code: string, message: string): Promise<void> {
    await withModelCopy(async (directory) => {
      execFileSync(pythonPath(), [EDITOR, join(demoModel, "model.pt"), join(directory, "model.pt"), edit]);
      updateManifest(directory, "model.pt");
      for (const precision of ["exact", "float32"] as const) {
        await assert.rejects(
          T5ForConditionalGeneration.fromPretrained(directory, { device: "cpu", precision }),
          (error: { code?: unknown; message: string }) => {
            assert.equal(error.code, code, error.message);
            assert.ok(error.message.endsWith(message), error.message);
            return true;
          },
        );
      }
    });
  }

  for (const [promise, edit, reason] of edits) {
    it(`is refused when ${promise}`, () => expectRefusal(edit, "ERR_MODEL_CORRUPT", `(${reason})`));
  }
  for (const [promise, edit, received] of untrusted) {
    it(`is refused when its pickle ${promise}`, () =>
      expectRefusal(
        edit,
        "ERR_MODEL_UNTRUSTED",
        `Expected tensors, containers and classes of the archive but received ${received}`,
      ));
  }
});
