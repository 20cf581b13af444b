// FlowSchemas and PriorityLevelConfigurations: who is asked for, what, and how much of the server they get.

import { type FieldError, forbidden, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems, dns1123SubdomainProblems } from '#kube/objects/names.ts'
import { type Draft, fieldsAt, itemsAt, listAt, numberAt, textAt } from '../../json-value.ts'

const subjectKinds = ['Group', 'ServiceAccount', 'User']
const subjectFields = { Group: 'group', ServiceAccount: 'serviceAccount', User: 'user' } as const
const methods = ['ByNamespace', 'ByUser']

/** Everything that is wrong with a FlowSchema. */
export function flowSchemaProblems(draft: Draft): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const precedence = numberAt(spec, 'matchingPrecedence') ?? 0
  const method = fieldsAt(spec, 'distinguisherMethod')
  const problems: FieldError[] = []
  if (precedence < 1 || precedence > 10_000)
    problems.push(invalid('spec.matchingPrecedence', precedence, 'must be between 1 and 10000, inclusive'))
  else if (precedence === 1 && textAt(draft, 'metadata', 'name') !== 'exempt')
    problems.push(invalid('spec.matchingPrecedence', precedence, "only the schema named 'exempt' may have matchingPrecedence 1"))
  const level = textAt(spec, 'priorityLevelConfiguration', 'name') ?? ''
  const levelAt = 'spec.priorityLevelConfiguration.name'
  if (level === '') problems.push(required(levelAt, 'must reference a priority level'))
  else problems.push(...dns1123SubdomainProblems(level).map(rule => invalid(levelAt, level, rule)))
  const type = textAt(method, 'type') ?? ''
  if (method !== undefined && !methods.includes(type))
    problems.push(notSupported('spec.distinguisherMethod.type', { Type: type }, methods))
  return [...problems, ...itemsAt(spec, 'rules').flatMap((rule, index) => policyRuleProblems(`spec.rules[${index}]`, rule))]
}

function policyRuleProblems(at: string, rule: Draft): readonly FieldError[] {
  const [subjects, resources, paths] = [
    itemsAt(rule, 'subjects'),
    itemsAt(rule, 'resourceRules'),
    itemsAt(rule, 'nonResourceRules'),
  ]
  return [
    ...(subjects.length === 0 ? [required(`${at}.subjects`, 'subjects must contain at least one value')] : []),
    ...subjects.flatMap((subject, index) => subjectProblems(`${at}.subjects[${index}]`, subject)),
    ...(resources.length + paths.length === 0
      ? [required(at, 'at least one of resourceRules and nonResourceRules has to be non-empty')]
      : []),
    ...resources.flatMap((resource, index) => resourceRuleProblems(`${at}.resourceRules[${index}]`, resource)),
    ...paths.flatMap((path, index) => pathRuleProblems(`${at}.nonResourceRules[${index}]`, path)),
  ]
}

function subjectProblems(at: string, subject: Draft): readonly FieldError[] {
  const kind = subjectKinds.find(known => known === textAt(subject, 'kind')) as keyof typeof subjectFields | undefined
  if (kind === undefined) return [notSupported(`${at}.kind`, textAt(subject, 'kind') ?? '', subjectKinds)]
  return Object.entries(subjectFields).flatMap(([other, field]) => {
    const part = fieldsAt(subject, field)
    if (other !== kind)
      return part === undefined ? [] : [forbidden(`${at}.${field}`, `${field} is forbidden when subject kind is not '${other}'`)]
    if (part === undefined) return [required(`${at}.${field}`, `${field} is required when subject kind is '${kind}'`)]
    const needed = field === 'serviceAccount' ? ['name', 'namespace'] : ['name']
    return needed.flatMap(name => ((textAt(part, name) ?? '') === '' ? [required(`${at}.${field}.${name}`)] : []))
  })
}

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch']

function verbProblems(at: string, rule: Draft): readonly FieldError[] {
  const given = listAt(rule, 'verbs').map(String)
  if (given.includes('*')) return given.length > 1 ? [invalid(at, given, "if '*' is present, must not specify other verbs")] : []
  const areKnown = given.every(verb => verbs.includes(verb))
  return areKnown ? someProblems(at, rule, 'verbs', 'verbs must contain at least one value') : [notSupported(at, given, verbs)]
}

