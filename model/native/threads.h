// A pool of threads that divide numbered tasks among themselves, the caller being one of them.
//
// A decode step is a hundred short parallel sections. So idle workers spin for a moment before they sleep:
// long enough to bridge the gap to the next section, short enough to leave the cores to an editor. And the
// caller never waits for a worker that has not come yet (another program has its core), only for tasks that
// are being worked on.
#pragma once
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// What a thread does while it spins.
inline void relax() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#else
    std::this_thread::yield();
#endif
}

class Pool {
  public:
    explicit Pool(int n_threads) {
        for (int i = 1; i < n_threads; i++) workers_.emplace_back([this] { work(); });
    }

    ~Pool() {
        stopping_ = true;
        wake();
        for (std::thread& worker : workers_) worker.join();
    }

    int size() const { return (int)workers_.size() + 1; }

    // Calls body(task) for every task in 0..n_tasks (below 2^20), each once; returns when all have returned.
    template <class Body>
    void run(int n_tasks, const Body& body) {
        if (n_tasks <= 1 || workers_.empty()) {
            for (int task = 0; task < n_tasks; task++) body(task);
            return;
        }
        call_ = [](const void* context, int task) { (*(const Body*)context)(task); };
        context_ = &body;
        done_.store(0, std::memory_order_relaxed);
        generation_++;
        ticket_.store(generation_ << 40 | (uint64_t)n_tasks << 20, std::memory_order_release);
        wake();
        take_tasks();
        for (int spins = 0; done_.load(std::memory_order_acquire) != n_tasks; spins++)
            spins < kSpins ? relax() : std::this_thread::yield();
    }

  private:
    static constexpr int kSpins = 4096;
    static constexpr auto kSpinTime = std::chrono::microseconds(200);
    static constexpr uint64_t kMask = (1 << 20) - 1;

    static bool has_task(uint64_t ticket) { return (ticket & kMask) < (ticket >> 20 & kMask); }

    void wake() {
        wakes_.fetch_add(1, std::memory_order_release);
        wakes_.notify_all();
    }

    // The ticket holds job, number of tasks and next task in one word, so that a task can be claimed only of
    // the job that is running, and that job's call_ and context_ stand until the claimed task is done.
    void take_tasks() {
        uint64_t ticket = ticket_.load(std::memory_order_acquire);
        while (has_task(ticket)) {
            if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel)) continue;
            call_(context_, (int)(ticket & kMask));
            done_.fetch_add(1, std::memory_order_release);
            ticket = ticket_.load(std::memory_order_acquire);
        }
    }

    void work() {
        while (!stopping_) {
            take_tasks();
            wait_for_tasks();
        }
    }

    void wait_for_tasks() {
        const uint32_t seen = wakes_.load(std::memory_order_acquire);
        const auto until = std::chrono::steady_clock::now() + kSpinTime;
        do {
            for (int i = 0; i < 64; i++) {
                if (has_task(ticket_.load(std::memory_order_acquire)) || stopping_) return;
                relax();
            }
        } while (std::chrono::steady_clock::now() < until);
        if (!has_task(ticket_.load(std::memory_order_acquire))) wakes_.wait(seen, std::memory_order_acquire);
    }

    std::vector<std::thread> workers_;
    void (*call_)(const void*, int) = nullptr;
    const void* context_ = nullptr;
    uint64_t generation_ = 0;
    std::atomic<uint64_t> ticket_{0};
    std::atomic<int> done_{0};
    std::atomic<uint32_t> wakes_{0};
    std::atomic<bool> stopping_{false};
};
