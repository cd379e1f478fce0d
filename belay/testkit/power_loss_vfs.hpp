#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "belay/core/random.hpp"

namespace belay::testkit {

/// A SQLite virtual file system that knows what a power cut would leave behind.
///
/// It works on real files through the default VFS, and keeps beside each one the bytes that are surely on the disk and
/// the list of writes, truncations and deletions since the file's last sync. cut_power() decides which of the latter
/// made it; from then on every access fails, as it does for a process whose machine is gone. restore() writes the files
/// as they are found after the reboot. It also counts syncs and fails chosen writes or syncs.
///
/// What is modelled: a sync makes everything written to that file before it durable, and the file's own creation; the
/// first sync of a journal also syncs its directory, as SQLite's unix VFS does, and with it every creation and deletion
/// there; a file that was there when it was first opened is durable. Unsynced writes may be lost, kept, or torn at
/// 512-byte sectors, in any order. Shared memory (the -shm file) is not on the disk. Files without a name are not
/// tracked.
///
///     PowerLossVfs vfs("power-loss");
///     Options options("/tmp/dir/app.db");  options.vfs = vfs.name();
///     … write …;  vfs.cut_power(PowerLossVfs::Loss::keep_random_subset, random);
///     … destroy the client …;  vfs.restore("/tmp/after");   // /tmp/after/app.db, app.db-wal
///
/// Thread-safe. Must outlive every connection opened through it.
class PowerLossVfs {
 public:
  /// Registers under `name`, which must not be taken. std::runtime_error when SQLite refuses.
  explicit PowerLossVfs(std::string name);
  ~PowerLossVfs();
  PowerLossVfs(PowerLossVfs const&) = delete;
  PowerLossVfs& operator=(PowerLossVfs const&) = delete;

  std::string const& name() const noexcept;

  /// Calls since construction, of named files only, failed ones included.
  std::uint64_t syncs() const noexcept;
  std::uint64_t writes() const noexcept;

  enum class Loss {
    drop_all,           ///< nothing that was not synced is on the disk
    keep_random_subset  ///< of each change a coin decides; a third of the kept writes are torn
  };
  /// Once. Waits for the access that is under way.
  void cut_power(Loss, Random&);
  /// After cut_power(): writes the files, by their last name, into an existing directory.
  void restore(std::string const& directory) const;

  enum class Fault { io_error, disk_full };
  static constexpr std::uint64_t all_following = ~std::uint64_t{0};
  /// Fails writes number first … first + count - 1 from now, first >= 1. Nothing of them reaches the file.
  void fail_writes(std::uint64_t first, std::uint64_t count, Fault);
  void fail_syncs(std::uint64_t first, std::uint64_t count, Fault);
  void clear_faults();

  /// Each sync takes at least so long: a slow disk.
  void delay_syncs(std::chrono::microseconds);
  /// Each sync waits until released: a disk that has stalled. Held ones go on when it is switched off.
  void stall_syncs(bool stalled);

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace belay::testkit
