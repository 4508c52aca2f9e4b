#include "runtime/core_shares.h"

#include <algorithm>
#include <thread>

namespace torch_t5 {

CoreShares& CoreShares::shared() {
  static CoreShares& shares = *new CoreShares(std::max<std::int64_t>(1, std::thread::hardware_concurrency()));
  return shares;
}

CoreShares::Share::Share(CoreShares& shares, std::int64_t cores)
    : shares_(shares), cores_(std::clamp<std::int64_t>(cores, 1, shares.cores_)) {
  std::unique_lock lock(shares_.mutex_);
  const std::uint64_t ticket = shares_.nextTicket_++;
  shares_.changed_.wait(lock, [&] { return shares_.served_ == ticket && shares_.free_ >= cores_; });
  ++shares_.served_;
  shares_.free_ -= cores_;
  lock.unlock();
  shares_.changed_.notify_all();
}

CoreShares::Share::~Share() {
  {
    const std::lock_guard lock(shares_.mutex_);
    shares_.free_ += cores_;
  }
  shares_.changed_.notify_all();
}

}  // namespace torch_t5
