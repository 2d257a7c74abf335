#include "source/unpack.hpp"

#include "util/error.hpp"
#include "util/fd.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace holdfast {

std::vector<std::string> unpackInto(const std::filesystem::path& folder, const std::vector<std::string>& members,
                                    Attributes attributes) {
    // GNU tar itself refuses "..", drops a leading slash, and makes symlinks that lead outside only when all else is
    // there, so that nothing is written through them.
    std::vector<std::string> argv{"tar",
                                  "--extract",
                                  "--file=-",
                                  "--directory=" + folder.string(),
                                  "--numeric-owner",
                                  "--same-owner",
                                  "--preserve-permissions",
                                  "--no-wildcards",
                                  "--anchored"};
    if (attributes == Attributes::All) argv.insert(argv.end(), {"--xattrs", "--xattrs-include=*", "--acls"});
    argv.emplace_back("--");
    argv.insert(argv.end(), members.begin(), members.end());
    return argv;
}

void syncFileSystem(const std::filesystem::path& folder) {
    const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::syncfs(fd.get()) < 0) throwErrno("sync " + folder.string());
}

} // namespace holdfast
