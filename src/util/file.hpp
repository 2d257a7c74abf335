#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace holdfast {

/// Whether a replaced file must survive a power cut. State that lies in tmpfs need not.
enum class Durability { Volatile, Durable };

/// The whole file. Throws `std::system_error` if it cannot be read, `Error` if it is larger than `limit` bytes or not a
/// regular file.
std::string readFile(const std::filesystem::path& path, std::size_t limit);

/// As readFile, but nothing for a file that is not there.
std::optional<std::string> readFileIfThere(const std::filesystem::path& path, std::size_t limit);

/// Writes beside `path` and renames, so that a reader sees the old or the new content and a crash leaves one of them.
/// A durable replacement has reached the disk, with its name, when this returns. Throws `std::system_error`.
void replaceFile(const std::filesystem::path& path, std::string_view content, Durability durability,
                 mode_t mode = 0600);

/// Appends and syncs: the bytes are on disk when this returns. Throws `std::system_error`.
void appendDurably(int fd, std::string_view bytes);

/// Removes one file durably; one that is not there is fine. Throws `std::system_error`.
void removeFile(const std::filesystem::path& path);

/// Makes the names in `folder` survive a power cut. Throws `std::system_error`.
void syncFolder(const std::filesystem::path& folder);

} // namespace holdfast
