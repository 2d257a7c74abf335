#include "history/history.hpp"

#include "util/error.hpp"
#include "util/fd.hpp"

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sqlite3.h>

namespace holdfast {

namespace {

constexpr int busyTimeoutMs = 5000;
constexpr int schemaVersion = 1;
constexpr std::uint32_t maxPage = 1000;

constexpr const char* schema = R"(
    CREATE TABLE run (
        id       TEXT PRIMARY KEY NOT NULL,
        job      TEXT NOT NULL,
        result   TEXT NOT NULL,
        queuedAt INTEGER NOT NULL,
        entry    TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX run_queuedAt ON run (queuedAt);
    CREATE INDEX run_job ON run (job, queuedAt);
    CREATE INDEX run_result ON run (result, queuedAt);
)";

/// Whether the file itself is at fault, and not the disk, its permissions or our statement.
bool isCorruption(const SQLite::Exception& error) {
    return error.getErrorCode() == SQLITE_CORRUPT || error.getErrorCode() == SQLITE_NOTADB;
}

[[noreturn]] void throwUnusable(const std::filesystem::path& file, const SQLite::Exception& error) {
    throw Error(fmt::format("The history {} cannot be used: {}.", file.string(), error.what()));
}

/// SQLite would make it readable for everyone that the umask lets in.
void createPrivate(const std::filesystem::path& file) {
    const Fd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd) throwErrno("open the history " + file.string());
}

std::string entryText(const HistoryEntry& entry) {
    return nlohmann::json{{"kind", entry.kind},
                          {"unit", entry.unit},
                          {"startedByUid", entry.startedByUid},
                          {"maxAttempts", entry.maxAttempts},
                          {"outputPath", entry.outputPath},
                          {"result", toJson(entry.result)}}
        // Text of other programs (error messages) need not be UTF-8.
        .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// From a row of (id, job, queuedAt, entry).
HistoryEntry readEntry(SQLite::Statement& row) {
    const std::string id = row.getColumn(0).getString();
    try {
        const auto json = nlohmann::json::parse(row.getColumn(3).getString());
        return {.id = id,
                .job = row.getColumn(1).getString(),
                .kind = json.at("kind"),
                .unit = json.at("unit"),
                .startedByUid = json.at("startedByUid"),
                .maxAttempts = json.at("maxAttempts"),
                .queuedAt = static_cast<USec>(row.getColumn(2).getInt64()),
                .outputPath = json.at("outputPath"),
                .result = runResultFromJson(json.at("result"))};
    } catch (const nlohmann::json::exception& e) {
        throw Error(fmt::format("The history's entry of run {} cannot be read: {}", id, e.what()));
    }
}

std::int64_t sqlTime(USec time) { return static_cast<std::int64_t>(std::min<USec>(time, INT64_MAX)); }

std::string conditions(const HistoryFilter& filter) {
    std::string where;
    const auto require = [&](bool wanted, const char* condition) {
        if (wanted) where += (where.empty() ? " WHERE " : " AND ") + std::string(condition);
    };
    require(filter.job.has_value(), "job = :job");
    require(filter.result.has_value(), "result = :result");
    require(filter.since.has_value(), "queuedAt >= :since");
    require(filter.until.has_value(), "queuedAt <= :until");
    require(filter.backupsOnly, "json_extract(entry, '$.kind') IN ('streaming', 'copy')");
    return where;
}

} // namespace

struct History::Impl {
    std::filesystem::path file;
    std::unique_ptr<SQLite::Database> database;

    /// Throws `SQLite::Exception`.
    void open() {
        createPrivate(file);
        database = std::make_unique<SQLite::Database>(file.string(), SQLite::OPEN_READWRITE, busyTimeoutMs);
        database->exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
        check();
        migrate();
    }

    void check() const {
        SQLite::Statement quick(*database, "PRAGMA quick_check(1)");
        if (quick.executeStep() && quick.getColumn(0).getString() == "ok") return;
        throw SQLite::Exception("the integrity check failed", SQLITE_CORRUPT);
    }

