import { describe } from "vitest";
import { inMemoryPorts } from "./inMemoryPorts.ts";
import { describeStoreContract } from "./storeContract.ts";

const { store, due } = inMemoryPorts();

describe("the store in memory", () => describeStoreContract(store, due));
