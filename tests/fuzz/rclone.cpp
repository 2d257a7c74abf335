#include "fuzz/fuzz.hpp"
#include "transfer/answers.hpp"

#include <sstream>

using namespace holdfast;

namespace {

void takeLines(const std::string& text) {
    FileList files;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) takeListedLine(line, "sha256", files, "list");
}

} // namespace

/// Each answer that rclone gives, from the same text.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::textOf(data, size);
    fuzz::read([&] { parseFeatures(text, "ask"); });
    fuzz::read([&] { parseStat(text, "md5", "look"); });
    fuzz::read([&] { parseStat(text, "", "look"); });
    fuzz::read([&] { parseFolder(text, "list"); });
    fuzz::read([&] { takeLines(text); });
    return 0;
}
