import { describe, expect, test } from "vitest";
import { hostInUrl, isLoopback, readSettings, withoutProxy } from "./settings.ts";

describe("readSettings", () => {
  test.each(["debug", "Debug", "DEBUG"])("accepts LOG_LEVEL=%s", (LOG_LEVEL) => {
    expect(readSettings({ LOG_LEVEL }).LOG_LEVEL).toBe("DEBUG");
  });

  test("accepts the last port for DynamoDB, and reports that it needs one", () => {
    expect(readSettings({ AWS_PORT: "65534" }).DYNAMODB_PORT).toBe(65535);
    expect(readSettings({ AWS_PORT: "65535", DYNAMODB_PORT: "4567" }).DYNAMODB_PORT).toBe(4567);
    expect(() => readSettings({ AWS_PORT: "65535" })).toThrow(
      "AWS_PORT=65535: leaves no port for DynamoDB, which is at AWS_PORT + 1 unless DYNAMODB_PORT is set",
    );
  });

  test.each(["a b", "fe80::1%lo"])("rejects API_HOST=%s", (API_HOST) => {
    expect(() => readSettings({ API_HOST })).toThrow(`API_HOST=${API_HOST}: must be an IP address or a host name`);
  });
});

test.each([
  ["127.0.0.1", "127.0.0.1"],
  ["0.0.0.0", "127.0.0.1"],
  ["::", "[::1]"],
  ["0:0:0:0:0:0:0:0", "[::1]"],
  ["::1", "[::1]"],
  ["192.0.2.1", "192.0.2.1"],
  ["wallet.test", "wallet.test"],
])("a server that listens on %s is reached at %s", (address, host) => {
  expect(hostInUrl(address)).toBe(host);
});

test.each([
  ["127.0.0.1", true],
  ["127.1", true],
  ["::1", true],
  ["localhost", true],
  ["0.0.0.0", false],
  ["::", false],
  ["192.0.2.1", false],
  ["127.0.0.1.example.com", false],
  ["localhost.example.com", false],
])("that only this machine reaches %s is %j", (address, expected) => {
  expect(isLoopback(address)).toBe(expected);
});

test.each([
  [{}, {}, "127.0.0.1"],
  [{ API_HOST: "::" }, { NO_PROXY: "example.com" }, "example.com,127.0.0.1,[::1]"],
  [{ AWS_ENDPOINT_URL: "http://localstack:4566" }, { no_proxy: "a", NO_PROXY: "b" }, "a,127.0.0.1,localstack"],
  [{}, { NO_PROXY: "*" }, "*"],
])("of %j, with %j in the environment, no_proxy is %s", (settings, environment, noProxy) => {
  expect(withoutProxy(readSettings(settings), environment)).toBe(noProxy);
});
