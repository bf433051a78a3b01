//===- NNElementwise.td - functions of single elements -----*- tablegen -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DIALECTS_NN_ELEMENTWISE_TD
#define CIMC_DIALECTS_NN_ELEMENTWISE_TD

include "NNBase.td"

// An operation that is a function of include/cimc/Support/Functions.def. The
// definition names it; the evaluators, quantization, mapping and the chip ask
// ElementwiseOpInterface. `parameters` become f32 attributes, the function's
// alpha and beta.
class NN_ElementwiseOp<string mnemonic, string function, dag operands,
                       list<string> parameters, list<Trait> traits>
    : NN_ShapedOp<mnemonic, !listconcat([DeclareOpInterfaceMethods<NN_ElementwiseOpInterface>], traits)> {
  let arguments = !con(operands, !dag(ins, !foreach(p, parameters, F32Attr), parameters));
  let extraClassDefinition = [{
    ::cimc::numerics::Function $cppClass::getFunction() {
      return ::cimc::numerics::Function::}] # function # [{;
    }
    ::cimc::numerics::Parameters $cppClass::getParameters() {
      [[maybe_unused]] auto get = [&](::llvm::StringRef name) {
        return (*this)->getAttrOfType<::mlir::FloatAttr>(name).getValue().convertToFloat();
      };
      return {}] # !interleave(!foreach(p, parameters, "get(\"" # p # "\")"), ", ") # [{};
    }
    ::llvm::LogicalResult $cppClass::inferReturnTypeComponents(
        ::mlir::MLIRContext *, std::optional<::mlir::Location> loc, Adaptor adaptor,
        ::llvm::SmallVectorImpl<::mlir::ShapedTypeComponents> &out) {
      return ::cimc::nn::inferBroadcast(loc, getOperationName(), adaptor.getOperands(), out);
    }
  }];
}

// One operand; quantized operands and results of 8 bits are a table (rule R8).
class NN_UnaryOp<string mnemonic, string function, string what, list<string> parameters = []>
    : NN_ElementwiseOp<mnemonic, function, (ins NN_Tensor:$input), parameters, [NN_SameElementType]> {
  let summary = "elementwise " # what;
}
def NN_ReluOp : NN_UnaryOp<"relu", "Relu", "max(x, 0)">;
def NN_LeakyReluOp : NN_UnaryOp<"leaky_relu", "LeakyRelu", "x >= 0 ? x : alpha * x", ["alpha"]>;
def NN_ThresholdedReluOp : NN_UnaryOp<"thresholded_relu", "ThresholdedRelu", "x > alpha ? x : 0", ["alpha"]>;
def NN_EluOp : NN_UnaryOp<"elu", "Elu", "x > 0 ? x : alpha * (exp(x) - 1)", ["alpha"]>;
def NN_ClipOp : NN_UnaryOp<"clip", "Clip", "clamp to [min, max]", ["min", "max"]>;
def NN_SigmoidOp : NN_UnaryOp<"sigmoid", "Sigmoid", "logistic function">;
def NN_HardSigmoidOp : NN_UnaryOp<"hard_sigmoid", "HardSigmoid", "max(0, min(1, alpha * x + beta))", ["alpha", "beta"]>;
def NN_TanhOp : NN_UnaryOp<"tanh", "Tanh", "hyperbolic tangent">;
def NN_SwishOp : NN_UnaryOp<"swish", "Swish", "x * sigmoid(alpha * x), SiLU for alpha 1", ["alpha"]>;
def NN_HardSwishOp : NN_UnaryOp<"hard_swish", "HardSwish", "x * max(0, min(1, x/6 + 1/2))">;
def NN_GeluOp : NN_UnaryOp<"gelu", "Gelu", "x/2 * (1 + erf(x / sqrt(2)))">;
def NN_GeluTanhOp : NN_UnaryOp<"gelu_tanh", "GeluTanh", "x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))">;
def NN_MishOp : NN_UnaryOp<"mish", "Mish", "x * tanh(softplus(x))">;
def NN_SoftplusOp : NN_UnaryOp<"softplus", "Softplus", "log(1 + exp(x))">;
def NN_SoftsignOp : NN_UnaryOp<"softsign", "Softsign", "x / (1 + |x|)">;
def NN_ShrinkOp : NN_UnaryOp<"shrink", "Shrink", "x < -lambd ? x + bias : x > lambd ? x - bias : 0", ["lambd", "bias"]>;

def NN_ExpOp : NN_UnaryOp<"exp", "Exp", "exponential">;
def NN_LogOp : NN_UnaryOp<"log", "Log", "natural logarithm">;
def NN_SqrtOp : NN_UnaryOp<"sqrt", "Sqrt", "square root">;
def NN_ReciprocalOp : NN_UnaryOp<"reciprocal", "Reciprocal", "1/x">;
def NN_ErfOp : NN_UnaryOp<"erf", "Erf", "error function">;
def NN_NegOp : NN_UnaryOp<"neg", "Neg", "negation">;
def NN_AbsOp : NN_UnaryOp<"abs", "Abs", "absolute value">;
def NN_SignOp : NN_UnaryOp<"sign", "Sign", "-1, 0 or 1">;
def NN_CeilOp : NN_UnaryOp<"ceil", "Ceil", "rounding up">;
def NN_FloorOp : NN_UnaryOp<"floor", "Floor", "rounding down">;
def NN_RoundOp : NN_UnaryOp<"round", "Round", "rounding to the nearest integer, halves to even">;

