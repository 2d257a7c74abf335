#pragma once

#include "source/source.hpp"

namespace holdfast {

/// A file or folder as it lies there: the source "none". docs/none.md tells the user's side.
class PlainSource : public Source {
  public:
    explicit PlainSource(const Plan& plan) : path_(plan.job.sourcePath) {}

    awaitable<void> prepare() override;
    Upload upload() override { return StoredTree{path_}; }
    [[nodiscard]] nlohmann::json manifest() const override { return {{"path", path_.string()}}; }

  private:
    std::filesystem::path path_;
};

} // namespace holdfast
