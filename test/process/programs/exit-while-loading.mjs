// Exits so many milliseconds after a load has started.
import { load, short } from "./shared.mjs";

load().then(
  async (t5) => {
    for (;;) await t5.forward(short).catch(() => {});
  },
  () => {},
);
setTimeout(() => process.exit(7), Number(process.argv[2]));
