// Tables as CSV: the same filters as on the page, exact amounts with their unit in the header.
import type * as z from 'zod'
import type { Permit, Ref } from '../contract.ts'
import { permitPage } from '../views/ledger/permits.ts'
import { nodePodsOf } from '../views/nodes/node.ts'
import { nodeRows } from '../views/nodes/nodes.ts'
import { isNotThere } from '../views/not-there.ts'
import { goalRows } from '../views/plans/goals.ts'
import { movesOf } from '../views/plans/moves.ts'
import { plansOf, planViewOf } from '../views/plans/plan.ts'
import { historyPage } from '../views/workloads/history.ts'
import { workloadRows } from '../views/workloads/workload-rows.ts'
import type { CsvCell } from '../words/csv.ts'
import { cpuExact, memoryExact } from '../words/quantity.ts'
import type { WholeAnswer } from './answer.ts'
import {
  nodesNeeded,
  noNode,
  noPlan,
  permitQueryOf,
  permitShape,
  permitsNeeded,
  plansNeeded,
  podShape,
  podsNeeded,
  refOf,
  workloadName,
  workloadQueryOf,
  workloadShape,
} from './api-routes.ts'
import { type CsvTable, csvFile, csvTable } from './csv-table.ts'
import { allRows, mostExported } from './export-pages.ts'
import { text } from './query.ts'
import { type Call, get, type Route } from './route.ts'
import { notThere, viewedValue } from './viewed.ts'

const pageRows = 500

