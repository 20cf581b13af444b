// Budgets of reload that are about changes: each on a real control plane, counted by its audit log and seen by the witness.

import { quantile } from '../test/real/reload/judge.ts'
import type { Played, Replay } from '../test/real/reload/replay.ts'
import { pick, type Scenario, type SourceSpec } from '../test/real/reload/scenario.ts'
import { workload } from '../test/real/reload/workloads.ts'
import type { BudgetRow } from './budget-table.ts'

const times = <T>(count: number, make: (at: number) => T): readonly T[] => Array.from({ length: count }, (_, at) => make(at))

function sources(type: SourceSpec['type'], namespace: string, count: number): readonly SourceSpec[] {
  return times(count, at => ({ type, namespace, name: `${namespace}-${type}-${at}`, data: { key: 'first' } }))
}

const empty = { flags: [], leastExact: 0 } as const
const noForm = { seconds: 0, pace: 1 }

function whole(played: Played): void {
  const { missed, unexpected, program, scenario } = played
  if (missed.length + unexpected.length > 0)
    throw new Error(
      `${scenario} ${program}: ${missed.length} missed, ${unexpected.length} extra: ${[...missed, ...unexpected].slice(0, 5).join('; ')}`,
    )
}

async function one(
  replay: Replay,
  scenario: Scenario,
  options: { readonly form?: typeof noForm; readonly reload?: object; readonly process?: object } = {},
) {
  const { form = noForm, ...settings } = options
  const [played] = await replay.play('ballast controller', [scenario], form, settings)
  if (played === undefined) throw new Error(`${scenario.id} was not played`)
  return played
}

const countOf = ({ requests }: Played, isCounted: (verb: string, resource: string) => boolean) =>
  Object.entries(requests).reduce((sum, [what, count]) => {
    const [verb = '', resource = ''] = what.split(' ')
    return sum + (isCounted(verb, resource) ? count : 0)
  }, 0)

const isWrite = (verb: string) => !['get', 'list', 'watch', 'absent'].includes(verb)

/** One ConfigMap of 500 Deployments, beside Reloader where it is. */
export async function fanOut(replay: Replay): Promise<readonly BudgetRow[]> {
  const shared: SourceSpec = { type: 'configmap', namespace: 'b2', name: 'shared', data: { key: 'first' } }
  const scenario: Scenario = {
    ...empty,
    id: 'B2',
    title: 'one ConfigMap of 500 Deployments',
    sources: [shared],
    targets: times(500, at => workload({ namespace: 'b2', name: `fan-${at}`, uses: [shared] })),
    warmMs: 12_000,
    settleMs: 8_000,
    play: stage => stage.change(shared, { key: 'second' }),
  }
  const played = await one(replay, scenario)
  whole(played)
  const count = (verb: string, resource: string) => countOf(played, (v, r) => v === verb && r === resource)
  return [
    { what: 'B2 fan-out to 500: all patched', value: played.tookMs / 1_000, unit: 's', budget: { atMost: 2 } },
    { what: 'B2 PATCH of Deployments', value: count('patch', 'deployments'), unit: '', budget: { atMost: 500 } },
    { what: 'B2 LIST', value: countOf(played, verb => verb === 'list'), unit: '', budget: { atMost: 0 } },
    { what: 'B2 GET of the ConfigMap', value: count('get', 'configmaps'), unit: '', budget: { atMost: 1 } },
    { what: 'B2 other GET', value: countOf(played, (v, r) => v === 'get' && !['configmaps', 'leases'].includes(r)), unit: '' },
    {
      what: 'B2 writes of permits',
      value: countOf(played, (v, r) => isWrite(v) && r.startsWith('disruptionpermits')),
      unit: '',
      budget: { atMost: 2 },
    },
    { what: 'B2 writes of Events', value: countOf(played, (v, r) => isWrite(v) && r === 'events'), unit: '' },
    { what: 'B2 processor time', value: played.cpuMs / 1_000, unit: 's' },
  ]
}

