import { vi } from "vitest";

// Tests of the limits set their own.
vi.mock("../lib/aws/timeouts.ts", () => ({ TIMEOUTS: { connectMs: 30_000, requestMs: 30_000 } }));
