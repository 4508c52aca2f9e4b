// Installs the missing programs as set-up does: `<root or user> <path of policy-rc.d>`.
import process, { argv, stdout } from "node:process";
import { installPrograms } from "../../../scripts/setup/programs.mjs";

const [user, policy] = argv.slice(2);
process.getuid = () => (user === "root" ? 0 : 1000);
try {
  await installPrograms({ policy });
  stdout.write("installed");
} catch (error) {
  stdout.write(`${error.constructor.name}: ${error.message}`);
}
