import { Component, type ComponentChildren } from "preact";
import { PageHeading } from "./PageHeading.tsx";

/** Shows a way out in place of a page that has thrown. */
export class ErrorBoundary extends Component<
  { readonly children: ComponentChildren },
  { readonly hasFailed: boolean }
> {
  override state = { hasFailed: false };

  static override getDerivedStateFromError() {
    return { hasFailed: true };
  }

  override componentDidCatch(error: unknown) {
    console.error(error);
  }

  override render() {
    if (!this.state.hasFailed) return this.props.children;
    return (
      <>
        <PageHeading>Something went wrong in this page</PageHeading>
        <p>This is an error of the console. No command was sent because of it. Reload to continue.</p>
        <button type="button" onClick={() => location.reload()}>
          Reload
        </button>
      </>
    );
  }
}
