#include "aten/decoder_step.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <c10/core/DeviceGuard.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <utility>

#include "aten/attention.h"
#include "aten/graphed_work.h"
#include "aten/host_copy.h"
#include "aten/kernels/step_kernels_source.h"
#include "aten/kernels/step_launches.h"
#include "aten/kernels/step_row.h"
#include "core/cancellation.h"
#include "engine/tensors.h"

namespace torch_t5 {
namespace {

/// Up to here, products with weights are our own kernels: they read each weight once for all rows.
constexpr std::int64_t kMaxFewRows = 8;
/// The same for small models in float32, for which libtorch's products are slow. Their input rows fit in shared memory.
constexpr std::int64_t kMaxFewRowsOfSmallModel = 16;
constexpr std::int64_t kMaxSmallModel = 512;  // dModel
/// Elements of every type per load of 16 bytes.
constexpr std::int64_t kVectorLength = 8;
constexpr std::int64_t kMaxHeadSize = 128;
/// Greedy steps that are enqueued before the host looks at the ends of the sequences. It looks while as many more run.
constexpr std::int64_t kStepsPerLook = 4;
/// Positions and ids that a greedy search reserves room for at a time.
constexpr std::int64_t kReservedPositions = 128;

/// The order is that of `ACTIVATION` in the kernels.
static_assert(static_cast<int>(Activation::kRelu) == 0 && static_cast<int>(Activation::kGeluNew) == 1 &&
              static_cast<int>(Activation::kGelu) == 2 && static_cast<int>(Activation::kSilu) == 3);

std::string definition(const char* name, std::int64_t value) { return std::string(name) + "=" + std::to_string(value); }

/// A number as a float literal of C++.
std::string floatLiteral(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.9ef", value);
  return text;
}

std::vector<std::string> definitionsFor(const Architecture& architecture, at::ScalarType type, std::int64_t rows) {
  return {
      definition("ROWS", rows),
      definition("BFLOAT16", type == at::kBFloat16 ? 1 : 0),
      definition("D_MODEL", architecture.dModel),
      definition("D_KV", architecture.dKv),
      definition("HEADS", architecture.numHeads),
      definition("D_FF", architecture.dFf),
      definition("GATED", architecture.isGated ? 1 : 0),
      definition("ACTIVATION", static_cast<int>(architecture.activation)),
      "EPSILON=" + floatLiteral(architecture.layerNormEpsilon),
  };
}

/// The position biases of each layer, by distance back. All distances from `reach` on share a bias.
std::vector<at::Tensor> stepBiases(const AtenStack& decoder, std::int64_t reach) {
  std::vector<at::Tensor> biases;
  for (const AtenLayer& layer : decoder.layers) {
    biases.push_back(layer.bias ? layer.bias->byDistanceBack(reach) : biases.back());
  }
  return biases;
}

KernelLaunch kernel(const char* name, std::int64_t blocks, int threads, std::int64_t blocksY = 1) {
  KernelLaunch launch;
  launch.name = name;
  launch.blocksX = static_cast<unsigned>(blocks);
  launch.blocksY = static_cast<unsigned>(blocksY);
  launch.threads = static_cast<unsigned>(threads);
  launch.startsEarly = true;
  return launch;
}

void* address(const at::Tensor& tensor) { return tensor.data_ptr(); }

/// Appends rows that have read `position` ids to a table.
void appendRows(std::vector<StepRow>& table, std::int64_t rows, std::int64_t position, const AtenSelfCache& self,
                const AtenCrossCache& cross) {
  for (std::int64_t row = 0; row < rows; ++row) {
    StepRow& description = table.emplace_back();
    self.describe(description, row);
    cross.describe(description, row);
    description.position = static_cast<int>(position);
  }
}

/// Copies structs to the device. The host's memory may be reused at once.
template <class Struct>
void upload(const at::Tensor& to, const Struct* values, std::size_t count) {
  const auto bytes = static_cast<std::int64_t>(count * sizeof(Struct));
  to.narrow(0, 0, bytes).copy_(at::from_blob(const_cast<Struct*>(values), {bytes}, at::kByte), /*non_blocking=*/true);
}

}  // namespace

/// The buffers, kernels and graphs for one number of rows.
struct DecoderStep::Bucket {
  std::int64_t rows;
  bool isFewRows;
  std::shared_ptr<const DeviceKernels> kernels;

