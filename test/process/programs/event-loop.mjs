// Counts the turns of the event loop during one long forward.
import { load, long } from "./shared.mjs";

const t5 = await load();
let turns = 0;
let running = true;
const turn = () => {
  turns++;
  if (running) setTimeout(turn, 1);
};
turn();
await t5.forward(long);
running = false;
await t5.dispose();
console.log(JSON.stringify({ turns }));
