// What is wrong with Scrimp itself, and what to do about it.

import { counted } from "./format";
import type { Health } from "./types";

export interface Trouble {
  what: string;
  /** What Scrimp or the system said. */
  said: string;
  advice: string;
}

/** The most urgent first. */
export function troublesOf(health: Health): Trouble[] {
  const { last_flush_error: flush, last_maintenance_error: maintenance, refused_config: config } = health;
  const damaged = health.corrupt_files.map(fileName);
  return [
    flush && {
      what: "Records cannot be written.",
      said: flush,
      advice: "Calls go on and are counted, but their details are kept in memory, and only so many. Make room on the disk of the data directory, or make it writable; writing then resumes by itself.",
    },
    config && {
      what: "The changed configuration was refused; the one before it is in force.",
      said: config,
      advice: "Correct the file: it is read again when it changes.",
    },
    health.bypass && {
      what: "Bypass is on: no policy decides.",
      said: "Calls pass unedited, and are counted.",
      advice: "`scrimp bypass off` has the policies decide again; so does the next start.",
    },
    maintenance && {
      what: "Old records cannot be packed or removed.",
      said: maintenance,
      advice: "No record is lost, but the data directory grows. Make room on its disk, or make it writable; it is tried again by itself.",
    },
    0 < damaged.length && {
      what: `${counted(damaged.length, "damaged file")} set aside.`,
      said: damaged.join(", "),
      advice: "What could be read is kept; the rest may be missing below. Remove what was set aside when you do not need it: after the next start it is not named any more.",
    },
  ].filter((each): each is Trouble => typeof each === "object" && each !== null);
}

/** A file's name; the API may say more about it than that. */
export function fileName(file: unknown): string {
  return typeof file === "string" ? file : JSON.stringify(file);
}
