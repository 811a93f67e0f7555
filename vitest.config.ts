import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    maxWorkers: "100%", // the default leaves a processor idle; tests never depend on timings
    pool: "forks", // onnxruntime-node aborts the process when a worker thread that runs it is terminated
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
