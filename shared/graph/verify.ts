/** @file What must hold of every graph, whatever pass made it. A failure is a mistake of ours, not of the caller. */
import { elementBytes, volume } from "./constant.ts";
import type { Graph, Value } from "./ir.ts";
import { printNode } from "./print.ts";
import { made, read } from "./walk.ts";

/**
 * Throws unless: names are unique, nodes are in topological order, every value that is read is a constant, an input or
 * made by an earlier node, no value is made twice, the outputs exist, and types agree with constants and elements.
 */
export function verify(graph: Graph): void {
  const names = new Map<string, Value>();
  const known = new Set<Value>();

  const meet = (value: Value, where: string): void => {
    const other = names.get(value.name);
    if (other !== undefined && other !== value) fail(`two values are named "${value.name}"`, where);
    if (other === undefined) checkValue(value, where);
    names.set(value.name, value);
  };
  const define = (value: Value, where: string): void => {
    meet(value, where);
    if (value.constant !== undefined) fail(`"${value.name}" is a constant and must have no producer`, where);
    if (known.has(value)) fail(`"${value.name}" is made twice`, where);
    known.add(value);
  };
  const use = (value: Value, where: string): void => {
    meet(value, where);
    if (value.constant === undefined && !known.has(value)) fail(`"${value.name}" is read before it is made`, where);
  };

  for (const input of graph.inputs) {
    define(input, "graph inputs");
    if (input.type === undefined) fail(`the input "${input.name}" has no type`, "graph inputs");
  }
  for (const node of graph.nodes) {
    const where = printNode(node);
    if (made(node).length === 0) fail("the node makes nothing", where);
    for (const value of read(node)) use(value, where);
    for (const value of made(node)) define(value, where);
  }
  for (const output of graph.outputs) use(output, "graph outputs");
}

function checkValue({ name, type, constant, elements }: Value, where: string): void {
  if (name === "") fail("a value has no name", where);
  if (constant !== undefined) {
    if (type?.dtype !== constant.dtype || type.shape.join() !== constant.dims.join()) {
      fail(`the type of the constant "${name}" is not that of its data`, where);
    }
    const bytes = volume(constant.dims) * elementBytes[constant.dtype];
    if (bytes > 0 && constant.bytes.length !== bytes) {
      fail(`the constant "${name}" has ${constant.bytes.length} bytes, its shape needs ${bytes}`, where);
    }
  }
  if (elements !== undefined) {
    const [length = 1, ...more] = type?.shape ?? [];
    if (type === undefined || more.length > 0 || length !== elements.length) {
      fail(`"${name}" tracks ${elements.length} elements, which its type does not have`, where);
    }
  }
}

function fail(what: string, where: string): never {
  throw new Error(`the graph is broken: ${what} (${where})`);
}
