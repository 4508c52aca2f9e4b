import assert from "node:assert/strict";
import { describeCudaSettings } from "#lib/cli/commands/cuda-settings.js";

describe("the settings that change bits on CUDA", () => {
  it("are those of the environment that are set, with their values", () => {
    const environment = {
      NVIDIA_TF32_OVERRIDE: "1",
      CUBLAS_WORKSPACE_CONFIG: ":4096:8",
      PATH: "/bin",
      HOME: undefined,
    };
    assert.equal(
      describeCudaSettings(environment),
      "Environment variables that change bits on CUDA: CUBLAS_WORKSPACE_CONFIG=:4096:8, NVIDIA_TF32_OVERRIDE=1. " +
        "Hugging Face needs the same for the same bits.",
    );
  });

  it("are none in an ordinary environment", () => {
    assert.match(describeCudaSettings({ PATH: "/bin" }), /^None of the environment variables .* is set\.$/);
  });
});
