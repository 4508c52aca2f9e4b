import assert from "node:assert/strict";
import { inspect } from "node:util";
import { captureCallSite, errorFor, T5Error } from "#lib/util/errors.js";

function publicMethod(): () => T5Error {
  const site = captureCallSite(publicMethod);
  return () => errorFor(Object.assign(new Error("from elsewhere"), { code: "ERR_QUEUE_FULL" }), site);
}

describe("T5Error", () => {
  it("has a code, a message, a cause and a name", () => {
    const cause = new Error("cause");
    const error = new T5Error("ERR_INTERNAL", "message", { cause });
    assert.deepEqual(
      [error.code, error.message, error.cause, error.name],
      ["ERR_INTERNAL", "message", cause, "T5Error"],
    );
    assert.ok(error instanceof Error);
    assert.match(inspect(error), /^T5Error: message\n/);
  });

  it("has the stack of the caller of the public method, even when it occurs later", async () => {
    const later = publicMethod();
    const error = await new Promise<T5Error>((resolve) => setImmediate(() => resolve(later())));
    const [first, second] = (error.stack ?? "").split("\n");
    assert.equal(first, "T5Error: from elsewhere");
    assert.match(second ?? "", /errors\.spec\.ts/);
    assert.doesNotMatch(error.stack ?? "", /publicMethod/);
  });

  it("keeps the code of what was thrown, and is ERR_INTERNAL for an unknown one", () => {
    const site = {};
    assert.equal(publicMethod()().code, "ERR_QUEUE_FULL");
    assert.equal(errorFor(Object.assign(new Error("x"), { code: "ENOENT" }), site).code, "ERR_INTERNAL");
    assert.equal(errorFor("text", site).code, "ERR_INTERNAL");
    assert.equal(errorFor(undefined, site).code, "ERR_INTERNAL");
    const own = new T5Error("ERR_DISPOSED", "x");
    assert.equal(errorFor(own, site), own);
  });
});
