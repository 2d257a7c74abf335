#include "backups_probe.hpp"

#include "transfer/backups.hpp"

#include <algorithm>
#include <limits>

#include <nlohmann/json.hpp>

namespace holdfast {

namespace {

void describeContent(nlohmann::json& row, const Manifest& m) {
    std::uint64_t size = 0;
    for (const auto& object : m.objects) size += object.size;
    row["Size"] = m.copy ? m.copy->bytes : size;
    row["Format"] = m.copy ? "copy" : m.stream->format;
    if (m.copy) row["Layout"] = m.copy->layout;
    if (m.copy) row["Files"] = m.copy->files;
    for (const auto& [field, name] : {std::pair{"dataset", "Dataset"}, std::pair{"snapshot", "Snapshot"}}) {
        if (m.sourceFields.is_object() && m.sourceFields.contains(field)) row[name] = m.sourceFields[field];
    }
}

/// As text, which is how a job is created.
void describeJob(nlohmann::json& row, const Manifest& m) {
    if (!m.jobDocument.is_object()) return;
    row["JobDocument"] = m.jobDocument.dump(2, ' ', true);
    row["JobDocumentLacks"] = m.jobDocumentLacks;
}

/// Which increments hang on which full one, and whether all links of the chain are there.
void describeChain(nlohmann::json& row, const std::vector<StoredBackup>& backups, const StoredBackup& backup) {
    try {
        const auto chain = chainOf(backups, backup);
        row["Depth"] = chain.size() - 1;
        row["FullRun"] = chain.front()->manifest->run;
        if (chain.size() > 1) row["BaseRun"] = chain[chain.size() - 2]->manifest->run;
    } catch (const Error& e) {
        row["Error"] = e.what();
    }
}

nlohmann::json rowOf(const std::vector<StoredBackup>& backups, const StoredBackup& backup) {
    nlohmann::json row{{"Manifest", backup.manifestName}, {"Error", backup.problem}};
    if (!backup.manifest) return row;
    const auto& m = *backup.manifest;
    row.update({{"Run", m.run},
                {"Job", m.job},
                {"Host", m.machine.host},
                {"Own", isMadeBy(m, thisMachine())},
                {"Future", isOfTheFuture(m.startedAt, nowUSec())},
                {"Source", m.source},
                {"StartedAt", m.startedAt},
                {"FinishedAt", m.finishedAt}});
    describeContent(row, m);
    describeChain(row, backups, backup);
    return row;
}

/// Of a manifest that cannot be read, its name is all that there is to go by.
bool wanted(const StoredBackup& backup, const std::string& job, const std::string& run) {
    if (!job.empty() && !isNamedAfter(backup, job)) return false;
    if (run.empty()) return true;
    if (backup.manifest) return backup.manifest->run.starts_with(run);
    return backup.manifestName.find("-" + run.substr(0, 8)) != std::string::npos;
}

} // namespace

awaitable<nlohmann::json> listBackups(const Rclone& rclone, nlohmann::json request, std::filesystem::path scratch) {
    const auto folder = request.at("remote").get<std::string>() + ":" + request.at("path").get<std::string>();
    const auto backups = co_await readBackups(rclone, folder, std::move(scratch));
    const auto job = request.value("job", "");
    const auto run = request.value("run", "");
    const bool withJob = request.value("withJob", false);
    auto skip = request.value("offset", std::uint64_t{0});
    auto left = request.value("limit", std::numeric_limits<std::uint64_t>::max());
    auto rows = nlohmann::json::array();
    for (const auto& backup : backups) {
        if (!wanted(backup, job, run)) continue;
        if (skip > 0) {
            --skip;
        } else if (left > 0) {
            --left;
            rows.push_back(rowOf(backups, backup));
            if (withJob && backup.manifest) describeJob(rows.back(), *backup.manifest);
        }
    }
    nlohmann::json answer;
    answer["backups"] = std::move(rows);
    co_return answer;
}

awaitable<nlohmann::json> listBackupFolders(const Rclone& rclone, nlohmann::json request) {
    const auto path = request.at("path").get<std::string>();
    const auto top = request.at("remote").get<std::string>() + ":" + path;
    auto folders = nlohmann::json::array();
    const auto manifests = co_await rclone.findBelow(top, std::string("*") + manifestSuffix);
    for (const auto& folder : foldersWithManifests(manifests)) {
        const char* slash = path.empty() || folder.empty() ? "" : "/";
        folders.push_back(path + slash + folder);
    }
    nlohmann::json answer;
    answer["folders"] = std::move(folders);
    co_return answer;
}

} // namespace holdfast
