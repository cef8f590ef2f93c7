// One Python task from start to end, in an interpreter of its own (Pyodide), in this thread.
import { zipSync } from "fflate";
import { parts, unpack } from "./archive";
import { joined } from "./bytes";
import type { Heard } from "./run_wasip1";

export interface PythonProgram {
    home: string; // URL of the folder that the runtime lies in
    packages: string[];
    script?: string;
    pickle?: Uint8Array; // of a function, its arguments and its keyword arguments
    envs: string[];
    stdin?: Uint8Array;
    rootfs?: Uint8Array; // a ZIP
    artifacts: string[];
}

export interface PythonOutcome {
    pickle?: Uint8Array; // of the last value
    stdout: Uint8Array;
    stderr: Uint8Array;
    version: string;
    artifacts?: Uint8Array; // a ZIP
}

// As far as it is used here.
interface Pyodide {
    version: string;
    FS: {
        mkdirTree(path: string): void;
        writeFile(path: string, bytes: Uint8Array): void;
        readFile(path: string): Uint8Array;
        readdir(path: string): string[];
        analyzePath(path: string): { exists: boolean };
        isDir(mode: number): boolean;
        stat(path: string): { mode: number };
        cwd(): string;
    };
    globals: { set(name: string, value: unknown): void };
    setStdin(options: object): void;
    setStdout(options: object): void;
    setStderr(options: object): void;
    loadPackage(names: string[], options: object): Promise<unknown>;
    loadPackagesFromImports(source: string, options: object): Promise<unknown>;
    runPythonAsync(source: string, options?: object): Promise<{ toJs(): Uint8Array; destroy(): void }>;
    unpackArchive(archive: Uint8Array, format: string, options: object): void;
}

const filesHome = "/mnt"; // where the rootfs is unpacked

// The task has names of its own. What cannot be pickled is an error, as a missing result would be.
const driver = `
import cloudpickle, inspect
from pyodide.code import eval_code_async

async def _task(script, pickled):
    if script is not None:
        value = await eval_code_async(script, {"__name__": "__main__"})
    else:
        function, args, kwargs = cloudpickle.loads(pickled.to_bytes())
        value = function(*args, **kwargs)
        if inspect.isawaitable(value):
            value = await value
    return cloudpickle.dumps(value)

await _task(_script, _pickle)
`;

function collector(heard?: (bytes: Uint8Array) => void) {
    const chunks: Uint8Array[] = [];
    return {
        write(bytes: Uint8Array) {
            chunks.push(bytes.slice());
            heard?.(bytes);
            return bytes.length;
        },
        all: () => joined(chunks),
    };
}

function environment(envs: string[]): Record<string, string> {
    const all: Record<string, string> = { HOME: "/home/pyodide" };
    for (const env of envs) {
        const at = env.indexOf("=");
        if (at < 1) throw new Error(`environment '${env}' is not NAME=VALUE`);
        all[env.slice(0, at)] = env.slice(at + 1);
    }
    return all;
}

async function read(url: string): Promise<Uint8Array> {
    if (url.startsWith("file:")) {
        const { readFile } = await import("node:fs/promises" as string);
        return new Uint8Array(await readFile(new URL(url))); // no Buffer, which Python does not know
    }
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
    return new Uint8Array(await answer.arrayBuffer());
}

function collect(py: Pyodide, into: Record<string, Uint8Array>, name: string, path: string) {
    if (!py.FS.analyzePath(path).exists) {
        into[name + "/"] = new Uint8Array(); // as for WASI programs
    } else if (py.FS.isDir(py.FS.stat(path).mode)) {
        into[name + "/"] = new Uint8Array();
        for (const child of py.FS.readdir(path))
            if (child !== "." && child !== "..") collect(py, into, `${name}/${child}`, `${path}/${child}`);
    } else {
        into[name] = py.FS.readFile(path);
    }
}

/** Where an artifact lies: by its whole path, or from the working folder, or where the rootfs is. */
function place(py: Pyodide, path: string): string {
    const name = "/" + parts(path).join("/");
    const candidates = path.startsWith("/") ? [name, filesHome + name] : [py.FS.cwd() + name, filesHome + name, name];
    return candidates.find((candidate) => py.FS.analyzePath(candidate).exists) ?? name;
}

export async function runPyodide(program: PythonProgram, heard?: Heard): Promise<PythonOutcome> {
    const { home } = program;
    const { loadPyodide } = await import(/* @vite-ignore */ home + "pyodide.mjs");
    const stdout = collector(heard && ((bytes) => heard("stdout", bytes)));
    const stderr = collector(heard && ((bytes) => heard("stderr", bytes)));
    const indexURL = home.startsWith("file:") ? decodeURIComponent(new URL(home).pathname) : home;
    const py: Pyodide = await loadPyodide({ indexURL, env: environment(program.envs), stdout: () => {}, stderr: () => {} });
    py.unpackArchive(await read(home + "cloudpickle.zip"), "zip", { extractDir: "/lib/python3.12/site-packages" });
    py.FS.mkdirTree(filesHome);
    if (program.rootfs) {
        for (const [path, bytes] of Object.entries(unpack(program.rootfs))) {
            const names = parts(path);
            const last = path.endsWith("/") ? undefined : names.pop();
            const folder = [filesHome, ...names].join("/");
            py.FS.mkdirTree(folder);
            if (last !== undefined) py.FS.writeFile(`${folder}/${last}`, bytes);
        }
    }
    const quiet = { messageCallback: () => {}, errorCallback: () => {} };
    if (program.packages.length > 0) {
        const loaded = (await py.loadPackage(program.packages, quiet)) as { name: string }[];
        const missing = program.packages.filter((name) => !loaded.some((one) => one.name === name));
        if (missing.length > 0) throw new Error(`packages that are not here: ${missing.join(", ")}`);
    }
    // A module that is not here fails where it is imported, which says more.
    if (program.script !== undefined) await py.loadPackagesFromImports(program.script, quiet).catch(() => {});
    let left = program.stdin;
    py.setStdin(left === undefined ? { error: true } : {
        read(buffer: Uint8Array) {
            const piece = left!.subarray(0, buffer.length);
            buffer.set(piece);
            left = left!.subarray(piece.length);
            return piece.length;
        },
    });
    py.setStdout(stdout);
    py.setStderr(stderr);
    py.globals.set("_script", program.script);
    py.globals.set("_pickle", program.pickle);
    const value = await py.runPythonAsync(driver);
    const pickle = value.toJs().slice();
    value.destroy();
    const outcome: PythonOutcome = { pickle, stdout: stdout.all(), stderr: stderr.all(), version: py.version };
    if (program.artifacts.length > 0) {
        const found: Record<string, Uint8Array> = {};
        for (const path of program.artifacts) collect(py, found, parts(path).join("/"), place(py, path));
        outcome.artifacts = zipSync(found, { level: 1 });
    }
    return outcome;
}
