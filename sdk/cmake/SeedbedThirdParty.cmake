# The host's libraries beside LibTorch, found once here so that every room sees the same imported targets:
#   fmt::fmt  spdlog::spdlog  nlohmann_json::nlohmann_json  CLI11::CLI11  tomlplusplus::tomlplusplus  SQLite::SQLite3
#   OpenSSL::Crypto  pugixml::pugixml  PNG::PNG  JPEG::JPEG  ZLIB::ZLIB  Boost::headers  Boost::filesystem  Boost::system
# and Threads::Threads (SeedbedTorch), Seedbed::opencv (SeedbedOpenCV), GTest:: (SeedbedTest).
include_guard(GLOBAL)
foreach(package IN ITEMS CLI11 JPEG OpenSSL PNG SQLite3 ZLIB fmt nlohmann_json pugixml spdlog tomlplusplus)
  find_package(${package} REQUIRED)
endforeach()
find_package(Boost 1.74 REQUIRED COMPONENTS filesystem system)
if(SEEDBED_BUILD_BENCH)
  find_package(benchmark REQUIRED)
endif()
