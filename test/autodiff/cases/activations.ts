/** @file Functions of one tensor, element by element. */
import { float, string } from "../../../shared/graph/attributes.ts";
import { between, clearOf, clearOfZero, type Draw, positive, spread } from "../../support/draw.ts";
import { type Cases, op } from "./case.ts";

const inputs = [[3, 5]];

/** Smooth wherever `draw` reaches, without attributes. */
const functions: Readonly<Record<string, Draw>> = {
  Relu: clearOfZero,
  Sigmoid: spread,
  Tanh: spread,
  Softplus: between(-4, 4),
  Softsign: clearOfZero,
  HardSwish: clearOf([-3, 3], 5),
  Mish: between(-4, 4),
  Erf: between(-2.5, 2.5),
  Exp: spread,
  Log: positive,
  Sqrt: positive,
  Abs: clearOfZero,
  Neg: spread,
  Reciprocal: clearOfZero,
  Sin: between(-4, 4),
  Cos: between(-4, 4),
  Tan: between(-1.2, 1.2),
  Asin: between(-0.8, 0.8),
  Acos: between(-0.8, 0.8),
  Atan: spread,
  Sinh: spread,
  Cosh: spread,
  Asinh: spread,
  Acosh: between(1.3, 3),
  Atanh: between(-0.8, 0.8),
  Identity: spread,
};

export const activations: Cases = {
  ...Object.fromEntries(Object.entries(functions).map(([name, draw]) => [name, { inputs, draw, build: op(name) }])),
  Dropout: { inputs, build: ({ g }, x) => g.node("Dropout", [x]) },
  "Cast, to float32 and back": {
    inputs,
    build: ({ g, dtype }, x) => g.cast(g.mul(g.cast(x, "float32"), g.cast(x, "float32")), dtype),
  },
  "Cast, to float16": { inputs, build: ({ g }, x) => g.cast(x, "float16") },
  LeakyRelu: { inputs, draw: clearOfZero, build: op("LeakyRelu") },
  "LeakyRelu, slope given": { inputs, draw: clearOfZero, build: op("LeakyRelu", { alpha: float(0.3) }) },
  "LeakyRelu, slope below zero": { inputs, draw: clearOfZero, build: op("LeakyRelu", { alpha: float(-0.4) }) },
  "LeakyRelu, slope zero": { inputs, draw: clearOfZero, build: op("LeakyRelu", { alpha: float(0) }) },
  Elu: { inputs, draw: clearOfZero, build: op("Elu") },
  "Elu, alpha given": { inputs, draw: clearOfZero, build: op("Elu", { alpha: float(0.7) }) },
  "Elu, alpha below zero": { inputs, draw: clearOfZero, build: op("Elu", { alpha: float(-0.7) }) },
  Selu: { inputs, draw: clearOfZero, build: op("Selu") },
  "Selu, constants given": {
    inputs,
    draw: clearOfZero,
    build: op("Selu", { alpha: float(1.5), gamma: float(0.75) }),
  },
  Celu: { inputs, draw: clearOfZero, build: op("Celu") },
  "Celu, alpha given": { inputs, draw: clearOfZero, build: op("Celu", { alpha: float(2) }) },
  ThresholdedRelu: { inputs, draw: clearOf([1]), build: op("ThresholdedRelu") },
  "ThresholdedRelu, threshold given": {
    inputs,
    draw: clearOf([0.5]),
    build: op("ThresholdedRelu", { alpha: float(0.5) }),
  },
  HardSigmoid: { inputs, draw: clearOf([-2.5, 2.5], 4), build: op("HardSigmoid") },
  "HardSigmoid, line given": {
    inputs,
    draw: clearOf([-0.75, 1.25]),
    build: op("HardSigmoid", { alpha: float(0.5), beta: float(0.375) }),
  },
  Gelu: { inputs, draw: between(-3, 3), build: op("Gelu") },
  "Gelu, tanh": { inputs, draw: between(-3, 3), build: op("Gelu", { approximate: string("tanh") }) },
  Swish: { inputs, draw: between(-3, 3), opset: 24, build: op("Swish") },
  "Swish, alpha given": { inputs, draw: between(-3, 3), opset: 24, build: op("Swish", { alpha: float(1.7) }) },
  "Relu, symbolic batch": { inputs: [["N", 3]], draw: clearOfZero, build: op("Relu") },
};
