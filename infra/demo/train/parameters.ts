/**
 * @file The numbers that are learned: their names and shapes, where each lies in one flat array, how they begin, and
 * how a convolution's weights are made of them, in numbers. training-graph.ts makes them in the graph.
 */
import { volume } from "../../../shared/graph/constant.ts";
import { type Random, randomFrom } from "../random.ts";
import { type Architecture, type ConvPlan, convolutions, features, kernelSide } from "./classifier.ts";

export interface Parameter {
  readonly name: string;
  readonly dims: readonly number[];
  /** Where its elements begin in a flat array of all parameters. */
  readonly offset: number;
  readonly length: number;
  /** Weights decay towards zero; gains and biases do not. */
  readonly decays: boolean;
}

/** Names of a convolution's parameters. */
export const directionName = (conv: string): string => `${conv}.direction`;
export const gainName = (conv: string): string => `${conv}.gain`;
export const biasName = (conv: string): string => `${conv}.bias`;
export const headWeights = "head.weights";
export const headBias = "head.bias";

/** All parameters, one after another. */
export function parametersOf(net: Architecture): readonly Parameter[] {
  let offset = 0;
  const at = (name: string, dims: readonly number[], decays: boolean): Parameter => {
    const parameter = { name, dims, offset, length: volume(dims), decays };
    offset += parameter.length;
    return parameter;
  };
  return [
    ...convolutions(net).flatMap(({ name, inputs, outputs }) => [
      at(directionName(name), [outputs, inputs, kernelSide, kernelSide], true),
      at(gainName(name), [outputs, 1, 1, 1], false),
      at(biasName(name), [outputs], false),
    ]),
    at(headWeights, [net.classes, features(net)], true),
    at(headBias, [net.classes], false),
  ];
}

/** Number of elements of a flat array of these parameters. */
export const lengthOf = (parameters: readonly Parameter[]): number => parameters.reduce((n, p) => n + p.length, 0);

/** A parameter's elements: a view. */
export const viewOf = (flat: Float32Array, { offset, length }: Parameter): Float32Array =>
  flat.subarray(offset, offset + length);

/** The view of the parameter called `name`. */
export function named(flat: Float32Array, parameters: readonly Parameter[], name: string): Float32Array {
  const parameter = parameters.find((p) => p.name === name);
  if (parameter === undefined) throw new TypeError(`the classifier has no parameter "${name}"`);
  return viewOf(flat, parameter);
}

/**
 * After a ReLU of a standard normal variable, weights of mean 0 and variance 1/fan-in give an output of variance
 * (1 - 1/pi) / 2; this gain brings it back to 1.
 */
const reluGain = Math.sqrt(2 / (1 - 1 / Math.PI));
/** What is added to a stage is small at first, so that the sum keeps its scale at any depth. */
const residualGain = 0.3;
/** A logit at which a class is about as likely as it is in a scene: two or three of two dozen. */
const headBiasStart = -2.2;
const headSpread = 0.05;
/**
 * Directions have no scale of their own: their size says how far a step turns them. At this one a step of the full rate
 * turns by about as much as once growth by steps and shrinking by decay are in balance, sqrt(2 rate decay) = 0.014.
 */
const directionSpread = 0.25;

/** Where training begins, from a seed. */
export function initialParameters(net: Architecture, seed: number): Float32Array {
  const parameters = parametersOf(net);
  const flat = new Float32Array(lengthOf(parameters));
  const residual = new Set(convolutions(net).flatMap((c) => (c.residual ? [gainName(c.name)] : [])));
  const random = randomFrom(seed);
  for (const parameter of parameters) {
    const view = viewOf(flat, parameter);
    const { name } = parameter;
    if (name.endsWith(".gain")) view.fill(residual.has(name) ? residualGain : reluGain);
    else if (name === headBias) view.fill(headBiasStart);
    else if (name.endsWith(".direction")) uniform(view, random, directionSpread);
    else if (name === headWeights) uniform(view, random, headSpread);
  }
  return flat;
}

function uniform(view: Float32Array, random: Random, bound: number): void {
  for (let i = 0; i < view.length; i += 1) view[i] = random.between(-bound, bound);
}

/** Keeps the square root away from 0 where all weights of a channel are equal. */
export const standardisingEpsilon = 1e-6;

/**
 * Weights of a convolution from direction V and gain a, per output channel (weight standardisation, Qiao et al. 2019):
 * W = a (V - mean V) / sqrt(|V - mean V|^2 + eps). Their norm is the gain whatever V is, so activations keep their
 * scale without a normalisation of activations, and what ships is a plain convolution.
 */
export function standardised(direction: Float32Array, gain: Float32Array): Float32Array {
  const size = direction.length / gain.length;
  const weights = new Float32Array(direction.length);
  for (let c = 0; c < gain.length; c += 1) {
    const row = direction.subarray(c * size, (c + 1) * size);
    const mean = row.reduce((sum, v) => sum + v, 0) / size;
    const norm = Math.sqrt(row.reduce((sum, v) => sum + (v - mean) ** 2, standardisingEpsilon));
    for (let i = 0; i < size; i += 1) weights[c * size + i] = ((gain[c] ?? 0) * ((row[i] ?? 0) - mean)) / norm;
  }
  return weights;
}

/** The finished weights of a convolution. */
export const convWeights = (flat: Float32Array, parameters: readonly Parameter[], { name }: ConvPlan): Float32Array =>
  standardised(named(flat, parameters, directionName(name)), named(flat, parameters, gainName(name)));
