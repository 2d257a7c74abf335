#include "run/ledger.hpp"

#include "run/ledger_file.hpp"

#include "util/error.hpp"
#include "util/file.hpp"
#include "util/json.hpp"

#include <sstream>

#include <fcntl.h>
#include <fmt/format.h>

namespace holdfast {

namespace {

constexpr std::size_t maxLedger = 16 * 1024 * 1024;

nlohmann::json toJson(const LedgerHeader& h) {
    return {{"version", 1},
            {"id", h.id},
            {"job", h.job},
            {"host", h.host},
            {"rcloneConfig", h.rcloneConfig},
            {"outputPath", h.outputPath},
            {"kind", h.kind},
            {"sourceType", h.sourceType},
            {"maxAttempts", h.maxAttempts},
            {"cleanupOnFailure", h.cleanupOnFailure},
            {"startedAt", h.startedAt}};
}

LedgerHeader headerFromJson(const nlohmann::json& json) {
    if (json.at("version") != 1) throw Error("It was written by another version of Holdfast.");
    return {.id = json.at("id"),
            .job = json.at("job"),
            .host = json.at("host"),
            .rcloneConfig = json.at("rcloneConfig"),
            .outputPath = json.at("outputPath"),
            .kind = json.at("kind"),
            .sourceType = json.at("sourceType"),
            .maxAttempts = natural<std::uint32_t>(json, "maxAttempts"),
            .cleanupOnFailure = json.at("cleanupOnFailure"),
            .startedAt = natural<USec>(json, "startedAt")};
}

const char* toString(OnCommit onCommit) {
    if (onCommit == OnCommit::Keep) return "keep";
    return onCommit == OnCommit::Finish ? "finish" : "undo";
}

OnCommit onCommitFrom(const std::string& name) {
    for (const auto known : {OnCommit::Undo, OnCommit::Keep, OnCommit::Finish}) {
        if (name == toString(known)) return known;
    }
    throw Error(fmt::format("It has an entry that is to be \"{}\" once the run is committed.", name));
}

Fd openLedger(const std::filesystem::path& path, int flags) {
    Fd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | flags, 0600));
    if (!fd) throwErrno("open the ledger " + path.string());
    return fd;
}

} // namespace

Ledger::Ledger(std::filesystem::path path, Fd fd, LedgerHeader header)
    : path_(std::move(path)), fd_(std::move(fd)), header_(std::move(header)) {}

bool hasLedger(const std::filesystem::path& path) {
    return std::filesystem::exists(path) && std::filesystem::file_size(path) > 0;
}

Ledger Ledger::create(const std::filesystem::path& path, LedgerHeader header) {
    if (hasLedger(path)) throw std::system_error(EEXIST, std::generic_category(), "make the ledger " + path.string());
    Ledger ledger(path, openLedger(path, O_CREAT), std::move(header));
    ledger.append(toJson(ledger.header_));
    syncFolder(path.parent_path());
    return ledger;
}

Ledger Ledger::open(const std::filesystem::path& path) {
    const auto text = readFile(path, maxLedger);
    // A crash cuts only the last line short, and what it announced was never done.
    const auto whole = text.substr(0, text.rfind('\n') + 1);
    std::istringstream lines(whole);
    std::string line;
    std::getline(lines, line);
    try {
        Ledger ledger(path, openLedger(path, 0), headerFromJson(nlohmann::json::parse(line)));
        while (std::getline(lines, line)) ledger.replay(nlohmann::json::parse(line));
        if (whole.size() < text.size() && ::ftruncate(ledger.fd_.get(), static_cast<off_t>(whole.size())) < 0) {
            throwErrno("cut the ledger " + path.string());
        }
        return ledger;
    } catch (const nlohmann::json::exception& e) {
        throw Error(fmt::format("The ledger {} cannot be read: {}", path.string(), e.what()));
    } catch (const Error& e) {
        throw Error(fmt::format("The ledger {} cannot be read: {}", path.string(), e.what()));
    }
}

void Ledger::append(const nlohmann::json& line) { appendDurably(fd_.get(), line.dump() + "\n"); }

void Ledger::replay(const nlohmann::json& line) {
    const std::string op = line.at("op");
    if (op == "acquire") {
        entries_.push_back({natural<std::uint64_t>(line, "number"), line.at("kind"), line.at("what"),
                            line.at("keep") ? OnFailure::Keep : OnFailure::Undo,
                            onCommitFrom(line.value("onCommit", "undo"))});
        next_ = entries_.back().number + 1;
    } else if (op == "committed") {
        committed_ = true;
    } else if (op == "verdict") {
        line.at("error").get_to(verdict_);
    } else if (op == "released" || op == "kept") {
        const auto number = natural<std::uint64_t>(line, "number");
        std::erase_if(entries_, [&](const LedgerEntry& entry) { return entry.number == number; });
        if (op == "kept") kept_.push_back(line.at("why"));
    } else {
        throw Error(fmt::format("It has an entry of unknown kind \"{}\".", op));
    }
}

std::uint64_t Ledger::acquire(std::string kind, nlohmann::json what, OnFailure onFailure, OnCommit onCommit) {
    const auto number = next_;
    const nlohmann::json line{{"op", "acquire"},
                              {"number", number},
                              {"kind", std::move(kind)},
                              {"what", std::move(what)},
                              {"keep", onFailure == OnFailure::Keep},
                              {"onCommit", toString(onCommit)}};
    append(line);
    replay(line);
    return number;
}

void Ledger::released(std::uint64_t number) {
    const nlohmann::json line{{"op", "released"}, {"number", number}};
    append(line);
    replay(line);
}

void Ledger::kept(std::uint64_t number, const std::string& why) {
    const nlohmann::json line{{"op", "kept"}, {"number", number}, {"why", why}};
    append(line);
    replay(line);
}

void Ledger::committed() {
    if (committed_) return;
    const nlohmann::json line{{"op", "committed"}};
    append(line);
    replay(line);
}

void Ledger::verdict(const std::string& error) {
    const nlohmann::json line{{"op", "verdict"}, {"error", error}};
    append(line);
    replay(line);
}

std::vector<LedgerEntry> Ledger::outstanding() const { return {entries_.rbegin(), entries_.rend()}; }

void Ledger::close() {
    if (!entries_.empty()) throw std::logic_error("a ledger with outstanding entries must stay");
    // First, as in the unit of a run the file alone is writable, and cannot be removed.
    if (::ftruncate(fd_.get(), 0) < 0 || ::fsync(fd_.get()) < 0) throwErrno("empty the ledger " + path_.string());
    if (::unlink(path_.c_str()) == 0) syncFolder(path_.parent_path());
}

} // namespace holdfast
