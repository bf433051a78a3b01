//===- Tune.cpp - the fastest of several programs -------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tune.h"

#include "CIM/CIM.h"
#include "Sched/Sched.h"
#include "cimc/Codegen/Encode.h"
#include "cimc/Driver/Diagnostics.h"
#include "cimc/Driver/Plugins.h"
#include "cimc/Sim/Simulator.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

#include <fmt/format.h>

#include <map>

using namespace cimc;
using OwningModule = mlir::OwningOpRef<mlir::ModuleOp>;

namespace {
/// How a network is placed otherwise: slack of rings, in percent of a row, and
/// whether its layers are copied anew.
constexpr struct {
  int slackPercent;
  bool chooses;
} kVariants[] = {{50, true}, {50, false}, {100, true},
                 {25, true}, {0, false},  {100, false}};
/// Rings grow by this part, and a row at least.
constexpr int64_t kGrowth = 4;

/// A module that has finished Phase::Schedule, and what it comes to.
struct Candidate {
  OwningModule module;
  double ns = 0; ///< period or latency
  std::vector<std::pair<uint32_t, int64_t>> fullRings;

  Candidate clone() const { return {module.get().clone(), ns, fullRings}; }
};

class Tuner {
public:
  explicit Tuner(const CompileOptions &options) : options(options) {}

  /// Times the module; nothing where it cannot be carried further.
  std::optional<Candidate> time(OwningModule module) const;
  /// Places `mapped` otherwise than for any other `number`, from 0 on.
  std::optional<Candidate> place(mlir::ModuleOp mapped, int64_t number) const;
  /// Grows the rings that were waited for.
  std::optional<Candidate> grow(const Candidate &from) const;

private:
  bool run(mlir::ModuleOp module, const char *pass) const {
    std::vector<std::string> replaced;
    mlir::PassManager pm(module.getContext(),
                         mlir::ModuleOp::getOperationName());
    return mlir::succeeded(mlir::parsePassPipeline(
               replacePasses(pass, options.replace, replaced), pm)) &&
           mlir::succeeded(pm.run(module));
  }

  const CompileOptions &options;
};
} // namespace

std::optional<Candidate> Tuner::time(OwningModule module) const {
  OwningModule encoded = module->clone();
  if (!run(*encoded, "convert-sched-to-isa"))
    return std::nullopt;
  Result<Program> program = encodeProgram(*encoded);
  if (!program || !verify(*program))
    return std::nullopt;
  Result<CostReport> cost = timeProgram(*program, /*criticalPath=*/true);
  if (!cost)
    return std::nullopt;
  return Candidate{std::move(module),
                   options.mode == "latency" ? cost->latency_ns
                                             : cost->period_ns,
                   std::move(cost->fullRings)};
}

std::optional<Candidate> Tuner::place(mlir::ModuleOp mapped,
                                      int64_t number) const {
  constexpr auto variants = static_cast<int64_t>(std::size(kVariants));
  auto variant = kVariants[number % variants];
  CompileOptions other = options;
  other.chip.clear(); // the module has it
  other.effort = 1;
  other.to = Phase::Schedule;
  other.observer = nullptr;
  other.progress = nullptr;
  other.slackPercent = variant.slackPercent;
  other.seed += static_cast<uint64_t>(number / variants);
  Compilation trial;
  trial.module = mapped.clone();
  trial.reached = Phase::Map;
  if (variant.chooses)
    for (auto function : trial.module->getOps<mlir::func::FuncOp>())
      function->removeAttr(cim::kCopiesAttrName);
  if (!runPhases(other, trial))
    return std::nullopt;
  return time(std::move(trial.module));
}

std::optional<Candidate> Tuner::grow(const Candidate &from) const {
  std::map<uint32_t, int64_t> waits(from.fullRings.begin(),
                                    from.fullRings.end());
  if (waits.empty())
    return std::nullopt;
  OwningModule module = from.module.get().clone();
  uint32_t number = 0; // as in the program
  module.get().walk([&](sched::ChannelOp channel) {
    if (!waits.count(number++))
      return;
    auto slots = static_cast<int64_t>(channel.getSlots());
    int64_t more = std::min(static_cast<int64_t>(channel.getRows()),
                            slots + std::max<int64_t>(1, slots / kGrowth));
    channel.setSlots(more);
    channel.setKeptSlots(more);
  });
  if (!run(*module, "sched-allocate"))
    return std::nullopt;
  return time(std::move(module));
}

void cimc::keepCopies(mlir::ModuleOp placed, mlir::ModuleOp mapped) {
  for (auto function : mapped.getOps<mlir::func::FuncOp>())
    if (auto same =
            placed.lookupSymbol<mlir::func::FuncOp>(function.getSymName()))
      if (mlir::Attribute copies = same->getAttr(cim::kCopiesAttrName))
        function->setAttr(cim::kCopiesAttrName, copies);
}

void cimc::tune(const CompileOptions &options, mlir::ModuleOp mapped,
                Compilation &result) {
  // What goes wrong in a trial is not the user's concern.
  DiagnosticCollector collector(mapped.getContext());
  Tuner tuner(options);
  std::optional<Candidate> best = tuner.time(result.module->clone());
  if (!best)
    return;
  double first = best->ns;
  int64_t timed = 1;
  for (; timed < (options.effort + 1) / 2; ++timed)
    if (std::optional<Candidate> other = tuner.place(mapped, timed - 1);
        other && other->ns < best->ns)
      best = std::move(other);
  // With larger rings it may be others that are waited for, so what is no
  // better is gone on from, too.
  for (Candidate at = best->clone(); timed < options.effort; ++timed) {
    std::optional<Candidate> next = tuner.grow(at);
    if (!next)
      break;
    if (next->ns < best->ns)
      best = next->clone();
    at = std::move(*next);
  }
  result.module = std::move(best->module);
  result.messages.push_back(
      {"remark",
       "",
       fmt::format("the fastest of {} programs timed takes {:.4g} us, the "
                   "first took {:.4g}",
                   timed, best->ns / 1000, first / 1000),
       {}});
}
