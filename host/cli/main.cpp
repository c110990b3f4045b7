#include "cli/program.hpp"

int main(int argc, char** argv) { return seedbed::cli::run_program(argc, argv); }
