import assert from "node:assert/strict";
import fc from "fast-check";
import { describe as describeValue } from "#lib/util/describe.js";

const hostile = new Proxy(
  {},
  {
    get: () => {
      throw new Error("get");
    },
    getPrototypeOf: () => {
      throw new Error("getPrototypeOf");
    },
  },
);
const revoked = Proxy.revocable([], {});
revoked.revoke();
const withoutConstructor = Object.create({
  get constructor(): never {
    throw new Error("constructor");
  },
});

describe("a value in a message", () => {
  const table: readonly (readonly [value: unknown, shown: string])[] = [
    ["a", '"a"'],
    ["x".repeat(100), `"${"x".repeat(60)}…"`],
    ["two\nlines", '"two\\nlines"'],
    [1.5, "1.5"],
    [Number.NaN, "NaN"],
    [-0, "-0"],
    [12n, "12n"],
    [Symbol("s"), "Symbol(s)"],
    [undefined, "undefined"],
    [null, "null"],
    [true, "true"],
    [() => 1, "a function"],
    [[], "an empty array"],
    [[1, 2], "an array of length 2"],
    [{}, "an object"],
    [Object.create(null), "an object"],
    [new Date(), "a Date"],
    [new Float32Array(3), "a Float32Array"],
    [new Int32Array(3), "an Int32Array"],
    [hostile, "a proxy"],
    [revoked.proxy, "a proxy"],
    [withoutConstructor, "an object"],
    [Object.create(hostile), "an object"],
  ];
  for (const [value, shown] of table) {
    it(`is ${shown.slice(0, 30)}`, () => assert.equal(describeValue(value), shown));
  }

  it("is always short, on one line, and never throws", () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withTypedArray: true, withNullPrototype: true, withDate: true }),
        (value) => {
          const shown = describeValue(value);
          assert.ok(shown.length < 450 && !shown.includes("\n"));
        },
      ),
    );
  });
});
