import assert from "node:assert/strict";
import { demoModel, T5Error, T5ForConditionalGeneration } from "torch-t5";
import { ReplicaPool, track } from "#lib/native/replica-pool.js";

/** The error of a device that is not there, as native code throws it. */
async function deviceError(): Promise<unknown> {
  const load = T5ForConditionalGeneration.fromPretrained(demoModel, { device: "cuda:99" });
  return load.then(
    () => assert.fail("cuda:99 exists"),
    (error: unknown) => error,
  );
}

const chosenBy = (pool: ReplicaPool<string>, calls: number) =>
  Array.from({ length: calls }, () => pool.leastLoaded().model);

describe("the replicas that calls go to", () => {
  it("are those with the fewest rows, and of equal ones each in turn", async () => {
    const pool = new ReplicaPool(["a", "b", "c"]);
    assert.deepEqual(chosenBy(pool, 4), ["a", "b", "c", "a"]);
    const [a, b] = pool.all;
    assert.ok(a && b);
    let end = () => {};
    const pending = new Promise<void>((resolve) => {
      end = resolve;
    });
    const calls = [track(a, 1, pending), track(b, 5, pending)];
    assert.deepEqual(chosenBy(pool, 2), ["c", "c"]);
    end();
    await Promise.all(calls);
    assert.deepEqual(chosenBy(pool, 3), ["a", "b", "c"]);
  });

  it("are not those whose device is lost, even without load", async () => {
    const pool = new ReplicaPool(["a", "b", "c"]);
    const lost = pool.leastLoaded();
    const error = await deviceError();
    await assert.rejects(track(lost, 4, Promise.reject(error)), (thrown) => thrown === error);
    assert.equal(lost.load, 0);
    assert.deepEqual(chosenBy(pool, 4), ["b", "c", "b", "c"]);
    assert.deepEqual(
      pool.working().map(({ model }) => model),
      ["b", "c"],
    );
  });

  it("stay the same after any other error", async () => {
    const pool = new ReplicaPool(["a", "b"]);
    const [a] = pool.all;
    assert.ok(a);
    for (const thrown of [new T5Error("ERR_OUT_OF_MEMORY", "no memory"), new Error("none"), undefined, "text"]) {
      await assert.rejects(track(a, 1, Promise.reject(thrown)), (received) => received === thrown);
    }
    assert.deepEqual(chosenBy(pool, 2), ["a", "b"]);
  });

  it("are none once all are lost: callers get ERR_DEVICE_UNAVAILABLE", async () => {
    const pool = new ReplicaPool(["a", "b"]);
    const error = await deviceError();
    for (const replica of pool.all) await assert.rejects(track(replica, 1, Promise.reject(error)));
    assert.throws(() => pool.leastLoaded(), { code: "ERR_DEVICE_UNAVAILABLE" });
    assert.throws(() => pool.working(), { code: "ERR_DEVICE_UNAVAILABLE" });
  });
});
