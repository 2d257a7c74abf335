#include "history/history.hpp"

#include "util/error.hpp"
#include "util/fd.hpp"
#include "util/json.hpp"

#include <algorithm>
#include <array>
#include <map>
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
constexpr int schemaVersion = 4;
constexpr std::uint32_t maxPage = 1000;

/// A larger database is not read through when it is opened: what is wrong with it shows when it is met.
constexpr std::uintmax_t maxChecked = 64 << 20;

/// From version 0 (an empty file) to 1, and so on.
constexpr std::array migrations = {
    R"(
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
)",
    R"(
    CREATE INDEX run_job_result ON run (job, result, queuedAt);
)",
    R"(
    CREATE TABLE milestone (
        job        TEXT NOT NULL,
        place      TEXT NOT NULL,
        kind       TEXT NOT NULL,
        run        TEXT NOT NULL,
        result     TEXT NOT NULL,
        finishedAt INTEGER NOT NULL,
        PRIMARY KEY (job, place, kind)
    ) WITHOUT ROWID;
)",
    R"(
    CREATE TABLE proof (
        job    TEXT NOT NULL,
        backup TEXT NOT NULL,
        PRIMARY KEY (job, backup)
    ) WITHOUT ROWID;
)"};

constexpr const char* drillKind = "drill";
constexpr const char* proofKind = "proof";

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
    return compact({{"kind", entry.kind},
                    {"unit", entry.unit},
                    {"startedByUid", entry.startedByUid},
                    {"maxAttempts", entry.maxAttempts},
                    {"outputPath", entry.outputPath},
                    {"result", toJson(entry.result)}});
}

/// Of a row that was damaged, what its other columns say; one such row must not make a whole page fail.
HistoryEntry damagedEntry(SQLite::Statement& row, const std::string& why) {
    HistoryEntry entry;
    entry.id = row.getColumn(0).getString();
    entry.job = row.getColumn(1).getString();
    entry.queuedAt = static_cast<USec>(row.getColumn(2).getInt64());
    entry.result.id = entry.id;
    entry.result.result = row.getColumn(4).getString();
    entry.result.last.state = stateOfResult(entry.result.result);
    entry.result.last.phase = "done";
    entry.result.last.error = fmt::format("What the history knows of this run cannot be read: {}", why);
    return entry;
}

