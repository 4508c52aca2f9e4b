// The attention of one query per row and head, over the keys in the row's own cache.
//
// A few lanes share a key: each has 16 bytes of it. These key groups read different keys and have a softmax each, which
// is rescaled when its maximum grows. At the end the softmaxes of all groups of a block are merged.
#pragma once

#include "aten/kernels/early_start.cuh"
#include "aten/kernels/element.cuh"
#include "aten/kernels/reduce.cuh"
#include "aten/kernels/step_row.h"

namespace torch_t5 {
namespace {

constexpr int kInner = HEADS * D_KV;
constexpr int kKeyVectors = D_KV / kVector;

__device__ constexpr int keyLanes() {
  int lanes = 1;
  while (lanes < kKeyVectors && lanes < kLanes) lanes *= 2;
  return lanes;
}

constexpr int kKeyLanes = keyLanes();
constexpr int kKeyParts = ceilDiv(kKeyVectors, kKeyLanes);  // vectors of a key per lane
constexpr int kKeysAtOnce = larger(4 / kKeyParts, 1);       // per group
constexpr int kKeyGroups = kAttentionThreads / kKeyLanes;
constexpr int kGroupsOfWarp = kLanes / kKeyLanes;
constexpr float kLowest = -3.402823466e38F;

/// A softmax that is not yet divided by its sum, and the values that it weighs: a lane's part of these.
struct Softmax {
  float maximum = kLowest;
  float sum = 0;
  float values[kKeyParts * kVector] = {};

  /// For a new maximum, which is not lower.
  __device__ __forceinline__ void rescale(float newMaximum) {
    const float factor = expf(maximum - newMaximum);
    maximum = newMaximum;
    sum *= factor;
#pragma unroll
    for (float& value : values) value *= factor;
  }
};

/// A lane's part of a head's query, key or value.
struct HeadPart {
  Vector vectors[kKeyParts];

  /// `loadFrom`: loads a vector.
  template <class LoadFrom>
  __device__ __forceinline__ void load(const Element* from, bool isUsed, const LoadFrom& loadFrom) {
#pragma unroll
    for (int part = 0; part < kKeyParts; ++part) {
      const int vector = part * kKeyLanes + laneOfThread() % kKeyLanes;
      vectors[part] =
          isUsed && vector < kKeyVectors ? loadFrom(inGlobalMemory(from) + vector * kVector) : Vector{0, 0, 0, 0};
    }
  }

  __device__ __forceinline__ void unpackTo(float (&values)[kKeyParts * kVector]) const {
#pragma unroll
    for (int part = 0; part < kKeyParts; ++part) {
      float some[kVector];
      unpack(vectors[part], some);
#pragma unroll
      for (int i = 0; i < kVector; ++i) values[part * kVector + i] = some[i];
    }
  }
};

/// The score of a key without bias; all lanes of its group receive it.
__device__ __forceinline__ float scoreOf(const float (&query)[kKeyParts * kVector], const HeadPart& key) {
  float values[kKeyParts * kVector];
  key.unpackTo(values);
  float score = 0;
#pragma unroll
  for (int i = 0; i < kKeyParts * kVector; ++i) score = fmaf(query[i], values[i], score);
#pragma unroll
  for (int offset = kKeyLanes / 2; offset > 0; offset /= 2) score += __shfl_xor_sync(kAllLanes, score, offset);
  return score;
}

/// Merges the softmaxes of a warp's groups; all lanes receive the result.
__device__ __forceinline__ void mergeGroups(Softmax& softmax) {
#pragma unroll
  for (int offset = kKeyLanes; offset < kLanes; offset *= 2) {
    softmax.rescale(fmaxf(softmax.maximum, __shfl_xor_sync(kAllLanes, softmax.maximum, offset)));
    softmax.sum += __shfl_xor_sync(kAllLanes, softmax.sum, offset);
#pragma unroll
    for (float& value : softmax.values) value += __shfl_xor_sync(kAllLanes, value, offset);
  }
}

/// Merges the softmaxes of a block's warps, and stores the output of a head: D_KV elements.
__device__ __forceinline__ void storeMerged(const Softmax& softmax, Element* output) {
  constexpr int kWarps = kAttentionThreads / kLanes;
  __shared__ float maxima[kWarps];
  __shared__ float sums[kWarps];
  __shared__ float values[kWarps][D_KV];
  const int warp = warpOfThread();
  const int lane = laneOfThread();
  if (lane == 0) {
    maxima[warp] = softmax.maximum;
    sums[warp] = softmax.sum;
  }
#pragma unroll
  for (int part = 0; part < kKeyParts; ++part) {
    const int vector = part * kKeyLanes + lane;
    if (lane >= kKeyLanes || vector >= kKeyVectors) continue;
#pragma unroll
    for (int i = 0; i < kVector; ++i) values[warp][vector * kVector + i] = softmax.values[part * kVector + i];
  }
  __syncthreads();
  float maximum = maxima[0];
#pragma unroll
  for (int i = 1; i < kWarps; ++i) maximum = fmaxf(maximum, maxima[i]);
  for (int column = static_cast<int>(threadIdx.x); column < D_KV; column += kAttentionThreads) {
    float sum = 0;
    float value = 0;
#pragma unroll
    for (int i = 0; i < kWarps; ++i) {
      const float factor = expf(maxima[i] - maximum);
      sum = fmaf(sums[i], factor, sum);
      value = fmaf(values[i][column], factor, value);
    }
    output[column] = toElement(value / sum);
  }
}

constexpr int kKeysOfTile = kKeyGroups * kKeysAtOnce;

/// The first key of a block's first tile that the lane's warp, or its group, has.
__device__ __forceinline__ int firstKeyOfWarp() { return warpOfThread() * kGroupsOfWarp; }
__device__ __forceinline__ int firstKeyOfGroup() { return firstKeyOfWarp() + laneOfThread() / kKeyLanes; }

/// The keys that a block reads at once, with their values: a lane's part of those of its group.
struct KeyTile {
  HeadPart keys[kKeysAtOnce];
  HeadPart values[kKeysAtOnce];
  float scores[kKeysAtOnce];  // what is added to the products with the query

