#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace holdfast {

/// What rclone's configuration means for the sandbox of a unit that uses it. What is not certain (an encrypted file,
/// one that cannot be read, a type that is not known here) counts as the wider need.
class RcloneConfig {
  public:
    explicit RcloneConfig(const std::filesystem::path& file);

    /// Whether rclone may have to write the file: when it refreshes a token.
    [[nodiscard]] bool isRewritten() const;
    /// Whether writing to `remote` may write to this machine's disks, as to a local folder behind an alias.
    [[nodiscard]] bool reachesDisk(const std::string& remote) const;

  private:
    struct Remote {
        std::string type;
        std::string behind; ///< of one that wraps another: "name:path", or a path
    };

    void read(const std::string& text);

    std::map<std::string, Remote> remotes_;
    bool readable_ = false;
};

} // namespace holdfast
