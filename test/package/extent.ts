// How many of the cases of the package's tests run. `npm test` runs the first ones, a few seconds in all; `npm run test:package`,
// which is a part of `npm run test:all`, runs every case.

/** All cases, or in `npm test` the first `count` of them. */
export function cases<Case>(all: readonly Case[], count: number): readonly Case[] {
  return process.env.TORCH_T5_PACKAGE_EXTENT === "whole" ? all : all.slice(0, count);
}
