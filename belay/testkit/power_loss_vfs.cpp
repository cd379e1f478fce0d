#include "belay/testkit/power_loss_vfs.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <sqlite3.h>

namespace belay::testkit {

namespace {

constexpr std::size_t sector_bytes = 512;

/// One change of a file since its last sync.
struct Change {
  enum class Kind { create, write, truncate, remove };
  Kind kind;
  std::size_t offset = 0;  ///< of a write; of a truncation the new size
  std::string bytes;
};

/// What the disk holds under one path.
class DiskFile {
 public:
  bool exists = false;
  std::string image;

  void apply(Change const& change) {
    switch (change.kind) {
      case Change::Kind::create: exists = true; break;
      case Change::Kind::write: put(change.offset, change.bytes); break;
      case Change::Kind::truncate: image.resize(change.offset); break;
      case Change::Kind::remove:
        exists = false;
        image.clear();
        break;
    }
  }

  /// Each sector of the write by a coin.
  void apply_torn(Change const& change, Random& random) {
    std::size_t begin = 0;
    while (begin < change.bytes.size()) {
      auto const to_boundary = sector_bytes - (change.offset + begin) % sector_bytes;
      auto const length = std::min(to_boundary, change.bytes.size() - begin);
      if (random.below(2) == 0) put(change.offset + begin, std::string_view(change.bytes).substr(begin, length));
      begin += length;
    }
  }

 private:
  void put(std::size_t offset, std::string_view bytes) {
    exists = true;
    if (image.size() < offset + bytes.size()) image.resize(offset + bytes.size());
    std::copy(bytes.begin(), bytes.end(), image.begin() + static_cast<std::ptrdiff_t>(offset));
  }
};

struct TrackedFile {
  DiskFile disk;
  std::vector<Change> unsynced;
  bool syncs_directory = false;  ///< SQLite's unix VFS syncs the directory with a journal's first sync

  void sync() { sync_until(unsynced.end()); }

  /// The directory was synced: names that came are there, and what was removed is gone for good.
  void sync_name() {
    auto const removed = std::find_if(unsynced.rbegin(), unsynced.rend(),
                                      [](Change const& change) { return change.kind == Change::Kind::remove; });
    sync_until(removed.base());
    for (auto const& change : unsynced) {
      if (change.kind == Change::Kind::create) disk.apply(change);
    }
  }

 private:
  void sync_until(std::vector<Change>::iterator end) {
    std::for_each(unsynced.begin(), end, [this](Change const& change) { disk.apply(change); });
    unsynced.erase(unsynced.begin(), end);
  }
};

std::string content_of(std::filesystem::path const& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// Which of the coming calls fail.
struct FaultPlan {
  std::uint64_t passes = 0;  ///< calls before the first that fails
  std::uint64_t fails = 0;
  PowerLossVfs::Fault fault = PowerLossVfs::Fault::io_error;

  bool strikes() {
    if (fails == 0) return false;
    if (passes > 0) {
      --passes;
      return false;
    }
    if (fails != PowerLossVfs::all_following) --fails;
    return true;
  }
};

}  // namespace

/// The callbacks SQLite calls, and the disk they lead to. One mutex covers each change of the real file together with
/// its record, so that a power cut falls between two accesses.
class PowerLossVfs::Implementation {
 public:
  explicit Implementation(std::string name) : name_(std::move(name)), real_(sqlite3_vfs_find(nullptr)) {
    if (real_ == nullptr || sqlite3_vfs_find(name_.c_str()) != nullptr) {
      throw std::runtime_error("cannot register the SQLite VFS '" + name_ + "': no default VFS, or the name is taken");
    }
    vfs_ = *real_;
    vfs_.szOsFile = static_cast<int>(file_bytes) + real_->szOsFile;
    vfs_.pNext = nullptr;
    vfs_.zName = name_.c_str();
    vfs_.pAppData = this;
    vfs_.xOpen = open;
    vfs_.xDelete = remove;
    vfs_.xAccess = access;
    vfs_.xFullPathname = [](sqlite3_vfs* vfs, char const* path, int size, char* out) {
      auto* const below = of(vfs).real_;
      return below->xFullPathname(below, path, size, out);
    };
    if (sqlite3_vfs_register(&vfs_, 0) != SQLITE_OK) {
      throw std::runtime_error("cannot register the SQLite VFS '" + name_ + "'");
    }
  }
  ~Implementation() { sqlite3_vfs_unregister(&vfs_); }
  Implementation(Implementation const&) = delete;
  Implementation& operator=(Implementation const&) = delete;