  /// Loads the tile from key `start` on, of `length` keys. keyAt(key) and valueAt(key) are pointers, added(key) is what
  /// is added to the score.
  template <class LoadFrom, class KeyAt, class ValueAt, class Added>
  __device__ __forceinline__ void load(int start, int length, const LoadFrom& loadFrom, const KeyAt& keyAt,
                                       const ValueAt& valueAt, const Added& added) {
#pragma unroll
    for (int i = 0; i < kKeysAtOnce; ++i) {
      const int key = start + firstKeyOfGroup() + i * kKeyGroups;
      const bool isKey = key < length;
      keys[i].load(keyAt(isKey ? key : 0), isKey, loadFrom);
      values[i].load(valueAt(isKey ? key : 0), isKey, loadFrom);
      scores[i] = isKey ? added(key) : 0;
    }
  }
};

/// Attends to `length` keys. `tile`: the first one, loaded; load(tile, start) loads another.
template <class Load>
__device__ __forceinline__ void attend(KeyTile& tile, const Element* query, int length, const Load& load,
                                       Element* output) {
  HeadPart queryPart;
  queryPart.load(query, true, loadVector);
  float queryValues[kKeyParts * kVector];
  queryPart.unpackTo(queryValues);

  Softmax softmax;
  // The lanes of a warp stay together, because they exchange values.
  for (int start = 0; start + firstKeyOfWarp() < length; start += kKeysOfTile) {
    if (start > 0) load(tile, start);
    float maximum = softmax.maximum;
#pragma unroll
    for (int i = 0; i < kKeysAtOnce; ++i) {
      tile.scores[i] += scoreOf(queryValues, tile.keys[i]);
      if (start + firstKeyOfGroup() + i * kKeyGroups < length) maximum = fmaxf(maximum, tile.scores[i]);
    }
    softmax.rescale(maximum);
#pragma unroll
    for (int i = 0; i < kKeysAtOnce; ++i) {
      const bool isKey = start + firstKeyOfGroup() + i * kKeyGroups < length;
      const float weight = isKey ? expf(tile.scores[i] - maximum) : 0;
      softmax.sum += weight;
      float some[kKeyParts * kVector];
      tile.values[i].unpackTo(some);
#pragma unroll
      for (int j = 0; j < kKeyParts * kVector; ++j) softmax.values[j] = fmaf(weight, some[j], softmax.values[j]);
    }
  }
  mergeGroups(softmax);
  storeMerged(softmax, output);
}

/// Whether a row is in use. `field`: the field of the row that is read last, not negative. With volatile fields, the
/// branch that depends on this comes after all loads, so that they and that of rowCount take the time of one.
__device__ __forceinline__ bool isUsed(int index, const int* rowCount, int field) {
  return (static_cast<int>(index < *rowCount) & static_cast<int>(field >= 0)) != 0;
}

}  // namespace

extern "C" {

/// Stores each row's key and value in its cache, and attends to the keys of all positions up to this one. `projected`:
/// query, key and value [rows, 3, HEADS, D_KV]. `bias`: [HEADS, reach + 1], by the distance back from the query; keys
/// that are further back have that of `reach`. `output`: [rows, HEADS, D_KV]. Blocks: heads, rows.
__global__ void __launch_bounds__(kAttentionThreads)
    selfAttention(const Element* projected, const StepRow* rows, const int* rowCount, const float* bias, int reach,
                  int layer, Element* output) {
  letNextStart();
  waitForPrevious();
  const int head = static_cast<int>(blockIdx.x);
  const int index = static_cast<int>(blockIdx.y);
  const volatile StepRow& row = rows[index];
  const long long headSize = static_cast<long long>(row.selfCapacity) * D_KV;
  Element* keys = inGlobalMemory(static_cast<Element*>(row.selfKeys)) + layer * row.selfLayer + head * headSize;
  Element* values = keys + row.selfValues;
  const int position = row.position;
  if (!isUsed(index, rowCount, position)) return;
  const Element* query = projected + (static_cast<long long>(index) * 3 * HEADS + head) * D_KV;
  const Element* newKey = query + kInner;
  const Element* newValue = newKey + kInner;

  // Stored at the end, so that no thread waits for them before it attends.
  static_assert(kKeyVectors <= kAttentionThreads, "a thread for each vector of a key");
  const bool stores = threadIdx.x < kKeyVectors;
  const int column = static_cast<int>(threadIdx.x) * kVector;
  const Vector storedKey = stores ? loadVector(newKey + column) : Vector{0, 0, 0, 0};
  const Vector storedValue = stores ? loadVector(newValue + column) : Vector{0, 0, 0, 0};

  const auto load = [&](KeyTile& tile, int start) {
    tile.load(
        start, position + 1, loadVector,
        [&](int key) { return key < position ? keys + static_cast<long long>(key) * D_KV : newKey; },
        [&](int key) { return key < position ? values + static_cast<long long>(key) * D_KV : newValue; },
        [&](int key) { return bias[head * (reach + 1) + smaller(position - key, reach)]; });
  };
  KeyTile tile;
  load(tile, 0);
  attend(tile, query, position + 1, load, output + static_cast<long long>(index) * kInner + head * D_KV);

  if (stores) {
    const long long to = static_cast<long long>(position) * D_KV + column;
    storeVector(keys + to, storedKey);
    storeVector(values + to, storedValue);
  }
}

/// Attends to the keys of each row's source, and loads the first of them while the query is computed. `query`,
/// `output`: [rows, HEADS, D_KV]. Blocks: heads, rows.
__global__ void __launch_bounds__(kAttentionThreads)
    crossAttention(const Element* query, const StepRow* rows, const int* rowCount, int layer, Element* output) {
  letNextStart();
  const int head = static_cast<int>(blockIdx.x);
  const int index = static_cast<int>(blockIdx.y);
  const volatile StepRow& row = rows[index];
  const int sourceLength = row.sourceLength;
  const volatile float* mask = inGlobalMemory(static_cast<const float*>(row.crossMask));
  const Element* keys = inGlobalMemory(static_cast<const Element*>(row.crossKeys)) + layer * row.crossLayer +
                        static_cast<long long>(head) * sourceLength * D_KV;
  const Element* values = keys + row.crossValues;
  // A row that is not in use has no keys: its pointers may be old.
  const int length = index < *static_cast<const volatile int*>(rowCount) ? sourceLength : 0;
  const auto load = [&](KeyTile& tile, int start) {
    tile.load(
        start, length, loadOnce, [&](int key) { return keys + static_cast<long long>(key) * D_KV; },
        [&](int key) { return values + static_cast<long long>(key) * D_KV; },
        [&](int key) { return mask != nullptr ? mask[key] : 0.0F; });
  };
  KeyTile tile;
  load(tile, 0);
  waitForPrevious();
  if (length == 0) return;
  const long long at = static_cast<long long>(index) * kInner + head * D_KV;
  attend(tile, query + at, length, load, output + at);
}

}  // extern "C"
}  // namespace torch_t5
