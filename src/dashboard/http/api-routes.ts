// Everything that is read as JSON, one line a path.
import * as z from 'zod'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { nearestName } from '#kube/values/nearest-name.ts'
import { actionsOf, type Seen } from '../access/viewing-of.ts'
import { capabilityViewOf, noPageText } from '../capability-page.ts'
import type { Me, NodePage, Ref, Versions } from '../contract.ts'
import { contractSchema } from '../contract-names.ts'
import type { Picture } from '../picture.ts'
import { permitCountsOf } from '../views/ledger/permit-counts.ts'
import { isPermitCursor, type PermitQuery, permitPage } from '../views/ledger/permits.ts'
import { imagesViewOf } from '../views/nodes/images.ts'
import { nodePodSorts, nodePodsOf, nodeViewOf } from '../views/nodes/node.ts'
import { nodeColumnsOf, nodeRows } from '../views/nodes/nodes.ts'
import { isNotThere } from '../views/not-there.ts'
import { overviewOf } from '../views/overview.ts'
import { certificateOf } from '../views/plans/certificate.ts'
import { movePage } from '../views/plans/moves.ts'
import { plansOf, planViewOf } from '../views/plans/plan.ts'
import { replayOf } from '../views/replay/replay.ts'
import { searchIn } from '../views/search.ts'
import { settingRows } from '../views/settings.ts'
import { twinViewOf } from '../views/twin.ts'
import { historyPage } from '../views/workloads/history.ts'
import { workloadViewOf } from '../views/workloads/workload.ts'
import { type WorkloadQuery, workloadRows } from '../views/workloads/workload-rows.ts'
import { type Answer, json } from './answer.ts'
import { badValue, flag, momentMs, text, timeOrAge, whole } from './query.ts'
import { type Call, get, getNow, type Route } from './route.ts'
import { notThere, viewedJson, viewedValue } from './viewed.ts'

/** Rows of one answer, where the configuration does not say less. */
const largestLimit = 10_000
const standardRows = 100
const standardHits = 20
const mostHits = 100

const cursor = text.optional()
const limit = whole(1, largestLimit).optional()
/** `NAMESPACE/KIND/NAME`. */
export const workloadName = text.refine(given => given.split('/').length === 3, 'not NAMESPACE/KIND/NAME')

/** The filters of the ledger, the same for page, counts and CSV. */
export const permitShape = {
  since: timeOrAge.optional(),
  until: timeOrAge.optional(),
  decision: z.enum(['granted', 'queued', 'denied', 'no-op', 'coalesced', 'observed', 'dropped']).optional(),
  rule: text.optional(),
  capability: text.optional(),
  workload: workloadName.optional(),
  namespace: text.optional(),
} as const

/** The filters of the table of workloads. */
export const workloadShape = { q: text.optional(), namespace: text.optional(), owner: text.optional() } as const

/** The order and filter of a node's pods. */
export const podShape = {
  sort: z.enum(nodePodSorts).default('cpu'),
  dir: z.enum(['asc', 'desc']).default('desc'),
  q: text.optional(),
} as const

export function permitQueryOf(given: z.output<z.ZodObject<typeof permitShape>>, { nowMs }: Picture): PermitQuery {
  const { since, until, decision, rule, capability, workload, namespace } = given
  return {
    ...(since === undefined ? {} : { sinceMs: momentMs(since, nowMs) }),
    ...(until === undefined ? {} : { untilMs: momentMs(until, nowMs) }),
    ...(decision === undefined ? {} : { decision }),
    ...(rule === undefined ? {} : { rule }),
    ...(capability === undefined ? {} : { capability }),
    ...(workload === undefined ? {} : { workload }),
    ...(namespace === undefined ? {} : { namespace }),
  }
}

type WorkloadFilters = z.output<z.ZodObject<typeof workloadShape>> & { readonly cursor?: string | undefined }

