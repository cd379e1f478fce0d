#pragma once

#include <optional>
#include <type_traits>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

namespace belay::orm::test {

/// co_spawn wants results that can be default-constructed; not all can.
template <class T>
boost::asio::awaitable<void> keep_result(boost::asio::awaitable<T> coroutine, std::optional<T>& result) {
  result.emplace(co_await std::move(coroutine));
}

/// Runs a coroutine to its end on an executor of its own; returns or throws what it does.
template <class T>
T run(boost::asio::awaitable<T> coroutine) {
  boost::asio::io_context context;
  if constexpr (std::is_void_v<T>) {
    auto done = boost::asio::co_spawn(context, std::move(coroutine), boost::asio::use_future);
    context.run();
    done.get();
  } else {
    std::optional<T> result;
    auto done = boost::asio::co_spawn(context, keep_result(std::move(coroutine), result), boost::asio::use_future);
    context.run();
    done.get();
    return *std::move(result);
  }
}

}  // namespace belay::orm::test
