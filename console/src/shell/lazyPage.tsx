import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { PageProps } from "../page.ts";
import { PageHeading } from "./PageHeading.tsx";

/**
 * A page that is loaded when it is shown for the first time.
 *
 * @example
 * ```ts
 * lazyPage(async () => (await import("./later.ts")).WebhooksPage);
 * ```
 */
export function lazyPage(load: () => Promise<ComponentType<PageProps>>): ComponentType<PageProps> {
  let loaded: ComponentType<PageProps> | undefined;

  return function LazyPage(props) {
    const [state, setState] = useState<"loading" | "loaded" | "failed">(loaded ? "loaded" : "loading");
    useEffect(() => {
      if (loaded) return;
      load().then(
        (component) => {
          loaded = component;
          setState("loaded");
        },
        () => setState("failed"),
      );
    }, []);
    if (state === "failed") return <ReloadAdvice />;
    const Loaded = loaded;
    return Loaded ? <Loaded {...props} /> : <p role="status">Loading …</p>;
  };
}

/** After a deploy, the files that an older page refers to do not exist any more. */
function ReloadAdvice() {
  return (
    <>
      <PageHeading>This page could not be loaded</PageHeading>
      <p>The connection failed, or a new version of the console was deployed. Reload to continue.</p>
      <button type="button" onClick={() => location.reload()}>
        Reload
      </button>
    </>
  );
}
