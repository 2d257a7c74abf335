#pragma once

#include <boost/asio/awaitable.hpp>

/// One io_context runs each program; everything that waits is a coroutine on it.
namespace holdfast {

namespace asio = boost::asio;
using asio::awaitable;

} // namespace holdfast
