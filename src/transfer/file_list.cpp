#include "transfer/file_list.hpp"

#include "util/async.hpp"
#include "util/error.hpp"
#include "util/json.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

namespace holdfast {

namespace {

constexpr int exitDirectoryNotFound = 3;
constexpr std::size_t longestLine = 1024 * 1024;

std::vector<std::string> lsjson(const Listing& listing) {
    std::vector<std::string> arguments{"lsjson", "--recursive", "--files-only", "--no-mimetype", "--no-modtime"};
    if (!listing.hash.empty()) arguments.insert(arguments.end(), {"--hash", "--hash-type", listing.hash});
    arguments.insert(arguments.end(), listing.options.begin(), listing.options.end());
    arguments.insert(arguments.end(), {"--", listing.folder});
    return arguments;
}

awaitable<void> readList(asio::posix::stream_descriptor& from, std::string hash, std::string doing, FileList& files) {
    asio::streambuf buffer(longestLine);
    std::istream lines(&buffer);
    boost::system::error_code ended;
    while (true) {
        co_await asio::async_read_until(from, buffer, '\n', asio::redirect_error(asio::use_awaitable, ended));
        if (ended) break;
        std::string line;
        std::getline(lines, line);
        takeListedLine(std::move(line), hash, files, doing);
    }
    std::string rest;
    std::getline(lines, rest);
    takeListedLine(std::move(rest), hash, files, doing);
}

} // namespace

std::uint64_t totalSize(const FileList& files) {
    std::uint64_t total = 0;
    for (const auto& [path, file] : files) total += file.size;
    return total;
}

awaitable<FileList> listFiles(const Rclone& rclone, Listing listing, std::chrono::microseconds deadline) {
    const auto executor = co_await asio::this_coro::executor;
    auto pipe = makePipe();
    auto spec = rclone.command(lsjson(listing));
    spec.out = pipe.write.get();
    Child child(executor, spec);
    pipe.write.reset();
    asio::posix::stream_descriptor from(executor, pipe.read.release());

    FileList files;
    auto doing = fmt::format("list {}", listing.folder);
    auto reading = readList(from, listing.hash, std::move(doing), files);
    co_await withDeadline(std::move(reading), deadline, fmt::format("Listing {} took too long.", listing.folder));
    const auto status = co_await child.wait();
    if (status.code() == exitDirectoryNotFound) co_return FileList{};
    if (!status.ok()) throw rcloneFailure("list " + listing.folder, status, child.errorTail());
    co_return files;
}

std::string serialize(const FileList& files) {
    std::string text;
    for (const auto& [path, file] : files) {
        text += nlohmann::json{{"path", path}, {"size", file.size}, {"hash", file.hash}}.dump();
        text += '\n';
    }
    return text;
}

FileList parseFileList(const std::string& text) {
    FileList files;
    std::istringstream lines(text);
    try {
        for (std::string line; std::getline(lines, line);) {
            const auto json = nlohmann::json::parse(line);
            ListedFile file;
            readNatural(json, "size", file.size);
            json.at("hash").get_to(file.hash);
            files[json.at("path").get<std::string>()] = std::move(file);
        }
    } catch (const nlohmann::json::exception& e) {
        throw Error(fmt::format("This is not a list of files: {}", e.what()));
    }
    return files;
}

std::vector<std::string> differences(const FileList& wanted, const FileList& found) {
    std::vector<std::string> sentences;
    for (const auto& [path, file] : wanted) {
        const auto at = found.find(path);
        if (at == found.end()) {
            sentences.push_back(fmt::format("{} is missing.", path));
        } else if (at->second.size != file.size) {
            sentences.push_back(fmt::format("{} has {} bytes, and should have {}.", path, at->second.size, file.size));
        } else if (!file.hash.empty() && !at->second.hash.empty() && at->second.hash != file.hash) {
            sentences.push_back(fmt::format("{} has other content: its hash is {}, and should be {}.", path,
                                            at->second.hash, file.hash));
        }
    }
    return sentences;
}

} // namespace holdfast
