# Configuration of the lit suites. Slow suites live under directories named
# "slow" and run with `lit -DCIMC_SLOW=1` (see tools/test.sh).
import os
import shutil
import subprocess

import lit.formats

config.name = "cimc"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test", ".onnxtxt"]
config.excludes = ["Inputs", "bench", "models", "plugin", "unit"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.cimc_obj_root, "test")

python = os.environ.get("CIMC_TEST_PYTHON") or config.python or shutil.which("python3") or "python3"
config.environment["PATH"] = os.pathsep.join(
    [os.path.join(config.cimc_obj_root, "bin"), config.llvm_tools_dir, os.environ.get("PATH", "")])
config.environment["PYTHONPATH"] = os.pathsep.join(
    [os.path.join(config.cimc_src_root, "python"), os.environ.get("PYTHONPATH", "")])
config.environment["CIMC_LIBRARY"] = os.path.join(config.cimc_obj_root, "lib", "libcimc.so")
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

config.substitutions.append(("%python", python))
config.substitutions.append(("%src", config.cimc_src_root))
config.substitutions.append(("%test", config.test_source_root))
config.substitutions.append(("%plugins", os.path.join(config.cimc_obj_root, "lib")))
config.substitutions.append(("%unit", os.path.join(config.cimc_obj_root, "unit")))

# Real models and data sets beside the checkout, not part of the repository.
shared = os.environ.get("CIMC_SHARED") or os.path.join(config.cimc_src_root, "..", "shared")
if os.path.isdir(os.path.join(shared, "models")):
    config.available_features.add("shared")
config.substitutions.append(("%shared", os.path.abspath(shared)))


def has_module(name):
    return subprocess.run([python, "-c", "import " + name], capture_output=True).returncode == 0


for module in ("numpy", "onnx", "onnxruntime", "PIL"):
    if has_module(module):
        config.available_features.add(module)

# The integer oracle needs VNNI: without it ONNX Runtime saturates in int16.
try:
    if "vnni" in open("/proc/cpuinfo").read():
        config.available_features.add("vnni")
except OSError:
    pass

if lit_config.params.get("CIMC_SLOW"):
    config.available_features.add("slow")
if config.sanitize == "ON":
    config.available_features.add("asan")
    # The packaged MLIR is not instrumented: its allocators and containers do not
    # tell what they hand out, and what they see of ours looks poisoned.
    options = config.environment.get("ASAN_OPTIONS", "detect_leaks=0")
    config.environment["ASAN_OPTIONS"] = options + ":detect_container_overflow=0:allow_user_poisoning=0"
    config.environment.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
