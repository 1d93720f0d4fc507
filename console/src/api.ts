import { AntlerError, type Client, createClient } from "../../packages/client/src/index.ts";
import type { Session } from "./session.ts";

/** The address of the API, which is that of the page: it can have a path. */
export function apiUrl(): string {
  return new URL(".", location.href).href;
}

/**
 * The API with the token of the session. A call throws `unauthorized` if the session has expired, or expires because the
 * API refuses the token: the shell then asks the user to sign in again, and the call can be repeated.
 */
export function createApi(session: Session): Client {
  return createClient({
    apiUrl: apiUrl(),
    token() {
      const token = session.token();
      if (token === undefined) throw new AntlerError("unauthorized", "The session has expired");
      return token;
    },
    async fetch(input, init) {
      const response = await fetch(input, init);
      if (response.status === 401) session.expire();
      return response;
    },
  });
}
