import type { ComponentChildren } from 'preact'
import './widgets.css'

/** Said where there is nothing: one sentence, and one way on. */
export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="widgets-empty">{children}</p>
}