  // What changes from step to step.
  at::Tensor table;   // bytes: StepRow [rows]
  at::Tensor count;   // int32 [1]: rows in use
  at::Tensor ids;     // int64 [rows]
  at::Tensor states;  // float32 [rows, dModel]
  at::Tensor logits;  // float32 [rows, vocabSize]
  at::Tensor ranks;   // int64 [rows, lmHeadBlocks]: of a greedy step; few rows only

  // Between the kernels of a step. All but `hidden` have the type of the weights.
  at::Tensor hidden;        // float32 [rows, dModel]
  at::Tensor normalized;    // [rows, dModel]; many rows only, as `delta` and `product`
  at::Tensor delta;         // [rows, dModel]
  at::Tensor product;       // [rows, dFf, or twice as much if gated]
  at::Tensor projected;     // [rows, 3 * heads * dKv]
  at::Tensor query;         // [rows, heads * dKv]
  at::Tensor attended;      // [rows, heads * dKv]
  at::Tensor intermediate;  // [rows, dFf]

  std::unique_ptr<GraphedWork> step;          // ids -> states
  std::unique_ptr<GraphedWork> stepToLogits;  // ids -> states -> logits
  std::unique_ptr<GraphedWork> greedyStep;    // embedded ids -> the next ids, embedded
  std::int64_t countOnDevice = 0;

  template <class... Parameters>
  void launch(const KernelLaunch& launch, Parameters... parameters) const {
    const std::array<void*, sizeof...(Parameters)> addresses{static_cast<void*>(&parameters)...};
    kernels->launch(launch, addresses);
  }

