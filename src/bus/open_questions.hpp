#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>

namespace holdfast {

/// The questions to polkit that wait for an answer. There can only be so many, and a prompt may be left standing for
/// minutes; so where there is no room, one of the user who has most gives way to the new one. Pure bookkeeping.
class OpenQuestions {
  public:
    OpenQuestions(std::size_t each, std::size_t all) : each_(each), all_(all) {}

    /// Returns the question that gives way, and is not open any more. Throws `LimitsExceeded` if the user has too many.
    std::optional<std::string> open(std::string question, std::uint32_t uid);
    /// False if it was not open: it has given way.
    bool close(const std::string& question);

  private:
    struct Entry {
        std::string question;
        std::uint32_t uid = 0;
    };
    [[nodiscard]] std::size_t countOf(std::uint32_t uid) const;

    std::size_t each_;
    std::size_t all_;
    std::list<Entry> entries_; ///< oldest first
};

} // namespace holdfast
