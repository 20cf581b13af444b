// The focus stays near where it was. A browser takes it from what is disabled or removed, as most buttons are once they were pressed, and
// then the keyboard begins at the top of the page.

/** Elements from the one that has the focus outwards, as they were when it got it. */
let path: readonly Element[] = []
/** Until it is looked at whether the focus is gone for good. */
let waiting: ReturnType<typeof setTimeout> | undefined

/** A page that is opened puts the focus on its heading by itself, within this. */
const settledMs = 60
/** What is disabled while its action is sent is often enabled again within this. */
const sentMs = 1_500

const canTake = 'button:not(:disabled), a[href], summary, select:not(:disabled), input:not(:disabled), [tabindex="0"]'

/** Parts of a page that are read as one. */
const parts = 'section, article, .drawn-tile, main'

export function startKeptFocus(): void {
  document.addEventListener('focusin', event => {
    path = event.target instanceof Element ? outwards(event.target) : []
  })
  document.addEventListener('pointerdown', () => {
    path = []
  })
  new MutationObserver(() => look(settledMs)).observe(document.body, {
    subtree: true,
    childList: true,
    attributes: true,
    attributeFilter: ['disabled'],
  })
}

function outwards(element: Element): readonly Element[] {
  const all: Element[] = []
  for (let at: Element | null = element; at !== null && at !== document.body; at = at.parentElement) all.push(at)
  return all
}

function look(afterMs: number): void {
  if (waiting !== undefined || path.length === 0 || !isLost()) return
  waiting = setTimeout(() => {
    waiting = undefined
    mend()
  }, afterMs)
}

function isLost(): boolean {
  const { activeElement } = document
  return activeElement === null || activeElement === document.body || activeElement.matches(':disabled')
}

/** Gives the focus back, or to what is nearest. */
function mend(isLate = false): void {
  const [last, ...around] = path
  if (last === undefined || !isLost() || document.querySelector('dialog[open]') !== null) return
  if (last.isConnected && !last.matches(':disabled')) {
    if (last instanceof HTMLElement) last.focus({ preventScroll: true })
    return
  }
  if (last.isConnected && !isLate) {
    waiting = setTimeout(() => {
      waiting = undefined
      mend(true)
    }, sentMs)
    return
  }
  for (const place of around) {
    if (!place.isConnected) continue
    // Nothing around it is left but the page: it is another one now, and is read from its heading. The first thing to press there may be a
    // field, which would take the keys that the page knows.
    const next = place.matches('main')
      ? (place.querySelector<HTMLElement>('h1') ?? place)
      : (place.querySelector<HTMLElement>(canTake) ?? (place.matches(parts) ? place : undefined))
    if (!(next instanceof HTMLElement)) continue
    // A part without anything to press takes it itself: a reader is told what stands there now, and Tab goes on from there.
    if (next === place && !place.hasAttribute('tabindex')) next.tabIndex = -1
    next.focus({ preventScroll: true })
    return
  }
}

/** Somebody left on purpose: nothing is given back. */
export function leaveFocus(): void {
  path = []
}
