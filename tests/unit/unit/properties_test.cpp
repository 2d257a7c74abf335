#include "unit/properties.hpp"

#include "run/ledger.hpp"
#include "util/id.hpp"

#include <algorithm>
#include <optional>

#include <gtest/gtest.h>
#include <linux/capability.h>

using namespace holdfast;
using Strings = std::vector<std::string>;
using Command = sdbus::Struct<std::string, Strings, bool>;
using List = sdbus::Struct<bool, Strings>;

namespace {

Plan planOf(SourceConfig source) {
    Plan plan;
    plan.id = newId();
    plan.job.name = "nightly";
    plan.job.source = std::move(source);
    return plan;
}

bool has(const UnitProperties& properties, const std::string& name) {
    return std::any_of(properties.begin(), properties.end(),
                       [&](const auto& p) { return p.template get<0>() == name; });
}

/// The last value, as systemd takes it.
template<typename Value>
Value get(const UnitProperties& properties, const std::string& name) {
    std::optional<Value> value;
    for (const auto& property : properties) {
        if (property.get<0>() == name) value = property.get<1>().get<Value>();
    }
    EXPECT_TRUE(value) << name;
    return value.value_or(Value{});
}

bool lists(const Strings& values, const std::string& value) {
    return std::find(values.begin(), values.end(), value) != values.end();
}

} // namespace

TEST(Properties, RunIsWhatTheDesignSays) {
    const Plan plan = planOf(FlashConfig{});
    const auto p = runUnitProperties(plan, Paths{});
    EXPECT_EQ(get<std::string>(p, "Type"), "exec");
    EXPECT_EQ(get<std::string>(p, "NotifyAccess"), "main");
    EXPECT_EQ(get<std::string>(p, "KillMode"), "mixed");
    EXPECT_EQ(get<std::uint64_t>(p, "TimeoutStopUSec"), 300'000'000U);
    EXPECT_EQ(get<std::string>(p, "CollectMode"), "inactive-or-failed");
    EXPECT_EQ(get<std::string>(p, "Slice"), "holdfast-runs.slice");
    EXPECT_TRUE(lists(get<Strings>(p, "After"), "network-online.target"));
    EXPECT_FALSE(has(p, "RuntimeMaxUSec"));
    EXPECT_FALSE(has(p, "MemoryMax"));

    const auto start = get<std::vector<Command>>(p, "ExecStart");
    ASSERT_EQ(start.size(), 1U);
    EXPECT_EQ(start[0].get<0>(), HOLDFAST_WORKER);
    EXPECT_EQ(start[0].get<1>(), (Strings{HOLDFAST_WORKER, plan.id}));
    EXPECT_FALSE(start[0].get<2>()) << "its failure counts";
    const auto post = get<std::vector<Command>>(p, "ExecStopPost");
    ASSERT_EQ(post.size(), 1U);
    EXPECT_EQ(post[0].get<1>(), (Strings{HOLDFAST_WORKER, "--cleanup", plan.id}));

    Strings fields;
    for (const auto& bytes : get<std::vector<std::vector<std::uint8_t>>>(p, "LogExtraFields")) {
        fields.emplace_back(bytes.begin(), bytes.end());
    }
    EXPECT_EQ(fields, (Strings{"HOLDFAST_JOB=nightly", "HOLDFAST_RUN=" + plan.id}));
}

TEST(Properties, LimitsAreTheJobs) {
    Plan plan = planOf(NoneConfig{});
    plan.job.limits = {
        .memoryMax = 1 << 30, .cpuQuotaPerSecUSec = 2'000'000, .runtimeMax = 7, .tasksMax = 256, .bandwidth = {}};
    const auto p = runUnitProperties(plan, Paths{});
    EXPECT_EQ(get<std::uint64_t>(p, "MemoryMax"), 1U << 30);
    EXPECT_EQ(get<std::uint64_t>(p, "CPUQuotaPerSecUSec"), 2'000'000U);
    EXPECT_EQ(get<std::uint64_t>(p, "RuntimeMaxUSec"), 7U);
    EXPECT_EQ(get<std::uint64_t>(p, "TasksMax"), 256U);
}

