// Ends the process in the way that the argument names, while one forward runs and another waits.
import { load, long, short } from "./shared.mjs";

const way = process.argv[2];
const t5 = await load();
await t5.forward(short);
const calls = [t5.forward(long), t5.forward(long)];
for (const call of calls) call.catch(() => {});

const ways = {
  exit: () => process.exit(7),
  throw: () => {
    throw new Error("thrown on purpose");
  },
  // Pending calls keep the process alive, the loaded model does not: the process ends once both calls are settled.
  end: async () => {
    await Promise.all(calls);
    console.log("settled");
  },
};
setTimeout(ways[way], 50);
