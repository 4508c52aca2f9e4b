// The peers that are measured. Each has an `environment` (../preparing/environments.mjs), a trial `program`, the `kinds` of suites
// that it supports, and for each of its `precisions` the exports that it reads (../preparing/exports.mjs). `cuda` overrides these on
// a GPU; a peer without it is measured only on the CPU. `variants` override them in suites of a kind: there the `program` may start a
// `service` in another process. `only` names the cases that a peer measures, `maxTrials` and `maxSeconds` are limits for slow peers.

const FORWARDS = ["forward", "score", "rerank", "load", "memory"];
const DECODING = [...FORWARDS, "step", "generate"];

/** The peer that the others are compared with. It is always measured. */
export const OURS = "torch-t5";

export const PRECISIONS = ["exact", "float32", "bfloat16", "int8"];

/** Figures are compared within a kind of precision. "exact" computes in float32. */
export const kindOfPrecision = (precision) => (precision === "exact" ? "float32" : precision);

const ours = { model: "torch-t5" };
const checkpoint = { model: "checkpoint" };
const huggingFace = { model: "hugging-face" };
const onnx = { model: "onnx", plain: "onnx-plain" };
const served = { model: "served" };
const openvino = { model: "openvino-float32", plain: "openvino-float32-plain" };
const openvinoInt8 = { model: "openvino-int8", plain: "openvino-int8-plain" };

/** A peer behind FastAPI and uvicorn, in the environment that has both. */
const httpService = (label, environment, service) => ({
  ...{ label: `${label} behind FastAPI`, environment, program: "node/http-service.mjs", service },
  // They answer few calls in a second, so that their trials take long.
  maxTrials: 2,
});

export const PEERS = {
  "torch-t5": {
    label: "torch-t5",
    environment: "project",
    program: "node/torch-t5.mjs",
    kinds: [...DECODING, "gpu", "ragged", "last-position", "result-memory", "event-loop", "service", "server"],
    variants: { server: { label: "torch-t5, the library", precisions: { float32: served, int8: served } } },
    precisions: { exact: ours, float32: ours, bfloat16: ours, int8: ours },
    cuda: { precisions: { exact: ours, float32: ours, bfloat16: ours } },
  },
  "torch-t5-server": {
    label: "torch-t5-server",
    environment: "node",
    program: "node/server.mjs",
    kinds: ["server"],
    precisions: { float32: served, int8: served },
  },
  checkpoint: {
    label: "torch-t5, Hugging Face directory",
    environment: "project",
    program: "node/torch-t5.mjs",
    kinds: ["load", "memory"],
    precisions: { float32: checkpoint, bfloat16: checkpoint, int8: checkpoint },
  },
  hf: {
    label: "Hugging Face eager",
    environment: "project",
    program: "python/hugging_face.py",
    kinds: [...DECODING, "gpu", "service", "server"],
    variants: {
      service: httpService("Hugging Face", "fastapi", "hugging_face_service.py"),
      server: {
        ...httpService("Hugging Face", "fastapi", "hugging_face_server.py"),
        program: "node/http-server.mjs",
        precisions: { float32: served },
      },
    },
    precisions: { float32: huggingFace },
    cuda: {
      kinds: ["forward", "step", "generate", "gpu"],
      precisions: { float32: huggingFace, bfloat16: huggingFace },
    },
  },
  openvino: {
    label: "OpenVINO",
    environment: "openvino",
    program: "python/open_vino.py",
    kinds: [...DECODING, "service"],
    variants: {
      service: {
        ...httpService("OpenVINO", "openvino", "open_vino_service.py"),
        precisions: { float32: openvino, int8: openvinoInt8 },
      },
    },
    precisions: {
      float32: openvino,
      bfloat16: openvino,
      int8: openvinoInt8,
    },
  },
  ct2: {
    label: "CTranslate2",
    environment: "ctranslate2",
    program: "python/c_translate.py",
    kinds: [...DECODING, "service"],
    variants: { service: httpService("CTranslate2", "ctranslate2", "c_translate_service.py") },
    precisions: { float32: { model: "ctranslate2-float32" }, int8: { model: "ctranslate2-int8" } },
  },
  ort: {
    label: "onnxruntime",
    environment: "onnx",
    program: "python/onnx_runtime.py",
    kinds: DECODING,
    precisions: { float32: onnx },
  },
  "ort-node": {
    label: "onnxruntime-node",
    environment: "node",
    program: "node/onnxruntime.mjs",
    kinds: [...FORWARDS, "step", "event-loop"],
    precisions: { float32: onnx },
  },
  "transformers.js": {
    label: "transformers.js",
    environment: "node",
    program: "node/transformers.mjs",
    kinds: ["forward", "rerank", "load", "memory", "generate", "event-loop", "service"],
    // Its calls run at the same time, so that none of 64 is complete for many seconds.
    variants: { service: { maxTrials: 1 } },
    precisions: { float32: onnx },
  },
  compile: {
    label: "torch.compile, frozen",
    environment: "project",
    program: "python/torch_compile.py",
    kinds: ["forward"],
    precisions: { float32: huggingFace },
    // Each process compiles each shape for a minute.
    maxTrials: 2,
  },
  graphs: {
    label: "Hugging Face, static cache, torch.compile with CUDA graphs",
    environment: "project",
    program: "python/cuda_graphs.py",
    kinds: [],
    precisions: {},
    cuda: { kinds: ["gpu"], precisions: { bfloat16: huggingFace, float32: huggingFace } },
    only: ["greedy, batch 1", "greedy, batch 32"],
    maxTrials: 1,
    maxSeconds: 80,
  },
};

/** A peer as it is measured on a device in suites of a kind; undefined where it isn't. */
export function peerOn(peer, device, kind) {
  if (device === "cpu") return { ...peer, ...peer.variants?.[kind] };
  return peer.cuda && { ...peer, ...peer.cuda };
}

/** The precisions of a peer on any device. */
export const precisionsOf = ({ precisions, cuda }) => Object.keys({ ...precisions, ...cuda?.precisions });

/** What measures the machine instead of a peer. Each runs in every suite of its kind. */
export const MACHINES = {
  machine: {
    label: "this machine",
    environment: "project",
    program: "python/bandwidth.py",
    kinds: ["bandwidth"],
    precisions: { "-": {} },
  },
  device: {
    label: "this device",
    environment: "project",
    program: "python/device_limits.py",
    kinds: ["gpu"],
    precisions: { "-": {} },
    cuda: {},
    maxTrials: 1,
  },
};
