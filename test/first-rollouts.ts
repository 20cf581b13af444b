// Seeded clusters in which Reloader has been at work: some templates say what their sources hold, some say what these held before. What
// `migrate plan` names is held against what the first start then rolls out, and the same at a later start.

import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { reloadConfiguration } from '../src/capabilities/reload/config.ts'
import { writtenReload } from '../src/capabilities/reload/rollouts/last-reloaded-from.ts'
import { variableName } from '../src/capabilities/reload/rollouts/variable-name.ts'
import { hashContent } from '../src/capabilities/reload/sources/content-hash.ts'
import { firstRollouts } from '../src/capabilities/reload/workloads/first-rollouts.ts'
import { type ControlledCluster, namespace } from './controlled-cluster.ts'
import { changeConfigMap, changeSecret, configMap, podTemplate, reloadCluster, secret, workload } from './reload-cluster.ts'

export const sha1Of = (data: Readonly<Record<string, string>>): string =>
  hashContent(Object.entries(data).map(([key, value]) => ({ key, value: Buffer.from(value), encoded: false }))).sha1

interface Mark {
  readonly type: 'configmap' | 'secret'
  readonly name: string
  readonly hash: string
  readonly namespace?: string
}

/** As Reloader leaves a workload that it has reloaded for these. */
export function marked(
  object: KubeObject,
  marks: readonly Mark[],
  strategy: 'env-vars' | 'annotations' = 'env-vars',
): KubeObject {
  const spec = Object(object['spec'])
  const [container] = spec.template.spec.containers
  const home = object.metadata.namespace ?? 'shop'
  const reference = ({ type, name, namespace: elsewhere = home }: Mark) => ({ type, namespace: elsewhere, name })
  const env = marks.map(mark => ({ name: variableName(reference(mark)), value: mark.hash }))
  const last = marks.at(-1)
  const text = last && writtenReload(reference(last), { hash: last.hash, container: container.name, nowMs: 1_700_000_000_000 })
  const template =
    strategy === 'env-vars'
      ? { ...spec.template, spec: { ...spec.template.spec, containers: [{ ...container, env }] } }
      : {
          ...spec.template,
          metadata: {
            ...spec.template.metadata,
            ...(text === undefined ? {} : { annotations: { 'reloader.stakater.com/last-reloaded-from': text } }),
          },
        }
  return { ...object, spec: { ...spec, template } }
}

export const planned = (cluster: ControlledCluster, config: object, api = cluster.admin) =>
  firstRollouts({ api, clock: cluster.clock, signal: new AbortController().signal, namespace }, config)

const plurals = ['deployments.apps', 'statefulsets.apps', 'daemonsets.apps'] as const

function templates(cluster: ControlledCluster): ReadonlyMap<string, string> {
  const all = plurals.flatMap(plural => cluster.list(plural)).filter(({ metadata }) => metadata.namespace !== namespace)
  return new Map(
    all.map(object => [
      `${object.kind} ${object.metadata.namespace}/${object.metadata.name}`,
      JSON.stringify(Object(object['spec']).template),
    ]),
  )
}

/** What a start of the controller rolls out until all has come to rest. */
export async function rolledByStart(cluster: ControlledCluster): Promise<readonly string[]> {
  const before = templates(cluster)
  cluster.metrics.clear()
  cluster.startController()
  await cluster.pass(180_000)
  await cluster.stopController()
  return [...templates(cluster)].flatMap(([name, template]) => (before.get(name) === template ? [] : [name])).sort()
}

/** Each start with what was named before it and what it rolled out. */
export async function playedStarts(
  seed: number,
): Promise<readonly { readonly named: readonly string[]; readonly rolled: readonly string[] }[]> {
  const random = seededRandom(seed)
  const one = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T
  const is = (share: number) => random() < share
  const strategy = one(['env-vars', 'annotations'] as const)
  const config = {
    reloadStrategy: strategy,
    autoReloadAll: is(0.3),
    ...(is(0.3) ? { namespacesToIgnore: ['other'] } : {}),
    ...(is(0.2) ? { resourcesToIgnore: ['secrets'] } : {}),
    ...(is(0.2) ? { reloadOnCreate: true, syncAfterRestart: is(0.7) } : {}),
  }
  reloadConfiguration.parse(config)
  const names = ['a', 'b', 'c', 'gone'] as const
  const held = { key: 'now' }
  const sources = ['shop', 'other'].flatMap(home =>
    names.slice(0, 3).flatMap(name => {
      const annotations = is(0.15)
        ? { 'reloader.stakater.com/ignore': 'true' }
        : is(0.3)
          ? { 'reloader.stakater.com/match': 'true' }
          : {}
      const marks = (object: KubeObject) => ({ ...object, metadata: { ...object.metadata, annotations } })
      return [marks(configMap(name, held, home)), marks(secret(name, held, home))]
    }),
  )
  const workloads = Array.from({ length: 10 }, (_, index) => {
    const [map, key] = [one(names), one(names)]
    const annotations: Readonly<Record<string, string>> = one([
      { 'reloader.stakater.com/auto': 'true' },
      { 'reloader.stakater.com/auto': 'true', 'secrets.exclude.reloader.stakater.com/reload': key },
      { 'reloader.stakater.com/search': 'true' },
      { 'configmap.reloader.stakater.com/reload': '[ab]' },
      { 'secret.reloader.stakater.com/reload': key },
      {},
    ])
    const object = workload({
      kind: one(['Deployment', 'StatefulSet', 'DaemonSet'] as const),
      name: `w${index}`,
      namespace: one(['shop', 'shop', 'other']),
      replicas: one([1, 2, 0]),
      annotations,
      configmaps: [map],
      secrets: [key],
    })
    const hash = () => one([sha1Of(held), sha1Of({ key: 'before' }), `${sha1Of(held)}-1`])
    const marks = [
      ...(is(0.5) ? [{ type: 'configmap' as const, name: map, hash: hash() }] : []),
      ...(is(0.5) ? [{ type: 'secret' as const, name: key, hash: hash() }] : []),
    ]
    return marked(object, marks, strategy)
  })
  await using cluster = await reloadCluster([...sources, ...workloads], { config, seed })
  const starts: { named: readonly string[]; rolled: readonly string[] }[] = []
  const start = async () => {
    const { rollsOut, unknown } = await planned(cluster, config)
    if (unknown.length > 0) throw new Error(`unknown: ${JSON.stringify(unknown)}`)
    starts.push({ named: rollsOut.map(found => found.workload).sort(), rolled: await rolledByStart(cluster) })
  }
  await start()
  // Changed while nobody reloads, and a template put back as its manifest has it.
  for (const name of names.slice(0, 3)) {
    if (is(0.4)) await changeConfigMap(cluster, name, { key: one(['now', 'later']) })
    if (is(0.4)) await changeSecret(cluster, name, { key: one(['now', 'later']) })
  }
  for (const object of workloads)
    if (object.kind === 'Deployment' && object.metadata.namespace === 'shop' && is(0.3)) {
      const { name } = object.metadata
      const { metadata } = podTemplate({ name })
      await cluster.change(
        builtIn.deployments,
        { name, namespace: 'shop' },
        { metadata: {}, spec: { template: { metadata: { ...metadata, annotations: { by: 'hand' } } } } },
      )
    }
  await start()
  return starts
}
