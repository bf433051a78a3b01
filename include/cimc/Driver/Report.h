//===- Report.h - summaries for people and machines -----------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DRIVER_REPORT_H
#define CIMC_DRIVER_REPORT_H

#include "cimc/Driver/Compiler.h"
#include "cimc/Driver/Execution.h"
#include "cimc/Program/Faults.h"
#include "cimc/Program/Program.h"
#include "cimc/Program/Split.h"
#include "cimc/Sim/Simulator.h"
#include "cimc/Sim/SplitSimulator.h"

#include <nlohmann/json.hpp>

#include <string>

namespace cimc {

using Json = nlohmann::ordered_json;

/// "12.3 us": a value with three significant digits and the unit that fits;
/// `value` is in nano-units.
std::string withUnit(double value, const char *unit);
/// "1,234,567".
std::string grouped(int64_t value);

/// What a run of so many samples takes (`run --timed-samples`).
std::string runText(const CostReport &cost);

/// At most 25 lines: chip, arrays, what runs where, latency, throughput,
/// energy, utilization, power, size, the five slowest layers.
std::string summary(const Program &program, const CostReport &cost,
                    int64_t programBytes);

/// One line for every layer: where it runs and what it costs.
std::string layerTable(const CostReport &cost);
/// CostReport::criticalPath as lines of text; empty where it was not asked for.
std::string criticalPathTable(const CostReport &cost);
/// The same as comma-separated values with a heading.
std::string layerCsv(const CostReport &cost);

/// Adds the costs of one sample under the keys that docs/user-guide.md names.
void addCost(Json &json, const Program &program, const CostReport &cost);

/// What writing the cells costs, and how long they last.
std::string wearText(const ChipSpec &chip, const CostReport &cost,
                     const Wear &wear);
Json wearJson(const Wear &wear);

/// What repairing a program came to, and what faults did to a run.
std::string repairText(const RepairReport &report);
Json repairJson(const RepairReport &report);
std::string faultText(const FaultReport &report);
Json faultJson(const FaultReport &report);

/// What a network in parts costs: each part, and the whole by its goal.
std::string splitSummary(const SplitProgram &program, const SplitCost &cost);
/// The same under the keys that docs/user-guide.md names.
void addSplitCost(Json &json, const SplitProgram &program,
                  const SplitCost &cost);
/// How long the cells of a reprogrammed network last at a rate.
std::string splitWearText(const SplitProgram &program, const Wear &wear);

/// The parts of a network.
std::string inspect(const SplitProgram &program, int64_t programBytes);
Json inspectJson(const SplitProgram &program, int64_t programBytes);

/// What a program holds, core by core.
std::string inspect(const Program &program, int64_t programBytes);
Json inspectJson(const Program &program, int64_t programBytes);

/// Inputs or outputs as JSON: name, type, shape.
Json ioJson(const std::vector<ModelIO> &ios);

/// JSON as text; invalid UTF-8 is replaced, never an exception.
std::string dump(const Json &json);

/// What quantizing did to the outputs, in a line, and to each layer: a table
/// for people, both "" where there are no layers, and a list of objects.
std::string quantizationText(const QuantizeReport &report);
std::string quantizationTable(const QuantizeReport &report);
Json quantizationJson(const QuantizeReport &report);

} // namespace cimc

#endif // CIMC_DRIVER_REPORT_H