export const exportRoutes: readonly Route[] = [
  get('/api/v1/export/nodes.csv', {}, call =>
    csvTable(call, 'nodes', nodesNeeded, () => ({
      header: [
        ...['node', 'role', 'ready', 'cordoned', 'draining', 'zone'],
        ...['cpu allocatable (Kubernetes quantity)', 'cpu requested (Kubernetes quantity)', 'cpu used (Kubernetes quantity)'],
        ...[
          'memory allocatable (Kubernetes quantity)',
          'memory requested (Kubernetes quantity)',
          'memory used (Kubernetes quantity)',
        ],
        ...['used at', 'pods', 'pods allocatable', 'power (mW)', 'goals', 'taints'],
      ],
      rows: nodeRows(call.picture).map(row => [
        ...[row.name, row.role, row.ready, row.cordoned, row.draining, row.zone],
        ...[cpu(row.cpu.allocatable), cpu(row.cpu.requested), cpu(row.cpu.used)],
        ...[memory(row.memory.allocatable), memory(row.memory.requested), memory(row.memory.used)],
        ...[row.cpu.usedAt, row.pods.count, row.pods.allocatable, row.watts.now, row.goals.join(' '), row.taints.join(' ')],
      ]),
    })),
  ),
  get('/api/v1/export/goals.csv', {}, call =>
    csvTable(call, 'goals', nodesNeeded, () => ({
      header: [
        'goal',
        'nodes',
        'resource',
        'of',
        'min (%)',
        'max (%)',
        'now (%)',
        'after the plan (%)',
        'met',
        'hard',
        'because',
      ],
      rows: goalRows(call.picture).map(goal => [
        ...[goal.name, goal.nodes.join(' '), goal.resource, goal.stat, goal.min, goal.max],
        ...[goal.now, goal.after, goal.met, goal.hard, goal.because.text],
      ]),
    })),
  ),
  get('/api/v1/export/pods.csv', { node: text, ...podShape }, call => {
    const { picture, query } = call
    const asked = { sort: query.sort, descending: query.dir === 'desc', query: query.q ?? '', limit: mostExported, cursor: null }
    return csvTable(call, `pods-${query.node}`, nodesNeeded, viewing => {
      const page = nodePodsOf(picture, query.node, asked, viewing)
      if (page === undefined) return noNode(picture, query.node)
      return {
        header: [
          ...['namespace', 'pod', 'workload kind', 'workload', 'cpu requested (Kubernetes quantity)'],
          ...['cpu used (Kubernetes quantity)', 'memory requested (Kubernetes quantity)', 'memory used (Kubernetes quantity)'],
          ...['movable', 'because'],
        ],
        rows: page.pods.map(pod => [
          ...[pod.ref.namespace, pod.ref.name, pod.workload?.kind ?? null, pod.workload?.name ?? null],
          ...[cpu(pod.cpu.requested), cpu(pod.cpu.used), memory(pod.memory.requested), memory(pod.memory.used)],
          ...[pod.movable, pod.because.text],
        ]),
      }
    })
  }),
  get('/api/v1/export/plans.csv', {}, call =>
    csvTable(call, 'plans', plansNeeded, () => ({
      header: ['plan', 'policy', 'phase', 'created', 'expires', 'moves', 'lower bound', 'done', 'failed', 'goals met', 'proven'],
      rows: plansOf(call.picture).map(plan => [
        ...[plan.name, plan.policy, plan.phase, plan.createdAt, plan.expiresAt, plan.moves, plan.lowerBound],
        ...[plan.done, plan.failed, plan.goalsMet, plan.proven],
      ]),
    })),
  ),
  get('/api/v1/export/moves.csv', { plan: text }, call =>
    csvTable(call, `moves-${call.query.plan}`, plansNeeded, () => {
      const plan = call.picture.book.plans.find(one => one.metadata.name === call.query.plan)
      if (plan === undefined) return noPlan(call.picture, call.query.plan)
      return {
        header: [
          ...['move', 'wave', 'namespace', 'workload kind', 'workload', 'pod', 'from', 'to', 'landed on', 'action', 'state'],
          ...['took (ms)', 'cpu (Kubernetes quantity)', 'memory (Kubernetes quantity)', 'volume bound', 'because'],
        ],
        rows: movesOf(call.picture, plan).map(move => [
          ...[move.id, move.wave, move.pod.namespace, move.workload.kind, move.workload.name, move.pod.name, move.from, move.to],
          ...[
            move.landedOn,
            move.action,
            move.state,
            move.ms,
            cpu(move.cpu),
            memory(move.memory),
            move.volumeBound,
            move.because.text,
          ],
        ]),
      }
    }),
  ),
  get('/api/v1/export/flows.csv', { plan: text }, call =>
    planTable(call, 'flows', ({ flows }) => ({
      header: ['from', 'to', 'pods', 'done', 'cpu (Kubernetes quantity)', 'memory (Kubernetes quantity)'],
      rows: flows.map(flow => [flow.from, flow.to, flow.pods, flow.done, cpu(flow.cpu), memory(flow.memory)]),
    })),
  ),
  get('/api/v1/export/unmovable.csv', { plan: text }, call =>
    planTable(call, 'unmovable', ({ unmovable }) => ({
      header: ['reason', 'pods', 'because', 'remedy', 'workloads'],
      rows: unmovable.map(one => [
        one.reason,
        one.count,
        one.because.text,
        one.remedy?.text ?? null,
        one.workloads.map(nameOf).join(' '),
      ]),
    })),
  ),
  get('/api/v1/export/permits.csv', permitShape, call =>
    permits(call, { ...permitQueryOf(call.query, call.picture), limit: pageRows }),
  ),
  get('/api/v1/export/workloads.csv', workloadShape, workloads),
  get('/api/v1/export/history.csv', { workload: workloadName }, history),
]

function nameOf({ namespace, name }: Ref): string {
  return namespace === null ? name : `${namespace}/${name}`
}

/** Unknown is an empty cell. */
function cpu(millicores: number | null): string | null {
  return millicores === null ? null : cpuExact(millicores)
}

function memory(bytes: number | null): string | null {
  return bytes === null ? null : memoryExact(bytes)
}

