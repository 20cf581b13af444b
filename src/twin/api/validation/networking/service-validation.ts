// Services: their type, ports, addresses, and what only some types may have.
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems, dns1123SubdomainProblems, labelValueProblems, qualifiedNameProblems } from '#kube/objects/names.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, fieldsAt, itemsAt, listAt, textAt, textsAt, valueAt } from '../../../json-value.ts'
import { isPort, portRange, targetProblems } from '../pods/port-validation.ts'
import { addressProblems, endpointAddressProblems, networkProblems } from './addresses.ts'

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']
const families = ['IPv4', 'IPv6']
const familyPolicies = ['PreferDualStack', 'RequireDualStack', 'SingleStack']
const protocols = ['SCTP', 'TCP', 'UDP']
const balancerOnly = "may only be used when `type` is 'LoadBalancer'"

/** Everything that is wrong with a Service. What its last version `before` had as an address may stay. */
export function serviceProblems(draft: Draft, minor: number, before?: Draft | KubeObject): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const ports = itemsAt(spec, 'ports')
  const isHeadless = hasNoAddress(spec)
  return [
    ...(ports.length === 0 && spec['type'] !== 'ExternalName' && !isHeadless ? [required('spec.ports')] : []),
    ...typeProblems(spec, isHeadless),
    ...portsProblems(ports),
    ...Object.entries(textsAt(spec, 'selector')).flatMap(([key, value]) => [
      ...qualifiedNameProblems(key).map(rule => invalid('spec.selector', key, rule)),
      ...labelValueProblems(value).map(rule => invalid('spec.selector', value, rule)),
    ]),
    ...affinityProblems(spec),
    ...(spec['type'] === 'ExternalName' ? [] : clusterAddressProblems(spec, isHeadless, listAt(before, 'spec', 'clusterIPs'))),
    ...externalAddressProblems(spec, listAt(before, 'spec', 'externalIPs')),
    ...choice(spec, 'type', types),
    ...nodePortProblems(spec, ports),
    ...repeatedPorts(ports),
    ...balancerProblems(draft, spec, before),
    ...trafficProblems(spec, minor),
  ]
}

function hasNoAddress(spec: Draft): boolean {
  const addresses = listAt(spec, 'clusterIPs')
  return addresses.length === 1 && addresses[0] === 'None'
}

function choice(spec: Draft, name: string, choices: readonly string[]): readonly FieldError[] {
  const value = textAt(spec, name)
  return value === undefined || choices.includes(value) ? [] : [notSupported(`spec.${name}`, value, choices)]
}

