// A twin with many ConfigMaps and Secrets in a process of its own, without controllers: what reload reads of it is counted.
// Started by `reload-many-sources.ts`, told what to hold as JSON.
import { writeFileSync } from 'node:fs'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { startTwin } from '#twin/twin.ts'
import { requestResource } from '../test/real/reload/request-resource.ts'

export interface SourcesSize {
  readonly secrets: number
  readonly configmaps: number
  /** Bytes of JSON of each, about. */
  readonly bytes: number
  /** So many of them are used, by one Deployment each. */
  readonly used: number
  readonly kubeconfig: string
}

/** Requests so far, by verb and resource; watches, and what is not there, apart. */
export type Counts = Readonly<Record<string, number>>

const namespaces = 50
const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789'

function* objectsOf({ secrets, configmaps, bytes, used }: SourcesSize): Generator<KubeObject> {
  const random = seededRandom(1)
  const noise = Array.from({ length: bytes }, () => alphabet[Math.floor(random() * alphabet.length)]).join('')
  for (const name of ['ballast-system', ...Array.from({ length: namespaces }, (_, at) => `team-${at}`)])
    yield { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
  for (let at = 0; at < secrets + configmaps; at++) {
    // Each has another text of the same length.
    const text = `${at}x${noise.slice(at % 1_000)}`.slice(0, bytes)
    const isSecret = at < secrets
    const value = isSecret ? text.slice(0, text.length - (text.length % 4)) : text
    const metadata = { name: `source-${at}`, namespace: namespaceOf(at), annotations: { 'example.com/owner': 'team' } }
    yield { apiVersion: 'v1', kind: isSecret ? 'Secret' : 'ConfigMap', metadata, data: { key: value } }
  }
  const every = Math.max(1, Math.floor((secrets + configmaps) / used))
  for (let at = 0; at < used; at++) yield userOf(at * every, at * every < secrets)
}

const namespaceOf = (at: number) => `team-${at % namespaces}`

function userOf(at: number, isSecret: boolean): KubeObject {
  const reference = { name: `source-${at}` }
  const envFrom = [isSecret ? { secretRef: reference } : { configMapRef: reference }]
  const name = `web-${at}`
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: namespaceOf(at), annotations: { 'reloader.stakater.com/auto': 'true' } },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'app', image: 'registry.example/app:1', envFrom }] },
      },
    },
  }
}

async function main(size: SourcesSize): Promise<void> {
  const counts = new Map<string, number>()
  const twin = await startTwin({
    clock: systemClock,
    objects: [...objectsOf(size)],
    listen: { port: 0 },
    components: false,
    onExchange: ({ method, path, query }, { status }) => {
      const isWatch = ['1', 'true'].includes(query.get('watch') ?? '')
      const asked = `${method} ${requestResource(path)}`
      const what = isWatch ? 'watch' : status === 404 ? 'absent' : asked
      counts.set(what, (counts.get(what) ?? 0) + 1)
    },
  })
  writeFileSync(size.kubeconfig, await twin.kubeconfig(), { mode: 0o600 })
  process.on('message', () => process.send?.(Object.fromEntries(counts)))
  process.on('disconnect', () => process.exit(0))
  process.send?.('ready')
}

if (import.meta.main) await main(JSON.parse(process.argv[2] ?? '{}') as SourcesSize)
