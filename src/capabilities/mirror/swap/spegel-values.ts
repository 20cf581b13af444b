// What a running Spegel is told, in the words of its chart's values: the flags of its containers and what its pod template says besides.

import { listAt, textAt } from '#kube/objects/object-fields.ts'
import { flagsIn } from '#upstreams/flags.ts'
import { type ValuesTree, valueAt, withValue } from '#upstreams/values-tree.ts'
import { spegelVersions } from './spegel-rows.ts'

/** Flags with all of their values: `--a=b`, or `--a b c`. */
const flagsOf = (args: readonly unknown[]): ReadonlyMap<string, readonly string[]> =>
  new Map(
    Array.from(
      Map.groupBy(flagsIn(args), ({ name }) => name),
      ([name, same]) => [name, same.flatMap(({ values }) => values)],
    ),
  )

const texts: Readonly<Record<string, string>> = {
  'log-level': 'logLevel',
  'mirror-resolve-timeout': 'mirrorResolveTimeout',
  'containerd-sock': 'containerdSock',
  'containerd-namespace': 'containerdNamespace',
  'containerd-content-path': 'containerdContentPath',
  'containerd-registry-config-path': 'containerdRegistryConfigPath',
}
const switches: Readonly<Record<string, string>> = {
  'resolve-tags': 'resolveTags',
  'resolve-latest-tag': 'resolveLatestTag',
  'prepend-existing': 'prependExisting',
  'debug-web-enabled': 'debugWebEnabled',
}
const lists: Readonly<Record<string, string>> = {
  'mirrored-registries': 'mirroredRegistries',
  'registry-filters': 'registryFilters',
}
/** Keys of the pod that the chart passes on as they are. */
const ofPod = ['priorityClassName', 'tolerations', 'nodeSelector']

interface RunningSpegel {
  readonly values: ValuesTree
  /** Version of the chart, where its label names one that is known. */
  readonly version: string | undefined
}

/** `daemonSet`: of upstream's chart. */
export function spegelValues(daemonSet: ValuesTree): RunningSpegel {
  const pod = valueAt(daemonSet, ['spec', 'template', 'spec'])
  const configuration = listAt(pod, 'initContainers').find(one => listAt(one, 'args')[0] === 'configuration')
  const registry = listAt(pod, 'containers').find(one => listAt(one, 'args')[0] === 'registry')
  const version = versionOf(daemonSet)
  const flags = new Map([...flagsOf(listAt(configuration, 'args')), ...flagsOf(listAt(registry, 'args'))])
  const found: (readonly [string, unknown])[] = [
    ['spegel.containerdMirrorAdd', configuration !== undefined],
    ...[...flags].flatMap(([flag, values]) => carriedFlag(flag, values)),
    ...portValues(registry, flagsOf(listAt(configuration, 'args')).get('mirror-targets') ?? [], version),
    ...persistence(pod, flags),
    ...listAt(pod, 'volumes').flatMap((volume): (readonly [string, unknown])[] => {
      const name = textAt(volume, 'name') === 'basic-auth' ? textAt(volume, 'secret', 'secretName') : undefined
      return name === undefined ? [] : [['basicAuthSecretName', name]]
    }),
    ...ofPod.flatMap((key): (readonly [string, unknown])[] => {
      const value = valueAt(pod, [key])
      return value === undefined ? [] : [[key, value]]
    }),
  ]
  const values = found.reduce<ValuesTree>((tree, [path, value]) => withValue(tree, path.split('.'), value), {})
  return { values, version }
}

function carriedFlag(flag: string, values: readonly string[]): readonly (readonly [string, unknown])[] {
  const [first = ''] = values
  const [text, isOn, list] = [texts[flag], switches[flag], lists[flag]]
  if (text !== undefined) return [[`spegel.${text}`, first]]
  if (isOn !== undefined) return [[`spegel.${isOn}`, first !== 'false']]
  if (list !== undefined) return [[`spegel.${list}`, values]]
  return flag === 'mirror-resolve-retries' ? [['spegel.mirrorResolveRetries', Number(first)]] : []
}

const nodePortBeforeLate = 30_021

/** The targets of the node itself are made of ports; others were added by hand. */
function portValues(
  registry: unknown,
  targets: readonly string[],
  version: string | undefined,
): readonly (readonly [string, unknown])[] {
  const own = targets.flatMap(target => /^http:\/\/\$\(NODE_IP\):(\d+)$/.exec(target)?.[1] ?? []).map(Number)
  const others = targets.filter(target => !target.includes('$(NODE_IP)'))
  const hostPort = listAt(registry, 'ports')
    .map(port => valueAt(port, ['hostPort']))
    .find(port => typeof port === 'number')
  const nodePort = own.find(port => port !== hostPort)
  const isService = hostPort === undefined && version !== undefined && !version.startsWith('0.8.')
  return [
    ...(others.length === 0 ? [] : [['spegel.additionalMirrorTargets', others] as const]),
    ...(hostPort === undefined ? [] : [['service.registry.hostPort', hostPort] as const]),
    ...(isService && own.length > 0 ? [['service.registry.usePreferSameNodeTrafficDistribution', true] as const] : []),
    // The chart's own second target, which nobody chose.
    ...(nodePort === undefined || (hostPort !== undefined && nodePort === nodePortBeforeLate)
      ? []
      : [['service.registry.nodePort', nodePort] as const]),
  ]
}

function persistence(pod: unknown, flags: ReadonlyMap<string, readonly string[]>): readonly (readonly [string, unknown])[] {
  const [path] = flags.get('data-dir') ?? []
  if (path === undefined) return []
  const volume = listAt(pod, 'volumes').find(one => textAt(one, 'name') === 'spegel-data')
  const hostPath = textAt(volume, 'hostPath', 'path')
  return [
    ['spegel.persistence.path', path],
    ...(hostPath === undefined ? [] : [['spegel.persistence.hostPath', hostPath] as const]),
  ]
}

function versionOf(daemonSet: ValuesTree): string | undefined {
  const chart = textAt(daemonSet, 'metadata', 'labels', 'helm.sh/chart') ?? ''
  const version = /^spegel-v?(\d+\.\d+\.\d+)$/.exec(chart)?.[1]
  return version !== undefined && spegelVersions.includes(version) ? version : undefined
}
