// What a screen reader is told without being asked: at most one sentence in ten seconds, urgent ones at once.
import { signal } from '@preact/signals'

const betweenMs = 10_000

const polite = signal('')
const urgent = signal('')
let lastAt = Number.NEGATIVE_INFINITY
let waiting: string | undefined

/** Says a sentence. Of those that come too soon after one another the last one is said. `isUrgent`: disconnected, frozen, a plan that failed. */
export function announce(text: string, isUrgent = false): void {
  if (isUrgent) {
    urgent.value = text
    return
  }
  const due = lastAt + betweenMs - performance.now()
  if (due <= 0) say(text)
  else {
    if (waiting === undefined) setTimeout(() => say(waiting ?? ''), due)
    waiting = text
  }
}

function say(text: string): void {
  waiting = undefined
  lastAt = performance.now()
  polite.value = text
}

export function LiveRegions() {
  return (
    <>
      <div class="frame-unseen" role="status" aria-live="polite">
        {polite}
      </div>
      <div class="frame-unseen" role="alert" aria-live="assertive">
        {urgent}
      </div>
    </>
  )
}
