#pragma once

namespace seedbed::cli {

/// Parses the command line, runs one verb and turns errors into words and a status:
/// 0 done; 2 a person can mend it; 3 a stage failed or code broke a promise; 130 interrupted.
int run_program(int argc, char** argv);

}  // namespace seedbed::cli