TEST(Properties, FlashMayWriteWhereItsRepositoryIs) {
    FlashConfig flash;
    flash.gitPath = "/boot/.git";
    flash.localCachePath = "/mnt/flash.tar";
    const Plan plan = planOf(flash);
    const auto p = runUnitProperties(plan, Paths{});
    EXPECT_FALSE(has(p, "ProtectSystem")) << "it would win over /boot";
    EXPECT_TRUE(lists(get<Strings>(p, "ReadWritePaths"), "-/boot"));
    EXPECT_TRUE(lists(get<Strings>(p, "ReadWritePaths"), "-/mnt"));
    EXPECT_TRUE(lists(get<Strings>(p, "ReadOnlyPaths"), "-/usr"));
    EXPECT_TRUE(lists(get<Strings>(p, "ReadOnlyPaths"), "-/etc"));
    EXPECT_FALSE(lists(get<Strings>(p, "ReadOnlyPaths"), "-/boot"));
    const auto none = runUnitProperties(planOf(NoneConfig{}), Paths{});
    EXPECT_FALSE(lists(get<Strings>(none, "ReadWritePaths"), "-/boot"));
    EXPECT_EQ(get<std::string>(none, "ProtectSystem"), "full");
}

TEST(Properties, RunWritesOfHoldfastsOwnFilesOnlyItsOwn) {
    Plan plan = planOf(NoneConfig{});
    plan.settings.rcloneConfig = "/nowhere/rclone.conf";
    const auto p = runUnitProperties(plan, Paths{});
    const std::string run = "-/var/lib/holdfast/runs/" + plan.id;
    EXPECT_EQ(get<Strings>(p, "ReadWritePaths"),
              (Strings{"-/var/lib/holdfast/ledger/" + plan.id + ".jsonl", run, "-/var/lib/holdfast/cache",
                       "-/run/holdfast/runs/" + plan.id}));
    for (const char* path : {"-/var/lib/holdfast", "-/run/holdfast", "-/etc/holdfast", "-/etc/holdfast/jobs"}) {
        EXPECT_TRUE(lists(get<Strings>(p, "ReadOnlyPaths"), path)) << path;
    }
    EXPECT_TRUE(lists(get<Strings>(runUnitProperties(planOf(ZfsConfig{}), Paths{}), "ReadWritePaths"),
                      "-/var/lib/holdfast/bases"));
}

TEST(Properties, OnlyWhoKeepsOwnersMayGiveFilesAway) {
    constexpr std::uint64_t chown = std::uint64_t{1} << CAP_CHOWN;
    Plan plan = planOf(NoneConfig{});
    EXPECT_EQ(get<std::uint64_t>(runUnitProperties(plan, Paths{}), "CapabilityBoundingSet") & chown, 0U);
    plan.job.rcloneOptions = {{"metadata", true}};
    EXPECT_NE(get<std::uint64_t>(runUnitProperties(plan, Paths{}), "CapabilityBoundingSet") & chown, 0U);
}

TEST(Properties, OnlyWhoNeedsThemSeesTheSocketsOfSystemdAndOfEngines) {
    const auto hidden = [](SourceConfig source) {
        return get<Strings>(runUnitProperties(planOf(std::move(source)), Paths{}), "InaccessiblePaths");
    };
    EXPECT_TRUE(lists(hidden(ZfsConfig{}), "-/run/dbus"));
    EXPECT_TRUE(lists(hidden(ZfsConfig{}), "-/run/docker.sock"));
    EXPECT_FALSE(lists(hidden(ScriptConfig{}), "-/run/dbus"));
    EXPECT_TRUE(lists(hidden(ScriptConfig{}), "-/run/docker.sock"));
    EXPECT_TRUE(lists(hidden(DockerConfig{}), "-/run/dbus"));
    EXPECT_FALSE(lists(hidden(DockerConfig{}), "-/run/docker.sock"));
}

