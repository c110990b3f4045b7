# Seedbed::opencv: OpenCV's core and imgproc, and nothing else of it. Found by header and library, since Debian ships
# OpenCVConfig.cmake only with all of OpenCV, which maps 140 libraries.
include_guard(GLOBAL)

find_path(SEEDBED_OPENCV_INCLUDE_DIR opencv2/imgproc.hpp PATH_SUFFIXES opencv4 REQUIRED)
find_library(SEEDBED_OPENCV_CORE opencv_core REQUIRED)
find_library(SEEDBED_OPENCV_IMGPROC opencv_imgproc REQUIRED)
mark_as_advanced(SEEDBED_OPENCV_INCLUDE_DIR SEEDBED_OPENCV_CORE SEEDBED_OPENCV_IMGPROC)

add_library(Seedbed::opencv INTERFACE IMPORTED)
target_include_directories(Seedbed::opencv SYSTEM INTERFACE "${SEEDBED_OPENCV_INCLUDE_DIR}")
target_link_libraries(Seedbed::opencv INTERFACE "${SEEDBED_OPENCV_IMGPROC}" "${SEEDBED_OPENCV_CORE}")
