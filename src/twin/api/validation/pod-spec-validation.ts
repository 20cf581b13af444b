// Specs of pods and of the templates that make them, in upstream's order and words.
import { isIP } from 'node:net'
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems, dns1123SubdomainProblems, labelValueProblems, qualifiedNameProblems } from '#kube/objects/names.ts'
import { type Draft, fieldsAt, isFields, itemsAt, listAt, textAt, valueAt } from '../../json-value.ts'
import { type ContainerSurroundings, containerProblems, identityProblems } from './container-validation.ts'
import { ephemeralContainerProblems } from './pods/ephemeral-container-validation.ts'
import { termProblems } from './pods/node-selector-validation.ts'
import { profileProblems, resourceClaimProblems } from './pods/security-validation.ts'
import { volumeSourceProblems } from './pods/volume-source-validation.ts'
import { labelSelectorProblems } from './selector-validation.ts'

const restartPolicies = ['Always', 'OnFailure', 'Never'] as const

interface PodSpecRules {
  readonly policies?: readonly string[]
  /** Names of volumes that come from a StatefulSet's claim templates. */
  readonly claims?: readonly (string | undefined)[]
}

/** Everything that is wrong with the spec of a pod at `path`. */
export function podSpecProblems(spec: Draft, path: string, rules: PodSpecRules = {}): readonly FieldError[] {
  const { policies = restartPolicies, claims = [] } = rules
  const around = surroundingsOf(spec, claims)
  const policy = textAt(spec, 'restartPolicy')
  return [
    ...volumeProblems(spec, path),
    ...allContainerProblems(spec, path, around),
    ...podResourceProblems(spec, path, around.claims),
    ...(policy === undefined || policies.includes(policy) ? [] : [notSupported(`${path}.restartPolicy`, policy, policies)]),
    ...choiceProblems(spec, path),
    ...selectorProblems(spec, path),
    ...securityProblems(spec, path),
    ...nameProblems(spec, path),
    ...deadlineProblems(spec, path),
    ...affinityProblems(spec, path),
    ...tolerationProblems(spec, path),
    ...aliasProblems(spec, path),
    ...gateProblems(spec, path),
    ...spreadProblems(spec, path),
  ]
}

/** What rules of containers depend on; `claims` are volumes that come from a StatefulSet's claim templates. */
export function surroundingsOf(spec: Draft, claims: readonly (string | undefined)[] = []): Omit<ContainerSurroundings, 'kind'> {
  const templates = claims.map(name => [name, { persistentVolumeClaim: {} }] as const)
  return {
    volumes: new Map<unknown, Draft>([
      ...itemsAt(spec, 'volumes').map(volume => [volume['name'], volume] as const),
      ...templates,
    ]),
    isHostNetwork: spec['hostNetwork'] === true,
    hasHostUsers: spec['hostUsers'] !== false,
    claims: itemsAt(spec, 'resourceClaims').map(claim => textAt(claim, 'name') ?? ''),
  }
}

function allContainerProblems(spec: Draft, path: string, around: Omit<ContainerSurroundings, 'kind'>): readonly FieldError[] {
  const problems: FieldError[] = []
  if (itemsAt(spec, 'containers').length === 0) problems.push(required(`${path}.containers`))
  const names = new Set<unknown>()
  for (const [list, kind] of [
    ['containers', 'main'],
    ['initContainers', 'init'],
  ] as const) {
    for (const [index, container] of itemsAt(spec, list).entries()) {
      const at = `${path}.${list}[${index}]`
      problems.push(...containerProblems(container, at, { ...around, kind }))
      const name = container['name']
      if (names.has(name)) problems.push(duplicate(`${at}.name`, name))
      names.add(name)
    }
  }
  problems.push(...ephemeralContainerProblems(spec, path, around))
  // A pod itself says so in words of its own.
  if (path !== 'spec' && itemsAt(spec, 'ephemeralContainers').length > 0)
    problems.push(forbidden(`${path}.ephemeralContainers`, 'ephemeral containers not allowed in pod template'))
  return problems
}

function podResourceProblems(spec: Draft, path: string, claims: readonly string[]): readonly FieldError[] {
  const resources = fieldsAt(spec, 'resources')
  if (itemsAt(resources, 'claims').length === 0) return []
  return [
    ...resourceClaimProblems(resources, `${path}.resources`, claims),
    forbidden(`${path}.resources.claims`, 'claims may not be set for Resources at pod-level'),
  ]
}

function volumeProblems(spec: Draft, path: string): readonly FieldError[] {
  const names = new Set<unknown>()
  return itemsAt(spec, 'volumes').flatMap((volume, index): FieldError[] => {
    const at = `${path}.volumes[${index}]`
    const name = textAt(volume, 'name') ?? ''
    const problems: FieldError[] = []
    problems.push(...volumeSourceProblems(volume, at))
    if (name === '') problems.push(required(`${at}.name`))
    else problems.push(...dns1123LabelProblems(name).map(rule => invalid(`${at}.name`, name, rule)))
    if (name !== '' && names.has(name)) problems.push(duplicate(`${at}.name`, name))
    names.add(name)
    return problems
  })
}

