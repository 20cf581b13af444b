// A page that broke does not take the others with it: it says so in its place.
import { Component, type ComponentChildren } from 'preact'

interface Props {
  /** What is shown: when it changes, the next is tried. */
  of: string
  children: ComponentChildren
}

export class ErrorBoundary extends Component<Props, { failure: Error | undefined; of: string }> {
  override state = { failure: undefined, of: this.props.of }

  static override getDerivedStateFromError(error: unknown) {
    return { failure: error instanceof Error ? error : new Error(String(error)) }
  }

  static override getDerivedStateFromProps(props: Props, state: { of: string }) {
    return props.of === state.of ? null : { failure: undefined, of: props.of }
  }

  override componentDidCatch(error: unknown) {
    console.error('ballast: the page broke', error)
  }

  override render() {
    const { failure } = this.state as { failure: Error | undefined }
    if (failure === undefined) return this.props.children
    return (
      <div class="frame-broken" role="alert">
        <h1>This page broke</h1>
        <p>What it shows elsewhere still holds; nothing was sent. The message is:</p>
        <pre>{failure.message}</pre>
        <p>
          <button type="button" class="widgets-button" onClick={() => this.setState({ failure: undefined })}>
            Try again
          </button>
        </p>
      </div>
    )
  }
}
