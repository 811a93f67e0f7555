import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const main = join(root, "dist/cli/main.js");

const sources = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory()
      ? sources(join(folder, entry.name))
      : /(?<!\.test)\.ts$/.test(entry.name)
        ? [join(folder, entry.name)]
        : [],
  );

/** Fails in plain words where the built command is missing or older than a source. */
export function assertBuilt(): void {
  if (!existsSync(main)) throw new Error("dist/cli/main.js is missing: run npm run build (npm test does)");
  // A build that finds nothing changed leaves the outputs alone and touches only this file.
  const built = statSync(join(root, "dist/.tsbuildinfo")).mtimeMs;
  const newer = sources(join(root, "src")).find((source) => statSync(source).mtimeMs > built);
  if (newer !== undefined) throw new Error(`dist is older than ${newer}: run npm run build (npm test does)`);
}

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Runs under this limit of file size, in blocks of 512 or 1024 bytes. */
  readonly fileBlocks?: number;
  readonly onSpawn?: (child: ChildProcess) => void;
  /** Called with the child and everything on stderr so far, whenever more arrives. */
  readonly onStderr?: (child: ChildProcess, text: string) => void;
}

/** Runs the built command as a child process. */
export function marauder(args: readonly string[], options: CliOptions): Promise<CliResult> {
  const [command, rest] =
    options.fileBlocks === undefined
      ? [process.execPath, [main, ...args]]
      : [
          "bash",
          ["-c", `ulimit -f ${options.fileBlocks}; trap "" XFSZ; exec "$0" "$@"`, process.execPath, main, ...args],
        ];
  const child = spawn(command as string, rest as string[], {
    cwd: options.cwd,
    env: { ...process.env, CI: "1", ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  options.onSpawn?.(child);
  let stdout = "";
  let stderr = "";
  child.stdout!.on("data", (chunk) => (stdout += String(chunk)));
  child.stderr!.on("data", (chunk) => {
    stderr += String(chunk);
    options.onStderr?.(child, stderr);
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}
