// Reloader, whose place the capability `reload` takes.

import { at, listAt, templateOf, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { byRows } from '#upstreams/convert-values.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import { isNamedAfter, liesBeside, none, type Upstream } from '#upstreams/upstream.ts'
import { upstreamContainer } from '#upstreams/values-input.ts'
import { firstRollouts } from '../workloads/first-rollouts.ts'
import { reloadPairs } from '../workloads/reload-pairs.ts'
import { convertContainer } from './reloader-flags.ts'
import { reloaderRows, reloaderVersions } from './reloader-rows.ts'

const id = 'reloader'

export const reloader: Upstream = {
  ...none,
  name: 'Reloader',
  capability: 'reload',
  workloads: [/^reloader$/, /-reloader$/],
  names: [id],
  images: ['stakater/reloader'],
  leases: ['stakater-reloader-lock'],
  twice: {
    verb: 'reloads',
    scope: watchedNamespaces,
    isScaledToNone: values => at(values, 'reloader', 'deployment', 'replicas') === 0,
  },
  replaced: {
    id,
    versions: reloaderVersions,
    knownVersions: /^v?2\.2\.\d+$/,
    rows: reloaderRows,
    convert: byRows(reloaderRows, 'reload'),
    convertWorkload: (workload, { namespace }) => convertContainer(upstreamContainer(workload, id) ?? {}, namespace),
    plainKinds: ['Deployment'],
    swap: {
      part: { kind: 'section' },
      does: 'reloads',
      // Its own record of what it is lies beside it under a name that is always the same.
      isPlain: (object, workload) =>
        object.kind === 'ConfigMap'
          ? object.metadata.name === 'reloader-meta-info' && liesBeside(object, workload)
          : isNamedAfter(object, workload),
      shadow: {
        reads: [
          { resource: builtIn.namespaces, kind: 'Namespace', metadataOnly: true },
          { resource: builtIn.deployments, kind: 'Deployment' },
          { resource: builtIn.daemonsets, kind: 'DaemonSet' },
          { resource: builtIn.statefulsets, kind: 'StatefulSet' },
          { resource: builtIn.cronjobs, kind: 'CronJob' },
          { resource: builtIn.jobs, kind: 'Job' },
          { resource: { group: 'argoproj.io', version: 'v1alpha1', resource: 'rollouts' }, kind: 'Rollout' },
          { resource: builtIn.configmaps, kind: 'ConfigMap', metadataOnly: true },
          { resource: builtIn.secrets, kind: 'Secret', metadataOnly: true },
        ],
        compare: comparePairs,
      },
      rollsOut: { isMarked, isNamedBy },
      firstRollouts,
      reinstall: 'helm install reloader stakater/reloader --set reloader.deployment.replicas=0',
    },
  },
}

function watchedNamespaces(workload: KubeObject): readonly string[] | undefined {
  const containers = listAt(templateOf(workload), 'spec', 'containers')
  const words = containers.flatMap(container => [...listAt(container, 'args'), ...listAt(container, 'command')])
  const named = words.flatMap((word, index) => {
    const [flag, value] = String(word).split('=', 2)
    return flag === '--namespaces' ? String(value ?? words[index + 1] ?? '').split(',') : []
  })
  if (named.length > 0) return named
  const isOne = containers
    .flatMap(container => listAt(container, 'env'))
    .some(one => textAt(one, 'name') === 'KUBERNETES_NAMESPACE')
  return isOne ? [workload.metadata.namespace ?? 'default'] : undefined
}

/** What upstream would reload, and what ours: both by their own settings, on the same objects. */
function comparePairs(objects: readonly KubeObject[], upstream: unknown, ours: unknown): Proof {
  const pairs = (section: unknown) =>
    new Set(
      reloadPairs(objects, section).map(
        ({ workload, source }) => `${source.type} ${source.namespace}/${source.name} -> ${workload}`,
      ),
    )
  const [theirs, own] = [pairs(upstream), pairs(ours)]
  const rows = [
    ...[...theirs].filter(pair => !own.has(pair)).map(pair => `only upstream: ${pair}`),
    ...[...own].filter(pair => !theirs.has(pair)).map(pair => `only ours: ${pair}`),
  ]
  if (rows.length === 0) return yes(`${theirs.size} ${theirs.size === 1 ? 'pair' : 'pairs'} of source and workload, all the same`)
  return no(`${rows.length} of ${theirs.size} differ: ${rows.slice(0, 10).join('; ')}${rows.length > 10 ? '; ...' : ''}`)
}

/** Does the template carry a mark of a reload? */
function isMarked(template: unknown): boolean {
  const variables = listAt(template, 'spec', 'containers').flatMap(container => listAt(container, 'env'))
  const isByVariable = variables.some(variable => (textAt(variable, 'name') ?? '').startsWith('STAKATER_'))
  return isByVariable || textAt(template, 'metadata', 'annotations', 'reloader.stakater.com/last-reloaded-from') !== undefined
}

/** Names its template the source, which lies in its namespace? */
function isNamedBy(workload: KubeObject, source: KubeObject): boolean {
  const { namespace, name } = source.metadata
  if (namespace !== workload.metadata.namespace) return false
  const named = JSON.stringify({ ...workload.metadata.annotations, ...Object(templateOf(workload)) })
  return named.includes(JSON.stringify(name)) || named.includes('reloader.stakater.com/reload')
}