const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']

function choiceProblems(spec: Draft, path: string): readonly FieldError[] {
  const dns = textAt(spec, 'dnsPolicy')
  const os = textAt(spec, 'os', 'name')
  return [
    ...(dns === undefined || dnsPolicies.includes(dns) ? [] : [notSupported(`${path}.dnsPolicy`, dns, dnsPolicies)]),
    ...(os === '' ? [required(`${path}.os.name`)] : []),
    ...(os === undefined || os === '' || os === 'linux' || os === 'windows'
      ? []
      : [notSupported(`${path}.os`, os, ['linux', 'windows'])]),
  ]
}

function selectorProblems(spec: Draft, path: string): readonly FieldError[] {
  return Object.entries(fieldsAt(spec, 'nodeSelector') ?? {}).flatMap(([key, value]) => [
    ...qualifiedNameProblems(key).map(rule => invalid(`${path}.nodeSelector`, key, rule)),
    ...labelValueProblems(String(value)).map(rule => invalid(`${path}.nodeSelector`, String(value), rule)),
  ])
}

const sysctlName = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/
const sysctlRule =
  'must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$'

function securityProblems(spec: Draft, path: string): readonly FieldError[] {
  const context = fieldsAt(spec, 'securityContext')
  const at = `${path}.securityContext`
  return [
    ...identityProblems(context, at, ['fsGroup', 'runAsUser', 'runAsGroup']),
    ...(context === undefined ? [] : profileProblems(context, at)),
    ...itemsAt(context, 'sysctls').flatMap((sysctl, index) => {
      const name = textAt(sysctl, 'name') ?? ''
      if (name === '') return [required(`${at}.sysctls[${index}].name`)]
      return sysctlName.test(name) && name.length <= 253 ? [] : [invalid(`${at}.sysctls[${index}].name`, name, sysctlRule)]
    }),
  ]
}

function nameProblems(spec: Draft, path: string): readonly FieldError[] {
  const of = (field: string, rules: (text: string) => readonly string[]) => {
    const text = textAt(spec, field) ?? ''
    return text === '' ? [] : rules(text).map(rule => invalid(`${path}.${field}`, text, rule))
  }
  return [
    ...of('serviceAccountName', dns1123SubdomainProblems),
    ...of('nodeName', dns1123SubdomainProblems),
    ...of('hostname', dns1123LabelProblems),
    ...of('subdomain', dns1123LabelProblems),
  ]
}

const int32Maximum = 2_147_483_647

function deadlineProblems(spec: Draft, path: string): readonly FieldError[] {
  const value = spec['activeDeadlineSeconds']
  const isOutside = typeof value === 'number' ? value < 1 || value > int32Maximum : typeof value === 'bigint'
  return isOutside ? [invalid(`${path}.activeDeadlineSeconds`, value, `must be between 1 and ${int32Maximum}, inclusive`)] : []
}

function affinityProblems(spec: Draft, path: string): readonly FieldError[] {
  const problems: FieldError[] = []
  const at = `${path}.affinity`
  const needed = fieldsAt(spec, 'affinity', 'nodeAffinity', 'requiredDuringSchedulingIgnoredDuringExecution')
  const termsAt = `${at}.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`
  if (needed !== undefined && itemsAt(needed, 'nodeSelectorTerms').length === 0)
    problems.push(required(termsAt, 'must have at least one node selector term'))
  for (const [index, term] of itemsAt(needed, 'nodeSelectorTerms').entries())
    problems.push(...termProblems(term, `${termsAt}[${index}]`))
  for (const kind of ['podAffinity', 'podAntiAffinity'] as const) {
    const affinity = fieldsAt(spec, 'affinity', kind)
    const requiredAt = `${at}.${kind}.requiredDuringSchedulingIgnoredDuringExecution`
    for (const [index, term] of itemsAt(affinity, 'requiredDuringSchedulingIgnoredDuringExecution').entries())
      problems.push(...topologyProblems(term, `${requiredAt}[${index}]`))
    for (const [index, weighted] of itemsAt(affinity, 'preferredDuringSchedulingIgnoredDuringExecution').entries()) {
      const place = `${at}.${kind}.preferredDuringSchedulingIgnoredDuringExecution[${index}]`
      problems.push(...weightProblems(weighted, place))
      problems.push(...topologyProblems(fieldsAt(weighted, 'podAffinityTerm') ?? {}, `${place}.podAffinityTerm`))
    }
  }
  const preferredAt = `${at}.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution`
  for (const [index, weighted] of itemsAt(
    spec,
    'affinity',
    'nodeAffinity',
    'preferredDuringSchedulingIgnoredDuringExecution',
  ).entries()) {
    problems.push(...weightProblems(weighted, `${preferredAt}[${index}]`))
    problems.push(...termProblems(fieldsAt(weighted, 'preference') ?? {}, `${preferredAt}[${index}].preference`))
  }
  return problems
}

