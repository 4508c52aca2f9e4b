// Exits at the moment in the life of a load that the argument names in milliseconds.
import { load, short } from "./shared.mjs";

load().then(
  async (t5) => {
    for (;;) await t5.forward(short).catch(() => {});
  },
  () => {},
);
setTimeout(() => process.exit(7), Number(process.argv[2]));
