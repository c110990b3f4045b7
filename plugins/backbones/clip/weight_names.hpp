#pragma once

#include "seedbed/types.hpp"

namespace seedbed::clip {

/// Tensors of a CLIP file under OpenAI's names. Understood are OpenAI's archives and state dicts (three settings among their
/// tensors are left out), open_clip's default class (the same names), its class with a text network of its own (`text.`
/// before them), and Hugging Face transformers (q, k, v joined; projections transposed). Other names stay as they are.
NamedTensors openai_names(const NamedTensors& tensors);

}  // namespace seedbed::clip
