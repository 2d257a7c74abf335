#pragma once

#include "source/background.hpp"

#include <exception>
#include <string>
#include <string_view>

namespace holdfast {

/// `text` with the values of WireGuard's keys (PrivateKey, PublicKey, PresharedKey; forms `Key=…`, `Key = …`,
/// `Key:1="…"`) blanked. All else stays byte for byte, line ends too.
std::string withoutKeys(std::string_view text);

/// Whether `path`, relative to the work tree of an Unraid flash drive, lies where WireGuard's keys are. Letters' case
/// does not matter: the drive is FAT.
bool mayHoldKeys(std::string_view path);

/// Registers the git filter "noprivatekeys" with libgit2: on their way into the repository it blanks the keys of files
/// that have the attribute `filter=noprivatekeys` and, with a FilterScope of a flash drive, of all files that may hold
/// keys. Files with another filter are refused, because libgit2 would take them in as they lie on disk: git-crypt's in
/// clear, LFS's whole.
void registerKeyFilter();

/// While it lives, the filter works for this thread. Outside of a scope libgit2 takes files as they are.
class FilterScope {
  public:
    FilterScope(bool flashDrive, const Stop& stop);
    ~FilterScope();
    FilterScope(const FilterScope&) = delete;
    FilterScope& operator=(const FilterScope&) = delete;

    [[nodiscard]] bool flashDrive() const { return flashDrive_; }
    [[nodiscard]] const Stop& stop() const { return stop_; }
    /// Keeps an exception until libgit2's C code has been left; returns what tells libgit2 to leave.
    int keep(std::exception_ptr failure);
    /// Throws what was kept.
    void rethrow();

  private:
    bool flashDrive_;
    const Stop& stop_;
    std::exception_ptr failure_;
};

} // namespace holdfast
