// What makes pods: its selector, its template and how it goes from one template to the next; in upstream's order and words.
import { type FieldError, forbidden, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems } from '#kube/objects/names.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { labelSelectorOf } from '#kube/objects/selector.ts'
import { type Draft, fieldsAt, isEmpty, isSame, itemsAt, numberAt, textAt, textsAt, valueAt } from '../../../json-value.ts'
import { wordProblems } from '../metadata-validation.ts'
import { podTemplateProblems } from '../pod-spec-validation.ts'
import { claimSpecProblems } from '../pods/claim-spec-validation.ts'
import { labelSelectorProblems } from '../selector-validation.ts'
import { budgetProblems } from './budget-validation.ts'
import { excessProblems, shareProblems, shareValue } from './shares.ts'

type Rule = (spec: Draft, before: Draft | undefined) => readonly FieldError[]

const rules: Readonly<Record<string, Rule>> = {
  'daemonsets.apps': daemonSetProblems,
  'deployments.apps': deploymentProblems,
  'replicasets.apps': spec => [
    ...countProblems(spec, 'replicas', 'minReadySeconds'),
    ...selectorProblems(spec, 'deployment'),
    ...(isReadable(spec) ? [...matchProblems(spec), ...templateProblems(spec, 'ReplicaSet')] : []),
  ],
  replicationcontrollers: controllerSpecProblems,
  'statefulsets.apps': (spec, before) =>
    setProblems(spec, {
      isNew: before === undefined,
      // A template that was wrong before may stay so.
      checksTemplate: before === undefined || setProblems(before, { isNew: false, checksTemplate: true }).length === 0,
    }),
}

/** Everything that is wrong with an object that makes pods for as long as it is there; undefined for another kind. */
export function workloadProblems(key: string, draft: Draft, before?: KubeObject): readonly FieldError[] | undefined {
  const rule = Object.hasOwn(rules, key) ? rules[key] : undefined
  return rule?.(fieldsAt(draft, 'spec') ?? {}, fieldsAt(before, 'spec'))
}

/**
 * What a stored object cannot have because its controller would fail at it, or make pods for ever: a selector that does not match its own
 * template, shares that are none. The rest that is refused at creation may be of a version that refused less.
 */
export function controllerProblems(key: string, draft: Draft): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const isChosen = () => [...selectorProblems(spec, 'deployment'), ...(isReadable(spec) ? matchProblems(spec) : [])]
  switch (key) {
    case 'deployments.apps':
      return [...isChosen(), ...strategyProblems(spec)]
    case 'statefulsets.apps':
      return [...isChosen(), ...setUpdateProblems(spec)]
    case 'daemonsets.apps':
      return [...isChosen(), ...rollingProblems(spec)]
    case 'replicasets.apps':
      return fieldsAt(spec, 'template') === undefined ? [] : isChosen()
    case 'poddisruptionbudgets.policy':
      return budgetProblems(draft)
    default:
      return []
  }
}

