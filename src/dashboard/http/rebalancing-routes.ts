// Rebalancing over time as JSON and as CSV, and what of its page stands in the address.

import * as z from 'zod'
import type { Seen } from '../access/viewing-of.ts'
import type { MoveOutcome } from '../contract.ts'
import { utilisationSpanNames } from '../contract-names.ts'
import { utilisationOf } from '../views/nodes/utilisation.ts'
import { evictionRow, evictionsOf } from '../views/plans/evictions.ts'
import { planOutcomeOf } from '../views/plans/landings.ts'
import { moveOutcomes } from '../views/plans/plan-against.ts'
import { newestFirst } from '../views/plans/plan-at-hand.ts'
import { type RebalancingQuery, rebalancingViewOf } from '../views/plans/rebalancing.ts'
import type { Sees } from '../views/viewing.ts'
import type { CsvCell } from '../words/csv.ts'
import { rfc3339 } from '../words/time.ts'
import type { WholeAnswer } from './answer.ts'
import { nodesNeeded, noNode, noPlan, permitsNeeded, plansNeeded } from './api-routes.ts'
import { csvFile, csvTable } from './csv-table.ts'
import { allRows } from './export-pages.ts'
import { text } from './query.ts'
import { type Call, get, type Route } from './route.ts'
import { notThere, viewedJson, viewedValue } from './viewed.ts'

const span = z.enum(utilisationSpanNames)
/** Names with commas between. */
const names = text.refine(given => namesIn(given).length > 0, 'not names with commas between')

const shape = { span: span.optional(), nodes: names.optional(), plan: text.optional() } as const

/** What the query of the page asks for; what is no such thing is as if it was not said. */
export function pageQueryOf(given: URLSearchParams): RebalancingQuery {
  const asked = span.safeParse(given.get('span') ?? undefined)
  const nodes = names.safeParse(given.get('nodes') ?? undefined)
  const plan = text.safeParse(given.get('plan') ?? undefined)
  return {
    span: asked.success ? asked.data : 'hour',
    nodes: nodes.success ? namesIn(nodes.data) : [],
    plan: plan.success ? plan.data : undefined,
  }
}

/** The part of the books that the viewer may see. */
export function seesOf({ viewing, lacking }: Pick<Seen, 'viewing' | 'lacking'>): Sees {
  return { viewing, plans: lacking('plans') === undefined, permits: lacking('permits') === undefined }
}

function namesIn(given: string): readonly string[] {
  return given
    .split(',')
    .map(name => name.trim())
    .filter(name => name !== '')
}

