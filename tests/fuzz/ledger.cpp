#include "run/ledger.hpp"
#include "fuzz/fuzz.hpp"

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <unistd.h>

using namespace holdfast;

/// A ledger that can be read can be read again, with the same left to do.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::filesystem::path path = fmt::format("/dev/shm/fuzz-ledger-{}", ::getpid());
    std::ofstream(path, std::ios::binary | std::ios::trunc) << fuzz::textOf(data, size);
    fuzz::read([] {
        const auto left = Ledger::open(path).outstanding().size();
        fuzz::require(Ledger::open(path).outstanding().size() == left, "a ledger is read as it was left");
    });
    std::filesystem::remove(path);
    return 0;
}
