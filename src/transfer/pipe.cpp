#include "transfer/pipe.hpp"

#include "transfer/compressor.hpp"
#include "transfer/decompressor.hpp"
#include "transfer/digest.hpp"
#include "transfer/stall.hpp"
#include "util/async.hpp"
#include "util/format.hpp"

#include <utility>
#include <vector>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

namespace holdfast {

using namespace asio::experimental::awaitable_operators;
using namespace std::chrono_literals;
using std::chrono::microseconds;

namespace {

constexpr int pipeCapacity = 1024 * 1024; // fs.pipe-max-size; 64 KiB, the default, costs a third of the speed
constexpr std::size_t bufferSize = 256 * 1024;

/// Takes the producer's bytes, hands them on, recoded or not, and hashes both.
class Pump {
  public:
    Pump(asio::any_io_executor executor, const PipeSpec& spec, Progress& progress, RateLimiter& limiter, Fd from, Fd to)
        : limitInput_(spec.limitInput), progress_(progress), limiter_(limiter), from_(executor, from.release()),
          to_(executor) {
        if (to) to_.assign(to.release());
        if (spec.compressionLevel) compressor_.emplace(*spec.compressionLevel);
        if (spec.decompress) decompressor_.emplace();
        if (compressor_ || decompressor_) outDigest_.emplace("SHA256");
        if (!spec.outHash.empty()) otherDigest_.emplace(spec.outHash == "md5" ? "MD5" : "SHA1");
    }

    /// Moves all that comes, or until the consumer does not listen any more: then deaf(), and called again it only
    /// counts and hashes the rest. Does not close what the consumer reads.
    awaitable<void> run() {
        const bool wasDeaf = deaf_;
        std::vector<char> buffer(bufferSize);
        while (!ended_) {
            const auto room = asio::buffer(buffer, limitInput_ ? limiter_.portion(bufferSize) : bufferSize);
            boost::system::error_code failed;
            const auto got = co_await from_.async_read_some(room, asio::redirect_error(asio::use_awaitable, failed));
            if (failed == asio::error::eof) break;
            if (failed) throw boost::system::system_error(failed, "read from the producer");
            const std::string_view bytes(buffer.data(), got);
            co_await take(bytes);
            if (deaf_ && !wasDeaf) co_return;
        }
        if (std::exchange(ended_, true)) co_return;
        if (!compressor_) co_return;
        const std::string_view rest = compressor_->finish();
        co_await write(rest);
    }

    [[nodiscard]] bool deaf() const { return deaf_; }
    void close() {
        if (to_.is_open()) to_.close();
    }
    /// What the producer still writes fails.
    void closeInput() { from_.close(); }

    /// Throws `Error` if what came ends in the middle of a zstd frame.
    Flow finish() {
        if (decompressor_ && !decompressor_->whole()) throw Error("what was compressed is cut short.");
        Flow flow{.inSize = inSize_, .inSha256 = inDigest_.finish(), .outSize = outSize_};
        flow.outSha256 = outDigest_ ? outDigest_->finish() : flow.inSha256;
        if (otherDigest_) flow.outHash = otherDigest_->finish();
        return flow;
    }

  private:
    /// In portions, so that progress is seen of a block that takes seconds at a low rate.
    awaitable<void> take(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto portion = bytes.substr(0, limiter_.portion(bytes.size()));
            co_await recode(portion);
            inDigest_.add(portion); // after the write: the consumer works on these bytes meanwhile
            inSize_ += portion.size();
            progress_.add(portion.size(), Progress::Clock::now());
            if (limitInput_) co_await pauseAfter(portion.size());
            bytes.remove_prefix(portion.size());
        }
    }

    awaitable<void> recode(std::string_view bytes) {
        if (decompressor_) {
            std::string_view out;
            do {
                out = decompressor_->step(bytes);
                co_await write(out);
            } while (!bytes.empty() || !out.empty());
        } else {
            const std::string_view out = compressor_ ? compressor_->add(bytes) : bytes;
            co_await write(out);
        }
    }

    awaitable<void> write(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto portion = limitInput_ ? bytes : bytes.substr(0, limiter_.portion(bytes.size()));
            if (to_.is_open() && !deaf_) co_await send(portion);
            if (outDigest_) outDigest_->add(portion);
            if (otherDigest_) otherDigest_->add(portion);
            outSize_ += portion.size();
            bytes.remove_prefix(portion.size());
            if (!limitInput_) co_await pauseAfter(portion.size());
        }
    }

