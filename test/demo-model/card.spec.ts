import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { demoModel } from "torch-t5";
import { heldOutOf, TASKS } from "./held-out.js";

interface Measured {
  readonly inputs: number;
  readonly wrong: number;
  /** The number of wrong answers in each. */
  readonly precisions: Readonly<Record<string, number>>;
}

const PRECISIONS = ["exact", "float32", "bfloat16", "int8"];
/** The accuracy, in percentage points, that a precision other than exact may lose. */
const ALLOWED_POINTS = 0.5;

const MAX_DIRECTORY = 8_000_000; // bytes
const MIN_INPUTS = 1000;
const REQUIRED_ACCURACY = 97; // percent

const measured = JSON.parse(readFileSync(new URL("measured.json", import.meta.url), "utf8")) as Record<
  string,
  Measured
>;
const card = readFileSync(join(demoModel, "README.md"), "utf8");

/**
 * The numbers in a task's row of the card's first table (inputs, wrong, accuracy) or of its second table (precisions).
 */
function stated(task: string, table: 0 | 1): readonly number[] {
  const row = card.split("\n").filter((line) => line.startsWith(`| ${task} |`))[table];
  return row?.split("|").slice(2, -1).map(Number.parseFloat) ?? [];
}

const accuracyOf = (wrong: number, inputs: number) => Number((100 * (1 - wrong / inputs)).toFixed(2));

describe("the embedded model's card", () => {
  for (const task of TASKS) {
    it(`states the accuracy that was measured for ${task}, and it is at least 97 %`, () => {
      const { inputs, wrong } = measured[task] ?? { inputs: 0, wrong: 0 };
      const accuracy = accuracyOf(wrong, inputs);
      assert.deepEqual(stated(task, 0), [inputs, wrong, accuracy]);
      assert.ok(inputs >= MIN_INPUTS, `${inputs} inputs`);
      assert.ok(accuracy >= REQUIRED_ACCURACY, `${accuracy} %`);
    });

    it(`states the accuracy in each precision for ${task}, and it is within ${ALLOWED_POINTS} points of exact`, () => {
      const { inputs, wrong, precisions } = measured[task] ?? { inputs: 0, wrong: 0, precisions: {} };
      assert.deepEqual(Object.keys(precisions), PRECISIONS);
      const accuracies = Object.values(precisions).map((count) => accuracyOf(count, inputs));
      assert.deepEqual(stated(task, 1), accuracies);
      // Hugging Face and `exact` give the same answers.
      assert.equal(precisions.exact, wrong);
      const [exact = Number.NaN, ...others] = accuracies;
      for (const accuracy of others) assert.ok(exact - accuracy <= ALLOWED_POINTS, `${accuracy} %`);
    });
  }

  it("states what a repetition needs: seed, threads, versions, and the digest of the weights", () => {
    assert.match(card, /Seed \d+, \d+ threads, deterministic algorithms, torch [\d.]+, transformers [\d.]+\./);
    assert.match(card, /SHA-256 of the weights: `[0-9a-f]{64}`/);
  });
});

describe("the embedded model's directory", () => {
  it("is at most 8 MB", () => {
    const sizes = readdirSync(demoModel).map((name) => statSync(join(demoModel, name)).size);
    assert.ok(sizes.reduce((sum, size) => sum + size, 0) <= MAX_DIRECTORY, `${sizes} bytes`);
  });
});

describe("held-out inputs are on the held-out side of the split that the card states", () => {
  const isHeldOut = (key: string, oneIn: number) => crc32(key) % oneIn === 0;

  it("numbers", () => {
    for (const { input } of heldOutOf("spell number")) {
      const number = input.replace("spell number: ", "");
      assert.ok(number === "48213" || isHeldOut(`number ${number}`, 10), input);
    }
  });

  it("dates", () => {
    for (const { input, target } of heldOutOf("date to iso")) {
      assert.ok(target === "2021-03-05" || isHeldOut(`date ${target}`, 10), input);
    }
  });

  it("facts", () => {
    const shown = ["Kelby mayor", "Selwick market day"];
    for (const { input } of heldOutOf("relevance")) {
      const query = input.slice("Query: ".length, input.indexOf(" Document: "));
      const town = /[A-Z][a-z]+/.exec(query)?.[0] ?? "";
      const attribute = query.replace(/^what is the |( of )?[A-Z][a-z]+\??/g, "").trim();
      const fact = `${town} ${attribute}`;
      assert.ok(shown.includes(fact) || isHeldOut(`fact ${fact}`, 10), input);
    }
  });
});
