//===- cimc.h - the C interface -------------------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_CAPI_CIMC_H
#define CIMC_CAPI_CIMC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Functions return one of these; 0 to 8 are the exit codes of the command
/// line (docs/user-guide.md). After a failure `cimcLastError` has the message.
typedef int CimcStatus;
enum {
  CIMC_OK = 0,
  CIMC_INTERNAL = 1,
  CIMC_USAGE = 2,
  CIMC_INVALID_INPUT = 3,
  CIMC_UNSUPPORTED = 4,
  CIMC_DOES_NOT_FIT = 5,
  CIMC_ACCURACY_MISSED = 6,
  CIMC_RESOURCE_LIMIT = 7,
  CIMC_MISMATCH = 8
};

/// A compiled program, ready to run on the chip model. Immutable: any number
/// of threads may run one program.
typedef struct CimcProgram CimcProgram;

/// The message of the calling thread's last failure; "" before the first. Valid
/// until the thread's next call.
const char *cimcLastError(void);

/// The status of the calling thread's last call, for functions that return a
/// text or NULL.
CimcStatus cimcLastStatus(void);

/// "0.1.0".
const char *cimcVersion(void);

/// Compiles the model in a file. `optionsJson` is an object or NULL; its keys:
/// "chip" (preset or file), "mode", "precision", "calibrate" (directory, .npz
/// or .npy), "input_shapes" {name: [sizes]}, "dims" {name: size},
/// "constant_inputs" {name: .npy or .pb file}, "threads", "seed".
CimcStatus cimcCompile(const char *path, const char *optionsJson,
                       CimcProgram **program);

/// Reads a .cimx file; it is verified before it is accepted.
CimcStatus cimcLoad(const char *path, CimcProgram **program);

/// Writes a .cimx file, all or nothing.
CimcStatus cimcSave(const CimcProgram *program, const char *path);

/// Frees a program; NULL is allowed.
void cimcDestroy(CimcProgram *program);

/// What a program takes and gives, as JSON: {"model", "chip", "inputs":
/// [{"name", "type", "shape"}], "outputs": [...]}. Types are NumPy's names. The
/// text lives as long as the program.
const char *cimcDescribe(const CimcProgram *program);

/// What one sample costs, as JSON with the keys of `cimc compile --json`; NULL
/// on failure. The text lives as long as the program.
const char *cimcCost(CimcProgram *program);

/// The assembly text; lives as long as the program.
const char *cimcDisassemble(CimcProgram *program);

/// Runs one sample. `inputs` and `outputs` point to dense row-major data in the
/// order, types and shapes of `cimcDescribe`; sizes are in bytes and checked.
CimcStatus cimcRun(const CimcProgram *program, const void *const *inputs,
                   const size_t *inputBytes, size_t inputCount,
                   void *const *outputs, const size_t *outputBytes,
                   size_t outputCount);

/// Runs `samples` samples on up to `threads` threads (0: one per processor);
/// every input and output has a leading axis of that length.
CimcStatus cimcRunBatch(const CimcProgram *program, int64_t samples,
                        unsigned threads, const void *const *inputs,
                        const size_t *inputBytes, size_t inputCount,
                        void *const *outputs, const size_t *outputBytes,
                        size_t outputCount);

/// The complete chip file of a preset or chip file, or NULL on failure. Valid
/// until the thread's next call.
const char *cimcChip(const char *nameOrPath);

#ifdef __cplusplus
}
#endif

#endif // CIMC_CAPI_CIMC_H
