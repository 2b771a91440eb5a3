/** @file The part of @resvg/resvg-wasm the atlas is built with: its package is not installed with the project. */
declare module "@resvg/resvg-wasm" {
  export function initWasm(module: Uint8Array): Promise<void>;
  export class Resvg {
    constructor(svg: string);
    /** Rows of R, G, B, A bytes, colours multiplied by alpha. */
    render(): { readonly width: number; readonly height: number; readonly pixels: Uint8Array };
  }
}
