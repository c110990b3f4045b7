#include "plugin/state_guard.hpp"

#include <array>
#include <cfenv>
#include <clocale>
#include <csignal>
#include <filesystem>
#include <functional>

#include <sys/stat.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <opencv2/core.hpp>

namespace seedbed::plugin {
namespace {

constexpr std::array kSignals{SIGINT, SIGTERM, SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGILL, SIGPIPE, SIGCHLD, SIGALRM};

// Rounding, traps and the treatment of denormal numbers, without the sticky exception flags.
class FloatingPointMode {
 public:
  FloatingPointMode() { ::fegetmode(&mode_); }
  void put_back() const { ::fesetmode(&mode_); }
  bool operator==(const FloatingPointMode& other) const {
    return rounding_ == other.rounding_ && control_ == other.control_;  // `mode_` holds padding, too
  }

  std::string text() const { return "rounding " + std::to_string(rounding_) + ", control " + std::to_string(control_); }

 private:
  int rounding_ = std::fegetround();
#if defined(__x86_64__)
  unsigned control_ = _mm_getcsr() & ~_MM_EXCEPT_MASK;  // flush-to-zero is a bit of this register
#else
  unsigned control_ = 0;
#endif
  femode_t mode_;
};

mode_t current_umask() {
  const mode_t mask = ::umask(077);
  ::umask(mask);
  return mask;
}

std::array<struct sigaction, kSignals.size()> signal_actions() {
  std::array<struct sigaction, kSignals.size()> actions{};
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], nullptr, &actions[i]);
  return actions;
}

void (*handler_of(const struct sigaction& action))(int) { return action.sa_handler; }

}  // namespace

struct StateGuard::State {
  bool gradients = at::GradMode::is_enabled();
  bool autocast = at::autocast::is_autocast_enabled(at::kCPU);
  bool deterministic = at::globalContext().deterministicAlgorithms();
  bool deterministic_warn_only = at::globalContext().deterministicAlgorithmsWarnOnly();
  caffe2::TypeMeta type = c10::get_default_dtype();
  int threads = at::get_num_threads();
  int opencv_threads = cv::getNumThreads();
  FloatingPointMode floating_point;
  std::string locale = std::setlocale(LC_ALL, nullptr);
  std::filesystem::path directory = std::filesystem::current_path();
  mode_t umask = current_umask();
  std::array<struct sigaction, kSignals.size()> signals = signal_actions();
};

namespace {

class Changes {
 public:
  template <typename T>
  void compare(const std::string& what, const T& before, const T& now, const std::function<void()>& put_back) {
    if (before == now) return;
    list.push_back(what + " was `" + text(before) + "`, then `" + text(now) + "`");
    put_back();
  }

  std::vector<std::string> list;

 private:
  static std::string text(const std::string& value) { return value; }
  static std::string text(const std::filesystem::path& value) { return value.string(); }
  static std::string text(bool value) { return value ? "on" : "off"; }
  static std::string text(int value) { return std::to_string(value); }
  static std::string text(unsigned value) { return std::to_string(value); }
  static std::string text(const FloatingPointMode& mode) { return mode.text(); }
};

}  // namespace

StateGuard::StateGuard() : before_(std::make_unique<State>()) {}

StateGuard::~StateGuard() {
  try {
    restore();
  } catch (const std::exception&) {  // the directory is gone: nothing to go back to, and nobody to tell
  }
}

std::vector<std::string> StateGuard::restore() {
  const State now;
  const State& before = *before_;
  Changes changes;
  changes.compare("gradient mode", before.gradients, now.gradients,
                  [&] { at::GradMode::set_enabled(before.gradients); });
  changes.compare("autocast", before.autocast, now.autocast,
                  [&] { at::autocast::set_autocast_enabled(at::kCPU, before.autocast); });
  changes.compare("deterministic mode", before.deterministic, now.deterministic, [&] {
    at::globalContext().setDeterministicAlgorithms(before.deterministic, before.deterministic_warn_only);
  });
  changes.compare("the default type", std::string(before.type.name()), std::string(now.type.name()),
                  [&] { c10::set_default_dtype(before.type); });
  changes.compare("LibTorch's thread count", before.threads, now.threads, [&] { at::set_num_threads(before.threads); });
  changes.compare("OpenCV's thread count", before.opencv_threads, now.opencv_threads,
                  [&] { cv::setNumThreads(before.opencv_threads); });
  changes.compare("the floating-point mode", before.floating_point, now.floating_point,
                  [&] { before.floating_point.put_back(); });
  changes.compare("the locale", before.locale, now.locale, [&] { std::setlocale(LC_ALL, before.locale.c_str()); });
  changes.compare("the directory", before.directory, now.directory,
                  [&] { std::filesystem::current_path(before.directory); });
  changes.compare("the umask", before.umask, now.umask, [&] { ::umask(before.umask); });
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    const bool same = handler_of(before.signals[i]) == handler_of(now.signals[i]);
    changes.compare(std::string("the handler of ") + ::sigabbrev_np(kSignals[i]), true, same,
                    [&] { ::sigaction(kSignals[i], &before.signals[i], nullptr); });
  }
  return changes.list;
}

}  // namespace seedbed::plugin
