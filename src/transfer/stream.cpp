#include "transfer/stream.hpp"

#include "transfer/compressor.hpp"
#include "transfer/digest.hpp"
#include "transfer/stall.hpp"
#include "util/async.hpp"
#include "util/child.hpp"
#include "util/format.hpp"

#include <algorithm>

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

/// Takes the stream's bytes, hands the object's bytes on, and hashes both.
class Pipe {
  public:
    Pipe(asio::any_io_executor executor, const StreamSpec& spec, Progress& progress, RateLimiter& limiter, Fd from,
         Fd to)
        : progress_(progress), limiter_(limiter), from_(executor, from.release()), to_(executor, to.release()) {
        if (spec.compressionLevel) {
            compressor_.emplace(*spec.compressionLevel);
            objectDigest_.emplace("SHA256");
        }
        if (!spec.remoteHash.empty() && spec.remoteHash != "sha256") {
            remoteDigest_.emplace(spec.remoteHash == "md5" ? "MD5" : "SHA1");
        }
    }

    /// Moves all that the producer writes; does not close what rclone reads.
    awaitable<void> pump() {
        std::vector<char> buffer(bufferSize);
        while (true) {
            boost::system::error_code failed;
            const auto got =
                co_await from_.async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, failed));
            if (failed == asio::error::eof) break;
            if (failed) throw boost::system::system_error(failed, "read from the producer");
            const std::string_view bytes(buffer.data(), got);
            const std::string_view toSend = compressor_ ? compressor_->add(bytes) : bytes;
            co_await writeObject(toSend);
            streamDigest_.add(bytes); // after the write: rclone works on these bytes meanwhile
            streamSize_ += got;
            progress_.add(got, Progress::Clock::now());
        }
        if (!compressor_) co_return;
        const std::string_view end = compressor_->finish();
        co_await writeObject(end);
    }

    [[nodiscard]] std::uint64_t streamSize() const { return streamSize_; }

    void close() { to_.close(); }

    Sent finish() {
        Sent sent{.streamSize = streamSize_, .streamSha256 = streamDigest_.finish(), .objectSize = objectSize_};
        sent.objectSha256 = objectDigest_ ? objectDigest_->finish() : sent.streamSha256;
        sent.remoteHash = remoteDigest_ ? remoteDigest_->finish() : sent.objectSha256;
        return sent;
    }

  private:
    awaitable<void> writeObject(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto portion = bytes.substr(0, limiter_.portion(bytes.size()));
            co_await asio::async_write(to_, asio::buffer(portion), asio::use_awaitable);
            if (objectDigest_) objectDigest_->add(portion);
            if (remoteDigest_) remoteDigest_->add(portion);
            objectSize_ += portion.size();
            bytes.remove_prefix(portion.size());
            const auto pause = limiter_.sent(portion.size(), RateLimiter::Clock::now());
            if (pause > 0us) co_await sleepFor(pause);
        }
    }

    Progress& progress_;
    RateLimiter& limiter_;
    asio::posix::stream_descriptor from_;
    asio::posix::stream_descriptor to_;
    std::optional<Compressor> compressor_;
    Digest streamDigest_{"SHA256"};
    std::optional<Digest> objectDigest_;
    std::optional<Digest> remoteDigest_;
    std::uint64_t streamSize_ = 0;
    std::uint64_t objectSize_ = 0;
};

/// What rclone would check with all of its hashes, at a fifth of the speed, we check with one: verifyObject().
std::vector<std::string> rcatArguments(const StreamSpec& spec) {
    std::vector<std::string> arguments{"rcat", "--ignore-checksum"};
    for (auto& flag : partSizeFlags(spec.estimate)) arguments.push_back(std::move(flag));
    arguments.insert(arguments.end(), {"--", spec.object});
    return arguments;
}

TransferError producerFailure(const StreamSpec& spec, const ExitStatus& status, const Child& producer) {
    const auto words = producer.errorTail();
    return {fmt::format("{} {} before the stream was whole{}{}", spec.producer.at(0), status.describe(),
                        words.empty() ? "." : ": ", words),
            true};
}

