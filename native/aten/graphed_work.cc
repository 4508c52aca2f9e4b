#include "aten/graphed_work.h"

#include <utility>

#include "core/errors.h"
#include "engine/libtorch_errors.h"

namespace torch_t5 {

GraphedWork::GraphedWork(CudaRuntime& runtime, const at::Device& device, std::function<void()> work)
    : runtime_(runtime), device_(device), work_(std::move(work)) {}

void GraphedWork::run() {
  if (state_ == State::kRan) record();
  if (state_ == State::kRecorded) {
    graph_->replay();
    return;
  }
  work_();
  if (state_ == State::kNew) state_ = State::kRan;
}

void GraphedWork::record() {
  try {
    graph_ = runtime_.capture(device_, work_);
    state_ = State::kRecorded;
  } catch (...) {
    const Error error = describeCurrentException();
    // An aborted call says nothing about the work, and a GPU that is lost stays lost. For other reasons, such as a lack
    // of memory, the work itself may still succeed.
    if (error.code() == ErrorCode::kAborted || error.code() == ErrorCode::kDeviceUnavailable) throw error;
    state_ = State::kNotRecordable;
  }
}

}  // namespace torch_t5
