#include "identity.hpp"

// Its methods are there, but nothing leads to them.
