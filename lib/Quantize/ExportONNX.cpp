#include "cimc/Quantize/Quantize.h"
namespace cimc {
Result<std::string> exportONNX(mlir::ModuleOp) {
  return Error{ExitCode::Unsupported, "not yet"};
}
} // namespace cimc
