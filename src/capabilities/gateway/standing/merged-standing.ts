// How routes stand at all gateways together, from what each of them said last. Pure.
import type { GatewaysStanding, RouteStanding } from '#coordination/ports/gateway-door.ts'
import { type BootStage, bootStages } from '../cold/boot-stage.ts'

/** One gateway, and what it said last. */
export interface HeardGateway {
  /** Name of its pod. */
  readonly name: string
  /** Absent: nothing was heard of it. */
  readonly heard?: { readonly atMs: number; readonly routes: ReadonlyMap<string, RouteStanding> } | undefined
  /** Why it said nothing when it was asked last; absent: it did. */
  readonly why?: string | undefined
}

/** What is older is told as of then. */
const freshMs = 5_000
/** What is older says nothing any more. */
const oldestMs = 50_000

/** Sums over all whose words count; whoever's do not is named. `nowMs` is of the same clock as when they were heard. */
export function mergedStanding(gateways: readonly HeardGateway[], nowMs: number): GatewaysStanding {
  const routes = new Map<string, RouteStanding>()
  const late: { name: string; agoMs: number }[] = []
  const silent: { name: string; why: string }[] = []
  let answered = 0
  for (const { name, heard, why } of gateways) {
    const agoMs = heard === undefined ? Number.POSITIVE_INFINITY : nowMs - heard.atMs
    if (heard === undefined || agoMs > oldestMs) {
      silent.push({ name, why: why ?? 'it was not asked yet' })
      continue
    }
    if (agoMs > freshMs) late.push({ name, agoMs })
    else answered++
    for (const [key, one] of heard.routes) routes.set(key, together(routes.get(key), one))
  }
  return { answered, late, silent, routes }
}

/** Each gateway sees the same start by itself: the one that is farthest is told. */
function together(before: RouteStanding | undefined, one: RouteStanding): RouteStanding {
  if (before === undefined) return one
  const start = placeOf(one.start) > placeOf(before.start) ? one.start : before.start
  const sums = { requests: before.requests + one.requests, held: before.held + one.held }
  return start === undefined ? sums : { ...sums, start }
}

function placeOf(start: RouteStanding['start']): number {
  return start === undefined ? -1 : bootStages.indexOf(start.stage as BootStage)
}
