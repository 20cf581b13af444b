// NetworkPolicies: whom they are for, which ports they name, and with whom.
import { type FieldError, forbidden, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { type Draft, fieldsAt, itemsAt, listAt, textAt, valueAt } from '../../../json-value.ts'
import { isPort, portNameRules, portRange } from '../pods/port-validation.ts'
import { labelSelectorProblems } from '../selector-validation.ts'
import { isStrictlyWithin, networkOf, networkProblems } from './addresses.ts'

const policyTypes = ['Ingress', 'Egress']
const protocols = ['TCP', 'UDP', 'SCTP']

/** Everything that is wrong with a NetworkPolicy. What its last version `before` had as a network may stay. */
export function networkPolicyProblems(draft: Draft, before?: Draft): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const known = new Set(before === undefined ? [] : networksOf(before))
  const rules = (list: 'ingress' | 'egress', peers: 'from' | 'to') =>
    itemsAt(spec, list).flatMap((rule, index) => {
      const at = `spec.${list}[${index}]`
      return [
        ...itemsAt(rule, 'ports').flatMap((port, number) => portProblems(`${at}.ports[${number}]`, port)),
        ...itemsAt(rule, peers).flatMap((peer, number) => peerProblems(`${at}.${peers}[${number}]`, peer, known)),
      ]
    })
  return [
    ...labelSelectorProblems('spec.podSelector', fieldsAt(spec, 'podSelector')),
    ...rules('ingress', 'from'),
    ...rules('egress', 'to'),
    ...typeProblems(listAt(spec, 'policyTypes')),
  ]
}

function typeProblems(types: readonly unknown[]): readonly FieldError[] {
  if (types.length > policyTypes.length) return [invalid('spec.policyTypes', types, 'may not specify more than two policyTypes')]
  return types.flatMap((type, index) =>
    policyTypes.includes(String(type)) ? [] : [notSupported(`spec.policyTypes[${index}]`, type, policyTypes)],
  )
}

/** Networks that a policy names. */
function networksOf(draft: Draft): readonly string[] {
  const blocks = [
    ...itemsAt(draft, 'spec', 'ingress').flatMap(rule => itemsAt(rule, 'from')),
    ...itemsAt(draft, 'spec', 'egress').flatMap(rule => itemsAt(rule, 'to')),
  ]
  return blocks.flatMap(peer => [valueAt(peer, 'ipBlock', 'cidr'), ...listAt(peer, 'ipBlock', 'except')].map(String))
}

function portProblems(at: string, rule: Draft): readonly FieldError[] {
  const [protocol, port, end] = [textAt(rule, 'protocol'), rule['port'] ?? undefined, rule['endPort'] ?? undefined]
  const problems: FieldError[] = []
  if (protocol !== undefined && !protocols.includes(protocol)) problems.push(notSupported(`${at}.protocol`, protocol, protocols))
  if (typeof port === 'number') {
    if (!isPort(port)) problems.push(invalid(`${at}.port`, port, portRange))
    if (typeof end !== 'number') return problems
    if (end < port) problems.push(invalid(`${at}.endPort`, port, 'must be greater than or equal to `port`'))
    if (!isPort(end)) problems.push(invalid(`${at}.endPort`, end, portRange))
    return problems
  }
  if (end !== undefined) {
    const why = port === undefined ? 'not specified' : 'non-numeric'
    problems.push(invalid(`${at}.endPort`, end, `may not be specified when \`port\` is ${why}`))
  }
  if (typeof port === 'string') problems.push(...portNameRules(port).map(rule => invalid(`${at}.port`, port, rule)))
  return problems
}

function peerProblems(at: string, peer: Draft, known: ReadonlySet<string>): readonly FieldError[] {
  const [pods, namespaces, block] = ['podSelector', 'namespaceSelector', 'ipBlock'].map(name => fieldsAt(peer, name))
  const count = [pods, namespaces, block].filter(part => part !== undefined).length
  return [
    ...labelSelectorProblems(`${at}.podSelector`, pods),
    ...labelSelectorProblems(`${at}.namespaceSelector`, namespaces),
    ...(block === undefined ? [] : blockProblems(`${at}.ipBlock`, block, known)),
    ...(count === 0 ? [required(at, 'must specify a peer')] : []),
    ...(count > 1 && block !== undefined ? [forbidden(at, 'may not specify both ipBlock and another peer')] : []),
  ]
}

function blockProblems(at: string, block: Draft, known: ReadonlySet<string>): readonly FieldError[] {
  const text = textAt(block, 'cidr') ?? ''
  if (text === '') return [required(`${at}.cidr`)]
  const network = networkOf(text)
  const own = known.has(text) ? [] : networkProblems(`${at}.cidr`, text)
  if (network === undefined) return own
  const except = listAt(block, 'except').map(String)
  return [
    ...own,
    ...except.flatMap((one, index) => {
      const place = `${at}.except[${index}]`
      const excepted = networkOf(one)
      return [
        ...(known.has(one) ? [] : networkProblems(place, one)),
        ...(excepted !== undefined && !isStrictlyWithin(excepted, network)
          ? [invalid(place, one, 'must be a strict subset of `cidr`')]
          : []),
      ]
    }),
  ]
}
