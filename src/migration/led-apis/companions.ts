// What sleeps and wakes beside the workload that leads: upstream's other workloads, and the admission that asks one of them.
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isAlreadyExists, isConflict, isNotFound } from '#kube/objects/status.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import type { LedApiPart } from '#upstreams/upstream.ts'
import { isReady, wakePatienceMs } from '../apis/wake-theirs.ts'
import { named } from '../both.ts'
import { loopSleeps, putToSleep, replicasBefore, scaleLoop } from '../loops.ts'
import { fieldManager } from '../own-made.ts'
import type { Loop, Situation, Theirs } from '../place.ts'
import { listOf } from '../reading.ts'
import { savedWith } from '../record.ts'
import { readSituation } from '../situation.ts'
import { all, eventually, StepFailed, type Swap } from '../step.ts'
import { restorable } from '../writes.ts'

const configurations = builtIn.validatingwebhookconfigurations
const kind = 'ValidatingWebhookConfiguration'

/** Those of the same installation. */
export const companionsOf = ({ companions }: Situation, theirs: Pick<Theirs, 'namespace'>): readonly Loop[] =>
  companions.filter(({ namespace }) => namespace === theirs.namespace)

export async function judges({ api, signal }: Swap, part: LedApiPart, workload: KubeObject): Promise<readonly KubeObject[]> {
  return (await listOf(api, configurations, kind, { signal })).filter(one => part.isJudgedBy(one, workload))
}

/**
 * Nobody is asked any more who will not answer: the configuration is kept, then deleted as it was read.
 * @throws StepFailed where somebody writes it meanwhile
 */
async function unjudge(swap: Swap, part: LedApiPart, workload: KubeObject): Promise<void> {
  const { api, record, signal } = swap
  const found = await judges(swap, part, workload)
  if (found.length === 0) return
  const names = new Set(found.map(({ metadata }) => metadata.name))
  const others = (record.saved?.led ?? []).filter(one => one.kind !== kind || !names.has(one.metadata.name))
  await record.write({ saved: savedWith(record.saved, { led: [...others, ...found.map(restorable)] }) })
  for (const { metadata } of found) {
    const { name, uid, resourceVersion } = metadata
    try {
      await api.resource(configurations).delete(name, {
        signal,
        preconditions: { ...(uid === undefined ? {} : { uid }), ...(resourceVersion === undefined ? {} : { resourceVersion }) },
      })
    } catch (error) {
      if (isConflict(error)) throw new StepFailed(`somebody else wrote ${kind} ${name} meanwhile: look who, then begin anew`)
      if (!isNotFound(error)) throw error
    }
  }
}

/** As they were kept; one that is there already stays. */
async function judgeAgain({ api, record, signal }: Swap): Promise<void> {
  for (const object of (record.saved?.led ?? []).filter(one => one.kind === kind)) {
    try {
      await api.resource<KubeObject>(configurations).create(object, { signal, fieldManager })
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
  }
}

export async function sleepCompanions(swap: Swap, part: LedApiPart, theirs: Theirs): Promise<void> {
  await unjudge(swap, part, theirs.workload)
  for (const { namespace, name } of companionsOf(await readSituation(swap), theirs))
    await putToSleep(swap, situation => theCompanion(situation, { namespace, name }))
}

function theCompanion(situation: Situation, place: Pick<Loop, 'namespace' | 'name'>): Loop {
  const found = situation.companions.find(one => named(one) === named(place))
  if (found === undefined) throw new StepFailed(`Deployment ${named(place)} is gone: somebody deleted it meanwhile`)
  return found
}

export const companionsSleep = (situation: Situation, theirs: Pick<Theirs, 'namespace'>): Proof =>
  all(...companionsOf(situation, theirs).map(loopSleeps))

/** As many pods as they had, ready; only then their judgement is asked again. @throws StepFailed where one does not get ready */
export async function wakeCompanions(swap: Swap, theirs: Theirs): Promise<void> {
  for (const loop of companionsOf(await readSituation(swap), theirs)) await scaleLoop(swap, loop, replicasBefore(swap, loop))
  const woken = await eventually(swap, wakePatienceMs, async () => companionsReady(await readSituation(swap), theirs))
  if (!woken.ok) throw new StepFailed(`${woken.said}, after ${wakePatienceMs / 60_000} minutes`)
  await judgeAgain(swap)
}

export function companionsReady(situation: Situation, theirs: Pick<Theirs, 'namespace'>): Proof {
  const loops = companionsOf(situation, theirs)
  return loops.length === 0 ? yes('nothing else of upstream is there') : all(...loops.map(isReady))
}

/** Is whoever was asked asked again? */
export async function judgedAgain(swap: Swap): Promise<Proof> {
  const { api, record, signal } = swap
  const kept = (record.saved?.led ?? []).filter(one => one.kind === kind)
  const there = new Set((await listOf(api, configurations, kind, { signal, metadataOnly: true })).map(one => one.metadata.name))
  const missing = kept.find(one => !there.has(one.metadata.name))
  return missing === undefined ? yes('admission asks upstream') : no(`${kind} ${missing.metadata.name} is not there`)
}
