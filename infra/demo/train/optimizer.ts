/** @file AdamW on flat arrays, the schedule of its rate, and the running average of parameters that is shipped. */
import { type Parameter, viewOf } from "./parameters.ts";

/** Everything training changes. All arrays are flat and of one length. */
export interface TrainingState {
  /** Steps taken. */
  step: number;
  readonly parameters: Float32Array;
  /** Running averages of the gradient and of its square (Kingma & Ba 2014). */
  readonly first: Float32Array;
  readonly second: Float32Array;
  /** Running average of the parameters: steadier than the last ones, and what is evaluated and shipped. */
  readonly average: Float32Array;
}

/** The state before the first step. */
export function startState(parameters: Float32Array): TrainingState {
  return {
    step: 0,
    parameters,
    first: new Float32Array(parameters.length),
    second: new Float32Array(parameters.length),
    average: parameters.slice(),
  };
}

export interface Schedule {
  /** Steps in all. */
  readonly steps: number;
  readonly rate: number;
}

/** Steps over which the rate rises from 0. */
const warmUp = 200;
/** The part of all steps over which it falls to 0. Until there the course does not depend on how many steps follow. */
const coolDown = 0.3;

/** The rate of a step: a rise, a plateau, a fall, all linear. */
export function rateAt(step: number, { steps, rate }: Schedule): number {
  return rate * Math.min(1, (step + 1) / warmUp, (steps - step) / (coolDown * steps));
}

const beta1 = 0.9;
const beta2 = 0.99;
const epsilon = 1e-8;
/** Decoupled weight decay (Loshchilov & Hutter 2017), relative to the rate. */
const decay = 0.05;
const averageDecay = 0.999;

/** One step of AdamW in place. `gradients` holds each parameter's gradient under its name. */
export function update(
  state: TrainingState,
  parameters: readonly Parameter[],
  gradientOf: (name: string) => Float32Array,
  rate: number,
): void {
  state.step += 1;
  const correction1 = 1 - beta1 ** state.step;
  const correction2 = 1 - beta2 ** state.step;
  // A young average forgets its beginning faster.
  const kept = Math.min(averageDecay, state.step / (state.step + 10));
  for (const parameter of parameters) {
    const gradient = gradientOf(parameter.name);
    const shrink = parameter.decays ? 1 - rate * decay : 1;
    const [w, m, v, a] = [state.parameters, state.first, state.second, state.average].map((flat) =>
      viewOf(flat, parameter),
    );
    if (!w || !m || !v || !a) throw new TypeError("four arrays");
    for (let i = 0; i < w.length; i += 1) {
      const d = gradient[i]!;
      m[i] = beta1 * m[i]! + (1 - beta1) * d;
      v[i] = beta2 * v[i]! + (1 - beta2) * d * d;
      w[i] = w[i]! * shrink - (rate * (m[i]! / correction1)) / (Math.sqrt(v[i]! / correction2) + epsilon);
      a[i] = kept * a[i]! + (1 - kept) * w[i]!;
    }
  }
}
