// The cluster's time and the zone it is shown in. Between two messages of the server the clock goes on by its speed.
import { signal } from '@preact/signals'
import { isZone } from '../../words/time.ts'
import { keep, kept } from './kept.ts'

/** Cluster time in milliseconds since 1970, renewed once a second, four times where the cluster is faster than we are. */
export const now = signal(Date.now())

/** A zone of `Intl`, `Europe/Berlin`: every time on the page is in it. */
export const zone = signal(firstZone())

/** How far the browser's clock is ahead of a cluster that keeps real time; undefined in a twin. */
export const skewMs = signal<number | undefined>(undefined)

let anchor = { clusterMs: Date.now(), hereMs: performance.now(), speed: 1 }

/** What the server says that time it is. `perSecond` null: a real cluster. */
export function setClock(text: string, perSecond: number | null): void {
  const clusterMs = Date.parse(text)
  if (Number.isNaN(clusterMs)) return
  anchor = { clusterMs, hereMs: performance.now(), speed: perSecond ?? 1 }
  skewMs.value = perSecond === null ? Date.now() - clusterMs : undefined
  tick()
}

/** What the clock says at a moment of `performance.now()`. */
export const clusterTimeAt = (hereMs: number): number => anchor.clusterMs + (hereMs - anchor.hereMs) * anchor.speed

/** A moment of the past, where time stands. */
export function holdClock(text: string): void {
  setClock(text, 0)
}

function tick(): void {
  now.value = Math.floor(clusterTimeAt(performance.now()))
}

/** Lets the clock go. It stands while nobody looks. */
export function startClock(): void {
  let beats = 0
  setInterval(() => {
    beats++
    if (document.hidden || anchor.speed === 0) return
    if (anchor.speed > 1 || beats % 4 === 0) tick()
  }, 250)
  document.addEventListener('visibilitychange', tick)
}

/** The zones that a viewer may choose: the browser's, the server's, UTC. */
export const zones: readonly string[] = [...new Set([browserZone(), serverZone() ?? browserZone(), 'UTC'])]

export function chooseZone(name: string): void {
  zone.value = name
  keep('zone', name)
}

function browserZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone
}

function serverZone(): string | undefined {
  return document.documentElement.dataset['zone']
}

function firstZone(): string {
  const chosen = kept('zone')
  if (chosen !== undefined && isZone(chosen)) return chosen
  return serverZone() ?? browserZone()
}
