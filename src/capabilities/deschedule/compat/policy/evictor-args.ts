// Arguments of DefaultEvictor.

import { everything, parseLabelSelector, type Selector } from '#kube/objects/selector.ts'
import { formatDuration, parseDuration } from '#kube/time/duration.ts'
import type { DefaultEvictorArgs, PodProtection } from './args.ts'
import { labelSelectorIn } from './common-args.ts'
import type { FieldReader } from './fields.ts'

/** Priority from which on pods belong to the system: 2 * 10^9. */
export const systemCriticalPriority = 2_000_000_000

/** In the order in which upstream's messages list them. */
const defaultProtections: readonly PodProtection[] = [
  'PodsWithLocalStorage',
  'SystemCriticalPods',
  'FailedBarePods',
  'DaemonSetPods',
]
const extraProtections: readonly PodProtection[] = ['PodsWithPVC', 'PodsWithoutPDB', 'PodsWithResourceClaims']

/** The deprecated flags, and what each takes away from the defaults or adds to them. */
const deprecatedFlags: readonly (readonly [flag: string, protection: PodProtection, change: 'off' | 'on'])[] = [
  ['evictLocalStoragePods', 'PodsWithLocalStorage', 'off'],
  ['evictDaemonSetPods', 'DaemonSetPods', 'off'],
  ['evictSystemCriticalPods', 'SystemCriticalPods', 'off'],
  ['evictFailedBarePods', 'FailedBarePods', 'off'],
  ['ignorePvcPods', 'PodsWithPVC', 'on'],
  ['ignorePodsWithoutPDB', 'PodsWithoutPDB', 'on'],
]

/** What a PriorityClass is worth; `undefined` where there is none of that name. */
export type PriorityOf = (className: string) => number | undefined

export function defaultEvictorArgs(args: FieldReader, priorityOf: PriorityOf): DefaultEvictorArgs {
  const minReplicas = args.whole('minReplicas', 'uint') ?? 0
  if (minReplicas === 1) args.note('DefaultEvictor: minReplicas must be greater than 1 to have an effect; this one is ignored')
  const minPodAge = ageIn(args)
  const labelSelector = labelSelectorIn(args, 'labelSelector')
  const namespaceLabelSelector = labelSelectorIn(args, 'namespaceLabelSelector')
  const policy = args.text('noEvictionPolicy') ?? ''
  if (policy !== '' && policy !== 'Preferred' && policy !== 'Mandatory') {
    args.refuse({
      field: 'noEvictionPolicy',
      found: policy,
      expected: 'Preferred or Mandatory',
      message: 'noEvictionPolicy accepts only ["Preferred" "Mandatory"] values',
    })
  }
  return {
    plugin: 'DefaultEvictor',
    nodeFit: args.flag('nodeFit') ?? false,
    nodeSelector: nodeSelectorIn(args),
    minReplicas,
    ...(minPodAge && { minPodAge }),
    ...(labelSelector && { labelSelector }),
    ...(namespaceLabelSelector && { namespaceLabelSelector }),
    priorityThreshold: priorityThreshold(args, priorityOf),
    isPreferNoEvictionMandatory: policy === 'Mandatory',
    ...protections(args),
  }
}

/** `nodeSelector`: a label selector as text. Empty selects everything. */
export function nodeSelectorIn(args: FieldReader): Selector {
  const text = args.text('nodeSelector') ?? ''
  const parsed = parseLabelSelector(text)
  if (parsed.ok) return parsed.value
  const { expected, message } = parsed.problem
  args.refuse({ field: 'nodeSelector', found: text, expected, message: message ?? expected })
  return everything
}

function ageIn(args: FieldReader): DefaultEvictorArgs['minPodAge'] {
  const text = args.text('minPodAge')
  if (text === undefined) return undefined
  const parsed = parseDuration(text)
  if (parsed.ok) return { ms: Number(parsed.value) / 1_000_000, text: formatDuration(parsed.value) }
  const { expected, message } = parsed.problem
  return args.refuse({ field: 'minPodAge', found: text, expected, message: message ?? expected })
}

