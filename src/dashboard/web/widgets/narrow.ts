// Whether there is only room for one column, as on a phone; and whether the page is being printed.
import { type ReadonlySignal, signal } from '@preact/signals'

/** The style sheets have the same number. */
const query = matchMedia('(max-width: 640px)')
const isNarrow = signal(query.matches)
query.addEventListener('change', () => {
  isNarrow.value = query.matches
})

export const narrow: ReadonlySignal<boolean> = isNarrow

const isPrinting = signal(false)
addEventListener('beforeprint', () => {
  isPrinting.value = true
})
addEventListener('afterprint', () => {
  isPrinting.value = false
})

/** While it is true every fold is open. */
export const printing: ReadonlySignal<boolean> = isPrinting
