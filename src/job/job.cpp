#include "job/job.hpp"

#include "job/document.hpp"
#include "util/error.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace holdfast {

namespace {

template<typename... Visitors>
struct Overloaded : Visitors... {
    using Visitors::operator()...;
};
template<typename... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

/// A pointer without what would break a line: names of unknown fields come from outside.
std::string onOneLine(const std::string& pointer) {
    const bool plain = pointer.find_first_of("\n\r") == pointer.npos && pointer.size() <= 256;
    return plain ? pointer : shown(pointer);
}

std::string listing(const std::vector<Problem>& problems) {
    std::vector<std::string> lines;
    for (const auto& problem : problems) {
        const auto where = problem.pointer.empty() ? "" : onOneLine(problem.pointer) + ": ";
        lines.push_back(where + problem.message);
    }
    return fmt::format("{}", fmt::join(lines, "\n"));
}

} // namespace

const char* toString(SourceType type) {
    switch (type) {
    case SourceType::None:
        return "none";
    case SourceType::Zfs:
        return "zfs";
    case SourceType::Flash:
        return "flash";
    case SourceType::Script:
        return "script";
    case SourceType::Docker:
        return "docker";
    }
    throw std::logic_error("There is no such source type.");
}

SourceConfig emptySourceConfig(const std::string& name) {
    for (SourceConfig config : {SourceConfig(NoneConfig{}), SourceConfig(ZfsConfig{}), SourceConfig(FlashConfig{}),
                                SourceConfig(ScriptConfig{}), SourceConfig(DockerConfig{})}) {
        if (name == toString(static_cast<SourceType>(config.index()))) return config;
    }
    throw Error(fmt::format("There is no source type {}.", shown(name)));
}

std::string Job::sourceDescription() const {
    const Overloaded description{
        [&](const NoneConfig&) { return sourcePath; },
        [](const ZfsConfig& zfs) { return zfs.poolName; },
        [](const FlashConfig& flash) { return flash.gitPath; },
        [](const ScriptConfig& script) { return script.scriptPath; },
        [](const DockerConfig& docker) {
            auto names = docker.containerName;
            names.insert(names.end(), docker.volumeName.begin(), docker.volumeName.end());
            return fmt::format("{}", fmt::join(names, ", "));
        },
    };
    return std::visit(description, source);
}

std::optional<int> Job::compressionLevel() const {
    if (const auto* zfs = std::get_if<ZfsConfig>(&source)) return zfs->compressionLevel;
    if (const auto* flash = std::get_if<FlashConfig>(&source)) return flash->compressionLevel;
    return std::nullopt;
}

bool Job::streams() const {
    switch (sourceType()) {
    case SourceType::Zfs:
    case SourceType::Flash:
    case SourceType::Docker:
        return true;
    case SourceType::None:
    case SourceType::Script:
        return false;
    }
    return false;
}

InvalidJob::InvalidJob(std::vector<Problem> problems)
    : std::runtime_error(listing(problems)), problems_(std::move(problems)) {}

} // namespace holdfast
