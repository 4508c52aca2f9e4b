// Makes a call that needs more memory than any machine has, then another call.
import { Buffer } from "node:buffer";
import { load, short } from "./shared.mjs";

const LENGTH = 2 ** 20; // the position bias alone takes terabytes

const t5 = await load({ maxInputTokens: LENGTH });
const before = (await t5.forward(short)).logits.data;
const huge = { inputIds: { data: new Int32Array(LENGTH).fill(5), shape: [1, LENGTH] }, decoderInputIds: [[0]] };
const error = await t5.forward(huge).catch((reason) => reason);
const after = (await t5.forward(short)).logits.data;
const equal = Buffer.from(before.buffer).equals(Buffer.from(after.buffer));
console.log(JSON.stringify({ code: error.code, message: error.message, equal }));
await t5.dispose();
