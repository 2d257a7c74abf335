#include "bus/outbox.hpp"

#include "util/log.hpp"

#include <utility>

#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <sdbus-c++/Error.h>

namespace holdfast {

Outbox::Outbox(asio::io_context& io) : io_(io) {}

void Outbox::put(std::function<void()> send) {
    waiting_.push_back(std::move(send));
    schedule();
}

void Outbox::schedule() {
    if (scheduled_ || holds_ > 0 || waiting_.empty()) return;
    scheduled_ = true;
    asio::post(io_, [this] { flush(); });
}

void Outbox::flush() {
    scheduled_ = false;
    if (holds_ > 0) return;
    // What sending puts in goes out in the next turn, so that this one ends.
    const auto batch = std::exchange(waiting_, {});
    for (const auto& send : batch) {
        try {
            send();
        } catch (const sdbus::Error& e) {
            // One signal that cannot be sent is no reason to end; if the bus is gone, the loop will notice.
            logError(fmt::format("A signal could not be sent: {}", e.what()));
        }
    }
}

Outbox::Hold::Hold(Outbox& outbox) : outbox_(outbox) { ++outbox_.holds_; }

Outbox::Hold::~Hold() {
    --outbox_.holds_;
    outbox_.schedule();
}

} // namespace holdfast