export function workloadQueryOf({ q, namespace, owner, cursor }: WorkloadFilters, limit: number): WorkloadQuery {
  return {
    ...(q === undefined ? {} : { text: q }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(owner === undefined ? {} : { owner }),
    ...(cursor === undefined ? {} : { cursor }),
    limit,
  }
}

/** How many rows: what is asked for, at most what the configuration allows. */
function rowsOf({ services }: Pick<Call<unknown>, 'services'>, asked: string | undefined): number {
  const { rows } = services.configuration.limits
  return Math.min(rows, asked === undefined ? standardRows : Number(asked))
}

export function refOf(params: Readonly<Record<string, string>>): Ref {
  const { namespace = '', kind = '', name = '' } = params
  return { namespace: namespace === '' ? null : namespace, kind, name }
}

export const nodesNeeded = { what: 'nodes', reading: 'nodes' } as const
export const plansNeeded = { what: 'plans', reading: 'plans' } as const
export const permitsNeeded = { what: 'permits', reading: 'permits' } as const
const settingsNeeded = { what: 'settings', reading: 'settings' } as const

export function podsNeeded({ namespace, name }: Ref) {
  return { what: `${namespace === null ? '' : `${namespace}/`}${name}`, ...(namespace === null ? {} : { namespace }) }
}

/** `There is no node talos9. Did you mean talos09?` */
export function noNode(picture: Picture, name: string): string {
  return missingText('node', name, picture.state.nodes.keys())
}

/** `name`: `namespace/name`. */
export function noPod(picture: Picture, name: string): string {
  return missingText('pod', name, picture.state.pods.keys())
}

export function noPlan(picture: Picture, name: string): string {
  return missingText(
    'plan',
    name,
    picture.book.plans.map(plan => plan.metadata.name),
  )
}

/** A plan as a film; who may not list nodes sees what the plan's record has. `undefined`: there is no such plan, or no such pool. */
export function replaySeen(picture: Picture, name: string, pool: string | undefined, { viewing, lacking }: Seen) {
  const plan = picture.book.plans.find(({ metadata }) => metadata.name === name)
  if (plan === undefined) return undefined
  const shown = lacking('nodes') === undefined ? picture : { ...picture, state: buildClusterState([]).state }
  return replayOf(shown, plan, { pool }, viewing)
}

/** Why there is nothing to replay. */
export function noReplay(picture: Picture, name: string, pool: string | undefined): string {
  const isThere = picture.book.plans.some(({ metadata }) => metadata.name === name)
  return isThere ? `Plan ${name} has no pool ${(pool ?? '').slice(0, 253)} to look into.` : noPlan(picture, name)
}

function missingText(what: string, name: string, known: Iterable<string>): string {
  const meant = name.length > 253 ? undefined : nearestName(name, known)
  return `There is no ${what} ${name.slice(0, 253)}.${meant === undefined ? '' : ` Did you mean ${meant}?`}`
}

export const apiRoutes: readonly Route[] = [
  get('/api/v1/overview', {}, call => viewedJson(call, nodesNeeded, viewing => overviewOf(call.picture, viewing))),
  get('/api/v1/nodes', { columns: flag.optional(), cursor, limit }, nodes),
  get('/api/v1/nodes/{name}', {}, call => {
    const { picture, params } = call
    const { name = '' } = params
    return viewedJson(
      call,
      nodesNeeded,
      viewing => nodeViewOf(picture, name, viewing),
      () => noNode(picture, name),
    )
  }),
  get('/api/v1/nodes/{name}/pods', { ...podShape, cursor, limit }, call => {
    const { picture, params, query } = call
    const { name = '' } = params
    const asked = {
      sort: query.sort,
      descending: query.dir === 'desc',
      cursor: query.cursor ?? null,
      limit: rowsOf(call, query.limit),
      query: query.q ?? '',
    }
    return viewedJson(
      call,
      nodesNeeded,
      viewing => nodePodsOf(picture, name, asked, viewing),
      () => noNode(picture, name),
    )
  }),
  get('/api/v1/plans', {}, call => viewedJson(call, plansNeeded, () => plansOf(call.picture))),
  get('/api/v1/plans/{name}', {}, call => {
    const { picture, params } = call
    const { name = '' } = params
    return viewedJson(
      call,
      plansNeeded,
      viewing => planViewOf(picture, name, viewing),
      () => noPlan(picture, name),
    )
  }),
  get('/api/v1/plans/{name}/moves', { cursor, limit }, call => {
    const { picture, query } = call
    const { name = '' } = call.params
    const plan = picture.book.plans.find(one => one.metadata.name === name)
    return viewedJson(
      call,
      plansNeeded,
      () => (plan === undefined ? undefined : movePage(picture, plan, query.cursor, rowsOf(call, query.limit))),
      () => noPlan(picture, name),
    )
  }),
  get('/api/v1/plans/{name}/moves/{id}/certificate', {}, call => {
    const { picture } = call
    const { name = '', id = '' } = call.params
    const plan = picture.book.plans.find(one => one.metadata.name === name)
    return viewedJson(
      call,
      plansNeeded,
      () => (plan === undefined ? undefined : certificateOf(picture, plan, id)),
      () => (plan === undefined ? noPlan(picture, name) : `Plan ${name} has no move ${id.slice(0, 253)}.`),
    )
  }),
  get('/api/v1/plans/{name}/replay', { pool: text.optional() }, call => {
    const { params, query } = call
    const { name = '' } = params
    return viewedJson(
      call,
      plansNeeded,
      (_, seen) => replaySeen(call.picture, name, query.pool, seen),
      () => noReplay(call.picture, name, query.pool),
    )
  }),
  get('/api/v1/permits', { ...permitShape, cursor, limit }, call => {
    const { picture, query } = call
    if (query.cursor !== undefined && !isPermitCursor(query.cursor))
      return badValue('cursor', query.cursor.slice(0, 80), 'the next of an earlier answer')
    const asked = { ...permitQueryOf(query, picture), limit: rowsOf(call, query.limit) }
    const paged = query.cursor === undefined ? asked : { ...asked, cursor: query.cursor }
    return viewedJson(call, permitsNeeded, viewing => permitPage(picture, paged, viewing))
  }),
  get('/api/v1/permits/counts', permitShape, call =>
    viewedJson(call, permitsNeeded, viewing => permitCountsOf(call.picture, permitQueryOf(call.query, call.picture), viewing)),
  ),
  get('/api/v1/workloads', { ...workloadShape, cursor, limit }, call => {
    const { picture, query } = call
    const asked = workloadQueryOf(query, rowsOf(call, query.limit))
    return viewedJson(call, undefined, viewing => workloadRows(picture, asked, viewing))
  }),
  get('/api/v1/workloads/{namespace}/{kind}/{name}', {}, async call => {
    const ref = refOf(call.params)
    const picture = await preparedPicture(call)
    const viewed = await viewedValue({ ...call, picture }, podsNeeded(ref), viewing => workloadViewOf(picture, ref, viewing))
    if (!viewed.ok) return viewed.answer
    return isNotThere(viewed.value) ? notThere(viewed.value.sentence.text, viewed.value.sentence.links) : json(viewed.value)
  }),
  get('/api/v1/workloads/{namespace}/{kind}/{name}/history', { cursor, limit }, async call => {
    const ref = refOf(call.params)
    const { query } = call
    const page = { ...(query.cursor === undefined ? {} : { cursor: query.cursor }), limit: rowsOf(call, query.limit) }
    const viewed = await viewedValue(call, podsNeeded(ref), () => historyPage(call.picture, ref, page))
    if (!viewed.ok) return viewed.answer
    return isNotThere(viewed.value) ? notThere(viewed.value.sentence.text, viewed.value.sentence.links) : json(viewed.value)
  }),
  get('/api/v1/search', { q: z.string().max(256), limit: whole(1, mostHits).optional() }, call => {
    const { q, limit: asked } = call.query
    const limit = Number(asked ?? standardHits)
    return viewedJson(call, undefined, (viewing, seen) =>
      searchIn(call.picture, q, limit, {
        sees: namespace => viewing.sees(namespace),
        reads: reading => seen.lacking(reading) === undefined,
      }),
    )
  }),
  get('/api/v1/images', {}, call => viewedJson(call, nodesNeeded, viewing => imagesViewOf(call.picture, viewing))),
  get('/api/v1/pages/{name}', {}, call => {
    const { name = '' } = call.params
    return viewedJson(
      call,
      nodesNeeded,
      viewing => capabilityViewOf(call.picture, name, viewing),
      () => noPageText(name),
    )
  }),
  get('/api/v1/twin', {}, call =>
    viewedJson(
      call,
      undefined,
      viewing => twinViewOf(call.picture, viewing),
      () => 'This is no twin: its clock cannot be set.',
    ),
  ),
  get('/api/v1/me', {}, me),
  get('/api/v1/settings', {}, call => viewedJson(call, settingsNeeded, () => settingRows(call.picture, call.services.settings))),
  getNow('/api/v1/version', {}, ({ services }) => {
    const versions: Versions = { ballast: services.version, schema: contractSchema, bundle: services.bundle.state }
    return json(versions)
  }),
]

/** With what is needed to say where pods may go; of an earlier moment as it is. */
async function preparedPicture({ services: { source }, picture }: Call<unknown>): Promise<Picture> {
  if (picture.past !== undefined || source.prepare === undefined) return picture
  await source.prepare()
  return { ...picture, placed: source.current().placed }
}

async function nodes(
  call: Call<{ columns?: string | undefined; cursor?: string | undefined; limit?: string | undefined }>,
): Promise<Answer> {
  const { picture, query } = call
  const { cursor: after = '' } = query
  return viewedJson(call, nodesNeeded, () => {
    const rows = nodeRows(picture)
    if (query.columns === '1') return nodeColumnsOf(rows)
    const rest = after === '' ? rows : rows.filter(row => row.name > after)
    const shown = rest.slice(0, rowsOf(call, query.limit))
    const page: NodePage = {
      nodes: shown,
      total: rows.length,
      next: shown.length < rest.length ? (shown.at(-1)?.name ?? null) : null,
    }
    return page
  })
}

async function me(call: Call<unknown>): Promise<Answer> {
  const { viewer, picture } = call
  return viewedJson(call, undefined, (viewing): Me => {
    const can = actionsOf(picture.mode).map(action => [action, viewing.can(action)] as const)
    return { name: viewer.name, groups: viewer.groups, can: Object.fromEntries(can) }
  })
}
