#include "stages/failure.hpp"

#include <new>
#include <string_view>

#include <c10/util/Exception.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "seedbed/error.hpp"

namespace seedbed::stages {
namespace {

using protocol::Cause;
using protocol::StageState;

std::string first_line(std::string_view text) { return std::string(text.substr(0, text.find('\n'))); }

Failure failed(Cause cause, std::string message, std::string hint, std::string detail) {
  return {StageState::failed, cause, std::move(message), std::move(hint), std::move(detail)};
}

Failure out_of_memory(const std::string& detail) {
  return failed(Cause::out_of_memory, "The memory does not suffice: " + first_line(detail),
                "smaller `batch_size`, `input` or `scales`, fewer workers, or a higher memory limit", detail);
}

Failure describe(const UserError& error) {
  const std::string where = error.where().empty() ? "" : error.where() + ": ";
  return failed(Cause::user_error, where + error.message(), error.hint(), error.what());
}

Failure describe(const ContractError& error) {
  return failed(Cause::contract_error,
                "`" + error.who() + "` broke a promise: " + error.promise() + "; expected " + error.expected() +
                    ", found " + error.found(),
                "", error.what());
}

// LibTorch 2.11 throws allocation failures of the CPU as plain errors, so only their text tells.
bool is_allocation_failure(std::string_view text) {
  return text.find("DefaultCPUAllocator") != std::string_view::npos ||
         text.find("out of memory") != std::string_view::npos;
}

bool is_device_failure(std::string_view text) { return text.find("CUDA error") != std::string_view::npos; }

bool is_refused_as_nondeterministic(std::string_view text) {
  return text.find("does not have a deterministic implementation") != std::string_view::npos;
}

Failure describe(const c10::Error& error, const std::string& who) {
  const std::string text = error.what_without_backtrace();
  if (is_refused_as_nondeterministic(text)) {
    return failed(Cause::user_error,
                  "`" + who + "` needs an operation whose result may differ from run to run: `" +
                      text.substr(0, text.find(' ')) + "`.",
                  "`execution.deterministic = false` allows it", error.what());
  }
  if (is_allocation_failure(text)) return out_of_memory(text);
  if (is_device_failure(text)) return failed(Cause::device_lost, first_line(text), "", error.what());
  return failed(Cause::contract_error, "`" + who + "` failed inside LibTorch: " + first_line(text), "", error.what());
}

}  // namespace

Failure describe_failure(const std::exception_ptr& error, const std::string& who) {
  try {
    std::rethrow_exception(error);
  } catch (const Cancelled& cancelled) {
    return {StageState::interrupted, Cause::interrupted, "The stage was asked to stop.", "", cancelled.what()};
  } catch (const UserError& user_error) {
    return describe(user_error);
  } catch (const ContractError& contract_error) {
    return describe(contract_error);
  } catch (const c10::Error& torch_error) {
    return describe(torch_error, who);
  } catch (const cv::Exception& opencv_error) {
    return failed(Cause::contract_error, "`" + who + "` failed inside OpenCV: " + first_line(opencv_error.err), "",
                  opencv_error.what());
  } catch (const std::bad_alloc& allocation) {
    return out_of_memory(allocation.what());
  } catch (const nlohmann::json::exception& json_error) {
    return failed(Cause::contract_error,
                  "The settings of `" + who + "` are malformed: " + first_line(json_error.what()), "",
                  json_error.what());
  } catch (const std::exception& other) {
    return failed(Cause::internal, "`" + who + "` failed: " + first_line(other.what()), "", other.what());
  } catch (...) {
    return failed(Cause::contract_error, "`" + who + "` threw something that is no std::exception.", "", "");
  }
}

}  // namespace seedbed::stages
