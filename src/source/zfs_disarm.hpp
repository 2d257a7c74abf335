#pragma once

#include "util/asio.hpp"

#include <string>
#include <string_view>
#include <vector>

/// A stream says of its datasets where they are mounted, and with whom they are shared. It may be a copy of a dataset
/// that lives here, or come from whoever can write to the remote; and each boot mounts what is to be mounted.
namespace holdfast {

/// Whether `zfs receive`, by its own usage text, can leave properties of a stream out (-o, -x).
bool canLeaveOut(std::string_view usage);

/// `zfs receive` for `dataset`, as the installed ZFS takes it: of what a stream says of mounting and sharing it leaves
/// out what it can, from the first moment on.
awaitable<std::vector<std::string>> receiveWords(std::string dataset);

/// The place at which `dataset` is mounted if neither it nor what lies between it and `parent` says another.
/// `mountpoint` is the property of `parent`.
std::string mountpointByName(const std::string& dataset, const std::string& parent, const std::string& mountpoint);

/// Sees to it that `received`, and each file system below it, is mounted by nobody but who asks for it
/// (canmount=noauto), is mounted where its name says once it is called `target`, and is shared with nobody by a
/// property of its own. Returns how many file systems there are. Throws `Error`.
awaitable<std::size_t> disarm(std::string received, std::string target);

struct FileSystem {
    std::string name;
    bool mounted = false;
};

/// Those of `dataset` and what is below it that are file systems. Throws `Error`.
awaitable<std::vector<FileSystem>> fileSystemsOf(std::string dataset);

} // namespace holdfast
