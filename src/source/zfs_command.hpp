#pragma once

#include "util/asio.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The program `zfs`: OpenZFS of any age, or zfs-fuse. What it can do is asked, and what it says is made a sentence.
namespace holdfast {

/// What the installed `zfs send` takes, by its own usage text.
class SendOptions {
  public:
    SendOptions() = default;
    explicit SendOptions(std::string letters) : letters_(std::move(letters)) {}
    [[nodiscard]] bool has(char option) const { return letters_.find(option) != std::string::npos; }
    /// Whether it can tell the size of a stream without sending it (-n -P).
    [[nodiscard]] bool estimates() const { return has('n') && has('P'); }

  private:
    std::string letters_;
};

/// Reads the usage text of `zfs send`: the options of its first form.
SendOptions parseSendUsage(std::string_view usage);

/// The last "size<tab>bytes" line of `zfs send -n -P`.
std::optional<std::uint64_t> parseEstimate(std::string_view text);

/// One line of `zfs get -H -p -o name,value,source PROPERTY`.
struct PropertyLine {
    std::string name, value, source;
    bool operator==(const PropertyLine&) const = default;
};
std::vector<PropertyLine> parseProperties(const std::string& text);

/// The version in what `zfs version` or, in its absence, `zfs upgrade` writes; empty if there is none.
std::string parseVersion(std::string_view text);

/// Whether `text`, standard error of `zfs`, says that the dataset or snapshot that was named is not there.
bool saysAbsent(std::string_view text);

/// A sentence for what `zfs` wrote to standard error when it could not `doing` ("make the snapshot tank@x").
std::string explainZfs(std::string_view doing, const std::string& text);

struct ZfsAnswer {
    bool ok = false;
    std::string out;
    std::string error;
};

/// Runs `zfs` with these words to its end, however that is. Throws `Error` if it is not installed. It is for the caller
/// to bound the time.
awaitable<ZfsAnswer> tryZfs(std::vector<std::string> words);

/// As tryZfs(), but throws `Error`, with explainZfs(), if it fails. Returns what it wrote to standard output.
awaitable<std::string> runZfs(std::vector<std::string> words, std::string doing);

awaitable<SendOptions> askSendOptions();

/// Whether the installed ZFS has bookmarks (a pool may still be too old for them).
awaitable<bool> askBookmarks();

/// The version of the installed ZFS, as it tells it: "zfs-2.1.11-1"; of zfs-fuse, which has no version to tell, that of
/// the file systems that it makes. Empty if it tells neither.
awaitable<std::string> askVersion();

/// The property of a dataset or snapshot, without the line break; "-" where it has none. Throws `Error`.
awaitable<std::string> zfsProperty(std::string property, std::string of);

} // namespace holdfast
