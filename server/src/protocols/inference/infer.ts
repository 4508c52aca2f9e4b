// One inference of the Open Inference Protocol: named tensors in, named tensors out, whatever carries them.
import type { EncoderInput, FlatIds, ForwardInput, ForwardOptions, T5ForConditionalGeneration, Tensor } from "torch-t5";
import type { CallContext } from "../../calls/call.js";
import { checkLength, checkOutput, checkRows, countTexts, sum } from "../../calls/limits.js";
import { expected } from "../../errors/server-error.js";
import type { LoadedModel } from "../../models/loading.js";
import type { ServedModel } from "../../models/served-model.js";
import { type Signature, signatureOf } from "./signatures.js";
import type { IdTensor, InputTensor, OutputTensor } from "./tensors.js";

/** A request, without what carries it. */
export interface InferRequest {
  readonly inputs: readonly InputTensor[];
  /** The names of the outputs; none: the default ones. */
  readonly outputs: readonly string[];
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Whether the outputs are written as JSON, which needs more space. */
  readonly isJson: boolean;
}

/** What `forward` resolves to, whatever its options. */
interface AnyForwardResult {
  readonly logits?: Tensor;
  readonly values?: Tensor;
  readonly indices?: Tensor<Int32Array>;
  readonly encoderLastHiddenState?: Tensor;
  readonly decoderLastHiddenState?: Tensor;
}

/** Parameters that clients set for servers with other features, and which change nothing here. */
const IGNORED = new Set(["binary_data_output", "priority", "timeout", "sequence_id", "sequence_start", "sequence_end"]);
const PARAMETERS = new Set(["positions", "tokens", "top_k", "max_length", "truncation"]);

/** Runs the model. Rejects with ERR_INVALID_ARGUMENT, ERR_LIMIT, and as the model's call does. */
export async function infer(
  served: ServedModel,
  request: InferRequest,
  context: CallContext,
): Promise<readonly OutputTensor[]> {
  const model = served.loaded;
  const signature = signatureOf(model);
  checkNames(request, signature);
  const source = await readSource(model, request, context);
  context.countTokens(served.name, "source", source.tokens);
  const outputs = new Set(request.outputs);
  const call: Call = { ...source, request, outputs, context };
  switch (model.kind) {
    case "generation":
      return inferGeneration(model.t5, call);
    case "encoder":
      return inferEncoder(model, call);
    default:
      return inferClassifier(model, call);
  }
}

interface ReadSource {
  readonly input: EncoderInput;
  readonly rows: number;
  /** The length of the longest row. */
  readonly length: number;
  /** The number of tokens in all. */
  readonly tokens: number;
}

interface Call extends ReadSource {
  readonly request: InferRequest;
  readonly outputs: ReadonlySet<string>;
  readonly context: CallContext;
}

function checkNames({ inputs, outputs, parameters }: InferRequest, signature: Signature): void {
  const known = (tensors: Signature["inputs"]) => tensors.map(({ name }) => name);
  const inputNames = known(signature.inputs);
  for (const [index, { name }] of inputs.entries()) {
    if (!inputNames.includes(name)) throw expected(`one of ${inputNames.join(", ")}`, "the name of an input", name);
    if (inputs.findIndex((input) => input.name === name) < index) throw expected("each input once", "inputs", name);
  }
  const outputNames = known(signature.outputs);
  for (const name of outputs) {
    if (!outputNames.includes(name)) throw expected(`one of ${outputNames.join(", ")}`, "the name of an output", name);
  }
  for (const name of Object.keys(parameters)) {
    if (!PARAMETERS.has(name) && !IGNORED.has(name)) {
      throw expected(`one of ${[...PARAMETERS].join(", ")}`, "the name of a parameter", name);
    }
  }
}

async function readSource(
  { t5 }: LoadedModel,
  { inputs, parameters }: InferRequest,
  { limits }: CallContext,
): Promise<ReadSource> {
  const text = inputs.find(({ name }) => name === "text");
  if (text !== undefined) {
    const other = inputs.find(({ name }) => name === "input_ids" || name === "attention_mask");
    if (other !== undefined) throw expected("either text or input_ids", "inputs", other.name);
    if (text.datatype !== "BYTES") throw expected("BYTES", "the datatype of text", text.datatype);
    const [, ...others] = text.shape;
    if (others.some((length) => length !== 1)) throw expected("[batch] or [batch, 1]", "the shape of text", text.shape);
    const maxLength = integerParameter(parameters, "max_length");
    const { truncation } = parameters;
    if (truncation !== undefined && typeof truncation !== "boolean")
      throw expected("a boolean", "truncation", truncation);
    const bound = maxLength ?? (truncation ? t5.tokenizer?.modelMaxLength : undefined);
    const counts = await countTexts(t5, text.data, limits, "text", bound);
    const input = {
      text: text.data,
      ...(maxLength !== undefined && { maxLength }),
      ...(truncation !== undefined && { truncation }),
    };
    return { input, rows: counts.length, length: Math.max(...counts), tokens: sum(counts) };
  }
  for (const name of ["max_length", "truncation"]) {
    if (parameters[name] !== undefined) throw expected("the input text", name, parameters[name]);
  }
  const inputIds = idsOf(inputs, "input_ids", limits);
  if (inputIds === undefined) throw expected("text or input_ids", "inputs", undefined);
  const attentionMask = idsOf(inputs, "attention_mask", limits);
  const [rows = 0, length = 0] = inputIds.shape;
  const input = { inputIds, ...(attentionMask !== undefined && { attentionMask }) };
  return { input, rows, length, tokens: rows * length };
}

