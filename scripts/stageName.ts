import * as z from "zod";

/** The name of a stage: `local` is the stack of `npm start`, any other name a deployed stack. */
export const stageName = z.string().regex(/^[A-Za-z0-9-]+$/, "must be letters, digits and hyphens");
