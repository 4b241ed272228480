// What the stand-in libraries share. Everything here lives in libcuda.so.1.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <mutex>
#include <string>
#include <vector>

struct EmuKernel;

namespace emu {

// Prints the message, with the running kernel and thread where there is one, and aborts.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));
// True where the environment variable is set to something else than "" and "0".
bool setting(const char* name);

// --- count.cpp: counts the calls of each kind, where GPU_EMULATOR_COUNT asks for it.
void count(const std::string& name);

// --- memory.cpp: device memory is host memory between two red zones.
enum class Kind { Device, Host };
// Memory of `bytes` bytes (0 is allowed), filled with NaN patterns.
void* allocate(size_t bytes, Kind kind);
// Checks the red zones and gives the memory back; false for a pointer that is no live allocation.
bool release(void* pointer);
// Aborts unless the `bytes` bytes from `pointer` lie in one live allocation.
void check_range(const void* pointer, size_t bytes, const char* what);
// Whether `pointer` lies in a live allocation or just behind it.
bool is_known(const void* pointer);
// Aborts where a red zone was written; `after` says what ran last.
void check_red_zones(const char* after);
size_t bytes_in_use();

// --- blocks.cpp: runs a grid; all work on the "device" is done under this lock, in order of submission.
std::mutex& device_lock();
struct Grid { unsigned grid[3], block[3]; size_t dynamic_shared; };
// `tls` and `tls_bytes` name the memory of the kernel's `__shared__` variables.
void run_grid(const EmuKernel& kernel, const Grid& grid, void** arguments, void* tls, size_t tls_bytes);
constexpr size_t MAX_DYNAMIC_SHARED = 227 * 1024;
constexpr size_t SHARED_ZONE = 1024;  // checked for writes, behind the dynamic shared memory

// Brackets the work of a call (copy, kernel, matrix product, ...) on the device: alone, and checked behind it.
class DeviceWork {
  public:
    explicit DeviceWork(std::string name) : name_(std::move(name)), guard_(device_lock()) { count(name_); }
    ~DeviceWork() { check_red_zones(name_.c_str()); }

  private:
    std::string name_;
    std::lock_guard<std::mutex> guard_;
};

}  // namespace emu
