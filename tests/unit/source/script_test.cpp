#include "source/script.hpp"

#include "source/script_output.hpp"
#include "util/error.hpp"
#include "util/fd.hpp"
#include "util/file.hpp"

#include "../temporary_folder.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace holdfast {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

std::string refusalOf(const std::string& content) {
    try {
        interpreterOf(content, "/x.sh");
    } catch (const Error& e) {
        return e.what();
    }
    return "";
}

TEST(Script, FirstLineIsSplitAsTheKernelDoes) {
    EXPECT_EQ(interpreterOf("#!/bin/sh\necho", "/x").command, Strings{"/bin/sh"});
    EXPECT_EQ(interpreterOf("#!/bin/sh", "/x").command, Strings{"/bin/sh"});
    EXPECT_EQ(interpreterOf("#! /bin/bash  -e -u \n", "/x").command, (Strings{"/bin/bash", "-e -u"}));
    EXPECT_EQ(interpreterOf("#!/usr/bin/python3\t-I\n", "/x").command, (Strings{"/usr/bin/python3", "-I"}));
    EXPECT_EQ(interpreterOf("#!/usr/bin/python3\n", "/x").program, "/usr/bin/python3");
    EXPECT_EQ(interpreterOf("#!/usr/bin/env -S A=1 node --jitless\n", "/x").program, "node");
    EXPECT_EQ(interpreterOf("#!/usr/bin/env\n", "/x").program, "");
}

TEST(Script, FirstLineThatCannotBeRunIsRefused) {
    for (const char* content : {"", "echo\n", "\n#!/bin/sh\n", " #!/bin/sh\n"}) {
        EXPECT_NE(refusalOf(content).find("has no interpreter"), std::string::npos) << content;
    }
    EXPECT_NE(refusalOf("#!/bin/sh\r\n").find("Windows"), std::string::npos);
    for (const char* content : {"#!sh\n", "#!\n", "#!  \n"}) {
        EXPECT_NE(refusalOf(content).find("absolute path"), std::string::npos) << content;
    }
}

TEST(Script, OnlyInterpretersThatAreKnownMakeNoCode) {
    for (const char* name : {"/bin/sh", "bash", "/usr/bin/python3", "python3.11", "/usr/bin/perl", "perl5.36.0"}) {
        EXPECT_FALSE(makesCode(name)) << name;
    }
    for (const char* name : {"node", "/usr/bin/nodejs", "pypy3", "ruby", "", "/opt/shell"}) {
        EXPECT_TRUE(makesCode(name)) << name;
    }
}

TEST(Script, LastLinesOfAnything) {
    LastLines last(3, 5);
    EXPECT_EQ(last.text(), "");
    last.add("one\ntw");
    EXPECT_EQ(last.text(), "one\ntw");
    last.add("o\n\n\nthree is long\nfour\n");
    EXPECT_EQ(last.text(), "two\nthree\nfour");
    last.add("five");
    EXPECT_EQ(last.text(), "three\nfour\nfive");
    last.add(std::string("\n\x1b[2J\0\n", 7));
    EXPECT_EQ(last.text(), "four\nfive\n\\x1b[2J\\x00");
}

TEST(Script, OutputNeverTakesAllOfTheRoom) {
    EXPECT_EQ(outputLimit(5, 1000), 5U);
    EXPECT_EQ(outputLimit(5000, 1000), 900U);
    EXPECT_EQ(outputLimit(~0ULL, 0), 0U);
}

TEST(Script, UseOfAFolder) {
    const TemporaryFolder folder;
    const auto root = folder.path();
    fs::create_directories(root / "a/b");
    std::ofstream(root / "a/b/file") << std::string(10000, 'x');
    std::ofstream(root / "a/small") << "x";
    fs::create_symlink("/etc", root / "link");
    fs::resize_file(root / "a/small", 1 << 20); // sparse
    const auto use = folderUse(root, Stop{});
    EXPECT_EQ(use.content, 10000U + (1U << 20));
    EXPECT_EQ(use.largestFile, 1U << 20);
    EXPECT_LT(use.onDisk, 1U << 19);
    EXPECT_EQ(folderUse(root / "absent", Stop{}).content, 0U);
    EXPECT_EQ(use.entries, 5U);
    EXPECT_FALSE(use.tooDeep);
    EXPECT_GE(use.onDisk, 5U * 4096U);
    Stop stop;
    stop.request();
    EXPECT_ANY_THROW(folderUse(root, stop));
}

TEST(Script, WhatLiesTooDeepIsNoticed) {
    const TemporaryFolder folder;
    Fd at(::open(folder.path().c_str(), O_PATH | O_DIRECTORY));
    const std::string name(200, 'd');
    for (int depth = 0; depth < 30; ++depth) {
        ASSERT_EQ(::mkdirat(at.get(), name.c_str(), 0755), 0);
        at = Fd(::openat(at.get(), name.c_str(), O_PATH | O_DIRECTORY));
    }
    EXPECT_TRUE(folderUse(folder.path(), Stop{}).tooDeep);
}

TEST(Script, EveryEndHasItsSentence) {
    ScriptConfig config;
    config.scriptPath = "/x.sh";
    ScriptUnit unit;
    unit.timeout = 5 * usecPerSec;
    unit.fileSizeMax = 4096;
    const auto explain = [&](const char* result, int code, int status, USec ran = 0) {
        return explainScriptEnd({result, code, status, ran}, unit, config);
    };
    EXPECT_EQ(explain("success", CLD_EXITED, 0), "");
    EXPECT_EQ(explain("exit-code", CLD_EXITED, 3), "Script '/x.sh' exited with status 3.");
    EXPECT_EQ(explain("success", CLD_KILLED, SIGTERM), "Script '/x.sh' was killed by SIGTERM.");
    EXPECT_NE(explain("signal", CLD_KILLED, SIGKILL).find("limits.memoryMax"), std::string::npos);
    EXPECT_NE(explain("oom-kill", CLD_KILLED, SIGKILL).find("ran out of memory"), std::string::npos);
    EXPECT_NE(explain("core-dump", CLD_DUMPED, SIGXFSZ).find("larger than 4.0 KiB"), std::string::npos);
    EXPECT_NE(explain("timeout", 0, 0).find("preprocessTimeout of the job allows (5s)"), std::string::npos);
    EXPECT_NE(explain("timeout", CLD_EXITED, 0, 6 * usecPerSec).find("took longer"), std::string::npos);
    EXPECT_EQ(explain("timeout", CLD_EXITED, 0, 1 * usecPerSec), "") << "what it left behind had to be killed";
    EXPECT_EQ(explain("timeout", CLD_EXITED, 3, 1 * usecPerSec), "Script '/x.sh' exited with status 3.");
    config.timeout = 5;
    EXPECT_NE(explain("timeout", 0, 0).find("its timeout allows (5s)"), std::string::npos);
    EXPECT_EQ(explain("resources", 0, 0), "The unit of /x.sh failed: resources.");
}

TEST(Script, EveryExampleOfTheManualIsAJob) {
    const auto page = readFile(HOLDFAST_SOURCE_DIR "/docs/script.md", 1 << 20);
    int examples = 0;
    for (auto begin = page.find("```json\n"); begin != page.npos; begin = page.find("```json\n", begin + 1)) {
        const auto end = page.find("\n```", begin);
        const auto job = parseJob(page.substr(begin + 8, end - begin - 8));
        EXPECT_EQ(job.sourceType(), SourceType::Script);
        ++examples;
    }
    EXPECT_GE(examples, 1);
}

} // namespace
} // namespace holdfast
