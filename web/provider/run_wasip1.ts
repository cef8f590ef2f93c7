// One WASI preview 1 program from start to end, in this thread.
import { Directory, File, type Inode, OpenFile, PreopenDirectory, WASI } from "@bjorn3/browser_wasi_shim";
import { type Unzipped, zipSync } from "fflate";
import { parts, unpack } from "./archive";

export interface Program {
    module: WebAssembly.Module;
    args: string[];
    envs: string[];
    stdin: Uint8Array;
    rootfs?: Uint8Array; // a ZIP
    artifacts: string[];
}

export interface Outcome {
    status: number;
    stdout: Uint8Array;
    stderr: Uint8Array;
    artifacts?: Uint8Array; // a ZIP
}

function tree(files: Unzipped): Map<string, Inode> {
    const root = new Map<string, Inode>();
    for (const [path, bytes] of Object.entries(files)) {
        const names = parts(path);
        const last = path.endsWith("/") ? undefined : names.pop();
        let here = root;
        for (const name of names) {
            let next = here.get(name);
            if (!(next instanceof Directory)) here.set(name, next = new Directory(new Map()));
            here = (next as Directory).contents;
        }
        if (last !== undefined) here.set(last, new File(bytes));
    }
    return root;
}

function lookUp(root: Directory, path: string): Inode | undefined {
    let here: Inode | undefined = root;
    for (const name of parts(path)) here = here instanceof Directory ? here.contents.get(name) : undefined;
    return here;
}

function collect(into: Record<string, Uint8Array>, path: string, inode: Inode | undefined) {
    if (inode instanceof File) {
        into[path] = inode.data;
        return;
    }
    into[path + "/"] = new Uint8Array(); // also for what is not there
    if (inode instanceof Directory)
        for (const [name, child] of inode.contents) collect(into, `${path}/${name}`, child);
}

export function run(program: Program): Outcome {
    const rootfs = program.rootfs ? tree(unpack(program.rootfs)) : new Map<string, Inode>();
    const preopen = new PreopenDirectory(program.rootfs ? "/" : ".", rootfs);
    const [stdin, stdout, stderr] = [new File(program.stdin), new File([]), new File([])];
    const fds = [new OpenFile(stdin), new OpenFile(stdout), new OpenFile(stderr), preopen];
    const wasi = new WASI(program.args, program.envs, fds, { debug: false });
    // The older name of the same interface is still met in small programs.
    const imports = { wasi_snapshot_preview1: wasi.wasiImport, wasi_unstable: wasi.wasiImport };
    const instance = new WebAssembly.Instance(program.module, imports);
    const status = wasi.start(instance as never);
    const outcome: Outcome = { status, stdout: stdout.data, stderr: stderr.data };
    if (program.artifacts.length > 0) {
        const found: Record<string, Uint8Array> = {};
        for (const path of program.artifacts) collect(found, parts(path).join("/"), lookUp(preopen.dir, path));
        outcome.artifacts = zipSync(found, { level: 1 });
    }
    return outcome;
}
