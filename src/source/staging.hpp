#pragma once

#include "util/held_path.hpp"

#include <filesystem>
#include <optional>
#include <string>

#include <sys/stat.h>

/// Calls on names in a folder that is held: whoever renames or exchanges a part of its path changes nothing for them.
/// Symlinks are not followed.
namespace holdfast {

/// In a staging folder: what has come. It has the modes that it had, and what it lies in is closed.
inline constexpr const char* stagedName = "whole";

/// As hold(), but nothing for what is not there.
std::optional<HeldPath> holdIfThere(const std::filesystem::path& path);

/// Whether `path` leads to what is held.
bool leadsTo(const std::filesystem::path& path, const HeldPath& held);

/// Nothing if there is no such name.
std::optional<struct stat> statusIn(const HeldPath& folder, const std::string& name);

/// Makes a folder that is nobody's but ours: what grows in it cannot be reached by others, whatever modes it has.
/// Throws `Error` if something of the name is there already, or is there now in place of what was made.
HeldPath makeStaging(const HeldPath& parent, const std::string& name);

/// The folder at `path` below `folder`. Throws `Error` for a symlink or what is not there.
HeldPath folderBelow(const HeldPath& folder, const std::filesystem::path& path);

/// As rename(2): replaces nothing but an empty folder, by a folder. Throws `std::system_error`.
void renameFolderIn(const HeldPath& from, const std::string& name, const HeldPath& to, const std::string& newName);

/// Replaces nothing. Throws `std::system_error`.
void moveInto(const HeldPath& from, const std::string& name, const HeldPath& to, const std::string& newName);

/// Exchanges two names of a folder in one step. False if the file system cannot. Throws `std::system_error`.
bool exchangeNames(const HeldPath& folder, const std::string& name, const std::string& other);

/// The names in the folder are on disk when this returns.
void syncNames(const HeldPath& folder);

/// The bytes of everything on the folder's file system are on disk when this returns.
void syncFileSystem(const HeldPath& folder);

} // namespace holdfast
