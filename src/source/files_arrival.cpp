#include "source/files_arrival.hpp"

#include "source/kinds.hpp"
#include "source/staging.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t mostMoves = 10'000; // the ledger has a line with all of them

/// The ledger is JSON.
void demandUtf8(const fs::path& path) {
    try {
        (void)nlohmann::json(path.string()).dump();
    } catch (const nlohmann::json::exception&) {
        throw Error(
            fmt::format("{} has a name that is not UTF-8, and such a one is not brought back in place. Restore to "
                        "a folder of its own.",
                        path.string()));
    }
}

void addMoves(const HeldPath& fresh, const HeldPath& there, const fs::path& path, std::vector<FileMove>& moves) {
    for (const auto& entry : fs::directory_iterator(fresh.forChild())) {
        const auto name = entry.path().filename().string();
        const auto ours = statusIn(fresh, name);
        const auto theirs = statusIn(there, name);
        if (!ours) continue;
        if (theirs && S_ISDIR(ours->st_mode) && S_ISDIR(theirs->st_mode)) {
            addMoves(folderBelow(fresh, name), folderBelow(there, name), path / name, moves);
        } else {
            demandUtf8(path / name);
            moves.push_back({path / name, ours->st_ino, theirs.has_value()});
        }
        if (moves.size() <= mostMoves) continue;
        throw Error(fmt::format("More than {} files would be brought back in place, which is not done at once. Restore "
                                "to a folder of its own.",
                                mostMoves));
    }
}

/// Both folders that a move is about.
struct Ends {
    HeldPath fresh;
    HeldPath there;
    std::string name;
};

Ends endsOf(const HeldPath& fresh, const HeldPath& there, const fs::path& path) {
    return {folderBelow(fresh, path.parent_path()), folderBelow(there, path.parent_path()), path.filename().string()};
}

/// At any moment the old or the new is there; but where names cannot be exchanged, for a moment neither.
void replaceIn(const Ends& ends, const std::string& kept) {
    moveInto(ends.fresh, ends.name, ends.there, kept);
    if (exchangeNames(ends.there, kept, ends.name)) return;
    moveInto(ends.there, kept, ends.fresh, ends.name);
    moveInto(ends.there, ends.name, ends.there, kept);
    moveInto(ends.fresh, ends.name, ends.there, ends.name);
}

nlohmann::json arrivalEntry(const std::vector<FileMove>& moves, const HeldPath& fresh, const HeldPath& there,
                            const std::string& runId) {
    auto list = nlohmann::json::array();
    for (const auto& move : moves) {
        const auto name = move.path.filename().string();
        list.push_back({{"path", move.path.string()},
                        {"kept", move.replaces ? keptName(name, runId) : ""},
                        {"inode", move.inode}});
    }
    return {{"fresh", fresh.real().string()}, {"folder", there.real().string()}, {"files", std::move(list)}};
}

bool isAt(const HeldPath& folder, const std::string& name, const nlohmann::json& inode) {
    const auto found = statusIn(folder, name);
    return found && found->st_ino == inode.get<ino_t>();
}

void undoMove(const HeldPath& fresh, const HeldPath& there, const nlohmann::json& move) {
    const auto ends = endsOf(fresh, there, move.at("path").get<std::string>());
    const auto kept = move.at("kept").get<std::string>();
    const auto& inode = move.at("inode");
    if (kept.empty()) {
        if (isAt(ends.there, ends.name, inode)) moveInto(ends.there, ends.name, ends.fresh, ends.name);
        return;
    }
    if (isAt(ends.there, kept, inode)) moveInto(ends.there, kept, ends.fresh, ends.name);
    if (!statusIn(ends.there, kept)) return;
    if (isAt(ends.there, ends.name, inode)) moveInto(ends.there, ends.name, ends.fresh, ends.name);
    if (!statusIn(ends.there, ends.name)) moveInto(ends.there, kept, ends.there, ends.name);
}

} // namespace

std::vector<FileMove> movesInto(const HeldPath& fresh, const HeldPath& there) {
    std::vector<FileMove> moves;
    addMoves(fresh, there, {}, moves);
    return moves;
}

std::string keptName(const std::string& name, const std::string& runId) {
    return fmt::format("{}.before-{}", name, runId.substr(0, 8));
}

std::vector<std::string> moveFiles(const std::vector<FileMove>& moves, const HeldPath& fresh, const HeldPath& there,
                                   const std::string& runId, Ledger& ledger) {
    ledger.acquire(kinds::filesArrival, arrivalEntry(moves, fresh, there, runId), OnFailure::Undo, OnCommit::Keep);
    std::vector<std::string> kept;
    for (const auto& move : moves) {
        const auto ends = endsOf(fresh, there, move.path);
        if (move.replaces) {
            kept.push_back((there.real() / move.path.parent_path() / keptName(ends.name, runId)).string());
            replaceIn(ends, keptName(ends.name, runId));
        } else {
            moveInto(ends.fresh, ends.name, ends.there, ends.name);
        }
        syncNames(ends.there);
    }
    return kept;
}

bool filesArrived(const nlohmann::json& entry) {
    const auto there = holdIfThere(entry.at("folder").get<std::string>());
    if (!there) return false;
    const auto& files = entry.at("files");
    return std::all_of(files.begin(), files.end(), [&](const nlohmann::json& move) {
        const fs::path path = move.at("path").get<std::string>();
        try {
            return isAt(folderBelow(*there, path.parent_path()), path.filename().string(), move.at("inode"));
        } catch (const Error&) {
            return false; // its folder is not there
        }
    });
}

void undoFilesArrival(const nlohmann::json& entry) {
    const auto fresh = holdIfThere(entry.at("fresh").get<std::string>());
    const auto there = holdIfThere(entry.at("folder").get<std::string>());
    if (!fresh || !there) return;
    const auto& files = entry.at("files");
    for (auto move = files.rbegin(); move != files.rend(); ++move) undoMove(*fresh, *there, *move);
}

} // namespace holdfast
