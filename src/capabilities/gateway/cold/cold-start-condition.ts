// What an object's status says of its cold starts: in words for people, and start by start for whoever learns from them. Pure; whoever owns
// the object writes it.
import { type NewCondition, withCondition } from '#kube/objects/conditions.ts'
import { listAt } from '#kube/objects/object-fields.ts'
import type { Condition, KubeObject } from '#kube/objects/objects.ts'
import { humanDuration } from '#kube/time/human-duration.ts'
import { bootStages } from './boot-stage.ts'
import { type Boot, learnedOf, learnedText, mergedBoots, type Quantiles, readLearned } from './learned-boots.ts'

const keptType = 'LearnedStarts'

/** The text in which starts are kept in an object's status; undefined: none is. */
export function keptText(object: KubeObject | undefined): string | undefined {
  const kept = conditionsOf(object).find(({ type }) => type === keptType)?.message
  return typeof kept === 'string' ? kept : undefined
}

/** The starts that are kept in an object's status. `problem`: why they cannot be read, in words. */
export function keptBoots(object: KubeObject | undefined): ReturnType<typeof readLearned> {
  const text = keptText(object)
  return text === undefined ? { boots: [] } : readLearned(text)
}

/**
 * The conditions of `object` with what is known of its starts: what stands there, which another replica or an earlier process wrote, and
 * `boots`. What cannot be read is written over. The same array where there is nothing new.
 */
export function conditionsWith(object: KubeObject, boots: readonly Boot[], nowMs: number): readonly Condition[] {
  const kept = keptBoots(object)
  const all = 'boots' in kept ? mergedBoots(kept.boots, boots) : boots
  const { generation: observedGeneration = 0 } = object.metadata
  const texts = { type: keptType, status: 'True', reason: 'Kept', message: learnedText(all), observedGeneration } as const
  return [coldStartCondition(all, observedGeneration), texts].reduce(
    (conditions, one) => withCondition(conditions, one, nowMs),
    conditionsOf(object),
  )
}

function conditionsOf(object: KubeObject | undefined): readonly Condition[] {
  return listAt(object, 'status', 'conditions') as readonly Condition[]
}

/**
 * The condition `ColdStart`: True where starts were seen, with p50 and p95 in all and by stage; Unknown before. It is about the past: it does
 * not change while a start is under way, so that it costs one write a start.
 */
export function coldStartCondition(boots: readonly Boot[], observedGeneration: number): NewCondition {
  const type = 'ColdStart'
  const all = learnedOf(boots)
  if (all === undefined)
    return { type, status: 'Unknown', reason: 'NothingLearned', message: 'No cold start was seen yet.', observedGeneration }
  const stages = bootStages.flatMap(stage => {
    const one = learnedOf(boots, stage)
    return one === undefined ? [] : [`${stage} ${timesOf(one)}`]
  })
  const starts = all.count === 1 ? 'last cold start' : `last ${all.count} cold starts`
  const message = `p50/p95 of the ${starts}: ${timesOf(all)}. By stage: ${stages.join(', ')}.`
  return { type, status: 'True', reason: 'Learned', message, observedGeneration }
}

function timesOf({ p50Ms, p95Ms }: Quantiles): string {
  return `${shown(p50Ms)}/${shown(p95Ms)}`
}

/** Less than ten seconds with a tenth. */
function shown(ms: number): string {
  return ms < 10_000 ? `${(Math.round(ms / 100) / 10).toString()}s` : humanDuration(Math.round(ms / 1_000) * 1_000)
}
