#include "runtime/scheduler.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/interlude.h"

namespace torch_t5 {
namespace {

using std::chrono::duration;

/// A pass offers many interludes; this long after one, the next is taken. Shorter turns cost the pass its caches.
constexpr std::chrono::milliseconds kBetweenInterludes{8};

/// The positions of short calls: those that run in an interlude, the prefills that a step computes too, and the calls
/// that continue between two interludes.
constexpr std::int64_t kShortPositions = 512;

/// The time over which the tokens per second are counted.
constexpr std::chrono::seconds kRateTime{5};

Error disposed() { return {ErrorCode::kDisposed, "Expected a model in use but received one that was disposed"}; }

template <class Duration>
double milliseconds(Duration time) {
  return duration<double, std::milli>(time).count();
}

}  // namespace

Scheduler::Scheduler(const SchedulerLimits& limits, Passes& passes)
    : limits_(limits), passes_(passes), thread_([this] { loop(); }) {}

Scheduler::~Scheduler() { stop(); }

void Scheduler::post(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) throw disposed();
    if (limits_.maxQueueLength != 0 && waiting_.size() >= limits_.maxQueueLength) {
      throw Error(ErrorCode::kQueueFull, "Expected at most " + std::to_string(limits_.maxQueueLength) +
                                             " waiting calls (maxQueueLength) but received one more");
    }
    const auto isAfter = [&job](const Waiting& waiting) {
      return waiting.job.priority != job.priority ? waiting.job.priority < job.priority : waiting.job.since > job.since;
    };
    auto position = waiting_.end();
    while (position != waiting_.begin() && isAfter(*std::prev(position))) --position;
    waiting_.insert(position, {std::move(job), Clock::now()});
  }
  changed_.notify_one();
}

void Scheduler::cancel(std::uint64_t id) {
  if (id == 0) return;
  Job cancelled;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& running : running_) {
      if (running->id == id) running->cancellation.request();
    }
    changed_.notify_one();
    const auto found =
        std::find_if(waiting_.begin(), waiting_.end(), [id](const Waiting& waiting) { return waiting.job.id == id; });
    if (found == waiting_.end()) return;
    cancelled = std::move(found->job);
    waiting_.erase(found);
  }
  cancelled.fail(aborted());
}

bool Scheduler::close(std::function<void()> last) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    closed_ = true;
    last_ = std::move(last);
  }
  changed_.notify_one();
  return true;
}

void Scheduler::wake() {
  {
    const std::lock_guard lock(mutex_);
  }
  changed_.notify_one();
}

void Scheduler::abort() {
  std::deque<Waiting> dropped;
  {
    const std::lock_guard lock(mutex_);
    dropped.swap(waiting_);
    for (const auto& running : running_) running->cancellation.request();
  }
  changed_.notify_one();
  for (const Waiting& waiting : dropped) waiting.job.fail(aborted());
}

void Scheduler::stop() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  stopped_.request();
  abort();
  if (thread_.joinable()) thread_.join();
}

SchedulerStats Scheduler::stats() const {
  const std::lock_guard lock(mutex_);
  SchedulerStats stats;
  stats.running = running_.size();
  stats.waiting = waiting_.size();
  for (const auto& running : running_) {
    stats.runningRows += running->rows;
    stats.cacheBytes += running->cacheBytes;
  }
  stats.steps = steps_;
  stats.stepRows = stepRows_;
  stats.passPositions = passPositions_;
  stats.stepMs = stepMs_.quantiles();
  stats.queueMs = queueMs_.quantiles();
  const Clock::time_point since = Clock::now() - kRateTime;
  std::int64_t rows = 0;
  for (const auto& [time, count] : decoded_) rows += time >= since ? count : 0;
  stats.tokensPerSecond = static_cast<double>(rows) / duration<double>(kRateTime).count();
  return stats;
}

void Scheduler::loop() {
  passes_.runThread([this] {
    while (waitForJobs()) turn();
    if (last_) last_();
  });
}

