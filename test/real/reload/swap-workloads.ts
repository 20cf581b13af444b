// Workloads of every way to opt in and of some that do not, with the one source that reloads each, and what it is marked with.
import type { ApiObject } from '../control-plane/api-client.ts'
import type { SourceName, SourceSpec } from './scenario.ts'
import { optedIn } from './workloads.ts'

const namespace = 'shop'
const annotation = (key: string, value: string) => ({
  [`${key}reloader.stakater.com/${value.split('=')[0]}`]: value.split('=')[1] ?? '',
})

const source = (type: 'configmap' | 'secret', name: string): SourceSpec => ({ type, namespace, name, data: { value: 'v1' } })

export const shopSources = {
  db: source('secret', 'db'),
  token: source('secret', 'token'),
  matched: source('secret', 'matched'),
  cloudflare: source('secret', 'cloudflare'),
  webDb: source('secret', 'web-db'),
  settings: source('configmap', 'settings'),
} as const satisfies Readonly<Record<string, SourceSpec>>

export interface ShopWorkload {
  readonly object: ApiObject
  /** The only source whose change rolls it out. */
  readonly reloadedBy: SourceName | undefined
}

interface Parts {
  readonly kind?: 'Deployment' | 'StatefulSet' | 'DaemonSet'
  readonly annotations?: Readonly<Record<string, string>>
  readonly podAnnotations?: Readonly<Record<string, string>>
  readonly container?: object
  readonly pod?: object
}

function made(name: string, parts: Parts, reloadedBy: SourceName | undefined): ShopWorkload {
  const { kind = 'Deployment', annotations = {}, podAnnotations, container = {}, pod = {} } = parts
  const template = {
    metadata: { labels: { app: name }, ...(podAnnotations === undefined ? {} : { annotations: podAnnotations }) },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'app', image: 'registry.example/app:1', ...container }],
      ...pod,
    },
  }
  const selector = { matchLabels: { app: name } }
  const specs = {
    Deployment: { replicas: 1, selector, template },
    StatefulSet: { replicas: 1, serviceName: name, selector, template },
    DaemonSet: { selector, template },
  }
  return { object: { apiVersion: 'apps/v1', kind, metadata: { name, namespace, annotations }, spec: specs[kind] }, reloadedBy }
}

const all = ({ type, name }: SourceName) => ({
  envFrom: [type === 'secret' ? { secretRef: { name } } : { configMapRef: { name } }],
})
const { db, token, matched, cloudflare, webDb, settings } = shopSources

export const shopWorkloads: readonly ShopWorkload[] = [
  made('auto', { annotations: optedIn, container: all(db) }, db),
  made(
    'secret-auto',
    {
      kind: 'StatefulSet',
      annotations: annotation('secret.', 'auto=true'),
      container: { env: [{ name: 'VALUE', valueFrom: { secretKeyRef: { name: db.name, key: 'value' } } }] },
    },
    db,
  ),
  made(
    'configmap-auto',
    {
      kind: 'DaemonSet',
      annotations: annotation('configmap.', 'auto=true'),
      container: { volumeMounts: [{ name: 'config', mountPath: '/etc/config' }] },
      pod: { volumes: [{ name: 'config', configMap: { name: settings.name } }] },
    },
    settings,
  ),
  made('named', { annotations: annotation('secret.', 'reload=other, token') }, token),
  made('by-pattern', { annotations: annotation('configmap.', 'reload=sett.*') }, settings),
  made('searching', { annotations: annotation('', 'search=true'), container: all(matched) }, matched),
  made(
    'on-template',
    {
      podAnnotations: { ...optedIn },
      container: { volumeMounts: [{ name: 'config', mountPath: '/etc/config' }] },
      pod: { volumes: [{ name: 'config', projected: { sources: [{ configMap: { name: settings.name } }] } }] },
    },
    settings,
  ),
  made(
    'only-init',
    { annotations: optedIn, pod: { initContainers: [{ name: 'init', image: 'registry.example/app:1', ...all(token) }] } },
    token,
  ),
  // As the media homelab has it, and the web shop whose Secret is written again with equal data.
  made('external-dns', { annotations: optedIn, container: all(cloudflare) }, cloudflare),
  made('web', { annotations: optedIn, container: all(webDb) }, webDb),
  made(
    'excluded',
    { annotations: { ...optedIn, ...annotation('secrets.exclude.', 'reload=db') }, container: all(db) },
    undefined,
  ),
  made('plain', { container: all(db) }, undefined),
]

/** Annotations of the sources themselves. */
export const sourceAnnotations: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  matched: annotation('', 'match=true'),
}
