import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { count as countText } from '../../words/quantity.ts'
import { printing } from './narrow.ts'
import './widgets.css'

interface FoldProps {
  title: string
  /** How many there are within. */
  count?: number | null
  /** How it begins; afterwards the viewer decides. */
  open?: boolean
  /** Rank of its heading. */
  level?: 2 | 3
  children: ComponentChildren
}

/** A section that folds to its heading. In print every fold is open. */
export function Fold({ title, count, open = true, level = 2, children }: FoldProps) {
  const [chosen, choose] = useState<boolean>()
  const Heading = level === 2 ? 'h2' : 'h3'
  const isOpen = printing.value || (chosen ?? open)
  return (
    <details
      class="widgets-fold"
      open={isOpen}
      onToggle={event => event.currentTarget.open !== isOpen && choose(event.currentTarget.open)}
    >
      <summary>
        <Heading>
          {title}
          {count === undefined ? null : <span class="widgets-count"> {countText(count)}</span>}
        </Heading>
      </summary>
      {isOpen ? <div class="widgets-fold-body">{children}</div> : null}
    </details>
  )
}
