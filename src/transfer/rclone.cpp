#include "transfer/rclone.hpp"

#include "transfer/digest.hpp"
#include "util/async.hpp"
#include "util/held_path.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <sstream>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

namespace holdfast {

using namespace std::chrono_literals;

namespace {

constexpr auto askDeadline = 2min;
constexpr auto longestPurge = 1h; // one request a file, on most remotes
constexpr int exitDirectoryNotFound = 3;
constexpr int exitFileNotFound = 4;

bool notFound(const ExitStatus& status) {
    return status.code() == exitDirectoryNotFound || status.code() == exitFileNotFound;
}

bool hasStamp(std::string_view line) { return line.size() > 20 && line[4] == '/' && line[7] == '/' && line[13] == ':'; }

/// "2026/11/23 13:39:55 ERROR : text" → "text": the journal has the time already.
std::string withoutStamp(std::string_view line) {
    if (hasStamp(line)) line.remove_prefix(20);
    for (const std::string_view level : {"CRITICAL: ", "ERROR : ", "NOTICE: "}) {
        if (line.starts_with(level)) line.remove_prefix(level.size());
    }
    return std::string(line);
}

/// Of a line of --use-json-log; nothing of one that has statistics.
std::string messageIn(const std::string& line) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object()) return line;
    if (json.contains("stats")) return {};
    const auto object = json.value("object", "");
    return object.empty() ? json.value("msg", "") : fmt::format("{}: {}", object, json.value("msg", ""));
}

/// The last thing that it said, whole: what S3 answers takes several lines, of which the first has the reason.
std::string lastWords(const std::string& errorTail) {
    constexpr std::size_t longest = 1000;
    std::vector<std::string> words;
    std::istringstream lines(errorTail);
    for (std::string line; std::getline(lines, line);) {
        const auto begin = line.find_first_not_of(" \t\r");
        if (begin == std::string::npos) continue;
        const bool json = line.front() == '{';
        auto text = json ? messageIn(line) : withoutStamp(line.substr(begin));
        if (text.empty()) continue;
        if (json || hasStamp(line)) words.clear();
        words.push_back(std::move(text));
    }
    auto text = fmt::format("{}", fmt::join(words, " "));
    if (text.size() > longest) text = text.substr(0, longest) + "…";
    while (text.ends_with('.') || text.ends_with(' ')) text.pop_back();
    return text;
}

/// What rclone's own words do not say, or advise wrongly here.
std::string explanationOf(const std::string& words) {
    if (words.find("RCLONE_CONFIG_PASS") != std::string::npos) {
        return "rclone's configuration is encrypted, and there is nobody to ask for its password when a job runs. Take "
               "the password away (\"rclone config\", then s); only root may read the file";
    }
    if (words.find("/var/lib/holdfast/") != std::string::npos && words.find("no such file") != std::string::npos) {
        return words + " (\"~\" in rclone's configuration stands for /var/lib/holdfast, the home of the service; write "
                       "whole paths there)";
    }
    return words;
}

/// A proxy is told to every program by its environment; ours hand on what systemd has given us (DefaultEnvironment=).
std::vector<std::string> proxies() {
    std::vector<std::string> variables;
    for (const char* name : {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}) {
        if (const char* value = std::getenv(name)) variables.push_back(fmt::format("{}={}", name, value));
    }
    return variables;
}

/// A function, since g++ 12 cannot keep an initializer list alive across a co_await.
template<typename... Words>
std::vector<std::string> arguments(Words&&... words) {
    return {std::forward<Words>(words)...};
}

/// Conditions that no second attempt changes. Texts of rclone and of the systems under it, lower case.
bool permanent(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    static constexpr std::array marks{"didn't find section in config file",
                                      "didn't find backend",
                                      "permission denied",
                                      "read-only file system",
                                      "no space left on device",
                                      "file too big for remaining disk space",
                                      "disk quota exceeded",
                                      "quota exceeded",
                                      "accessdenied",
                                      "access denied",
                                      "invalidaccesskeyid",
                                      "signaturedoesnotmatch",
                                      "nosuchbucket",
                                      "unauthorized",
                                      "invalid_grant",
                                      "failed to load config",
                                      "is a directory",
                                      "not a directory",
                                      "file name too long",
                                      "couldn't decrypt",
                                      "unable to decrypt"};
    return std::any_of(marks.begin(), marks.end(),
                       [&](const char* mark) { return text.find(mark) != std::string::npos; });
}