/// From a row of `columns`.
constexpr const char* columns = "id, job, queuedAt, entry, result";
HistoryEntry readEntry(SQLite::Statement& row) {
    try {
        const auto json = nlohmann::json::parse(row.getColumn(3).getString());
        return {.id = row.getColumn(0).getString(),
                .job = row.getColumn(1).getString(),
                .kind = json.at("kind"),
                .unit = json.at("unit"),
                .startedByUid = json.at("startedByUid"),
                .maxAttempts = json.at("maxAttempts"),
                .queuedAt = static_cast<USec>(row.getColumn(2).getInt64()),
                .outputPath = json.at("outputPath"),
                .result = runResultFromJson(json.at("result"))};
    } catch (const nlohmann::json::exception& e) {
        return damagedEntry(row, e.what());
    } catch (const Error& e) {
        return damagedEntry(row, e.what());
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
    SetAside setAside;
    std::unique_ptr<SQLite::Database> database;
    mutable std::map<std::string, SQLite::Statement> statements; ///< of the database, by their text
    std::optional<std::uint64_t> runs;                           ///< at most so many are in it

    /// Counting a million takes its time, so it is done only when there may be too many.
    bool mayHaveMoreThan(std::uint64_t most);

    void close() {
        statements.clear();
        database.reset();
    }

    /// Compiled once: the past of thousands of jobs may be asked for in a row, and to compile takes longer than to
    /// look.
    class Prepared {
      public:
        Prepared(const Impl& impl, const std::string& sql)
            : statement_(impl.statements.try_emplace(sql, *impl.database, sql).first->second) {}
        Prepared(const Prepared&) = delete;
        Prepared& operator=(const Prepared&) = delete;
        ~Prepared() { statement_.tryReset(); } // or it would hold on to what it has read
        SQLite::Statement* operator->() const { return &statement_; }
        SQLite::Statement& operator*() const { return statement_; }

      private:
        SQLite::Statement& statement_;
    };

    /// Does `work` with the database: once more, with a fresh one, if it turns out to be corrupt. Throws `Error`.
    template<typename Work>
    auto with(Work work) {
        try {
            if (!database) open();
            return work();
        } catch (const SQLite::Exception& error) {
            if (!isCorruption(error)) throwUnusable(file, error);
        }
        const auto aside = moveAside();
        if (setAside) setAside(aside);
        try {
            open();
            return work();
        } catch (const SQLite::Exception& error) {
            throwUnusable(file, error);
        }
    }

    /// Throws `SQLite::Exception`.
    void open() {
        createPrivate(file);
        runs.reset();
        database = std::make_unique<SQLite::Database>(file.string(), SQLite::OPEN_READWRITE, busyTimeoutMs);
        try {
            database->exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
            check();
            migrate();
        } catch (...) {
            close(); // the next one to need it tries again
            throw;
        }
    }

    void check() const {
        if (std::filesystem::file_size(file) > maxChecked) return;
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
        for (auto step = static_cast<std::size_t>(version); step < migrations.size(); ++step) {
            database->exec(migrations[step]);
        }
        database->exec(fmt::format("PRAGMA user_version = {}", schemaVersion));
        transaction.commit();
    }

    /// With its companions, so that sqlite3 can still salvage what is in them. Returns where it lies now.
    std::filesystem::path moveAside() {
        close();
        const std::string base = file.string() + ".broken-" + utcStamp(nowUSec());
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
        SQLite::Transaction transaction(*database);
        insertRun(entry);
        if (entry.kind == drillKind) remember(entry, drillKind);
        if (provesNewest(entry)) remember(entry, proofKind);
        insertProof(entry);
        transaction.commit();
    }

    /// A run that failed may have read some backups back whole nevertheless.
    void insertProof(const HistoryEntry& entry) const {
        const auto& metadata = entry.result.last.metadata;
        const auto proven = metadata.is_object() ? metadata.value("proves", "") : "";
        if (proven.empty()) return;
        SQLite::Statement insert(*database, "INSERT OR IGNORE INTO proof (job, backup) VALUES (?, ?)");
        insert.bind(1, entry.job);
        insert.bind(2, proven);
        insert.exec();
    }

    void remember(const HistoryEntry& entry, const char* kind) const {
        SQLite::Statement upsert(*database,
                                 "INSERT INTO milestone (job, place, kind, run, result, finishedAt) "
                                 "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (job, place, kind) DO UPDATE SET "
                                 "run = excluded.run, result = excluded.result, finishedAt = excluded.finishedAt "
                                 "WHERE excluded.finishedAt >= finishedAt");
        upsert.bind(1, entry.job);
        upsert.bind(2, entry.outputPath);
        upsert.bind(3, kind);
        upsert.bind(4, entry.id);
        upsert.bind(5, entry.result.result);
        upsert.bind(6, sqlTime(entry.result.finishedAt));
        upsert.exec();
    }

    [[nodiscard]] std::optional<Milestone> milestone(const std::string& job, const std::string& place,
                                                     const char* kind) const {
        const Prepared query(*this, "SELECT run, result, finishedAt FROM milestone "
                                    "WHERE job = ? AND place = ? AND kind = ?");
        query->bind(1, job);
        query->bind(2, place);
        query->bind(3, kind);
        if (!query->executeStep()) return std::nullopt;
        return Milestone{query->getColumn(0).getString(), query->getColumn(1).getString(),
                         static_cast<USec>(query->getColumn(2).getInt64())};
    }

    void insertRun(const HistoryEntry& entry) const {
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

namespace {

/// Removes the oldest runs for which `condition` holds, but not the last of a job.
std::uint32_t removeOldest(SQLite::Database& database, const std::string& condition, std::uint32_t most) {
    constexpr auto notLast =
        "EXISTS (SELECT 1 FROM run AS newer WHERE newer.job = run.job AND newer.queuedAt > run.queuedAt)";
    SQLite::Statement remove(database, fmt::format("DELETE FROM run WHERE id IN (SELECT id FROM run WHERE {} AND {} "
                                                   "ORDER BY queuedAt LIMIT {})",
                                                   condition, notLast, most));
    return static_cast<std::uint32_t>(remove.exec());
}

std::uint64_t countRuns(SQLite::Database& database) {
    return static_cast<std::uint64_t>(database.execAndGet("SELECT count(*) FROM run").getInt64());
}

} // namespace

bool History::Impl::mayHaveMoreThan(std::uint64_t most) {
    if (runs && *runs <= most) return false;
    runs = countRuns(*database);
    return *runs > most;
}

History::History(const std::filesystem::path& file, SetAside setAside) : impl_(std::make_unique<Impl>()) {
    impl_->file = file;
    impl_->setAside = std::move(setAside);
    impl_->with([] {});
}

History::~History() = default;

void History::record(const HistoryEntry& entry) {
    impl_->with([&] {
        impl_->record(entry);
        if (impl_->runs) ++*impl_->runs;
    });
}

std::optional<HistoryEntry> History::find(const std::string& id) const {
    return impl_->with([&]() -> std::optional<HistoryEntry> {
        SQLite::Statement query(*impl_->database, fmt::format("SELECT {} FROM run WHERE id = ?", columns));
        query.bind(1, id);
        if (!query.executeStep()) return std::nullopt;
        return readEntry(query);
    });
}

std::vector<HistoryEntry> History::list(const HistoryFilter& filter, std::uint32_t limit, std::uint32_t offset) const {
    return impl_->with([&] {
        // The page is found in an index; only its rows are read.
        const Impl::Prepared query(*impl_, fmt::format("SELECT {} FROM run WHERE id IN (SELECT id FROM run{} "
                                                       "ORDER BY queuedAt DESC, id DESC LIMIT :limit OFFSET :offset) "
                                                       "ORDER BY queuedAt DESC, id DESC",
                                                       columns, conditions(filter)));
        if (filter.job) query->bind(":job", *filter.job);
        if (filter.result) query->bind(":result", *filter.result);
        if (filter.since) query->bind(":since", sqlTime(*filter.since));
        if (filter.until) query->bind(":until", sqlTime(*filter.until));
        query->bind(":limit", std::min(limit, maxPage));
        query->bind(":offset", offset);
        std::vector<HistoryEntry> entries;
        while (query->executeStep()) entries.push_back(readEntry(*query));
        return entries;
    });
}

std::optional<HistoryEntry> History::lastOfJob(const std::string& job) const {
    auto entries = list({.job = job, .result = {}, .since = {}, .until = {}, .backupsOnly = true}, 1, 0);
    if (entries.empty()) return std::nullopt;
    return std::move(entries.front());
}

std::optional<HistoryEntry> History::lastSuccessOfJob(const std::string& job) const {
    auto entries = list({.job = job, .result = "done", .since = {}, .until = {}, .backupsOnly = true}, 1, 0);
    if (entries.empty()) return std::nullopt;
    return std::move(entries.front());
}

std::optional<Milestone> History::lastDrill(const std::string& job, const std::string& place) const {
    return impl_->with([&] { return impl_->milestone(job, place, drillKind); });
}

std::optional<Milestone> History::lastProof(const std::string& job, const std::string& place) const {
    return impl_->with([&] { return impl_->milestone(job, place, proofKind); });
}

std::vector<std::string> History::provenRuns(const std::string& job) const {
    return impl_->with([&] {
        SQLite::Statement query(*impl_->database,
                                fmt::format("SELECT backup FROM proof WHERE job = ? LIMIT {}", maxPage));
        query.bind(1, job);
        std::vector<std::string> runs;
        while (query.executeStep()) runs.push_back(query.getColumn(0).getString());
        return runs;
    });
}

std::vector<HistoryEntry> History::withIdPart(const std::string& idPart) const {
    return impl_->with([&] {
        SQLite::Statement query(*impl_->database,
                                fmt::format("SELECT {} FROM run WHERE id >= ? AND id < ? LIMIT {}", columns, maxPage));
        query.bind(1, idPart);
        query.bind(2, idPart + "g"); // follows every hexadecimal digit
        std::vector<HistoryEntry> entries;
        while (query.executeStep()) entries.push_back(readEntry(query));
        return entries;
    });
}

bool provesNewest(const HistoryEntry& entry) {
    const auto& metadata = entry.result.last.metadata;
    return entry.result.result == "done" && metadata.is_object() && metadata.value("provesNewest", false);
}

std::uint32_t History::prune(const Retention& retention, std::uint32_t batch) {
    return impl_->with([&] {
        SQLite::Database& database = *impl_->database;
        std::uint32_t removed = 0;
        if (retention.since > 0) {
            removed = removeOldest(database, fmt::format("queuedAt < {}", sqlTime(retention.since)), batch);
        }
        if (retention.maxRuns > 0 && impl_->mayHaveMoreThan(retention.maxRuns) && removed < batch) {
            const std::uint64_t excess = impl_->runs.value() - retention.maxRuns;
            const auto most = static_cast<std::uint32_t>(std::min<std::uint64_t>(excess, batch - removed));
            removed += removeOldest(database, "TRUE", most);
        }
        if (removed > 0) impl_->runs.reset();
        return removed;
    });
}

} // namespace holdfast