    void migrate() const {
        const int version = database->execAndGet("PRAGMA user_version").getInt();
        if (version == schemaVersion) return;
        if (version > schemaVersion) {
            throw Error(fmt::format(
                "The history {} was written by a newer version of Holdfast; move it away or upgrade.", file.string()));
        }
        SQLite::Transaction transaction(*database);
        database->exec(schema);
        database->exec(fmt::format("PRAGMA user_version = {}", schemaVersion));
        transaction.commit();
    }

    /// With its companions, so that sqlite3 can still salvage what is in them. Returns where it lies now.
    std::filesystem::path moveAside() {
        database.reset();
        const std::string base = file.string() + ".corrupt-" + utcStamp(nowUSec());
        std::string aside = base;
        for (int number = 2; std::filesystem::exists(aside); ++number) aside = fmt::format("{}-{}", base, number);
        for (const char* suffix : {"-wal", "-shm", ""}) {
            std::error_code error;
            std::filesystem::rename(file.string() + suffix, aside + suffix, error);
            if (error && error != std::errc::no_such_file_or_directory) {
                throw std::system_error(error, "set aside " + file.string() + suffix);
            }
        }
        return aside;
    }

    void record(const HistoryEntry& entry) const {
        SQLite::Statement insert(*database, "INSERT OR REPLACE INTO run (id, job, result, queuedAt, entry) "
                                            "VALUES (?, ?, ?, ?, ?)");
        insert.bind(1, entry.id);
        insert.bind(2, entry.job);
        insert.bind(3, entry.result.result);
        insert.bind(4, sqlTime(entry.queuedAt));
        insert.bind(5, entryText(entry));
        insert.exec();
    }
};

History::History(const std::filesystem::path& file) : impl_(std::make_unique<Impl>()) {
    impl_->file = file;
    try {
        impl_->open();
        return;
    } catch (const SQLite::Exception& error) {
        if (!isCorruption(error)) throwUnusable(file, error);
    }
    startAfresh();
}

History::~History() = default;

void History::startAfresh() {
    setAside_ = impl_->moveAside();
    try {
        impl_->open();
    } catch (const SQLite::Exception& error) {
        throwUnusable(impl_->file, error);
    }
}

void History::record(const HistoryEntry& entry) {
    try {
        impl_->record(entry);
        return;
    } catch (const SQLite::Exception& error) {
        if (!isCorruption(error)) throwUnusable(impl_->file, error);
    }
    // Found only now; a run's result is worth more than to wait for the next start.
    startAfresh();
    try {
        impl_->record(entry);
    } catch (const SQLite::Exception& error) {
        throwUnusable(impl_->file, error);
    }
}

std::optional<HistoryEntry> History::find(const std::string& id) const {
    try {
        SQLite::Statement query(*impl_->database, "SELECT id, job, queuedAt, entry FROM run WHERE id = ?");
        query.bind(1, id);
        if (!query.executeStep()) return std::nullopt;
        return readEntry(query);
    } catch (const SQLite::Exception& error) {
        throwUnusable(impl_->file, error);
    }
}

std::vector<HistoryEntry> History::list(const HistoryFilter& filter, std::uint32_t limit, std::uint32_t offset) const {
    try {
        SQLite::Statement query(*impl_->database, "SELECT id, job, queuedAt, entry FROM run" + conditions(filter) +
                                                      " ORDER BY queuedAt DESC, id LIMIT :limit OFFSET :offset");
        if (filter.job) query.bind(":job", *filter.job);
        if (filter.result) query.bind(":result", *filter.result);
        if (filter.since) query.bind(":since", sqlTime(*filter.since));
        if (filter.until) query.bind(":until", sqlTime(*filter.until));
        query.bind(":limit", std::min(limit, maxPage));
        query.bind(":offset", offset);
        std::vector<HistoryEntry> entries;
        while (query.executeStep()) entries.push_back(readEntry(query));
        return entries;
    } catch (const SQLite::Exception& error) {
        throwUnusable(impl_->file, error);
    }
}

std::optional<HistoryEntry> History::lastOfJob(const std::string& job) const {
    auto entries = list({.job = job, .result = {}, .since = {}, .until = {}, .backupsOnly = true}, 1, 0);
    if (entries.empty()) return std::nullopt;
    return std::move(entries.front());
}

} // namespace holdfast
