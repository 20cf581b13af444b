// What clients are told of the spec of a pod that is taken and yet odd.
import { goQuote } from '#kube/objects/field-error.ts'
import { labelValueProblems } from '#kube/objects/names.ts'
import { int64Value } from '#kube/values/quantity.ts'
import { type Draft, fieldsAt, itemsAt, listAt, textAt } from '../../../json-value.ts'

const deprecatedLabels: Readonly<Record<string, string>> = {
  'beta.kubernetes.io/arch': 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  'beta.kubernetes.io/os': 'deprecated since v1.14; use "kubernetes.io/os" instead',
  'failure-domain.beta.kubernetes.io/region': 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  'failure-domain.beta.kubernetes.io/zone': 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  'beta.kubernetes.io/instance-type': 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
  'app.kubernetes.io/created-by': 'deprecated since v1.9',
  'scheduler.alpha.kubernetes.io/preferAvoidPods': 'deprecated since v1.22; use Taints and Tolerations instead',
  'node-role.kubernetes.io/master': 'use "node-role.kubernetes.io/control-plane" instead',
}

const deprecatedAnnotations: Readonly<Record<string, string>> = {
  'scheduler.alpha.kubernetes.io/critical-pod': 'non-functional in v1.16+; use the "priorityClassName" field instead',
  'security.alpha.kubernetes.io/sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
  'security.alpha.kubernetes.io/unsafe-sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
}

/** Volumes that no kubelet of today mounts: since when they are deprecated, and since when they do nothing. */
const deprecatedVolumes: Readonly<Record<string, string>> = {
  photonPersistentDisk: 'deprecated in v1.11, non-functional in v1.16+',
  gitRepo: 'deprecated in v1.11, and disabled by default in v1.33+',
  scaleIO: 'deprecated in v1.16, non-functional in v1.22+',
  flocker: 'deprecated in v1.22, non-functional in v1.25+',
  storageos: 'deprecated in v1.22, non-functional in v1.25+',
  quobyte: 'deprecated in v1.22, non-functional in v1.25+',
  glusterfs: 'deprecated in v1.25, non-functional in v1.26+',
  cephfs: 'deprecated in v1.28, non-functional in v1.31+',
  rbd: 'deprecated in v1.28, non-functional in v1.31+',
}

/** Warnings of the volumes that are named. Upstream writes one of them otherwise than JSON does. */
export function deprecatedVolumeWarnings(at: string, volume: Draft, names: readonly string[]): readonly string[] {
  return names
    .filter(name => fieldsAt(volume, name) !== undefined)
    .map(name => `${at}.${name === 'storageos' ? 'storageOS' : name}: ${deprecatedVolumes[name]}`)
}

/** Warnings of a pod, or of a template of pods at `template`. */
export function podWarnings(pod: Draft | undefined, template = ''): readonly string[] {
  const spec = fieldsAt(pod, 'spec') ?? {}
  const within = (path: string) => (template === '' ? path : `${template}.${path}`)
  const at = within('spec')
  const annotations = Object.keys(fieldsAt(pod, 'metadata', 'annotations') ?? {})
  return [
    ...selectorWarnings(spec, at),
    ...spreadWarnings(spec, at),
    ...annotations
      .filter(name => Object.hasOwn(deprecatedAnnotations, name))
      .map(name => `${within('metadata')}.annotations[${name}]: ${deprecatedAnnotations[name]}`),
    ...itemsAt(spec, 'volumes').flatMap((volume, index) => volumeWarnings(volume, `${at}.volumes[${index}]`)),
    ...itemsAt(spec, 'volumes').flatMap(overlapWarnings),
    ...repeatedWarnings(itemsAt(spec, 'hostAliases'), 'ip', `${at}.hostAliases`),
    ...repeatedWarnings(itemsAt(spec, 'imagePullSecrets'), 'name', `${at}.imagePullSecrets`),
    ...itemsAt(spec, 'imagePullSecrets').flatMap(({ name }, index) =>
      (name ?? '') === '' ? [`${at}.imagePullSecrets[${index}].name: invalid empty name ""`] : [],
    ),
    ...byteWarnings(fieldsAt(spec, 'overhead') ?? {}, `${at}.overhead`, ['memory', 'ephemeral-storage']),
    ...containersOf(spec, at).flatMap(({ container, place }) => containerWarnings(container, place)),
    ...portWarnings(spec, at),
    ...(Number(spec['terminationGracePeriodSeconds'] ?? 0) < 0
      ? [`${at}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`]
      : []),
    ...affinityWarnings(spec, at),
  ]
}