  /// Writes the rows that the next step reads. The copy to the device comes last: no kernel starts before it has ended,
  /// whatever the kernel reads early.
  void use(const std::vector<StepRow>& rowsInUse) {
    const auto inUse = static_cast<std::int64_t>(rowsInUse.size());
    if (inUse != countOnDevice) count.fill_(inUse);
    countOnDevice = inUse;
    upload(table, rowsInUse.data(), rowsInUse.size());
  }
};

bool DecoderStep::supports(const Architecture& architecture) {
  const auto isAligned = [](std::int64_t size) { return size % kVectorLength == 0; };
  // Then all distances from the maximum on share the last bucket.
  const bool saturates = architecture.relativeAttentionNumBuckets >= 4 &&
                         architecture.relativeAttentionMaxDistance > architecture.relativeAttentionNumBuckets / 2;
  return isAligned(architecture.dModel) && isAligned(architecture.dKv) && isAligned(architecture.dFf) &&
         architecture.dKv <= kMaxHeadSize && saturates;
}

DecoderStep::DecoderStep(CudaRuntime& runtime, const Architecture& architecture, StepWeights weights,
                         const Placement& placement)
    : runtime_(runtime),
      architecture_(architecture),
      weights_(std::move(weights)),
      placement_(placement),
      biases_(stepBiases(weights_.decoder, architecture.relativeAttentionMaxDistance)) {
  bucketFor(1);  // so that a system without a compiler is noticed when the model is loaded
}

DecoderStep::~DecoderStep() = default;

DecoderStep::Output DecoderStep::run(std::span<const Part> parts, bool withLogits) {
  const c10::DeviceGuard guard(placement_.device);
  std::vector<StepRow> table;
  std::vector<at::Tensor> ids;
  for (const Part& part : parts) {
    appendRows(table, part.ids.size(0), part.position, *part.self, part.cross);
    ids.push_back(part.ids.select(1, 0));
  }
  const auto rows = static_cast<std::int64_t>(table.size());
  Bucket& bucket = bucketFor(rows);
  bucket.use(table);
  bucket.ids.narrow(0, 0, rows).copy_(ids.size() == 1 ? ids.front() : at::cat(ids));
  const auto copyRows = [&](const at::Tensor& tensor) { return tensor.narrow(0, 0, rows).clone().unsqueeze(1); };
  if (!withLogits) {
    bucket.step->run();
    return {copyRows(bucket.states), {}};
  }
  bucket.stepToLogits->run();
  return {copyRows(bucket.states), copyRows(bucket.logits)};
}

at::Tensor DecoderStep::runGreedy(const GreedyRequest& request, std::shared_ptr<AtenSelfCache> self,
                                  std::int64_t position, const AtenCrossCache& cross) {
  const c10::DeviceGuard guard(placement_.device);
  const std::int64_t rows = request.ids.size(0);
  Bucket& bucket = bucketFor(rows);
  const at::Tensor eosTokenIds = toTensor(request.eosTokenIds, placement_.device).to(at::kInt);
  bucket.ids.narrow(0, 0, rows).copy_(request.ids);
  embed(bucket);  // each step embeds the ids of the next

  std::vector<StepRow> table;
  appendRows(table, rows, position, *self, cross);
  const std::vector<std::int64_t> unfinished = toVector(request.unfinished);
  for (std::size_t row = 0; row < table.size(); ++row) table[row].unfinished = static_cast<int>(unfinished[row]);
  std::vector<at::Tensor> tokens;
  bool isDone = false;
  // In blocks, so that a search with a high limit reserves no more memory than it needs.
  for (std::int64_t generated = 0; !isDone && generated < request.maxTokens;) {
    const std::int64_t count = std::min(request.maxTokens - generated, kReservedPositions);
    tokens.push_back(at::empty({rows, count}, bucket.count.options()));
    self = AtenSelfCache::extend(self, position + generated, count);
    for (std::size_t row = 0; row < table.size(); ++row) {
      self->describe(table[row], static_cast<std::int64_t>(row));
      table[row].rule = {tokens.back().data_ptr<int>() + static_cast<std::int64_t>(row) * count,
                         eosTokenIds.const_data_ptr<int>(), static_cast<int>(count),
                         static_cast<int>(request.eosTokenIds.size()), static_cast<int>(request.padTokenId)};
      table[row].generated = 0;  // in this block
      table[row].length = 0;
    }
    bucket.use(table);
    isDone = runGreedySteps(bucket, count, table);
    generated += count;
    self->claim(position + generated);
  }
  if (isDone) {
    const auto isShorter = [](const StepRow& a, const StepRow& b) { return a.length < b.length; };
    tokens.back() = tokens.back().narrow(1, 0, std::max_element(table.begin(), table.end(), isShorter)->length);
  }
  return at::cat(tokens, 1).to(at::kLong);
}

/// Runs up to `count` steps, fewer if all sequences end before. Returns whether they have. `table`: receives the rows'
/// state after the last step.
bool DecoderStep::runGreedySteps(Bucket& bucket, std::int64_t count, std::vector<StepRow>& table) {
  const auto bytes = static_cast<std::int64_t>(table.size() * sizeof(StepRow));
  const at::Tensor tableOnDevice = bucket.table.narrow(0, 0, bytes);
  const auto haveEnded = [&](HostCopy& look) {
    std::memcpy(table.data(), look.wait().const_data_ptr(), static_cast<std::size_t>(bytes));
    return std::all_of(table.begin(), table.end(), [](const StepRow& row) { return row.unfinished == 0; });
  };
  // Two looks take turns: the host waits for one while the device runs the steps before the other.
  std::array<HostCopy, 2> looks;
  std::size_t turn = 0;
  bool isDone = false;
  for (std::int64_t enqueued = 0; enqueued < count && !isDone; turn = 1 - turn) {
    CancellationScope::check();
    const std::int64_t steps = std::min(kStepsPerLook, count - enqueued);
    for (std::int64_t step = 0; step < steps; ++step) bucket.greedyStep->run();
    enqueued += steps;
    looks[turn].start(runtime_, tableOnDevice);
    if (looks[1 - turn].isStarted()) isDone = haveEnded(looks[1 - turn]);
  }
  return haveEnded(looks[1 - turn]);
}

const DecoderStep::PooledRows& DecoderStep::pooledRows() {
  if (!pooledRows_) {
    const at::TensorOptions options = weights_.embedding.options();
    pooledRows_ = {at::zeros({kMaxRows * static_cast<std::int64_t>(sizeof(StepRow))}, options.dtype(at::kByte)),
                   at::zeros({1}, options.dtype(at::kInt)),
                   at::zeros({kMaxRows, architecture_.dModel}, options.dtype(at::kFloat))};
  }
  return *pooledRows_;
}

void DecoderStep::embedPooled(const at::Tensor& ids, std::int64_t first) {
  pooledRows().hidden.narrow(0, first, ids.size(0)).copy_(at::embedding(weights_.embedding, ids));
}

void DecoderStep::runPooledStep(std::int64_t rows) {
  const c10::DeviceGuard guard(placement_.device);
  bucketFor(rows, /*isPooled=*/true).greedyStep->run();
}

DecoderStep::Bucket& DecoderStep::bucketFor(std::int64_t rows, bool isPooled) {
  const auto index = static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(rows - 1)));
  std::unique_ptr<Bucket>& bucket = (isPooled ? pooledBuckets_ : buckets_).at(index);
  if (bucket == nullptr) bucket = makeBucket(std::int64_t{1} << index, isPooled);
  return *bucket;
}

