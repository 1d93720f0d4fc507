import { hrefTo, match } from "./router.ts";

/**
 * Signs in again in a second window, so that the page keeps what its forms have. The page listens on a channel with a
 * random name, which the second window has in its address.
 */
const PATTERN = "/renewal/:channel";

/**
 * Opens the second window.
 *
 * @param onToken gets the token
 * @returns ends the wait for the token; undefined if the browser does not open the window
 */
export function openRenewal(onToken: (token: string) => void): (() => void) | undefined {
  const name = crypto.randomUUID();
  const channel = new BroadcastChannel(name);
  channel.onmessage = ({ data }) => {
    channel.close();
    onToken(String(data));
  };
  const opened = open(hrefTo(["renewal", name]), "_blank", "popup,width=480,height=640");
  if (opened) return () => channel.close();
  channel.close();
  return undefined;
}

/** @returns what hands over the token, if this is a second window: its path says so */
export function renewalOf(path: string): ((token: string) => void) | undefined {
  const name = match(PATTERN, path)?.channel;
  if (name === undefined) return undefined;
  return (token) => {
    const channel = new BroadcastChannel(name);
    channel.postMessage(token);
    channel.close();
  };
}
