// What goes between the thread that talks and those that compute.
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
export interface Written {
    stream: "stdout" | "stderr";
    bytes: Uint8Array;
}
export type Done = { outcome: Outcome } | { python: PythonOutcome } | { error: string };

const modules = new Map<string, WebAssembly.Module>();
const maxModules = 64;

// The rest is in the result: a flood would only delay it.
const maxTold = 1 << 20;

function runWasm(work: WasmWork, heard?: Heard): Outcome {
    let module = work.program.module ?? modules.get(work.key);
    if (!module) throw new Error(`module ${work.key} is not here`);
    modules.delete(work.key); // and to the end: the first is the longest unused
    modules.set(work.key, module);
    if (modules.size > maxModules) modules.delete(modules.keys().next().value!);
    return run({ ...work.program, module }, heard);
}

/** Calls `tell` with a Done once, for WebAssembly before it returns; and with what is written before, if wanted. */
export function perform(work: Work, tell: (said: Done | Written) => void) {
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
