// One module: this file is compiled once per set of macros.
#include "cuda_emulator/device_language.h"
#include "cuda_emulator/modules.h"

// device_language.h comes first.
#include "aten/kernels/step_kernels.cuh"

namespace torch_t5::emulator {
namespace {

Module thisModule() {
  return {{ROWS, BFLOAT16, D_MODEL, D_KV, HEADS, D_FF, GATED, ACTIVATION, EPSILON},
          {
              {"embed", callAt<embed>},
              {"selfAttention", callAt<selfAttention>},
              {"crossAttention", callAt<crossAttention>},
              {"choose", callAt<choose>},
#if ROWS > 0
              {"normLinear", callAt<normLinear>},
              {"normFeedForward", callAt<normFeedForward>},
              {"linearAdd", callAt<linearAdd>},
              {"normalize", callAt<normalize>},
              {"lmHead", callAt<lmHead>},
              {"normArgmax", callAt<normArgmax>},
#else
              {"addNorm", callAt<addNorm>},
              {"addNormalize", callAt<addNormalize>},
              {"activate", callAt<activate>},
              {"scaleStates", callAt<scaleStates>},
#endif
          }};
}

const bool isRegistered = (modules().push_back(thisModule()), true);

}  // namespace
}  // namespace torch_t5::emulator
