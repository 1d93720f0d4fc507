import type { TestProject } from "vitest/node";
import { startStack } from "./stack.ts";

declare module "vitest" {
  interface ProvidedContext {
    apiUrl: string;
    stackEnvironment: Readonly<Record<string, string>>;
    /** What the stack printed until it was ready; empty for one that runs already. */
    stackOutput: string;
  }
}

/** One stack for all tests that only talk to the API; `API_URL` names one that runs already, a deployed one for instance. */
export default async function setup(project: TestProject): Promise<(() => Promise<unknown>) | undefined> {
  if (process.env.API_URL) {
    project.provide("apiUrl", process.env.API_URL);
    project.provide("stackEnvironment", {});
    project.provide("stackOutput", "");
    return undefined;
  }
  const stack = await startStack();
  project.provide("apiUrl", stack.apiUrl);
  project.provide("stackEnvironment", stack.environment);
  project.provide("stackOutput", stack.output());
  return () => stack.stop();
}
