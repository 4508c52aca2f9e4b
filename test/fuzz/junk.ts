// Random values of every kind, for arguments that must be refused.
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

/** Any value except a number: a random number as a length could take forever. */
export const noNumber = junk.filter((value) => typeof value !== "number" && typeof value !== "bigint");

/** Numbers at the limits of what is accepted. */
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
