#include "bus/polkit.hpp"

#include "bus/variant.hpp"
#include "job/document.hpp"
#include "util/bus_call.hpp"
#include "util/log.hpp"
#include "util/text.hpp"

#include <chrono>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <fmt/format.h>

namespace holdfast {

namespace {

using namespace std::chrono_literals;

constexpr auto polkitName = "org.freedesktop.PolicyKit1";
constexpr auto authorityInterface = "org.freedesktop.PolicyKit1.Authority";

constexpr auto promptLimit = 5min;
constexpr auto answerLimit = 30s;
constexpr std::uint32_t allowPrompt = 1;

// The bus lets a connection wait for 128 replies: the sum stays well below, so that others of our calls still get out.
constexpr std::size_t eachQuestions = 16;
constexpr std::size_t allQuestions = 64;

using Subject = sdbus::Struct<std::string, VariantMap>;
using CheckResult = sdbus::Struct<bool, bool, std::map<std::string, std::string>>;

std::unique_ptr<sdbus::IProxy> makeProxy(sdbus::IConnection& connection, const char* service, const char* path) {
    auto proxy = sdbus::createProxy(connection, compat::ServiceName(service), sdbus::ObjectPath(path));
    compat::finishRegistration(*proxy);
    return proxy;
}

/// What bus and libsystemd call an answer that did not come in time.
bool timedOut(const sdbus::Error& error) {
    const std::string& name = error.getName();
    return name == "org.freedesktop.DBus.Error.NoReply" || name == "org.freedesktop.DBus.Error.Timeout";
}

} // namespace

std::string quotedForPrompt(const std::string& text) { return busText(harmless(shown(text))); }

struct Polkit::Answer {
    std::uint32_t uid = 0;
    bool authorized = false;
    bool challenge = false; ///< a prompt could change the answer
};

Polkit::Polkit(sdbus::IConnection& connection, const Callers& callers)
    : callers_(callers), authority_(makeProxy(connection, polkitName, "/org/freedesktop/PolicyKit1/Authority")),
      questions_(eachQuestions, allQuestions) {}

Polkit::~Polkit() = default;

std::uint32_t Polkit::uidOf(const Caller& caller) const {
    if (const auto uid = callers_.uidOf(caller.sender)) return *uid;
    throw AccessDenied(fmt::format("The caller {} has left the bus.", caller.sender));
}

awaitable<std::uint32_t> Polkit::authorize(Caller caller, std::string action, Details details) {
    const Answer answer = co_await check(caller, action, std::move(details));
    if (answer.authorized) co_return answer.uid;
    if (answer.challenge) {
        throw InteractionRequired(
            caller.interactiveAuthorization
                ? fmt::format("{} needs authentication, and no agent is there to ask for it.", action)
                : fmt::format("{} needs interactive authentication, which the call did not allow.", action));
    }
    throw AccessDenied(fmt::format("Not authorized: polkit refuses {} to uid {}.", action, answer.uid));
}

awaitable<bool> Polkit::allowsUnasked(Caller caller, std::string action, Details details) {
    caller.interactiveAuthorization = false;
    const Answer answer = co_await check(std::move(caller), std::move(action), std::move(details));
    co_return answer.authorized;
}

awaitable<Polkit::Answer> Polkit::check(Caller caller, std::string action, Details details) {
    const std::uint32_t uid = uidOf(caller);
    Answer answer;
    if (uid == 0)
        answer.authorized = true;
    else
        answer = co_await ask(std::move(caller), uid, std::move(action), std::move(details));
    answer.uid = uid;
    co_return answer;
}

awaitable<Polkit::Answer> Polkit::ask(Caller caller, std::uint32_t uid, std::string action, Details details) {
    const std::string question = fmt::format("holdfast-{}", ++lastQuestion_);
    if (const auto givesWay = questions_.open(question, uid)) withdraw(*givesWay);
    VariantMap name;
    name.emplace("name", sdbus::Variant{caller.sender});
    const Subject subject(std::string("system-bus-name"), std::move(name));
    const BusMethod method{authorityInterface, "CheckAuthorization"};
    const std::uint32_t flags = caller.interactiveAuthorization ? allowPrompt : 0;
    const std::chrono::microseconds limit =
        caller.interactiveAuthorization ? std::chrono::microseconds(promptLimit) : answerLimit;
    std::string why;
    try {
        const auto result =
            co_await callBus<CheckResult>(*authority_, method, limit, subject, action, details, flags, question);
        questions_.close(question);
        Answer answer;
        answer.authorized = std::get<0>(result);
        answer.challenge = std::get<1>(result);
        co_return answer;
    } catch (const sdbus::Error& e) {
        if (timedOut(e)) withdraw(question);
        why = e.getMessage();
    }
    if (!questions_.close(question)) {
        throw LimitsExceeded("Too many authorizations are waiting, and this one had to give way; try again later.");
    }
    logWarning(fmt::format("polkit could not be asked for {}: {}", action, why));
    throw AccessDenied(fmt::format("polkit could not be asked for {}: {}", action, why));
}

/// Takes a prompt off the screen that nobody has answered.
void Polkit::withdraw(const std::string& question) {
    authority_->callMethodAsync(compat::MethodName("CancelCheckAuthorization"))
        .onInterface(compat::InterfaceName(authorityInterface))
        .withArguments(question)
        .uponReplyInvoke([](compat::ReplyError) {}); // whether it was still there does not matter
}

} // namespace holdfast
