// Environment variables that change the bits of matrix products on CUDA.

/** What reads each of them. The same variables work in Python, where Hugging Face runs. */
const VARIABLES = [
  // libtorch
  "CUBLAS_WORKSPACE_CONFIG",
  "CUBLASLT_WORKSPACE_SIZE",
  "DISABLE_ADDMM_CUDA_LT",
  "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
  "TORCH_BLAS_PREFER_CUBLASLT",
  "TORCH_CUBLASLT_UNIFIED_WORKSPACE",
  // cuBLAS
  "CUBLAS_EMULATE_SINGLE_PRECISION",
  "CUBLAS_EMULATION_STRATEGY",
  "NVIDIA_TF32_OVERRIDE",
] as const;

/** A line about those that are set. */
export function describeCudaSettings(environment: Readonly<Record<string, string | undefined>>): string {
  const set = VARIABLES.filter((name) => environment[name] !== undefined);
  if (set.length === 0) return "None of the environment variables that change bits on CUDA is set.";
  const values = set.map((name) => `${name}=${environment[name]}`).join(", ");
  return `Environment variables that change bits on CUDA: ${values}. Hugging Face needs the same for the same bits.`;
}
