import { expect, test } from "vitest";
import { signInProblem } from "../../infra/signIn.ts";

const settings = {
  OIDC_CLIENT_ID: "console",
  OIDC_ISSUER: "https://login.example.com/",
  OIDC_TOKEN_ORIGIN: "",
};

test.each([
  [{}, false],
  [{ OIDC_CLIENT_ID: "", OIDC_ISSUER: "antler-deploy-test" }, false],
  [{ OIDC_TOKEN_ORIGIN: "https://tokens.example.com" }, false],
  [{ OIDC_ISSUER: "http://127.0.0.1:4000" }, true],
])("the settings of a sign-in %j are accepted, locally: %j", (changes, isLocal) => {
  expect(signInProblem({ ...settings, ...changes }, isLocal)).toBeUndefined();
});

test.each([
  [{ OIDC_ISSUER: "antler-local" }, "JWT_ISSUER, must be an https URL: it is antler-local"],
  [{ OIDC_ISSUER: "" }, "must be an https URL"],
  [{ OIDC_ISSUER: "http://login.example.com" }, "must be an https URL: it is http://login.example.com"],
  [{ OIDC_ISSUER: "https://" }, "must be an https URL"],
  [{ OIDC_TOKEN_ORIGIN: "tokens.example.com" }, "OIDC_TOKEN_ORIGIN must be an https URL: it is tokens.example.com"],
])("a deploy with the settings %j is refused in one sentence", (changes, sentence) => {
  expect(signInProblem({ ...settings, ...changes }, false)).toContain(sentence);
});
