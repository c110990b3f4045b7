// Stands for a plugin's code: the door's symbol, and nothing that refers to the manifest's sections.
extern "C" __attribute__((visibility("default"))) const int seedbed_plugin;
extern "C" const int seedbed_plugin = 1;