/// False after the last job of a closed scheduler.
bool Scheduler::waitForJobs() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return closed_ || hasRunnable(); });
  if (!hasRunnable()) {  // the scheduler is closed, and nobody gives credit any more
    for (const auto& running : running_) {
      running->isOrphaned = true;
      running->cancellation.request();
    }
  }
  return !waiting_.empty() || !running_.empty();
}

/// Whether a turn would do anything. Waiting jobs without room do not count: they need that running ones end.
bool Scheduler::hasRunnable() const {
  const bool isAnyRunnable = std::any_of(running_.begin(), running_.end(), [](const auto& running) {
    return running->work->wait() != Wait::kConsumer || running->cancellation.requested();
  });
  return isAnyRunnable || findAdmissible(/*startedPositions=*/0) != waiting_.end();
}

void Scheduler::turn() {
  failCancelled();
  resumeCredited();
  admit();
  // In this order, a job that arrived during a step waits for no other, and its first decoder pass joins the next one.
  runCalls();
  // Generations that arrived during that pass start together with those before, unless others wait for a step.
  if (waitingFor(Wait::kStep).empty() && !nextPrefills(/*haveSteps=*/false).empty()) {
    admit();
    runCalls();
  }
  runSteps();
  removeEnded();
}

/// Other work in the middle of a long pass: a step, and calls that take no longer than a step.
void Scheduler::interlude() {
  if (Clock::now() - lastInterlude_ < kBetweenInterludes) return;
  isInInterlude_ = true;
  const CancellationScope scope(stopped_);
  turn();
  lastInterlude_ = Clock::now();
  isInInterlude_ = false;
}

void Scheduler::failCancelled() {
  for (const auto& running : running_) {
    if (running->isInPass || !running->cancellation.requested()) continue;
    const Error error = running->isOrphaned ? disposed() : aborted();
    while (running->work->wait() != Wait::kNothing) advance(*running, [&] { running->work->fail(error); });
  }
}

void Scheduler::resumeCredited() {
  for (const auto& running : running_) {
    while (!running->isInPass && running->work->wait() == Wait::kCredit)
      advance(*running, [&] { running->work->resume(); });
  }
}

/// Starts the waiting jobs that the limits allow.
void Scheduler::admit() {
  // Calls that this turn can't run keep nobody waiting.
  const auto positions = [this](const Running& running) -> std::int64_t {
    return canRunCall(running) && running.work->wait() != Wait::kStep ? running.work->positions() : 0;
  };
  std::int64_t startedPositions = 0;
  for (const auto& running : running_) startedPositions += positions(*running);
  while (Running* const admitted = moveAdmissible(startedPositions)) {
    Running& running = *admitted;
    if (running.progress) running.progress(Progress::kStarted);
    advance(running, [&] { running.work->start(); });
    startedPositions += positions(running);
  }
}

/// Moves the first job that may start from the waiting ones to the running ones, in one step: whoever cancels it finds
/// it among either.
Scheduler::Running* Scheduler::moveAdmissible(std::int64_t startedPositions) {
  const std::lock_guard lock(mutex_);
  const auto found = findAdmissible(startedPositions);
  if (found == waiting_.end()) return nullptr;
  const auto waiting = waiting_.begin() + (found - waiting_.cbegin());
  Job& job = waiting->job;
  auto running = std::make_unique<Running>();
  running->id = job.id;
  running->rows = job.rows;
  running->cacheBytes = job.cacheBytes;
  running->priority = job.priority;
  running->work = std::move(job.work);
  running->progress = std::move(job.progress);
  queueMs_.add(milliseconds(Clock::now() - waiting->posted));
  waiting_.erase(waiting);
  running->lastPass = lastPass_;  // it waits from now on
  running->isInPass = true;       // it may not be removed yet
  if (stopped_.requested()) running->cancellation.request();
  return running_.emplace_back(std::move(running)).get();
}