/** A matrix of ids among the inputs. */
function idsOf(inputs: readonly InputTensor[], name: string, limits: CallContext["limits"]): FlatIds | undefined {
  const tensor = inputs.find((input) => input.name === name);
  if (tensor === undefined) return undefined;
  if (tensor.datatype === "BYTES") throw expected("INT64 or INT32", `the datatype of ${name}`, tensor.datatype);
  const { shape, data }: IdTensor = tensor;
  const [rows = 0, length = 0] = shape;
  if (shape.length !== 2) throw expected("[batch, length]", `the shape of ${name}`, shape);
  checkRows(rows, `rows of ${name}`, limits);
  checkLength(length, name, limits);
  return { data, shape: [rows, length] };
}

async function inferGeneration(t5: T5ForConditionalGeneration, call: Call): Promise<readonly OutputTensor[]> {
  const { request, outputs, context, input, rows, length } = call;
  const decoderInputIds = idsOf(request.inputs, "decoder_input_ids", context.limits);
  const targetLength = decoderInputIds?.shape[1] ?? 1;
  const positions = positionsParameter(request.parameters);
  const tokens = idsParameter(request.parameters, "tokens");
  const topK = integerParameter(request.parameters, "top_k");
  const hiddenStates = outputs.has("encoder_last_hidden_state") || outputs.has("decoder_last_hidden_state");
  if (topK === undefined && (outputs.has("values") || outputs.has("indices"))) {
    throw expected("the parameter top_k", "the outputs values and indices", undefined);
  }
  if (topK !== undefined && outputs.has("logits")) throw expected("values or indices with top_k", "outputs", "logits");
  const columns = topK === undefined ? (tokens?.length ?? t5.config.vocabSize) : 2 * topK;
  const selected = positions === undefined ? targetLength : positions === "last" ? 1 : positions.length;
  const states = hiddenStates ? (length + targetLength) * t5.config.dModel : 0;
  checkOutput(rows * (selected * columns + states), context.limits, request.isJson);
  const options: ForwardOptions = {
    signal: context.signal,
    ...(positions !== undefined && { positions }),
    ...(tokens !== undefined && { tokens }),
    ...(topK !== undefined && { topK }),
    ...(hiddenStates && { hiddenStates }),
  };
  const source = typeof input === "string" || Array.isArray(input) ? { text: input } : input;
  const forwardInput = { ...source, ...(decoderInputIds !== undefined && { decoderInputIds }) } as ForwardInput;
  const result: AnyForwardResult = await t5.forward(forwardInput, options);
  const computed: Readonly<Record<string, Tensor<Float32Array | Int32Array> | undefined>> = {
    logits: result.logits,
    values: result.values,
    indices: result.indices,
    encoder_last_hidden_state: result.encoderLastHiddenState,
    decoder_last_hidden_state: result.decoderLastHiddenState,
  };
  const names = outputs.size > 0 ? [...outputs] : topK === undefined ? ["logits"] : ["values", "indices"];
  return names.map((name) => outputOf(name, computed[name]));
}

async function inferEncoder(
  { t5 }: Extract<LoadedModel, { readonly kind: "encoder" }>,
  { input, rows, length, outputs, request, context }: Call,
): Promise<readonly OutputTensor[]> {
  refuseSelections(request);
  checkOutput(rows * length * t5.config.dModel, context.limits, request.isJson);
  const { signal } = context;
  const names = outputs.size > 0 ? [...outputs] : ["last_hidden_state"];
  return Promise.all(
    names.map(async (name) =>
      outputOf(
        name,
        name === "embeddings"
          ? await t5.embed(input, { signal })
          : (await t5.forward(input, { signal })).lastHiddenState,
      ),
    ),
  );
}

async function inferClassifier(
  { t5 }: Extract<LoadedModel, { readonly kind: "sequenceClassification" | "tokenClassification" }>,
  { input, rows, length, request, context }: Call,
): Promise<readonly OutputTensor[]> {
  refuseSelections(request);
  checkOutput(rows * length * t5.config.numLabels, context.limits, request.isJson);
  const { logits } = await t5.forward(input, { signal: context.signal });
  return [outputOf("logits", logits)];
}

function refuseSelections({ parameters }: InferRequest): void {
  for (const name of ["positions", "tokens", "top_k"]) {
    if (parameters[name] !== undefined) throw expected("a model that generates", name, parameters[name]);
  }
}

function outputOf(name: string, tensor: Tensor<Float32Array | Int32Array> | undefined): OutputTensor {
  if (tensor === undefined) throw expected("a computed output", name, undefined, "ERR_INTERNAL");
  const { shape, data } = tensor;
  return { name, datatype: data instanceof Int32Array ? "INT32" : "FP32", shape, data };
}

function integerParameter(parameters: InferRequest["parameters"], name: string): number | undefined {
  const value = parameters[name];
  if (value === undefined) return undefined;
  const number = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
  if (typeof number === "number" && Number.isSafeInteger(number) && number > 0) return number;
  throw expected("a positive integer", name, value);
}

function positionsParameter(parameters: InferRequest["parameters"]): "last" | readonly number[] | undefined {
  return parameters.positions === "last" ? "last" : idsParameter(parameters, "positions");
}

/** A list, or its JSON: parameters of gRPC are no lists. */
function idsParameter(parameters: InferRequest["parameters"], name: string): readonly number[] | undefined {
  const value = parameters[name];
  if (value === undefined) return undefined;
  const list = typeof value === "string" ? parseList(value) : value;
  if (Array.isArray(list) && list.length > 0 && list.every(Number.isSafeInteger)) return list as readonly number[];
  throw expected("an array of integers", name, value);
}

function parseList(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
