// What a running node-feature-discovery is told, in the words of its chart's values: the flags and files of its master and worker, and what stands
// beside them.

import { listAt, textAt } from '#kube/objects/object-fields.ts'
import type { ConvertedValues } from '#upstreams/convert-values.ts'
import type { Around } from '#upstreams/upstream.ts'
import { isTree, type ValuesTree, valueAt, withValue } from '#upstreams/values-tree.ts'
import { convertNfd } from './nfd-rows.ts'

/** The program that a workload runs, by its words; its image is the same for all. */
export function programOf(workload: unknown): string | undefined {
  const words = containers(workload).flatMap(wordsOf)
  return /(?:^|\/)(nfd-(?:master|worker|gc|topology-updater))$/.exec(words.find(word => isProgram(word)) ?? '')?.[1]
}

const isProgram = (word: string) => /(^|\/)nfd-(master|worker|gc|topology-updater)$/.test(word)

function containers(workload: unknown): readonly ValuesTree[] {
  return listAt(workload, 'spec', 'template', 'spec', 'containers').filter(isTree)
}

const wordsOf = (container: unknown): readonly string[] =>
  [...listAt(container, 'command'), ...listAt(container, 'args')].map(String)

/** `workload`: the Deployment of the master; `beside`: what else there is of its installation. */
export function convertNfdWorkload(workload: ValuesTree, { beside, namespace }: Around): ConvertedValues {
  return convertNfd({ values: valuesOf(workload, beside), version: undefined, namespace })
}

function valuesOf(workload: ValuesTree, beside: readonly unknown[]): ValuesTree {
  const all = [workload, ...beside]
  const of = (program: string) => all.find(object => programOf(object) === program)
  const [master, worker] = [of('nfd-master') ?? workload, of('nfd-worker')]
  const monitor = beside.find(object => valueAt(object, ['kind']) === 'PodMonitor')
  const [endpoint] = listAt(monitor, 'spec', 'podMetricsEndpoints')
  const pod = (object: unknown, key: string) => valueAt(object, ['spec', 'template', 'spec', key])
  const isMounted = listAt(worker, 'spec', 'template', 'spec', 'volumes').some(
    volume => textAt(volume, 'hostPath', 'path') === '/usr/src',
  )
  const said: readonly (readonly [string, unknown])[] = [
    ['master.extraArgs', flagsOf(master)],
    ['master.config', fileOf(master, 'nfd-master.conf', beside)],
    // What the flags do not say of owners its program takes as its own default.
    ['worker.extraArgs', flagsOf(worker)],
    ['worker.config', fileOf(worker, 'nfd-worker.conf', beside)],
    ['worker.nodeSelector', awake(pod(worker, 'nodeSelector'))],
    ['worker.affinity', pod(worker, 'affinity')],
    ['worker.mountUsrSrc', isMounted ? true : undefined],
    ['worker.enable', worker === undefined ? false : undefined],
    ['topologyUpdater.enable', of('nfd-topology-updater') === undefined ? undefined : true],
    ['imagePullSecrets', pod(master, 'imagePullSecrets')],
    ['prometheus.enable', monitor === undefined ? undefined : true],
    ['prometheus.scrapeInterval', valueAt(endpoint, ['interval'])],
  ]
  return said
    .filter(([, value]) => !isNothing(value))
    .reduce<ValuesTree>((tree, [path, value]) => withValue(tree, path.split('.'), value), {})
}

/** Without what keeps it asleep during a swap. */
function awake(selector: unknown): ValuesTree {
  return isTree(selector) ? Object.fromEntries(Object.entries(selector).filter(([key]) => !key.startsWith('ballast.dev/'))) : {}
}

function flagsOf(workload: unknown): readonly string[] {
  return containers(workload)
    .flatMap(wordsOf)
    .filter(word => !isProgram(word))
}

/** The text of a file that a workload mounts out of a ConfigMap. */
function fileOf(workload: unknown, key: string, beside: readonly unknown[]): string | undefined {
  const names = listAt(workload, 'spec', 'template', 'spec', 'volumes').flatMap(
    volume => textAt(volume, 'configMap', 'name') ?? [],
  )
  const found = beside.find(
    object =>
      valueAt(object, ['kind']) === 'ConfigMap' &&
      names.includes(textAt(object, 'metadata', 'name') ?? '') &&
      textAt(object, 'data', key) !== undefined,
  )
  return textAt(found, 'data', key)
}

function isNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true
  if (Array.isArray(value)) return value.length === 0
  return isTree(value) && Object.keys(value).length === 0
}
