#pragma once

#include "reporter.hpp"

#include <string>
#include <vector>

namespace holdfast {

/// What a person should look at although the run goes on.
struct Warning {
    std::string word; ///< "source shrank": few words, always the same, and nothing in them that is private
    std::string sentence;
    bool ground = false; ///< what the backups stand on has changed: none of them is removed today
};

/// The warnings of a run: each is logged, and in the metadata as "attention" (the words) and "warnings".
class Warnings {
  public:
    explicit Warnings(Reporter& reporter) : reporter_(reporter) {}

    /// One that was given before is not given again.
    void give(const Warning& warning);
    /// Whether the ground has changed.
    [[nodiscard]] bool ofGround() const { return ofGround_; }

  private:
    Reporter& reporter_;
    std::vector<std::string> words_;
    std::vector<std::string> sentences_;
    bool ofGround_ = false;
};

} // namespace holdfast
