// Imported before every spec file: no test, and no process that a test starts, reaches the Hugging Face hub. The tests of
// downloads select a server of their own.
import { env } from "node:process";

env.HF_HUB_OFFLINE = "1";