function weightProblems(weighted: Draft, place: string): readonly FieldError[] {
  const weight = typeof weighted['weight'] === 'number' ? weighted['weight'] : 0
  return weight >= 1 && weight <= 100 ? [] : [invalid(`${place}.weight`, weight, 'must be in the range 1-100')]
}

function topologyProblems(term: Draft, place: string): readonly FieldError[] {
  const key = textAt(term, 'topologyKey') ?? ''
  const hasSelector = fieldsAt(term, 'labelSelector') !== undefined
  const keys = ['matchLabelKeys', 'mismatchLabelKeys'].filter(name => listAt(term, name).length > 0)
  return [
    ...labelSelectorProblems(`${place}.labelSelector`, fieldsAt(term, 'labelSelector')),
    ...labelSelectorProblems(`${place}.namespaceSelector`, fieldsAt(term, 'namespaceSelector')),
    ...listAt(term, 'namespaces').flatMap(name =>
      dns1123LabelProblems(String(name)).map(rule => invalid(`${place}.namespace`, name, rule)),
    ),
    ...(hasSelector
      ? []
      : keys.map(name => forbidden(`${place}.${name}`, 'must not be specified when labelSelector is not set'))),
    ...(key === '' ? [required(`${place}.topologyKey`, 'can not be empty')] : []),
    ...qualifiedNameProblems(key).map(rule => invalid(`${place}.topologyKey`, key, rule)),
  ]
}

const tolerationEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] as const
const emptyKeyRule = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'

/** Numbers are compared only where that feature is on, which it is not. */
function operatorsOf(operator: string): readonly string[] {
  return operator === 'Gt' || operator === 'Lt' ? ['Equal', 'Exists', 'Gt', 'Lt'] : ['Equal', 'Exists']
}

function someRules(rules: readonly string[]): readonly string[] {
  return rules.length === 0 ? [] : [rules.join(';')]
}

/** What is wrong with the tolerations of what is at `path`. */
export function tolerationProblems(spec: Draft, path: string): readonly FieldError[] {
  return itemsAt(spec, 'tolerations').flatMap((toleration, index): FieldError[] => {
    const at = `${path}.tolerations[${index}]`
    const operator = textAt(toleration, 'operator') ?? ''
    const effect = textAt(toleration, 'effect') ?? ''
    const value = textAt(toleration, 'value') ?? ''
    const key = textAt(toleration, 'key') ?? ''
    const problems: FieldError[] = key === '' ? [] : qualifiedNameProblems(key).map(rule => invalid(`${at}.key`, key, rule))
    if (key === '' && operator !== 'Exists') problems.push(invalid(`${at}.operator`, operator, emptyKeyRule))
    if (toleration['tolerationSeconds'] !== undefined && effect !== 'NoExecute')
      problems.push(invalid(`${at}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"))
    if (operator === '' || operator === 'Equal')
      problems.push(...someRules(labelValueProblems(value)).map(rule => invalid(`${at}.operator`, value, rule)))
    else if (operator !== 'Exists') problems.push(notSupported(`${at}.operator`, operator, operatorsOf(operator)))
    if (operator === 'Exists' && value !== '')
      problems.push(invalid(`${at}.operator`, value, "value must be empty when `operator` is 'Exists'"))
    if (effect !== '' && !tolerationEffects.some(known => known === effect))
      problems.push(notSupported(`${at}.effect`, effect, tolerationEffects))
    return problems
  })
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

function spreadProblems(spec: Draft, path: string): readonly FieldError[] {
  return itemsAt(spec, 'topologySpreadConstraints').flatMap((constraint, index) => {
    const at = `${path}.topologySpreadConstraints[${index}]`
    const problems: FieldError[] = []
    if (typeof constraint['maxSkew'] !== 'number' || constraint['maxSkew'] <= 0)
      problems.push(invalid(`${at}.maxSkew`, constraint['maxSkew'] ?? 0, 'must be greater than zero'))
    if ((textAt(constraint, 'topologyKey') ?? '') === '') problems.push(required(`${at}.topologyKey`, 'can not be empty'))
    const action = textAt(constraint, 'whenUnsatisfiable')
    if (action !== 'DoNotSchedule' && action !== 'ScheduleAnyway')
      problems.push(notSupported(`${at}.whenUnsatisfiable`, action ?? '', ['DoNotSchedule', 'ScheduleAnyway']))
    problems.push(...labelSelectorProblems(`${at}.labelSelector`, fieldsAt(constraint, 'labelSelector')))
    return problems
  })
}

/** What only a new pod may not have. */
export function newPodProblems(draft: Draft): readonly FieldError[] {
  const added = valueAt(draft, 'spec', 'ephemeralContainers')
  const hasAdded = Array.isArray(added) && added.some(isFields)
  return hasAdded ? [forbidden('spec.ephemeralContainers', 'cannot be set on create')] : []
}