std::unique_ptr<DecoderStep::Bucket> DecoderStep::makeBucket(std::int64_t rows, bool isPooled) {
  const at::TensorOptions options = weights_.embedding.options();
  const auto zeros = [&](std::int64_t columns, at::ScalarType type) {
    return at::zeros({rows, columns}, options.dtype(type));
  };
  const auto [dModel, dFf] = std::pair(architecture_.dModel, architecture_.dFf);
  const std::int64_t inner = architecture_.numHeads * architecture_.dKv;
  auto bucket = std::make_unique<Bucket>();
  bucket->rows = rows;
  bucket->isFewRows = areFew(rows);
  bucket->kernels = kernelsFor(rows);
  if (isPooled) {
    const PooledRows& pooled = pooledRows();
    bucket->table = pooled.table.narrow(0, 0, rows * static_cast<std::int64_t>(sizeof(StepRow)));
    bucket->count = pooled.count;
    bucket->hidden = pooled.hidden.narrow(0, 0, rows);
  } else {
    bucket->table = zeros(sizeof(StepRow), at::kByte).flatten();
    bucket->count = at::zeros({1}, options.dtype(at::kInt));
    bucket->hidden = zeros(dModel, at::kFloat);
  }
  bucket->ids = at::zeros({rows}, options.dtype(at::kLong));
  bucket->states = zeros(dModel, at::kFloat);
  bucket->logits = zeros(architecture_.vocabSize, at::kFloat);
  bucket->projected = zeros(3 * inner, placement_.type);
  bucket->query = zeros(inner, placement_.type);
  bucket->attended = zeros(inner, placement_.type);
  bucket->intermediate = zeros(dFf, placement_.type);
  if (bucket->isFewRows) {
    bucket->ranks = zeros(lmHeadBlocks(static_cast<int>(architecture_.vocabSize), static_cast<int>(rows)), at::kLong);
  } else {
    bucket->normalized = zeros(dModel, placement_.type);
    bucket->delta = zeros(dModel, placement_.type);
    bucket->product = zeros(architecture_.isGated ? 2 * dFf : dFf, placement_.type);
  }
  const auto graphed = [&](void (DecoderStep::*last)(const Bucket&) const) {
    return std::make_unique<GraphedWork>(runtime_, placement_.device,
                                         [this, last, &recorded = *bucket] { (this->*last)(recorded); });
  };
  bucket->step = graphed(&DecoderStep::recordStates);
  bucket->stepToLogits = graphed(&DecoderStep::recordLogits);
  bucket->greedyStep = graphed(&DecoderStep::recordGreedyStep);
  return bucket;
}

