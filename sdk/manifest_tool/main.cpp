#include <exception>
#include <iostream>

#include "manifest_tool/command_line.hpp"
#include "seedbed/error.hpp"

int main(int argc, char** argv) {
  try {
    seedbed::manifest_tool::run({argv + 1, argv + argc}, std::cout);
    return 0;
  } catch (const seedbed::UserError& error) {
    std::cerr << error.what() << '\n';
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "seedbed-manifest: " << error.what() << '\n';
    return 1;
  }
}
