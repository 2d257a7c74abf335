#include "unit/script_unit.hpp"

#include "util/id.hpp"

#include <algorithm>
#include <optional>

#include <gtest/gtest.h>
#include <linux/capability.h>

using namespace holdfast;
using Strings = std::vector<std::string>;
using Command = sdbus::Struct<std::string, Strings, bool>;
using List = sdbus::Struct<bool, Strings>;
using Mount = sdbus::Struct<std::string, std::string, bool, std::uint64_t>;

namespace {

ScriptUnit unit() {
    ScriptUnit unit;
    unit.runId = newId();
    unit.job = "nightly";
    unit.argv = {"/bin/sh", "/opt/a.sh", "$HOME %i", ""};
    unit.workingDirectory = scriptOutputFolder;
    unit.output = "/var/lib/holdfast/cache/x/output";
    unit.readable = {{"/var/lib/holdfast/cache/x/script", "/opt/a.sh"}};
    unit.hidden = {"/var/lib/holdfast", "/etc/holdfast/rclone.conf"};
    unit.timeout = 5 * usecPerSec;
    unit.fileSizeMax = 4096;
    return unit;
}

bool has(const UnitProperties& properties, const std::string& name) {
    return std::any_of(properties.begin(), properties.end(),
                       [&](const auto& p) { return p.template get<0>() == name; });
}

template<typename Value>
Value get(const UnitProperties& properties, const std::string& name) {
    for (const auto& property : properties) {
        if (property.get<0>() == name) return property.get<1>().get<Value>();
    }
    ADD_FAILURE() << name;
    return {};
}

} // namespace

TEST(ScriptUnit, EndsWithItsRunAndKeepsItsResult) {
    const auto script = unit();
    const auto p = scriptUnitProperties(script);
    const Strings run{"holdfast-run-" + script.runId + ".service"};
    EXPECT_EQ(get<Strings>(p, "BindsTo"), run);
    EXPECT_EQ(get<Strings>(p, "After"), run);
    EXPECT_TRUE(get<bool>(p, "AddRef"));
    EXPECT_EQ(get<std::string>(p, "Slice"), "holdfast-runs.slice");
    EXPECT_EQ(get<std::string>(p, "CollectMode"), "inactive-or-failed");
    EXPECT_EQ(scriptUnitName("abc"), "holdfast-script-abc.service");
}

TEST(ScriptUnit, ArgumentsAreNotExpanded) {
    const auto start = get<std::vector<Command>>(scriptUnitProperties(unit()), "ExecStart");
    ASSERT_EQ(start.size(), 1U);
    EXPECT_EQ(start[0].get<0>(), "/bin/sh");
    EXPECT_EQ(start[0].get<1>(), (Strings{"/bin/sh", "/opt/a.sh", "$$HOME %i", ""}))
        << "$$ is a dollar sign to systemd";
}

TEST(ScriptUnit, LimitsAreTheJobsOrHaveDefaults) {
    auto script = unit();
    auto p = scriptUnitProperties(script);
    EXPECT_EQ(get<std::uint64_t>(p, "MemoryMax"), 1U << 30);
    EXPECT_EQ(get<std::uint64_t>(p, "CPUQuotaPerSecUSec"), 2'000'000U);
    EXPECT_EQ(get<std::uint64_t>(p, "TasksMax"), 256U);
    EXPECT_EQ(get<std::uint64_t>(p, "LimitFSIZE"), 4096U);
    EXPECT_EQ(get<std::uint64_t>(p, "RuntimeMaxUSec"), 5'000'000U);
    EXPECT_EQ(get<std::uint64_t>(p, "TimeoutStopUSec"), 10'000'000U);

    script.limits = {.memoryMax = 7, .cpuQuotaPerSecUSec = 8, .runtimeMax = 9, .tasksMax = 10, .bandwidth = {}};
    p = scriptUnitProperties(script);
    EXPECT_EQ(get<std::uint64_t>(p, "MemoryMax"), 7U);
    EXPECT_EQ(get<std::uint64_t>(p, "CPUQuotaPerSecUSec"), 8U);
    EXPECT_EQ(get<std::uint64_t>(p, "TasksMax"), 10U);
}

TEST(ScriptUnit, HasNoRightsUnlessTheJobGivesThem) {
    auto script = unit();
    auto p = scriptUnitProperties(script);
    EXPECT_TRUE(get<bool>(p, "DynamicUser") && get<bool>(p, "PrivateUsers") && get<bool>(p, "PrivateNetwork"));
    EXPECT_TRUE(get<bool>(p, "MemoryDenyWriteExecute") && get<bool>(p, "NoNewPrivileges"));
    EXPECT_EQ(get<std::uint64_t>(p, "CapabilityBoundingSet"), 0U);
    EXPECT_EQ(get<std::uint64_t>(p, "AmbientCapabilities"), 0U);
    EXPECT_EQ(get<List>(p, "RestrictAddressFamilies").get<1>(), Strings{"AF_UNIX"});
    EXPECT_EQ(get<std::string>(p, "ProtectHome"), "yes");
    EXPECT_EQ(get<std::string>(p, "ProtectSystem"), "strict");
    EXPECT_FALSE(has(p, "ReadWritePaths"));

    script.readAll = script.network = script.makesCode = true;
    p = scriptUnitProperties(script);
    constexpr std::uint64_t read = std::uint64_t{1} << CAP_DAC_READ_SEARCH;
    EXPECT_EQ(get<std::uint64_t>(p, "CapabilityBoundingSet"), read);
    EXPECT_EQ(get<std::uint64_t>(p, "AmbientCapabilities"), read);
    EXPECT_FALSE(get<bool>(p, "PrivateUsers") || get<bool>(p, "PrivateNetwork"));
    EXPECT_FALSE(get<bool>(p, "MemoryDenyWriteExecute"));
    EXPECT_EQ(get<std::string>(p, "ProtectHome"), "read-only");
    EXPECT_EQ(get<Strings>(p, "InaccessiblePaths"), (Strings{"-/var/lib/holdfast", "-/etc/holdfast/rclone.conf"}));
}

TEST(ScriptUnit, WhatIsHiddenIsMountedWhereItIsNeeded) {
    auto script = unit();
    script.readable.push_back({"/home/data", "/home/data"});
    const auto p = scriptUnitProperties(script);
    EXPECT_EQ(get<std::string>(p, "ProtectHome"), "tmpfs"); // nothing can be mounted below what "yes" puts there
    const auto mounts = get<std::vector<Mount>>(p, "BindReadOnlyPaths");
    ASSERT_EQ(mounts.size(), 2U);
    EXPECT_EQ(mounts[1].get<0>(), "/home/data");
    const auto output = get<std::vector<Mount>>(p, "BindPaths");
    ASSERT_EQ(output.size(), 1U);
    EXPECT_EQ(output[0].get<0>(), "/var/lib/holdfast/cache/x/output");
    EXPECT_EQ(output[0].get<1>(), scriptOutputFolder);
}

TEST(ScriptUnit, HomesAreHidden) {
    for (const char* path : {"/home", "/home/a", "/root/x/y.sh", "/run/user/0"}) {
        EXPECT_TRUE(isHiddenFromScripts(path)) << path;
    }
    for (const char* path : {"/", "/homes/a", "/run/users", "/srv/home/a", "/opt"}) {
        EXPECT_FALSE(isHiddenFromScripts(path)) << path;
    }
}
