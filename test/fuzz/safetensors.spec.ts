import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { T5Error, T5ForConditionalGeneration } from "torch-t5";
import { findWeights } from "#lib/loading/checkpoint-weights.js";
import { parseConfig, readArchitecture } from "#lib/loading/config.js";
import { parseSafetensorsHeader, type TensorEntry } from "#lib/loading/safetensors.js";
import { random } from "../archives/programs/random.mjs";
import { CONFIG, headerOf, makeWeights, safetensors, writeCheckpoint } from "../support/checkpoint.js";
import { withDirectory } from "../support/directory.js";

/** `TORCH_T5_FUZZ_INPUTS=1000000` runs the long form. */
const HEADERS = Number(process.env.TORCH_T5_FUZZ_INPUTS ?? 8000);
const FILES = 300;
const SEED = Number(process.env.TORCH_T5_SEED ?? 7);
const LENGTH_BYTES = 8;
const MAX_EDITS = 4;

const below = random(SEED);
const pick = <Value>(values: readonly Value[]): Value => values[below(values.length)] as Value;

const weights = makeWeights();
const { header, numbers } = headerOf(weights);
const names = [...weights.keys()];
const text = JSON.stringify(header);
const architecture = readArchitecture(parseConfig(CONFIG, {}), CONFIG, "float32");

/** Parts of headers, valid and not. */
const PIECES: readonly string[] = [
  ...['"', "\\", "{", "}", "[", "]", ",", ":", "null", "true", '"F32"', '"BF16"', '"dtype"', '"shape"', "\0", "é"],
  ...['"__metadata__"', "-1", "1e309", "18446744073709551616", "9007199254740993", "0.5", "-0", '"\\u0073"', "[[[[[[["],
];

/** Values in place of a type, of sizes or of offsets. */
const VALUES: readonly unknown[] = [
  ...[null, true, "F32", "F64", "I4", "", "shape", -1, 0, 1, 2 ** 31, 2 ** 53, 2 ** 63, 1e308, 0.5, {}, []],
  ...[[0], [0, 0], [16, 8], [8, 16], [1, 512], [512, 0], [2 ** 32, 2 ** 32], [-1, 4], [0, 2 ** 62], [[16, 8]]],
];

/** A header with random edits: of its values, or of its text. */
function makeHeader(): string {
  if (below(8) === 0) return Array.from({ length: below(12) }, () => pick(PIECES)).join("");
  let edited = below(2) === 0 ? text : JSON.stringify(editValues());
  for (let edits = below(MAX_EDITS); edits > 0; edits--) {
    const [begin, removed] = [below(edited.length + 1), below(3)];
    edited = edited.slice(0, begin) + (below(4) === 0 ? "" : pick(PIECES)) + edited.slice(begin + removed);
  }
  return edited;
}

function editValues(): object {
  const copy: Record<string, Record<string, unknown>> = JSON.parse(text);
  for (let edits = 1 + below(2); edits > 0; edits--) {
    const name = names[below(names.length)] ?? "";
    const entry = copy[name];
    switch (below(6)) {
      case 0:
        delete copy[name];
        break;
      case 1:
        copy[pick(["a", "shared.weight", "__metadata__", "__proto__", "transformer.shared.weight"])] = { ...entry };
        break;
      default:
        if (entry !== undefined) entry[pick(["dtype", "shape", "data_offsets"])] = pick(VALUES);
    }
  }
  return copy;
}

function assertInside(tensors: ReadonlyMap<string, TensorEntry>, begin: number, end: number): void {
  let covered = begin;
  for (const { offset, bytes } of [...tensors.values()].sort((a, b) => a.offset - b.offset || a.bytes - b.bytes)) {
    assert.equal(offset, covered);
    covered += bytes;
  }
  assert.equal(covered, end);
}

/** Runs a function that may throw nothing but an error about a corrupt model. Returns whether it threw none. */
function isAccepted(run: () => void): boolean {
  try {
    run();
    return true;
  } catch (thrown) {
    if (thrown instanceof T5Error && thrown.code === "ERR_MODEL_CORRUPT" && thrown.message.length < 2000) return false;
    throw thrown;
  }
}

describe("a safetensors header, with random edits,", () => {
  it(`is refused as corrupt, or its tensors cover the file: ${HEADERS} headers`, function () {
    this.timeout(0);
    let accepted = 0;
    let found = 0;
    for (let run = 0; run < HEADERS; run++) {
      const json = Buffer.from(makeHeader());
      if (below(20) === 0 && json.length > 0) json.writeUInt8(below(256), below(json.length));
      const size = LENGTH_BYTES + json.length + (below(50) === 0 ? below(2 ** 31) : numbers.length);
      isAccepted(() => {
        const tensors = parseSafetensorsHeader(json, size, "file");
        assertInside(tensors, LENGTH_BYTES + json.length, size);
        accepted++;
        const file = { name: "file", path: "file", header: { bytes: size, tensors } };
        const { stored } = findWeights([file], { kind: "generation", architecture, numLabels: 0 });
        for (const { offset, shape } of stored.tensors) {
          assert.ok(offset + shape.reduce((product, length) => product * length, 2) <= size);
        }
        found++;
      });
    }
    // Both sides of each check were reached.
    assert.ok(found > 0 && found < accepted && accepted < HEADERS, `${found} of ${accepted} of ${HEADERS}`);
  });

  it(`loads, or is refused with a code: ${FILES} files`, async function () {
    this.timeout(0);
    let loaded = 0;
    await withDirectory(async (directory) => {
      writeCheckpoint(directory);
      for (let run = 0; run < FILES; run++) {
        const file = safetensors(
          below(3) === 0 ? text : makeHeader(),
          numbers,
          below(30) === 0 ? BigInt(below(2 ** 31)) : undefined,
        );
        const end = below(8) === 0 ? below(file.length) : file.length;
        writeFileSync(join(directory, "model.safetensors"), file.subarray(0, end));
        try {
          await using t5 = await T5ForConditionalGeneration.fromPretrained(directory, {
            device: "cpu",
            intraOpThreads: 1,
          });
          assert.ok((await t5.forward({ inputIds: [[3, 1]] })).logits.data.every(Number.isFinite));
          loaded++;
        } catch (thrown) {
          assert.ok(thrown instanceof T5Error && thrown.code !== "ERR_INTERNAL", String(thrown));
        }
      }
    });
    assert.ok(loaded > 0 && loaded < FILES, `${loaded} of ${FILES}`);
  });
});
