// What goes between the thread that talks and those that compute.
import { type Outcome, type Program, run } from "./run_wasip1";

export interface Work {
    key: string; // of the module, which is posted to each worker once
    program: Omit<Program, "module"> & { module?: WebAssembly.Module };
}
export type Done = { outcome: Outcome } | { error: string };

const modules = new Map<string, WebAssembly.Module>();
const maxModules = 64;

export function perform(work: Work): Done {
    try {
        let module = work.program.module ?? modules.get(work.key);
        if (!module) throw new Error(`module ${work.key} is not here`);
        modules.delete(work.key); // and to the end: the first is the longest unused
        modules.set(work.key, module);
        if (modules.size > maxModules) modules.delete(modules.keys().next().value!);
        return { outcome: run({ ...work.program, module }) };
    } catch (error) {
        return { error: String(error) };
    }
}
