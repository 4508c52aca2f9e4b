// The tasks of the embedded model in every precision, thinned: a pass takes many times longer in the emulator.
import assert from "node:assert/strict";
import { answer } from "../../demo-model/greedy.js";
import { heldOutOf, TASKS } from "../../demo-model/held-out.js";
import { PRECISIONS, useModel } from "../../support/model.js";

const INPUTS_OF_EACH = 8;
/** The embedded model's other answers may be wrong: test/demo-model requires 97 % of 200. */
const REQUIRED = 7;

it("runs on arm64", () => assert.equal(process.arch, "arm64"));

for (const precision of PRECISIONS) {
  describe(`the embedded model in ${precision}`, () => {
    const model = useModel({ precision });

    for (const task of TASKS) {
      it(`${task}: at least ${REQUIRED} of ${INPUTS_OF_EACH}`, async () => {
        const examples = heldOutOf(task).slice(0, INPUTS_OF_EACH);
        const answers = await answer(
          model(),
          examples.map(({ input }) => input),
        );
        const right = examples.filter(({ target }, index) => answers[index] === target);
        assert.equal(examples.length, INPUTS_OF_EACH);
        assert.ok(right.length >= REQUIRED, answers.join("\n"));
      });
    }
  });
}
