// What goes between the thread that talks and those that compute.
import { Either, Lane, type Report } from "./lane";
import { type PythonProgram, type PythonOutcome, runPyodide } from "./run_pyodide";
import { type Heard, type Outcome, type Program, run } from "./run_wasip1";

export interface WasmWork {
    tells?: boolean; // what it writes, while it runs
    key: string; // of the module, which is posted to each worker once
    program: Omit<Program, "module"> & { module?: WebAssembly.Module };
}
export interface PythonWork {
    tells?: boolean;
    python: PythonProgram;
}
export type Work = WasmWork | PythonWork;
export interface Posted {
    ticket: number; // not 0
    work: Work;
    soon?: boolean; // its result is waited for
    either?: { memory: SharedArrayBuffer; who: number }; // another worker may have it, too
}
/** To a worker: the memory that it shares with the thread that talks, if any; then tasks. */
export type Told = { memory: SharedArrayBuffer } | { tasks: Posted[] };
export interface Written {
    stream: "stdout" | "stderr";
    bytes: Uint8Array;
}
/** From a worker; `read`: there are results in the shared memory. */
export type Said = Report | (Written & { ticket: number }) | { read: true };
export type Done = { outcome: Outcome } | { python: PythonOutcome } | { error: string };

const modules = new Map<string, WebAssembly.Module>();
const maxModules = 64;

// The rest is in the result: a flood would only delay it.
const maxTold = 1 << 20;

/** Modules come with the first task that needs them, also when that is taken back. */
function keep({ key, program }: WasmWork) {
    const module = program.module ?? modules.get(key);
    if (!module) return;
    modules.delete(key); // and to the end: the first is the longest unused
    modules.set(key, module);
    if (modules.size > maxModules) modules.delete(modules.keys().next().value!);
}

function runWasm({ key, program }: WasmWork, heard?: Heard): Outcome {
    const module = modules.get(key);
    if (!module) throw new Error(`module ${key} is not here`);
    return run({ ...program, module }, heard);
}

/** Calls `tell` with a Done once, for WebAssembly before it returns; and with what is written before, if wanted. */
function perform(work: Work, tell: (said: Done | Written) => void) {
    const done = (said: Done) => tell(said);
    let told = 0;
    const heard: Heard | undefined = !work.tells ? undefined : (stream, bytes) => {
        told += bytes.length;
        if (told <= maxTold) tell({ stream, bytes: bytes.slice() });
    };
    const failed = (error: unknown) => done({ error: String(error) });
    if ("python" in work) {
        runPyodide(work.python, heard).then((python) => done({ python }), failed);
        return;
    }
    let outcome;
    try {
        outcome = runWasm(work, heard);
    } catch (error) {
        return failed(error);
    }
    done({ outcome });
}

/** What a worker does with what it is told. */
export function worker(say: (said: Said) => void): (told: Told) => void {
    let lane: Lane | undefined;
    let received = 0;
    let unread = false;
    return (told) => {
        if ("memory" in told) {
            lane = new Lane(told.memory);
            return;
        }
        for (const { ticket, work, soon, either } of told.tasks) {
            const more = lane ? (lane.posted() - ++received) | 0 : 0;
            if (!("python" in work)) keep(work);
            if (!lane || (lane.claim(ticket) && (!either || new Either(either.memory).claim(either.who)))) {
                lane?.begin();
                const began = performance.now();
                perform(work, (said) => {
                    if ("stream" in said) return say({ ...said, ticket });
                    const report = { ticket, took: performance.now() - began, done: said };
                    // After what it wrote, which was posted.
                    if (!soon && !work.tells && lane?.write(report)) unread = true;
                    else say(report);
                });
            }
            // Whoever still has work here is not waited for: the other thread looks by itself now and then.
            if (unread && more < 2) {
                unread = false;
                say({ read: true });
            }
        }
    };
}