  std::string const& name() const noexcept { return name_; }
  std::uint64_t syncs() const noexcept { return syncs_; }
  std::uint64_t writes() const noexcept { return writes_; }

  void cut_power(Loss loss, Random& random) {
    std::lock_guard const lock(mutex_);
    dead_ = true;
    stalled_ = false;
    wake_.notify_all();
    for (auto& [path, file] : files_) {
      if (loss == Loss::keep_random_subset) keep_some(*file, random);
      file->unsynced.clear();
    }
  }

  void restore(std::filesystem::path const& directory) const {
    std::lock_guard const lock(mutex_);
    if (!dead_) throw std::logic_error("PowerLossVfs::restore() before cut_power()");
    for (auto const& [path, file] : files_) {
      if (!file->disk.exists) continue;
      std::ofstream out(directory / std::filesystem::path(path).filename(), std::ios::binary | std::ios::trunc);
      out.write(file->disk.image.data(), static_cast<std::streamsize>(file->disk.image.size()));
      if (!out.flush()) throw std::runtime_error("cannot restore " + path + " into " + directory.string());
    }
  }

  void plan(FaultPlan Implementation::*which, std::uint64_t first, std::uint64_t count, Fault fault) {
    std::lock_guard const lock(mutex_);
    this->*which = FaultPlan{first - 1, count, fault};
  }
  void clear_faults() {
    std::lock_guard const lock(mutex_);
    write_faults_ = FaultPlan{};
    sync_faults_ = FaultPlan{};
  }
  void delay_syncs(std::chrono::microseconds delay) {
    std::lock_guard const lock(mutex_);
    sync_delay_ = delay;
  }
  void stall_syncs(bool stalled) {
    std::lock_guard const lock(mutex_);
    stalled_ = stalled;
    wake_.notify_all();
  }

  FaultPlan write_faults_;
  FaultPlan sync_faults_;

 private:
  /// The file object in memory that SQLite gives; the real VFS's own follows it.
  struct File {
    sqlite3_file base;
    Implementation* owner;
    TrackedFile* tracked;  ///< null for a file without a name
    char const* path;      ///< SQLite keeps it as long as the file is open
  };
  static constexpr std::size_t file_bytes = (sizeof(File) + 15) / 16 * 16;

  static Implementation& of(sqlite3_vfs* vfs) { return *static_cast<Implementation*>(vfs->pAppData); }
  static File& of(sqlite3_file* file) { return *static_cast<File*>(static_cast<void*>(file)); }
  static sqlite3_file* below(sqlite3_file* file) {
    auto* const bytes = static_cast<char*>(static_cast<void*>(file));
    return static_cast<sqlite3_file*>(static_cast<void*>(bytes + file_bytes));
  }
  static int code_of(Fault fault, int io_error) { return fault == Fault::disk_full ? SQLITE_FULL : io_error; }

  static void keep_some(TrackedFile& file, Random& random) {
    for (auto const& change : file.unsynced) {
      if (random.below(2) == 0) continue;
      bool const torn = change.kind == Change::Kind::write && random.below(3) == 0;
      torn ? file.disk.apply_torn(change, random) : file.disk.apply(change);
    }
  }

  /// With the mutex held. A file that is there already is durable as it is.
  TrackedFile& track(std::string const& path, bool exists) {
    auto& file = files_[path];
    if (!file) {
      file = std::make_unique<TrackedFile>();
      if (exists) {
        file->disk.exists = true;
        file->disk.image = content_of(path);
      }
    }
    return *file;
  }

  /// With the mutex held.
  void sync_directory_of(std::filesystem::path const& path) {
    for (auto& [other, file] : files_) {
      if (std::filesystem::path(other).parent_path() == path.parent_path()) file->sync_name();
    }
  }

  static int open(sqlite3_vfs* vfs, sqlite3_filename path, sqlite3_file* file, int flags, int* flags_out);
  static int remove(sqlite3_vfs* vfs, char const* path, int sync_directory);
  static int access(sqlite3_vfs* vfs, char const* path, int flags, int* result);

  static int close(sqlite3_file* file);
  static int read(sqlite3_file* file, void* buffer, int amount, sqlite3_int64 offset);
  static int write(sqlite3_file* file, void const* buffer, int amount, sqlite3_int64 offset);
  static int truncate(sqlite3_file* file, sqlite3_int64 size);
  static int sync(sqlite3_file* file, int flags);
  static sqlite3_io_methods const methods;

  std::string const name_;
  sqlite3_vfs* const real_;
  sqlite3_vfs vfs_{};
  std::atomic<std::uint64_t> syncs_{0};
  std::atomic<std::uint64_t> writes_{0};
  std::atomic<bool> dead_{false};

