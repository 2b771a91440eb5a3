/** @file Wasm files imported as modules: how an edge runtime gets compiled code, which it may not compile itself. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}

/** This package describes the exports of the instance, which is what other bundlers make of such an import. */
declare module "@jsquash/png/codec/pkg/squoosh_png_bg.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