export const rebalancingRoutes: readonly Route[] = [
  get('/api/v1/rebalancing', shape, call => {
    const { picture, query } = call
    const { span: asked = 'hour', nodes, plan } = query
    return viewedJson(
      call,
      nodesNeeded,
      (_, seen) => rebalancingViewOf(picture, { span: asked, nodes: namesIn(nodes ?? ''), plan }, seesOf(seen)),
      () => noPlan(picture, plan ?? ''),
    )
  }),
  get('/api/v1/nodes/{name}/utilisation', { span: span.optional() }, call => {
    const { picture, params, query } = call
    const { name = '' } = params
    return viewedJson(
      call,
      nodesNeeded,
      (_, seen) => {
        const asked = { span: query.span ?? 'hour', nodes: [name], plan: undefined }
        return picture.state.nodes.has(name) ? utilisationOf(picture, asked, seesOf(seen)) : undefined
      },
      () => noNode(picture, name),
    )
  }),
  get('/api/v1/export/utilisation.csv', { span: span.optional(), nodes: names.optional() }, call => {
    const { picture, query } = call
    return csvTable(call, 'utilisation', nodesNeeded, (_, seen) => {
      const asked = { span: query.span ?? 'hour', nodes: namesIn(query.nodes ?? ''), plan: undefined }
      const { from, stepMs, steps, nodes } = utilisationOf(picture, asked, seesOf(seen))
      const percent = (thousandths: number | null | undefined) => (thousandths == null ? null : thousandths / 10)
      return {
        header: ['node', 'time', 'cpu requested (%)', 'cpu used (%)', 'memory requested (%)', 'memory used (%)'],
        rows: nodes.flatMap(({ node, cpu, memory }) =>
          Array.from({ length: steps }, (_, step) => [
            ...[node, rfc3339(Date.parse(from) + step * stepMs)],
            ...[percent(cpu.requested[step]), percent(cpu.used[step])],
            ...[percent(memory.requested[step]), percent(memory.used[step])],
          ]),
        ),
      }
    })
  }),
  get('/api/v1/export/landings.csv', { plan: text.optional() }, landings),
  get('/api/v1/export/outcomes.csv', {}, call =>
    csvTable(call, 'outcomes', plansNeeded, () => ({
      header: [
        ...['plan', 'policy', 'phase', 'landings are', 'started', 'finished', 'moves', 'as meant', 'elsewhere', 'back'],
        ...['no node', 'not held', 'failed', 'left out', 'hit rate (%)'],
      ],
      rows: newestFirst(call.picture)
        .map(planOutcomeOf)
        .map(({ counts, ...plan }) => [
          ...[plan.name, plan.policy, plan.phase, plan.landing, plan.startedAt, plan.finishedAt, plan.moves],
          ...[counts.expected, counts.other, counts.back, counts.pending, counts.unheld, plan.failed, plan.skipped],
          plan.rate === null ? null : plan.rate / 10,
        ]),
    })),
  ),
  get('/api/v1/export/evictions.csv', {}, call =>
    csvTable(call, 'evictions', permitsNeeded, viewing => ({
      header: ['time', 'namespace', 'pod', 'node', 'strategy', 'result', 'because', 'permit'],
      rows: evictionsOf(call.picture).map(eviction => {
        const { at, pod, node, strategy, result, because, permit } = evictionRow(eviction, viewing)
        return [at, pod?.namespace ?? null, pod?.name ?? null, node, strategy, result, because, permit]
      }),
    })),
  ),
]

/** Plan by plan: each may have a thousand moves. */
async function landings(call: Call<{ readonly plan?: string | undefined }>): Promise<WholeAnswer> {
  const { picture, query, services } = call
  const plans = newestFirst(picture).filter(({ metadata }) => query.plan === undefined || metadata.name === query.plan)
  if (query.plan !== undefined && plans.length === 0) return notThere(noPlan(picture, query.plan))
  const all = await allRows(services.clock, async (cursor = '0') => {
    const at = Number(cursor)
    const plan = plans[at]
    const viewed = await viewedValue(call, plansNeeded, (_, seen) =>
      plan === undefined ? [] : moveOutcomes(picture, plan, seesOf(seen)).map(move => landingRow(plan.metadata.name, move)),
    )
    if (!viewed.ok) return { ok: false, refused: viewed.answer }
    return { ok: true, page: { rows: viewed.value, next: at + 1 < plans.length ? String(at + 1) : null } }
  })
  if (!all.ok) return all.refused
  return csvFile(`landings${query.plan === undefined ? '' : `-${query.plan}`}`, {
    header: [
      ...['plan', 'move', 'namespace', 'workload kind', 'workload', 'pod', 'from', 'meant', 'landed on', 'result', 'at'],
      ...['took (ms)', 'permit', 'because'],
    ],
    rows: all.rows,
  })
}

function landingRow(plan: string, move: MoveOutcome): readonly CsvCell[] {
  const { id, pod, workload, from, meant, landedOn, result, at, ms, permit, because } = move
  return [
    ...[plan, id, pod.namespace, workload.kind, workload.name, pod.name, from, meant.join(' '), landedOn, result, at],
    ...[ms, permit, because?.text ?? null],
  ]
}