  mutable std::mutex mutex_;  ///< guards what follows and the fault plans
  std::condition_variable wake_;
  std::map<std::string, std::unique_ptr<TrackedFile>> files_;
  std::chrono::microseconds sync_delay_{0};
  bool stalled_ = false;
};

int PowerLossVfs::Implementation::open(sqlite3_vfs* vfs, sqlite3_filename path, sqlite3_file* file, int flags,
                                       int* flags_out) {
  auto& self = of(vfs);
  file->pMethods = nullptr;
  std::lock_guard const lock(self.mutex_);
  if (self.dead_) return SQLITE_CANTOPEN;
  bool const existed = path != nullptr && std::filesystem::exists(path);
  int const code = self.real_->xOpen(self.real_, path, below(file), flags, flags_out);
  if (code != SQLITE_OK) return code;
  of(file).owner = &self;
  of(file).tracked = nullptr;
  of(file).path = path;
  if (path != nullptr) {
    auto& tracked = self.track(path, existed);
    if (!existed) tracked.unsynced.push_back({Change::Kind::create, 0, {}});
    bool const journal = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL)) != 0;
    tracked.syncs_directory = journal && (flags & SQLITE_OPEN_CREATE) != 0;
    of(file).tracked = &tracked;
  }
  file->pMethods = &methods;
  return SQLITE_OK;
}

int PowerLossVfs::Implementation::remove(sqlite3_vfs* vfs, char const* path, int sync_directory) {
  auto& self = of(vfs);
  std::lock_guard const lock(self.mutex_);
  if (self.dead_) return SQLITE_IOERR_DELETE;
  int const code = self.real_->xDelete(self.real_, path, sync_directory);
  if (code != SQLITE_OK) return code;
  auto const found = self.files_.find(path);
  if (found == self.files_.end()) return code;
  found->second->unsynced.push_back({Change::Kind::remove, 0, {}});
  if (sync_directory != 0) self.sync_directory_of(path);
  return code;
}

int PowerLossVfs::Implementation::access(sqlite3_vfs* vfs, char const* path, int flags, int* result) {
  auto& self = of(vfs);
  if (self.dead_) return SQLITE_IOERR_ACCESS;
  return self.real_->xAccess(self.real_, path, flags, result);
}

int PowerLossVfs::Implementation::close(sqlite3_file* file) { return below(file)->pMethods->xClose(below(file)); }

int PowerLossVfs::Implementation::read(sqlite3_file* file, void* buffer, int amount, sqlite3_int64 offset) {
  if (of(file).owner->dead_) return SQLITE_IOERR_READ;
  return below(file)->pMethods->xRead(below(file), buffer, amount, offset);
}

int PowerLossVfs::Implementation::write(sqlite3_file* file, void const* buffer, int amount, sqlite3_int64 offset) {
  auto& self = *of(file).owner;
  auto* const tracked = of(file).tracked;
  std::lock_guard const lock(self.mutex_);
  if (self.dead_) return SQLITE_IOERR_WRITE;
  if (tracked != nullptr) {
    ++self.writes_;
    if (self.write_faults_.strikes()) return code_of(self.write_faults_.fault, SQLITE_IOERR_WRITE);
  }
  int const code = below(file)->pMethods->xWrite(below(file), buffer, amount, offset);
  if (code == SQLITE_OK && tracked != nullptr) {
    tracked->unsynced.push_back({Change::Kind::write, static_cast<std::size_t>(offset),
                                 std::string(static_cast<char const*>(buffer), static_cast<std::size_t>(amount))});
  }
  return code;
}

int PowerLossVfs::Implementation::truncate(sqlite3_file* file, sqlite3_int64 size) {
  auto& self = *of(file).owner;
  std::lock_guard const lock(self.mutex_);
  if (self.dead_) return SQLITE_IOERR_TRUNCATE;
  int const code = below(file)->pMethods->xTruncate(below(file), size);
  if (code == SQLITE_OK && of(file).tracked != nullptr) {
    of(file).tracked->unsynced.push_back({Change::Kind::truncate, static_cast<std::size_t>(size), {}});
  }
  return code;
}

