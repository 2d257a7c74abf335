#pragma once

#include "source/background.hpp"
#include "source/source.hpp"

namespace holdfast {

/// A file or folder that `sourcePath` names, and how to hold it. Throws `Error` if it is not there, is neither a file
/// nor a folder, or somebody else can exchange what it leads to. Blocks.
StoredTree holdPlain(const std::filesystem::path& sourcePath);

/// A file or folder as it lies there: the source "none". docs/plain.md tells the user's side.
class PlainSource : public Source {
  public:
    explicit PlainSource(const Plan& plan) : path_(plan.job.sourcePath) {}

    awaitable<void> prepare() override;
    Upload upload() override { return tree_; }
    [[nodiscard]] nlohmann::json manifest() const override { return {{"path", path_.string()}}; }

  private:
    std::filesystem::path path_;
    Background background_;
    StoredTree tree_;
};

} // namespace holdfast
