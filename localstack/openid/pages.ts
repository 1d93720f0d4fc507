import { createHash } from "node:crypto";

const STYLE = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { max-width: 26rem; margin: 3rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; }
form { display: grid; gap: .75rem; margin-top: 2rem; }
button, input { font: inherit; padding: .5rem .75rem; border-radius: .5rem; border: 1px solid #888; }
button { cursor: pointer; background: #166534; color: #fff; border-color: #166534; }
:focus-visible { outline: 3px solid #2563eb; outline-offset: 2px; }
`;

const STYLE_HASH = createHash("sha256").update(STYLE).digest("base64");

/** A page of the provider, as a browser gets it. What varies in it has no character with a meaning in HTML: user ids, codes. */
export interface HtmlPage {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface SignInForm {
  /** True if the client has asked for the scope of operators. */
  readonly canBeOperator: boolean;
  /** Of the terminal that signs in, if it is one. */
  readonly userCode?: string;
  /** Where the form leads to besides the provider itself. */
  readonly redirectOrigin?: string;
}

/** Asks who signs in: one click for alice, bob or an operator. The forms are sent to the address of the page. */
export function signInPage({ canBeOperator, userCode, redirectOrigin }: SignInForm): HtmlPage {
  const code = userCode === undefined ? "" : `<input type="hidden" name="user_code" value="${userCode}">`;
  const terminal = userCode === undefined ? "" : `<p>Your terminal must show the code ${userCode}.</p>`;
  const operator = canBeOperator
    ? '<button name="operator" value="operator">Sign in as an operator, for all users</button>'
    : "";
  return page(
    "Sign in to the local stack",
    `<p>This identity provider is for development: it signs in anyone as any user.</p>
     ${terminal}
     <form method="post">${code}
       <button name="user" value="alice">Sign in as alice</button>
       <button name="user" value="bob">Sign in as bob</button>
       ${operator}
     </form>
     <form method="post">${code}
       <label for="user">Another user id</label>
       <input id="user" name="user" autocomplete="off" required maxlength="128">
       <button>Sign in as this user</button>
     </form>`,
    redirectOrigin,
  );
}

/** Asks for the code that a terminal shows. */
export function userCodePage(): HtmlPage {
  return page(
    "Sign in a terminal",
    `<form>
       <label for="user_code">Code that your terminal shows</label>
       <input id="user_code" name="user_code" autocomplete="off" required>
       <button>Continue</button>
     </form>`,
  );
}

export function messagePage(title: string, text: string): HtmlPage {
  return page(title, `<p>${text}</p>`);
}

function page(title: string, content: string, redirectOrigin = ""): HtmlPage {
  return {
    body: `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title><style>${STYLE}</style></head>
<body><main><h1>${title}</h1>${content}</main></body>
</html>
`,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": [
        "default-src 'none'",
        `style-src 'sha256-${STYLE_HASH}'`,
        // Browsers check the target of the redirect after the form too.
        `form-action 'self' ${redirectOrigin}`.trim(),
        "frame-ancestors 'none'",
        "base-uri 'none'",
      ].join("; "),
      // With no-referrer, a browser would send the form without its origin.
      "referrer-policy": "same-origin",
      "x-content-type-options": "nosniff",
    },
  };
}