    awaitable<void> send(std::string_view bytes) {
        boost::system::error_code failed;
        co_await asio::async_write(to_, asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, failed));
        if (failed == boost::system::errc::broken_pipe)
            deaf_ = true;
        else if (failed)
            throw boost::system::system_error(failed, "write to the consumer");
    }

    awaitable<void> pauseAfter(std::size_t bytes) {
        const auto pause = limiter_.sent(bytes, RateLimiter::Clock::now());
        if (pause > 0us) co_await sleepFor(pause);
    }

    const bool limitInput_;
    Progress& progress_;
    RateLimiter& limiter_;
    asio::posix::stream_descriptor from_;
    asio::posix::stream_descriptor to_;
    std::optional<Compressor> compressor_;
    std::optional<Decompressor> decompressor_;
    Digest inDigest_{"SHA256"};
    std::optional<Digest> outDigest_;
    std::optional<Digest> otherDigest_;
    std::uint64_t inSize_ = 0;
    std::uint64_t outSize_ = 0;
    bool deaf_ = false;
    bool ended_ = false;
};

/// A pipe and its two programs.
struct Line {
    const PipeSpec& spec;
    Pump& pump;
    Child& producer;
    std::optional<Child>& consumer;

    [[noreturn]] void consumerFailed(const ExitStatus& status) const {
        throw spec.consumerFailed(status, consumer->errorTail());
    }
};

/// Moves everything; a consumer that ends before it may is noticed at once, not only at the next byte.
awaitable<void> moveAll(Line line) {
    if (!line.consumer || line.spec.mayEndEarly) {
        co_await line.pump.run();
    } else {
        const auto first = co_await (caught(line.pump.run()) || line.consumer->wait());
        if (const auto* status = std::get_if<1>(&first)) line.consumerFailed(*status);
        if (const auto failure = std::get<0>(first)) std::rethrow_exception(failure);
    }
    if (!line.pump.deaf()) co_return;
    const auto status = co_await line.consumer->wait();
    if (!status.ok() || !line.spec.mayEndEarly) line.consumerFailed(status);
    co_await line.pump.run();
}

/// From the first byte to the consumer's end. Leaves both programs running if it throws.
awaitable<void> feed(Line line, Flow& flow) {
    co_await moveAll(line);
    const auto produced = co_await line.producer.wait();
    if (!produced.ok()) throw line.spec.producerFailed(produced, line.producer.errorTail());
    flow = line.pump.finish();
    line.spec.gate(flow);
    line.pump.close(); // the gate opens: only now may the consumer take what it has for the whole
    if (!line.consumer) co_return;
    const auto consumed = co_await line.consumer->wait();
    if (!consumed.ok()) line.consumerFailed(consumed);
}

/// Nobody reads any more what the producer writes: one that waits in the kernel for its pipe, as OpenZFS does, would
/// be ended neither by TERM nor by KILL.
awaitable<void> endBoth(Line line) {
    const microseconds grace(line.spec.killDelay);
    line.pump.closeInput();
    if (line.consumer)
        co_await (line.producer.end(grace) && line.consumer->end(grace));
    else
        co_await line.producer.end(grace);
}

/// Ends the producer if what is waited for fails, and closes what it writes to first, see endBoth().
awaitable<void> untilReady(PipeSpec& spec, Child& producer, Fd& fromProducer) {
    if (!spec.beforeConsumer) co_return;
    auto ready = spec.beforeConsumer(spec);
    const auto failure = co_await caught(std::move(ready));
    if (!failure) co_return;
    const bool toldToStop = isCancelled(co_await asio::this_coro::cancellation_state);
    if (toldToStop) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    fromProducer.reset();
    co_await producer.end(microseconds(spec.killDelay));
    std::rethrow_exception(failure);
}

} // namespace

awaitable<Flow> runPipe(PipeSpec spec, Progress& progress, RateLimiter& limiter) {
    const auto executor = co_await asio::this_coro::executor;
    auto in = makePipe(pipeCapacity);
    spec.producer.out = in.write.get();
    Child producer(executor, spec.producer);
    in.write.reset();
    co_await untilReady(spec, producer, in.read);

    PipeEnds out;
    if (spec.consumer) {
        out = makePipe(pipeCapacity);
        spec.consumer->in = out.read.get();
    }
    Pump pump(executor, spec, progress, limiter, std::move(in.read), std::move(out.write));
    std::optional<Child> consumer;
    if (spec.consumer) consumer.emplace(executor, *spec.consumer);
    out.read.reset();

    const Line line{spec, pump, producer, consumer};
    Flow flow;
    std::exception_ptr failure;
    const microseconds stallTimeout(spec.stallTimeout);
    const auto first = co_await (caught(feed(line, flow)) || untilStalled(progress, stallTimeout));
    if (first.index() == 1) {
        failure = std::make_exception_ptr(TransferError(
            fmt::format("No byte has moved for {}; the attempt was ended.", formatSpan(spec.stallTimeout)), true));
    } else {
        failure = std::get<0>(first);
    }
    if (!failure) co_return flow;

    const bool toldToStop = isCancelled(co_await asio::this_coro::cancellation_state);
    if (toldToStop) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await endBoth(line); // the consumer's input is still open
    std::rethrow_exception(failure);
}

} // namespace holdfast
