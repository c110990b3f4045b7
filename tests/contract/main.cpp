#include <iostream>

#include "contract/methods_under_test.hpp"

int main(int argc, char** argv) {
  try {
    seedbed::testing::load_methods_under_test();
  } catch (const std::exception& error) {
    std::cerr << "a plugin cannot be tested: " << error.what() << "\n";
    return 1;
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
