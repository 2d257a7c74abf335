#include "holdfastctl/commands.hpp"
#include "holdfastctl/exit_status.hpp"
#include "util/format.hpp"

#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace holdfast::ctl {

using nlohmann::json;

namespace {

std::string yesNo(const json& report, const char* key) {
    if (!report.contains(key)) return "";
    return report.value(key, false) ? "yes" : "no";
}

std::string space(const json& report, const char* key) {
    const auto bytes = report.value(key, std::uint64_t{0});
    return bytes == 0 ? "" : formatBytes(bytes);
}

/// Where rclone has the remotes of whoever runs this; empty if there is no such file.
std::string ownConfiguration() {
    const char* home = std::getenv("HOME");
    const char* config = std::getenv("XDG_CONFIG_HOME");
    if (home == nullptr && config == nullptr) return "";
    const auto folder = config != nullptr ? std::filesystem::path(config) : std::filesystem::path(home) / ".config";
    const auto file = folder / "rclone" / "rclone.conf";
    std::error_code none;
    return std::filesystem::exists(file, none) ? file.string() : "";
}

/// What `rclone config` has made is not what Holdfast reads.
void hintAtOwnRemotes(Output& out) {
    const auto own = ownConfiguration();
    out.hint(
        fmt::format("There are no remotes. Holdfast has rclone's configuration for itself, /etc/holdfast/rclone.conf "
                    "unless its settings name another file: 'rclone --config /etc/holdfast/rclone.conf config' "
                    "makes one there.{}",
                    own.empty() ? "" : fmt::format(" Those in {} are yours: copy what is wanted.", own)));
}

} // namespace

int listRemotes(Context& context) {
    const auto remotes = context.client.remotes();
    if (context.out.json()) {
        json list = json::array();
        for (const auto& remote : remotes) list.push_back({{"name", remote.name}, {"type", remote.type}});
        context.out.document(list);
        return exitWith::done;
    }
    if (remotes.empty()) {
        hintAtOwnRemotes(context.out);
        return exitWith::done;
    }
    std::vector<std::vector<std::string>> rows;
    for (const auto& remote : remotes) rows.push_back({remote.name, remote.type});
    context.out.table({"REMOTE", "TYPE"}, rows);
    return exitWith::done;
}

int checkRemote(Context& context, const std::string& name, const std::optional<std::string>& path) {
    const auto report = context.client.checkRemote(name, path);
    const bool usable = report.value("error", "").empty() && report.value("writable", true);
    if (context.out.json()) {
        context.out.document(report);
    } else {
        context.out.fields({
            {"Remote", name},
            {"Type", report.value("type", "")},
            {"Takes streams", yesNo(report, "streams")},
            {"Hashes", fmt::format("{}", fmt::join(report.value("hashes", std::vector<std::string>{}), ", "))},
            {"Total", space(report, "total")},
            {"Used", space(report, "used")},
            {"Free", space(report, "free")},
            {"Writable", yesNo(report, "writable")},
            {"May delete", report.value("writable", false) ? yesNo(report, "deletable") : ""},
            {"Notice", report.value("notice", "")},
            {"Error", report.value("error", "")},
        });
    }
    return usable ? exitWith::done : exitWith::failed;
}

} // namespace holdfast::ctl
