#include "aten/greedy_pool.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>
#include <utility>

#include "aten/kernels/step_row.h"

namespace torch_t5 {
namespace {

/// Ids that are kept per row: more than the steps between two looks.
constexpr std::int64_t kRing = 16;
constexpr std::int64_t kRingBytes = kRing * static_cast<std::int64_t>(sizeof(int));
constexpr auto kRowBytes = static_cast<std::int64_t>(sizeof(StepRow));
constexpr std::int64_t kTableBytes = DecoderStep::kMaxRows * kRowBytes;
/// What the host writes of a row after its first step.
constexpr auto kFixedBytes = static_cast<std::int64_t>(offsetof(StepRow, position));
/// Positions that a search reserves room for at a time.
constexpr std::int64_t kReservedPositions = 128;
/// Sets of end ids that are kept on the device.
constexpr std::size_t kMaxEndIds = 64;

/// Copies to the device. The host's memory may be reused at once.
void upload(const at::Tensor& to, const void* values) {
  to.copy_(at::from_blob(const_cast<void*>(values), {to.numel()}, at::kByte), /*non_blocking=*/true);
}

SharedGreedyCall& searchOf(EngineCall& call) { return std::get<SharedGreedyCall>(call.call); }

}  // namespace

class GreedyPool::Run final : public GreedyRun {
 public:
  Run(const GreedySearch& search, std::shared_ptr<AtenSelfCache> selfCache, AtenCrossCache crossCache, at::Tensor ends)
      : self(std::move(selfCache)),
        cross(std::move(crossCache)),
        endIds(std::move(ends)),
        padTokenId(static_cast<int>(search.padTokenId)),
        maxTokens(search.maxTokens),
        ids(search.ids.size()),
        lengths(search.ids.size()) {}

  bool hasAllSteps() const { return enqueued >= maxTokens; }

  /// Whether every sequence has an end id.
  bool haveAllEnded() const {
    return std::ranges::all_of(lengths, [](int length) { return length > 0; });
  }

  /// As far as the host has looked.
  bool hasEnded() const { return static_cast<std::int64_t>(ids.front().size()) >= maxTokens || haveAllEnded(); }

  /// The ids that the search adds: int64 [rows, n] on the CPU. Call it after the end.
  at::Tensor output() const {
    const std::int64_t count =
        haveAllEnded() ? std::min<std::int64_t>(std::ranges::max(lengths), maxTokens) : maxTokens;
    at::Tensor all = at::empty({static_cast<std::int64_t>(ids.size()), count}, at::kLong);
    auto* to = all.mutable_data_ptr<std::int64_t>();
    for (const std::vector<int>& row : ids) to = std::copy_n(row.begin(), count, to);
    return all;
  }

