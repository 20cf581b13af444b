import { useState } from 'preact/hooks'
import { announce } from '../frame/live-region.tsx'
import './widgets.css'

/** Copies a text; where the browser lets no page do that (plain HTTP on a LAN address), shows it selected, to be copied by hand. */
export function CopyButton({ label, text, done = 'Copied' }: { label: string; text: () => string; done?: string }) {
  const [state, setState] = useState<'none' | 'copied' | { readonly byHand: string }>('none')
  const copy = async () => {
    const words = text()
    try {
      await navigator.clipboard.writeText(words)
      setState('copied')
      announce(`${done}.`)
      setTimeout(() => setState('none'), 4_000)
    } catch {
      // Not allowed, or no secure context: by hand then.
      setState({ byHand: words })
    }
  }
  return (
    <span class="widgets-copy">
      <button type="button" class="widgets-button" onClick={copy}>
        {state === 'copied' ? `${done} ✓` : label}
      </button>
      {typeof state === 'object' ? (
        <input
          class="widgets-input"
          aria-label="Copy this text"
          readOnly
          value={state.byHand}
          ref={field => field?.select()}
          onBlur={() => setState('none')}
        />
      ) : null}
    </span>
  )
}