function planTable(
  call: Call<{ readonly plan: string }>,
  name: string,
  view: (plan: NonNullable<ReturnType<typeof planViewOf>>) => CsvTable,
): Promise<WholeAnswer> {
  const { picture, query } = call
  return csvTable(call, `${name}-${query.plan}`, plansNeeded, viewing => {
    const plan = planViewOf(picture, query.plan, viewing)
    return plan === undefined ? noPlan(picture, query.plan) : view(plan)
  })
}

async function permits(call: Call<unknown>, query: Parameters<typeof permitPage>[1]): Promise<WholeAnswer> {
  const all = await allRows(call.services.clock, async cursor => {
    const asked = cursor === undefined ? query : { ...query, cursor }
    const viewed = await viewedValue(call, permitsNeeded, viewing => permitPage(call.picture, asked, viewing))
    if (!viewed.ok) return { ok: false, refused: viewed.answer }
    return { ok: true, page: { rows: viewed.value.permits, next: viewed.value.next } }
  })
  if (!all.ok) return all.refused
  return csvFile('permits', {
    header: [
      ...['time', 'decision', 'who asks', 'verb', 'class', 'namespace', 'kind', 'name', 'rule', 'because', 'remedy'],
      ...['try again at', 'waited (ms)', 'released at', 'outcome', 'would be', 'merged into', 'permit'],
    ],
    rows: all.rows.map(permitRow),
  })
}

async function workloads(call: Call<z.output<z.ZodObject<typeof workloadShape>>>): Promise<WholeAnswer> {
  const all = await allRows(call.services.clock, async cursor => {
    const asked = workloadQueryOf({ ...call.query, cursor }, pageRows)
    const viewed = await viewedValue(call, undefined, viewing => workloadRows(call.picture, asked, viewing))
    if (!viewed.ok) return { ok: false, refused: viewed.answer }
    return { ok: true, page: { rows: viewed.value.workloads, next: viewed.value.next } }
  })
  if (!all.ok) return all.refused
  return csvFile('workloads', {
    header: [
      ...['namespace', 'kind', 'name', 'pods', 'ready', 'owner'],
      ...['cpu requested (Kubernetes quantity)', 'memory requested (Kubernetes quantity)', 'nodes'],
    ],
    rows: all.rows.map(row => [
      ...[row.ref.namespace, row.ref.kind, row.ref.name, row.pods, row.ready, row.owner],
      ...[cpu(row.cpu), memory(row.memory), row.nodes.join(' ')],
    ]),
  })
}

async function history(call: Call<{ readonly workload: string }>): Promise<WholeAnswer> {
  const [namespace = '', kind = '', name = ''] = call.query.workload.split('/')
  const ref = refOf({ namespace, kind, name })
  const all = await allRows(call.services.clock, async cursor => {
    const asked = { limit: pageRows, ...(cursor === undefined ? {} : { cursor }) }
    const viewed = await viewedValue(call, podsNeeded(ref), () => historyPage(call.picture, ref, asked))
    if (!viewed.ok) return { ok: false, refused: viewed.answer }
    if (isNotThere(viewed.value)) return { ok: false, refused: notThere(viewed.value.sentence.text) }
    return { ok: true, page: { rows: viewed.value.history, next: viewed.value.next } }
  })
  if (!all.ok) return all.refused
  return csvFile(`history-${name}`, {
    header: ['time', 'who', 'what', 'permit'],
    rows: all.rows.map(row => [row.at, row.who, row.sentence.text, row.permit]),
  })
}

function permitRow(permit: Permit): readonly CsvCell[] {
  const { target, wouldBe } = permit
  return [
    ...[permit.at, permit.decision, permit.capability, permit.verb, permit.class, target.namespace, target.kind, target.name],
    ...[permit.rule, permit.because.text, permit.remedy?.text ?? null, permit.retryAt],
    ...[permit.waitedMs, permit.releasedAt, permit.outcome],
    ...[wouldBe === null ? null : `${wouldBe.decision}: ${wouldBe.rule}`, permit.into, permit.id],
  ]
}
