# Sources of the tensor half of the SDK (seedbed_sdk). Kernels are compiled at -O3: GCC 12 vectorises loops of unknown
# length only there. -Wno-psabi: functions that take or return vectors are all inlined, so no convention is involved.
set(SEEDBED_SDK_KERNEL_SOURCES
    "${CMAKE_CURRENT_LIST_DIR}/kernels/channel_affine.cpp"
    "${CMAKE_CURRENT_LIST_DIR}/kernels/fusion.cpp"
    "${CMAKE_CURRENT_LIST_DIR}/kernels/gradient_maps.cpp"
    "${CMAKE_CURRENT_LIST_DIR}/kernels/map_pooling.cpp"
    "${CMAKE_CURRENT_LIST_DIR}/kernels/pixel_adaptive.cpp"
    "${CMAKE_CURRENT_LIST_DIR}/kernels/position_table.cpp"
    "${CMAKE_CURRENT_LIST_DIR}/kernels/resize.cpp"
    "${CMAKE_CURRENT_LIST_DIR}/kernels/view_geometry.cpp")
set(SEEDBED_SDK_SOURCES
    "${CMAKE_CURRENT_LIST_DIR}/activation_checkpointing.cpp"
    "${CMAKE_CURRENT_LIST_DIR}/attention.cpp"
    "${CMAKE_CURRENT_LIST_DIR}/backbone.cpp"
    "${CMAKE_CURRENT_LIST_DIR}/checks.cpp"
    "${CMAKE_CURRENT_LIST_DIR}/classifier_generator.cpp"
    "${CMAKE_CURRENT_LIST_DIR}/convolution_unit.cpp"
    "${CMAKE_CURRENT_LIST_DIR}/fine_tuning.cpp"
    "${CMAKE_CURRENT_LIST_DIR}/input_guard.cpp"
    "${CMAKE_CURRENT_LIST_DIR}/kinds.cpp"
    "${CMAKE_CURRENT_LIST_DIR}/layers.cpp"
    "${CMAKE_CURRENT_LIST_DIR}/module.cpp"
    "${CMAKE_CURRENT_LIST_DIR}/step_chain.cpp"
    "${CMAKE_CURRENT_LIST_DIR}/trainable.cpp"
    "${CMAKE_CURRENT_LIST_DIR}/transformer.cpp"
    ${SEEDBED_SDK_KERNEL_SOURCES})
set_source_files_properties(${SEEDBED_SDK_KERNEL_SOURCES} PROPERTIES COMPILE_OPTIONS "-O3;-Wno-psabi")
