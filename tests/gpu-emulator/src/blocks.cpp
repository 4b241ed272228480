// Runs the threads of a block as fibers on one host thread.
//
// A fiber runs one thread after the other for as long as none of them waits, so a kernel without barriers
// never switches. A thread that waits, at a barrier or for its warp, keeps its fiber, and the next thread
// starts on another one. Blocks run one after the other, all grids under one lock.
//
// GPU_EMULATOR_ORDER=forward (default), reverse or random (with GPU_EMULATOR_SEED) sets the order in which blocks run
// and the threads of a block start and resume: a missing barrier shows as a result that depends on it.
#include "runtime.h"
#include "../include/emulator.h"
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <algorithm>
#include <random>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

extern "C" {
EmuNow emu_now;
alignas(1024) char emu_dynamic_shared[emu::MAX_DYNAMIC_SHARED + emu::SHARED_ZONE];
}

namespace emu {
namespace {

// ---------------------------------------------------------------------------------------------------
// Fibers. On x86-64 a switch is a dozen instructions; elsewhere the C library does it.
constexpr size_t STACK = 256 * 1024;

struct Fiber {
    char* stack;
#if defined(__x86_64__)
    void* sp;
#else
    ucontext_t context;
#endif
};

#if defined(__x86_64__)
extern "C" void emu_switch(void** save, void* load);
asm(".text\n.globl emu_switch\n.hidden emu_switch\n.type emu_switch,@function\nemu_switch:\n"
    "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
    "mov %rsp,(%rdi)\nmov %rsi,%rsp\n"
    "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n");
void switch_fiber(Fiber& from, Fiber& to) { emu_switch(&from.sp, to.sp); }
void prepare(Fiber& f, void (*body)()) {
    // Six registers, then the address to return to, on a stack aligned as at a function's entry.
    void** top = (void**)(f.stack + STACK) - 1;
    *top = nullptr;
    *--top = (void*)body;
    top -= 6;
    std::fill(top, top + 6, nullptr);
    f.sp = top;
}
#else
void switch_fiber(Fiber& from, Fiber& to) { swapcontext(&from.context, &to.context); }
void prepare(Fiber& f, void (*body)()) {
    getcontext(&f.context);
    f.context.uc_stack.ss_sp = f.stack;
    f.context.uc_stack.ss_size = STACK;
    makecontext(&f.context, body, 0);
}
#endif

// ---------------------------------------------------------------------------------------------------
enum class State { New, Running, Ready, AtBarrier, AtWarp, Done };

struct Thread {
    State state;
    uint3 index;
    Fiber* fiber;
    const char* file;  // where it waits
    int line;
    unsigned mask;     // of the warp operation it waits in
    int op, source;
    uint64_t value, result;
};

Fiber scheduler;
std::vector<Fiber*> idle;         // fibers that never started or have run out of threads
std::vector<Thread> threads;
std::vector<unsigned> order;      // the threads in the order in which they start
std::vector<unsigned> ready;
size_t next_start, done, at_barrier;
unsigned current;
unsigned barrier_count;           // threads that came to the barrier with a predicate
const EmuKernel* kernel = nullptr;
void** kernel_arguments;
std::mt19937 random_numbers;
enum class Order { Forward, Reverse, Random } thread_order;

Order read_order() {
    const char* v = getenv("GPU_EMULATOR_ORDER");
    std::string s = v ? v : "forward";
    const char* seed = getenv("GPU_EMULATOR_SEED");
    random_numbers.seed(seed ? (unsigned)atoi(seed) : 1u);
    if (s == "reverse") return Order::Reverse;
    if (s == "random") return Order::Random;
    if (s != "forward" && s != "") fail("GPU_EMULATOR_ORDER must be forward, reverse or random");
    return Order::Forward;
}

const char* base_name(const char* path) {
    const char* s = path ? strrchr(path, '/') : nullptr;
    return s ? s + 1 : (path ? path : "?");
}

void make_ready(unsigned t) {
    threads[t].state = State::Ready;
    ready.push_back(t);
}

unsigned take_ready() {
    size_t at = thread_order == Order::Forward   ? 0
                : thread_order == Order::Reverse ? ready.size() - 1
                                                 : random_numbers() % ready.size();
    unsigned t = ready[at];
    ready.erase(ready.begin() + (long)at);
    return t;
}

// Lets the block pass its barrier once every thread that has not returned waits there.
void try_barrier() {
    if (at_barrier == 0 || at_barrier + done != threads.size()) return;
    const Thread* first = nullptr;
    for (auto& t : threads) {
        if (t.state != State::AtBarrier) continue;
        if (!first) first = &t;
        if (t.line != first->line || strcmp(t.file, first->file) != 0) {
            fail("DIVERGENT BARRIER: thread (%u,%u,%u) waits at %s:%d, thread (%u,%u,%u) at %s:%d", first->index.x,
                 first->index.y, first->index.z, base_name(first->file), first->line, t.index.x, t.index.y, t.index.z,
                 base_name(t.file), t.line);
        }
    }
    for (unsigned i = 0; i < threads.size(); i++) {
        if (threads[i].state != State::AtBarrier) continue;
        threads[i].result = barrier_count;
        make_ready(i);
    }
    at_barrier = 0;
    barrier_count = 0;
}

uint64_t warp_result(const Thread* lanes, unsigned members, unsigned lane) {
    const Thread& me = lanes[lane];
    if (me.op == EMU_SHUFFLE) {
        if (me.source < 0) return me.value;
        // A lane that does not take part has no value: the result is undefined, here a NaN.
        return (members >> me.source) & 1 ? lanes[me.source].value : ~(uint64_t)0;
    }
    uint64_t r = me.op == EMU_BALLOT || me.op == EMU_MATCH ? 0 : me.value;
    for (unsigned i = 0; i < 32; i++) {
        if (!((members >> i) & 1)) continue;
        uint64_t v = lanes[i].value;
        if (me.op == EMU_BALLOT) r |= v << i;
        if (me.op == EMU_MATCH) r |= (uint64_t)(v == me.value) << i;
        if (i == lane) continue;
        if (me.op == EMU_ADD) r += v;
        if (me.op == EMU_AND) r &= v;
        if (me.op == EMU_OR) r |= v;
        if (me.op == EMU_XOR) r ^= v;
        if (me.op == EMU_MIN) r = (uint64_t)std::min((int64_t)r, (int64_t)v);
        if (me.op == EMU_MAX) r = (uint64_t)std::max((int64_t)r, (int64_t)v);
        if (me.op == EMU_UMIN) r = std::min(r, v);
        if (me.op == EMU_UMAX) r = std::max(r, v);
    }
    return r;
}

// Completes the warp operation with this mask once all its lanes that have not returned are in it.
void try_warp(unsigned warp, unsigned mask, int op) {
    unsigned first = warp * 32, members = 0;
    unsigned size = (unsigned)std::min<size_t>(32, threads.size() - first);
    for (unsigned i = 0; i < size; i++) {
        const Thread& t = threads[first + i];
        if (!((mask >> i) & 1) || t.state == State::Done) continue;
        if (t.state != State::AtWarp || t.mask != mask || t.op != op) return;
        members |= 1u << i;
    }
    for (unsigned i = 0; i < size; i++) {
        if (!((members >> i) & 1)) continue;
        threads[first + i].result = warp_result(&threads[first], members, i);
    }
    for (unsigned i = 0; i < size; i++) {
        if ((members >> i) & 1) make_ready(first + i);
    }
}

void set_current(unsigned t) {
    current = t;
    emu_now.thread = threads[t].index;
    threads[t].state = State::Running;
}

// What every fiber does: start threads until there are none left, then rest.
Fiber* running_fiber;
void fiber_body() {
    for (;;) {
        while (next_start < order.size()) {
            unsigned t = order[next_start++];
            threads[t].fiber = running_fiber;
            set_current(t);
            kernel->call(kernel_arguments);
            t = current;  // this fiber's own thread: a fiber carries one thread at a time
            threads[t].state = State::Done;
            done++;
            // Its end may be what the others wait for.
            try_barrier();
            unsigned warp = t / 32;
            for (unsigned i = warp * 32; i < threads.size() && i < warp * 32 + 32; i++) {
                if (threads[i].state == State::AtWarp) try_warp(warp, threads[i].mask, threads[i].op);
            }
            if (!ready.empty()) break;  // let the others go on first: fewer fibers at once
        }
        Fiber* me = running_fiber;
        idle.push_back(me);
        switch_fiber(*me, scheduler);
    }
}

Fiber* take_fiber() {
    if (idle.empty()) {
        Fiber* f = new Fiber;
        char* m = (char*)mmap(nullptr, STACK + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                              -1, 0);
        if (m == MAP_FAILED) fail("no memory for the stack of a thread");
        mprotect(m, 4096, PROT_NONE);  // the guard below the stack
        f->stack = m + 4096;
        prepare(*f, fiber_body);
        return f;
    }
    Fiber* f = idle.back();
    idle.pop_back();
    return f;
}

// The scheduler sets `current` and `running_fiber` again before it comes back here.
void wait_here() { switch_fiber(*running_fiber, scheduler); }

[[noreturn]] void report_deadlock() {
    std::string text;
    int shown = 0;
    for (auto& t : threads) {
        if (t.state == State::Done || shown == 12) continue;
        char line[256];
        snprintf(line, sizeof line, "\n    thread (%u,%u,%u) waits %s at %s:%d", t.index.x, t.index.y, t.index.z,
                 t.state == State::AtBarrier ? "at a barrier" : "for its warp", base_name(t.file), t.line);
        text += line;
        shown++;
    }
    fail("DEADLOCK: %zu of %zu threads of the block have returned, %zu wait at a barrier, the rest for their warp%s", done,
         threads.size(), at_barrier, text.c_str());
}

void run_block() {
    size_t n = threads.size();
    order.resize(n);
    for (unsigned i = 0; i < n; i++) {
        order[i] = thread_order == Order::Reverse ? (unsigned)n - 1 - i : i;
        threads[i].state = State::New;
        threads[i].fiber = nullptr;
    }
    if (thread_order == Order::Random) std::shuffle(order.begin(), order.end(), random_numbers);
    next_start = done = at_barrier = 0;
    barrier_count = 0;
    ready.clear();
    while (done < n) {
        Fiber* f;
        if (!ready.empty()) {
            unsigned t = take_ready();
            set_current(t);
            f = threads[t].fiber;
        } else if (next_start < n) {
            f = take_fiber();
        } else {
            report_deadlock();
        }
        running_fiber = f;
        switch_fiber(scheduler, *f);
    }
}

// ---------------------------------------------------------------------------------------------------
void on_signal(int number) {
    signal(number, SIG_DFL);
    if (kernel) {
        const char* what = number == SIGSEGV   ? "INVALID MEMORY ACCESS (or a stack overflow)"
                           : number == SIGBUS  ? "INVALID MEMORY ACCESS"
                           : number == SIGFPE  ? "INTEGER DIVISION BY ZERO"
                                               : "MISALIGNED ACCESS, or an index outside an array of known size";
        fail("%s", what);
    }
    raise(number);
}

void install_signal_handlers() {
    struct sigaction action = {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_ONSTACK | SA_NODEFER;
    for (int s : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) sigaction(s, &action, nullptr);
}

}  // namespace

std::mutex& device_lock() {
    static std::mutex* m = new std::mutex;
    return *m;
}

void run_grid(const EmuKernel& k, const Grid& g, void** arguments, void* tls, size_t tls_bytes) {
    static const bool once = [] { install_signal_handlers(); thread_order = read_order(); return true; }();
    (void)once;
    kernel = &k;
    kernel_arguments = arguments;
    emu_now.block_dim = {g.block[0], g.block[1], g.block[2]};
    emu_now.grid_dim = {g.grid[0], g.grid[1], g.grid[2]};
    threads.assign((size_t)g.block[0] * g.block[1] * g.block[2], Thread{});
    size_t i = 0;
    for (unsigned z = 0; z < g.block[2]; z++)
        for (unsigned y = 0; y < g.block[1]; y++)
            for (unsigned x = 0; x < g.block[0]; x++) threads[i++].index = {x, y, z};
    char* shared_end = emu_dynamic_shared + g.dynamic_shared;
    size_t blocks = (size_t)g.grid[0] * g.grid[1] * g.grid[2];
    std::vector<size_t> shuffled;
    if (thread_order == Order::Random && blocks <= (1u << 22)) {
        shuffled.resize(blocks);
        for (size_t b = 0; b < blocks; b++) shuffled[b] = b;
        std::shuffle(shuffled.begin(), shuffled.end(), random_numbers);
    }
    for (size_t turn = 0; turn < blocks; turn++) {
        size_t b = !shuffled.empty() ? shuffled[turn] : thread_order == Order::Forward ? turn : blocks - 1 - turn;
        size_t row = b / g.grid[0];
        emu_now.block = {(unsigned)(b % g.grid[0]), (unsigned)(row % g.grid[1]), (unsigned)(row / g.grid[1])};
        if (tls_bytes) memset(tls, 0xFF, tls_bytes);
        memset(emu_dynamic_shared, 0xFF, g.dynamic_shared);
        memset(shared_end, 0xA5, SHARED_ZONE);
        run_block();
        for (size_t i = 0; i < SHARED_ZONE; i++) {
            if ((unsigned char)shared_end[i] != 0xA5) {
                fail("OUT OF BOUNDS WRITE: the dynamic shared memory of %zu bytes was written at offset %zu", g.dynamic_shared,
                     g.dynamic_shared + i);
            }
        }
    }
    kernel = nullptr;
}

// Without stdio's large buffers: a fault handler runs on a small stack.
void fail(const char* format, ...) {
    static char text[8192];
    size_t n = (size_t)snprintf(text, sizeof text, "\n*** GPU emulator: ");
    va_list list;
    va_start(list, format);
    n += (size_t)vsnprintf(text + n, sizeof text - n, format, list);
    va_end(list);
    n = std::min(n, sizeof text - 512);
    if (kernel) {
        const EmuNow& e = emu_now;
        n += (size_t)snprintf(text + n, sizeof text - n,
                              "\n    in kernel %s, block (%u,%u,%u) of (%u,%u,%u), thread (%u,%u,%u) of (%u,%u,%u)",
                              kernel->name, e.block.x, e.block.y, e.block.z, e.grid_dim.x, e.grid_dim.y, e.grid_dim.z,
                              e.thread.x, e.thread.y, e.thread.z, e.block_dim.x, e.block_dim.y, e.block_dim.z);
    }
    text[n++] = '\n';
    ssize_t written = write(2, text, n);
    (void)written;
    abort();
}

}  // namespace emu

using namespace emu;

extern "C" unsigned emu_sync_threads(const char* file, int line, int predicate) {
    Thread& t = threads[current];
    t.state = State::AtBarrier;
    t.file = file;
    t.line = line;
    at_barrier++;
    barrier_count += predicate != 0;
    try_barrier();
    wait_here();
    return (unsigned)t.result;
}

extern "C" uint64_t emu_warp(const char* file, int line, unsigned mask, int op, uint64_t value, int source) {
    Thread& t = threads[current];
    if (!((mask >> (current & 31)) & 1)) fail("%s:%d: the calling lane is not in its mask %08x", base_name(file), line, mask);
    t.state = State::AtWarp;
    t.file = file;
    t.line = line;
    t.mask = mask;
    t.op = op;
    t.value = value;
    t.source = source;
    try_warp(current / 32, mask, op);
    wait_here();
    return t.result;
}

extern "C" unsigned emu_lane() { return current & 31; }

extern "C" unsigned emu_active_mask() {
    unsigned mask = 0;
    for (unsigned i = 0; i < 32 && (current & ~31u) + i < threads.size(); i++) {
        mask |= (unsigned)(threads[(current & ~31u) + i].state != State::Done) << i;
    }
    return mask;
}

extern "C" void emu_trap(const char* file, int line) { fail("__trap() at %s:%d", base_name(file), line); }
