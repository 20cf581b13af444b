// Specs of pods and of the templates that make them, in upstream's order and words.
import { isIP } from 'node:net'
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems, dns1123SubdomainProblems, labelValueProblems, qualifiedNameProblems } from '#kube/objects/names.ts'
import {
  copyOf,
  type Draft,
  fieldsAt,
  integerAt,
  isFields,
  itemsAt,
  listAt,
  numberAt,
  textAt,
  valueAt,
} from '../../json-value.ts'
import { printedStruct } from '../../schema/printed-struct.ts'
import { podSpecDefaults } from '../pod-defaults.ts'
import {
  type ContainerSurroundings,
  containerProblems,
  imageProblems,
  initContainerProblems,
  initRestartProblems,
  mainContainerProblems,
} from './container-validation.ts'
import { wordProblems } from './metadata-validation.ts'
import { fileVolumeProblems } from './pods/environment-validation.ts'
import { ephemeralContainerProblems } from './pods/ephemeral-container-validation.ts'
import {
  containersOf,
  dnsProblems,
  hostnameProblems,
  hostProcessProblems,
  hostUserProblems,
  systemProblems,
} from './pods/host-validation.ts'
import { podSecurityProblems } from './pods/pod-security-validation.ts'
import { hostNetworkProblems, hostPortClashes } from './pods/port-validation.ts'
import { overheadProblems, podResourceProblems } from './pods/resource-validation.ts'
import { affinityProblems, spreadProblems, tolerationProblems } from './pods/scheduling-validation.ts'
import { volumeSourceProblems } from './pods/volume-source-validation.ts'

const restartPolicies = ['Always', 'OnFailure', 'Never'] as const
const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']

interface PodSpecRules {
  /** Names of volumes that come from a StatefulSet's claim templates. */
  readonly claims?: readonly string[]
}

/** Everything that is wrong with the spec of a pod at `path`. */
export function podSpecProblems(spec: Draft, path: string, { claims = [] }: PodSpecRules = {}): readonly FieldError[] {
  const around = surroundingsOf(spec, path, claims)
  const isPod = path === 'spec'
  return [
    ...(spec['terminationGracePeriodSeconds'] === undefined ? [required(`${path}.terminationGracePeriodSeconds`)] : []),
    ...volumeProblems(spec, path).flatMap(({ problems }) => problems),
    ...claimProblems(spec, path),
    ...allContainerProblems(spec, path, around),
    ...podResourceProblems(spec, path, around.claims),
    ...hostNetworkProblems(spec, path, isPod),
    ...choiceProblems(spec, 'restartPolicy', path, restartPolicies),
    ...choiceProblems(spec, 'dnsPolicy', path, dnsPolicies),
    ...selectorProblems(spec, path),
    ...podSecurityProblems(spec, `${path}.securityContext`),
    ...affinityProblems(spec, path),
    ...dnsProblems(spec, `${path}.dnsConfig`),
    ...gateProblems(spec, path),
    ...spreadProblems(spec, path),
    ...hostProcessProblems(spec, path),
    ...hostUserProblems(spec, path),
    ...hostnameProblems(spec, `${path}.hostnameOverride`),
    ...nameProblems(spec, path),
    ...tolerationProblems(spec, path),
    ...aliasProblems(spec, path),
    ...classProblems(spec, path),
    ...(fieldsAt(spec, 'overhead') === undefined ? [] : overheadProblems(fieldsAt(spec, 'overhead') ?? {}, `${path}.overhead`)),
    ...systemProblems(spec, path),
    ...fileProblems(spec, path),
    ...(isPod ? podAloneProblems(spec) : []),
  ]
}

/** What rules of containers depend on; `claims` are volumes that come from a StatefulSet's claim templates. */
export function surroundingsOf(spec: Draft, path: string, claims: readonly string[] = []): ContainerSurroundings {
  // A volume that is wrong is none.
  const sound = volumeProblems(spec, path).filter(({ problems }) => problems.length === 0)
  return {
    volumes: new Map<unknown, Draft>([
      ...sound.map(({ volume }) => [textAt(volume, 'name') ?? '', volume] as const),
      ...claims.map(name => [name, { persistentVolumeClaim: {} }] as const),
    ]),
    hasHostUsers: spec['hostUsers'] !== false,
    claims: itemsAt(spec, 'resourceClaims').flatMap(claim => textAt(claim, 'name') || []),
    restartPolicy: textAt(spec, 'restartPolicy'),
    gracePeriod: numberAt(spec, 'terminationGracePeriodSeconds'),
  }
}

