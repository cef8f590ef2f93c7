// What goes between the thread that talks and those that compute.
import { type PythonProgram, type PythonOutcome, runPyodide } from "./run_pyodide";
import { type Outcome, type Program, run } from "./run_wasip1";

export interface WasmWork {
    key: string; // of the module, which is posted to each worker once
    program: Omit<Program, "module"> & { module?: WebAssembly.Module };
}
export interface PythonWork {
    python: PythonProgram;
}
export type Work = WasmWork | PythonWork;
export type Done = { outcome: Outcome } | { python: PythonOutcome } | { error: string };

const modules = new Map<string, WebAssembly.Module>();
const maxModules = 64;

function runWasm(work: WasmWork): Outcome {
    let module = work.program.module ?? modules.get(work.key);
    if (!module) throw new Error(`module ${work.key} is not here`);
    modules.delete(work.key); // and to the end: the first is the longest unused
    modules.set(work.key, module);
    if (modules.size > maxModules) modules.delete(modules.keys().next().value!);
    return run({ ...work.program, module });
}

/** Calls `done` once: for WebAssembly before it returns. */
export function perform(work: Work, done: (done: Done) => void) {
    const failed = (error: unknown) => done({ error: String(error) });
    if ("python" in work) {
        runPyodide(work.python).then((python) => done({ python }), failed);
        return;
    }
    let outcome;
    try {
        outcome = runWasm(work);
    } catch (error) {
        return failed(error);
    }
    done({ outcome });
}
