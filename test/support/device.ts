// Where both sides of the parity tests compute.
import { env } from "node:process";
import type { Device } from "torch-t5";

/** The CPU, unless `TORCH_T5_TEST_DEVICE` names another device: the reference reads the same variable. */
export const testDevice = (env.TORCH_T5_TEST_DEVICE ?? "cpu") as Device;