function allContainerProblems(spec: Draft, path: string, around: ContainerSurroundings): readonly FieldError[] {
  const [main, init] = [itemsAt(spec, 'containers'), itemsAt(spec, 'initContainers')]
  const problems: FieldError[] = main.length === 0 ? [required(`${path}.containers`)] : []
  const names = new Set<string>()
  for (const [index, container] of main.entries()) {
    const at = `${path}.containers[${index}]`
    problems.push(...containerProblems(container, at, around), ...nameClash(container, at, names))
    problems.push(...mainContainerProblems(container, at, around))
  }
  problems.push(...hostPortClashes(main, `${path}.containers`))
  // Upstream counts a container without a name as one of that name, but for an init container.
  for (const [index, container] of init.entries()) {
    const list = `${path}.initContainers`
    const at = `${list}[${index}]`
    problems.push(...containerProblems(container, at, around), ...initRestartProblems(container, at))
    problems.push(...nameClash(container, at, names, false), ...initContainerProblems(container, at, { ...around, list }))
  }
  problems.push(...ephemeralContainerProblems(spec, path, around))
  return problems
}

function nameClash(container: Draft, at: string, names: Set<string>, countsUnnamed = true): readonly FieldError[] {
  const name = textAt(container, 'name') ?? ''
  const isTaken = names.has(name)
  if (countsUnnamed || name !== '') names.add(name)
  return isTaken ? [duplicate(`${at}.name`, name)] : []
}

interface CheckedVolume {
  readonly volume: Draft
  readonly problems: readonly FieldError[]
}

function volumeProblems(spec: Draft, path: string): readonly CheckedVolume[] {
  const names = new Set<string>()
  return itemsAt(spec, 'volumes').map((volume, index) => {
    const at = `${path}.volumes[${index}]`
    const name = textAt(volume, 'name') ?? ''
    const problems = [
      ...volumeSourceProblems(volume, at),
      ...(name === '' ? [required(`${at}.name`)] : dns1123LabelProblems(name).map(rule => invalid(`${at}.name`, name, rule))),
      ...(names.has(name) ? [duplicate(`${at}.name`, name)] : []),
    ]
    if (problems.length === 0) names.add(name)
    return { volume, problems }
  })
}

