// What clients and whoever is in KEDA's place saw of a swap of the HTTP add-on.
import { deepStrictEqual, ok } from 'node:assert'
import type { HttpAddOnSite } from './http-add-on-site.ts'
import type { PlacedPod } from './placed-pods.ts'
import type { Asked, Scaled } from './visitor-words.ts'

/** For longer nobody of KEDA's kind may be without an answer: it asks each second or more rarely. */
const mostSilentMs = 3_000
/** More warm requests than these were under way in each direction, else the check has seen little. */
const leastWarm = 100
/** A count is two looks of a scaler old at most: requests that began before that, and ended after the answer, are in it. */
const countedAfterMs = 1_500
const answeredMs = 500

/** @throws AssertionError where a request failed, or the scaler was silent, or forgot somebody */
export function judged(
  what: string,
  { visitor, pods }: HttpAddOnSite,
  since: { readonly asked: number; readonly scaled: number; readonly from: PlacedPod['kind'] },
): string {
  const asked = visitor.asked.slice(since.asked)
  const failed = asked.filter(({ outcome }) => outcome !== '200')
  deepStrictEqual(failed, [], `${what}: requests that failed\n${pods.log}`)
  const warm = asked.filter(({ target }) => target === 'web').length
  ok(warm > leastWarm, `${what}: ${warm} warm requests`)
  const held = asked.filter(({ target }) => target === 'sleepy')
  const drained = held.filter(one => endedMeanwhile(one, since.from, pods.all)).length
  ok(drained > 0, `${what}: no request waited at a pod that ended`)

  const answers = visitor.scaled.slice(since.scaled)
  const silentMs = longestSilence(answers)
  const errors = answers.flatMap(({ error }) => error ?? [])
  ok(silentMs <= mostSilentMs, `${what}: ${silentMs} ms without an answer of the scaler: ${errors.join('; ')}`)
  const kindOf = (address: string) => pods.all.findLast(({ place }) => place.address === address)?.kind
  let mixed = 0
  for (const { atMs, address, answers: numbers } of answers) {
    if (numbers === undefined) continue
    const said = `${what}: the scaler (${kindOf(address)}) says ${JSON.stringify(numbers)}`
    ok(numbers.web.isActive && numbers.web.value > 0, `${said} while web is asked for all the time`)
    const waiting = held.filter(one => one.startedMs < atMs - countedAfterMs && one.endedMs > atMs + answeredMs)
    const kinds = new Set(waiting.map(one => kindThen(one, pods.all)))
    if (kinds.size < 2 || kindOf(address) !== 'ours') continue
    // Upstream's leaves out those at pods that end.
    mixed++
    ok(numbers.sleepy.value >= waiting.length, `${said} while ${waiting.length} requests wait at pods of both kinds`)
  }
  ok(mixed > 0, `${what}: ours was never asked while requests waited at interceptors of both kinds`)
  return `${what}: ${warm} warm requests and ${held.length} that waited, ${drained} of them at pods that ended, none failed; the scaler was silent for ${silentMs} ms at most, and ours counted those at both kinds of interceptors, ${mixed} times`
}

/** Whether its pod, of that kind, was told to end while it waited there. */
function endedMeanwhile({ address, startedMs, endedMs }: Asked, kind: PlacedPod['kind'], all: readonly PlacedPod[]): boolean {
  return all.some(
    pod =>
      pod.kind === kind &&
      pod.place.address === address &&
      pod.endedMs !== undefined &&
      startedMs < pod.endedMs &&
      pod.endedMs < endedMs,
  )
}

/** The kind of the pod that had the address when the request began. */
function kindThen({ address, startedMs }: Asked, all: readonly PlacedPod[]): PlacedPod['kind'] | undefined {
  return all.findLast(({ place, startedMs: begunMs }) => place.address === address && begunMs < startedMs)?.kind
}

function longestSilence(answers: readonly Scaled[]): number {
  let longestMs = 0
  let lastMs = answers[0]?.atMs ?? 0
  for (const { atMs, answers: numbers } of answers) {
    longestMs = Math.max(longestMs, atMs - lastMs)
    if (numbers !== undefined) lastMs = atMs
  }
  return longestMs
}
