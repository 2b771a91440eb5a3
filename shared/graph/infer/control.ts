/** @file Rows of control flow of our own, whose bodies are graphs; a model's own is opaque and of unknown type. */
import type { Row, Table } from "./row.ts";

/** The body makes a condition, then what the loop hands on. */
const loop: Row = ({ attributes }) => {
  const body = attributes.get("body");
  return body?.kind === "graph" ? body.value.outputs.slice(1).map((v) => v.type) : undefined;
};

export const control: Table = { Loop: loop };