function resourceRuleProblems(at: string, rule: Draft): readonly FieldError[] {
  const namespaces = listAt(rule, 'namespaces').map(String)
  return [
    ...verbProblems(`${at}.verbs`, rule),
    ...someProblems(`${at}.apiGroups`, rule, 'apiGroups', 'resource rules must supply at least one api group'),
    ...someProblems(`${at}.resources`, rule, 'resources', 'resource rules must supply at least one resource'),
    ...(namespaces.length === 0 && rule['clusterScope'] !== true
      ? [required(`${at}.namespaces`, 'resource rules that are not cluster scoped must supply at least one namespace')]
      : []),
    ...namespaces.flatMap((namespace, index) =>
      namespace === '*'
        ? []
        : dns1123LabelProblems(namespace).map(rule =>
            invalid(`${at}.namespaces[${index}]`, namespace, `each member of this list must be '*' or a DNS-1123 label; ${rule}`),
          ),
    ),
  ]
}

function pathRuleProblems(at: string, rule: Draft): readonly FieldError[] {
  const paths = listAt(rule, 'nonResourceURLs').map(String)
  return [
    ...verbProblems(`${at}.verbs`, rule),
    ...someProblems(`${at}.nonResourceURLs`, rule, 'nonResourceURLs', 'nonResourceURLs must contain at least one value'),
    ...paths.flatMap((path, index) => {
      if (path === '*' || path.startsWith('/')) return []
      return [
        path === ''
          ? invalid(`${at}.nonResourceURLs[${index}]`, path, 'must not be empty')
          : invalid(`${at}.nonResourceURLs[${index}]`, path, 'must start with slash'),
      ]
    }),
  ]
}

function someProblems(at: string, rule: Draft, name: string, words: string): readonly FieldError[] {
  return listAt(rule, name).length === 0 ? [required(at, words)] : []
}

const levelTypes = ['Exempt', 'Limited']

/** Everything that is wrong with a PriorityLevelConfiguration. */
export function priorityLevelProblems(draft: Draft): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const type = textAt(spec, 'type') ?? ''
  if (type === '') return [required('spec.type')]
  if (!levelTypes.includes(type)) return [notSupported('spec.type', type, levelTypes)]
  const [limited, exempt] = [fieldsAt(spec, 'limited'), fieldsAt(spec, 'exempt')]
  if (type === 'Exempt')
    return [
      ...(limited === undefined ? [] : [forbidden('spec.limited', 'must be nil if the type is not Limited')]),
      ...shareProblems('spec.exempt', exempt ?? {}),
    ]
  return [
    ...(exempt === undefined ? [] : [forbidden('spec.exempt', 'must be nil if the type is Limited')]),
    ...(limited === undefined ? [required('spec.limited', 'must not be empty when type is Limited')] : limitedProblems(limited)),
  ]
}

function limitedProblems(limited: Draft): readonly FieldError[] {
  const at = 'spec.limited'
  const shares = numberAt(limited, 'nominalConcurrencyShares') ?? 0
  return [
    ...(shares < 0 ? [invalid(`${at}.nominalConcurrencyShares`, shares, 'must be a non-negative integer')] : []),
    ...responseProblems(`${at}.limitResponse`, fieldsAt(limited, 'limitResponse') ?? {}),
    ...shareProblems(at, limited),
  ]
}

function responseProblems(at: string, response: Draft): readonly FieldError[] {
  const type = textAt(response, 'type') ?? ''
  const queuing = fieldsAt(response, 'queuing')
  if (type === '') return [required(`${at}.type`)]
  if (type === 'Reject')
    return queuing === undefined ? [] : [forbidden(`${at}.queuing`, 'must be nil if limited.limitResponse.type is not Limited')]
  if (type !== 'Queue') return [notSupported(`${at}.type`, type, ['Queue', 'Reject'])]
  if (queuing === undefined) return [required(`${at}.queuing`, 'must not be empty if limited.limitResponse.type is Limited')]
  return ['queueLengthLimit', 'queues', 'handSize'].flatMap(name => {
    const value = numberAt(queuing, name) ?? 0
    return value < 1 ? [invalid(`${at}.queuing.${name}`, value, 'must be positive')] : []
  })
}

function shareProblems(at: string, part: Draft): readonly FieldError[] {
  const lent = numberAt(part, 'lendablePercent') ?? 0
  const borrowed = numberAt(part, 'borrowingLimitPercent') ?? 0
  return [
    ...(lent < 0 || lent > 100 ? [invalid(`${at}.lendablePercent`, lent, 'must be between 0 and 100, inclusive')] : []),
    ...(borrowed < 0 ? [invalid(`${at}.borrowingLimitPercent`, borrowed, 'if specified, must be a non-negative integer')] : []),
  ]
}
