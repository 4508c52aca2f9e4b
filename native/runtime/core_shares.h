// The processor's cores, shared by the models of the process: each computes when the cores that it needs are free,
// first come, first served, so that several models do not run more threads than there are cores.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace torch_t5 {

class CoreShares {
 public:
  /// The cores of the process.
  static CoreShares& shared();

  explicit CoreShares(std::int64_t cores) : free_(cores), cores_(cores) {}
  CoreShares(const CoreShares&) = delete;
  CoreShares& operator=(const CoreShares&) = delete;

  /// Holds some cores while it lives.
  class Share {
   public:
    /// Waits for its turn. More than all cores: all of them.
    Share(CoreShares& shares, std::int64_t cores);
    ~Share();
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

   private:
    CoreShares& shares_;
    std::int64_t cores_;
  };

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t free_;
  const std::int64_t cores_;
  std::uint64_t nextTicket_ = 0;
  std::uint64_t served_ = 0;  // tickets
};

}  // namespace torch_t5
