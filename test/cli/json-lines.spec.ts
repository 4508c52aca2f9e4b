import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { parseLine, readLines, shortestFloat32, textOf } from "#lib/cli/jsonl/json-lines.js";

async function split(...chunks: readonly Buffer[]) {
  const lines = [];
  for await (const line of readLines(Readable.from(chunks))) lines.push(line);
  return lines;
}

describe("lines of a stream", () => {
  const whole = Buffer.from("one\r\n\nthr\u2028ee é\nlast\rone");
  const expected = [
    { number: 1, text: "one", end: 5, isComplete: true },
    { number: 2, text: "", end: 6, isComplete: true },
    { number: 3, text: "thr\u2028ee é", end: 18, isComplete: true },
    { number: 4, text: "last\rone", end: 26, isComplete: false },
  ];

  it("are the same wherever the stream is cut into chunks", async () => {
    for (let first = 0; first <= whole.length; first++) {
      for (let second = first; second <= whole.length; second++) {
        const chunks = [whole.subarray(0, first), whole.subarray(first, second), whole.subarray(second)];
        const lines = await split(...chunks.filter(({ length }) => length > 0));
        assert.deepEqual(
          lines.map((line) => ({
            number: line.number,
            text: textOf(line),
            end: line.end,
            isComplete: line.isComplete,
          })),
          expected,
        );
      }
    }
  });

  it("end with the stream: there is no empty line after the last newline", async () => {
    assert.equal((await split()).length, 0);
    assert.equal((await split(Buffer.from("a\n"))).length, 1);
  });
});

describe("a JSON line", () => {
  it("is rejected where a JavaScript number can't represent one of its integers", () => {
    for (const kept of [
      "9007199254740992",
      "-9007199254740993.5",
      '"12345678901234567890123"',
      "0.12345678901234567891",
    ]) {
      assert.doesNotThrow(() => parseLine(`{"a":${kept}}`), kept);
    }
    for (const lost of [
      "9007199254740993",
      "-12345678901234567891",
      '"\\"12345678901234567891",12345678901234567891',
    ]) {
      assert.throws(() => parseLine(`[${lost}]`), /integers of at most 53 bits, or strings/, lost);
    }
  });
});

describe("a float32 number", () => {
  it("is written as a number that rounds to the same float32, with few digits", () => {
    const bits = new DataView(new ArrayBuffer(4));
    for (let pattern = 1; pattern < 2 ** 32; pattern += 4_000_037) {
      bits.setUint32(0, pattern);
      const value = bits.getFloat32(0);
      if (!Number.isNaN(value)) assert.equal(Math.fround(Number(JSON.stringify(shortestFloat32(value)) ?? "")), value);
    }
    assert.equal(JSON.stringify(shortestFloat32(Math.fround(0.1))), "0.1");
    assert.equal(shortestFloat32(0.1), 0.1);
    assert.equal(shortestFloat32(Number.NEGATIVE_INFINITY), Number.NEGATIVE_INFINITY);
    assert.ok(Number.isNaN(shortestFloat32(Number.NaN)));
  });
});