/// Whether products with weights are our own kernels for a bucket of `rows`.
bool DecoderStep::areFew(std::int64_t rows) const {
  const bool isSmall = placement_.type == at::kFloat && architecture_.dModel <= kMaxSmallModel;
  return rows <= (isSmall ? kMaxFewRowsOfSmallModel : kMaxFewRows);
}

std::shared_ptr<const DeviceKernels> DecoderStep::kernelsFor(std::int64_t rows) {
  const bool isFewRows = areFew(rows);
  if (!isFewRows && manyRowKernels_ != nullptr) return manyRowKernels_;
  std::shared_ptr<const DeviceKernels> kernels = runtime_.compile(
      stepKernelsSource(), definitionsFor(architecture_, placement_.type, isFewRows ? rows : 0), placement_.device);
  if (!isFewRows) manyRowKernels_ = kernels;
  return kernels;
}

void DecoderStep::recordStates(const Bucket& bucket) const {
  embed(bucket);
  if (bucket.isFewRows) {
    recordLayersOfFewRows(bucket);
    bucket.launch(kernel("normalize", bucket.rows, kLinearThreads), address(bucket.hidden),
                  address(weights_.decoder.norm), address(bucket.states));
  } else {
    recordLayersOfManyRows(bucket);
  }
}

void DecoderStep::recordLogits(const Bucket& bucket) const {
  recordStates(bucket);
  recordHead(bucket);
}

void DecoderStep::recordGreedyStep(const Bucket& bucket) const {
  const auto vocabSize = static_cast<int>(architecture_.vocabSize);
  const auto choose = [&](const at::Tensor& candidates, int threads) {
    bucket.launch(kernel("choose", bucket.rows, threads), address(candidates), static_cast<int>(candidates.size(1)),
                  address(weights_.embedding), address(bucket.count), address(bucket.table), address(bucket.hidden));
  };
  if (bucket.isFewRows) {
    recordLayersOfFewRows(bucket);
    bucket.launch(kernel("normArgmax", lmHeadBlocks(vocabSize, static_cast<int>(bucket.rows)), kLinearThreads),
                  address(bucket.hidden), address(weights_.decoder.norm), address(weights_.lmHead), headScale(),
                  address(bucket.ranks), vocabSize);
    choose(bucket.ranks, kRowThreads);
  } else {
    recordLayersOfManyRows(bucket);
    recordHead(bucket);
    choose(bucket.logits, kChooseThreads);
  }
}

void DecoderStep::embed(const Bucket& bucket) const {
  bucket.launch(rowKernel("embed", bucket), address(bucket.ids), address(weights_.embedding), address(bucket.hidden));
}

void DecoderStep::recordLayersOfFewRows(const Bucket& bucket) const {
  const auto dModel = static_cast<int>(architecture_.dModel);
  const auto dFf = static_cast<int>(architecture_.dFf);
  const auto normLinear = [&](const at::Tensor& norm, const at::Tensor& weight, const at::Tensor& output) {
    const auto columns = static_cast<int>(output.size(1));
    bucket.launch(kernel("normLinear", normLinearBlocks(columns), kLinearThreads), address(bucket.hidden),
                  address(norm), address(weight), address(output), columns);
  };
  const auto linearAdd = [&](const at::Tensor& input, const at::Tensor& weight) {
    bucket.launch(kernel("linearAdd", linearAddBlocks(dModel), kLinearAddThreads), address(input), address(weight),
                  address(bucket.hidden), static_cast<int>(input.size(1)));
  };
  int index = 0;
  for (const AtenLayer& layer : weights_.decoder.layers) {
    normLinear(layer.selfNorm, layer.selfInput, bucket.projected);
    recordSelfAttention(bucket, index);
    linearAdd(bucket.attended, layer.selfOutput);
    normLinear(layer.crossNorm, layer.crossQuery, bucket.query);
    recordCrossAttention(bucket, index);
    linearAdd(bucket.attended, layer.crossOutput);
    bucket.launch(
        kernel("normFeedForward", normFeedForwardBlocks(dFf, architecture_.isGated, static_cast<int>(bucket.rows)),
               kLinearThreads),
        address(bucket.hidden), address(layer.feedForwardNorm), address(layer.feedForwardInput),
        address(bucket.intermediate));
    linearAdd(bucket.intermediate, layer.feedForwardOutput);
    ++index;
  }
}