/** The priority from which on pods stay. */
function priorityThreshold(args: FieldReader, priorityOf: PriorityOf): number {
  const threshold = args.map('priorityThreshold', 'api.PriorityThreshold')
  if (threshold === undefined) return systemCriticalPriority
  const value = threshold.whole('value', 'int32')
  const name = threshold.text('name') ?? ''
  if (value !== undefined && name !== '') {
    threshold.refuse({
      found: { value, name },
      expected: '`value` or `name`, not both',
      message: 'priority threshold misconfigured, only one of priorityThreshold fields can be set',
    })
    return systemCriticalPriority
  }
  const priority = value ?? (name === '' ? systemCriticalPriority : priorityOf(name))
  if (priority === undefined) {
    const message = `unable to get priority value from the priority class: priorityclasses.scheduling.k8s.io "${name}" not found`
    threshold.refuse({ field: 'name', found: name, expected: 'the name of a PriorityClass', message })
    return systemCriticalPriority
  }
  if (priority > systemCriticalPriority) {
    const message = `priority threshold can't be greater than ${systemCriticalPriority}`
    threshold.refuse({ found: priority, expected: `at most ${systemCriticalPriority}`, message })
  }
  return priority
}

function protections(args: FieldReader): Pick<DefaultEvictorArgs, 'protections' | 'protectedStorageClasses'> {
  const given = args.map('podProtections', 'defaultevictor.PodProtections')
  const disabled = protectionList(given, { field: 'defaultDisabled', known: defaultProtections })
  const extra = protectionList(given, { field: 'extraEnabled', known: extraProtections })
  const hasLists = disabled.length > 0 || extra.length > 0
  const flags = deprecatedFlags.filter(([flag]) => args.flag(flag) === true)
  if (hasLists && flags.length > 0) {
    args.refuse({
      found: flags.map(([flag]) => flag),
      expected: '`podProtections` alone',
      message: 'cannot use Deprecated fields alongside PodProtections.ExtraEnabled or PodProtections.DefaultDisabled',
    })
  }
  const flagged = (change: 'off' | 'on') => flags.flatMap(([, protection, own]) => (own === change ? [protection] : []))
  const off = new Set(hasLists ? disabled : flagged('off'))
  const on = hasLists ? extra : flagged('on')
  return {
    protections: new Set([...defaultProtections.filter(protection => !off.has(protection)), ...on]),
    protectedStorageClasses: storageClasses(given),
  }
}

function protectionList(
  given: FieldReader | undefined,
  list: { readonly field: 'defaultDisabled' | 'extraEnabled'; readonly known: readonly PodProtection[] },
): readonly PodProtection[] {
  const { field, known } = list
  const names = given?.texts(field) ?? []
  const label = `${field.slice(0, 1).toUpperCase()}${field.slice(1)}`
  const read = names.flatMap(name => {
    const protection = known.find(one => one === name)
    if (protection !== undefined) return [protection]
    const message = `invalid pod protection policy in ${label}: "${name}". Valid options are: [${known.join(' ')}]`
    given?.refuse({ field, found: name, expected: `any of ${known.join(', ')}`, message })
    return []
  })
  if (new Set(names).size < names.length) {
    const message = `PodProtections.${label} contains duplicate entries`
    given?.refuse({ field, found: names, expected: 'each of them once', message })
  }
  return read
}

function storageClasses(given: FieldReader | undefined): readonly string[] {
  const config = given
    ?.map('config', 'defaultevictor.PodProtectionsConfig')
    ?.map('PodsWithPVC', 'defaultevictor.PodsWithPVCConfig')
  const classes = config?.maps('protectedStorageClasses', 'defaultevictor.ProtectedStorageClass') ?? []
  return classes.map((entry, index) => {
    const name = entry.text('name') ?? ''
    if (name === '') {
      const message = `PodProtections.Config.PodsWithPVC.ProtectedStorageClasses[${index}] name cannot be empty`
      entry.refuse({ field: 'name', found: name, expected: 'the name of a StorageClass', message })
    }
    return name
  })
}
