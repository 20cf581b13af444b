// KEDA's operator and ours over the same ScaledObjects, each on a real control plane: equal autoscalers, statuses, replicas and events.
import { deepStrictEqual, ok } from 'node:assert'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { comparable, type KedaOutcome, otherOutcomes, untoldEvents } from '../../keda-differences.ts'
import type { Check } from '../check.ts'
import { besideUpstream } from './beside.ts'
import { kedaInPods } from './in-pods.ts'
import { toMany } from './many.ts'
import { play } from './outcomes.ts'
import { recordings, withoutAutoscaling } from './record.ts'
import { KedaSite } from './site.ts'
import { changedHands } from './taken-over.ts'

function recordedOutcomes(): readonly KedaOutcome[] {
  return JSON.parse(readFileSync(join(recordings, 'outcomes.json'), 'utf8')).outcomes
}

/** Everything but events, which upstream loses some of. */
function stated({ name, moment, object, autoscalers, replicas }: KedaOutcome): unknown {
  return comparable({ name, moment, object, autoscalers, replicas })
}

function compare(theirs: readonly KedaOutcome[], ours: readonly KedaOutcome[], losesEvents = false): number {
  deepStrictEqual(
    ours.map(({ name, moment }) => `${name} ${moment}`),
    theirs.map(({ name, moment }) => `${name} ${moment}`),
  )
  let equal = 0
  for (const [at, one] of theirs.entries()) {
    const other = ours[at]
    if (other === undefined || otherOutcomes[`${one.name} ${one.moment}`] !== undefined) continue
    deepStrictEqual(stated(other), stated(one), `${one.name} ${one.moment}`)
    if (!losesEvents) deepStrictEqual(untoldEvents(one, other), [], `events of ${one.name} ${one.moment}`)
    equal++
  }
  return equal
}

async function asRecorded(): Promise<string> {
  await using site = await KedaSite.start('upstream', withoutAutoscaling)
  await using _operator = await site.ours()
  const outcomes = await play(site)
  const equal = compare(recordedOutcomes(), outcomes)
  ok(equal > 60)
  return `${equal} outcomes of ours are KEDA's, field for field; ${Object.keys(otherOutcomes).length} differ on purpose`
}

async function recordedStill(): Promise<string> {
  await using site = await KedaSite.start('upstream', withoutAutoscaling)
  await using _operator = await site.upstream()
  const outcomes = await play(site)
  return `${compare(recordedOutcomes(), outcomes, true)} outcomes of KEDA's operator are as recorded`
}

export const kedaChecks: readonly Check[] = [
  { name: "KEDA: ours does to ScaledObjects what KEDA's operator was recorded doing", run: asRecorded },
  { name: 'KEDA: its operator does as recorded', run: recordedStill },
  { name: "KEDA: from zero by ours, to many by kube-controller-manager's autoscaler", run: toMany },
  { name: "KEDA: our operator behind our adapter, with KEDA's roles", run: () => besideUpstream('ours', 'ours') },
  { name: "KEDA: our operator behind KEDA's adapter", run: () => besideUpstream('ours', 'upstream') },
  { name: "KEDA: KEDA's operator behind our adapter", run: () => besideUpstream('upstream', 'ours') },
  { name: 'real kubelets: KEDA to ours by the images of its three Deployments, and back', alone: true, run: kedaInPods },
  { name: 'KEDA: objects change hands to ours and back unchanged', run: changedHands },
]
