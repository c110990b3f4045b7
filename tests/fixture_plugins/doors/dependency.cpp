__attribute__((visibility("default"))) int seedbed_fixture_dependency() { return 1; }