function deploymentProblems(spec: Draft): readonly FieldError[] {
  const [ready, deadline] = [numberAt(spec, 'minReadySeconds') ?? 0, numberAt(spec, 'progressDeadlineSeconds')]
  return [
    ...countProblems(spec, 'replicas'),
    ...selectorProblems(spec, 'deployment'),
    ...(isReadable(spec) ? [...matchProblems(spec), ...templateProblems(spec, 'ReplicaSet')] : []),
    ...strategyProblems(spec),
    ...countProblems(spec, 'minReadySeconds', 'revisionHistoryLimit', 'progressDeadlineSeconds'),
    ...(deadline !== undefined && deadline <= ready
      ? [invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds')]
      : []),
  ]
}

function daemonSetProblems(spec: Draft): readonly FieldError[] {
  const selector = fieldsAt(spec, 'selector')
  return [
    ...labelSelectorProblems('spec.selector', selector),
    ...(isReadable(spec) ? matchProblems(spec, true) : []),
    ...(selector !== undefined && isEverything(selector)
      ? [invalid('spec.selector', selector, 'empty selector is invalid for daemonset')]
      : []),
    ...templateProblems(spec, 'DaemonSet'),
    ...countProblems(spec, 'minReadySeconds'),
    ...rollingProblems(spec),
    ...countProblems(spec, 'revisionHistoryLimit'),
  ]
}

function controllerSpecProblems(spec: Draft): readonly FieldError[] {
  const selector = textsAt(spec, 'selector')
  const template = fieldsAt(spec, 'template')
  const labels = textsAt(template, 'metadata', 'labels')
  const isMatched = Object.entries(selector).every(([key, value]) => labels[key] === value)
  return [
    ...countProblems(spec, 'minReadySeconds'),
    ...(isEmpty(selector) ? [required('spec.selector')] : []),
    ...countProblems(spec, 'replicas'),
    ...(template === undefined ? [required('spec.template')] : []),
    ...(isMatched || template === undefined ? [] : [unmatched(spec)]),
    ...(template === undefined ? [] : templateProblems(spec, 'ReplicationController')),
  ]
}

interface SetChecks {
  readonly isNew: boolean
  readonly checksTemplate: boolean
}

function setProblems(spec: Draft, { isNew, checksTemplate }: SetChecks): readonly FieldError[] {
  const order = textAt(spec, 'podManagementPolicy') ?? ''
  const service = isNew ? (textAt(spec, 'serviceName') ?? '') : ''
  const start = numberAt(spec, 'ordinals', 'start') ?? 0
  const kept = ['whenDeleted', 'whenScaled'] as const
  const retention = fieldsAt(spec, 'persistentVolumeClaimRetentionPolicy')
  const selector = fieldsAt(spec, 'selector')
  return [
    ...(order === 'OrderedReady' || order === 'Parallel'
      ? []
      : [invalid('spec.podManagementPolicy', order, "must be 'OrderedReady' or 'Parallel'")]),
    ...setUpdateProblems(spec),
    ...(retention === undefined ? [] : kept).flatMap(name => {
      const value = textAt(retention, name) ?? ''
      const place = `spec.persistentVolumeClaimRetentionPolicy.${name}`
      return value === 'Retain' || value === 'Delete' ? [] : [notSupported(place, value, ['Retain', 'Delete'])]
    }),
    // They stay as they were made.
    ...(isNew
      ? itemsAt(spec, 'volumeClaimTemplates').flatMap((claim, index) =>
          claimSpecProblems(fieldsAt(claim, 'spec') ?? {}, `spec.volumeClaimTemplates[${index}].spec`),
        )
      : []),
    ...countProblems(spec, 'replicas', 'minReadySeconds'),
    ...(start < 0 ? [invalid('spec.ordinals.start', start, 'must be greater than or equal to 0')] : []),
    ...(service === '' ? [] : dns1123LabelProblems(service).map(rule => invalid('spec.serviceName', service, rule))),
    ...selectorProblems(spec, 'statefulset'),
    ...(isReadable(spec) ? setTemplateProblems(spec, checksTemplate) : [invalid('spec.selector', selector ?? null, '')]),
    ...aloneProblems(spec, 'StatefulSet'),
  ]
}

/** Claims' templates are volumes of the pods, which have their names from the set. */
function setTemplateProblems(spec: Draft, checksTemplate: boolean): readonly FieldError[] {
  const template = fieldsAt(spec, 'template') ?? {}
  const metadata = fieldsAt(template, 'metadata') ?? {}
  const claims = [...new Set(itemsAt(spec, 'volumeClaimTemplates').map(claim => textAt(claim, 'metadata', 'name') ?? ''))]
  const {
    subdomain: _subdomain,
    hostname: _hostname,
    ...own
  } = {
    subdomain: undefined,
    hostname: undefined,
    ...fieldsAt(template, 'spec'),
  }
  const volumes = [
    ...claims.map(name => ({ name, persistentVolumeClaim: { claimName: name } })),
    ...itemsAt(own, 'volumes').filter(volume => !claims.includes(textAt(volume, 'name') ?? '')),
  ]
  const whole = claims.length === 0 ? own : { ...own, volumes }
  return [
    ...matchProblems(spec),
    ...(checksTemplate ? podTemplateProblems({ ...template, spec: whole }, 'spec.template') : []),
    ...wordProblems(metadata, 'spec.template'),
  ]
}

function templateProblems(spec: Draft, kind: string): readonly FieldError[] {
  return [...podTemplateProblems(fieldsAt(spec, 'template') ?? {}, 'spec.template'), ...aloneProblems(spec, kind)]
}

/** What a template of pods that run for ever may not have. */
function aloneProblems(spec: Draft, kind: string): readonly FieldError[] {
  const policy = textAt(spec, 'template', 'spec', 'restartPolicy') ?? 'Always'
  const at = 'spec.template.spec'
  return [
    ...(policy === 'Always' ? [] : [notSupported(`${at}.restartPolicy`, policy, ['Always'])]),
    ...(valueAt(spec, 'template', 'spec', 'activeDeadlineSeconds') === undefined
      ? []
      : [forbidden(`${at}.activeDeadlineSeconds`, `activeDeadlineSeconds in ${kind} is not Supported`)]),
  ]
}

/** What is wrong with counts in the spec that may not be below zero. */
function countProblems(spec: Draft, ...names: readonly string[]): readonly FieldError[] {
  return names.flatMap(name => {
    const value = numberAt(spec, name) ?? 0
    return value < 0 ? [invalid(`spec.${name}`, value, 'must be greater than or equal to 0')] : []
  })
}

function isEverything(selector: Draft): boolean {
  return isEmpty(selector['matchLabels']) && isEmpty(selector['matchExpressions'])
}

/** `noun` is what upstream calls the kind where its selector is empty. */
function selectorProblems(spec: Draft, noun: string): readonly FieldError[] {
  const selector = fieldsAt(spec, 'selector')
  if (selector === undefined) return [required('spec.selector')]
  return [
    ...labelSelectorProblems('spec.selector', selector),
    ...(isEverything(selector) ? [invalid('spec.selector', selector, `empty selector is invalid for ${noun}`)] : []),
    ...(noun === 'deployment' && !isReadable(spec) ? [invalid('spec.selector', selector, 'invalid label selector')] : []),
  ]
}

/** Whether a selector says what it selects. */
function isReadable(spec: Draft): boolean {
  return labelSelectorProblems('spec.selector', fieldsAt(spec, 'selector')).length === 0
}

function unmatched(spec: Draft): FieldError {
  const labels = valueAt(spec, 'template', 'metadata', 'labels') ?? null
  return invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`')
}

/** A selector selects the pods of its own template; one that is not there selects none, and an empty one is told of elsewhere. */
export function matchProblems(spec: Draft, countsEmpty = false): readonly FieldError[] {
  const selector = fieldsAt(spec, 'selector')
  if (selector === undefined) return [unmatched(spec)]
  const parsed = labelSelectorOf(selector, 'spec.selector')
  if (!parsed.ok || (isEverything(selector) && !countsEmpty)) return []
  return parsed.value.matches(textsAt(spec, 'template', 'metadata', 'labels')) ? [] : [unmatched(spec)]
}

function strategyProblems(spec: Draft): readonly FieldError[] {
  const kind = textAt(spec, 'strategy', 'type') ?? ''
  const rolling = fieldsAt(spec, 'strategy', 'rollingUpdate')
  const at = 'spec.strategy.rollingUpdate'
  if (kind === 'Recreate')
    return rolling === undefined ? [] : [forbidden(at, "may not be specified when strategy `type` is 'Recreate'")]
  if (kind !== 'RollingUpdate')
    return [notSupported('spec.strategy', printedStrategy(kind, rolling), ['Recreate', 'RollingUpdate'])]
  const [unavailable, surge] = [rolling?.['maxUnavailable'] ?? 0, rolling?.['maxSurge'] ?? 0]
  return [
    ...shareProblems(unavailable, `${at}.maxUnavailable`, false),
    ...shareProblems(surge, `${at}.maxSurge`, false),
    ...(shareValue(unavailable) === 0 && shareValue(surge) === 0
      ? [invalid(`${at}.maxUnavailable`, unavailable, 'may not be 0 when `maxSurge` is 0')]
      : []),
    ...excessProblems(unavailable, `${at}.maxUnavailable`),
  ]
}

function rollingProblems(spec: Draft): readonly FieldError[] {
  const kind = textAt(spec, 'updateStrategy', 'type') ?? ''
  const rolling = fieldsAt(spec, 'updateStrategy', 'rollingUpdate')
  const at = 'spec.updateStrategy.rollingUpdate'
  if (kind === 'OnDelete') return []
  if (kind !== 'RollingUpdate')
    return [notSupported('spec.updateStrategy', printedStrategy(kind, rolling), ['RollingUpdate', 'OnDelete'])]
  if (rolling === undefined) return [required(at)]
  const [unavailable, surge] = [rolling['maxUnavailable'] ?? 0, rolling['maxSurge'] ?? 0]
  const [isUnavailable, isSurge] = [shareValue(unavailable) !== 0, shareValue(surge) !== 0]
  return [
    ...shareProblems(unavailable, `${at}.maxUnavailable`, false),
    ...shareProblems(surge, `${at}.maxSurge`, false),
    ...excessProblems(unavailable, `${at}.maxUnavailable`),
    ...excessProblems(surge, `${at}.maxSurge`),
    ...(isUnavailable && isSurge ? [invalid(`${at}.maxSurge`, surge, 'may not be set when maxUnavailable is non-zero')] : []),
    ...(isUnavailable || isSurge ? [] : [required(`${at}.maxUnavailable`, 'cannot be 0 when maxSurge is 0')]),
  ]
}

function setUpdateProblems(spec: Draft): readonly FieldError[] {
  const kind = textAt(spec, 'updateStrategy', 'type') ?? ''
  const rolling = fieldsAt(spec, 'updateStrategy', 'rollingUpdate')
  const at = 'spec.updateStrategy.rollingUpdate'
  const [partition, unavailable] = [numberAt(rolling, 'partition') ?? 0, rolling?.['maxUnavailable']]
  if (kind === '') return [required('spec.updateStrategy')]
  if (kind !== 'RollingUpdate' && kind !== 'OnDelete')
    return [invalid('spec.updateStrategy', printedStrategy(kind, rolling, true), "must be 'RollingUpdate' or 'OnDelete'")]
  if (rolling === undefined) return []
  if (kind === 'OnDelete') return [invalid(at, printedRolling(rolling, true), "only allowed for updateStrategy 'RollingUpdate'")]
  return [
    ...(partition < 0 ? [invalid(`${at}.partition`, partition, 'must be greater than or equal to 0')] : []),
    ...(unavailable === undefined
      ? []
      : [
          ...shareProblems(unavailable, `${at}.maxUnavailable`, false),
          ...(shareValue(unavailable) === 0 ? [invalid(`${at}.maxUnavailable`, unavailable, 'cannot be 0')] : []),
          ...excessProblems(unavailable, `${at}.maxUnavailable`),
        ]),
  ]
}

/** A strategy as Go prints its struct. */
function printedStrategy(kind: string, rolling: Draft | undefined, isOfSet = false): Draft {
  return { Type: kind, RollingUpdate: rolling === undefined ? null : printedRolling(rolling, isOfSet) }
}

function printedRolling(rolling: Draft, isOfSet: boolean): Draft {
  const unavailable = rolling['maxUnavailable'] ?? null
  return isOfSet
    ? { Partition: rolling['partition'] ?? 0, MaxUnavailable: unavailable }
    : { MaxUnavailable: unavailable ?? 0, MaxSurge: rolling['maxSurge'] ?? 0 }
}

const statefulSetFree = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
]

/** What an update of a StatefulSet may not change. */
export function statefulSetUpdateProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  const fixed = (object: Draft | KubeObject) =>
    Object.fromEntries(Object.entries(fieldsAt(object, 'spec') ?? {}).filter(([name]) => !statefulSetFree.includes(name)))
  if (isSame(fixed(draft), fixed(existing))) return []
  return [
    forbidden(
      'spec',
      "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    ),
  ]
}