/// The first waiting job that may start.
std::deque<Scheduler::Waiting>::const_iterator Scheduler::findAdmissible(std::int64_t startedPositions) const {
  bool rowsAreBlocked = false;  // a job with rows waits, so those after it wait too
  return std::find_if(waiting_.begin(), waiting_.end(), [&](const Waiting& waiting) {
    const Job& job = waiting.job;
    if (isAdmissible(job, rowsAreBlocked, startedPositions)) return true;
    rowsAreBlocked = rowsAreBlocked || job.rows > 0 || job.cacheBytes > 0;
    return false;
  });
}

bool Scheduler::isAdmissible(const Job& job, bool rowsAreBlocked, std::int64_t startedPositions) const {
  if ((job.rows > 0 || job.cacheBytes > 0) && (rowsAreBlocked || !hasRoom(job))) return false;
  if (passes_.mergesCalls()) return startedPositions < limits_.maxBatchTokens;
  // Calls run one by one, so a job starts when its first call can run next.
  return std::none_of(running_.begin(), running_.end(), [](const auto& running) {
    return running->passes == 0 && running->work->wait() != Wait::kConsumer;
  });
}

/// Whether the rows and the caches of a job fit beside those of the running jobs. One job alone always has room.
bool Scheduler::hasRoom(const Job& job) const {
  std::int64_t rows = 0;
  std::int64_t bytes = 0;
  for (const auto& running : running_) {
    rows += running->rows;
    bytes += running->cacheBytes;
  }
  const bool rowsFit = rows == 0 || job.rows == 0 || (passes_.mergesCalls() && rows + job.rows <= limits_.maxBatchSize);
  const bool bytesFit = bytes == 0 || limits_.maxCacheBytes == 0 || bytes + job.cacheBytes <= limits_.maxCacheBytes;
  return rowsFit && bytesFit;
}

/// With merging: runs a step of the rows that wait for one, and prefills in the same pass.
void Scheduler::runSteps() {
  const std::vector<Running*> stepping = nextSteps();
  const std::vector<Running*> prefilling = nextPrefills(!stepping.empty());
  std::vector<Running*> running = stepping;
  running.insert(running.end(), prefilling.begin(), prefilling.end());
  if (running.empty()) return;
  const Clock::time_point start = Clock::now();
  // Prefills alone may take longer than a step.
  runPass(running, /*offersInterludes=*/stepping.empty());
  if (!stepping.empty()) recordSteps(stepping, start);
  if (!prefilling.empty()) {
    std::int64_t positions = 0;
    for (const Running* each : prefilling) positions += each->work->positions();
    recordPass(positions);
  }
  resumeTogether(running);
}

/// With merging: the jobs that wait for a step, or those that have waited longest.
std::vector<Scheduler::Running*> Scheduler::nextSteps() const {
  std::vector<Running*> stepping = waitingFor(Wait::kStep);
  std::int64_t rows = 0;
  std::size_t count = 0;
  for (const Running* running : stepping) {
    const std::int64_t more = running->work->positions();
    if (count > 0 && rows + more > limits_.maxBatchSize) break;
    rows += more;
    ++count;
  }
  stepping.resize(count);
  return stepping;
}

/// With merging: the jobs whose prefills run in the pass of the next step, or together if no rows wait for a step.
std::vector<Scheduler::Running*> Scheduler::nextPrefills(bool haveSteps) const {
  std::vector<Running*> prefilling;
  std::int64_t left = maxPrefillPositions(haveSteps);
  for (Running* const running : waitingFor(Wait::kPrefill)) {
    const std::int64_t positions = running->work->positions();
    if (positions > left) continue;
    left -= positions;
    prefilling.push_back(running);
  }
  return prefilling;
}

/// With merging: the jobs that wait for a step, or for a prefill. Those that have waited longest come first.
std::vector<Scheduler::Running*> Scheduler::waitingFor(Wait wait) const {
  std::vector<Running*> waiting;
  if (!passes_.mergesCalls()) return waiting;
  for (const auto& running : running_) {
    if (!running->isInPass && running->work->wait() == wait) waiting.push_back(running.get());
  }
  std::stable_sort(waiting.begin(), waiting.end(),
                   [](const Running* a, const Running* b) { return a->lastPass < b->lastPass; });
  return waiting;
}

