# Adds LibTorch's CUDA libraries to Seedbed::torch (option SEEDBED_CUDA; `./dev cuda` unpacks them).
#
# Host code needs the CUDA runtime's headers, which the wheel's neighbour brings, or a CUDA 13 toolkit. Neither cuDNN,
# cuBLAS nor a device is needed to compile and link; a machine that runs the result has them.
include_guard(GLOBAL)

seedbed_require_torch_file("${SEEDBED_TORCH_LIBRARY_DIR}/libtorch_cuda.so")
seedbed_require_torch_file("${SEEDBED_TORCH_LIBRARY_DIR}/libc10_cuda.so")
find_path(
  SEEDBED_CUDA_INCLUDE_DIR cuda_runtime_api.h
  HINTS "${SEEDBED_TORCH_ROOT}/../nvidia/cu13/include" ENV CUDA_HOME ENV CUDA_PATH /usr/local/cuda
  PATH_SUFFIXES include REQUIRED)
mark_as_advanced(SEEDBED_CUDA_INCLUDE_DIR)

seedbed_import_torch_library(Seedbed::c10_cuda libc10_cuda.so)
seedbed_import_torch_library(Seedbed::torch_cuda libtorch_cuda.so)
target_include_directories(Seedbed::torch SYSTEM INTERFACE "${SEEDBED_CUDA_INCLUDE_DIR}")
target_link_libraries(Seedbed::torch INTERFACE Seedbed::torch_cuda Seedbed::c10_cuda)
target_link_options(Seedbed::torch INTERFACE LINKER:--unresolved-symbols=ignore-in-shared-libs)
