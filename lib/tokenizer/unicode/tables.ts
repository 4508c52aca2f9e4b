// The tables beside this file, as scripts/unicode-tables encodes them: numbers in base 36, differences for code points.

export const CODE_POINTS = 0x110000;

const RADIX = 36;

/** Sets `value` at every code point of `runs`: the gap before each run, and its length less one. */
export function fillRuns(table: Uint8Array, runs: string, value: number): void {
  const numbers = runs.split(" ");
  let end = 0;
  for (let index = 0; index + 1 < numbers.length; index += 2) {
    const first = end + read(numbers[index]);
    end = first + read(numbers[index + 1]) + 1;
    table.fill(value, first, end);
  }
}

/** What code points become: for each the gap before it, then the sequence. */
export function readMapping(text: string): ReadonlyMap<number, readonly number[]> {
  let end = 0;
  return new Map(
    text.split(" ").map((entry) => {
      const [gap = 0, ...sequence] = entry.split(".").map(read);
      const code = end + gap;
      end = code + 1;
      return [code, sequence] as const;
    }),
  );
}

/** A table of one byte for each code point, made when it is first asked for. */
export function lazyTable(fill: (table: Uint8Array) => void): () => Uint8Array {
  let table: Uint8Array | undefined;
  return () => {
    if (table === undefined) {
      table = new Uint8Array(CODE_POINTS);
      fill(table);
    }
    return table;
  };
}

function read(digits = "0"): number {
  return Number.parseInt(digits, RADIX);
}
