#include "bus/remote_requests.hpp"

#include "bus/options.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>

#include <fmt/format.h>

namespace holdfast {

namespace {

constexpr std::size_t maxName = 256;
constexpr std::size_t maxPath = 4096;

nlohmann::json question(const char* ask, const Settings& settings) {
    nlohmann::json request = nlohmann::json::object();
    request["ask"] = ask;
    request["rcloneConfig"] = settings.rcloneConfig.string();
    return request;
}

std::string textOf(const nlohmann::json& answer, const char* key) {
    const auto found = answer.find(key);
    return found != answer.end() && found->is_string() ? busText(found->get_ref<const std::string&>()) : "";
}

bool boolOf(const nlohmann::json& answer, const char* key) {
    const auto found = answer.find(key);
    return found != answer.end() && found->is_boolean() && found->get<bool>();
}

std::uint64_t sizeOf(const nlohmann::json& answer, const char* key) {
    const auto found = answer.find(key);
    const bool known = found != answer.end() && found->is_number_integer() && found->get<std::int64_t>() >= 0;
    return known ? found->get<std::uint64_t>() : 0;
}

std::vector<std::string> listOf(const nlohmann::json& answer, const char* key) {
    std::vector<std::string> list;
    const auto found = answer.find(key);
    if (found == answer.end() || !found->is_array()) return list;
    for (const auto& item : *found) {
        if (item.is_string()) list.push_back(busText(item.get_ref<const std::string&>()));
    }
    return list;
}

} // namespace

void requireRemoteName(const std::string& name) {
    if (!name.empty() && name.size() <= maxName) return;
    throw InvalidArgs(fmt::format("The name of a remote has 1 to {} bytes.", maxName));
}

void requireBelowRemote(const std::string& path) {
    const std::filesystem::path parts(path);
    const bool climbs = std::find(parts.begin(), parts.end(), "..") != parts.end();
    if (!parts.is_absolute() && !climbs && path.size() <= maxPath) return;
    throw InvalidArgs("\"path\" is below the remote: no leading /, no \"..\".");
}

VariantMap remoteReport(const nlohmann::json& answer) {
    VariantMap report;
    report.emplace("type", sdbus::Variant{textOf(answer, "type")});
    // Why it is not writable. "error" in an answer means that the whole question failed, and is thrown.
    report.emplace("error", sdbus::Variant{textOf(answer, "problem")});
    report.emplace("notice", sdbus::Variant{textOf(answer, "notice")});
    for (const char* key : {"streams", "writable", "deletable"})
        report.emplace(key, sdbus::Variant{boolOf(answer, key)});
    for (const char* key : {"total", "used", "free"}) report.emplace(key, sdbus::Variant{sizeOf(answer, key)});
    report.emplace("hashes", sdbus::Variant{listOf(answer, "hashes")});
    return report;
}

awaitable<std::vector<RemoteRequests::RemoteRow>> RemoteRequests::remotes() {
    const nlohmann::json answer = co_await services_.prober.ask(question("remotes", services_.demandSettings()));
    std::vector<RemoteRow> rows;
    for (const auto& row : answer.at("remotes")) {
        rows.emplace_back(busText(row.at(0).get<std::string>()), busText(row.at(1).get<std::string>()));
    }
    co_return rows;
}

Reply<std::vector<RemoteRequests::RemoteRow>> RemoteRequests::list(Caller caller, VariantMap options) {
    refuseOptions(options);
    co_await services_.polkit.authorize(caller, action::manageRemotes, Details{});
    const auto ticket = services_.probes.take(services_.polkit.uidOf(caller));
    co_return std::tuple{co_await remotes()};
}

Reply<VariantMap> RemoteRequests::check(Caller caller, std::string name, VariantMap optionMap) {
    Options options(std::move(optionMap));
    const std::string path = options.text("path", maxPath).value_or("");
    options.refuseRest();
    requireBelowRemote(path);
    requireRemoteName(name);
    Details details;
    details.emplace("destination", busText(fmt::format("{}:{}", name, path)));
    co_await services_.polkit.authorize(caller, action::manageRemotes, std::move(details));
    const auto ticket = services_.probes.take(services_.polkit.uidOf(caller));

    // rclone itself would take ":local:/etc" or a path for a remote; only configured ones are.
    const auto known = co_await remotes();
    const bool configured =
        std::any_of(known.begin(), known.end(), [&](const auto& row) { return std::get<0>(row) == name; });
    if (!configured) {
        throw NoSuchRemote(
            fmt::format("There is no remote \"{}\" in {}.", name, services_.demandSettings().rcloneConfig.string()));
    }
    nlohmann::json request = question("remote", services_.demandSettings());
    request["remote"] = name;
    request["path"] = path;
    request["write"] = true;
    co_return std::tuple{remoteReport(co_await services_.prober.ask(std::move(request)))};
}

} // namespace holdfast
