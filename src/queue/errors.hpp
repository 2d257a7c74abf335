#pragma once

#include "util/error.hpp"

namespace holdfast {

class NoSuchRun : public Error {
    using Error::Error;
};
class AlreadyQueued : public Error {
    using Error::Error;
};
class QueueFull : public Error {
    using Error::Error;
};
class NotCancelable : public Error {
    using Error::Error;
};

} // namespace holdfast