interface PlacedContainer {
  readonly container: Draft
  readonly place: string
}

function containersOf(spec: Draft, at: string): readonly PlacedContainer[] {
  return ['initContainers', 'containers', 'ephemeralContainers'].flatMap(list =>
    itemsAt(spec, list).map((container, index) => ({ container, place: `${at}.${list}[${index}]` })),
  )
}

function selectorWarnings(spec: Draft, at: string): readonly string[] {
  const affinity = fieldsAt(spec, 'affinity', 'nodeAffinity')
  const place = `${at}.affinity.nodeAffinity`
  const required = 'requiredDuringSchedulingIgnoredDuringExecution'
  const preferred = 'preferredDuringSchedulingIgnoredDuringExecution'
  return [
    ...Object.keys(fieldsAt(spec, 'nodeSelector') ?? {})
      .filter(name => Object.hasOwn(deprecatedLabels, name))
      .map(name => `${at}.nodeSelector[${name}]: ${deprecatedLabels[name]}`),
    ...itemsAt(affinity, required, 'nodeSelectorTerms').flatMap((term, index) =>
      termWarnings(term, `${place}.${required}.nodeSelectorTerms[${index}]`),
    ),
    ...itemsAt(affinity, preferred).flatMap((term, index) =>
      termWarnings(fieldsAt(term, 'preference') ?? {}, `${place}.${preferred}[${index}].preference`, true),
    ),
  ]
}

/** Warnings of a term that selects nodes; `checksValues`: values that no label has are told as well. */
export function termWarnings(term: Draft, at: string, checksValues = false): readonly string[] {
  return itemsAt(term, 'matchExpressions').flatMap((expression, index) => {
    const place = `${at}.matchExpressions[${index}]`
    const key = textAt(expression, 'key') ?? ''
    const values = checksValues ? listAt(expression, 'values').map(String) : []
    return [
      ...(Object.hasOwn(deprecatedLabels, key) ? [`${place}.key: ${key} is ${deprecatedLabels[key]}`] : []),
      ...values.flatMap((value, number) =>
        labelValueProblems(value).map(rule => `${place}.values[${number}]: ${value} is invalid, ${rule}`),
      ),
    ]
  })
}

const noSelector = 'a null labelSelector results in matching no pod'

function spreadWarnings(spec: Draft, at: string): readonly string[] {
  return itemsAt(spec, 'topologySpreadConstraints').flatMap((constraint, index) => {
    const place = `${at}.topologySpreadConstraints[${index}]`
    const key = textAt(constraint, 'topologyKey') ?? ''
    return [
      ...(Object.hasOwn(deprecatedLabels, key) ? [`${place}.topologyKey: ${key} is ${deprecatedLabels[key]}`] : []),
      ...(fieldsAt(constraint, 'labelSelector') === undefined ? [`${place}.labelSelector: ${noSelector}`] : []),
    ]
  })
}

function affinityWarnings(spec: Draft, at: string): readonly string[] {
  return ['podAffinity', 'podAntiAffinity'].flatMap(kind => {
    const lists = [
      ['requiredDuringSchedulingIgnoredDuringExecution', []],
      ['preferredDuringSchedulingIgnoredDuringExecution', ['podAffinityTerm']],
    ] as const
    return lists.flatMap(([list, path]) =>
      itemsAt(spec, 'affinity', kind, list).flatMap((term, index) => {
        const isThere = fieldsAt(term, ...path, 'labelSelector') !== undefined
        const place = [`${at}.affinity.${kind}.${list}[${index}]`, ...path, 'labelSelector'].join('.')
        return isThere ? [] : [`${place}: ${noSelector}`]
      }),
    )
  })
}