void DecoderStep::recordLayersOfManyRows(const Bucket& bucket) const {
  // Products are written to fixed buffers, so nothing is allocated.
  const auto multiply = [](at::Tensor output, const at::Tensor& input, const at::Tensor& weight) {
    at::mm_out(output, input, weight.t());
  };
  const auto dFf = static_cast<int>(architecture_.dFf);
  const void* delta = nullptr;  // what the previous sublayer adds to `hidden`
  const auto addNorm = [&](const at::Tensor& norm) {
    bucket.launch(rowKernel("addNorm", bucket), address(bucket.hidden), delta, address(norm),
                  address(bucket.normalized));
    delta = address(bucket.delta);
  };
  int index = 0;
  for (const AtenLayer& layer : weights_.decoder.layers) {
    addNorm(layer.selfNorm);
    multiply(bucket.projected, bucket.normalized, layer.selfInput);
    recordSelfAttention(bucket, index);
    multiply(bucket.delta, bucket.attended, layer.selfOutput);
    addNorm(layer.crossNorm);
    multiply(bucket.query, bucket.normalized, layer.crossQuery);
    recordCrossAttention(bucket, index);
    multiply(bucket.delta, bucket.attended, layer.crossOutput);
    addNorm(layer.feedForwardNorm);
    multiply(bucket.product, bucket.normalized, layer.feedForwardInput);
    bucket.launch(kernel("activate", bucket.rows, kRowThreads, activateBlocks(dFf)), address(bucket.product),
                  address(bucket.intermediate));
    multiply(bucket.delta, bucket.intermediate, layer.feedForwardOutput);
    ++index;
  }
  bucket.launch(rowKernel("addNormalize", bucket), address(bucket.hidden), delta, address(weights_.decoder.norm),
                address(bucket.states));
}

void DecoderStep::recordSelfAttention(const Bucket& bucket, int layer) const {
  const at::Tensor& bias = biases_[static_cast<std::size_t>(layer)];
  const auto reach = static_cast<int>(bias.size(1)) - 1;
  bucket.launch(attentionKernel("selfAttention", bucket), address(bucket.projected), address(bucket.table),
                address(bucket.count), address(bias), reach, layer, address(bucket.attended));
}

void DecoderStep::recordCrossAttention(const Bucket& bucket, int layer) const {
  bucket.launch(attentionKernel("crossAttention", bucket), address(bucket.query), address(bucket.table),
                address(bucket.count), layer, address(bucket.attended));
}

/// states -> logits
void DecoderStep::recordHead(const Bucket& bucket) const {
  const auto vocabSize = static_cast<int>(architecture_.vocabSize);
  if (bucket.isFewRows) {
    bucket.launch(kernel("lmHead", lmHeadBlocks(vocabSize, static_cast<int>(bucket.rows)), kLinearThreads),
                  address(bucket.states), address(weights_.lmHead), headScale(), address(bucket.logits), vocabSize);
  } else {
    const auto count = static_cast<int>(bucket.states.numel());
    bucket.launch(kernel("scaleStates", scaleStatesBlocks(count), kRowThreads), address(bucket.states), headScale(),
                  address(bucket.normalized), count);
    multiplyToFloat32(bucket.normalized, weights_.lmHead.t(), bucket.logits);
  }
}

/// What the states are multiplied by before the language model head.
float DecoderStep::headScale() const {
  if (!architecture_.scalesDecoderOutputs) return 1;
  return static_cast<float>(std::pow(static_cast<double>(architecture_.dModel), -0.5));
}

KernelLaunch DecoderStep::attentionKernel(const char* name, const Bucket& bucket) const {
  return kernel(name, architecture_.numHeads, kAttentionThreads, bucket.rows);
}

KernelLaunch DecoderStep::rowKernel(const char* name, const Bucket& bucket) {
  return kernel(name, bucket.rows, kRowThreads);
}

}  // namespace torch_t5