/** 100 updates of annotations a second. */
export async function noOps(replay: Replay): Promise<readonly BudgetRow[]> {
  const maps = sources('configmap', 'b4', 10)
  const scenario: Scenario = {
    ...empty,
    id: 'B4',
    title: '100 annotation-only updates a second',
    sources: maps,
    targets: maps.map((map, at) => workload({ namespace: 'b4', name: `noop-${at}`, uses: [map] })),
    warmMs: 12_000,
    play: stage => stage.every(10, turn => stage.annotate(pick(maps, stage.random), String(turn))),
  }
  const played = await one(replay, scenario, { form: { seconds: 60, pace: 1 } })
  whole(played)
  const writes = countOf(played, (verb, resource) => isWrite(verb) && resource !== 'leases')
  const percent = (100 * played.cpuMs) / played.playMs
  return [
    { what: 'B4 no-ops at 100/s: writes but of Leases', value: writes, unit: '', budget: { atMost: 0 } },
    { what: 'B4 processor', value: percent, unit: '% of a core', budget: { atMost: 5 } },
    { what: 'B4 GET of ConfigMaps', value: countOf(played, (v, r) => v === 'get' && r === 'configmaps'), unit: '' },
    { what: 'B4 roll-outs', value: played.rollouts, unit: '', budget: { atMost: 0 } },
  ]
}

/** One Secret, 50 changes a second. */
export async function storm(replay: Replay): Promise<readonly BudgetRow[]> {
  const [secret] = sources('secret', 'b5', 1)
  if (secret === undefined) throw new Error('there is no Secret')
  const scenario: Scenario = {
    ...empty,
    id: 'B5',
    title: 'one Secret changed 50 times a second',
    sources: [secret],
    targets: [workload({ namespace: 'b5', name: 'storm', uses: [secret] })],
    patienceMs: 45_000,
    play: stage => stage.every(20, turn => stage.change(secret, { key: `update-${turn}` })),
  }
  const reload = { rateGuard: { enabled: true } }
  const played = await one(replay, scenario, { form: { seconds: 60, pace: 1 }, reload })
  whole(played)
  return [
    { what: 'B5 storm of 50/s for 60 s: roll-outs', value: played.rollouts, unit: '', budget: { atMost: 7 } },
    { what: 'B5 changes', value: played.changes, unit: '' },
    { what: 'B5 processor', value: (100 * played.cpuMs) / played.playMs, unit: '% of a core' },
  ]
}

/** The leader is killed, 20 objects change at once, the other replica takes over. */
export async function takeOver(replay: Replay): Promise<readonly BudgetRow[]> {
  const maps = sources('configmap', 'b6', 20)
  const scenario: Scenario = {
    ...empty,
    id: 'B6',
    title: 'the leader is killed and 20 objects change',
    sources: maps,
    targets: maps.map((map, at) => workload({ namespace: 'b6', name: `gap-${at}`, uses: [map] })),
    patienceMs: 30_000,
    async play(stage) {
      // Until the baseline is written.
      await stage.every(3_000, async () => undefined)
      await stage.standBy()
      await stage.every(3_000, async () => undefined)
      await stage.restartProgram()
      await Promise.all(maps.map(map => stage.change(map, { key: 'second' })))
    },
  }
  const form = { seconds: 9, pace: 1 }
  const played = await one(replay, scenario, { form, process: { standby: 'warm' } })
  whole(played)
  const last = quantile(played.latenciesMs, 1) / 1_000
  return [
    { what: 'B6 take-over: 20 reloaded once, the last after', value: last, unit: 's', budget: { atMost: 20 } },
    { what: 'B6 roll-outs', value: played.rollouts, unit: '', budget: { atMost: 20 } },
  ]
}

/** 10,000 workloads, a change every 50 ms. */
export async function manyWorkloads(replay: Replay): Promise<readonly BudgetRow[]> {
  const namespaces = times(20, at => `b8-${at}`)
  const maps = namespaces.flatMap(namespace => sources('configmap', namespace, 500))
  const scenario: Scenario = {
    ...empty,
    id: 'B8',
    title: '10,000 workloads, 20 changes a second',
    sources: maps,
    targets: maps.map((map, at) => workload({ namespace: map.namespace, name: `many-${at}`, uses: [map] })),
    play: stage => stage.every(50, turn => stage.change(pick(maps, stage.random), { key: `update-${turn}` })),
  }
  const played = await one(replay, scenario, { form: { seconds: 15, pace: 1 } })
  whole(played)
  return [
    { what: 'B8 10,000 workloads: p50 change to patch', value: quantile(played.latenciesMs, 0.5), unit: 'ms' },
    { what: 'B8 p99', value: quantile(played.latenciesMs, 0.99), unit: 'ms', budget: { atMost: 100 } },
    { what: 'B8 one write and its watch event meanwhile: p50', value: quantile(played.echoesMs, 0.5), unit: 'ms' },
    { what: 'B8 the same, p99', value: quantile(played.echoesMs, 0.99), unit: 'ms' },
    { what: 'B8 changes', value: played.changes, unit: '' },
    { what: 'B8 processor', value: (100 * played.cpuMs) / played.playMs, unit: '% of a core' },
  ]
}