/// Of `rclone backend`: the remote's type has none of that name.
bool noSuchCommand(const ChildOutput& answer) {
    return answer.errorTail.find("command not found") != std::string::npos ||
           answer.errorTail.find("doesn't support backend commands") != std::string::npos;
}

} // namespace

TransferError rcloneFailure(const std::string& doing, const ExitStatus& status, const std::string& errorTail) {
    constexpr int exitUsage = 2, exitNoRetry = 6, exitFatal = 7;
    const std::string words = explanationOf(lastWords(errorTail));
    const auto message = words.empty() ? fmt::format("Could not {}: rclone {}.", doing, status.describe())
                         : status.signal()
                             ? fmt::format("Could not {}: rclone {} ({}).", doing, status.describe(), words)
                             : fmt::format("Could not {}: {}.", doing, words);
    const int code = status.code();
    const bool final = code == exitUsage || code == exitNoRetry || code == exitFatal || notFound(status);
    return {message, !final && !permanent(errorTail)};
}

void Rclone::refuseOthersConfig() const {
    if (::geteuid() != 0) return;
    try {
        static_cast<void>(hold(config_, Owners::Root));
    } catch (const NoSuchPath&) {
        // rclone says what that means for the call.
    } catch (const Error& e) {
        throw TransferError(
            fmt::format("Who can change rclone's configuration chooses programs that run as root. {}", e.what()),
            false);
    }
}

Rclone Rclone::keeping(std::vector<int> descriptors) const {
    Rclone other = *this;
    other.keep_ = std::move(descriptors);
    return other;
}

ChildSpec Rclone::command(std::vector<std::string> arguments) const {
    refuseOthersConfig();
    // Without --ask-password=false an encrypted configuration would wait for a password for ever.
    // A bucket that is not there is a mistake in a name, and not to be made.
    ChildSpec spec{.argv = {"rclone", "--config", config_.string(), "--ask-password=false", "--s3-no-check-bucket"},
                   .environment = proxies(),
                   .keep = keep_};
    spec.environment.emplace_back("XDG_CACHE_HOME=/var/lib/holdfast/cache");
    spec.argv.insert(spec.argv.end(), patience_.begin(), patience_.end());
    spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
    return spec;
}

Rclone Rclone::hurried(std::chrono::seconds longest) const {
    auto other = *this;
    other.patience_ = {"--contimeout=5s", "--timeout=10s", "--low-level-retries=1", "--retries=1"};
    other.longest_ = longest;
    return other;
}

awaitable<ChildOutput> Rclone::ask(std::vector<std::string> arguments, std::chrono::microseconds deadline,
                                   std::string input, std::size_t limit) const {
    if (longest_) deadline = std::min<std::chrono::microseconds>(deadline, *longest_);
    try {
        co_return co_await runChild(command(std::move(arguments)), deadline, std::move(input), limit);
    } catch (const Error& e) {
        throw TransferError(e.what(), true);
    }
}

awaitable<RemoteFeatures> Rclone::features(std::string remote) const {
    const auto doing = fmt::format("ask what the remote \"{}\" can do", remote);
    const auto answer = co_await ask(arguments("backend", "features", "--", remote + ":"), askDeadline);
    if (!answer.status.ok()) throw rcloneFailure(doing, answer.status, answer.errorTail);
    co_return parseFeatures(answer.out, doing);
}

awaitable<std::optional<RemoteObject>> Rclone::stat(std::string object, std::string hash,
                                                    std::chrono::microseconds deadline) const {
    auto lsjson = hash.empty() ? arguments("lsjson", "--stat", "--", object)
                               : arguments("lsjson", "--stat", "--hash", "--hash-type", hash, "--", object);
    const std::chrono::microseconds limit = hash.empty() ? askDeadline : deadline;
    const auto answer = co_await ask(std::move(lsjson), limit);
    if (notFound(answer.status)) co_return std::nullopt;
    const auto doing = fmt::format("look at {}", object);
    if (!answer.status.ok()) throw rcloneFailure(doing, answer.status, answer.errorTail);
    co_return parseStat(answer.out, hash, doing);
}