/** Devices that the pod claims: each claim has a name of its own and is of one kind. */
function claimProblems(spec: Draft, path: string): readonly FieldError[] {
  const names = new Set<string>()
  return itemsAt(spec, 'resourceClaims').flatMap((claim, index): readonly FieldError[] => {
    const at = `${path}.resourceClaims[${index}]`
    const name = textAt(claim, 'name') ?? ''
    const isTaken = names.has(name)
    if (name !== '') names.add(name)
    const sources = ['resourceClaimName', 'resourceClaimTemplateName']
    const given = sources.filter(source => textAt(claim, source) !== undefined)
    const shown = printedStruct('PodResourceClaim', claim)
    return [
      ...(name === ''
        ? [required(`${at}.name`)]
        : isTaken
          ? [duplicate(`${at}.name`, name)]
          : dns1123LabelProblems(name).map(rule => invalid(`${at}.name`, name, rule))),
      ...(given.length === 2
        ? [invalid(at, shown, 'at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified')]
        : []),
      ...(given.length === 0
        ? [invalid(at, shown, 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`')]
        : []),
      ...given.flatMap(source => {
        const value = textAt(claim, source) ?? ''
        return dns1123SubdomainProblems(value).map(rule => invalid(`${at}.${source}`, value, rule))
      }),
    ]
  })
}

/** A text that must be one of `choices`. */
function choiceProblems(spec: Draft, field: string, path: string, choices: readonly string[]): readonly FieldError[] {
  const value = textAt(spec, field) ?? ''
  if (choices.includes(value)) return []
  return [value === '' ? required(`${path}.${field}`) : notSupported(`${path}.${field}`, value, choices)]
}

function selectorProblems(spec: Draft, path: string): readonly FieldError[] {
  return Object.entries(fieldsAt(spec, 'nodeSelector') ?? {}).flatMap(([key, value]) => [
    ...qualifiedNameProblems(key).map(rule => invalid(`${path}.nodeSelector`, key, rule)),
    ...labelValueProblems(String(value)).map(rule => invalid(`${path}.nodeSelector`, String(value), rule)),
  ])
}

const int32Maximum = 2_147_483_647

function nameProblems(spec: Draft, path: string): readonly FieldError[] {
  const of = (field: string, rules: (text: string) => readonly string[]) => {
    const text = textAt(spec, field) ?? ''
    return text === '' ? [] : rules(text).map(rule => invalid(`${path}.${field}`, text, rule))
  }
  const deadline = integerAt(spec, 'activeDeadlineSeconds')
  const isOutside = deadline !== undefined && (deadline < 1 || deadline > int32Maximum)
  return [
    ...of('serviceAccountName', dns1123SubdomainProblems),
    ...of('nodeName', dns1123SubdomainProblems),
    ...(isOutside
      ? [invalid(`${path}.activeDeadlineSeconds`, deadline, `must be between 1 and ${int32Maximum}, inclusive`)]
      : []),
    ...of('hostname', dns1123LabelProblems),
    ...of('subdomain', dns1123LabelProblems),
  ]
}

const preemptions = ['PreemptLowerPriority', 'Never']

function classProblems(spec: Draft, path: string): readonly FieldError[] {
  const [priority, runtime] = [textAt(spec, 'priorityClassName') ?? '', textAt(spec, 'runtimeClassName')]
  return [
    ...(priority === ''
      ? []
      : dns1123SubdomainProblems(priority).map(rule => invalid(`${path}.priorityClassName`, priority, rule))),
    ...(runtime === undefined
      ? []
      : dns1123SubdomainProblems(runtime).map(rule => invalid(`${path}.runtimeClassName`, runtime, rule))),
    ...(textAt(spec, 'preemptionPolicy') === undefined ? [] : choiceProblems(spec, 'preemptionPolicy', path, preemptions)),
  ]
}

function aliasProblems(spec: Draft, path: string): readonly FieldError[] {
  return itemsAt(spec, 'hostAliases').flatMap((alias, index): FieldError[] => {
    const at = `${path}.hostAliases[${index}]`
    const ip = textAt(alias, 'ip') ?? ''
    return [
      ...(isIP(ip) !== 0 ? [] : [invalid(`${at}.ip`, ip, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')]),
      ...listAt(alias, 'hostnames').flatMap((name, place) =>
        dns1123SubdomainProblems(String(name)).map(rule => invalid(`${at}.hostnames[${place}]`, name, rule)),
      ),
    ]
  })
}

function gateProblems(spec: Draft, path: string): readonly FieldError[] {
  const names = new Set<unknown>()
  const problems: FieldError[] = []
  for (const [index, gate] of itemsAt(spec, 'readinessGates').entries()) {
    const type = textAt(gate, 'conditionType') ?? ''
    problems.push(
      ...qualifiedNameProblems(type).map(rule => invalid(`${path}.readinessGates[${index}].conditionType`, type, rule)),
    )
  }
  for (const [index, gate] of itemsAt(spec, 'schedulingGates').entries()) {
    const name = textAt(gate, 'name') ?? ''
    problems.push(...qualifiedNameProblems(name).map(rule => invalid(`${path}.schedulingGates[${index}]`, name, rule)))
    if (names.has(name)) problems.push(duplicate(`${path}.schedulingGates[${index}]`, name))
    names.add(name)
  }
  return problems
}

function fileProblems(spec: Draft, path: string): readonly FieldError[] {
  const volumes = new Map(itemsAt(spec, 'volumes').map(volume => [textAt(volume, 'name') ?? '', volume]))
  return containersOf(spec, path).flatMap(({ container, at }) => fileVolumeProblems(container, at, volumes))
}

/** What a pod itself may not have, and a template may. */
function podAloneProblems(spec: Draft): readonly FieldError[] {
  const isNamed = (textAt(spec, 'serviceAccountName') ?? '') !== ''
  const tokens = itemsAt(spec, 'volumes').flatMap((volume, index) =>
    itemsAt(volume, 'projected', 'sources').flatMap((source, number) =>
      isNamed || fieldsAt(source, 'serviceAccountToken') === undefined
        ? []
        : [
            forbidden(
              `spec.volumes[${index}].projected.sources[${number}].serviceAccountToken`,
              'must not be specified when serviceAccountName is not set',
            ),
          ],
    ),
  )
  const images = ['containers', 'initContainers'].flatMap(list =>
    itemsAt(spec, list).flatMap((container, index) => imageProblems(container, `spec.${list}[${index}]`)),
  )
  return [...tokens, ...images]
}

/** A template that says nothing of its pods was not filled in: a server fills it in. */
function defaultedSpec(spec: Draft): Draft {
  if (spec['restartPolicy'] !== undefined) return spec
  const filled = copyOf(spec)
  podSpecDefaults(filled)
  return filled
}

/** Everything that is wrong with a template of pods at `path`. */
export function podTemplateProblems(template: Draft, path: string, rules: PodSpecRules = {}): readonly FieldError[] {
  const spec = defaultedSpec(fieldsAt(template, 'spec') ?? {})
  return [
    ...wordProblems(fieldsAt(template, 'metadata') ?? {}, path),
    ...podSpecProblems(spec, `${path}.spec`, rules),
    ...(itemsAt(spec, 'ephemeralContainers').length > 0
      ? [forbidden(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template')]
      : []),
  ]
}

/** What only a new pod may not have. */
export function newPodProblems(draft: Draft): readonly FieldError[] {
  const added = valueAt(draft, 'spec', 'ephemeralContainers')
  const hasAdded = Array.isArray(added) && added.some(isFields)
  return hasAdded ? [forbidden('spec.ephemeralContainers', 'cannot be set on create')] : []
}
