#include "runtime/inference_thread.h"

#include <algorithm>
#include <string>
#include <utility>

namespace torch_t5 {

InferenceThread::InferenceThread(std::size_t maxQueueLength)
    : maxQueueLength_(maxQueueLength), thread_([this] { loop(); }) {}

InferenceThread::~InferenceThread() { stop(); }

void InferenceThread::post(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) throw Error(ErrorCode::kDisposed, "Expected a model in use but received one that was disposed");
    if (maxQueueLength_ != 0 && waiting_.size() >= maxQueueLength_) {
      throw Error(ErrorCode::kQueueFull, "Expected at most " + std::to_string(maxQueueLength_) +
                                             " waiting calls (maxQueueLength) but received one more");
    }
    waiting_.push_back(std::move(job));
  }
  changed_.notify_one();
}

void InferenceThread::cancel(std::uint64_t id) {
  Job cancelled;
  {
    const std::lock_guard lock(mutex_);
    if (running_.cancellation != nullptr && running_.id == id) running_.cancellation->request();
    const auto found = std::find_if(waiting_.begin(), waiting_.end(), [id](const Job& job) { return job.id == id; });
    if (found == waiting_.end()) return;
    cancelled = std::move(*found);
    waiting_.erase(found);
  }
  cancelled.fail(aborted());
}

bool InferenceThread::close(std::function<void()> last) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    closed_ = true;
    last_ = std::move(last);
  }
  changed_.notify_one();
  return true;
}

void InferenceThread::stop() {
  std::deque<Job> dropped;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(waiting_);
    if (running_.cancellation != nullptr) running_.cancellation->request();
  }
  changed_.notify_one();
  for (const Job& job : dropped) job.fail(aborted());
  if (thread_.joinable()) thread_.join();
}

bool InferenceThread::takeNext(Job& job, Cancellation& cancellation) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
  if (waiting_.empty()) return false;
  job = std::move(waiting_.front());
  waiting_.pop_front();
  running_ = {job.id, &cancellation};
  return true;
}

void InferenceThread::finish() {
  const std::lock_guard lock(mutex_);
  running_ = {};
}

void InferenceThread::loop() {
  for (;;) {
    Job job;
    Cancellation cancellation;
    if (!takeNext(job, cancellation)) break;
    {
      const CancellationScope scope(cancellation);
      job.run();
    }
    finish();
  }
  if (last_) last_();
}

}  // namespace torch_t5
