// Which instruction sets this build holds, which of them this processor runs, and the one in use.
#pragma once

#include <string>
#include <vector>

#include "job.hpp"
#include "sampler.hpp"

namespace recurra {

// Best first; those of the build that the processor can run.
std::vector<const Set*> available_sets();

// The first of them, or what the environment's RECURRA_ISA names. Throws std::invalid_argument
// with a line that says what is there, if that cannot be had.
const Set& chosen_set();

// A Sampler of the chosen set.
std::unique_ptr<Sampler> sampler(const Network& network);

}  // namespace recurra
