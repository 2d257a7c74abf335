#pragma once

#include "source/source.hpp"
#include "transfer/answers.hpp"
#include "util/asio.hpp"

#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

namespace holdfast {

/// A file or folder of this machine as rclone gets it: by its descriptor, so that it is the one that was looked at.
class CopySource {
  public:
    /// `options`: the job's rcloneOptions.
    CopySource(const StoredTree& tree, nlohmann::json options);

    /// Its path, for people.
    [[nodiscard]] std::filesystem::path path() const { return tree_.path(); }
    /// The folder, or the one that the file lies in, for calls of our own.
    [[nodiscard]] std::filesystem::path folder() const { return tree_.folder->forChild(); }
    /// Its name for an rclone that keeps descriptor().
    [[nodiscard]] std::string name() const;
    [[nodiscard]] int descriptor() const { return tree_.folder->fd(); }

    /// rclone's words, with the path that people know for the one that rclone does, and what to do where it can be
    /// told.
    [[nodiscard]] std::string plainly(std::string text) const;
    /// Passes a `TransferError` of `work` on, plainly.
    awaitable<void> inPlainWords(awaitable<void> work) const;

    /// Throws `Error` if a destination on a disk of this machine lies in it, by whatever name.
    void refuseDestination(const RemoteFeatures& features, const std::string& destinationPath) const;

  private:
    [[nodiscard]] std::string advice(const std::string& text) const;

    StoredTree tree_;
    nlohmann::json options_;
};

} // namespace holdfast