awaitable<std::vector<FolderEntry>> Rclone::list(std::string folder, std::string pattern) const {
    auto found = co_await listIfThere(std::move(folder), std::move(pattern));
    std::vector<FolderEntry> files;
    if (found) files = std::move(*found);
    co_return files;
}

awaitable<std::optional<std::vector<FolderEntry>>> Rclone::listIfThere(std::string folder, std::string pattern) const {
    const auto answer = co_await ask(
        arguments("lsjson", "--files-only", "--no-modtime", "--no-mimetype", "--include", "/" + pattern, "--", folder),
        askDeadline);
    if (notFound(answer.status)) co_return std::nullopt;
    const auto doing = fmt::format("list {}", folder);
    if (!answer.status.ok()) throw rcloneFailure(doing, answer.status, answer.errorTail);
    co_return parseFolder(answer.out, doing);
}

awaitable<std::vector<std::string>> Rclone::findBelow(std::string folder, std::string pattern) const {
    const auto answer = co_await ask(arguments("lsjson", "--recursive", "--fast-list", "--files-only", "--no-modtime",
                                               "--no-mimetype", "--include", pattern, "--", folder),
                                     askDeadline);
    if (notFound(answer.status)) co_return std::vector<std::string>{};
    const auto doing = fmt::format("list what lies below {}", folder);
    if (!answer.status.ok()) throw rcloneFailure(doing, answer.status, answer.errorTail);
    co_return parsePaths(answer.out, doing);
}

awaitable<std::vector<FolderEntry>> Rclone::entries(std::string folder) const {
    const auto answer = co_await ask(arguments("lsjson", "--no-modtime", "--no-mimetype", "--", folder), askDeadline);
    if (notFound(answer.status)) co_return std::vector<FolderEntry>{};
    const auto doing = fmt::format("list {}", folder);
    if (!answer.status.ok()) throw rcloneFailure(doing, answer.status, answer.errorTail);
    co_return parseFolder(answer.out, doing);
}

awaitable<std::string> Rclone::fetch(std::string folder, std::vector<std::string> names,
                                     std::filesystem::path to) const {
    std::string list;
    for (const auto& name : names) list += name + "\n";
    const auto answer = co_await ask(arguments("copy", "--files-from-raw=-", "--no-traverse", "--transfers=16",
                                               "--retries=1", "--", folder, to.string()),
                                     askDeadline, list);
    std::string failure;
    if (answer.status.ok()) co_return failure;
    const auto error = rcloneFailure(fmt::format("read all of {}", folder), answer.status, answer.errorTail);
    if (!std::filesystem::exists(to) || std::filesystem::is_empty(to)) throw error;
    failure = error.what();
    co_return failure;
}

awaitable<std::optional<std::string>> Rclone::read(std::string object, std::size_t limit) const {
    // One byte more than may be, so that a larger object is told from one of exactly that size.
    auto cat = arguments("cat", "--count", std::to_string(limit + 1), "--", object);
    const auto answer = co_await ask(std::move(cat), askDeadline, {}, limit + 1);
    if (notFound(answer.status)) co_return std::nullopt;
    if (!answer.status.ok()) throw rcloneFailure(fmt::format("read {}", object), answer.status, answer.errorTail);
    if (answer.out.size() > limit) throw TransferError(fmt::format("{} is larger than it may be.", object), false);
    co_return answer.out;
}

