// Outputs of every layer, hidden states and attention weights: the types of results that have them, and what a call
// needs to return them.
import { checkOutputMemory } from "../inputs/memory-limit.js";
import type { T5Config } from "../loading/config.js";
import type { LayerArchives, Precision } from "../loading/load.js";
import type { NativeSelection } from "../native/types.js";
import type { Tensor } from "../util/tensor.js";
import { refused } from "../util/validation.js";

/** What `outputHiddenStates` adds to the result of a session. */
export interface DecoderLayersResult {
  /**
   * Hugging Face's `decoder_hidden_states`: the embeddings, then the output of each layer, the last after the final
   * layer norm. Each `[batch, targetLength, dModel]`.
   */
  readonly decoderHiddenStates: readonly Tensor[];
}

/** What `outputHiddenStates` adds to the result of `forward`. */
export interface LayersResult extends DecoderLayersResult {
  /** Hugging Face's `encoder_hidden_states`, in the same order. Each `[batch, sourceLength, dModel]`. */
  readonly encoderHiddenStates: readonly Tensor[];
}

/** What `outputAttentions` adds to the result of a session: attention weights after the softmax, one tensor a layer. */
export interface DecoderAttentionsResult {
  /**
   * Each `[batch, numHeads, targetLength, positions]`: how much each target position attends to the decoder's positions
   * so far. In `forward` and `prefill` there are `targetLength` of them.
   */
  readonly decoderAttentions: readonly Tensor[];
  /** Each `[batch, numHeads, targetLength, sourceLength]`: how much each target position attends to the source. */
  readonly crossAttentions: readonly Tensor[];
}

/** What `outputAttentions` adds to the result of `forward`. */
export interface AttentionsResult extends DecoderAttentionsResult {
  /** Each `[batch, numHeads, sourceLength, sourceLength]`. */
  readonly encoderAttentions: readonly Tensor[];
}

/** The parts of a model that decide whether it can return outputs of layers. */
export interface LayersModel {
  readonly config: T5Config;
  readonly precision: Precision;
  readonly layerArchives: LayerArchives;
}

/** The lengths of a call whose layers are returned. */
interface LayerSizes {
  readonly batch: number;
  /** Of the encoder's outputs; 0: none are returned. */
  readonly encoderLength: number;
  readonly sourceLength: number;
  readonly targetLength: number;
  /** Decoder positions, those before the call included. */
  readonly positions: number;
}

/**
 * Throws ERR_INVALID_ARGUMENT if the model can't return the outputs that are selected, ERR_OUT_OF_MEMORY if they don't
 * fit into memory.
 */
export function checkLayerOutputs(selection: NativeSelection, sizes: LayerSizes, model: LayersModel): void {
  const { batch, encoderLength, sourceLength, targetLength, positions } = sizes;
  const { numLayers, numDecoderLayers, numHeads, dModel } = model.config;
  if (selection.outputHiddenStates) {
    checkArchive("outputHiddenStates", model.layerArchives.hiddenStates, "hidden_states.pt", model);
    const states = encoderLength * (numLayers + 1) + targetLength * (numDecoderLayers + 1);
    checkOutputMemory(batch * states * dModel, "options.outputHiddenStates");
  }
  if (selection.outputAttentions) {
    checkArchive("outputAttentions", model.layerArchives.attentions, "attentions.pt", model);
    const pairs = encoderLength ** 2 * numLayers + targetLength * (positions + sourceLength) * numDecoderLayers;
    checkOutputMemory(batch * pairs * numHeads, "options.outputAttentions");
  }
}

function checkArchive(option: string, path: string, file: string, { precision }: LayersModel): void {
  const name = `options.${option}`;
  if (precision !== "exact") {
    throw refused('a model loaded with precision: "exact"', name, `one with precision: ${JSON.stringify(precision)}`);
  }
  if (path !== "") return;
  throw refused(`a model exported with ${file} (export it again)`, name, "one that was exported without it");
}
