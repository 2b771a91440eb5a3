/** @file What the fuzzer holds against a file: the whole way from bytes to graph and back, and how it may end. */
import { AppError } from "../../shared/errors.ts";
import { prepare } from "../../shared/graph/prepare.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { importModel } from "../../shared/onnx/import.ts";

/** A file of a few hundred bytes takes about a millisecond. */
const millisecondsMax = 500;
/** A busy machine may stop us in the middle of a file; a file that is slow is slow every time. */
const triesMax = 3;
const messageLengthMin = 20;
const messageLengthMax = 4000;

/** `graph`: accepted. Otherwise the code of the error it was refused with. */
export type Outcome = "graph" | AppError["code"];

const weights = new Uint8Array(256);
const external = (location: string): Uint8Array | undefined => (location === "weights.bin" ? weights : undefined);

/**
 * Takes a file through import, preparation, export and import again. Returns how it ended; throws where it ended in
 * any other way than a graph or a clear error, or took too long.
 */
export function check(bytes: Uint8Array): Outcome {
  for (let tries = 1; ; tries++) {
    const start = performance.now();
    const outcome = attempt(bytes);
    const took = performance.now() - start;
    if (took <= millisecondsMax) return outcome;
    if (tries === triesMax) throw new Error(`it took ${took.toFixed(0)} ms, ${tries} times`);
  }
}

function attempt(bytes: Uint8Array): Outcome {
  try {
    const { graph, declared } = importModel(bytes, { external });
    prepare(graph, { declared });
    const again = exportModel(graph);
    const reimported = importModel(again, { external });
    if (reimported.graph.nodes.length !== graph.nodes.length) throw new Error("its export has other nodes");
    return "graph";
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    if (!error.code.startsWith("model-")) throw new Error(`its error has the code ${error.code}`, { cause: error });
    const { length } = error.message;
    if (length < messageLengthMin || length > messageLengthMax) {
      throw new Error(`its error has a message of ${length} characters`, { cause: error });
    }
    return error.code;
  }
}