  std::shared_ptr<AtenSelfCache> self;
  AtenCrossCache cross;
  at::Tensor endIds;
  int padTokenId;
  std::int64_t maxTokens;
  std::exception_ptr failure;
  std::int64_t enqueued = 0;          // steps
  std::vector<std::vector<int>> ids;  // [rows]: as far as the host has looked, the same number in each
  std::vector<int> lengths;           // [rows]: ids up to the end; 0 before
};

GreedyPool::GreedyPool(CudaRuntime& runtime, DecoderStep& step, Caches caches)
    : runtime_(runtime), step_(step), caches_(std::move(caches)) {
  state_ = at::zeros({kTableBytes + DecoderStep::kMaxRows * kRingBytes}, step_.pooledRows().table.options());
  for (std::int64_t ring = DecoderStep::kMaxRows; ring-- > 0;) freeRings_.push_back(ring);
}

GreedyPool::~GreedyPool() = default;

void GreedyPool::run(std::span<EngineCall* const> calls, std::int64_t maxSteps) {
  try {
    freeRows();
    admit(calls);
    const std::size_t previous = latest_;
    const std::int64_t steps = enqueueSteps(maxSteps);
    for (EngineCall* call : calls) searchOf(*call).lastSteps = searchOf(*call).run ? steps : 0;
    if (steps > 0) startLook();
    if (looks_[previous].copy.isStarted()) read(looks_[previous]);
  } catch (...) {
    fail(std::current_exception());
  }
  for (EngineCall* call : calls) {
    SharedGreedyCall& search = searchOf(*call);
    if (!search.run) continue;
    const auto& run = static_cast<const Run&>(*search.run);
    if (run.failure) {
      call->error = run.failure;
    } else if (run.hasEnded()) {
      search.output = run.output();
    }
  }
}

/// Frees the rows of searches that have ended, that nobody waits for, or that need no more steps.
void GreedyPool::freeRows() {
  std::erase_if(runs_, [](const std::weak_ptr<Run>& run) { return run.expired(); });
  const at::Tensor& hidden = step_.pooledRows().hidden;
  for (std::size_t i = slots_.size(); i-- > 0;) {
    const std::shared_ptr<Run> run = slots_[i].run.lock();
    if (run && !run->hasAllSteps() && !run->hasEnded()) continue;
    freeRings_.push_back(slots_[i].ring);
    const std::size_t last = slots_.size() - 1;
    if (i != last) {
      const auto [to, from] = std::pair(static_cast<std::int64_t>(i), static_cast<std::int64_t>(last));
      tableRows(to, 1).copy_(tableRows(from, 1));
      hidden[to].copy_(hidden[from]);
      slots_[i] = slots_[last];
    }
    slots_.pop_back();
  }
}

/// Begins the searches whose rows have room, first come, first served.
void GreedyPool::admit(std::span<EngineCall* const> calls) {
  std::vector<EngineCall*> joining;
  std::size_t rows = slots_.size();
  for (EngineCall* call : calls) {
    if (searchOf(*call).run) continue;
    rows += searchOf(*call).search.ids.size();
    if (rows > static_cast<std::size_t>(DecoderStep::kMaxRows)) break;
    joining.push_back(call);
  }
  if (joining.empty()) return;
  try {
    join(joining);
  } catch (...) {
    if (joining.size() == 1) {
      joining.front()->error = std::current_exception();
      return;
    }
    for (EngineCall* call : joining) admit(std::span(&call, 1));
  }
}

/// Nothing has changed if it throws.
void GreedyPool::join(std::span<EngineCall* const> calls) {
  std::vector<const GreedySearch*> searches;
  for (const EngineCall* call : calls) searches.push_back(&std::get<SharedGreedyCall>(call->call).search);
  std::vector<AtenCrossCache> cross = caches_.makeCross(searches);
  std::vector<std::shared_ptr<Run>> runs;
  std::vector<StepRow> table;
  std::vector<std::int64_t> ids;
  std::vector<Slot> slots;
  for (std::size_t i = 0; i < searches.size(); ++i) {
    const GreedySearch& search = *searches[i];
    const auto rows = static_cast<std::int64_t>(search.ids.size());
    const std::int64_t capacity = std::min(search.maxTokens, kReservedPositions) + kRing;
    auto run = std::make_shared<Run>(search, caches_.makeSelf(rows, capacity), std::move(cross[i]),
                                     endIds(search.eosTokenIds));
    for (std::int64_t row = 0; row < rows; ++row) {
      const Slot slot{run, row, freeRings_[freeRings_.size() - 1 - slots.size()]};
      table.push_back(describe(*run, slot));
      slots.push_back(slot);
    }
    ids.insert(ids.end(), search.ids.begin(), search.ids.end());
    runs.push_back(std::move(run));
  }
  const auto first = static_cast<std::int64_t>(slots_.size());
  step_.embedPooled(at::tensor(ids, at::kLong).to(state_.device(), /*non_blocking=*/true), first);
  upload(tableRows(first, static_cast<std::int64_t>(table.size())), table.data());
  freeRings_.resize(freeRings_.size() - slots.size());
  slots_.insert(slots_.end(), slots.begin(), slots.end());
  for (std::size_t i = 0; i < calls.size(); ++i) {
    runs_.push_back(runs[i]);
    searchOf(*calls[i]).run = std::move(runs[i]);
  }
}

/// Returns their number: 0 if no search needs one.
std::int64_t GreedyPool::enqueueSteps(std::int64_t maxSteps) {
  std::int64_t steps = 0;
  std::vector<std::shared_ptr<Run>> runs;
  for (const Slot& slot : slots_) {
    if (slot.row != 0) continue;
    runs.push_back(slot.run.lock());
    steps = std::max(steps, std::min(maxSteps, runs.back()->maxTokens - runs.back()->enqueued));
  }
  if (steps == 0) return 0;
  for (const std::shared_ptr<Run>& run : runs) makeRoom(*run, steps);
  const auto rows = static_cast<std::int64_t>(slots_.size());
  if (rows != countOnDevice_) step_.pooledRows().count.fill_(rows);
  countOnDevice_ = rows;
  for (std::int64_t step = 0; step < steps; ++step) step_.runPooledStep(rows);
  for (const std::shared_ptr<Run>& run : runs) {
    run->enqueued += steps;
    run->self->claim(run->enqueued);
  }
  return steps;
}

void GreedyPool::makeRoom(Run& run, std::int64_t steps) {
  if (run.enqueued + steps <= run.self->capacity()) return;
  run.self = AtenSelfCache::extend(run.self, run.enqueued, kReservedPositions);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const std::shared_ptr<Run> owner = slots_[i].run.lock();
    if (owner.get() != &run) continue;
    const StepRow description = describe(run, slots_[i]);
    upload(tableRows(static_cast<std::int64_t>(i), 1).narrow(0, 0, kFixedBytes), &description);
  }
}

