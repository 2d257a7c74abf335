#pragma once

#include "transfer/answers.hpp"
#include "util/asio.hpp"
#include "util/child.hpp"
#include "util/error.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace holdfast {

/// The rclone program, with one configuration file. Objects are named "remote:path". Secrets stay in that file: nothing
/// secret is ever an argument. Calls that ask and small writes are bounded in time and throw `TransferError`.
class Rclone {
  public:
    explicit Rclone(std::filesystem::path config) : config_(std::move(config)) {}

    /// The same for one who waits for an answer: it is given up, with the reason, where the remote keeps silent;
    /// nothing takes longer than `longest`.
    [[nodiscard]] Rclone hurried(std::chrono::seconds longest) const;

    /// The same, whose every process gets these descriptors, too: local folders are named by them.
    [[nodiscard]] Rclone keeping(std::vector<int> descriptors) const;

    /// `rclone --config … ARGUMENTS…`, with what every call needs. Throws `TransferError` if others than root can
    /// change the configuration.
    [[nodiscard]] ChildSpec command(std::vector<std::string> arguments) const;

    awaitable<RemoteFeatures> features(std::string remote) const;
    /// Nothing if there is no such object. `hash` is one of features().hashes, or empty. Hashing may need the remote to
    /// read the object back, so its `deadline` is the caller's.
    awaitable<std::optional<RemoteObject>> stat(std::string object, std::string hash = {},
                                                std::chrono::microseconds deadline = {}) const;
    /// The paths, from the folder on, of all files anywhere below it whose names match rclone's pattern; none if there
    /// is no such folder.
    awaitable<std::vector<std::string>> findBelow(std::string folder, std::string pattern) const;
    /// The files in a folder, not below it, whose names match rclone's pattern; nothing if there is no such folder. Of
    /// a remote that has buckets: if there is no such bucket.
    awaitable<std::optional<std::vector<FolderEntry>>> listIfThere(std::string folder, std::string pattern) const;
    /// The same, and none if there is no such folder.
    awaitable<std::vector<FolderEntry>> list(std::string folder, std::string pattern) const;
    /// All that lies in a folder, not below it; nothing if there is no such folder.
    awaitable<std::vector<FolderEntry>> entries(std::string folder) const;
    /// Uploads in parts to files in a folder, not below it, that were begun and have not ended; none where the remote
    /// has no such thing. Those that go on are among them.
    awaitable<std::vector<FolderEntry>> pendingUploads(std::string folder) const;
    /// Fetches small files of a folder, by name, into a local one. Some that could not be read do not keep the others
    /// from being fetched: returns rclone's last words on those, in a sentence; throws if none came.
    awaitable<std::string> fetch(std::string folder, std::vector<std::string> names, std::filesystem::path to) const;
    /// The content of a small object; nothing if it is not there.
    awaitable<std::optional<std::string>> read(std::string object, std::size_t limit) const;
    /// Size and SHA-256 of the object as it is read back; nothing if it is not there. For a local disk, where it is
    /// several times faster than rclone's own hashing, and as strong.
    awaitable<std::optional<RemoteObject>> readBack(std::string object, std::chrono::microseconds deadline) const;
    /// Writes a small object and checks that it can be read back.
    awaitable<void> write(std::string object, std::string content) const;
    /// Removes the object; one that is not there is fine.
    awaitable<void> remove(std::string object) const;
    /// Removes the folder with all that is in it; one that is not there is fine.
    awaitable<void> purge(std::string folder) const;
    /// Gives up uploads in parts to all files whose names begin so, where the remote has such a thing. There must be no
    /// file of just that name: rclone would give up those of its whole folder.
    awaitable<void> abortUploads(std::string prefix) const;
    /// Names and types of all remotes, without anything secret.
    awaitable<std::map<std::string, std::string>> remotes() const;
    /// Total, used and free bytes, as far as the remote tells.
    awaitable<nlohmann::json> about(std::string remote) const;
    awaitable<std::string> version() const;

  private:
    awaitable<ChildOutput> ask(std::vector<std::string> arguments, std::chrono::microseconds deadline,
                               std::string input = {}, std::size_t limit = 16 * 1024 * 1024) const;

    void refuseOthersConfig() const;

    std::filesystem::path config_;
    std::vector<std::string> patience_{}; ///< flags
    std::optional<std::chrono::seconds> longest_{};
    std::vector<int> keep_{};
};

/// Tells from rclone's exit status (rclone docs, "Exit code") and its last words whether another attempt can succeed.
TransferError rcloneFailure(const std::string& doing, const ExitStatus& status, const std::string& errorTail);

} // namespace holdfast
