// Our side of crf_beside_pydensecrf.py: answers each line on standard input with one whole CRF, lattices included, and
// writes the label of every pixel.
//
// crf_pass H W LABELS ITERATIONS GAUSS_SIGMA GAUSS_WEIGHT XY RGB WEIGHT; a line is IMAGE UNARY OUT: files of raw bytes,
// uint8 [H,W,3], float32 [LABELS,H,W], and uint8 [H,W].
#include <chrono>
#include <ctime>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "seedbed/kernels/dense_crf.hpp"

namespace {

using namespace seedbed::kernels;

at::Tensor read(const std::string& path, at::IntArrayRef shape, at::ScalarType type) {
  at::Tensor tensor = at::empty(shape, type);
  std::ifstream file(path, std::ios::binary);
  file.read(static_cast<char*>(tensor.mutable_data_ptr()), static_cast<std::streamsize>(tensor.nbytes()));
  if (!file) throw std::runtime_error("cannot read `" + path + "`");
  return tensor;
}

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

int answer(char** arguments) {
  const std::int64_t height = std::stoll(arguments[1]), width = std::stoll(arguments[2]);
  const std::int64_t labels = std::stoll(arguments[3]), iterations = std::stoll(arguments[4]);
  const DenseCrfOptions options{.gauss_sigma = std::stod(arguments[5]),
                                .gauss_weight = std::stod(arguments[6]),
                                .bilateral_xy = std::stod(arguments[7]),
                                .bilateral_rgb = std::stod(arguments[8]),
                                .bilateral_weight = std::stod(arguments[9])};
  at::set_num_threads(1);
  std::string image_file, unary_file, out_file;
  while (std::cin >> image_file >> unary_file >> out_file) {
    const at::Tensor image = read(image_file, {height, width, 3}, at::kByte);
    const at::Tensor unary = read(unary_file, {labels, height, width}, at::kFloat);
    const auto start = std::chrono::steady_clock::now();
    const double processor = processor_seconds();
    const at::Tensor marginals = DenseCrf(image, options).infer(unary, iterations);
    const double used = processor_seconds() - processor;
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const at::Tensor found = marginals.argmax(0).to(at::kByte).contiguous();
    std::ofstream(out_file, std::ios::binary)
        .write(static_cast<const char*>(found.const_data_ptr()), static_cast<std::streamsize>(found.nbytes()));
    std::cout << "{\"seconds\": " << seconds << ", \"processor\": " << used << "}" << std::endl;
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 10) {
    std::cerr << "usage: crf_pass H W LABELS ITERATIONS GAUSS_SIGMA GAUSS_WEIGHT XY RGB WEIGHT\n";
    return 2;
  }
  try {
    return answer(arguments);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