/// A row before its first step. Later, the fields from `position` on are known to the device alone.
StepRow GreedyPool::describe(const Run& run, const Slot& slot) const {
  StepRow row{};
  run.self->describe(row, slot.row);
  run.cross.describe(row, slot.row);
  row.unfinished = 1;
  row.rule = {ringAt(slot.ring), run.endIds.const_data_ptr<int>(), static_cast<int>(kRing),
              static_cast<int>(run.endIds.numel()), run.padTokenId};
  return row;
}

void GreedyPool::startLook() {
  latest_ = 1 - latest_;
  state_.narrow(0, 0, kTableBytes).copy_(step_.pooledRows().table);
  looks_[latest_].copy.start(runtime_, state_);
  looks_[latest_].slots = slots_;
}

/// Waits for a look, and passes what it shows on to the searches.
void GreedyPool::read(Look& look) {
  const auto* bytes = static_cast<const std::byte*>(look.copy.wait().const_data_ptr());
  for (std::size_t i = 0; i < look.slots.size(); ++i) {
    const Slot& slot = look.slots[i];
    const std::shared_ptr<Run> run = slot.run.lock();
    if (!run) continue;
    StepRow row;
    std::memcpy(&row, bytes + static_cast<std::int64_t>(i) * kRowBytes, sizeof(row));
    std::array<int, kRing> ring;
    std::memcpy(ring.data(), bytes + kTableBytes + slot.ring * kRingBytes, sizeof(ring));
    const auto index = static_cast<std::size_t>(slot.row);
    std::vector<int>& ids = run->ids[index];
    while (ids.size() < static_cast<std::size_t>(row.generated)) ids.push_back(ring[ids.size() % kRing]);
    if (row.unfinished == 0) run->lengths[index] = row.length;
  }
}

/// Ends all searches.
void GreedyPool::fail(const std::exception_ptr& error) {
  for (const std::weak_ptr<Run>& weak : runs_) {
    if (const std::shared_ptr<Run> run = weak.lock()) run->failure = error;
  }
  for (const Slot& slot : slots_) freeRings_.push_back(slot.ring);
  slots_.clear();
  countOnDevice_ = 0;
  for (Look& look : looks_) {
    try {
      if (look.copy.isStarted()) look.copy.wait();
    } catch (...) {
      // The device is lost, so nothing writes to the memory any more.
    }
    look.slots.clear();
  }
}

at::Tensor GreedyPool::endIds(const std::vector<std::int32_t>& ids) {
  if (endIds_.size() > kMaxEndIds) endIds_.clear();  // searches keep theirs
  at::Tensor& onDevice = endIds_[ids];
  if (!onDevice.defined()) onDevice = at::tensor(ids, at::kInt).to(state_.device(), /*non_blocking=*/true);
  return onDevice;
}

int* GreedyPool::ringAt(std::int64_t ring) const {
  return reinterpret_cast<int*>(static_cast<std::byte*>(state_.data_ptr()) + kTableBytes + ring * kRingBytes);
}

/// The bytes of rows of the table.
at::Tensor GreedyPool::tableRows(std::int64_t first, std::int64_t count) const {
  return step_.pooledRows().table.narrow(0, first * kRowBytes, count * kRowBytes);
}

}  // namespace torch_t5