TEST(Properties, OnlyZfsGetsItsDeviceAndTheRightToAdminister) {
    const auto flash = runUnitProperties(planOf(FlashConfig{}), Paths{});
    const auto zfs = runUnitProperties(planOf(ZfsConfig{}), Paths{});
    constexpr std::uint64_t admin = std::uint64_t{1} << CAP_SYS_ADMIN;
    EXPECT_EQ(get<std::uint64_t>(flash, "CapabilityBoundingSet") & admin, 0U);
    EXPECT_NE(get<std::uint64_t>(zfs, "CapabilityBoundingSet") & admin, 0U);
    EXPECT_TRUE(get<bool>(flash, "PrivateDevices"));
    EXPECT_FALSE(has(zfs, "PrivateDevices"));
    EXPECT_EQ(get<std::string>(zfs, "DevicePolicy"), "closed");
}

TEST(Properties, DockerRunEndsBeforeItsEngineAndReadsEveryFile) {
    const auto docker = runUnitProperties(planOf(DockerConfig{}), Paths{});
    for (const char* unit : {"docker.service", "docker.socket", "podman.socket"}) {
        EXPECT_TRUE(lists(get<Strings>(docker, "After"), unit)) << unit;
    }
    constexpr std::uint64_t readAll = std::uint64_t{1} << CAP_DAC_READ_SEARCH;
    EXPECT_NE(get<std::uint64_t>(docker, "CapabilityBoundingSet") & readAll, 0U);
    EXPECT_TRUE(lists(get<List>(docker, "RestrictAddressFamilies").get<1>(), "AF_UNIX"));
}

TEST(Properties, NothingIsHiddenThatADestinationMayBe) {
    const auto p = runUnitProperties(planOf(FlashConfig{}), Paths{});
    EXPECT_FALSE(has(p, "PrivateTmp"));
    EXPECT_FALSE(has(p, "ProtectHome"));
}

TEST(Properties, CleanupMayTouchWhatItsRunMay) {
    FlashConfig flash;
    flash.gitPath = "/boot/.git";
    const Plan plan = planOf(flash);
    const auto p = cleanupUnitProperties(plan, Paths{});
    EXPECT_EQ(get<Strings>(p, "ReadWritePaths"), get<Strings>(runUnitProperties(plan, Paths{}), "ReadWritePaths"));
    EXPECT_EQ(get<std::uint64_t>(p, "RuntimeMaxUSec"), 600'000'000U);
    EXPECT_EQ(get<std::vector<Command>>(p, "ExecStart")[0].get<1>(), (Strings{HOLDFAST_WORKER, "--cleanup", plan.id}));
    EXPECT_FALSE(has(p, "ExecStopPost"));
}

TEST(Properties, CleanupWithoutPlanMayTouchWhatItsLedgersHeaderSays) {
    constexpr std::uint64_t admin = std::uint64_t{1} << CAP_SYS_ADMIN;
    LedgerHeader header;
    header.id = newId();
    header.rcloneConfig = "/nowhere/rclone.conf";
    header.outputPath = "nas:backups/x.tar";
    header.kind = "streaming";
    header.sourceType = "flash";
    const auto flash = cleanupUnitProperties(header, Paths{});
    EXPECT_TRUE(lists(get<Strings>(flash, "ReadWritePaths"), "-/etc")) << "its lock may lie there";
    EXPECT_TRUE(lists(get<Strings>(flash, "ReadOnlyPaths"), "-/usr"));
    EXPECT_EQ(get<std::uint64_t>(flash, "CapabilityBoundingSet") & admin, 0U);
    EXPECT_TRUE(lists(get<Strings>(flash, "InaccessiblePaths"), "-/run/dbus"));

    header.sourceType = "zfs";
    const auto zfs = cleanupUnitProperties(header, Paths{});
    EXPECT_EQ(get<std::string>(zfs, "ProtectSystem"), "full");
    EXPECT_NE(get<std::uint64_t>(zfs, "CapabilityBoundingSet") & admin, 0U);

    header.kind = "restore";
    header.outputPath = "/srv/restored";
    const auto restore = cleanupUnitProperties(header, Paths{});
    EXPECT_EQ(get<std::string>(restore, "ProtectSystem"), "strict");
    EXPECT_EQ(get<std::uint64_t>(restore, "CapabilityBoundingSet") & admin, 0U);
}

