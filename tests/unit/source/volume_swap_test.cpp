#include "source/volume_swap.hpp"

#include "source/volume_choice.hpp"
#include "util/error.hpp"
#include "util/file.hpp"

#include "../temporary_folder.hpp"

#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace holdfast {
namespace {

namespace fs = std::filesystem;

class Swap : public ::testing::Test {
  protected:
    Swap() {
        for (const char* name : {"one", "two"}) {
            const auto at = folder_.path() / name;
            swaps_.push_back({folder_.path() / "fresh" / name, at / "_data", at / "aside"});
            put(swaps_.back().fresh, "new");
            put(swaps_.back().folder, "old");
        }
    }
    static void put(const fs::path& folder, const char* content) {
        fs::create_directories(folder);
        std::ofstream(folder / "file") << content;
    }
    static std::string content(const fs::path& folder) { return readFileIfThere(folder / "file", 10).value_or(""); }
    Ledger ledger() { return Ledger::create(folder_.path() / "ledger", {}); }
    void expectOld() {
        for (const auto& swap : swaps_) {
            EXPECT_EQ(content(swap.folder), "old");
            EXPECT_EQ(content(swap.fresh), "new") << "back where it was unpacked, to be removed";
            EXPECT_FALSE(fs::exists(swap.aside));
        }
    }

    TemporaryFolder folder_;
    std::vector<VolumeSwap> swaps_;
};

TEST_F(Swap, GivesEachItsNewContentAndKeepsTheOld) {
    auto book = ledger();
    swapVolumes(swaps_, book);
    for (const auto& swap : swaps_) {
        EXPECT_EQ(content(swap.folder), "new");
        EXPECT_EQ(content(swap.aside), "old");
    }
    ASSERT_EQ(book.outstanding().size(), 1U);
    EXPECT_EQ(book.outstanding()[0].onCommit, OnCommit::Keep);
    EXPECT_TRUE(volumesArrived(book.outstanding()[0].what));
}

TEST_F(Swap, IsUndoneFromEveryPoint) {
    // Renames done before the cut: none; one or both set beside; the first exchanged.
    for (int point = 0; point <= 3; ++point) {
        fs::remove(folder_.path() / "ledger");
        auto book = ledger();
        nlohmann::json volumes = nlohmann::json::array();
        {
            auto whole = swaps_;
            swapVolumes(whole, book);
        }
        const auto entry = book.outstanding()[0].what;
        undoVolumesArrival(entry); // all the way back
        expectOld();
        for (int i = 0; i < std::min(point, 2); ++i) fs::rename(swaps_[i].fresh, swaps_[i].aside);
        if (point == 3) {
            fs::rename(swaps_[0].folder, folder_.path() / "between");
            fs::rename(swaps_[0].aside, swaps_[0].folder);
            fs::rename(folder_.path() / "between", swaps_[0].aside);
            EXPECT_EQ(content(swaps_[0].folder), "new");
        }
        EXPECT_FALSE(volumesArrived(entry)) << point;
        undoVolumesArrival(entry);
        expectOld();
        undoVolumesArrival(entry); // again: nothing to do
        expectOld();
    }
}

TEST_F(Swap, LeavesAllAsItWasWhereOneCannotBeSetBeside) {
    put(swaps_[1].aside, "somebody's");
    auto book = ledger();
    EXPECT_THROW(swapVolumes(swaps_, book), std::system_error);
    undoVolumesArrival(book.outstanding()[0].what);
    for (const auto& swap : swaps_) EXPECT_EQ(content(swap.folder), "old");
    EXPECT_EQ(content(swaps_[1].aside), "somebody's");
}

std::string refusal(const nlohmann::json& fields, const std::vector<std::string>& wanted) {
    try {
        chooseVolumes(fields, wanted);
        return "";
    } catch (const Error& e) {
        return e.what();
    }
}

TEST(VolumeChoice, TakesAllOrWhatIsNamed) {
    const nlohmann::json fields{{"volumes", {{{"name", "a"}}, {{"name", "b"}}}}};
    EXPECT_EQ(chooseVolumes(fields, {}).size(), 2U);
    const auto one = chooseVolumes(fields, {"b:c"});
    ASSERT_EQ(one.size(), 1U);
    EXPECT_EQ(one[0].from, "b");
    EXPECT_EQ(one[0].to, "c");
    EXPECT_NE(refusal(fields, {"x"}).find("no volume x"), std::string::npos);
    EXPECT_NE(refusal(fields, {"a:c", "b:c"}).find("into the volume c"), std::string::npos);
}

TEST(VolumeChoice, TrustsNoNameOfAManifest) {
    for (const char* name : {"../etc", "a/b", "", ".", "-x"}) {
        EXPECT_NE(refusal({{"volumes", {{{"name", name}}}}}, {}).find("not a name"), std::string::npos) << name;
    }
    EXPECT_NE(refusal({{"volumes", "none"}}, {}), "");
    EXPECT_NE(refusal(nullptr, {}), "");
}

} // namespace
} // namespace holdfast
