// `require("torch-t5")`: the same module that `import` gives, so classes and the loaded addon exist once.
"use strict";

const Module = require("node:module");

/**
 * Node's own `createRequire`. Jest's `require` can't load ECMAScript modules; its class `Module` extends Node's, which has
 * the one that can.
 */
const { createRequire = Module.createRequire } = Object.getPrototypeOf(Module);

try {
  module.exports = createRequire(__filename)("../index.js");
} catch (error) {
  if (error?.code !== "ERR_REQUIRE_ESM") throw error;
  const message = `Expected Node.js 20.19, 22.12 or newer for require("torch-t5") but received ${process.versions.node}; use import("torch-t5"), or a newer Node.js`;
  throw new Error(message, { cause: error });
}
