// Device memory: host memory with guards.
//
// Every allocation lies between two red zones of a NaN pattern, which are checked after every kernel, at
// every synchronisation and when the memory is freed. Fresh memory is filled with 0xFF, a NaN in every float
// format, so that reading before writing shows in the result. Freed memory stays in quarantine for a while
// and is checked for writes when it leaves.
//
// With GPU_EMULATOR_PAGES=1 an allocation ends at an unmapped page instead and is unmapped when freed, so that
// reading behind the end, or after the free, faults at once (the kernel and thread are reported).
#include "runtime.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <deque>
#include <map>

namespace emu {
namespace {

constexpr size_t ZONE = 256;                     // bytes of a red zone, also the alignment of an allocation
constexpr uint16_t ZONE_PATTERN = 0xFFF7;        // a NaN as f16, bf16, and doubled as f32 and f64
constexpr size_t QUARANTINE_BYTES = 64u << 20;
constexpr size_t PAGE = 4096;

struct Block {
    char* base;        // start of the front red zone
    size_t mapped;     // bytes from base to the end of the rear red zone
    size_t bytes;      // asked for
    Kind kind;
    bool pages;
};

std::mutex lock;
std::map<uintptr_t, Block>& live() { static auto* m = new std::map<uintptr_t, Block>; return *m; }
std::deque<std::pair<char*, Block>> quarantine;
size_t in_use = 0, in_quarantine = 0;

size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

void fill_zone(char* from, char* to) {
    for (; from + 1 < to; from += 2) memcpy(from, &ZONE_PATTERN, 2);
    if (from < to) memcpy(from, &ZONE_PATTERN, 1);
}

// Offset of the first changed byte relative to `user`, or LONG_MIN.
long first_change(const char* from, const char* to, const char* user) {
    for (const char* p = from; p < to; p += 2) {
        if (memcmp(p, &ZONE_PATTERN, p + 1 < to ? 2 : 1) != 0) return p - user;
    }
    return INT64_MIN;
}

void check_block(const char* user, const Block& b, const char* after) {
    long at = first_change(b.base, user, user);
    if (at == INT64_MIN) at = first_change(user + b.bytes, b.base + b.mapped, user);
    if (at == INT64_MIN) return;
    fail("OUT OF BOUNDS WRITE: an allocation of %zu bytes at %p was written at byte offset %ld (found after %s)",
         b.bytes, (const void*)user, at, after);
}

// The live allocation with the largest start that is not above `pointer`.
const std::pair<const uintptr_t, Block>* find(const void* pointer) {
    auto it = live().upper_bound((uintptr_t)pointer);
    if (it == live().begin()) return nullptr;
    --it;
    return (uintptr_t)pointer <= it->first + it->second.bytes ? &*it : nullptr;
}

void leave_quarantine() {
    auto [user, b] = quarantine.front();
    quarantine.pop_front();
    in_quarantine -= b.mapped;
    for (size_t i = 0; i < b.bytes; i++) {
        if ((unsigned char)user[i] != 0xFF) {
            fail("WRITE AFTER FREE: a freed allocation of %zu bytes at %p was written at offset %zu", b.bytes,
                 (void*)user, i);
        }
    }
    free(b.base);
}

}  // namespace

void* allocate(size_t bytes, Kind kind) {
    static const bool pages = setting("GPU_EMULATOR_PAGES");
    Block b{nullptr, 0, bytes, kind, pages};
    char* user;
    if (pages) {
        b.mapped = round_up(round_up(bytes, 16) + ZONE, PAGE);
        b.base = (char*)mmap(nullptr, b.mapped + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (b.base == MAP_FAILED) return nullptr;
        mprotect(b.base + b.mapped, PAGE, PROT_NONE);
        user = b.base + b.mapped - round_up(bytes, 16);
    } else {
        b.mapped = ZONE + round_up(bytes, ZONE) + ZONE;
        b.base = (char*)aligned_alloc(ZONE, b.mapped);
        if (!b.base) return nullptr;
        user = b.base + ZONE;
    }
    fill_zone(b.base, user);
    memset(user, 0xFF, bytes);
    fill_zone(user + bytes, b.base + b.mapped);
    std::lock_guard<std::mutex> guard(lock);
    live()[(uintptr_t)user] = b;
    if (kind == Kind::Device) in_use += bytes;
    return user;
}

bool release(void* pointer) {
    std::lock_guard<std::mutex> guard(lock);
    auto it = live().find((uintptr_t)pointer);
    if (it == live().end()) return false;
    Block b = it->second;
    check_block((char*)pointer, b, "freeing it");
    live().erase(it);
    if (b.kind == Kind::Device) in_use -= b.bytes;
    if (b.pages) {
        munmap(b.base, b.mapped + PAGE);
        return true;
    }
    memset(pointer, 0xFF, b.bytes);
    quarantine.push_back({(char*)pointer, b});
    in_quarantine += b.mapped;
    while (in_quarantine > QUARANTINE_BYTES) leave_quarantine();
    return true;
}

void check_range(const void* pointer, size_t bytes, const char* what) {
    if (bytes == 0) return;
    std::lock_guard<std::mutex> guard(lock);
    auto* found = find(pointer);
    if (!found) fail("%s: %p is not in any live device allocation", what, pointer);
    size_t offset = (uintptr_t)pointer - found->first;
    if (bytes > found->second.bytes || offset > found->second.bytes - bytes) {
        fail("%s: %zu bytes from offset %zu leave the allocation of %zu bytes at %p", what, bytes, offset,
             found->second.bytes, (void*)found->first);
    }
}

bool is_known(const void* pointer) {
    std::lock_guard<std::mutex> guard(lock);
    return find(pointer) != nullptr;
}

void check_red_zones(const char* after) {
    std::lock_guard<std::mutex> guard(lock);
    for (auto& [user, b] : live()) check_block((const char*)user, b, after);
}

size_t bytes_in_use() {
    std::lock_guard<std::mutex> guard(lock);
    return in_use;
}

bool setting(const char* name) {
    const char* v = getenv(name);
    return v && *v && strcmp(v, "0") != 0;
}

}  // namespace emu
