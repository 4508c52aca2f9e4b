// What an arm64 processor has beyond NEON.
#pragma once

namespace torch_t5 {

/// All false on other processors.
struct ArmFeatures {
  bool dotProduct = false;  // SDOT and UDOT
  bool bf16 = false;        // BFDOT and BFMMLA
  bool i8mm = false;        // USDOT and USMMLA
};

ArmFeatures armFeatures();

}  // namespace torch_t5
