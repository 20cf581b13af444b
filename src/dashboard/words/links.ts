// Paths of pages and of the API below the base path: the only place that knows them. Each begins with a slash.
import type { Ref } from '../contract.ts'

/** Pages that take no name. */
export const pagePaths = {
  overview: '/',
  plans: '/plan',
  permits: '/permits',
  workloads: '/workloads',
  images: '/images',
  rebalancing: '/rebalancing',
  twin: '/twin',
  settings: '/settings',
  help: '/help',
} as const

type Query = Readonly<Record<string, string | number | null | undefined>>

/** `/node/talos00`. */
export function nodePath(name: string): string {
  return `/node/${segment(name)}`
}

/** `/plan/talos-7f3c`. */
export function planPath(name: string): string {
  return `/plan/${segment(name)}`
}

/** `/plan/talos-7f3c/replay`; of one pool `?pool=blue`. */
export function replayPath(plan: string, pool: string | null = null): string {
  return withQuery(`${planPath(plan)}/replay`, { pool })
}

/** `/workload/media/Deployment/sonarr`; of a bare pod `/pod/media/sonarr`. */
export function workloadPath({ kind, namespace, name }: Ref): string {
  if (kind === 'Pod') return podPath(namespace ?? 'default', name)
  return `/workload/${segment(namespace ?? '')}/${segment(kind)}/${segment(name)}`
}

/** `/pod/media/sonarr-0`. */
export function podPath(namespace: string, name: string): string {
  return `/pod/${segment(namespace)}/${segment(name)}`
}

/** `/permits?rule=KedaManaged`: keys of 2.3; what is null or left out is not in it. */
export function permitsPath(query: Query = {}): string {
  return withQuery('/permits', query)
}

/** The permits of evictions that strategies asked for; `null`: in all namespaces. */
export function evictionPermitsPath(namespace: string | null): string {
  return permitsPath({ capability: 'deschedule', namespace })
}

/** `/rebalancing?span=days&nodes=talos00%2Ctalos03&plan=talos-7f3c`: what is null or left out is what the page shows by itself. */
export function rebalancingPath(query: Query = {}): string {
  return withQuery(pagePaths.rebalancing, query)
}

/** `/help#goals`. */
export function helpPath(topic: string): string {
  return `/help#${segment(topic)}`
}

/** Where the page of anything lies that has one. */
export function refPath(ref: Ref): string {
  if (ref.kind === 'Node') return nodePath(ref.name)
  if (ref.kind === 'RebalancePlan') return planPath(ref.name)
  return workloadPath(ref)
}

/** Address of a topic of the stream, or of any path of the API: `/api/v1/nodes/talos00/pods?limit=50`. */
export function apiPath(segments: readonly string[], query: Query = {}): string {
  return withQuery(`/api/v1/${segments.map(segment).join('/')}`, query)
}

/** Actions have a slash in their name: `/api/v1/actions/twin/speed`. */
export function actionPath(action: string): string {
  return `/api/v1/actions/${action.split('/').map(segment).join('/')}`
}

/** The same page in the past: `?at=` and whatever filters it had. */
export function momentPath(path: string, at: string): string {
  const [place = '/', query = ''] = path.split('?')
  const parameters = new URLSearchParams(query)
  parameters.set('at', at)
  return `${place}?${parameters}`
}

function withQuery(path: string, query: Query): string {
  const parameters = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) if (value !== null && value !== undefined) parameters.set(key, String(value))
  return parameters.size === 0 ? path : `${path}?${parameters}`
}

/** A name as one segment of a path: a dot alone would be taken for a folder. */
function segment(name: string): string {
  return name === '.' || name === '..' ? name.replaceAll('.', '%2E') : encodeURIComponent(name.toWellFormed())
}
