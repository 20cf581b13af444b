// What an object's status says of its cold starts. Pure; whoever owns the object writes it.
import type { NewCondition } from '#kube/objects/conditions.ts'
import { humanDuration } from '#kube/time/human-duration.ts'
import { bootStages } from './boot-stage.ts'
import { type Boot, learnedOf, type Quantiles } from './learned-boots.ts'

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
