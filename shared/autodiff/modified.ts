/** @file Backward passes with ReLU's rule replaced: tables that override the true one (method.md 6). */
import { rules } from "./rules.ts";
import { pointwise, type RuleTable } from "./vjp.ts";

/** dx = dy where dy > 0 and x > 0. Springenberg et al. 2015. */
const guidedRelu = pointwise(({ g, y, dy }) => [() => g.mul(g.relu(dy), g.sign(y()))]);
/** dx = max(dy, 0), whatever the forward sign was. Zeiler and Fergus 2014. */
const deconvnetRelu = pointwise(({ g, dy }) => [() => g.relu(dy)]);

export const guided: RuleTable = { ...rules, Relu: guidedRelu };
export const deconvnet: RuleTable = { ...rules, Relu: deconvnetRelu };
