import type { Precision } from "torch-t5";
import { describeShape, SHAPES, type Shape } from "./cases.js";
import { describeDecoding, describeFork } from "./decoding.js";
import { describeForward, describeReductions } from "./forward.js";
import { describeApproximation } from "./fused/approximation.js";
import { describeGeneration } from "./fused/generation.js";
import { describeInstructions } from "./fused/instructions.js";
import { describeInvariance } from "./fused/invariance.js";
import { describeCancellation, describeMemory, describeSideBySide } from "./fused/serving.js";
import { BOUNDS, CLOSE } from "./fused/tolerances.js";
import { EMBEDDED, NAMES } from "./models.js";
import { describeThreads, type Subject, useSubject } from "./subject.js";

const PRECISIONS: readonly Precision[] = ["float32", "bfloat16", "int8"];
const INVARIANT = ["t5-v1.1", "wide", "umt5", EMBEDDED] as const;
const SERVING = "wide";
const SESSIONS: readonly Shape[] = [
  { batch: 1, sourceLength: 13, targetLength: 5, masking: "none" },
  { batch: 4, sourceLength: 21, targetLength: 3, masking: "right" },
  { batch: 3, sourceLength: 19, targetLength: 2, masking: "left" },
];
/** In MB, of a model whose weights take 29 MB in float32. */
const MEMORY = [
  { precision: "exact", max: 42 },
  { precision: "float32", max: 42 },
  { precision: "bfloat16", max: 26 },
  { precision: "int8", max: 19 },
] as const;

describe("the fused engine", () => {
  describe("float32: logits within 1e-4 of Hugging Face's, and the same tokens", () => {
    for (const name of NAMES) {
      describe(name, () => {
        const subject = useSubject(name, "float32", 1);
        describeCalls(subject);
        describe("generate", () => describeGeneration(subject));
      });
    }

    describe(`${SERVING}, with 2 threads`, () => describeCalls(useSubject(SERVING, "float32", 2)));
  });

  for (const precision of ["bfloat16", "int8"] as const) {
    describe(`${precision}: near Hugging Face's float32`, () => {
      for (const name of NAMES) {
        describe(name, () => {
          const bounds = BOUNDS[precision][name === EMBEDDED ? "trained" : "random"];
          describeApproximation(useSubject(name, precision, 1), bounds);
        });
      }
    });
  }

  for (const precision of PRECISIONS) {
    describe(`${precision}: a row's bits depend neither on its batch nor on its padding`, () => {
      for (const [index, name] of INVARIANT.entries()) {
        const threads = 1 + (index % 2);
        describe(`${name}, ${describeThreads(threads)}`, () =>
          describeInvariance(useSubject(name, precision, threads)));
      }
    });

    describe(`${precision}: calls can be cancelled`, () => describeCancellation(useSubject(SERVING, precision, 2)));
  }

  describe("with fewer instructions", () => {
    for (const name of ["t5-v1.1", SERVING] as const) {
      describe(name, () => {
        const subject = useSubject(name, "exact", 1);
        for (const limit of ["avx512", "avx2", "default"]) {
          describeInstructions(subject, "float32", limit);
          describeInstructions(subject, "bfloat16", limit, BOUNDS.bfloat16.random);
          describeInstructions(subject, "int8", limit, BOUNDS.int8.random);
        }
      });
    }
  });

  describe("the resident memory of a model", () => describeMemory(useSubject(SERVING, "exact", 1), MEMORY));

  describe("in several precisions at the same time", () => {
    describeSideBySide(useSubject("t5-v1.1", "float32", 1), ["exact", ...PRECISIONS]);
  });
});

/** Forward passes and sessions in float32. */
function describeCalls(subject: Subject): void {
  describe("forward", () => describeForward(subject, SHAPES, CLOSE));
  describe("what is reduced natively", () => describeReductions(subject, CLOSE));
  for (const shape of SESSIONS) {
    describe(`a session of ${describeShape(shape)}`, () => {
      describeDecoding(subject, shape, CLOSE);
      describeFork(subject, shape, CLOSE);
    });
  }
}
