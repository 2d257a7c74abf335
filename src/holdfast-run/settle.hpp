#pragma once

#include "run/ledger.hpp"
#include "run/paths.hpp"
#include "run/state.hpp"
#include "util/asio.hpp"

#include <string>

namespace holdfast {

/// How a run ended, as far as its own manifest does not say otherwise.
struct Outcome {
    std::string result; ///< done, failed, cancelled, timeout, interrupted
    std::string error;  ///< a sentence; empty for done
};

/// Ends a run: gives back what the ledger still lists, newest first, and writes the result durably. The manifest at the
/// destination has the last word: if a whole one is there the run is done and its objects stay. Idempotent: the worker
/// calls it at its end, and a cleanup calls it for a worker that could not.
///
/// What cannot be given back now stays in the ledger for a later cleanup; the result is written all the same, unless
/// whether the run is committed could not be told. Returns whether nothing is left.
awaitable<bool> settle(const Paths& paths, Ledger& ledger, RunState last, Outcome outcome);

/// Why the run ended, without what settle() added about what was left or kept then: it says that anew each time.
std::string errorWithoutRemarks(const RunResult& result);

/// For a run that died before it had a ledger: it acquired nothing.
void settleWithoutLedger(const Paths& paths, const std::string& id, RunState last, const Outcome& outcome);

} // namespace holdfast
