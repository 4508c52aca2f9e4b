// Anything at all, for arguments that should have been something else.
import fc from "fast-check";

/** Any value. */
export const junk = fc.anything({
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
});

/** Any value that isn't a number: a number for a length could be one that takes for ever. */
export const noNumber = junk.filter((value) => typeof value !== "number" && typeof value !== "bigint");

/** Numbers at the edges of what may be asked for. */
export const oddNumber = fc.constantFrom(
  Number.NaN,
  Number.POSITIVE_INFINITY,
  -1,
  -0,
  0.5,
  1e-300,
  2 ** 53,
  -(2 ** 31),
  1n,
);
