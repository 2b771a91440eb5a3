import { defineConfig } from "vitest/config";

// Inference is CPU-bound on one thread: more workers than cores only make each test slower.
const timing = { testTimeout: 120_000, hookTimeout: 120_000 };

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      { test: { name: "unit", include: ["test/**/*.test.ts"], exclude: ["test/shared-data/**"], ...timing } },
      { test: { name: "shared", include: ["test/shared-data/**/*.test.ts"], ...timing } },
    ],
  },
});
