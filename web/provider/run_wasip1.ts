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

/** What was written just now, while the program runs. */
export type Heard = (stream: "stdout" | "stderr", bytes: Uint8Array) => void;

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

/** A file that grows by doubling: the shim's own is copied whole at each write. */
class Output extends OpenFile {
    private room = new Uint8Array(1024);

    constructor(private heard?: (bytes: Uint8Array) => void) {
        super(new File([]));
    }

    fd_write(bytes: Uint8Array): { ret: number; nwritten: number } {
        const at = Number(this.file_pos), end = at + bytes.length;
        const size = Math.max(end, this.file.data.length);
        if (this.file.data.buffer !== this.room.buffer || size > this.room.length) {
            const room = new Uint8Array(Math.max(2 * this.room.length, size));
            room.set(this.file.data);
            this.room = room;
        }
        this.room.set(bytes, at);
        this.file.data = this.room.subarray(0, size);
        this.file_pos = BigInt(end);
        this.heard?.(bytes);
        return { ret: 0, nwritten: bytes.length };
    }
}

export function run(program: Program, heard?: Heard): Outcome {
    const rootfs = program.rootfs ? tree(unpack(program.rootfs)) : new Map<string, Inode>();
    const preopen = new PreopenDirectory(program.rootfs ? "/" : ".", rootfs);
    const stdin = new OpenFile(new File(program.stdin));
    const stdout = new Output(heard && ((bytes) => heard("stdout", bytes)));
    const stderr = new Output(heard && ((bytes) => heard("stderr", bytes)));
    const fds = [stdin, stdout, stderr, preopen];
    const wasi = new WASI(program.args, program.envs, fds, { debug: false });
    // The older name of the same interface is still met in small programs.
    const imports = { wasi_snapshot_preview1: wasi.wasiImport, wasi_unstable: wasi.wasiImport };
    const instance = new WebAssembly.Instance(program.module, imports);
    const status = wasi.start(instance as never);
    const outcome: Outcome = { status, stdout: stdout.file.data.slice(), stderr: stderr.file.data.slice() };
    if (program.artifacts.length > 0) {
        const found: Record<string, Uint8Array> = {};
        for (const path of program.artifacts) collect(found, parts(path).join("/"), lookUp(preopen.dir, path));
        outcome.artifacts = zipSync(found, { level: 1 });
    }
    return outcome;
}