/// With merging: the jobs whose prefills wait for a step. If the next step leaves prefills that the step after it could
/// not run either, because one of them is too long for any step, or because there are too many, these are only those of
/// the next step, and the others run with other calls.
std::vector<Scheduler::Running*> Scheduler::joiningPrefills() const {
  std::vector<Running*> waiting = waitingFor(Wait::kPrefill);
  if (waiting.empty()) return waiting;
  const bool haveSteps = !waitingFor(Wait::kStep).empty();
  std::vector<Running*> next = nextPrefills(haveSteps);
  std::int64_t left = 0;
  for (const Running* running : waiting) left += running->work->positions();
  for (const Running* running : next) left -= running->work->positions();
  return left > maxPrefillPositions(haveSteps) ? next : waiting;
}

/// The positions of the prefills in the pass of a step, or in a pass without one.
std::int64_t Scheduler::maxPrefillPositions(bool haveSteps) const {
  return haveSteps ? std::min(kShortPositions, maxPositions()) : maxPositions();
}

void Scheduler::recordSteps(std::span<Running* const> running, Clock::time_point start) {
  const Clock::time_point end = Clock::now();
  std::int64_t rows = 0;
  std::int64_t positions = 0;
  std::int64_t steps = 0;
  for (const Running* each : running) {
    const Work& work = *each->work;
    rows += work.positions();
    positions += work.positions() * work.steps();
    steps = std::max(steps, work.steps());
  }
  const std::lock_guard lock(mutex_);
  if (steps == 0) return;  // the pass only looked at the ends of searches
  steps_ += steps;
  stepRows_ = rows;
  stepMs_.add(milliseconds(end - start) / static_cast<double>(steps));
  decoded_.emplace_back(end, positions);
  while (decoded_.front().first < end - kRateTime) decoded_.pop_front();
}

void Scheduler::recordPass(std::int64_t positions) {
  const std::lock_guard lock(mutex_);
  passPositions_ = positions;
}

/// The positions of the calls that one pass runs, unless that has only one.
std::int64_t Scheduler::maxPositions() const {
  return isInInterlude_ ? std::min(kShortPositions, limits_.maxBatchTokens) : limits_.maxBatchTokens;
}

/// Whether `runCalls` may run the call that a job waits for. Not in an interlude if it takes longer than a step.
bool Scheduler::canRunCall(const Running& running) const {
  const Wait wait = running.work->wait();
  const bool isCall = wait == Wait::kCall || wait == Wait::kPrefill || (wait == Wait::kStep && !passes_.mergesCalls());
  if (running.isInPass || !isCall) return false;
  return !isInInterlude_ || running.work->positions() <= maxPositions();
}

/// Runs other calls: with merging as many as the limit allows in one pass, else one call of any kind. First calls of
/// jobs and later calls take turns, so that neither waits for all of the other.
void Scheduler::runCalls() {
  const bool merges = passes_.mergesCalls();
  const std::vector<Running*> joining = joiningPrefills();
  std::vector<Running*> candidates;
  for (const auto& running : running_) {
    const bool joinsStep = std::find(joining.begin(), joining.end(), running.get()) != joining.end();
    if (canRunCall(*running) && !joinsStep) candidates.push_back(running.get());
  }
  if (candidates.empty()) return;
  std::stable_sort(candidates.begin(), candidates.end(), [&](const Running* a, const Running* b) {
    if (a->priority != b->priority) return a->priority > b->priority;
    if ((a->passes == 0) != (b->passes == 0)) return (a->passes == 0) == prefersFirstCalls_;
    return a->lastPass < b->lastPass;
  });
  std::size_t count = 1;
  std::int64_t positions = candidates.front()->work->positions();
  while (merges && count < candidates.size()) {
    const std::int64_t more = candidates[count]->work->positions();
    if (positions + more > maxPositions()) break;
    positions += more;
    ++count;
  }
  // Whichever kind this pass does not start with is next.
  prefersFirstCalls_ = candidates.front()->passes > 0;
  const bool isStep = candidates.front()->work->wait() == Wait::kStep;
  const Clock::time_point start = Clock::now();
  const std::span<Running* const> running = std::span(candidates).first(count);
  runPass(running, /*offersInterludes=*/true);
  // Before results are passed on, so that who has one finds its pass among the statistics.
  if (isStep) {
    recordSteps(running, start);
  } else {
    recordPass(positions);
  }
  resumeCalls(running);
}