def NN_SinOp : NN_UnaryOp<"sin", "Sin", "sine">;
def NN_CosOp : NN_UnaryOp<"cos", "Cos", "cosine">;
def NN_TanOp : NN_UnaryOp<"tan", "Tan", "tangent">;
def NN_AsinOp : NN_UnaryOp<"asin", "Asin", "arc sine">;
def NN_AcosOp : NN_UnaryOp<"acos", "Acos", "arc cosine">;
def NN_AtanOp : NN_UnaryOp<"atan", "Atan", "arc tangent">;
def NN_SinhOp : NN_UnaryOp<"sinh", "Sinh", "hyperbolic sine">;
def NN_CoshOp : NN_UnaryOp<"cosh", "Cosh", "hyperbolic cosine">;
def NN_AsinhOp : NN_UnaryOp<"asinh", "Asinh", "inverse hyperbolic sine">;
def NN_AcoshOp : NN_UnaryOp<"acosh", "Acosh", "inverse hyperbolic cosine">;
def NN_AtanhOp : NN_UnaryOp<"atanh", "Atanh", "inverse hyperbolic tangent">;

// Two operands, broadcast like numpy's. Plain integers are exact and wrap.
class NN_BinaryOp<string mnemonic, string function, string what>
    : NN_ElementwiseOp<mnemonic, function, (ins NN_Tensor:$lhs, NN_Tensor:$rhs), [], [NN_SameElementType]> {
  let summary = "elementwise " # what # " with numpy broadcasting";
}
def NN_AddOp : NN_BinaryOp<"add", "Add", "sum (quantized: rule R5)">;
def NN_SubOp : NN_BinaryOp<"sub", "Sub", "difference">;
def NN_MulOp : NN_BinaryOp<"mul", "Mul", "product (quantized: rule R6)">;
def NN_DivOp : NN_BinaryOp<"div", "Div", "quotient, of integers toward zero">;
def NN_ModOp : NN_BinaryOp<"mod", "Mod", "remainder with the sign of the divisor">;
def NN_FmodOp : NN_BinaryOp<"fmod", "Fmod", "remainder with the sign of the dividend">;
def NN_PowOp : NN_BinaryOp<"pow", "Pow", "power">;
def NN_MaxOp : NN_BinaryOp<"max", "Max", "maximum">;
def NN_MinOp : NN_BinaryOp<"min", "Min", "minimum">;
def NN_PReluOp : NN_BinaryOp<"prelu", "PRelu", "x >= 0 ? x : slope * x">;

// Bits of integers, truth values of i1.
def NN_AndOp : NN_BinaryOp<"and", "And", "bitwise conjunction">;
def NN_OrOp : NN_BinaryOp<"or", "Or", "bitwise disjunction">;
def NN_XorOp : NN_BinaryOp<"xor", "Xor", "bitwise exclusive disjunction">;
def NN_ShiftLeftOp : NN_BinaryOp<"shift_left", "ShiftLeft", "x * 2^y of integers">;
def NN_ShiftRightOp : NN_BinaryOp<"shift_right", "ShiftRight", "floor(x / 2^y) of integers">;
def NN_NotOp : NN_UnaryOp<"not", "Not", "negation of every bit">;

// Truth values of numbers: the operands have one element type, or all are
// quantized and compared as real numbers; the result is i1.
class NN_PredicateOp<string mnemonic, string function, string what, dag operands>
    : NN_ElementwiseOp<mnemonic, function, operands, [], [NN_PredicateType]> {
  let summary = "whether, elementwise, " # what;
}
def NN_EqualOp : NN_PredicateOp<"equal", "Equal", "x = y", (ins NN_Tensor:$lhs, NN_Tensor:$rhs)>;
def NN_LessOp : NN_PredicateOp<"less", "Less", "x < y", (ins NN_Tensor:$lhs, NN_Tensor:$rhs)>;
def NN_LessOrEqualOp : NN_PredicateOp<"less_or_equal", "LessOrEqual", "x <= y", (ins NN_Tensor:$lhs, NN_Tensor:$rhs)>;
def NN_IsNaNOp : NN_PredicateOp<"is_nan", "IsNaN", "x is not a number", (ins NN_Tensor:$input)>;

def NN_WhereOp : NN_ShapedOp<"where"> {
  let summary = "elementwise choice, c ? x : y, with numpy broadcasting";
  let description = [{
    `condition` is i1; the other operands and the result are quantized alike
    or have one element type.
  }];
  let arguments = (ins NN_Tensor:$condition, NN_Tensor:$lhs, NN_Tensor:$rhs);
  let hasVerifier = 1;
}

#endif // CIMC_DIALECTS_NN_ELEMENTWISE_TD
