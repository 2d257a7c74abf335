#include "warnings.hpp"

#include "util/log.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace holdfast {

void Warnings::give(const Warning& warning) {
    ofGround_ = ofGround_ || warning.ground;
    if (std::find(sentences_.begin(), sentences_.end(), warning.sentence) != sentences_.end()) return;
    logWarning(warning.sentence);
    sentences_.push_back(warning.sentence);
    if (std::find(words_.begin(), words_.end(), warning.word) == words_.end()) words_.push_back(warning.word);
    reporter_.metadata({{"attention", words_}, {"warnings", sentences_}});
}

} // namespace holdfast
