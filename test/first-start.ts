// The first start of reload, with a hand that does one thing at one of its requests: a source changes, and whoever was starting may die or
// lose its Lease just then.
import type { Transport, TransportRequest, TransportResponse } from '#kube/client/transport.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { ControlledCluster } from './controlled-cluster.ts'
import {
  changeConfigMap,
  changeSecret,
  configMap,
  marksOf,
  reloadCluster,
  rolloutsOf,
  secret,
  workload,
} from './reload-cluster.ts'

export interface FirstStartMoment {
  /** The request of the first start, counted from 1 when the leader has begun to ask for what reload needs. */
  readonly at: number
  readonly when: 'before' | 'after'
  readonly source: 'settings' | 'keys'
  /** What else happens to whoever is starting. */
  readonly fate: 'goes on' | 'is killed' | 'loses its Lease'
  /** What the server does when it is asked for what was: it has forgotten, or fails three times. */
  readonly past?: 'is forgotten' | 'fails'
}

export interface FirstStartEnd {
  /** `false`: the first start did not ask so often. */
  readonly isReached: boolean
  readonly request: string
  /** Where the change came before anybody had said to be there, it is what was found. */
  readonly isOurs: boolean
  readonly rollouts: readonly number[]
  readonly marks: number
  readonly told: readonly string[]
}

const lease = 'ballast-controller'

/** One first start, its trouble, and what has become of two workloads an hour later. */
export async function firstStart({ at, when, source, fate, past }: FirstStartMoment): Promise<FirstStartEnd> {
  let asked = 0
  let request = ''
  let isOurs = false
  let act: () => Promise<void> = async () => undefined
  /** Requests of the first process alone. */
  const counted = async (path: string, send: () => Promise<unknown>) => {
    if (path.includes('/leases') || path.includes('/events')) return await send()
    asked++
    if (asked !== at) return await send()
    request = path
    if (when === 'before') await act()
    const answer = await send()
    if (when === 'after') await act()
    return answer
  }
  let processes = 0
  const between = (inner: Transport): Transport => {
    processes++
    if (processes > 1) return past === undefined ? inner : withPast(inner, past)
    return {
      request: async one =>
        (await counted(`${one.verb} ${one.path}`, () => inner.request(one))) as Awaited<ReturnType<Transport['request']>>,
      stream: async one =>
        (await counted(`${one.verb} ${one.path}`, () => inner.stream(one))) as Awaited<ReturnType<Transport['stream']>>,
      close: () => inner.close(),
    }
  }
  const objects = [
    configMap('settings', { colour: 'red' }),
    secret('keys', { key: 'old' }),
    workload({ name: 'cart', configmaps: ['settings'], secrets: ['keys'] }),
    workload({ name: 'idle', configmaps: ['other'] }),
    configMap('other', { a: '1' }),
  ]
  await using cluster = await reloadCluster(objects, { config: { debounce: '0s' }, between })
  act = async () => {
    isOurs = hasRecord(cluster)
    if (source === 'settings') await changeConfigMap(cluster, 'settings', { colour: 'blue' })
    else await changeSecret(cluster, 'keys', { key: 'new' })
    if (fate === 'is killed') cluster.killController()
    else if (fate === 'loses its Lease')
      await cluster.change(
        builtIn.leases,
        { name: lease, namespace: 'ballast-system' },
        { spec: { holderIdentity: 'another', leaseDurationSeconds: 15 } },
      )
  }
  await cluster.pass(900_000)
  const told = (await cluster.events()).filter(event => event.includes('ReloadChangeUnknown'))
  return {
    isReached: request !== '',
    request,
    isOurs,
    rollouts: [rolloutsOf(cluster, 'cart'), rolloutsOf(cluster, 'idle')],
    marks: Object.keys(marksOf(cluster, 'cart')).length,
    told,
  }
}

/** Every question about the past meets it. */
function withPast(inner: Transport, past: 'is forgotten' | 'fails'): Transport {
  let failures = 0
  const meet = (query: TransportRequest['query'] = {}): TransportResponse | undefined => {
    if (query['resourceVersionMatch'] !== 'Exact') return undefined
    if (past === 'fails' && ++failures > 3) return undefined
    const code = past === 'fails' ? 500 : 410
    const reason = past === 'fails' ? 'InternalError' : 'Expired'
    const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code, reason, message: past }
    return { status: code, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(status)) }
  }
  return {
    request: async one => meet(one.query) ?? (await inner.request(one)),
    stream: async one => {
      const met = meet(one.query)
      if (met === undefined) return await inner.stream(one)
      async function* chunks() {
        yield met?.body ?? Buffer.of()
      }
      return { ...met, chunks: chunks() }
    },
    close: () => inner.close(),
  }
}

/** Somebody has said to be there. */
function hasRecord(cluster: ControlledCluster): boolean {
  return cluster.list('configmaps').some(({ metadata }) => metadata.name.startsWith('ballast-reload-baseline-'))
}
