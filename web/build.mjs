// Builds the provider: `node web/build.mjs OUT` makes OUT/index.html, page.js, worker.js for browsers and
// OUT/node/provider.mjs, worker.mjs for Node, and OUT/pyodide, Python for both. Needs `npm ci` in web/ before, and Debian's protoc.
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { zipSync } from "fflate";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? join(here, "dist"));
const generated = join(here, "provider", "generated");
const messages = resolve(here, "..", "src", "wire", "wasimoff");

mkdirSync(generated, { recursive: true });
mkdirSync(out, { recursive: true });
execFileSync("protoc", [
    `--plugin=protoc-gen-es=${join(here, "node_modules", ".bin", "protoc-gen-es")}`,
    `--es_out=${generated}`, "--es_opt=target=ts", "-I", messages, "wasimoff.proto",
], { stdio: "inherit" });

const source = (name) => join(here, "provider", name);
const options = { bundle: true, minify: true, format: "esm", target: "es2022", logLevel: "warning" };
await build({ ...options, entryPoints: { page: source("page.ts"), worker: source("browser_worker.ts") }, outdir: out,
    external: ["node:*"], // reached on Node alone
});
await build({
    ...options, platform: "node", minify: false, outExtension: { ".js": ".mjs" }, outdir: join(out, "node"),
    entryPoints: { provider: source("node_provider.ts"), worker: source("node_worker.ts") },
    banner: { js: "import { createRequire as _r } from 'node:module'; const require = _r(import.meta.url);" },
});
copyFileSync(source("index.html"), join(out, "index.html"));

// Python's runtime (Pyodide) from npm and cloudpickle from Debian, for pages and for the Node provider.
const python = join(out, "pyodide");
mkdirSync(python, { recursive: true });
for (const name of ["pyodide.mjs", "pyodide.asm.js", "pyodide.asm.wasm", "pyodide-lock.json", "python_stdlib.zip"])
    copyFileSync(join(here, "node_modules", "pyodide", name), join(python, name));
const cloudpickle = "/usr/lib/python3/dist-packages/cloudpickle";
if (!existsSync(cloudpickle)) throw new Error("cloudpickle is missing: Debian's python3-cloudpickle has it");
const sources = readdirSync(cloudpickle).filter((name) => name.endsWith(".py"));
const files = Object.fromEntries(sources.map((name) => [`cloudpickle/${name}`, readFileSync(join(cloudpickle, name))]));
writeFileSync(join(python, "cloudpickle.zip"), zipSync(files, { mtime: new Date(1980, 1, 1) }));
