// The rules of single fields, each from both sides.

#include "documents.hpp"

#include <gtest/gtest.h>

namespace holdfast::test {

using nlohmann::json;

namespace {

/// One field of a minimal job: values that are taken, and values that are refused with these problems at the field.
struct Rule {
    std::string type;
    std::string pointer;
    std::vector<json> good;
    std::vector<json> bad;
    std::string code;
    std::string message;
};

std::string text(char c, std::size_t count) { return std::string(count, c); }

const std::string poolMessage =
    "Pool name must contain only alphanumeric characters, underscores, hyphens, and forward slashes";
const std::string snapshotMessage = "Snapshot name must contain only alphanumeric characters, underscores, and hyphens";
const std::string nameMessage =
    "Job name must start with a letter or digit, must not end in a dot, and must contain only "
    "letters, digits, dots, underscores, and hyphens";
const std::string remoteMessage =
    "Remote name must contain only letters, digits, '_', '-', '.', '+', '@' and spaces, must "
    "not start with '-' or a space, and must not end with a space";
const std::string connectionMessage = "Remote name must be the name of a remote in rclone's configuration; connection "
                                      "strings and paths (with ':', ',', '=' "
                                      "or '/') are not accepted";
const std::string engineMessage =
    "Container and volume names must start with a letter or digit and contain only letters, digits, '_', '.' and '-'";
const std::string zfs = "/preprocessConfig/zfs/";
const std::string flash = "/preprocessConfig/flash/";
const std::string script = "/preprocessConfig/script/";
const std::string docker = "/preprocessConfig/docker/";

std::vector<Rule> seedRules() {
    return {
        {"zfs",
         zfs + "poolName",
         {"tank", "tank/data_1-x", text('a', 255)},
         {"ta nk", "tank@x", "a:b", "tänk", "a\nb", "a\n"},
         "pattern",
         poolMessage},
        {"zfs", zfs + "poolName", {}, {"/tank", "-r", "tank/", "a//b"}, "pool-name", "Invalid ZFS pool name format"},
        {"zfs",
         zfs + "poolName",
         {},
         {text('a', 256)},
         "too-long",
         "poolName must be shorter than or equal to 255 characters"},
        {"zfs", zfs + "poolName", {}, {5, true, json::array(), json::object()}, "type", "poolName must be a string"},
        {"zfs",
         zfs + "snapshotName",
         {"nightly", "A_b-1"},
         {"a/b", "a.b", "a@b", "", "a\n"},
         "pattern",
         snapshotMessage},
        {"zfs", zfs + "streamDirect", {true, false}, {"false", 0, 1}, "type", "streamDirect must be a boolean value"},
        {"zfs", zfs + "compressionLevel", {1, 9}, {0, -1}, "range", "compressionLevel must not be less than 1"},
        {"zfs", zfs + "compressionLevel", {}, {10}, "range", "compressionLevel must not be greater than 9"},
        {"zfs", zfs + "compressionLevel", {}, {1.5, 3.0, "3"}, "type", "compressionLevel must be an integer"},
        {"zfs", zfs + "recursive", {true, false}, {"true", 1}, "type", "recursive must be a boolean value"},
        {"zfs", zfs + "raw", {true, false}, {"true", 1}, "type", "raw must be a boolean value"},
        {"flash",
         flash + "gitPath",
         {"/boot/.git", "/a-b/c_d.e/.git"},
         {"boot/.git", "/b oot/.git", "/ä/.git", "/a\n/.git"},
         "pattern",
         "Git path must be an absolute path"},
        {"flash",
         flash + "gitPath",
         {},
         {"/boot", "/boot/.git/", "/boot/x.git"},
         "git-path",
         "Git path should end with \"/.git\""},
        {"flash",
         flash + "gitPath",
         {},
         {"/boot/../.git"},
         "dot-segment",
         "Git path must not contain '..' as a segment"},
        {"flash", flash + "compressionLevel", {1, 9}, {0}, "range", "compressionLevel must not be less than 1"},
        {"flash", flash + "compressionLevel", {}, {10}, "range", "compressionLevel must not be greater than 9"},
        {"flash", flash + "streamDirect", {true, false}, {"no"}, "type", "streamDirect must be a boolean value"},
        {"flash",
         flash + "commitMessage",
         {"Backup", "two\nlines", "ümlaut"},
         {""},
         "empty",
         "commitMessage should not be empty"},
        {"flash",
         flash + "commitMessage",
         {},
         {std::string("a\0b", 3), "a\x1b[0m"},
         "control-character",
         "Commit message must not contain control characters other than tabs and line breaks"},
        {"flash", flash + "includeGitHistory", {true, false}, {1}, "type", "includeGitHistory must be a boolean value"},
        {"flash",
         flash + "profile",
         {"unraid", "plain"},
         {"Unraid", ""},
         "enum",
         "profile must be one of the following values: unraid, plain"},
        {"script",
         script + "scriptPath",
         {"/a.sh", "/a.py", "/a.pl", "/x/y-z_1.js"},
         {"a.sh", "/a b.sh", "/a;b.sh", "/a\n.sh"},
         "pattern",
         "Script path must be an absolute path"},
        {"script",
         script + "scriptPath",
         {},
         {"/a", "/a.sh.txt", "/a.bash", "/ash", "/a.SH"},
         "script-extension",
         "Script must have a valid extension (.sh, .py, .pl, .js)"},
        {"script",
         script + "scriptPath",
         {},
         {"/srv/../etc/a.sh"},
         "dot-segment",
         "Script path must not contain '..' as a segment"},
        {"script",
         script + "scriptArgs",
         {json::array(), json{"-v", "$HOME", "a b", "'\"", "", "a\nb"}},
         {"-v", 5},
         "type",
         "scriptArgs must be an array"},
        {"script",
         script + "scriptArgs/0",
         {"x"},
         {5, json::array()},
         "type",
         "each value in scriptArgs must be a string"},
        {"script",
         script + "scriptArgs/0",
         {},
         {"a;b", "a|b", "a&b", ";", "a\n&"},
         "shell-operator",
         "Script arguments cannot contain shell operators (;, |, &)"},
        {"script",
         script + "scriptArgs/0",
         {},
         {std::string("a\0b", 3)},
         "control-character",
         "Script arguments cannot contain a NUL character"},
        {"script",
         script + "scriptArgs",
         {json(std::vector<std::string>(256, "x"))},
         {json(std::vector<std::string>(257, "x"))},
         "too-many",
         "scriptArgs must contain no more than 256 elements"},
        {"script",
         script + "workingDirectory",
         {"/", "/srv/x.y"},
         {"srv", "", "/a b"},
         "pattern",
         "Working directory must be an absolute path"},
        {"script",
         script + "readPaths",
         {json::array({"/home/x", "/root/a b"}), json::array()},
         {"/home/x", json::object()},
         "type",
         "readPaths must be an array"},
        {"script",
         script + "readPaths/0",
         {"/home"},
         {"home", "", "/", "//home"},
         "not-absolute",
         "Readable paths must be absolute paths, and not the root itself"},
        {"script",
         script + "readPaths/0",
         {"/home/..x"},
         {"/home/../root", "/home/.", "/home/./x"},
         "dot-segment",
         "Readable paths must not contain '.' or '..' as a segment"},
        {"script",
         script + "readPaths/0",
         {},
         {"/home/a\nb"},
         "control-character",
         "Readable paths must not contain control characters"},
        {"script", script + "readAll", {true, false}, {"true", 1}, "type", "readAll must be a boolean value"},
        {"script", script + "network", {true, false}, {"true", 1}, "type", "network must be a boolean value"},
        {"script", script + "outputMax", {"20G", "1.5M", 1}, {"20 cats", "10%", "infinity"}, "limit", ""},
        {"script", script + "outputMax", {}, {"0"}, "range", "outputMax must be more than zero"},
        {"script", script + "timeout", {1, 0.5, 3600}, {0, -1}, "range", "timeout must be a positive number"},
        {"script", script + "timeout", {}, {3600.5, 3601}, "range", "timeout must not be greater than 3600"},
        {"none",
         "/preprocessTimeout",
         {1, 0.001, 3600, 300.5},
         {0, -5},
         "range",
         "preprocessTimeout must be a positive number"},
        {"none", "/preprocessTimeout", {}, {3601}, "range", "preprocessTimeout must not be greater than 3600"},
        {"none", "/preprocessTimeout", {}, {"300", true}, "type", "preprocessTimeout must be a number"},
        {"none", "/cleanupOnFailure", {true, false}, {"true", 1}, "type", "cleanupOnFailure must be a boolean value"},
        {"none",
         "/preprocessType",
         {"none"},
         {"btrfs", "ZFS", ""},
         "enum",
         "preprocessType must be one of the following values: none, zfs, flash, script, docker"},
    };
}

std::vector<Rule> ownRules() {
    return {
        {"none",
         "/name",
         {"a", "nightly-tank", "A.b_c-1", "0", text('x', 64), "a-"},
         {"a/b", ".a", "-a", "_a", "a.", "a..", ".", "a b", "a\n", "a\nb", std::string("a\0b", 3), "ä", "a/../b"},
         "pattern",
         nameMessage},
        {"none", "/name", {}, {text('x', 65)}, "too-long", "name must be shorter than or equal to 64 characters"},
        {"none", "/name", {}, {5, true, json::array()}, "type", "name must be a string"},
        {"none", "/enabled", {true, false}, {"yes", 1}, "type", "enabled must be a boolean value"},
        {"none", "/remoteName", {"b2", "my remote", "a.b+c@d-e_f", "Büro"}, {}, "", ""},
        {"none",
         "/remoteName",
         {},
         {":local", "b2:x", "a,b=c:", "/etc", "a,b", "a=b"},
         "connection-string",
         connectionMessage},
        {"none",
         "/remoteName",
         {},
         {"-a", " a", "a ", "a\n", "a\tb", "a*", "a\\b", "a[b]", "{a}", "a^", "a`", std::string("a\0b", 3)},
         "pattern",
         remoteMessage},
        {"none",
         "/remoteName",
         {},
         {text('x', 129)},
         "too-long",
         "remoteName must be shorter than or equal to 128 characters"},
        {"none",
         "/destinationPath",
         {"", "a", "a/b c/d", "..a/b..", "...", "a-", "ä/ö", text('x', 1024)},
         {"/a", "/"},
         "not-relative",
         "Destination path must be relative to the remote's root, without a leading slash"},
        {"none",
         "/destinationPath",
         {},
         {"..", ".", "a/../b", "a/..", "./a", "a/."},
         "dot-segment",
         "Destination path must not contain '.' or '..' as a segment"},
        {"none",
         "/destinationPath",
         {},
         {"a/", "a//b"},
         "empty-segment",
         "Destination path must not contain an empty segment (two slashes in a row, or one at the end)"},
        {"none",
         "/destinationPath",
         {},
         {"-a", "--config=x"},
         "leading-hyphen",
         "Destination path must not start with '-'"},
        {"none",
         "/destinationPath",
         {},
         {"a\nb", "a\n", "a\tb", "a\x7f", std::string("a\0b", 3)},
         "control-character",
         "Destination path must not contain control characters"},
        {"none",
         "/sourcePath",
         {"/", "/srv/data", "/srv/ä b", "/srv/..x", "/-x", text('/', 1) + text('x', 4095)},
         {"srv", "~/x", "-x"},
         "not-absolute",
         "Source path must be an absolute path"},
        {"none",
         "/sourcePath",
         {},
         {"/srv/../etc", "/.", "/srv/.."},
         "dot-segment",
         "Source path must not contain '.' or '..' as a segment"},
        {"none",
         "/sourcePath",
         {},
         {"/a\nb", std::string("/a\0", 3)},
         "control-character",
         "Source path must not contain control characters"},
        {"none",
         "/layout",
         {"mirror", "versions"},
         {"Mirror", "flat"},
         "enum",
         "layout must be one of the following values: mirror, versions"},
        {"none", "/rcloneOptions/transfers", {1, 64}, {65}, "range", "transfers must not be greater than 64"},
        {"none",
         "/rcloneOptions/exclude",
         {"*.tmp", json{"a", "b"}},
         {5, json::object()},
         "type",
         "exclude must be a string or an array"},
        {"none",
         "/rcloneOptions/exclude",
         {},
         {"a\nb"},
         "control-character",
         "A filter rule must not contain control characters"},
        {"none",
         "/rcloneOptions/exclude/0",
         {},
         {"a\nb"},
         "control-character",
         "A filter rule must not contain control characters"},
        {"none",
         "/rcloneOptions/s3-chunk-size",
         {"64M"},
         {"-v", "a b", "a\n"},
         "pattern",
         "An rclone option must start with a letter or digit and contain only letters, digits, '.', '_', ':' and '-'"},
        {"docker",
         docker + "containerName",
         {"web", "a.b_c-1", json{"web", "db"}},
         {"-a", "a/b", "a b", "", "a\n"},
         "pattern",
         engineMessage},
        {"docker", docker + "volumeName/0", {"a"}, {"-a", "a/b", ""}, "pattern", engineMessage},
        {"docker",
         docker + "containerName",
         {},
         {json{"a", "a"}},
         "duplicate",
         "All elements of containerName must be unique"},
        {"docker", docker + "containerName", {}, {json::array()}, "empty", "containerName should not be empty"},
        {"docker",
         docker + "volumeName",
         {"data", json{"data", "logs"}},
         {5, true},
         "type",
         "volumeName must be a string or an array"},
        {"docker",
         docker + "engineSocket",
         {"/run/docker.sock"},
         {"docker.sock", "tcp://x", "/a\nb"},
         "not-absolute",
         "Engine socket must be an absolute path, without control characters"},
        {"none",
         "/limits/memoryMax",
         {"1G", "1.5G", "512M", "infinity", 1073741824, "1073741824"},
         {0, -1},
         "range",
         "memoryMax must not be less than 1"},
        {"none",
         "/limits/memoryMax",
         {},
         {"50%", "1X", "", "G", "1G1", "-1", "99999999999999999999", "100E"},
         "limit",
         ""},
        {"none", "/limits/memoryMax", {}, {"0", "0.0000000001K"}, "range", "memoryMax must be more than zero"},
        {"none", "/limits/cpuQuota", {"200%", "0.5%"}, {"200", "0%", "%", "-1%", "infinity"}, "limit", ""},
        {"none",
         "/limits/runtimeMax",
         {"12h", "1h 30min", "90", "infinity", 3600},
         {"12 parsecs", "", "h", "1h-"},
         "limit",
         ""},
        {"none", "/limits/tasksMax", {256, "256", "infinity"}, {"many", "1.5", "10%", "-1"}, "limit", ""},
        {"none", "/limits/tasksMax", {}, {1.5, true, json::array()}, "type", "tasksMax must be a string or an integer"},
        {"none", "/limits/bandwidth", {"10M", 1000000}, {"infinity", "10%", "10MB/s"}, "limit", ""},
        {"none",
         "/schedule",
         {"", "*-*-* 03:00:00", "Mon..Fri 22:30", "0 3 * * *", "@daily"},
         {"61 * * * *", "a;b", "@reboot", "a\nb"},
         "schedule",
         ""},
        {"none",
         "/schedule",
         {},
         {text('x', 257)},
         "too-long",
         "schedule must be shorter than or equal to 256 characters"},
    };
}

/// Strings and lists that are empty or too long, and whole numbers of limits that are none.
std::vector<Rule> boundaryRules() {
    const auto list = [](std::size_t count) {
        std::vector<std::string> names;
        for (std::size_t i = 0; i < count; ++i) names.push_back("n" + std::to_string(i));
        return json(names);
    };
    const auto empty = [](const std::string& type, const std::string& pointer, const std::string& field,
                          const json& value) {
        return Rule{type, pointer, {}, {value}, "empty", field + " should not be empty"};
    };
    const auto bounded = [](const std::string& type, const std::string& pointer, const std::string& field,
                            std::size_t most, const std::string& start = "") {
        return Rule{type,       pointer,
                    {},         {start + text('x', most + 1)},
                    "too-long", field + " must be shorter than or equal to " + std::to_string(most) + " characters"};
    };
    const auto positive = [](const std::string& field, const json& good) {
        return Rule{"none", "/limits/" + field, {good}, {0, -1}, "range", field + " must not be less than 1"};
    };
    const std::string exclude = "/rcloneOptions/exclude";
    return {
        empty("none", "/name", "name", ""),
        empty("none", "/remoteName", "remoteName", ""),
        empty("none", "/sourcePath", "sourcePath", ""),
        empty("zfs", zfs + "poolName", "poolName", ""),
        empty("script", script + "scriptPath", "scriptPath", ""),
        empty("none", "/rcloneOptions/max-size", "max-size", ""),
        empty("none", exclude, "exclude", ""),
        empty("none", exclude, "exclude", json::array()),
        empty("none", exclude + "/0", "each value in exclude", ""),
        empty("docker", docker + "volumeName", "volumeName", ""),
        empty("docker", docker + "volumeName/0", "each value in volumeName", ""),
        bounded("none", "/sourcePath", "sourcePath", 4096, "/"),
        bounded("flash", flash + "commitMessage", "commitMessage", 4096),
        bounded("script", script + "scriptPath", "scriptPath", 4096, "/"),
        bounded("script", script + "workingDirectory", "workingDirectory", 4096, "/"),
        bounded("script", script + "scriptArgs/0", "each value in scriptArgs", 4096),
        bounded("none", exclude + "/0", "each value in exclude", 1024),
        bounded("docker", docker + "engineSocket", "engineSocket", 107, "/"),
        bounded("docker", docker + "volumeName/0", "each value in volumeName", 255),
        bounded("none", "/limits/cpuQuota", "cpuQuota", 64),
        bounded("none", "/limits/runtimeMax", "runtimeMax", 64),
        bounded("none", "/limits/tasksMax", "tasksMax", 64),
        bounded("none", "/limits/bandwidth", "bandwidth", 64),
        positive("runtimeMax", 1),
        positive("tasksMax", 1),
        positive("bandwidth", 1),
        {"none", exclude, {list(256)}, {list(257)}, "too-many", "exclude must contain no more than 256 elements"},
        {"docker",
         docker + "volumeName",
         {list(64)},
         {list(65)},
         "too-many",
         "volumeName must contain no more than 64 elements"},
        {"script",
         script + "workingDirectory",
         {},
         {"/srv/../etc"},
         "dot-segment",
         "Working directory must not contain '..' as a segment"},
        {"docker",
         docker + "engineSocket",
         {"/" + text('x', 106)},
         {"/run/../x"},
         "dot-segment",
         "Engine socket must not contain '..' as a segment"},
    };
}

std::string describe(const json& value) { return value.dump(-1, ' ', true).substr(0, 80); }

void checkRule(const Rule& rule) {
    for (const auto& value : rule.good) {
        const auto problems = problemsOf(with(minimal(rule.type), rule.pointer, value));
        EXPECT_TRUE(problems.empty()) << rule.pointer << " = " << describe(value) << ": " << problems.front().message;
    }
    for (const auto& value : rule.bad) {
        bool found = false;
        for (const auto& problem : problemsOf(with(minimal(rule.type), rule.pointer, value))) {
            const bool sameMessage = rule.message.empty() ? !problem.message.empty() : problem.message == rule.message;
            found = found || (problem.pointer == rule.pointer && problem.code == rule.code && sameMessage);
        }
        EXPECT_TRUE(found) << rule.pointer << " = " << describe(value) << " should be: " << rule.code << ", "
                           << rule.message;
    }
}

} // namespace

TEST(FieldRules, OfTheSeed) {
    for (const auto& rule : seedRules()) checkRule(rule);
}

TEST(FieldRules, OfOurOwn) {
    for (const auto& rule : ownRules()) checkRule(rule);
}

TEST(FieldRules, Boundaries) {
    for (const auto& rule : boundaryRules()) checkRule(rule);
}

} // namespace holdfast::test