int PowerLossVfs::Implementation::sync(sqlite3_file* file, int) {
  auto& self = *of(file).owner;
  auto* const tracked = of(file).tracked;
  std::unique_lock lock(self.mutex_);
  if (tracked == nullptr) return self.dead_ ? SQLITE_IOERR_FSYNC : SQLITE_OK;
  ++self.syncs_;
  if (auto const delay = self.sync_delay_; delay.count() > 0) {
    lock.unlock();
    std::this_thread::sleep_for(delay);
    lock.lock();
  }
  self.wake_.wait(lock, [&] { return !self.stalled_; });
  if (self.dead_) return SQLITE_IOERR_FSYNC;
  if (self.sync_faults_.strikes()) return code_of(self.sync_faults_.fault, SQLITE_IOERR_FSYNC);
  // The machine that runs the test keeps its power: the real file needs no sync.
  tracked->sync();
  if (std::exchange(tracked->syncs_directory, false)) self.sync_directory_of(of(file).path);
  return SQLITE_OK;
}

sqlite3_io_methods const PowerLossVfs::Implementation::methods = [] {
  using Self = PowerLossVfs::Implementation;
  sqlite3_io_methods table{};
  table.iVersion = 2;  // shared memory, but no memory-mapped reads: they would pass the shim by
  table.xClose = Self::close;
  table.xRead = Self::read;
  table.xWrite = Self::write;
  table.xTruncate = Self::truncate;
  table.xSync = Self::sync;
  table.xFileSize = [](sqlite3_file* file, sqlite3_int64* size) {
    if (Self::of(file).owner->dead_) return SQLITE_IOERR_FSTAT;
    return Self::below(file)->pMethods->xFileSize(Self::below(file), size);
  };
  table.xLock = [](sqlite3_file* file, int lock) {
    if (Self::of(file).owner->dead_) return SQLITE_IOERR_LOCK;
    return Self::below(file)->pMethods->xLock(Self::below(file), lock);
  };
  table.xUnlock = [](sqlite3_file* file, int lock) {
    return Self::below(file)->pMethods->xUnlock(Self::below(file), lock);
  };
  table.xCheckReservedLock = [](sqlite3_file* file, int* result) {
    return Self::below(file)->pMethods->xCheckReservedLock(Self::below(file), result);
  };
  table.xFileControl = [](sqlite3_file* file, int operation, void* argument) {
    return Self::below(file)->pMethods->xFileControl(Self::below(file), operation, argument);
  };
  table.xSectorSize = [](sqlite3_file* file) { return Self::below(file)->pMethods->xSectorSize(Self::below(file)); };
  table.xDeviceCharacteristics = [](sqlite3_file* file) {
    return Self::below(file)->pMethods->xDeviceCharacteristics(Self::below(file));
  };
  table.xShmMap = [](sqlite3_file* file, int page, int page_bytes, int extend, void volatile** address) {
    if (Self::of(file).owner->dead_) return SQLITE_IOERR_SHMMAP;
    return Self::below(file)->pMethods->xShmMap(Self::below(file), page, page_bytes, extend, address);
  };
  table.xShmLock = [](sqlite3_file* file, int offset, int count, int flags) {
    return Self::below(file)->pMethods->xShmLock(Self::below(file), offset, count, flags);
  };
  table.xShmBarrier = [](sqlite3_file* file) { Self::below(file)->pMethods->xShmBarrier(Self::below(file)); };
  table.xShmUnmap = [](sqlite3_file* file, int remove_it) {
    return Self::below(file)->pMethods->xShmUnmap(Self::below(file), remove_it);
  };
  return table;
}();

PowerLossVfs::PowerLossVfs(std::string name) : implementation_(std::make_unique<Implementation>(std::move(name))) {}
PowerLossVfs::~PowerLossVfs() = default;

std::string const& PowerLossVfs::name() const noexcept { return implementation_->name(); }
std::uint64_t PowerLossVfs::syncs() const noexcept { return implementation_->syncs(); }
std::uint64_t PowerLossVfs::writes() const noexcept { return implementation_->writes(); }
void PowerLossVfs::cut_power(Loss loss, Random& random) { implementation_->cut_power(loss, random); }
void PowerLossVfs::restore(std::string const& directory) const { implementation_->restore(directory); }
void PowerLossVfs::fail_writes(std::uint64_t first, std::uint64_t count, Fault fault) {
  implementation_->plan(&Implementation::write_faults_, first, count, fault);
}
void PowerLossVfs::fail_syncs(std::uint64_t first, std::uint64_t count, Fault fault) {
  implementation_->plan(&Implementation::sync_faults_, first, count, fault);
}
void PowerLossVfs::clear_faults() { implementation_->clear_faults(); }
void PowerLossVfs::delay_syncs(std::chrono::microseconds delay) { implementation_->delay_syncs(delay); }
void PowerLossVfs::stall_syncs(bool stalled) { implementation_->stall_syncs(stalled); }

}  // namespace belay::testkit