void Scheduler::runPass(std::span<Running* const> running, bool offersInterludes) {
  const std::uint64_t number = ++lastPass_;
  std::vector<Work*> works;
  for (Running* each : running) {
    each->isInPass = true;
    works.push_back(each->work.get());
  }
  {
    // A pass of one request ends early if that is cancelled.
    const CancellationScope scope(running.size() == 1 ? running.front()->cancellation : stopped_);
    const InterludeScope interludes(offersInterludes ? interludeOrNull() : nullptr);
    if (!isInInterlude_) lastInterlude_ = Clock::now();
    passes_.run(works);
  }
  for (Running* each : running) {
    ++each->passes;
    each->lastPass = number;
  }
}

/// Continues the requests of a step, or of prefills, on several threads: what they do with their rows (processors,
/// sampling, beams, scores) is independent. Long ones continue in groups.
void Scheduler::resumeTogether(std::span<Running* const> running) {
  while (!running.empty()) {
    std::size_t count = 1;
    std::int64_t positions = running.front()->work->positions();
    while (count < running.size()) {
      positions += running[count]->work->positions();
      if (positions > kShortPositions) break;
      ++count;
    }
    const std::span<Running* const> group = running.first(count);
    running = running.subspan(count);
    if (count == 1) {
      resumeCalls(group);
    } else {
      passes_.runEach(static_cast<std::int64_t>(count), [&](std::int64_t index) {
        Running& each = *group[static_cast<std::size_t>(index)];
        const CancellationScope scope(each.cancellation);
        // An interlude would need the threads that run these tasks.
        const InterludeScope none(nullptr);
        each.work->resume();
      });
      for (Running* each : group) finishAdvance(*each);
    }
    if (!running.empty() && interludeOrNull() != nullptr) interlude();
  }
}

/// Continues the requests of a pass one after another.
void Scheduler::resumeCalls(std::span<Running* const> running) {
  for (Running* each : running) advance(*each, [&] { each->work->resume(); });
}

/// Continues a request until it waits again. It is not removed meanwhile.
void Scheduler::advance(Running& running, const std::function<void()>& continueWork) {
  running.isInPass = true;
  {
    const CancellationScope scope(running.cancellation);
    const InterludeScope interludes(interludeOrNull());
    continueWork();
  }
  finishAdvance(running);
}

/// After a request has been continued, on the scheduler's thread.
void Scheduler::finishAdvance(Running& running) {
  running.work->settle();
  running.isInPass = false;
  if (!running.hasStepped && running.work->wait() == Wait::kStep) {
    running.hasStepped = true;
    if (running.progress) running.progress(Progress::kFirstToken);
  }
}

const std::function<void()>* Scheduler::interludeOrNull() const {
  return passes_.mergesCalls() && !isInInterlude_ ? &interlude_ : nullptr;
}

void Scheduler::removeEnded() {
  RunningList ended;
  {
    const std::lock_guard lock(mutex_);
    for (auto running = running_.begin(); running != running_.end();) {
      const auto next = std::next(running);
      if (!(*running)->isInPass && (*running)->work->wait() == Wait::kNothing)
        ended.splice(ended.end(), running_, running);
      running = next;
    }
  }
}

}  // namespace torch_t5
