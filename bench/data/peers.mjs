// Who is measured. `environment` is what is installed for a peer (../preparing/environments.mjs), `program` its trial program,
// `kinds` what it can do, and `precisions` the exports (../preparing/exports.mjs) that each of its precisions reads; `cuda`: what of
// that is otherwise on a GPU. A peer without it is measured on the CPU alone.

const FORWARDS = ["forward", "score", "rerank", "load", "memory"];
const DECODING = [...FORWARDS, "step", "generate"];

/** What the reports compare each peer's figures with, and always measured. */
export const OURS = "torch-t5";

export const PRECISIONS = ["exact", "float32", "bfloat16", "int8"];

/** Figures are compared within a kind: exact computes in float32. */
export const kindOfPrecision = (precision) => (precision === "exact" ? "float32" : precision);

const ours = { model: "torch-t5" };
const huggingFace = { model: "hugging-face" };
const onnx = { model: "onnx", plain: "onnx-plain" };
const openvino = { model: "openvino-float32", plain: "openvino-float32-plain" };

export const PEERS = {
  "torch-t5": {
    label: "torch-t5",
    environment: "project",
    program: "node/torch-t5.mjs",
    kinds: [...DECODING, "ragged", "last-position", "result-memory", "event-loop"],
    precisions: { exact: ours, float32: ours, bfloat16: ours, int8: ours },
    cuda: { precisions: { exact: ours, float32: ours, bfloat16: ours } },
  },
  hf: {
    label: "Hugging Face eager",
    environment: "project",
    program: "python/hugging_face.py",
    kinds: DECODING,
    precisions: { float32: huggingFace },
    cuda: { kinds: ["forward", "step", "generate"], precisions: { float32: huggingFace, bfloat16: huggingFace } },
  },
  openvino: {
    label: "OpenVINO",
    environment: "openvino",
    program: "python/open_vino.py",
    kinds: DECODING,
    precisions: {
      float32: openvino,
      bfloat16: openvino,
      int8: { model: "openvino-int8", plain: "openvino-int8-plain" },
    },
  },
  ct2: {
    label: "CTranslate2",
    environment: "ctranslate2",
    program: "python/c_translate.py",
    kinds: DECODING,
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
    kinds: ["forward", "rerank", "load", "memory", "generate", "event-loop"],
    precisions: { float32: onnx },
  },
  compile: {
    label: "torch.compile, frozen",
    environment: "project",
    program: "python/torch_compile.py",
    kinds: ["forward"],
    precisions: { float32: huggingFace },
    // Each shape is compiled for a minute in each process.
    mostTrials: 2,
  },
};

/** What of a peer is measured on a device; undefined where nothing is. */
export function peerOn(peer, device) {
  if (device === "cpu") return peer;
  return peer.cuda && { ...peer, ...peer.cuda };
}

/** Every precision of a peer, on whatever device. */
export const precisionsOf = ({ precisions, cuda }) => Object.keys({ ...precisions, ...cuda?.precisions });

/** Measures the machine, not a peer: runs in every suite of its kind whatever peers were asked for. */
export const MACHINE = {
  label: "this machine",
  environment: "project",
  program: "python/bandwidth.py",
  kinds: ["bandwidth"],
  precisions: { "-": {} },
};