TEST(Properties, ProbesAreShortAndSmall) {
    const auto p = probeUnitProperties({.id = "0123", .rcloneConfig = "/nowhere/rclone.conf"}, Paths{});
    EXPECT_EQ(get<std::uint64_t>(p, "RuntimeMaxUSec"), 60'000'000U);
    EXPECT_EQ(get<std::uint64_t>(p, "MemoryMax"), 512U << 20);
    EXPECT_EQ(get<std::uint64_t>(p, "TasksMax"), 128U);
    EXPECT_EQ(get<std::string>(p, "ProtectSystem"), "strict");
    EXPECT_EQ(get<Strings>(p, "ReadWritePaths"), Strings{"-/run/holdfast/probes/0123"});
    EXPECT_EQ(get<std::vector<Command>>(p, "ExecStart")[0].get<1>(), (Strings{HOLDFAST_WORKER, "--probe", "0123"}));
}

TEST(Properties, DrillOfAnArchiveWritesNowhereButInTheState) {
    Plan plan = planOf(FlashConfig{});
    plan.task = DrillTask{};
    const auto p = runUnitProperties(plan, Paths{});
    EXPECT_EQ(get<std::string>(p, "ProtectSystem"), "strict");
    EXPECT_FALSE(lists(get<Strings>(p, "ReadWritePaths"), "-/boot"));
    EXPECT_EQ(get<std::string>(p, "ProtectHome"), "read-only");
    EXPECT_FALSE(get<bool>(p, "RestrictSUIDSGID"));
}

TEST(Properties, RestoreOfAnArchiveWritesBesideItsTargetOnly) {
    Plan plan = planOf(FlashConfig{});
    RestoreTask task;
    task.target = "/home/data/restored";
    plan.task = task;
    const auto p = runUnitProperties(plan, Paths{});
    EXPECT_EQ(get<std::string>(p, "ProtectSystem"), "strict");
    EXPECT_TRUE(lists(get<Strings>(p, "ReadWritePaths"), "-/home/data"));
    EXPECT_EQ(get<std::string>(p, "ProtectHome"), "read-only");
    EXPECT_FALSE(get<bool>(p, "RestrictSUIDSGID")) << "files come back with the modes that they had";

    task.target = "/home/restored";
    plan.task = task;
    const auto home = runUnitProperties(plan, Paths{});
    EXPECT_FALSE(has(home, "ProtectHome")) << "it would win over /home";
    EXPECT_FALSE(lists(get<Strings>(home, "ReadOnlyPaths"), "-/home"));
    EXPECT_TRUE(lists(get<Strings>(home, "ReadOnlyPaths"), "-/root"));
}

TEST(Properties, RestoreDirectlyBelowTheRootWritesNothingElse) {
    Plan plan = planOf(NoneConfig{});
    RestoreTask task;
    task.target = "/restored";
    plan.task = task;
    const auto p = runUnitProperties(plan, Paths{});
    EXPECT_EQ(get<std::string>(p, "ProtectSystem"), "full");
    for (const char* path : {"-/var", "-/opt"}) EXPECT_TRUE(lists(get<Strings>(p, "ReadOnlyPaths"), path)) << path;
    EXPECT_FALSE(lists(get<Strings>(p, "ReadOnlyPaths"), "-/proc"));
    task.target = "/opt";
    plan.task = task;
    EXPECT_FALSE(lists(get<Strings>(runUnitProperties(plan, Paths{}), "ReadOnlyPaths"), "-/opt"));
}

TEST(Properties, SandboxOfARestoreFollowsItsTargetAndNotWhatTheBackupSays) {
    constexpr std::uint64_t admin = std::uint64_t{1} << CAP_SYS_ADMIN;
    Plan plan = planOf(ZfsConfig{});
    RestoreTask task;
    task.target = "/home/data/restored";
    plan.task = task;
    const auto folder = runUnitProperties(plan, Paths{});
    EXPECT_EQ(get<std::string>(folder, "ProtectSystem"), "strict");
    EXPECT_EQ(get<std::uint64_t>(folder, "CapabilityBoundingSet") & admin, 0U);
    EXPECT_TRUE(get<bool>(folder, "PrivateDevices"));

    plan.job.source = FlashConfig{};
    task.target = "tank/restored";
    plan.task = task;
    const auto dataset = runUnitProperties(plan, Paths{});
    EXPECT_NE(get<std::uint64_t>(dataset, "CapabilityBoundingSet") & admin, 0U);
}
