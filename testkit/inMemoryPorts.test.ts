import { describe } from "vitest";
import { inMemoryPorts } from "./inMemoryPorts.ts";
import { describeStoreContract } from "./storeContract.ts";

describe("the store in memory", () => describeStoreContract(inMemoryPorts().store));
