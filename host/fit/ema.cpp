#include "fit/ema.hpp"

#include <algorithm>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "seedbed/error.hpp"

namespace seedbed::fit {
namespace {

using Named = std::vector<std::pair<std::string, at::Tensor>>;

void require_alike(const Named& teacher, const Named& student) {
  if (teacher.size() == student.size()) return;
  throw ContractError("ema teacher", "teacher and student have the same tensors", std::to_string(student.size()),
                      std::to_string(teacher.size()));
}

}  // namespace

double ema_decay_at(const TrainSettings& settings, std::int64_t steps_done) {
  if (!settings.ema_warmup) return settings.ema_decay;
  return std::min(settings.ema_decay, 1.0 - 1.0 / static_cast<double>(steps_done + 1));
}

void follow(Module& teacher, const Module& student, double decay) {
  const c10::NoGradGuard no_gradients;
  const Named teachers = teacher.named_parameters();
  const Named students = student.named_parameters();
  require_alike(teachers, students);
  for (std::size_t i = 0; i < teachers.size(); ++i) {
    at::Tensor value = teachers[i].second;
    value.mul_(decay).add_(students[i].second, 1.0 - decay);
  }
  const Named teacher_buffers = teacher.named_buffers();
  const Named student_buffers = student.named_buffers();
  require_alike(teacher_buffers, student_buffers);
  for (std::size_t i = 0; i < teacher_buffers.size(); ++i) {
    at::Tensor value = teacher_buffers[i].second;
    value.copy_(student_buffers[i].second);
  }
}

void become(Module& teacher, const Module& student) {
  const StateReport report = teacher.load_state(student.state());
  if (!report.complete()) {
    throw ContractError("ema teacher", "teacher and student have the same tensors", "a complete state", "differences");
  }
  teacher.set_requires_grad(false);
}

}  // namespace seedbed::fit