function volumeWarnings(volume: Draft, at: string): readonly string[] {
  const claim = fieldsAt(volume, 'ephemeral', 'volumeClaimTemplate', 'spec')
  const [early, late] = [Object.keys(deprecatedVolumes).slice(0, 7), Object.keys(deprecatedVolumes).slice(7)]
  return [
    ...deprecatedVolumeWarnings(at, volume, early),
    ...(claim === undefined ? [] : claimWarnings(claim, `${at}.ephemeral.volumeClaimTemplate.spec`)),
    ...deprecatedVolumeWarnings(at, volume, late),
  ]
}

/** Warnings of the spec of a claim at `at`. */
export function claimWarnings(spec: Draft, at: string): readonly string[] {
  return ['requests', 'limits'].flatMap(list =>
    byteWarnings(fieldsAt(spec, 'resources', list) ?? {}, `${at}.resources.${list}`, ['storage']),
  )
}

function byteWarnings(amounts: Draft, at: string, names: readonly string[]): readonly string[] {
  return names.flatMap(name => {
    const value = amounts[name]
    if (value === undefined || value === null || int64Value(String(value), 3) % 1000n === 0n) return []
    return [`${at}[${name}]: fractional byte value ${JSON.stringify(String(value))} is invalid, must be an integer`]
  })
}

function repeatedWarnings(items: readonly Draft[], field: string, at: string): readonly string[] {
  const values = items.map(item => textAt(item, field) ?? '')
  return values.flatMap((value, index) =>
    values.indexOf(value) < index ? [`${at}[${index}].${field}: duplicate ${field} ${goQuote(value)}`] : [],
  )
}

function containerWarnings(container: Draft, at: string): readonly string[] {
  const amounts = ['memory', 'ephemeral-storage'].flatMap(name =>
    ['limits', 'requests'].flatMap(list =>
      byteWarnings(fieldsAt(container, 'resources', list) ?? {}, `${at}.resources.${list}`, [name]),
    ),
  )
  const variables = itemsAt(container, 'env')
  const names = variables.map(variable => textAt(variable, 'name') ?? '')
  return [
    ...amounts,
    ...variables.flatMap((variable, index) => {
      const name = names[index] ?? ''
      const [value, reference] = [textAt(variable, 'value') ?? '', `$(${name})`]
      const usesEarlier = fieldsAt(variable, 'valueFrom') === undefined && value !== reference && value.includes(reference)
      return names.indexOf(name) < index && !usesEarlier
        ? [`${at}.env[${index}]: hides previous definition of ${goQuote(name)}, which may be dropped when using apply`]
        : []
    }),
  ]
}

interface PlacedPort {
  readonly port: Draft
  readonly place: string
}

function portWarnings(spec: Draft, at: string): readonly string[] {
  const ports = containersOf(spec, at).flatMap(({ container, place }) =>
    itemsAt(container, 'ports').map((port, index): PlacedPort => ({ port, place: `${place}.ports[${index}]` })),
  )
  return [
    ...ports.flatMap(({ port, place }, index) => {
      const alone = (textAt(port, 'hostIP') ?? '') !== '' && (port['hostPort'] ?? 0) === 0
      return [
        ...(alone ? [`${place}: hostIP set without hostPort: ${printedPort(port)}`] : []),
        ...ports.slice(0, index).flatMap(other => clash({ port, place }, other)),
      ]
    }),
    ...ports.flatMap(({ port, place }, index) => {
      const name = textAt(port, 'name') ?? ''
      const first = ports.slice(0, index).find(other => name !== '' && other.port['name'] === name)
      if (first === undefined) return []
      const why = `services and probes that select ports by name will use ${first.place}`
      return [`${place}: duplicate port name ${goQuote(name)} with ${first.place}, ${why}`]
    }),
  ]
}

/** A port as Go's `%+v` prints its struct. */
function printedPort(port: Draft): string {
  const text = (name: string) => textAt(port, name) ?? ''
  const numbers = [port['hostPort'] ?? 0, port['containerPort'] ?? 0]
  return `{Name:${text('name')} HostPort:${numbers[0]} ContainerPort:${numbers[1]} Protocol:${text('protocol')} HostIP:${text('hostIP')}}`
}

