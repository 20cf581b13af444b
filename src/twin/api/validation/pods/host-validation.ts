// What a pod has of its node: users, names, DNS and the operating system; in upstream's order and words.
import { isIP } from 'node:net'
import { type FieldError, forbidden, invalid, notSupported, required, tooLong } from '#kube/objects/field-error.ts'
import { dns1123SubdomainProblems, underscoredSubdomainProblems } from '#kube/objects/names.ts'
import { type Draft, fieldsAt, itemsAt, listAt, textAt, valueAt } from '../../../json-value.ts'

interface PlacedContainer {
  readonly container: Draft
  readonly at: string
}

/** All containers of the pod at `path`, in the order in which upstream visits them. */
export function containersOf(spec: Draft, path: string): readonly PlacedContainer[] {
  return ['initContainers', 'containers', 'ephemeralContainers'].flatMap(list =>
    itemsAt(spec, list).map((container, index) => ({ container, at: `${path}.${list}[${index}]` })),
  )
}

const [mostNameservers, mostSearchPaths, longestSearchList] = [3, 32, 2048]
const addressRule = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'

/** What is wrong with how names are looked up. */
export function dnsProblems(spec: Draft, at: string): readonly FieldError[] {
  const config = fieldsAt(spec, 'dnsConfig')
  const [servers, searches] = [listAt(config, 'nameservers').map(String), listAt(config, 'searches').map(String)]
  if (spec['dnsPolicy'] === 'None') {
    if (config === undefined) return [required(at, 'must provide `dnsConfig` when `dnsPolicy` is None')]
    const rule = 'must provide at least one DNS nameserver when `dnsPolicy` is None'
    if (servers.length === 0) return [required(`${at}.nameservers`, rule)]
  }
  return [
    ...(servers.length > mostNameservers
      ? [invalid(`${at}.nameservers`, servers, `must not have more than ${mostNameservers} nameservers`)]
      : []),
    ...servers.flatMap((server, index) =>
      isIP(server) === 0 ? [invalid(`${at}.nameservers[${index}]`, server, addressRule)] : [],
    ),
    ...(searches.length > mostSearchPaths
      ? [invalid(`${at}.searches`, searches, `must not have more than ${mostSearchPaths} search paths`)]
      : []),
    ...(searches.join(' ').length > longestSearchList
      ? [
          invalid(
            `${at}.searches`,
            searches,
            `must not have more than ${longestSearchList} characters (including spaces) in the search list`,
          ),
        ]
      : []),
    ...searches.flatMap((search, index) => {
      const name = search.replace(/\.$/, '')
      return search === '.' ? [] : underscoredSubdomainProblems(name).map(rule => invalid(`${at}.searches[${index}]`, name, rule))
    }),
    ...itemsAt(config, 'options').flatMap((option, index) =>
      (textAt(option, 'name') ?? '') === '' ? [required(`${at}.options[${index}]`, 'must not be empty')] : [],
    ),
  ]
}

const longestHostname = 64

/** What is wrong with the name that a pod calls itself by. */
export function hostnameProblems(spec: Draft, at: string): readonly FieldError[] {
  const name = textAt(spec, 'hostnameOverride')
  if (name === undefined) return []
  return [
    ...(spec['setHostnameAsFQDN'] === true ? [forbidden(at, 'may not be specified when setHostnameAsFQDN is true')] : []),
    ...(spec['hostNetwork'] === true ? [forbidden(at, 'may not be specified when hostNetwork is true')] : []),
    ...(Buffer.byteLength(name) > longestHostname ? [tooLong(at, longestHostname)] : []),
    ...dns1123SubdomainProblems(name).map(rule => invalid(at, name, rule)),
  ]
}

/** A pod with users of its own shares nothing else with its node. */
export function hostUserProblems(spec: Draft, path: string): readonly FieldError[] {
  if (spec['hostUsers'] !== false) return []
  const rule = 'when `hostUsers` is false'
  const shared = [
    ['hostNetwork', 'hostNetwork'],
    ['hostPID', 'HostPID'],
    ['hostIPC', 'HostIPC'],
  ] as const
  return [
    ...shared.flatMap(([field, told]) => (spec[field] === true ? [forbidden(`${path}.${told}`, rule)] : [])),
    ...containersOf(spec, path).flatMap(({ container, at }) =>
      listAt(container, 'volumeDevices').length > 0 ? [forbidden(`${at}.volumeDevices`, rule)] : [],
    ),
  ]
}

