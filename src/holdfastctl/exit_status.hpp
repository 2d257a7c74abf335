#pragma once

/// What holdfastctl exits with; docs/holdfastctl.md promises these.
namespace holdfast::ctl::exitWith {

constexpr int done = 0;
constexpr int failed = 1;
constexpr int usage = 2;
constexpr int notAuthorized = 3;
constexpr int cancelled = 4; ///< the run that was followed
constexpr int cutShort = 5;  ///< the run that was followed: timeout or interrupted
constexpr int unreachable = 6;
constexpr int interrupted = 130; ///< as shells say of SIGINT

} // namespace holdfast::ctl::exitWith
