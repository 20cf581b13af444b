// The Lease handed over and callers led after it, forth and back. Between the two nobody answers for as long as one process ends and the other,
// which stands by, begins; replicas stay as they are meanwhile, since autoscalers that are told nothing change nothing.

import { listAt, textAt } from '#kube/objects/object-fields.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import type { LedApiPart } from '#upstreams/upstream.ts'
import { ownRegistration, ownService } from '../apis/own-api.ts'
import { type Authority, isAsBefore, isLed, leadBack, leadToUs, ledTo, readRegistration } from '../apis/registration.ts'
import { wakeTheirs } from '../apis/wake-theirs.ts'
import { theOurs, theTheirs } from '../both.ts'
import { loopSleeps, putToSleep, scaleLoop } from '../loops.ts'
import type { Ours } from '../place.ts'
import { savedWith } from '../record.ts'
import { readSituation } from '../situation.ts'
import { all, eventually, StepFailed, type Swap } from '../step.ts'
import { writeSection } from '../writes.ts'
import { freeLeft, holds, isHeldAt, turnOf } from './lease-turn.ts'

/** A ConfigMap that a kubelet brings, and parts that end in their order. */
const endPatienceMs = 180_000

/** What callers are answered now, while whoever answers is to be relied on; done again after a crash, what was kept counts. */
export async function keepAnswered(swap: Swap, part: LedApiPart): Promise<void> {
  const { record } = swap
  const answered = await part.answered(swap)
  await record.write({ saved: savedWith(record.saved, { answered }) })
}

/** Is everybody answered who was before? */
async function answeredAsBefore(swap: Swap, part: LedApiPart): Promise<Proof> {
  const registration = await readRegistration(swap, part.apiService)
  const available = listAt(registration, 'status', 'conditions').find(one => textAt(one, 'type') === 'Available')
  if (textAt(available, 'status') !== 'True')
    return no(`APIService ${part.apiService} is not available: ${textAt(available, 'message') ?? 'it does not say why'}`)
  const before = swap.record.saved?.answered ?? []
  const now = new Set(await part.answered(swap, before))
  const silent = before.filter(one => !now.has(one))
  if (silent.length > 0)
    return no(`callers are not answered any more: ${silent.slice(0, mostShown).join(', ')}${more(silent.length)}`)
  return yes(`${ledTo(registration)} answers, ${before.length} metrics as before`)
}

const mostShown = 5
const more = (count: number): string => (count > mostShown ? ` and ${count - mostShown} more` : '')

/** Upstream's leader to sleep, its Lease free at once, callers led to ours. */
export async function turnToOurs(swap: Swap, part: LedApiPart): Promise<void> {
  await putToSleep(swap, situation => theTheirs(swap, situation))
  const situation = await readSituation(swap)
  const theirs = theTheirs(swap, situation)
  await freeLeft(swap, part, theirs)
  // Neither of both could be answered by upstream from here on: nothing is gained by waiting for ours.
  await leadToUs(swap, await ownRegistration(swap, part))
}

export async function isTurnedToOurs(swap: Swap, part: LedApiPart): Promise<Proof> {
  const situation = await readSituation(swap)
  const asleep = loopSleeps(theTheirs(swap, situation))
  if (!asleep.ok) return asleep
  return all(asleep, await ledToOurs(swap, part))
}

/** Ours holds the Lease, callers are led to it and answered. */
export async function ledToOurs(swap: Swap, part: LedApiPart): Promise<Proof> {
  const { ours } = await readSituation(swap)
  const registration = await readRegistration(swap, part.apiService)
  if (!isLed(registration, await ownRegistration(swap, part)))
    return no(`${part.apiService} leads to ${ledTo(registration) ?? 'nobody'}`)
  const turn = await holds(swap, part, ours, 'ours')
  return turn.ok ? all(turn, await answeredAsBefore(swap, part)) : turn
}

/**
 * Upstream's leader beside ours: it waits for the Lease that ours has where its own would be. Where ours has another, it sleeps until ours does.
 * @throws StepFailed where no pod of it gets ready
 */
export async function wakeBeside(swap: Swap, part: LedApiPart): Promise<void> {
  if (await canStandBy(swap, part)) await wakeTheirs(swap)
}

export async function canStandBy(swap: Swap, part: LedApiPart): Promise<boolean> {
  const situation = await readSituation(swap)
  const { ours } = situation
  const isOurs = ours?.isEnabled === true && (ours.loop?.replicas ?? 0) > 0
  return !isOurs || (await isHeldAt(swap, part, ours, theTheirs(swap, situation).namespace))
}

/** Ours to sleep, callers led back as soon as its Lease is free, upstream awake. @throws StepFailed where ours does not end */
export async function turnToTheirs(swap: Swap, part: LedApiPart): Promise<void> {
  await sleepOurs(swap, part)
  for (const before of kept(swap, part)) await leadBack(swap, before, authorityOf(part))
  await wakeTheirs(swap)
}

const kept = ({ record }: Swap, part: LedApiPart) =>
  (record.saved?.led ?? []).filter(({ kind, metadata }) => kind === 'APIService' && metadata.name === part.apiService)

const authorityOf = ({ writesAuthority }: LedApiPart): Authority => (writesAuthority ? 'written' : 'kept')

/** What a swap made is for this alone; where somebody has it for the page, too, it stays, and its configuration says what it does. */
const isForThis = (ours: Ours): boolean => ours.loop !== undefined && ours.isOfSwap

async function sleepOurs(swap: Swap, part: LedApiPart): Promise<void> {
  const { ours } = await readSituation(swap)
  if (ours === undefined) return
  await writeSection(swap, ours, swap.upstream.capability, { enabled: false })
  const { loop } = ours
  const isForIt = loop !== undefined && isForThis(ours)
  if (isForIt) await scaleLoop(swap, loop, 0)
  // It gives its Lease back first thing: its pods need not have ended.
  const ended = await eventually(swap, endPatienceMs, async () => {
    const now = theOurs(await readSituation(swap))
    if (isForIt && now.loop?.running === 0) await freeLeft(swap, part, loop)
    const { turn, said } = await turnOf(swap, part, now)
    return turn === 'ours' ? no(said) : yes(said)
  })
  if (!ended.ok) throw new StepFailed(`ours has not ended: ${ended.said}, after ${endPatienceMs / 60_000} minutes`)
}

function isOff(swap: Swap, ours: Ours): Proof {
  const { capability } = swap.upstream
  if (ours.isEnabled) return no(`${capability} is on in our configuration`)
  if (isForThis(ours) && ours.loop !== undefined && ours.loop.replicas > 0) return no(`${ours.loop.name} is awake`)
  return yes(`${capability} is off in our configuration`)
}

/** Upstream holds the Lease, and callers are led to it as before and answered. */
export async function isTurnedToTheirs(swap: Swap, part: LedApiPart): Promise<Proof> {
  const { ours } = await readSituation(swap)
  const off = ours === undefined ? yes('nothing of ours is there') : isOff(swap, ours)
  if (!off.ok) return off
  const found = await readRegistration(swap, part.apiService)
  const place = ledTo(found)
  if (found === undefined || place === undefined || place === ownService(part, ours))
    return no(`${part.apiService} leads to ${place ?? 'nobody'}`)
  const [before] = kept(swap, part)
  if (before !== undefined && !isAsBefore(found, before, authorityOf(part))) return no(`${part.apiService} is not as it was`)
  const turn = await holds(swap, part, ours, 'theirs')
  return turn.ok ? all(off, turn, await answeredAsBefore(swap, part)) : turn
}