/** Processes of a Windows host: all containers of a pod are such, or none. */
export function hostProcessProblems(spec: Draft, path: string): readonly FieldError[] {
  const field = ['securityContext', 'windowsOptions', 'hostProcess'] as const
  const ofPod = valueAt(spec, ...field)
  const containers = containersOf(spec, path)
  const problems: FieldError[] = []
  let count = 0
  for (const { container, at } of containers) {
    const own = valueAt(container, ...field)
    if (typeof ofPod === 'boolean' && typeof own === 'boolean' && own !== ofPod)
      problems.push(
        invalid(`${at}.${field.join('.')}`, own, `pod hostProcess value must be identical if both are specified, was ${ofPod}`),
      )
    if ((typeof own === 'boolean' ? own : ofPod) === true) count++
  }
  if (count === 0) return problems
  const all = 'If pod contains any hostProcess containers then all containers must be HostProcess containers'
  const network = 'hostNetwork must be true if pod contains any hostProcess containers'
  return [
    ...problems,
    ...(count === containers.length ? [] : [invalid(path, '', all)]),
    ...(spec['hostNetwork'] === true ? [] : [invalid(`${path}.hostNetwork`, false, network)]),
  ]
}

const onLinux = 'windows options cannot be set for a linux pod'
const onWindows = 'cannot be set for a windows pod'
/** What no pod of Windows has: of its security context, where a dot begins it, and of its own. */
const ofLinuxPods = [
  ...['.appArmorProfile', '.seLinuxOptions', 'hostUsers', 'hostPID', 'hostIPC', '.seccompProfile', '.fsGroup'],
  ...['.fsGroupChangePolicy', '.sysctls', 'shareProcessNamespace', '.runAsUser', '.runAsGroup', '.supplementalGroups'],
  ...['.supplementalGroupsPolicy', '.seLinuxChangePolicy'],
]
const ofLinuxContainers = [
  ...['appArmorProfile', 'seLinuxOptions', 'seccompProfile', 'capabilities', 'readOnlyRootFilesystem', 'privileged'],
  ...['allowPrivilegeEscalation', 'procMount', 'runAsUser', 'runAsGroup'],
]
/** Fields that are there only where they say something. */
const needsContent: ReadonlySet<string> = new Set(['hostPID', 'hostIPC', '.sysctls'])

/** What is wrong with the operating system of a pod, or with it for what the pod asks. */
export function systemProblems(spec: Draft, path: string): readonly FieldError[] {
  const system = fieldsAt(spec, 'os')
  if (system === undefined) return []
  const name = textAt(system, 'name') ?? ''
  if (name === '') return [required(`${path}.os.name`)]
  if (name !== 'linux' && name !== 'windows') return [notSupported(`${path}.os`, name, ['linux', 'windows'])]
  const holders = [{ container: spec, at: path }, ...containersOf(spec, path)]
  if (name === 'linux')
    return holders.flatMap(({ container, at }) =>
      fieldsAt(container, 'securityContext', 'windowsOptions') === undefined
        ? []
        : [forbidden(`${at}.securityContext.windowsOptions`, onLinux)],
    )
  return [
    ...ofLinuxPods.flatMap(field => {
      const steps = field.startsWith('.') ? ['securityContext', field.slice(1)] : [field]
      const value = valueAt(spec, ...steps)
      const isThere = needsContent.has(field) ? value === true || listAt({ value }, 'value').length > 0 : value !== undefined
      return isThere ? [forbidden([path, ...steps].join('.'), onWindows)] : []
    }),
    ...containersOf(spec, path).flatMap(({ container, at }) =>
      ofLinuxContainers
        .filter(field => valueAt(container, 'securityContext', field) !== undefined)
        .map(field => forbidden(`${at}.securityContext.${field}`, onWindows)),
    ),
  ]
}
