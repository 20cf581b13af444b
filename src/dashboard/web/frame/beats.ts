// A beat a second of our own time, for what is counted whatever the cluster's clock does.
import { signal } from '@preact/signals'

export const beats = signal(0)

export function startBeats(): void {
  setInterval(() => {
    if (!document.hidden) beats.value++
  }, 1000)
}
