// `ballast controller` on a real control plane, with nothing but its ServiceAccount's token: a real scheduler decides where the pods
// land, the real eviction API guards the budgets, real controllers replace what was evicted.
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import tables from '../../../examples/talos-homelab/expect/tables.json' with { type: 'json' }
import { type Judgement, openChecker } from '../../independent-checker.ts'
import type { Check } from '../check.ts'
import { kubernetesVersions, type MinorVersion } from '../control-plane/build.ts'
import { startControlPlane } from '../control-plane/start.ts'
import { readinessChecks } from '../readiness/checks.ts'
import { amongOthers } from './company.ts'
import { heldThroughKills } from './held-landings.ts'
import { isolateControlPlane } from './isolation.ts'
import { judgeKinds } from './kinds.ts'
import { end, follow, judgeTraces, landings, lastOf, openSite, type PlanObject, type Site, taints, told } from './site.ts'
import { snapshotGivesTheSamePlan } from './snapshot.ts'
import { stopLeaderOverEvictions } from './stopped-leader.ts'

interface Variant {
  readonly scheduler: MinorVersion
  /** `hold` where the process serves webhooks, which the API server calls on loopback. */
  readonly landing: 'prefer' | 'hold'
  /** By SIGKILL, when five moves have landed; another process finishes. */
  readonly isKilled: boolean
}

const variants: readonly Variant[] = [
  { scheduler: '1.36', landing: 'prefer', isKilled: false },
  { scheduler: '1.34', landing: 'prefer', isKilled: true },
  { scheduler: '1.36', landing: 'hold', isKilled: false },
]

export const ballastChecks: readonly Check[] = [
  { name: 'ballast controller on the real control plane: kinds', run: onBareControlPlane },
  ...variants.map(variant => ({
    name: `ballast controller on the real control plane: the example put right, kube-scheduler ${kubernetesVersions[variant.scheduler]}, landing ${variant.landing}${variant.isKilled ? ', killed half-way' : ''}`,
    run: () => putRight(variant),
  })),
  {
    name: 'ballast controller on the real control plane: its webhook killed between an eviction and the pod that follows, one replica',
    run: () => heldThroughKills('one'),
  },
  {
    name: 'ballast controller on the real control plane: its webhook killed between an eviction and the pod that follows, two replicas',
    run: () => heldThroughKills('two'),
  },
  {
    name: 'ballast isolate on the real control plane: talos00, its leader killed half-way, then aborted',
    run: isolateControlPlane,
  },
  {
    name: 'ballast controller on the real control plane: its leader stopped (SIGSTOP) over its evictions, three times',
    run: stopLeaderOverEvictions,
  },
  { name: 'ballast controller on the real control plane: among others', run: amongOthers },
  { name: 'ballast snapshot of the real control plane gives the same plan', run: snapshotGivesTheSamePlan },
  ...readinessChecks,
]

async function onBareControlPlane(): Promise<string> {
  const plane = await startControlPlane({ scheduler: 'off', controllerManager: true })
  try {
    return await judgeKinds(plane)
  } finally {
    await plane.stop()
  }
}

async function putRight({ scheduler, landing, isKilled }: Variant): Promise<string> {
  await using site = await openSite(scheduler)
  let controller = site.startController(landing)
  let kills = 0
  const checker = await openChecker(site.transport)
  const ended = await follow(site, async plans => {
    site.look(controller)
    if (isKilled && kills === 0 && landings(plans).length >= 5) {
      kills++
      controller.kill('SIGKILL')
      await controller.ended
      controller = site.startController(landing)
    }
    return controller.log
  })
  strictEqual(kills, isKilled ? 1 : 0)
  await end(site, controller)
  deepStrictEqual([...new Set(ended.map(({ spec }) => spec.landing))], [landing])
  return await judge(site, ended, await checker.judge())
}

async function judge(site: Site, ended: readonly PlanObject[], judgement: Judgement): Promise<string> {
  const { requests, evictions, permits } = await judgeTraces(site, judgement)
  strictEqual(lastOf(ended)?.status?.conditions?.find(({ type }) => type === 'GoalsMet')?.status, 'True', told(ended))
  const steps = ended.flatMap(({ status }) => status?.steps ?? [])
  const landed = landings(ended)
  const surges = ended.flatMap(({ spec }) => spec.moves).filter(({ action }) => action === 'surge')
  // The real scheduler agrees with every landing that was foretold, so that nothing is planned twice.
  strictEqual(landed.length, tables.plan.moves, told(ended))
  deepStrictEqual([...new Set(landed.map(({ landedOn }) => landedOn))], [tables.plan.to])
  strictEqual(evictions.length + surges.length, tables.plan.moves)
  deepStrictEqual(await taints(site.client), [])
  const control = judgement.nodes.get('talos00')?.millicores ?? 0
  const target = judgement.nodes.get('talos03')?.millicores ?? 0
  ok(control * 100 < 70 * 7950, `talos00: ${control} millicores of 7950`)
  ok(target * 100 > 30 * 15_950, `talos03: ${target} millicores of 15950`)
  const shown = await site.kubectl(['get', 'rbpol,rbplan,permit', '-A'])
  // Nothing is isolated here.
  deepStrictEqual(emptyColumns(shown), ['ISOLATION'], shown)
  return [
    `server ${site.plane.serverVersion}`,
    `${landed.length} of ${steps.length} moves landed in ${ended.length} plan(s)`,
    `${evictions.length} evictions`,
    `${permits.length} permits`,
    `${requests.length} requests, no 403`,
    `${judgement.events} pod events, no budget broken`,
    `talos00 ${Math.trunc((100 * control) / 7950)} %, talos03 ${Math.trunc((100 * target) / 15_950)} %`,
  ].join(', ')
}
/** Columns of kubectl's tables in which no row says anything: a definition that points at nothing. */
function emptyColumns(tables: string): readonly string[] {
  return tables
    .split(/\n\s*\n/)
    .filter(table => table.trim() !== '')
    .flatMap(table => {
      const [head = '', ...rows] = table.split('\n').filter(line => line.trim() !== '')
      const columns = Array.from(head.matchAll(/\S+(?: \S+)*/g), ({ 0: name, index }) => ({ name, index }))
      return columns
        .filter(({ index }, at) => rows.every(row => row.slice(index, columns[at + 1]?.index).trim() === ''))
        .map(({ name }) => name)
    })
}
