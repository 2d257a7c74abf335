#include "ground.hpp"

#include "transfer/digest.hpp"
#include "util/error.hpp"
#include "util/format.hpp"

#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast {

namespace {

constexpr std::uint64_t fewFiles = 10;
constexpr std::uint64_t fewBytes = 1024 * 1024;

/// Tells whether two runs were of the same source, without telling what it is.
std::string sourceKey(const Job& job) {
    const auto document = job.document();
    Digest digest("SHA256");
    for (const char* field : {"preprocessType", "preprocessConfig", "sourcePath", "layout", "rcloneOptions"})
        digest.add(document.value(field, nlohmann::json()).dump() + "\n");
    return digest.finish();
}

/// Increments have any size.
bool hasComparableSize(const Job& job) { return job.sourceType() != SourceType::Zfs; }

bool fellTo(std::uint64_t divisor, std::uint64_t now, std::uint64_t before, std::uint64_t few) {
    return before >= few && now <= before / divisor;
}

bool shrank(std::uint64_t divisor, SourceSize now, SourceSize before) {
    return fellTo(divisor, now.files, before.files, fewFiles) || fellTo(divisor, now.bytes, before.bytes, fewBytes);
}

std::string describe(SourceSize size) {
    return size.files == 0 ? formatBytes(size.bytes)
                           : fmt::format("{} files ({})", size.files, formatBytes(size.bytes));
}

/// What the earlier backups saw of the same source; nothing if it is another one now, or somebody has agreed.
std::optional<nlohmann::json> comparable(const Plan& plan, const std::string& key) {
    if (!plan.earlier || plan.earlier->agreedSince || !hasComparableSize(plan.job)) return std::nullopt;
    const auto& ground = plan.earlier->ground;
    if (ground.value("source", "") != key) return std::nullopt;
    return ground;
}

Warning shrunk(const Plan& plan, SourceSize now, SourceSize before, bool unmounted) {
    auto sentence =
        fmt::format("The source has shrunk: it had {}, and has {} now. {}", describe(before), describe(now),
                    unmounted ? "The file system that it lay on is not mounted." : "Is something in it not mounted?");
    if (plan.job.keep) {
        sentence +=
            fmt::format(" No old backup is removed until it has grown again, or somebody says that it is right, "
                        "with \"holdfastctl prune {} --now\".",
                        plan.job.name);
    }
    return {"source shrank", std::move(sentence), true};
}

} // namespace

void compareSource(const Backup& backup, const Destination& destination, SourceSize size) {
    const auto& plan = backup.plan;
    const auto key = sourceKey(plan.job);
    const auto depth = plan.job.sourceType() == SourceType::None ? mountDepth(plan.job.sourcePath) : 0;
    nlohmann::json ground{{"source", key},
                          {"sourceDepth", depth},
                          {"destinationDepth", destination.depth},
                          {"files", size.files},
                          {"bytes", size.bytes}};
    if (const auto earlier = comparable(plan, key)) {
        const SourceSize before{earlier->value("files", std::uint64_t{0}), earlier->value("bytes", std::uint64_t{0})};
        const bool unmounted = depth < earlier->value("sourceDepth", 0U);
        if (shrank(unmounted ? 2 : 10, size, before)) {
            const auto warning = shrunk(plan, size, before, unmounted);
            if (unmounted && plan.job.mirrors()) throw Error(warning.sentence + " The mirror stays as it is.");
            backup.warnings.give(warning);
            // Until somebody agrees, what comes next is compared with what was there before.
            if (plan.job.keep) ground.update({{"files", before.files}, {"bytes", before.bytes}});
            if (plan.job.keep && unmounted) ground["sourceDepth"] = earlier->at("sourceDepth");
        }
    }
    backup.reporter.metadata({{"ground", ground}});
}

} // namespace holdfast