function typeProblems(spec: Draft, isHeadless: boolean): readonly FieldError[] {
  const type = textAt(spec, 'type')
  if (type === 'LoadBalancer' || type === 'NodePort')
    return isHeadless ? [invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${type} services`)] : []
  if (type !== 'ExternalName') return []
  const name = (textAt(spec, 'externalName') ?? '').replace(/\.$/, '')
  const given = (field: string) => (listAt(spec, field).length > 0 || textAt(spec, field) !== undefined ? [field] : [])
  return [
    ...['clusterIPs', 'ipFamilies', 'ipFamilyPolicy']
      .flatMap(given)
      .map(field => forbidden(`spec.${field}`, 'may not be set for ExternalName services')),
    ...(name === ''
      ? [required('spec.externalName')]
      : dns1123SubdomainProblems(name).map(rule => invalid('spec.externalName', name, rule))),
  ]
}

function portsProblems(ports: readonly Draft[]): readonly FieldError[] {
  const names = ports.map(port => textAt(port, 'name') ?? '')
  return ports.flatMap((port, index) => {
    const at = `spec.ports[${index}]`
    const [name = '', number, protocol] = [names[index], port['port'] ?? 0, textAt(port, 'protocol') ?? '']
    const application = textAt(port, 'appProtocol')
    return [
      ...(name === '' && ports.length > 1 ? [required(`${at}.name`)] : []),
      ...(name === '' ? [] : dns1123LabelProblems(name).map(rule => invalid(`${at}.name`, name, rule))),
      ...(name !== '' && names.indexOf(name) < index ? [duplicate(`${at}.name`, name)] : []),
      ...(isPort(number) ? [] : [invalid(`${at}.port`, number, portRange)]),
      ...(protocol === ''
        ? [required(`${at}.protocol`)]
        : protocols.includes(protocol)
          ? []
          : [notSupported(`${at}.protocol`, protocol, protocols)]),
      ...targetProblems(port['targetPort'] ?? 0, `${at}.targetPort`),
      ...(application === undefined
        ? []
        : qualifiedNameProblems(application).map(rule => invalid(`${at}.appProtocol`, application, rule))),
    ]
  })
}

const affinitySeconds = 86_400

function affinityProblems(spec: Draft): readonly FieldError[] {
  const at = 'spec.sessionAffinityConfig'
  const problems = choice(spec, 'sessionAffinity', ['ClientIP', 'None'])
  if (spec['sessionAffinity'] !== 'ClientIP') return problems
  const config = fieldsAt(spec, 'sessionAffinityConfig')
  const seconds = valueAt(config, 'clientIP', 'timeoutSeconds') ?? 0
  const isWithin = typeof seconds === 'number' && seconds > 0 && seconds <= affinitySeconds
  if (isWithin) return problems
  return [
    ...problems,
    invalid(`${at}.clientIP.timeoutSeconds`, seconds, `must be greater than 0 and less than ${affinitySeconds}`),
  ]
}

function clusterAddressProblems(spec: Draft, isHeadless: boolean, known: readonly unknown[]): readonly FieldError[] {
  const at = 'spec.clusterIPs'
  const address = textAt(spec, 'clusterIP') ?? ''
  const addresses = listAt(spec, 'clusterIPs').map(String)
  const given = listAt(spec, 'ipFamilies').map(String)
  const problems: FieldError[] = []
  if (address !== '' && addresses.length === 0) problems.push(required(at))
  else if (address !== '' && addresses[0] !== address) problems.push(invalid(at, addresses, 'first value must match `clusterIP`'))
  else if (address === '' && addresses.length > 0)
    problems.push(invalid(at, addresses, 'must be empty when `clusterIP` is not specified'))
  for (const [index, family] of given.entries()) {
    if (!families.includes(family)) problems.push(notSupported(`spec.ipFamilies[${index}]`, family, families))
    if (given.indexOf(family) < index) problems.push(duplicate(`spec.ipFamilies[${index}]`, family))
  }
  problems.push(...choice(spec, 'ipFamilyPolicy', familyPolicies))
  const wrong = addresses.flatMap((one, index) => {
    if (index === 0 && one === 'None')
      return addresses.length > 1 ? [invalid(at, addresses, "'None' must be the first and only value")] : []
    return known.includes(one) ? [] : addressProblems(`${at}[${index}]`, one)
  })
  problems.push(...wrong)
  if (addresses.length > 2) problems.push(invalid(at, addresses, 'may only hold up to 2 values'))
  if (wrong.length > 0) return problems
  const [first, second] = addresses.map(one => one.includes(':'))
  if (second !== undefined && first === second)
    problems.push(invalid(at, addresses, 'may specify no more than one IP for each IP family'))
  if (isHeadless) return problems
  for (const [index, one] of addresses.entries()) {
    const family = given[index]
    const isOther = family !== undefined && families.includes(family) && (family === 'IPv6') !== one.includes(':')
    if (isOther)
      problems.push(invalid(`${at}[${index}]`, one, `expected an ${family} value as indicated by \`ipFamilies[${index}]\``))
  }
  return problems
}

function externalAddressProblems(spec: Draft, known: readonly unknown[]): readonly FieldError[] {
  return listAt(spec, 'externalIPs').flatMap((address, index) => {
    const at = `spec.externalIPs[${index}]`
    const problems = known.includes(address) ? [] : addressProblems(at, String(address))
    return problems.length > 0 ? problems : endpointAddressProblems(at, String(address))
  })
}

function nodePortProblems(spec: Draft, ports: readonly Draft[]): readonly FieldError[] {
  const numbers = ports.map(port => port['nodePort'] ?? 0)
  return numbers.flatMap((number, index) => {
    const at = `spec.ports[${index}].nodePort`
    if (number === 0) return []
    const protocol = ports[index]?.['protocol']
    const isRepeated = numbers.some((one, other) => other < index && one === number && ports[other]?.['protocol'] === protocol)
    return [
      ...(spec['type'] === 'ClusterIP' ? [forbidden(at, "may not be used when `type` is 'ClusterIP'")] : []),
      ...(isRepeated ? [duplicate(at, number)] : []),
    ]
  })
}