/// From the first byte to rclone's end. Leaves both programs running if it throws.
awaitable<void> feed(const StreamSpec& spec, Pipe& pipe, Child& producer, Child& rclone) {
    const auto doing = fmt::format("upload {}", spec.object);
    const auto first = co_await (caught(pipe.pump()) || rclone.wait());
    if (const auto* status = std::get_if<1>(&first)) throw rcloneFailure(doing, *status, rclone.errorTail());
    if (const auto failure = std::get<0>(first)) {
        const bool toldToStop = isCancelled(co_await asio::this_coro::cancellation_state);
        if (toldToStop) std::rethrow_exception(failure);
        try {
            std::rethrow_exception(failure);
        } catch (const boost::system::system_error& e) {
            if (e.code() != boost::system::errc::broken_pipe) throw;
        }
        const auto status = co_await rclone.wait();
        throw rcloneFailure(doing, status, rclone.errorTail());
    }

    if (const auto status = co_await producer.wait(); !status.ok()) throw producerFailure(spec, status, producer);
    if (pipe.streamSize() == 0) {
        throw TransferError(fmt::format("{} wrote nothing: an empty stream is not a backup.", spec.producer.at(0)),
                            false);
    }
    pipe.close(); // the gate opens: only now may rclone take what it has for the whole
    if (const auto status = co_await rclone.wait(); !status.ok()) {
        throw rcloneFailure(doing, status, rclone.errorTail());
    }
}

} // namespace

awaitable<Sent> sendStream(const Rclone& rclone, StreamSpec spec, Progress& progress, RateLimiter& limiter) {
    const auto executor = co_await asio::this_coro::executor;
    auto stream = makePipe(pipeCapacity);
    auto object = makePipe(pipeCapacity);

    auto consumerSpec = rclone.command(rcatArguments(spec));
    consumerSpec.in = object.read.get();
    ChildSpec producerSpec;
    producerSpec.argv = spec.producer;
    producerSpec.out = stream.write.get();

    Pipe pipe(executor, spec, progress, limiter, std::move(stream.read), std::move(object.write));
    Child consumer(executor, consumerSpec);
    object.read.reset();
    Child producer(executor, producerSpec);
    stream.write.reset();

    std::exception_ptr failure;
    const microseconds stallTimeout(spec.stallTimeout);
    const auto first = co_await (caught(feed(spec, pipe, producer, consumer)) || untilStalled(progress, stallTimeout));
    if (first.index() == 1) {
        failure = std::make_exception_ptr(TransferError(
            fmt::format("No byte has moved for {}; the attempt was ended.", formatSpan(spec.stallTimeout)), true));
    } else {
        failure = std::get<0>(first);
    }
    if (!failure) co_return pipe.finish();

    const bool toldToStop = isCancelled(co_await asio::this_coro::cancellation_state);
    if (toldToStop) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    const microseconds grace(spec.killDelay);
    co_await (producer.end(grace) && consumer.end(grace)); // the pipe, and with it rclone's input, is still open
    std::rethrow_exception(failure);
}

awaitable<void> verifyObject(const Rclone& rclone, std::string object, RemoteFeatures features, Sent sent) {
    constexpr std::uint64_t slowestRead = 1024 * 1024; // bytes a second, where the object has to be read
    const auto deadline = 10min + std::chrono::seconds(sent.objectSize / slowestRead);
    const auto hash = chooseHash(features);
    std::optional<RemoteObject> found;
    if (features.local)
        found = co_await rclone.readBack(object, deadline);
    else
        found = co_await rclone.stat(object, hash, deadline);
    if (!found) throw TransferError(fmt::format("{} is not there after its upload.", object), true);
    if (found->size != sent.objectSize) {
        throw TransferError(
            fmt::format("{} has {} bytes at the destination, but {} were sent.", object, found->size, sent.objectSize),
            true);
    }
    if (found->hash && *found->hash != sent.remoteHash) {
        throw TransferError(fmt::format("{} differs at the destination from what was sent ({} is {}, should be {}).",
                                        object, hash, *found->hash, sent.remoteHash),
                            true);
    }
}

std::string chooseHash(const RemoteFeatures& features) {
    for (const char* hash : {"sha256", "md5", "sha1"}) {
        if (std::find(features.hashes.begin(), features.hashes.end(), hash) != features.hashes.end()) return hash;
    }
    return {};
}

std::vector<std::string> partSizeFlags(std::uint64_t estimate) {
    constexpr std::uint64_t mib = 1024 * 1024;
    struct Backend {
        const char* flag;
        std::uint64_t part, parts;
    };
    static constexpr Backend backends[] = {{"--s3-chunk-size", 5 * mib, 10'000},
                                           {"--b2-chunk-size", 96 * mib, 10'000},
                                           {"--azureblob-chunk-size", 4 * mib, 50'000}};

    std::vector<std::string> flags;
    const std::uint64_t wanted = estimate + estimate / 4;
    for (const auto& backend : backends) {
        if (wanted <= backend.part * backend.parts) continue;
        const auto part = (wanted / backend.parts + mib) / mib; // whole MiB, rounded up
        flags.push_back(fmt::format("{}={}Mi", backend.flag, part));
    }
    return flags;
}

} // namespace holdfast
