// Downloads a model, and prints its directory. With a number of bytes, prints a line when these are there.
import { argv } from "node:process";
import { downloadModel } from "torch-t5";

const [, , name, bytes] = argv;
const directory = await downloadModel(name, {
  progress({ loadedBytes }) {
    if (loadedBytes === Number(bytes)) console.log("there");
  },
});
console.log(directory);