function repeatedPorts(ports: readonly Draft[]): readonly FieldError[] {
  const identity = (port: Draft) => `${String(port['port'])}/${String(port['protocol'])}`
  return ports.flatMap((port, index) =>
    ports.findIndex(other => identity(other) === identity(port)) < index
      ? [duplicate(`spec.ports[${index}]`, printedPort(port))]
      : [],
  )
}

/** A port as Go prints the parts of it that may not occur twice. */
function printedPort(port: Draft): unknown {
  return { Name: '', Protocol: port['protocol'], AppProtocol: null, Port: port['port'], TargetPort: 0, NodePort: 0 }
}

const rangesAnnotation = 'service.beta.kubernetes.io/load-balancer-source-ranges'

function balancerProblems(draft: Draft, spec: Draft, before: Draft | KubeObject | undefined): readonly FieldError[] {
  const isBalancer = spec['type'] === 'LoadBalancer'
  const ranges = listAt(spec, 'loadBalancerSourceRanges').map(range => String(range).trim())
  const known = listAt(before, 'spec', 'loadBalancerSourceRanges').map(range => String(range).trim())
  const annotation = textAt(draft, 'metadata', 'annotations', rangesAnnotation)
  const className = textAt(spec, 'loadBalancerClass')
  const problems: FieldError[] = []
  // Upstream writes the field so.
  const at = 'spec.LoadBalancerSourceRanges'
  if (ranges.length > 0) {
    if (!isBalancer) problems.push(forbidden(at, balancerOnly))
    for (const [index, range] of ranges.entries())
      if (!known.includes(range)) problems.push(...networkProblems(`${at}[${index}]`, range))
  } else if (annotation !== undefined) {
    const place = `metadata.annotations[${rangesAnnotation}]`
    if (!isBalancer) problems.push(forbidden(place, balancerOnly))
    const isKnown = annotation === textAt(before, 'metadata', 'annotations', rangesAnnotation)
    if (!isKnown && annotation.trim() !== '')
      for (const range of annotation.trim().split(',')) problems.push(...networkProblems(place, range.trim()))
  }
  if (spec['allocateLoadBalancerNodePorts'] !== undefined && !isBalancer)
    problems.push(forbidden('spec.allocateLoadBalancerNodePorts', balancerOnly))
  if (className === undefined) return problems
  if (!isBalancer) return [...problems, forbidden('spec.loadBalancerClass', balancerOnly)]
  return [...problems, ...qualifiedNameProblems(className).map(rule => invalid('spec.loadBalancerClass', className, rule))]
}

function trafficProblems(spec: Draft, minor: number): readonly FieldError[] {
  const type = textAt(spec, 'type')
  const isOutside =
    type === 'LoadBalancer' || type === 'NodePort' || (type === 'ClusterIP' && listAt(spec, 'externalIPs').length > 0)
  const policy = textAt(spec, 'externalTrafficPolicy') ?? ''
  const port = spec['healthCheckNodePort'] ?? 0
  const isChecked = type === 'LoadBalancer' && policy === 'Local'
  const problems: FieldError[] = []
  if (!isOutside && policy !== '')
    problems.push(invalid('spec.externalTrafficPolicy', policy, 'may only be set for externally-accessible services'))
  else if (isOutside && policy === '') problems.push(required('spec.externalTrafficPolicy'))
  else if (isOutside) problems.push(...choice(spec, 'externalTrafficPolicy', ['Cluster', 'Local']))
  if (!isChecked && port !== 0)
    problems.push(
      invalid(
        'spec.healthCheckNodePort',
        port,
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ),
    )
  else if (isChecked && port === 0) problems.push(required('spec.healthCheckNodePort'))
  else if (isChecked && !isPort(port)) problems.push(invalid('spec.healthCheckNodePort', port, portRange))
  if (spec['internalTrafficPolicy'] === undefined && type !== 'ExternalName' && types.includes(type ?? ''))
    problems.push(required('spec.internalTrafficPolicy'))
  problems.push(...choice(spec, 'internalTrafficPolicy', ['Cluster', 'Local']))
  const distributions = minor >= 34 ? ['PreferClose', 'PreferSameZone', 'PreferSameNode'] : ['PreferClose']
  return [...problems, ...choice(spec, 'trafficDistribution', distributions)]
}
