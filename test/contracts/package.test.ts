import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}
const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;
const entries = Object.entries(manifest.exports).flatMap(([name, to]) =>
  typeof to === "string" ? [] : [{ name, ...to }],
);

/** Runs an ES module in a fresh process and returns what it prints, parsed. */
const inNode = (source: string): unknown =>
  JSON.parse(execFileSync(process.execPath, ["--input-type=module", "-e", source], { encoding: "utf8" }));

test("every folder with an index is a subpath, and nothing else is", () => {
  const folders = readdirSync("src").filter((name) => existsSync(join("src", name, "index.ts")));
  expect(entries.map((e) => e.name).sort()).toEqual([".", ...folders.map((name) => `./${name}`)].sort());
});

test.each(entries)("$name is built, typed, and imports under plain Node", ({ name, types, default: file }) => {
  expect(existsSync(file), `${file} is not built: run npm run build`).toBe(true);
  expect(existsSync(types)).toBe(true);
  const url = JSON.stringify(pathToFileURL(file).href);
  const names = inNode(`console.log(JSON.stringify(Object.keys(await import(${url}))))`);
  if (name !== "./contract") expect((names as string[]).length).toBeGreaterThan(0); // contract is types alone
});

test("the main entry has the verbs of the README", () => {
  const names = inNode(
    `console.log(JSON.stringify(Object.keys(await import(${JSON.stringify(pathToFileURL("dist/index.js").href)}))))`,
  );
  expect(names).toEqual(
    expect.arrayContaining(["audit", "grad", "loadModel", "openOnnxTarget", "pgd", "runEvasion", "sanitize", "seeded"]),
  );
});

/** Heavy packages that a process has loaded: native libraries are seen in the process's report. */
const loaded = `
  const heavy = ["onnxruntime", "duckdb", "sharp", "libvips"];
  const seen = [
    ...Object.keys((await import("node:module")).createRequire(import.meta.url).cache ?? {}),
    ...(process.report.getReport().sharedObjects ?? []),
  ];
  console.log(JSON.stringify(heavy.filter((name) => seen.some((path) => path.includes("node_modules") && path.includes(name)))));
`;

test("importing the main entry loads no engine, table reader or image library", () => {
  const main = JSON.stringify(pathToFileURL("dist/index.js").href);
  expect(inNode(`await import(${main}); ${loaded}`)).toEqual([]);
});

test("the look at loaded libraries sees them", () => {
  const [ort, sharp] = ["node_modules/onnxruntime-node/dist/index.js", "node_modules/sharp/dist/index.cjs"];
  expect(inNode(`await import(${JSON.stringify(pathToFileURL(ort!).href)}); ${loaded}`)).toContain("onnxruntime");
  const module = existsSync(sharp!) ? sharp! : "node_modules/sharp/lib/index.js";
  expect(inNode(`await import(${JSON.stringify(pathToFileURL(module).href)}); ${loaded}`)).toContain("sharp");
});

const packageOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");

function importedBy(folders: readonly string[], wanted: (path: string) => boolean): Set<string> {
  const found = new Set<string>();
  for (const folder of folders) {
    for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
      if (!/\.m?ts$|\.mjs$/.test(path) || !wanted(path)) continue;
      for (const match of readFileSync(join(folder, path), "utf8").matchAll(
        /(?:^(?:import|export|\}) ?[^"]*? ?from |\bimport\()"([^".][^"]*)"/gm,
      )) {
        if (!match[1]!.startsWith("node:")) found.add(packageOf(match[1]!));
      }
    }
  }
  return found;
}

test("what the sources import is a dependency, and every dependency is imported", () => {
  const imported = importedBy(["src"], (path) => !path.endsWith(".test.ts"));
  expect([...imported].sort()).toEqual(Object.keys(manifest.dependencies).sort());
});

test("docs/dependencies.md gives the reason of every dependency, and of no other", () => {
  const named = new Set(
    [...readFileSync("docs/dependencies.md", "utf8").matchAll(/^\| (.+?) \|/gm)].flatMap((row) =>
      [...row[1]!.matchAll(/`([^`]+)`/g)].map((m) => m[1]!),
    ),
  );
  expect([...named].sort()).toEqual(
    [...Object.keys(manifest.dependencies), ...Object.keys(manifest.devDependencies)].sort(),
  );
});

test("a package holds the build, the docs and nothing else", () => {
  const answer = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    shell: process.platform === "win32",
  });
  const [packed] = JSON.parse(answer) as { files: { path: string }[] }[];
  const paths = packed!.files.map((file) => file.path);
  const legal = /^(dist\/[\w/-]+(\.js|\.d\.ts)|docs\/[\w-]+\.(md|png)|LICENSE|README\.md|CHANGELOG\.md|package\.json)$/;
  expect(paths.filter((path) => !legal.test(path) || path.includes(".test."))).toEqual([]);
  expect(paths).toEqual(
    expect.arrayContaining(["dist/index.js", "dist/index.d.ts", "dist/cli/main.js", "docs/start.md"]),
  );
});
