#include "worker.hpp"

#include "backup.hpp"
#include "drill.hpp"
#include "janitor.hpp"
#include "limits_file.hpp"
#include "pruning.hpp"
#include "reporter.hpp"
#include "restore.hpp"
#include "settle.hpp"
#include "verify.hpp"

#include "run/plan.hpp"
#include "util/async.hpp"
#include "util/error.hpp"
#include "util/file.hpp"
#include "util/log.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace holdfast {

namespace {

constexpr std::size_t maxPlan = 1024 * 1024;

LedgerHeader headerOf(const Plan& plan) {
    return {.id = plan.id,
            .job = plan.job.name,
            .host = plan.machine.host,
            .rcloneConfig = plan.settings.rcloneConfig.string(),
            .outputPath = plan.outputPath(),
            .kind = plan.kind(),
            .sourceType = toString(plan.job.sourceType()),
            .maxAttempts = plan.settings.maxAttempts,
            .cleanupOnFailure = plan.job.cleanupOnFailure,
            .startedAt = plan.startedAt};
}

awaitable<void> perform(const Plan& plan, const Paths& paths, Ledger& ledger, Reporter& reporter,
                        RateLimiter& limiter) {
    if (std::holds_alternative<RestoreTask>(plan.task)) return restore(plan, paths, ledger, reporter, limiter);
    if (std::holds_alternative<VerifyTask>(plan.task)) return verify(plan, paths, ledger, reporter, limiter);
    if (plan.drills()) return drill(plan, paths, ledger, reporter, limiter);
    if (const auto* task = std::get_if<PruneTask>(&plan.task)) return prune(plan, task->keep, paths, ledger, reporter);
    if (std::holds_alternative<JanitorTask>(plan.task)) return removeOrphans(plan, paths, reporter);
    return backUp(plan, paths, ledger, reporter, limiter);
}

/// The task, while its progress is reported and its limits are followed. Returns how it failed, if it did.
awaitable<std::exception_ptr> attended(const Plan& plan, const Paths& paths, Ledger& ledger, Reporter& reporter) {
    using namespace asio::experimental::awaitable_operators;
    RateLimiter limiter;
    const auto first =
        co_await (caught(perform(plan, paths, ledger, reporter, limiter)) ||
                  caught(reporter.follow(plan.settings.stallWarning)) || caught(followLimits(paths, plan.id, limiter)));
    co_return std::visit([](const std::exception_ptr& failure) { return failure; }, first);
}

} // namespace

awaitable<int> work(const Paths& paths, std::string id) {
    auto plan = planFromJson(nlohmann::json::parse(readFile(paths.plan(id), maxPlan)));
    plan.machine.host = hostName(); // the daemon's sandbox shows it the name of when it started
    auto ledger = Ledger::create(paths.ledger(id), headerOf(plan));
    Reporter reporter(paths, id, plan.settings.maxAttempts);

    const auto failure = co_await attended(plan, paths, ledger, reporter);
    const bool toldToStop = isCancelled(co_await asio::this_coro::cancellation_state);
    if (toldToStop) {
        logNotice("Told to stop; the programs have ended, cleaning up follows.");
        co_return EXIT_SUCCESS;
    }
    const Outcome outcome = failure ? Outcome{"failed", sentenceOf(failure)} : Outcome{"done", ""};
    if (failure) {
        logError(outcome.error);
        ledger.verdict(outcome.error);
    }
    reporter.phase("cleaning");
    const bool clean = co_await settle(paths, ledger, reporter.state(), outcome);
    if (!failure && plan.backsUp()) logInfo(fmt::format("{} is whole.", plan.outputPath()));
    co_return !failure && clean ? EXIT_SUCCESS : EXIT_FAILURE;
}

} // namespace holdfast
