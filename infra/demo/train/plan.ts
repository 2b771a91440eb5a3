/** @file The plan of a training: how many steps, on pictures of which size, from which seed. */
import type { Architecture } from "./classifier.ts";
import { rateAt } from "./optimizer.ts";

export interface TrainingPlan {
  readonly net: Architecture;
  /** One after another. */
  readonly phases: readonly Phase[];
  /** Of learning, at its highest. */
  readonly rate: number;
  /** Of the initial parameters and of all draws of scenes. */
  readonly seed: number;
}

/** Steps on pictures of one size. */
export interface Phase {
  readonly steps: number;
  /** Pictures a step. */
  readonly batch: number;
  /** Side of the pictures: the net's own, or less for parts of scenes. */
  readonly size: number;
  /** How strongly the pictures' colours and sharpness are changed at random, from 0 to 1. */
  readonly changes: number;
}

export const stepsOf = ({ phases }: TrainingPlan): number => phases.reduce((sum, { steps }) => sum + steps, 0);

/** Pictures seen in the first `steps` steps. */
export function picturesIn({ phases }: TrainingPlan, steps: number): number {
  let left = steps;
  let sum = 0;
  for (const phase of phases) {
    const taken = Math.min(left, phase.steps);
    sum += taken * phase.batch;
    left -= taken;
  }
  return sum;
}

/** The phase a step belongs to. */
export function phaseAt({ phases }: TrainingPlan, step: number): Phase {
  let end = 0;
  for (const phase of phases) {
    end += phase.steps;
    if (step < end) return phase;
  }
  throw new RangeError(`step ${step} of ${end}`);
}

/**
 * Whether the first `steps` steps of two plans are the same. A plan may be made longer or shorter until there, unless
 * its rate had begun to fall.
 */
export function sameStart(one: TrainingPlan, other: TrainingPlan, steps: number): boolean {
  const fixed = ({ net, rate, seed }: TrainingPlan): string => JSON.stringify([net, rate, seed]);
  if (fixed(one) !== fixed(other) || Math.min(stepsOf(one), stepsOf(other)) < steps) return false;
  const at = (plan: TrainingPlan, step: number): string => {
    const { batch, size, changes } = phaseAt(plan, step);
    return [batch, size, changes, planRate(plan, step)].join();
  };
  return Array.from({ length: steps }, (_, step) => step).every((step) => at(one, step) === at(other, step));
}

/** The rate of a step. */
export const planRate = (plan: TrainingPlan, step: number): number =>
  rateAt(step, { steps: stepsOf(plan), rate: plan.rate });