awaitable<std::optional<RemoteObject>> Rclone::readBack(std::string object, std::chrono::microseconds deadline) const {
    const auto executor = co_await asio::this_coro::executor;
    auto pipe = makePipe(1024 * 1024);
    // Without its read-ahead buffers: a local disk needs none, and copying through them costs a third of the speed.
    auto spec = command(arguments("cat", "--buffer-size=0", "--", object));
    spec.out = pipe.write.get();
    Child child(executor, spec);
    pipe.write.reset();
    asio::posix::stream_descriptor from(executor, pipe.read.release());

    RemoteObject found;
    Digest digest("SHA256");
    auto readAll = [&]() -> awaitable<void> {
        std::vector<char> buffer(256 * 1024);
        boost::system::error_code ended;
        while (!ended) {
            const auto got =
                co_await from.async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, ended));
            digest.add({buffer.data(), got});
            found.size += got;
        }
    };
    auto reading = readAll();
    co_await withDeadline(std::move(reading), deadline, fmt::format("Reading {} back took too long.", object));
    const auto status = co_await child.wait();
    if (notFound(status)) co_return std::nullopt;
    if (!status.ok()) throw rcloneFailure(fmt::format("read {} back", object), status, child.errorTail());
    found.hash = digest.finish();
    co_return found;
}

awaitable<void> Rclone::write(std::string object, std::string content) const {
    const auto doing = fmt::format("write {}", object);
    const auto answer = co_await ask(arguments("rcat", "--", object), askDeadline, content);
    if (!answer.status.ok()) throw rcloneFailure(doing, answer.status, answer.errorTail);
    const auto written = co_await read(object, content.size());
    if (written != content) {
        throw TransferError(fmt::format("Could not {}: what was read back differs.", doing), true);
    }
}

awaitable<void> Rclone::remove(std::string object) const {
    const auto before = co_await stat(object);
    if (!before) co_return;
    const auto answer = co_await ask(arguments("deletefile", "--", object), askDeadline);
    if (answer.status.ok()) co_return;
    const auto failure = rcloneFailure(fmt::format("remove {}", object), answer.status, answer.errorTail);
    const auto after = co_await stat(object);
    if (!after) co_return; // somebody else was faster
    throw failure;
}

awaitable<void> Rclone::purge(std::string folder) const {
    const auto answer = co_await ask(arguments("purge", "--", folder), longestPurge);
    if (answer.status.ok() || notFound(answer.status)) co_return;
    throw rcloneFailure(fmt::format("remove the folder {}", folder), answer.status, answer.errorTail);
}

awaitable<std::vector<FolderEntry>> Rclone::pendingUploads(std::string folder) const {
    const auto answer = co_await ask(arguments("backend", "list-multipart-uploads", "--", folder), askDeadline);
    if (noSuchCommand(answer)) co_return std::vector<FolderEntry>{};
    const auto doing = fmt::format("ask for unfinished uploads to {}", folder);
    if (!answer.status.ok()) throw rcloneFailure(doing, answer.status, answer.errorTail);
    co_return parsePendingUploads(answer.out, folder, doing);
}

awaitable<void> Rclone::abortUploads(std::string prefix) const {
    const auto answer = co_await ask(arguments("backend", "cleanup", "-o", "max-age=0s", "--", prefix), askDeadline);
    if (answer.status.ok() || noSuchCommand(answer)) co_return;
    throw rcloneFailure(fmt::format("give up unfinished uploads to {}…", prefix), answer.status, answer.errorTail);
}

awaitable<std::map<std::string, std::string>> Rclone::remotes() const {
    const auto answer = co_await ask(arguments("listremotes", "--long"), askDeadline);
    if (!answer.status.ok()) throw rcloneFailure("list the remotes", answer.status, answer.errorTail);
    std::map<std::string, std::string> remotes;
    std::istringstream lines(answer.out);
    for (std::string line; std::getline(lines, line);) { // "name:   type"
        const auto colon = line.rfind(':');
        if (colon == std::string::npos) continue;
        const auto type = line.find_first_not_of(' ', colon + 1);
        remotes[line.substr(0, colon)] = type == std::string::npos ? "" : line.substr(type);
    }
    co_return remotes;
}

awaitable<nlohmann::json> Rclone::about(std::string remote) const {
    const auto answer = co_await ask(arguments("about", "--json", "--", remote + ":"), askDeadline);
    if (!answer.status.ok()) throw rcloneFailure("ask for the space", answer.status, answer.errorTail);
    co_return parseAnswer(answer.out, "ask for the space");
}

awaitable<std::string> Rclone::version() const {
    const auto answer = co_await ask(arguments("version"), askDeadline);
    co_return answer.out.substr(0, answer.out.find('\n'));
}

} // namespace holdfast
