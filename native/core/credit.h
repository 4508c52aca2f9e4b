// A credit that one thread gives and another one spends: how far a producer may run ahead of its consumer.
#pragma once

#include <atomic>
#include <cstdint>

namespace torch_t5 {

class Credit {
 public:
  explicit Credit(std::int64_t initial) : left_(initial) {}

  void add() { left_.fetch_add(1, std::memory_order_release); }

  /// From now on there is always credit, so that the producer notices that it is closed.
  void close() { isClosed_.store(true, std::memory_order_release); }

  bool isClosed() const { return isClosed_.load(std::memory_order_acquire); }
  bool isLeft() const { return isClosed() || left_.load(std::memory_order_acquire) > 0; }

  /// By the producer, when some is left.
  void spend() { left_.fetch_sub(1, std::memory_order_acq_rel); }

 private:
  std::atomic<std::int64_t> left_;
  std::atomic<bool> isClosed_ = false;
};

}  // namespace torch_t5
