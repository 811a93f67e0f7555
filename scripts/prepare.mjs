// Brings a clone to the state that a command needs, from nothing: installs what is missing, builds what is out of date.
// Plain Node, no dependencies: it runs before they exist.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Runs a command in the repository, its output shown; exits with its code when it fails. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32",
    ...options,
  });
  if (result.error) {
    console.error(`could not start ${command}: ${result.error.message}`);
    process.exit(3);
  }
  if (result.status !== 0) process.exit(result.status ?? 3);
}

export const bin = (name) => join(root, "node_modules", ".bin", name);

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    console.error(
      `Marauder needs Node 20.19 or newer, this is ${process.versions.node}. Install a newer Node and run the command again.`,
    );
    process.exit(3);
  }
}

const newest = (path) =>
  statSync(path).isDirectory()
    ? Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))))
    : statSync(path).mtimeMs;

export function install() {
  checkNode();
  const lock = readFileSync(join(root, "package-lock.json"), "utf8");
  const stamp = join(root, "node_modules", ".marauder-lock");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  console.error("Installing dependencies (once) ...");
  // As .npmrc says; npm's next major version will not hand that on.
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip" };
  run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { stdio: ["ignore", "ignore", "inherit"], env });
  writeFileSync(stamp, lock);
}

export function build() {
  const stamp = join(root, "dist", ".built");
  const sources = Math.max(
    ...["src", "package.json", "package-lock.json", "tsconfig.base.json"].map((p) => newest(join(root, p))),
  );
  if (existsSync(stamp) && statSync(stamp).mtimeMs > sources) return;
  console.error("Building ...");
  run("npm", ["run", "--silent", "build"]);
  writeFileSync(stamp, "");
}
