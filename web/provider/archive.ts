// ZIPs that come with tasks, and those that go back.
import { type Unzipped, unzipSync } from "fflate";

// A ZIP of some kilobytes can claim to unpack to terabytes.
const maxUnpacked = 1 << 30;
const maxEntries = 65536;

export function unpack(zip: Uint8Array): Unzipped {
    let bytes = 0, entries = 0;
    return unzipSync(zip, {
        filter: (entry) => {
            bytes += entry.originalSize;
            if (++entries > maxEntries || bytes > maxUnpacked) throw new Error("rootfs unpacks to too much");
            return true;
        },
    });
}

// Names cannot lead out of the root: "..", "." and empty parts are dropped.
export function parts(path: string): string[] {
    return path.split("/").filter((part) => part !== "" && part !== "." && part !== "..");
}
