// Plays the scenarios and tells what came of them: objects, autoscalers, replicas, events, without what differs from moment to moment.
import { setTimeout as pause } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type KedaScenario, kedaScenarios } from '../../keda-scenarios.ts'
import type { ApiClient } from '../control-plane/api-client.ts'
import type { KedaSite, ToldEvent } from './site.ts'

const namespace = 'default'
export const scaledObjectsPath = `/apis/keda.sh/v1alpha1/namespaces/${namespace}/scaledobjects`
const autoscalersPath = `/apis/autoscaling/v2/namespaces/${namespace}/horizontalpodautoscalers`
const eventsPath = `/apis/events.k8s.io/v1/namespaces/${namespace}/events`
const workloads = ['deployments', 'statefulsets'].map(plural => `/apis/apps/v1/namespaces/${namespace}/${plural}`)

export interface Outcome {
  readonly name: string
  readonly moment: 'settled' | 'changed' | 'deleted'
  /** Undefined: it is gone. */
  readonly object: Readonly<Record<string, unknown>> | undefined
  readonly autoscalers: readonly Readonly<Record<string, unknown>>[]
  readonly replicas: number | undefined
  readonly events: readonly string[]
}

function workload({ name, target = { kind: 'Deployment', replicas: 1 } }: KedaScenario): KubeObject {
  const requests = { cpu: '10m', memory: '16Mi' }
  return {
    apiVersion: 'apps/v1',
    kind: target.kind,
    metadata: { name },
    spec: {
      replicas: target.replicas,
      selector: { matchLabels: { app: name } },
      ...(target.kind === 'StatefulSet' ? { serviceName: name } : {}),
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'app', image: 'registry.example/app:1', resources: { requests } }] },
      },
    },
  }
}

export function scaledObjectOf({ name, spec, metadata }: KedaScenario): KubeObject {
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name, namespace, ...metadata },
    spec: {
      scaleTargetRef: { name, ...(name === 'stateful' ? { kind: 'StatefulSet' } : {}) },
      pollingInterval: 2,
      ...spec,
    },
  }
}

function foreign(name: string, target: string): KubeObject {
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: target },
      minReplicas: 1,
      maxReplicas: 3,
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 33 } } }],
    },
  }
}

async function items(client: ApiClient, path: string): Promise<readonly KubeObject[]> {
  return Reflect.get(Object(await client.want('GET', path)), 'items')
}

/** Without what a moment or a machine makes of it. */
function steady(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null), (key, found) => {
    if (key === 'lastActiveTime') return 'TIME'
    if (key === 'uid') return 'UID'
    return found
  })
}

async function toldBy({ plane, events }: KedaSite): Promise<readonly ToldEvent[]> {
  const found = await items(plane.client, eventsPath)
  const written = found.flatMap((event): readonly ToldEvent[] => {
    const { regarding, type, reason, note } = event as unknown as {
      readonly regarding: { readonly kind: string; readonly name: string }
      readonly type: string
      readonly reason: string
      readonly note: string
    }
    return regarding.kind === 'ScaledObject' ? [{ name: regarding.name, type, reason, note }] : []
  })
  return [...written, ...events]
}

async function outcomes(site: KedaSite, moment: Outcome['moment'], names: readonly string[]): Promise<readonly Outcome[]> {
  const { client } = site.plane
  const [objects, autoscalers, ...scaled] = await Promise.all(
    [scaledObjectsPath, autoscalersPath, ...workloads].map(path => items(client, path)),
  )
  const events = await toldBy(site)
  return names.map(name => {
    const object = objects?.find(one => one.metadata.name === name)
    const { labels, annotations, finalizers } = object?.metadata ?? {}
    const target = scaled.flat().find(one => one.metadata.name === name)
    return {
      name,
      moment,
      object:
        object === undefined
          ? undefined
          : (steady({ labels, annotations, finalizers, status: object['status'] }) as Outcome['object']),
      autoscalers: (autoscalers ?? [])
        .filter(one => Reflect.get(Object(Reflect.get(Object(one['spec']), 'scaleTargetRef')), 'name') === name)
        .map(({ metadata, spec }) => {
          const { name: own, labels: ownLabels, annotations: ownAnnotations, ownerReferences } = metadata
          return steady({
            name: own,
            labels: ownLabels,
            annotations: ownAnnotations,
            ownerReferences,
            spec,
          }) as Readonly<Record<string, unknown>>
        }),
      replicas: target === undefined ? undefined : Number(Reflect.get(Object(target['spec']), 'replicas')),
      events: [
        ...new Set(events.filter(one => one.name === name).map(({ type, reason, note }) => `${type} ${reason}: ${note}`)),
      ].toSorted(),
    }
  })
}

const lookEveryMs = 2_500
const steadyLooks = 4
const mostLooks = 120

/** When it has been the same for some looks, longer than two polls. */
async function settled(site: KedaSite, moment: Outcome['moment'], names: readonly string[]): Promise<readonly Outcome[]> {
  let last: readonly Outcome[] = []
  let same = 0
  for (let look = 0; look < mostLooks; look++) {
    await pause(lookEveryMs)
    const now = await outcomes(site, moment, names)
    same = isDeepStrictEqual(now, last) && now.every(isSettled) ? same + 1 : 0
    if (same >= steadyLooks) return now
    last = now
  }
  throw new Error(`nothing settled: ${last.filter(one => !isSettled(one)).map(({ name }) => name)}`)
}

function isSettled({ object, moment }: Outcome): boolean {
  if (object === undefined || moment === 'deleted') return object === undefined
  const conditions = Reflect.get(Object(object['status']), 'conditions')
  return (
    Array.isArray(conditions) &&
    conditions.some(({ type, status }) => (type === 'Ready' || type === 'Paused') && status !== 'Unknown')
  )
}

/** Makes what the scenarios begin with. */
export async function prepare({ plane: { client } }: KedaSite): Promise<void> {
  for (const scenario of kedaScenarios) {
    const target = workload(scenario)
    await client.want('POST', workloads[target.kind === 'StatefulSet' ? 1 : 0] ?? '', target)
    if (scenario.foreignAutoscaler !== undefined)
      await client.want('POST', autoscalersPath, foreign(scenario.foreignAutoscaler, scenario.name))
  }
}

/** Plays all. */
export async function play(site: KedaSite): Promise<readonly Outcome[]> {
  const { client } = site.plane
  await prepare(site)
  for (const scenario of kedaScenarios) await client.want('POST', scaledObjectsPath, scaledObjectOf(scenario))
  const first = await settled(
    site,
    'settled',
    kedaScenarios.map(({ name }) => name),
  )
  const changing = kedaScenarios.filter(({ later }) => later !== undefined)
  for (const { name, later } of changing) await client.want('PATCH', `${scaledObjectsPath}/${name}`, later)
  const second = await settled(
    site,
    'changed',
    changing.map(({ name }) => name),
  )
  const going = kedaScenarios.filter(({ isDeleted }) => isDeleted === true)
  for (const { name } of going) await client.want('DELETE', `${scaledObjectsPath}/${name}`)
  const third = await settled(
    site,
    'deleted',
    going.map(({ name }) => name),
  )
  return [...first, ...second, ...third]
}
