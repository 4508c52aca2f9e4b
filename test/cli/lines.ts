// What the specs of commands on JSON Lines share: flags, input, and reading of the output.

/** The flags that make results independent of the machine's devices and number of cores. */
export const cpu = ["--device", "cpu", "--threads", "1"];

/** An input of `score`. */
export const scoreItems = [
  { source: "spell number: 7", targets: ["seven", "six", "seventeen"] },
  { id: "b", source: "date to iso: March 5, 2021", targets: ["2021-03-05"] },
  { source: "spell number: 48213", targets: ["forty-eight thousand two hundred thirteen", ""], tags: [1, { a: null }] },
  { source: "spell number: 12", targets: ["twelve"] },
];

/** Values as JSON Lines. */
export const toLines = (values: readonly unknown[]) => values.map((value) => `${JSON.stringify(value)}\n`).join("");

/** The values of JSON Lines. */
export function parseLines<Value>(text: string): readonly Value[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Value);
}
