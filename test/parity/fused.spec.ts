import type { Precision } from "torch-t5";
import { Reference } from "../support/reference.js";
import { describeApproximation } from "./fused/approximation.js";
import { BOUNDS } from "./fused/bounds.js";
import { describeDecoding } from "./fused/decoding.js";
import { describeForward } from "./fused/forward.js";
import { describeGeneration } from "./fused/generation.js";
import { describeInstructions } from "./fused/instructions.js";
import { describeInvariance } from "./fused/invariance.js";
import { describeMemory } from "./fused/memory.js";
import { describeCancellation, describeSideBySide } from "./fused/serving.js";
import { EMBEDDED, Models, NAMES, useSubject } from "./fused/subject.js";

const PRECISIONS: readonly Precision[] = ["float32", "bfloat16", "int8"];
const INVARIANT = ["t5-v1.1", "wide", "umt5", EMBEDDED] as const;
const SERVING = "wide";
/** Of a model whose weights are 29 MB in float32. */
const MEMORY = [
  { precision: "exact", most: 42 },
  { precision: "float32", most: 42 },
  { precision: "bfloat16", most: 26 },
  { precision: "int8", most: 19 },
] as const;

describe("the fused engine", () => {
  let reference: Reference;
  let models: Models;

  before(() => {
    reference = new Reference();
    models = new Models(reference);
  });

  after(() => reference.close());

  const shared = () => ({ reference, models });

  describe("float32: logits within 1e-4 of Hugging Face's, and the same tokens", () => {
    for (const name of NAMES) {
      describe(name, () => {
        const subject = useSubject(name, "float32", 1, shared);
        describeForward(subject);
        describeDecoding(subject);
        describe("generate", () => describeGeneration(subject));
      });
    }

    describe(`${SERVING}, with 2 threads`, () => {
      const subject = useSubject(SERVING, "float32", 2, shared);
      describeForward(subject);
      describeDecoding(subject);
    });
  });

  for (const precision of ["bfloat16", "int8"] as const) {
    describe(`${precision}: near Hugging Face's float32`, () => {
      for (const name of NAMES) {
        describe(name, () => {
          const bounds = BOUNDS[precision][name === EMBEDDED ? "trained" : "random"];
          describeApproximation(useSubject(name, precision, 1, shared), bounds);
        });
      }
    });
  }

  for (const precision of PRECISIONS) {
    describe(`${precision}: a row's bits are the same whatever is in its batch, and whatever its padding`, () => {
      for (const [index, name] of INVARIANT.entries()) {
        const threads = 1 + (index % 2);
        describe(`${name}, ${threads} threads`, () => describeInvariance(useSubject(name, precision, threads, shared)));
      }
    });

    describe(`${precision}: calls can be cancelled`, () => {
      describeCancellation(useSubject(SERVING, precision, 2, shared));
    });
  }

  describe("with fewer instructions", () => {
    for (const name of ["t5-v1.1", SERVING] as const) {
      describe(name, () => {
        const subject = useSubject(name, "exact", 1, shared);
        for (const limit of ["avx512", "avx2", "default"]) {
          describeInstructions(subject, "float32", limit);
          describeInstructions(subject, "bfloat16", limit, BOUNDS.bfloat16.random);
          describeInstructions(subject, "int8", limit, BOUNDS.int8.random);
        }
      });
    }
  });

  describe("the resident memory of a model", () => {
    describeMemory(useSubject(SERVING, "exact", 1, shared).prepared, MEMORY);
  });

  describe("side by side with the exact engine", () => {
    describeSideBySide(useSubject("t5-v1.1", "float32", 1, shared), ["exact", ...PRECISIONS]);
  });
});