function clash({ port, place }: PlacedPort, other: PlacedPort): readonly string[] {
  const isSame = port['containerPort'] === other.port['containerPort'] && port['protocol'] === other.port['protocol']
  if (!isSame) return []
  const [address, otherAddress] = [port, other.port].map(one => textAt(one, 'hostIP') ?? '')
  const [host, otherHost] = [port, other.port].map(one => one['hostPort'] ?? 0)
  const tell = (what: string) => [`${place}: ${what} port definition with ${other.place}`]
  if (address === otherAddress && host === otherHost) return tell('duplicate')
  if (host === 0 || otherHost === 0) return tell('overlapping')
  return host === otherHost && (address === '') !== (otherAddress === '') ? tell('dangerously ambiguous') : []
}

interface PathOf {
  readonly path: string
  readonly source: string
}

/** Files of a volume that lie on or below one another. */
function overlapWarnings(volume: Draft): readonly string[] {
  const name = goQuote(textAt(volume, 'name') ?? '')
  const tell = (what: string, paths: readonly PathOf[]) =>
    overlaps(paths).map(words => `volume ${name} (${what}): overlapping paths: ${words}`)
  const [map, secret] = [fieldsAt(volume, 'configMap'), fieldsAt(volume, 'secret')]
  const projected = itemsAt(volume, 'projected', 'sources')
  return [
    ...(map === undefined ? [] : tell(`ConfigMap ${goQuote(textAt(map, 'name') ?? '')}`, pathsOf(map, ''))),
    ...(secret === undefined ? [] : tell(`Secret ${goQuote(textAt(secret, 'secretName') ?? '')}`, pathsOf(secret, ''))),
    ...tell('DownwardAPI', pathsOf(fieldsAt(volume, 'downwardAPI') ?? {}, '')),
    // Sources of features that are off are not kept.
    ...projected
      .filter(source => Object.keys(source).every(name => name === 'clusterTrustBundle' || name === 'podCertificate'))
      .map(() => `volume ${name} (Projected) has no sources provided`),
    ...tell('Projected', projected.flatMap(projectedPaths)),
  ]
}

function pathsOf(source: Draft, name: string): readonly PathOf[] {
  return itemsAt(source, 'items').map(item => ({ path: textAt(item, 'path') ?? '', source: name }))
}

function projectedPaths(source: Draft): readonly PathOf[] {
  const part = (name: string) => fieldsAt(source, name)
  const [map, secret, downward] = [part('configMap'), part('secret'), part('downwardAPI')]
  if (map?.['items'] !== undefined) return pathsOf(map, `ConfigMap ${goQuote(textAt(map, 'name') ?? '')}`)
  if (secret?.['items'] !== undefined) return pathsOf(secret, `Secret ${goQuote(textAt(secret, 'name') ?? '')}`)
  if (downward?.['items'] !== undefined) return pathsOf(downward, 'DownwardAPI')
  const path = (holder: Draft | undefined, field: string, name: string): readonly PathOf[] => {
    const text = textAt(holder, field) ?? ''
    return holder === undefined || text === '' ? [] : [{ path: text, source: name }]
  }
  const [token, bundle, certificate] = [part('serviceAccountToken'), part('clusterTrustBundle'), part('podCertificate')]
  if (token !== undefined) return path(token, 'path', 'ServiceAccountToken')
  if (bundle !== undefined)
    return path(bundle, 'path', `ClusterTrustBundle ${goQuote(textAt(bundle, 'name') ?? textAt(bundle, 'signerName') ?? '')}`)
  return [
    ...path(certificate, 'certificateChainPath', 'PodCertificate chain'),
    ...path(certificate, 'keyPath', 'PodCertificate key'),
    ...path(certificate, 'credentialBundlePath', 'PodCertificate credential bundle'),
  ]
}

function overlaps(given: readonly PathOf[]): readonly string[] {
  const paths = given.map(({ path, source }) => ({ path: path.replace(/\/+$/, ''), source }))
  const shown = ({ path, source }: PathOf) => (source === '' ? goQuote(path) : `${goQuote(path)} (${source})`)
  return paths.flatMap((one, index) =>
    paths
      .slice(0, one.path === '' ? 0 : index)
      .filter(({ path }) => path !== '' && (`${path}/`.startsWith(`${one.path}/`) || `${one.path}/`.startsWith(`${path}/`)))
      .map(other => `${shown(one)} with ${shown(other)}`),
  )
}
